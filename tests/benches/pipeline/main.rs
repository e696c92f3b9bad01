//! What the parts reach alone and the whole beside them, in one run. `cargo xtask bench [PART OF A SECTION'S NAME]`,
//! or `cargo xtask bench contest …` (`chosen`).
//!
//! Every claim is a ratio of two figures of this run: machines differ, and a shared one differs from minute to minute. It
//! asserts nothing; a person reads it. Loads are bounded in count and time and stay on the loopback address.
#![allow(clippy::print_stdout, reason = "a bench talks to a person")]

mod backlog;
mod bare;
mod broker;
mod child;
mod chosen;
mod consuming;
mod contest;
mod database;
mod deliveries;
mod envelopes;
mod intake;
mod parts;
mod real;
mod receiver;
mod reference;
mod report;
mod roles;
mod serve;
mod waiting;

use anyhow::Result;
use report::Report;

/// What belongs together.
struct Section {
    name: &'static str,
    measure: fn(&mut Report) -> Result<()>,
}

const SECTIONS: [Section; 7] = [
    Section { name: "parts", measure: parts::measure },
    Section { name: "receiver", measure: receiver::measure },
    Section { name: "waiting", measure: waiting::measure },
    Section { name: "intake", measure: intake::measure },
    Section { name: "broker", measure: broker::measure },
    Section { name: "database", measure: database::measure },
    Section { name: "roles", measure: roles::measure },
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [first, what, folder] = arguments.as_slice()
        && first == "serve"
    {
        return serve::run(what, std::path::Path::new(folder));
    }
    if let Some((first, chosen)) = arguments.split_first()
        && first == "contest"
    {
        return chosen::run(chosen);
    }
    let wanted = arguments.first().cloned().unwrap_or_default();
    let mut report = Report::default();
    for section in SECTIONS {
        if section.name.contains(&wanted) {
            println!("\n== {}", section.name);
            (section.measure)(&mut report)?;
        }
    }
    report.print();
    Ok(())
}
