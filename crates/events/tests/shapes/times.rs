//! Points in time: RFC 3339 in UTC, to the microsecond, and arithmetic that never overflows.

use std::time::Duration;

use events::UtcMicros;
use proptest::prelude::*;
use serde_json::json;

fn parse(text: &str) -> UtcMicros {
    text.parse().unwrap()
}

#[test]
fn a_time_is_written_in_utc_with_six_decimals() {
    assert_eq!(UtcMicros(0).to_string(), "1970-01-01T00:00:00.000000Z");
    assert_eq!(UtcMicros(1_767_225_600_000_001).to_string(), "2026-01-01T00:00:00.000001Z");
    assert_eq!(UtcMicros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
}

#[test]
fn every_offset_and_precision_of_rfc_3339_is_read() {
    let expected = UtcMicros(1_767_225_600_123_000);
    for text in [
        "2026-01-01T00:00:00.123Z",
        "2026-01-01T00:00:00.123000Z",
        "2026-01-01T00:00:00.123000999Z",
        "2026-01-01T02:00:00.123+02:00",
        "2025-12-31T19:00:00.123-05:00",
        "2026-01-01t00:00:00.123z",
    ] {
        assert_eq!(parse(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_a_time_is_refused() {
    for text in ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "1767225600", "now"] {
        assert!(text.parse::<UtcMicros>().is_err(), "{text:?}");
    }
    assert!(serde_json::from_value::<UtcMicros>(json!(1_767_225_600)).is_err());
}

#[test]
fn a_duration_is_added_and_taken_away() {
    let (noon, minute) = (parse("2026-01-01T12:00:00Z"), Duration::from_mins(1));
    assert_eq!(noon.plus(minute), parse("2026-01-01T12:01:00Z"));
    assert_eq!(noon.minus(minute), parse("2026-01-01T11:59:00Z"));
    assert_eq!(noon.plus(minute).since(noon), minute);
    assert_eq!(noon.since(noon.plus(minute)), Duration::ZERO, "what lies ahead is no time ago");
    assert!((parse("1970-01-01T00:00:01.500Z").as_seconds() - 1.5).abs() < 1e-9);
}

#[test]
fn nothing_overflows_and_a_time_beyond_the_calendar_is_written_as_its_end() {
    let never = UtcMicros(1).plus(Duration::MAX);
    assert_eq!(never, UtcMicros(i64::MAX));
    assert_eq!(UtcMicros(0).minus(Duration::MAX).minus(Duration::MAX), UtcMicros(i64::MIN));
    assert_eq!(UtcMicros(i64::MAX).since(UtcMicros(i64::MIN)), Duration::from_micros(i64::MAX as u64));
    assert!(never.to_string().starts_with("9999-12-30T"), "{never}");
    for end in [never, UtcMicros(i64::MIN)] {
        assert!(end.to_string().parse::<UtcMicros>().is_ok(), "{end}");
    }
}

proptest! {
    #[test]
    fn a_time_reads_back_as_it_was_written(micros in -62_135_596_800_000_000_i64..253_402_200_000_000_000) {
        let time = UtcMicros(micros);
        prop_assert_eq!(time.to_string().parse::<UtcMicros>(), Ok(time));
        let written = serde_json::to_value(time).unwrap();
        prop_assert_eq!(serde_json::from_value::<UtcMicros>(written).unwrap(), time);
    }

    #[test]
    fn texts_sort_as_times_do(one in 0_i64..253_402_200_000_000_000, other in 0_i64..253_402_200_000_000_000) {
        let (one, other) = (UtcMicros(one), UtcMicros(other));
        prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = text.parse::<UtcMicros>();
    }
}
