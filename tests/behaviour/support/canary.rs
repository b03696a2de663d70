//! Looks for secrets in what must not hold them, in every encoding in which one could slip through.

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};

/// The encodings of `secret` found in `haystack`, by name.
pub fn find(haystack: &[u8], secret: &str) -> Vec<&'static str> {
    let mut found: Vec<_> = needles(secret)
        .into_iter()
        .filter(|(_, needle)| {
            haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
        })
        .map(|(encoding, _)| encoding)
        .collect();
    found.dedup();
    found
}

#[track_caller]
pub fn assert_absent(place: &str, haystack: impl AsRef<[u8]>, secrets: &[impl AsRef<str>]) {
    for (number, secret) in secrets.iter().enumerate() {
        let found = find(haystack.as_ref(), secret.as_ref());
        assert!(found.is_empty(), "{place} holds secret {number}, encoded as {found:?}");
    }
}

fn needles(secret: &str) -> Vec<(&'static str, String)> {
    // the last line end is often lost on the way
    let secret = secret.trim_end();
    let json = serde_json::to_string(secret).unwrap();
    let digits = secret.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let url = |escape: fn(u8) -> String| -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        secret
            .bytes()
            .map(|byte| if is_plain(byte) { char::from(byte).into() } else { escape(byte) })
            .collect()
    };
    let mut needles = vec![
        ("raw", secret.to_owned()),
        ("JSON", json[1..json.len() - 1].to_owned()),
        ("debug", secret.escape_debug().to_string()),
        ("hex", hex.to_uppercase()),
        ("hex", hex),
        ("url", url(|byte| format!("%{byte:02X}"))),
        ("url", url(|byte| format!("%{byte:02x}"))),
    ];
    for before in 0..3 {
        // what is before and after the secret changes the characters that it shares: those are
        // left off
        let padded = [&vec![0; before][..], secret.as_bytes()].concat();
        let whole = padded.len() * 8 / 6;
        let first = (before * 8).div_ceil(6);
        needles.push(("base64", Base64Unpadded::encode_string(&padded)[first..whole].to_owned()));
        needles.push((
            "base64url",
            Base64UrlUnpadded::encode_string(&padded)[first..whole].to_owned(),
        ));
    }
    // a key may be printed line by line
    let lines = secret
        .lines()
        .filter(|line| line.len() >= 20 && *line != secret && !line.starts_with("-----"));
    needles.extend(lines.map(|line| ("a line", line.to_owned())));
    needles
}
