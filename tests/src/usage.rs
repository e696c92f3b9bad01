//! What a process used: processor time and resident memory, from `/proc`.

use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of a process since its start, user and system together, all threads.
pub fn cpu_time(process_id: u32) -> Result<Duration> {
    cpu_times(process_id).map(|(own, _)| own)
}

/// The same, and that of the children that it had and that have ended.
pub fn cpu_time_with_ended_children(process_id: u32) -> Result<Duration> {
    cpu_times(process_id).map(|(own, children)| own + children)
}

fn cpu_times(process_id: u32) -> Result<(Duration, Duration)> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/stat"))?;
    // The command's name may hold blanks; everything after its closing bracket is numbers.
    let fields: Vec<&str> = text.rsplit_once(')').context("no stat line")?.1.split_whitespace().collect();
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    // The fields after the state, the third: utime and stime are the 14th and 15th, those of ended children follow.
    let ticks = |user: usize| -> Result<Duration> {
        let ticks: u64 = fields.get(user).context("no user time")?.parse()?;
        let system: u64 = fields.get(user + 1).context("no system time")?.parse()?;
        Ok(Duration::from_secs_f64((ticks + system) as f64 / per_second))
    };
    Ok((ticks(11)?, ticks(13)?))
}

/// Resident memory of a process, in bytes.
pub fn resident_bytes(process_id: u32) -> Result<u64> {
    status_bytes(process_id, "VmRSS:")
}

/// The most that it ever was.
pub fn highest_resident_bytes(process_id: u32) -> Result<u64> {
    status_bytes(process_id, "VmHWM:")
}

/// The same, of a process that cannot be seen from here, by the text of its `/proc/…/status`.
pub fn highest_resident_bytes_in(status: &str) -> Result<u64> {
    bytes_in(status, "VmHWM:")
}

fn status_bytes(process_id: u32, name: &str) -> Result<u64> {
    bytes_in(&std::fs::read_to_string(format!("/proc/{process_id}/status"))?, name)
}

fn bytes_in(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name}"))?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib * 1024)
}
