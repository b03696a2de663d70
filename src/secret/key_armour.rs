//! The BEGIN and END lines of a private key, and what is between them, however it was mangled.

use zeroize::Zeroizing;

use super::Defect;
use super::key_outline::{
    ED25519_TO_OPENSSH, GIVE_PRIVATE, GIVE_WHOLE, MAGIC, NEW_KEY, TO_OPENSSH, encrypted, malformed,
    refuse,
};
use super::text::{Repairs, decode_base64, gather};
use crate::catalogue::Code;

/// The one private key between BEGIN and END.
pub(super) struct Armour<'a> {
    label: &'a str,
    body: &'a str,
    /// Other text stands before or after it.
    accompanied: bool,
}

impl<'a> Armour<'a> {
    /// None: no BEGIN line. An error: BEGIN lines, but not of exactly one whole private key in
    /// OpenSSH's form.
    pub(super) fn find(text: &'a str) -> Result<Option<Self>, Defect> {
        let mut parts = text.split("BEGIN ");
        let mut before = parts.next().unwrap_or_default();
        let mut armours = Vec::new();
        let mut others = Vec::new();
        for part in parts {
            let dashed = before.trim_end_matches(' ').ends_with(is_dash);
            let label = part
                .split(|c: char| is_dash(c) || c.is_control())
                .next()
                .unwrap_or_default()
                .trim();
            if dashed && label.contains("PRIVATE KEY") {
                armours.push((before, label, part));
            } else if dashed {
                others.push(label);
            }
            before = part;
        }
        let (before, label, part) = match armours.as_slice() {
            [] if others.iter().any(|label| label.contains("PUBLIC KEY")) => {
                return malformed("a public key", GIVE_PRIVATE);
            }
            [] if others.iter().any(|label| label.contains("CERTIFICATE")) => {
                return malformed("a certificate, not a private key", GIVE_PRIVATE);
            }
            [] if !others.is_empty() => {
                return malformed("a block of another kind than a private key", GIVE_WHOLE);
            }
            [] if text.contains("END OPENSSH PRIVATE KEY") => {
                return malformed("the BEGIN line is missing", GIVE_WHOLE);
            }
            [] => return Ok(None),
            [armour] => *armour,
            _ => {
                return malformed(
                    "more than one private key in it",
                    "give one key for each repository",
                );
            }
        };
        container(label, part)?;
        let rest = part.split_once(label).map_or("", |(_, rest)| rest).trim_start_matches(is_dash);
        // By its dashes: a line of the body may end in END.
        let Some((body, end)) = rest
            .match_indices("END ")
            .filter_map(|(at, marker)| Some((rest.get(..at)?, rest.get(at + marker.len()..)?)))
            .find(|(body, _)| body.ends_with(is_dash))
        else {
            return malformed("it is truncated: the END line is missing", GIVE_WHOLE);
        };
        let Some(after) = end.strip_prefix(label) else {
            return malformed("the BEGIN and END lines name different things", GIVE_WHOLE);
        };
        let beside =
            |side: &str| !side.trim_matches(|c: char| is_dash(c) || c.is_whitespace()).is_empty();
        Ok(Some(Self {
            label,
            body: body.trim_end_matches(is_dash),
            accompanied: beside(before) || beside(after) || !others.is_empty(),
        }))
    }

