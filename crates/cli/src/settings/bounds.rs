//! Bounds that hold for every setting of a kind: beyond them arithmetic overflows somewhere, and no installation is there.
//!
//! Not here: what makes sense for one setting; that is its crate's.

use std::time::Duration;

use serde_json::Value;

/// No duration is longer.
const DURATION_MAX: Duration = Duration::from_hours(10 * 365 * 24);
/// No count or size is higher.
const COUNT_MAX: u64 = 1_000_000_000_000_000;

/// Why `value` is beyond what its kind allows, if it is. The default tells the kind.
pub(super) fn exceeded(value: &Value, default: &Value) -> Option<String> {
    match (value, default) {
        (Value::Number(number), Value::Number(_)) => {
            number.as_u64().filter(|count| *count > COUNT_MAX).map(|_| format!("at most {COUNT_MAX} was expected"))
        }
        (Value::String(text), Value::String(default)) => {
            let duration = duration(default).and_then(|_| duration(text))?;
            (duration > DURATION_MAX).then(|| "at most 10 years were expected".to_owned())
        }
        _ => None,
    }
}

fn duration(text: &str) -> Option<Duration> {
    humantime_serde::re::humantime::parse_duration(text).ok()
}
