//! Contenders before one broker, measured by turns: many short ones, so that a slow second of the machine strikes all alike,
//! and a ratio is the median of those of each turn.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lapin::BasicProperties;
use tempfile::TempDir;
use tests::load::Pace;
use tests::servers::RabbitMq;
use tests::usage;

use crate::child::Server;
use crate::parts::verify_for;
use crate::receiver::Bench;
use crate::report::{figure, median};
use crate::{bare, envelopes};

/// How long a turn is measured.
const TURN: Duration = Duration::from_millis(1200);
/// What goes before each, not measured.
const WARM_UP: Duration = Duration::from_millis(300);
const TURNS: usize = 10;

/// The bare publisher among the contenders, with nothing but the body, and with properties as long as ours.
pub(crate) const BARE: &str = "bare";
pub(crate) const BARE_LABELLED: &str = "bare-labelled";
/// Signatures checked on one core, with nothing around it. Every other name is a server's.
pub(crate) const VERIFICATION: &str = "verification";

/// What a turn reached, and what each side used of the processor for one webhook, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
    pub(crate) broker_us: f64,
    pub(crate) receiver_us: f64,
    pub(crate) load_us: f64,
}

impl Turn {
    /// What all sides together used for one webhook.
    pub(crate) fn used_us(&self) -> f64 {
        self.broker_us + self.receiver_us + self.load_us
    }
}

/// One of its figures.
pub(crate) type Figure = fn(&Turn) -> f64;

/// One of those who are compared.
struct Contender {
    what: &'static str,
    kind: Kind,
    turns: Vec<Turn>,
}

enum Kind {
    /// And its folder, for as long as it runs.
    Server((Server, TempDir)),
    /// A part alone, which is its own load: what it uses of the processor counts as the load's.
    Publisher(Box<BasicProperties>),
    Verification,
}

