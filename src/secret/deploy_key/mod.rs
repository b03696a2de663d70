//! An SSH private key that serves unattended: OpenSSH's own container, no passphrase, strong
//! enough.
//!
//! That a parser takes a key does not mean that OpenSSH does, nor the reverse, so the text is
//! normalised here, the container is checked as OpenSSH checks it, and what is handed on is always
//! written anew.

mod armour;
mod outline;

use std::fmt;

use base64ct::{Base64, Encoding};
use secrecy::SecretString;
use ssh_key::{HashAlg, Mpint, PublicKey};
use zeroize::Zeroizing;

use super::text::{Repairs, decode_base64, gather, placeholder, unwrap};
use super::{Checked, finding, reveal};
use crate::catalogue::{Code, Finding};
use armour::Armour;
use outline::{GIVE_PRIVATE, GIVE_WHOLE, MAGIC, NEW_KEY, Outline, TO_OPENSSH, malformed, refuse};

/// An RSA key of 16384 bits, OpenSSH's limit, takes 13 KiB.
const MAX_KEY: usize = 64 << 10;
/// Secret stores wrap once, scripts around them once more.
const MAX_WRAPPINGS: usize = 3;
const MIN_RSA_BITS: usize = 2048;

/// A private key in OpenSSH's text form.
pub struct DeployKey {
    openssh: SecretString,
    fingerprint: String,
    algorithm: String,
}

impl DeployKey {
    /// Repairs and checks one key. A blank value is the caller's to treat as unset.
    pub fn parse(input: &SecretString) -> Result<Checked<Self>, Finding> {
        let input = reveal(input);
        if input.len() > MAX_KEY {
            return malformed(
                "it is longer than 64 KiB",
                "a private key has a few kilobytes: give the key alone",
            );
        }
        if let Some(blob) = canonical(input) {
            let value = Self::check(&blob, || SecretString::from(input))?;
            return Ok(Checked { value, repairs: Vec::new() });
        }
        Self::repaired(input)
    }

    /// One that may be in any other form than ours.
    fn repaired(input: &str) -> Result<Checked<Self>, Finding> {
        let mut repairs = Repairs::default();
        let mut text = clean(input, &mut repairs)?;
        let mut wrappings = 0;
        let blob = loop {
            if let Some(finding) = other_kind(&text) {
                return Err(finding);
            }
            if let Some(armour) = Armour::find(&text)? {
                break armour.decode(&text, &mut repairs)?;
            }
            let Some(bytes) = decode_base64(&text) else {
                return malformed("it contains no BEGIN line of a private key", GIVE_WHOLE);
            };
            if bytes.starts_with(MAGIC) {
                repairs.note("BEGIN and END lines missing");
                break bytes;
            }
            let Some(inner) = wrapped_text(&bytes).filter(|_| wrappings < MAX_WRAPPINGS) else {
                return Err(without_armour(&bytes));
            };
            wrappings += 1;
            repairs.note("base64 wrapping");
            text = clean(inner, &mut repairs)?;
        };
        // Only a key that came as plain text can be said to lack its final newline.
        let plain = input.trim_start().starts_with('-') && !input.contains("\\n");
        repairs.note_if(plain && !input.ends_with(['\n', '\r']), "no final newline");
        let value = Self::check(&blob, || to_openssh(&blob))?;
        Ok(Checked { value, repairs: repairs.into_names() })
    }

