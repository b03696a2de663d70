//! OpenSSH's container of private keys, as far as it can be read without its passphrase
//! (PROTOCOL.key).

use crate::catalogue::{Code, Finding};
use crate::secret::finding;

/// First bytes of the container.
pub(super) const MAGIC: &[u8] = b"openssh-key-v1\0";

pub(super) const GIVE_WHOLE: &str =
    "give the whole file that `ssh-keygen -t ed25519` wrote, from BEGIN to END";
pub(super) const GIVE_PRIVATE: &str = "give the private key: the file without `.pub`";
pub(super) const TO_OPENSSH: &str = "rewrite it with `ssh-keygen -p -N '' -f KEY`, or in Terraform use `tls_private_key.x.private_key_openssh`";
pub(super) const ED25519_TO_OPENSSH: &str = "in Terraform use `tls_private_key.x.private_key_openssh`; else make a new one with `ssh-keygen -t ed25519`, \
     since OpenSSH before 10 cannot read this one either";
pub(super) const NEW_KEY: &str = "make a new one with `ssh-keygen -t ed25519 -N '' -f KEY`";

pub(super) fn refuse<T>(
    code: Code,
    reason: &'static str,
    hint: &'static str,
) -> Result<T, Finding> {
    Err(finding(code, reason, hint))
}

pub(super) fn malformed<T>(reason: &'static str, hint: &'static str) -> Result<T, Finding> {
    refuse(Code::KeyMalformed, reason, hint)
}

pub(super) fn encrypted<T>() -> Result<T, Finding> {
    refuse(
        Code::KeyEncrypted,
        "it is protected by a passphrase, and pushready cannot prompt for it",
        "remove the passphrase with `ssh-keygen -p -N '' -f KEY`, or make a new key for this purpose",
    )
}

/// The parts of OpenSSH's container (PROTOCOL.key).
pub(super) struct Outline<'a> {
    cipher: &'a [u8],
    keys: u32,
    algorithm: &'a [u8],
    /// As on the wire (RFC 4253 §6.6).
    pub(super) public: &'a [u8],
    private: &'a [u8],
    /// Bytes after the private part; an authenticated cipher puts its tag there.
    trailing: usize,
}

impl<'a> Outline<'a> {
    /// None: it ends too early.
    pub(super) fn read(blob: &'a [u8]) -> Option<Self> {
        let mut rest = blob.strip_prefix(MAGIC)?;
        let cipher = field(&mut rest)?;
        let (_kdf, _options) = (field(&mut rest)?, field(&mut rest)?);
        let keys = number(&mut rest)?;
        let public = field(&mut rest)?;
        let private = if keys == 1 { field(&mut rest)? } else { &[] };
        let algorithm = field(&mut { public })?;
        Some(Self { cipher, keys, algorithm, public, private, trailing: rest.len() })
    }

    pub(super) fn judge(&self) -> Result<(), Finding> {
        if self.cipher != b"none" {
            return encrypted();
        }
        if self.keys != 1 {
            return malformed(
                "more than one private key in it",
                "give one key for each repository",
            );
        }
        match self.algorithm {
            b"ssh-ed25519"
            | b"ssh-rsa"
            | b"ecdsa-sha2-nistp256"
            | b"ecdsa-sha2-nistp384"
            | b"ecdsa-sha2-nistp521" => {}
            b"ssh-dss" => return refuse(Code::KeyWeak, "a DSA key", NEW_KEY),
            name if name.starts_with(b"sk-") => {
                return refuse(
                    Code::KeyFormatUnsupported,
                    "a FIDO security key (sk), which needs its token and a touch",
                    NEW_KEY,
                );
            }
            name if name.windows(9).any(|window| window == b"-cert-v01") => {
                return malformed(
                    "it contains a certificate instead of its public key",
                    GIVE_WHOLE,
                );
            }
            _ => {
                return refuse(
                    Code::KeyFormatUnsupported,
                    "a key of a kind that git hosts do not accept",
                    NEW_KEY,
                );
            }
        }
        if self.trailing != 0 {
            return malformed("it is damaged: it contains more than one key", GIVE_WHOLE);
        }
        Ok(())
    }

    /// What OpenSSH checks in a private part that is not encrypted (sshkey.c: private2_decrypt,
    /// parse_private2): whole blocks of 8, equal check integers, the public key again, padding
    /// that counts up. None: one of them fails.
    pub(super) fn is_consistent(&self) -> Option<()> {
        let mut rest = self.private;
        let blocks = !rest.is_empty() && rest.len().is_multiple_of(8);
        let same = number(&mut rest)? == number(&mut rest)?;
        let name = field(&mut rest)?;
        let mut public = self.public;
        field(&mut public)?;
        let mut both = || Some((field(&mut rest)?, field(&mut public)?));
        let matches = match name {
            b"ssh-ed25519" => {
                let (inner, outer) = both()?;
                let halves = field(&mut rest)?;
                inner == outer && halves.len() == 64 && halves.ends_with(outer)
            }
            b"ssh-rsa" => {
                // The public key has the exponent first, the private part the modulus.
                let (modulus, exponent) = (field(&mut rest)?, field(&mut rest)?);
                let outer = (field(&mut public)?, field(&mut public)?);
                for _ in ["d", "iqmp", "p", "q"] {
                    field(&mut rest)?;
                }
                (exponent, modulus) == outer
            }
            _ => {
                let ((inner_curve, outer_curve), (inner_point, outer_point)) = (both()?, both()?);
                let scalar = field(&mut rest)?;
                inner_curve == outer_curve && inner_point == outer_point && !scalar.is_empty()
            }
        };
        let _comment = field(&mut rest)?;
        let padded = rest.iter().zip(1_u8..).all(|(byte, count)| *byte == count);
        (blocks && same && name == self.algorithm && matches && padded && rest.len() < 256)
            .then_some(())
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(u32::from_be_bytes(*number))
}

/// A string of RFC 4251 §5: length, then bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    let (field, tail) = rest.split_at_checked(length as usize)?;
    *rest = tail;
    Some(field)
}
