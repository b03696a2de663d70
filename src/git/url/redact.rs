//! What of a URL may be printed. Errs on the side of hiding: a password may contain `/` and `@`,
//! and a text need not parse.

/// A longer text is not a URL that someone typed, but may be a pasted key.
const LONGEST_SHOWN: usize = 256;
/// GitHub logins have 39 characters at most; tokens of Azure 52 or 84, old ones of GitHub 40.
const LONGEST_USER: usize = 39;
const HIDDEN: &str = "***";

/// How tokens of git hosts, and of the agents that we provision, begin.
const TOKEN_PREFIXES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glcbt-",
    "ATBB",
    "ATCTT",
    "ATATT",
    "hf_",
    "sk-",
];
/// How Codex's tokens begin: words may begin so too, but have no digit.
const SHORT_PREFIXES: &[&str] = &["at-", "rt_"];

/// git's `is_urlschemechar`, without the rule for the first character.
pub(super) fn is_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+-.".contains(c)
}

/// Any text in a form that is safe to print: no userinfo but a plain user name, no token, nothing
/// invisible.
pub fn redact(text: &str) -> String {
    if text.len() > LONGEST_SHOWN || text.contains(char::is_control) {
        return format!("<{} bytes, not shown>", text.len());
    }
    let Parts { scheme, userinfo, rest } = split(text);
    let userinfo = match userinfo {
        Some(user) if is_plain(user) => format!("{user}@"),
        Some(_) => format!("{HIDDEN}@"),
        None => String::new(),
    };
    let rest = match rest.split_once(['?', '#']) {
        Some((before, _)) => format!("{}?{HIDDEN}", hide_tokens(before)),
        None => hide_tokens(rest),
    };
    // a Cyrillic letter shows as what it is
    format!("{scheme}{userinfo}{rest}").chars().flat_map(escape).collect()
}

/// Whether a text, which is not a URL, contains a token.
pub fn contains_token(text: &str) -> bool {
    hide_tokens(text) != text
}

/// Whether a password, or a token instead of the user, precedes the host.
pub(super) fn has_credential(text: &str) -> bool {
    let Parts { scheme, userinfo: Some(info), rest } = split(text) else { return false };
    if info.split(|c: char| !is_token(c)).any(is_secret_user) {
        return true;
    }
    match info.split_once(':') {
        // `/` first: the `@` belongs to the path
        Some((user, _)) if user.contains('/') => false,
        Some((_, password)) => match password.split_once('/') {
            _ if password.is_empty() => false,
            // `host:path@tag` has one colon, `user:password@host:path` has two
            _ if scheme.is_empty() => rest.contains(':'),
            // `host:8443/path@tag`
            Some((port, _)) => !port.bytes().all(|byte| byte.is_ascii_digit()),
            None => true,
        },
        None => false,
    }
}

/// The text less its userinfo, where that is a credential.
pub(super) fn without_credential(text: &str) -> String {
    let Parts { scheme, rest, .. } = split(text);
    if has_credential(text) { format!("{scheme}{rest}") } else { text.to_owned() }
}

/// Whether a user name is a token: known by its beginning, or longer than names are.
pub(super) fn is_secret_user(user: &str) -> bool {
    user.len() > LONGEST_USER || is_token_word(user)
}

struct Parts<'a> {
    /// With its `://`; empty where the text has none.
    scheme: &'a str,
    userinfo: Option<&'a str>,
    rest: &'a str,
}

/// Userinfo is everything before the last `@`.
fn split(text: &str) -> Parts<'_> {
    let start = text
        .find("://")
        .filter(|end| text.chars().take(*end).all(is_scheme))
        .map_or(0, |end| end + 3);
    let (scheme, rest) = text.split_at(start);
    match rest.rsplit_once('@') {
        Some((userinfo, rest)) => Parts { scheme, userinfo: Some(userinfo), rest },
        None => Parts { scheme, userinfo: None, rest },
    }
}

/// A user name, or a mail address as Bitbucket Server has it in URLs.
fn is_plain(user: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    user.replace("%40", "").chars().all(plain) && !is_secret_user(user)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_token_word(word: &str) -> bool {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| word.starts_with(prefix));
    let has_digit = || word.bytes().any(|byte| byte.is_ascii_digit());
    let opaque =
        word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()) && has_digit();
    let known =
        word.len() >= 20 && (begins(TOKEN_PREFIXES) || begins(SHORT_PREFIXES) && has_digit());
    opaque || known
}

fn hide_tokens(text: &str) -> String {
    let hide = |piece: &str| {
        let word = piece.trim_end_matches(|c| !is_token(c));
        if is_token_word(word) { piece.replacen(word, HIDDEN, 1) } else { piece.to_owned() }
    };
    text.split_inclusive(|c| !is_token(c)).map(hide).collect()
}

fn escape(c: char) -> Box<dyn Iterator<Item = char>> {
    if c.is_ascii() { Box::new(std::iter::once(c)) } else { Box::new(c.escape_unicode()) }
}
