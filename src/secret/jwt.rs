//! The claims and times that Codex reads, read as Codex 0.169 reads them (codex-rs
//! login/src/token_data.rs), measured against the binary. No signature is checked: neither does
//! Codex.

use base64ct::{Base64UrlUnpadded, Encoding};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

/// Whose login an id_token names.
#[derive(Default)]
pub(super) struct Identity {
    pub(super) email: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) account: Option<String>,
    pub(super) user: Option<String>,
}

/// When a token was issued and when it ends; None where it does not say, or is not a JWT.
#[derive(Clone, Copy, Default)]
pub(super) struct Lifetime {
    pub(super) issued: Option<Timestamp>,
    pub(super) expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct IdClaims {
    email: Option<String>,
    #[serde(rename = "https://api.openai.com/profile")]
    profile: Option<Profile>,
    #[serde(rename = "https://api.openai.com/auth")]
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Profile {
    email: Option<String>,
}

#[derive(Deserialize)]
struct Auth {
    chatgpt_plan_type: Option<String>,
    chatgpt_user_id: Option<String>,
    user_id: Option<String>,
    chatgpt_account_id: Option<String>,
    /// Unused, but Codex refuses the file when it is not a boolean.
    #[serde(default, rename = "chatgpt_account_is_fedramp")]
    _fedramp: bool,
}

#[derive(Deserialize)]
struct Times {
    #[serde(default)]
    iat: Value,
    #[serde(default)]
    exp: Value,
}

/// None: Codex would refuse the file that holds this id_token.
pub(super) fn identity(jwt: &str) -> Option<Identity> {
    let claims: IdClaims = payload(jwt)?;
    let email = claims.email.or_else(|| claims.profile.and_then(|profile| profile.email));
    let Some(auth) = claims.auth else { return Some(Identity { email, ..Identity::default() }) };
    Some(Identity {
        email,
        plan: auth.chatgpt_plan_type,
        account: auth.chatgpt_account_id,
        user: auth.chatgpt_user_id.or(auth.user_id),
    })
}

pub(super) fn lifetime(jwt: &str) -> Lifetime {
    let Some(times) = payload::<Times>(jwt) else { return Lifetime::default() };
    let read = |value: &Value| value.as_i64().and_then(epoch);
    Lifetime { issued: read(&times.iat), expires: read(&times.exp) }
}

/// Three parts that are not empty (more are ignored), the second base64url without padding.
fn payload<T: DeserializeOwned>(jwt: &str) -> Option<T> {
    let mut parts = jwt.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if header.is_empty() || payload.is_empty() || signature.is_empty() {
        return None;
    }
    serde_json::from_slice(&Zeroizing::new(Base64UrlUnpadded::decode_vec(payload).ok()?)).ok()
}

/// Seconds since 1970, or milliseconds where seconds would lie beyond the year 5138.
pub(super) fn epoch(count: i64) -> Option<Timestamp> {
    if count.unsigned_abs() >= 100_000_000_000 {
        Timestamp::from_millisecond(count).ok()
    } else {
        Timestamp::from_second(count).ok()
    }
}

/// `last_refresh` as chrono's lenient RFC 3339 takes it. A year beyond 9998 counts as 9998, where
/// jiff's range ends.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    let mut scan = Scan(text.trim_start());
    let sign = scan.sign();
    let year = scan.number(if sign.is_some() { 6 } else { 4 })?;
    let month = scan.after('-')?.number(2)?;
    let day = scan.after('-')?.number(2)?;
    scan.separator()?;
    let hour = scan.number(2)?;
    let minute = scan.after(':')?.number(2)?;
    let second = scan.after(':')?.number(2)?;
    let nanosecond = scan.fraction()?;
    let offset = scan.offset()?;
    if !scan.0.trim_start().is_empty() || year > 262_142 || second > 60 {
        return None;
    }
    let year = if sign == Some('+') || sign.is_none() { year.min(9998) } else { -year.min(9998) };
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second.min(59)).ok()?,
        nanosecond,
    );
    Offset::UTC.to_timestamp(civil.ok()?).ok()?.checked_sub(SignedDuration::from_mins(offset)).ok()
}

/// What is left to read.
struct Scan<'a>(&'a str);

impl Scan<'_> {
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let first = self.0.chars().next().filter(|first| wanted(*first))?;
        self.0 = self.0.get(first.len_utf8()..)?;
        Some(first)
    }

    fn sign(&mut self) -> Option<char> {
        self.take(|c| c == '+' || c == '-')
    }

    /// After blanks, at least one digit and at most `digits` of them.
    fn number(&mut self, digits: usize) -> Option<i32> {
        self.0 = self.0.trim_start();
        let length = self.0.bytes().take(digits).take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        number.parse().ok()
    }

    fn after(&mut self, literal: char) -> Option<&mut Self> {
        self.0 = self.0.trim_start();
        self.take(|c| c == literal)?;
        Some(self)
    }

    fn separator(&mut self) -> Option<char> {
        self.take(|c| c == 'T' || c == 't' || c.is_whitespace())
    }

    /// Nanoseconds; further digits are dropped.
    fn fraction(&mut self) -> Option<i32> {
        if self.take(|c| c == '.').is_none() {
            return Some(0);
        }
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let kept = digits.get(..9).unwrap_or(digits);
        let scale = 10_i32.checked_pow(u32::try_from(9 - kept.len()).ok()?)?;
        kept.parse::<i32>().ok()?.checked_mul(scale)
    }

    /// Minutes east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        self.0 = self.0.trim_start();
        if self.take(|c| c == 'Z' || c == 'z').is_some() {
            return Some(0);
        }
        if let Some((word, rest)) = self.0.split_at_checked(3)
            && word.eq_ignore_ascii_case("utc")
        {
            self.0 = rest;
            return Some(0);
        }
        let sign = self.take(|c| matches!(c, '+' | '-' | '\u{2212}'))?;
        let hours = self.two_digits()?;
        self.0 = self.0.trim_start_matches(|c: char| c == ':' || c.is_whitespace());
        let minutes = self.two_digits()?;
        let total = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
        Some(if sign == '+' { total } else { -total })
    }

    fn two_digits(&mut self) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(2)?;
        self.0 = rest;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(
                rfc3339(text).map(|time| time.to_string()).as_deref(),
                *expected,
                "{text:?}"
            );
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
        for jwt in [
            format!(".{claims}.s"),
            format!("h.{claims}."),
            format!("h.{claims}"),
            "h..s".to_owned(),
        ] {
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
}
