//! Memory with a million webhooks waiting: what waits is on disk.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::load::Pace;

use crate::receiver::{Bench, CONNECTIONS};
use crate::report::{Report, figure};

const WEBHOOKS: u64 = 1_000_000;
const AT_MOST: Duration = Duration::from_mins(5);

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let bench = Bench::new()?;
    let (server, _folder) = bench.server("unsigned-stored")?;
    let (started, mut waiting, mut highest) = (Instant::now(), 0, 0.0_f64);
    while waiting < WEBHOOKS {
        ensure!(started.elapsed() < AT_MOST, "only {waiting} webhooks were taken within {AT_MOST:?}");
        waiting += bench.load(&server, CONNECTIONS, Duration::from_secs(2), Pace::Closed)?.ok();
        highest = highest.max(server.resident_mib()?);
    }
    figure("webhooks waiting, nobody consuming", waiting as f64, "");
    figure("processor time per webhook", server.cpu_time()?.as_secs_f64() * 1e6 / waiting as f64, "us");
    report.against("highest resident memory", highest, "MiB", "under 100");
    Ok(())
}