    pub(super) fn decode(
        &self,
        text: &str,
        repairs: &mut Repairs,
    ) -> Result<Zeroizing<Vec<u8>>, Defect> {
        let begin = format!("-----BEGIN {}-----", self.label);
        let end = format!("-----END {}-----", self.label);
        repairs.note_if(
            !text.contains(&begin) || !text.contains(&end),
            "dashes of the BEGIN and END lines",
        );
        repairs.note_if(self.accompanied, "other text around it");
        self.layout(text, repairs);
        let body = gather(self.body.len(), self.body.chars().filter(|c| !c.is_whitespace()));
        if body.contains(['*', '\u{2026}', '.']) {
            return malformed("it is a masked or shortened copy", GIVE_WHOLE);
        }
        if body.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/' | '=')) {
            return malformed("it holds characters that no key holds", GIVE_WHOLE);
        }
        match decode_base64(&body) {
            Some(bytes) if bytes.starts_with(MAGIC) => Ok(bytes),
            Some(bytes) if MAGIC.starts_with(&bytes) => {
                malformed("it is truncated: nothing is in it", GIVE_WHOLE)
            }
            Some(_) => {
                malformed("it is damaged: the content does not begin as OpenSSH's does", GIVE_WHOLE)
            }
            None => malformed("it is truncated or damaged: characters are missing", GIVE_WHOLE),
        }
    }

    /// Names how the lines differ from what `ssh-keygen` writes.
    fn layout(&self, text: &str, repairs: &mut Repairs) {
        let crlf = text.contains("\r\n");
        repairs.note_if(crlf, "CRLF line ends");
        repairs.note_if(!crlf && text.contains('\r'), "CR line ends");
        let mut lines: Vec<&str> = self.body.split(['\n', '\r']).collect();
        let own_line = lines.len() > 2;
        // What follows BEGIN and what precedes END is the rest of those lines.
        let (first, last) =
            (lines.first().copied().unwrap_or_default(), lines.last().copied().unwrap_or_default());
        let indented_end = own_line && !last.is_empty() && last.trim().is_empty();
        let trailing_begin = own_line && !first.is_empty() && first.trim().is_empty();
        lines.retain(|line| !line.trim().is_empty());
        let indented = |line: &&str| line.starts_with(char::is_whitespace);
        repairs.note_if(own_line && (indented_end || lines.iter().any(indented)), "indentation");
        let trailing = |line: &&str| line.ends_with(char::is_whitespace);
        repairs.note_if(
            own_line && (trailing_begin || lines.iter().any(trailing)),
            "blanks at line ends",
        );
        let blanks = |line: &&str| line.trim().contains(char::is_whitespace);
        let spaced = lines.iter().any(blanks);
        repairs.note_if(spaced, "blanks for line ends");
        repairs.note_if(!spaced && lines.len() < 2, "line ends missing");
    }
}

/// The containers other than OpenSSH's, by their label (RFC 7468) and headers (RFC 1421).
fn container(label: &str, part: &str) -> Result<(), Defect> {
    if label == "OPENSSH PRIVATE KEY" {
        return Ok(());
    }
    if label == "ENCRYPTED PRIVATE KEY"
        || label.contains("SSH2 ENCRYPTED")
        || part.contains("4,ENCRYPTED")
    {
        return encrypted();
    }
    let unsupported = |reason, hint| refuse(Code::KeyFormatUnsupported, reason, hint);
    match label {
        "RSA PRIVATE KEY" => unsupported("an RSA key in PKCS#1 form, not OpenSSH's", TO_OPENSSH),
        "EC PRIVATE KEY" => unsupported("an EC key in SEC1 form, not OpenSSH's", TO_OPENSSH),
        "DSA PRIVATE KEY" => refuse(Code::KeyWeak, "a DSA key", NEW_KEY),
        "PRIVATE KEY" if pkcs8_ed25519(part) => {
            unsupported("an Ed25519 key in PKCS#8 form, not OpenSSH's", ED25519_TO_OPENSSH)
        }
        "PRIVATE KEY" => unsupported("a key in PKCS#8 form, not OpenSSH's", TO_OPENSSH),
        _ if label.contains("PGP") => unsupported("a PGP key, which is no SSH key", NEW_KEY),
        _ => unsupported("a private key in another form than OpenSSH's", TO_OPENSSH),
    }
}

/// RFC 8410: the object identifier 1.3.101.112, DER-encoded.
fn pkcs8_ed25519(part: &str) -> bool {
    let body = part.trim_start_matches("PRIVATE KEY").trim_start_matches(is_dash);
    let body = body.split(is_dash).next().unwrap_or_default();
    decode_base64(body)
        .is_some_and(|der| der.windows(5).any(|window| window == [6, 3, 0x2b, 0x65, 0x70]))
}

/// Hyphens, and what word processors make of two or three of them.
fn is_dash(character: char) -> bool {
    matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}
