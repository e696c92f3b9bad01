//! Contenders of one's choice before one broker, by turns: `cargo xtask bench contest 64,256 unsigned-lapin finlinkd-unsigned`.
//!
//! For finding out what something costs before it is changed, such as another envelope.

use anyhow::{Context, Result};
use tests::servers::{RabbitMq, RabbitMqOptions};

use crate::contest::Contest;
use crate::real;
use crate::receiver::Bench;

/// Connections, with commas, and names: those of servers, or `bare`. Every ratio is to the first of them.
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
        contest.run(connections.parse()?)?;
        for name in &names {
            contest.show(name, &format!("{name}, {connections}"))?;
            let ratio = contest.ratio(name, names[0], |turn| turn.per_second)?;
            println!("{:<64} {ratio:>12.2}", format!("  {name} / {}", names[0]));
        }
    }
    Ok(())
}