/// All of them, before the same broker.
pub(crate) struct Contest<'a> {
    bench: &'a Bench,
    broker: &'a RabbitMq,
    contenders: Vec<Contender>,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(bench: &'a Bench, broker: &'a RabbitMq, names: &[&'static str]) -> Result<Self> {
        let contender = |what: &'static str| {
            let kind = match what {
                BARE => Kind::Publisher(Box::new(BasicProperties::default().with_delivery_mode(2))),
                BARE_LABELLED => Kind::Publisher(Box::new(envelopes::named(envelopes::LABELLED)?)),
                VERIFICATION => Kind::Verification,
                server => Kind::Server(bench.server_with(server, &broker.url())?),
            };
            Ok(Contender { what, kind, turns: Vec::new() })
        };
        let contenders = names.iter().map(|what| contender(what)).collect::<Result<_>>()?;
        Ok(Self { bench, broker, contenders })
    }

    /// Measures everyone with so many connections, or so many in flight, as fast as it goes.
    pub(crate) fn run(&mut self, connections: usize) -> Result<()> {
        self.run_at(connections, Pace::Closed)
    }

    /// The same at a pace; the parts alone know none.
    pub(crate) fn run_at(&mut self, connections: usize, pace: Pace) -> Result<()> {
        let count = self.contenders.len();
        self.contenders.iter_mut().for_each(|contender| contender.turns.clear());
        for turn in 0..TURNS {
            for place in 0..count {
                // Nobody always follows the same.
                let index = if turn % 2 == 0 { place } else { count - 1 - place };
                let measured = self.turn(&self.contenders[index], connections, pace)?;
                self.contenders[index].turns.push(measured);
            }
        }
        Ok(())
    }

    /// Prints the medians of one.
    pub(crate) fn show(&self, what: &str, title: &str) -> Result<()> {
        let of = |get: Figure| self.median(what, get);
        figure(title, of(|turn| turn.per_second)?, "/s");
        let p99 = of(|turn| turn.p99_ms)?;
        if p99 > 0.0 {
            figure("  p99", p99, "ms");
        }
        let uses = [
            ("the broker", of(|turn| turn.broker_us)?),
            ("the receiver", of(|turn| turn.receiver_us)?),
            ("the load", of(|turn| turn.load_us)?),
        ];
        for (who, us) in uses.into_iter().filter(|(_, us)| *us > 0.0) {
            figure(&format!("  processor time for one, {who}"), us, "us");
        }
        Ok(())
    }

    /// The median of a figure.
    pub(crate) fn median(&self, what: &str, get: Figure) -> Result<f64> {
        Ok(median(self.turns(what)?.iter().map(get).collect()))
    }

    /// One against another, turn by turn.
    pub(crate) fn ratio(&self, one: &str, other: &str, get: Figure) -> Result<f64> {
        let pairs = self.turns(one)?.iter().zip(self.turns(other)?);
        Ok(median(pairs.map(|(one, other)| get(one) / get(other)).collect()))
    }

    /// The server of a contender.
    pub(crate) fn server(&self, what: &str) -> Result<&Server> {
        match &self.contender(what)?.kind {
            Kind::Server((server, _)) => Ok(server),
            Kind::Publisher(_) | Kind::Verification => bail!("{what} is no server"),
        }
    }

    /// What one reached, turn by turn.
    pub(crate) fn turns(&self, what: &str) -> Result<&[Turn]> {
        Ok(&self.contender(what)?.turns)
    }

    fn contender(&self, what: &str) -> Result<&Contender> {
        let mut all = self.contenders.iter();
        all.find(|contender| contender.what == what).with_context(|| format!("{what} is not among the contenders"))
    }

    fn turn(&self, contender: &Contender, connections: usize, pace: Pace) -> Result<Turn> {
        let Self { bench, broker, .. } = self;
        bench.block_on(bare::purge(&broker.url()))?;
        match &contender.kind {
            Kind::Server((server, _)) => self.turn_of(server, connections, pace),
            Kind::Publisher(properties) => {
                self.turn_alone(|| bench.block_on(bare::publish(&broker.url(), properties, connections, TURN)))
            }
            Kind::Verification => self.turn_alone(|| verify_for(TURN)),
        }
    }

    fn turn_alone(&self, part: impl FnOnce() -> Result<(u64, Duration)>) -> Result<Turn> {
        let before = Uses::now(self.broker, Duration::ZERO)?;
        let (done, elapsed) = part()?;
        Uses::now(self.broker, Duration::ZERO)?.since(&before, done, elapsed, 0.0)
    }

    fn turn_of(&self, server: &Server, connections: usize, pace: Pace) -> Result<Turn> {
        let Self { bench, broker, .. } = self;
        bench.load(server, connections, WARM_UP, pace)?;
        let before = Uses::now(broker, server.cpu_time()?)?;
        let report = bench.load(server, connections, TURN, pace)?;
        ensure!(report.ok() > 0, "nothing was stored: {:?}", report.statuses);
        let after = Uses::now(broker, server.cpu_time()?)?;
        after.since(&before, report.ok(), report.elapsed, report.latency_ms(0.99))
    }
}

/// Processor time so far of each side.
struct Uses {
    broker: Duration,
    receiver: Duration,
    load: Duration,
}

impl Uses {
    fn now(broker: &RabbitMq, receiver: Duration) -> Result<Self> {
        let broker = usage::cpu_time(broker.process_id().context("the broker does not run")?)?;
        Ok(Self { broker, receiver, load: usage::cpu_time(std::process::id())? })
    }

    fn since(&self, before: &Self, count: u64, elapsed: Duration, p99_ms: f64) -> Result<Turn> {
        ensure!(count > 0, "nothing was stored");
        let each = |before: Duration, now: Duration| now.saturating_sub(before).as_secs_f64() * 1e6 / count as f64;
        Ok(Turn {
            per_second: count as f64 / elapsed.as_secs_f64(),
            p99_ms,
            broker_us: each(before.broker, self.broker),
            receiver_us: each(before.receiver, self.receiver),
            load_us: each(before.load, self.load),
        })
    }
}
