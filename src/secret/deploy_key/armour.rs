//! The BEGIN and END lines of a private key, and what is between them, however it was mangled.

use zeroize::Zeroizing;

use super::outline::{
    ED25519_TO_OPENSSH, GIVE_PRIVATE, GIVE_WHOLE, MAGIC, NEW_KEY, TO_OPENSSH, encrypted, malformed,
    refuse,
};
use crate::catalogue::{Code, Finding};
use crate::secret::text::{Repairs, decode_base64, gather};

/// The one private key between BEGIN and END.
pub(super) struct Armour<'a> {
    label: &'a str,
    body: &'a str,
    /// Other text is before or after it.
    accompanied: bool,
}

impl<'a> Armour<'a> {
    /// None: no BEGIN line. An error: BEGIN lines, but not of exactly one whole private key in
    /// OpenSSH's form.
    pub(super) fn find(text: &'a str) -> Result<Option<Self>, Finding> {
        let mut parts = text.split("BEGIN ");
        let mut before = parts.next().unwrap_or_default();
        let mut armours = Vec::new();
        let mut others = Vec::new();
        for part in parts {
            let dashed = before.trim_end_matches(' ').ends_with('-');
            let label =
                part.split(|c: char| c == '-' || c.is_control()).next().unwrap_or_default().trim();
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
        let rest = part.split_once(label).map_or("", |(_, rest)| rest).trim_start_matches('-');
        // By its dashes: a line of the body may end in END.
        let Some((body, end)) = rest
            .match_indices("END ")
            .filter_map(|(at, marker)| Some((rest.get(..at)?, rest.get(at + marker.len()..)?)))
            .find(|(body, _)| body.ends_with('-'))
        else {
            return malformed("it is truncated: the END line is missing", GIVE_WHOLE);
        };
        let Some(after) = end.strip_prefix(label) else {
            return malformed("the BEGIN and END lines name different things", GIVE_WHOLE);
        };
        let beside =
            |side: &str| !side.trim_matches(|c: char| c == '-' || c.is_whitespace()).is_empty();
        Ok(Some(Self {
            label,
            body: body.trim_end_matches('-'),
            accompanied: beside(before) || beside(after) || !others.is_empty(),
        }))
    }

    pub(super) fn decode(
        &self,
        text: &str,
        repairs: &mut Repairs,
    ) -> Result<Zeroizing<Vec<u8>>, Finding> {
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
            return malformed("it contains characters that are not allowed in a key", GIVE_WHOLE);
        }
        match decode_base64(&body) {
            Some(bytes) if bytes.starts_with(MAGIC) => Ok(bytes),
            Some(bytes) if MAGIC.starts_with(&bytes) => {
                malformed("it is truncated: it has no content", GIVE_WHOLE)
            }
            Some(_) => malformed("it is damaged: the content is not in OpenSSH's form", GIVE_WHOLE),
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
fn container(label: &str, part: &str) -> Result<(), Finding> {
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
        _ if label.contains("PGP") => unsupported("a PGP key, not an SSH key", NEW_KEY),
        _ => unsupported("a private key in another form than OpenSSH's", TO_OPENSSH),
    }
}

/// RFC 8410: the object identifier 1.3.101.112, DER-encoded.
fn pkcs8_ed25519(part: &str) -> bool {
    let body = part.trim_start_matches("PRIVATE KEY").trim_start_matches('-');
    let body = body.split('-').next().unwrap_or_default();
    decode_base64(body)
        .is_some_and(|der| der.windows(5).any(|window| window == [6, 3, 0x2b, 0x65, 0x70]))
}