    /// The content of the container, judged from the outside in. `openssh`: as [`to_openssh`] writes
    /// it.
    fn check(blob: &[u8], openssh: impl FnOnce() -> SecretString) -> Result<Self, Finding> {
        let Some(outline) = Outline::read(blob) else {
            return malformed("it is truncated: the content ends too early", GIVE_WHOLE);
        };
        outline.judge()?;
        let damaged =
            || finding(Code::KeyMalformed, "it is damaged: its parts do not match", GIVE_WHOLE);
        outline.is_consistent().ok_or_else(damaged)?;
        let public = PublicKey::from_bytes(outline.public).map_err(|_| damaged())?;
        if let Some(rsa) = public.key_data().rsa()
            && bits(&rsa.n) < MIN_RSA_BITS
        {
            return refuse(Code::KeyWeak, "an RSA key below 2048 bits", NEW_KEY);
        }
        Ok(Self {
            openssh: openssh(),
            fingerprint: public.fingerprint(HashAlg::Sha256).to_string(),
            algorithm: public.algorithm().as_str().to_owned(),
        })
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it. Not secret.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// As it is in a public key: `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The content of the key file: canonical, LF, with a final newline.
    pub fn openssh(&self) -> &SecretString {
        &self.openssh
    }
}

impl fmt::Debug for DeployKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployKey").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The container as `ssh-keygen` writes it, in lines of 70 characters.
///
/// Not ssh-key's `PrivateKey`, which refuses every P-521 key in four (its 0.6.7 takes no scalar
/// with leading zeros dropped) and every comment that is not UTF-8.
fn to_openssh(blob: &[u8]) -> SecretString {
    let body = Zeroizing::new(Base64::encode_string(blob));
    let capacity = BEGIN.len() + body.len() + body.len() / LINE + 1 + END.len();
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    text.push_str(BEGIN);
    let mut rest = &**body;
    while !rest.is_empty() {
        let (line, left) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = left;
    }
    text.push_str(END);
    SecretString::from(text.as_str())
}

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
const END: &str = "-----END OPENSSH PRIVATE KEY-----\n";
const LINE: usize = 70;

/// The container in a text that is, byte for byte, as [`to_openssh`] writes it: most keys are, and
/// what is installed is read at each run.
fn canonical(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lines = text.strip_prefix(BEGIN)?.strip_suffix(END)?.strip_suffix('\n')?;
    let mut body = Zeroizing::new(String::with_capacity(lines.len()));
    let mut before = LINE;
    for line in lines.split('\n') {
        // the last one alone may be shorter
        if before != LINE || line.is_empty() || line.len() > LINE {
            return None;
        }
        before = line.len();
        body.push_str(line);
    }
    let mut blob = Zeroizing::new(vec![0; body.len() / 4 * 3]);
    // one text alone is taken for these bytes: with all of its padding, and no bit set beyond them
    let length = Base64::decode(body.as_bytes(), &mut blob).ok()?.len();
    blob.truncate(length);
    blob.starts_with(MAGIC).then_some(blob)
}

/// Length of a modulus; 0 for a negative one.
fn bits(number: &Mpint) -> usize {
    let bytes = number.as_positive_bytes().unwrap_or_default();
    let leading = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
    (bytes.len() * 8).saturating_sub(leading)
}

/// Without wrapping characters, and with real line ends for escaped ones.
fn clean(text: &str, repairs: &mut Repairs) -> Result<Zeroizing<String>, Finding> {
    if text.contains('\0') {
        return malformed("it contains NUL bytes", "save it again as plain UTF-8 text");
    }
    let mut text = unwrap(text, repairs);
    if text.contains(is_non_breaking) {
        repairs.note("no-break spaces");
        text = gather(
            text.len(),
            text.chars().map(|character| if is_non_breaking(character) { ' ' } else { character }),
        );
    }
    // Before backslashes are looked at: a path of Windows has some.
    if let Some(finding) = placeholder(&text, Code::KeyMalformed) {
        return Err(finding);
    }
    if !text.contains('\\') {
        return Ok(text);
    }
    // `\\n` comes from escaping twice, `\/` from serializers that escape slashes; a key holds no
    // backslash of its own.
    repairs.note_if(text.contains("\\n"), "literal \\n");
    repairs.note_if(text.contains("\\/"), "escaped slashes");
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.by_ref().find(|next| *next != '\\') {
            Some('n') => plain.push('\n'),
            Some('r') => {}
            Some('t') => plain.push('\t'),
            Some('/') => plain.push('/'),
            Some('"') => plain.push('"'),
            _ => return malformed("it contains unknown backslash escapes", GIVE_WHOLE),
        }
    }
    Ok(Zeroizing::new(plain.trim().to_owned()))
}

/// What web pages and word processors put for a blank.
fn is_non_breaking(character: char) -> bool {
    matches!(character, '\u{a0}' | '\u{2007}' | '\u{202f}')
}

/// What is not an OpenSSH private key and can be recognised by its first word.
fn other_kind(text: &str) -> Option<Finding> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    let one_line = !text.contains("BEGIN ");
    let (code, summary, fix) = if starts(&["PuTTY-User-Key-File-"]) {
        (
            Code::KeyFormatUnsupported,
            "a PuTTY key (PPK)",
            "convert it with `puttygen KEY.ppk -O private-openssh-new -o KEY`",
        )
    } else if starts(&["{"]) {
        (
            Code::KeyMalformed,
            "a JSON object, not a key",
            "give a map of repositories and keys in PUSHREADY_DEPLOY_KEYS, and here the key alone",
        )
    } else if starts(&["AGE-SECRET-KEY-"]) {
        (Code::KeyFormatUnsupported, "an age key, not an SSH key", NEW_KEY)
    } else if one_line
        && starts(&["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "rsa-sha2-"])
        && text.split_whitespace().next().is_some_and(|word| word.contains("-cert-v01"))
    {
        (Code::KeyMalformed, "an SSH certificate, not a private key", GIVE_PRIVATE)
    } else if one_line && starts(&["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]) {
        (Code::KeyMalformed, "a public key", GIVE_PRIVATE)
    } else if text.len() > 64
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
    {
        (Code::KeyMalformed, "hexadecimal digits, not the key itself", GIVE_WHOLE)
    } else if one_line && starts(&["SHA256:", "MD5:"]) {
        (Code::KeyMalformed, "the fingerprint of a key, not the key", GIVE_WHOLE)
    } else {
        return None;
    };
    Some(finding(code, summary, fix))
}

/// Base64 of text, as opposed to base64 of a binary key.
fn wrapped_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let printable = |character: char| character.is_whitespace() || !character.is_control();
    (text.trim().len() >= 16 && text.chars().all(printable)).then_some(text)
}

/// Base64 without any BEGIN line, which holds no text.
fn without_armour(bytes: &[u8]) -> Finding {
    match bytes {
        // RFC 4253 §6.6: a public key begins with the length of the algorithm's name.
        [0, 0, 0, 7..=64, b's' | b'e' | b'r', ..] => {
            finding(Code::KeyMalformed, "a public key", GIVE_PRIVATE)
        }
        [0x30, ..] => finding(
            Code::KeyFormatUnsupported,
            "a DER key without BEGIN and END lines, not in OpenSSH's form",
            TO_OPENSSH,
        ),
        _ => finding(Code::KeyMalformed, "it contains no private key", GIVE_WHOLE),
    }
}

#[cfg(test)]
mod tests;
