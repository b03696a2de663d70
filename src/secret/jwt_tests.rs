use super::*;

/// What `codex login status` of 0.169.0 said of an `auth.json` with this `last_refresh`.
const MEASURED: &[(&str, Option<&str>)] = &[
    ("2026-11-22T10:52:30.418616613Z", Some("2026-11-22T10:52:30.418616613Z")),
    ("2026-11-22 10:52:30Z", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22t10:52:30z", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T10:52:60Z", Some("2026-11-22T10:52:59Z")),
    ("2026-11-22T10:52:30.1234567890123Z", Some("2026-11-22T10:52:30.123456789Z")),
    ("2026-11-22T12:52:30+02:00", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T12:52:30+0200", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T08:22:30-02:30", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T08:52:30\u{2212}02:00", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T12:52:30+02 00", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T12:52:30+02::00", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T12:52:30 UTC", Some("2026-11-22T12:52:30Z")),
    ("2026-11-22T12:52:30utc", Some("2026-11-22T12:52:30Z")),
    (" 2026-11-22T12:52:30Z", Some("2026-11-22T12:52:30Z")),
    ("2026-11-22T12:52:30Z ", Some("2026-11-22T12:52:30Z")),
    ("2026-11-22  10:52:30 Z", Some("2026-11-22T10:52:30Z")),
    ("2026-11-22T 10:52:30Z", Some("2026-11-22T10:52:30Z")),
    ("2026-1-2T3:4:5Z", Some("2026-01-02T03:04:05Z")),
    ("226-02-20T03:04:05Z", Some("0226-02-20T03:04:05Z")),
    ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00Z")),
    ("9999-12-31T23:59:59.999999999Z", Some("9998-12-31T23:59:59.999999999Z")),
    ("+12026-11-22T12:52:30Z", Some("9998-11-22T12:52:30Z")),
    ("-0001-11-22T12:52:30Z", Some("-000001-11-22T12:52:30Z")),
    ("+992026-02-20T03:04:05Z", None),
    ("2026-11-22T10:52:30", None),
    ("2026-11-22", None),
    ("2026-11-22T12:52:30+02", None),
    ("2026-11-22T12:52Z", None),
    ("2026-11-22T12:52:30Z[UTC]", None),
    ("2026-11-22T10:52:30.Z", None),
    ("2026-11-22T10:52:30,5Z", None),
    ("2026-W47-7T10:52:30Z", None),
    ("20261122T105230Z", None),
    ("2026-11-22T24:00:00Z", None),
    ("2026-02-20T03:04:61Z", None),
    ("2026-02-30T03:04:05Z", None),
    ("2026-02-2003:04:05Z", None),
    ("2026-01-02T03:04:05+02:60", None),
    ("2026-01-02T03:04:05+24:00", None),
    ("yesterday", None),
    ("", None),
];

#[test]
fn times_are_read_as_codex_reads_them() {
    for (text, expected) in MEASURED {
        assert_eq!(rfc3339(text).map(|time| time.to_string()).as_deref(), *expected, "{text:?}");
    }
}

#[test]
fn epochs_in_milliseconds_and_absurd_ones() {
    let expected = "2026-11-22T10:52:30Z".parse().ok();
    assert_eq!(epoch(1_795_344_750), expected);
    assert_eq!(epoch(1_795_344_750_000), expected);
    assert_eq!(epoch(-1).map(|time| time.to_string()).as_deref(), Some("1969-12-31T23:59:59Z"));
    for absurd in [i64::MAX, i64::MIN, 1_795_344_750_000_000] {
        assert_eq!(epoch(absurd), None);
    }
}

#[test]
fn three_parts_that_are_not_empty() {
    let claims = "eyJlbWFpbCI6ImEifQ";
    for jwt in [format!("h.{claims}.s"), format!("h.{claims}.s.more")] {
        assert_eq!(identity(&jwt).and_then(|identity| identity.email).as_deref(), Some("a"));
    }
    for jwt in
        [format!(".{claims}.s"), format!("h.{claims}."), format!("h.{claims}"), "h..s".to_owned()]
    {
        assert!(identity(&jwt).is_none(), "{jwt}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,40}", shaped in "[-+0-9TZtz:. ]{0,40}", count: i64) {
        let _ = (rfc3339(&text), rfc3339(&shaped), epoch(count), identity(&text), lifetime(&shaped));
    }

    #[test]
    fn what_codex_writes_is_read_exactly(second in 0_i64..4_000_000_000, nanosecond in 0_i32..1_000_000_000) {
        let time = Timestamp::new(second, nanosecond).unwrap();
        proptest::prop_assert_eq!(rfc3339(&time.to_string()), Some(time));
    }
}
