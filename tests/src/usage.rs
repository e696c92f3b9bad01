//! What a process used: processor time and resident memory, from `/proc`.

use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of a process since its start, user and system together, all threads.
pub fn cpu_time(process_id: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/stat"))?;
    // The command's name may hold blanks; everything after its closing bracket is numbers.
    let fields: Vec<&str> = text.rsplit_once(')').context("no stat line")?.1.split_whitespace().collect();
    let ticks: u64 =
        fields.get(11).context("no utime")?.parse::<u64>()? + fields.get(12).context("no stime")?.parse::<u64>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// Resident memory of a process, in bytes.
pub fn resident_bytes(process_id: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/status"))?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib * 1024)
}
