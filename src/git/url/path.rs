//! The grammar of hosts, users and paths: an allow-list, so that no foreign byte gets into a
//! command or a file.

use super::Problem;

/// What a name may contain in addition to letters and digits. `%` only as `%20`, which Azure has in its
/// names.
const NAME_MARKS: &[u8] = b"._-+%";

/// Every byte that can continue a name: what an `insteadOf` prefix must be guarded against.
pub(super) fn name_bytes() -> impl Iterator<Item = char> {
    (b'0'..=b'9')
        .chain(b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(NAME_MARKS.iter().copied())
        .map(char::from)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || NAME_MARKS.contains(&byte)
}

/// A host in lower case, without the dot of the DNS root.
pub(super) fn host(raw: &str) -> Result<String, Problem> {
    let host = raw.strip_suffix('.').unwrap_or(raw).to_ascii_lowercase();
    if raw.is_empty() {
        return Err(Problem::HostMissing);
    }
    if !host.is_ascii() {
        return Err(Problem::LookalikeHost);
    }
    if host.len() > 253 {
        return Err(Problem::BadHost);
    }
    for label in host.split('.') {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if label.starts_with('-') {
            return Err(Problem::LeadingDash);
        }
        if label.is_empty() || label.len() > 63 || label.ends_with('-') || !plain {
            return Err(Problem::BadHost);
        }
        if label.starts_with("xn--") {
            return Err(Problem::LookalikeHost);
        }
    }
    Ok(host)
}

/// A user that ssh can be given: no option, no password, no token.
pub(super) fn user(raw: &str) -> Result<&str, Problem> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if raw.starts_with('-') {
        return Err(Problem::LeadingDash);
    }
    if raw.is_empty() || !plain || super::redact::is_secret_user(raw) {
        return Err(Problem::BadUser);
    }
    Ok(raw)
}

/// The path in an ssh command: `/o/r`, `~/o/r` and `/~/o/r` are all `o/r` to a forge.
pub(super) fn of_ssh(raw: &str) -> Result<String, Problem> {
    let path = raw.strip_prefix('/').unwrap_or(raw);
    checked(path.strip_prefix("~/").unwrap_or(path))
}

/// The path of an HTTP or git URL.
pub(super) fn of_web(raw: &str) -> Result<String, Problem> {
    checked(raw.strip_prefix('/').unwrap_or(raw))
}

/// The path less its final `/` and `.git`, every name of it checked.
fn checked(path: &str) -> Result<String, Problem> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.is_empty() {
        return Err(Problem::PathMissing);
    }
    if path.strip_suffix(".git").is_some() {
        return Err(Problem::SuffixTwice);
    }
    // git decodes `%20` in ssh:// URLs, but neither in scp-like ones nor over HTTPS
    let path = path.replace(' ', "%20");
    // `~` can only stand where a server expands it
    path.strip_prefix('~').unwrap_or(&path).split('/').try_for_each(name)?;
    Ok(path)
}

fn name(name: &str) -> Result<(), Problem> {
    match name {
        "" => Err(Problem::EmptyName),
        "." | ".." => Err(Problem::DotName),
        _ if name.starts_with('-') => Err(Problem::LeadingDash),
        _ if name.replace("%20", "").contains('%') => Err(Problem::PercentEscape),
        _ if !name.bytes().all(is_name_byte) => Err(Problem::BadCharacter),
        _ => Ok(()),
    }
}

/// Undoes the escapes of bytes that need none (RFC 3986 §2.3), as servers do; never `.`, and `/`
/// needs its escape.
pub(super) fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).map(char::from);
        if let Some(c) = byte.filter(|c| c.is_ascii_alphanumeric() || "-_~".contains(*c)) {
            decoded.push(c);
            rest = after.get(2..).unwrap_or_default();
        } else {
            decoded.push('%');
            rest = after;
        }
    }
    decoded + rest
}
