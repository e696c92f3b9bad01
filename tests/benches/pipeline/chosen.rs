//! Contenders of one's choice before one broker, by turns: `cargo xtask bench contest 64,256 unsigned-lapin finlinkd-unsigned`.
//!
//! For finding out what something costs before it is changed, such as another envelope.

use anyhow::{Context, Result};
use tests::load::Pace;
use tests::servers::{RabbitMq, RabbitMqOptions};

use crate::contest::{Contest, Figure, Turn};
use crate::real;
use crate::receiver::Bench;

/// What is compared.
const RATIOS: [(&str, Figure); 3] =
    [("per second", |turn| turn.per_second), ("p99", |turn| turn.p99_ms), ("processor time", Turn::used_us)];

/// Connections, with commas, and names: those of servers, or of parts alone. Every ratio is to the first of them. `256@3000` is
/// so many requests a second instead of as many as are taken. A name of the real binary may be followed by a colon and the path
/// of another build of it.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (connections, names) = arguments.split_first().context("say how many connections, and who is compared")?;
    // They are needed as long as this program runs.
    let names: Vec<&'static str> = names.iter().map(|name| &*name.clone().leak()).collect();
    let broker = RabbitMq::launch(&RabbitMqOptions::default())?;
    let bench = Bench::new()?;
    // Declares the topology.
    drop(bench.server_with(real::UNSIGNED, &broker.url())?);
    let mut contest = Contest::new(&bench, &broker, &names)?;
    for connections in connections.split(',') {
        match connections.split_once('@') {
            None => contest.run(connections.parse()?)?,
            Some((connections, pace)) => contest.run_at(connections.parse()?, Pace::Open(pace.parse()?))?,
        }
        for name in &names {
            contest.show(name, &format!("{name}, {connections}"))?;
            for (what, get) in RATIOS {
                let ratio = contest.ratio(name, names[0], get)?;
                // Not every part alone has every figure.
                if ratio.is_normal() {
                    println!("{:<64} {ratio:>12.2}", format!("  {what}, / {}", names[0]));
                }
            }
        }
    }
    Ok(())
}
