//! OpenSSH's container of private keys, as far as it can be read without its passphrase (PROTOCOL.key).

use super::Defect;
use crate::catalogue::Code;

/// First bytes of the container.
pub(super) const MAGIC: &[u8] = b"openssh-key-v1\0";

pub(super) const GIVE_WHOLE: &str =
    "give the whole file that `ssh-keygen -t ed25519` wrote, from BEGIN to END";
pub(super) const GIVE_PRIVATE: &str = "give the private key: the file without `.pub`";
pub(super) const TO_OPENSSH: &str = "rewrite it with `ssh-keygen -p -N '' -f KEY`, or in Terraform use `tls_private_key.x.private_key_openssh`";
pub(super) const ED25519_TO_OPENSSH: &str = "in Terraform use `tls_private_key.x.private_key_openssh`; else make a new one with `ssh-keygen -t ed25519`, \
     since OpenSSH before 10 cannot read this one either";
pub(super) const NEW_KEY: &str = "make a new one with `ssh-keygen -t ed25519 -N '' -f KEY`";

pub(super) fn refuse<T>(code: Code, reason: &'static str, hint: &'static str) -> Result<T, Defect> {
    Err(Defect::new(code, reason, hint))
}

pub(super) fn malformed<T>(reason: &'static str, hint: &'static str) -> Result<T, Defect> {
    refuse(Code::KeyMalformed, reason, hint)
}

pub(super) fn encrypted<T>() -> Result<T, Defect> {
    refuse(
        Code::KeyEncrypted,
        "it is protected by a passphrase, which nobody can type here",
        "remove the passphrase with `ssh-keygen -p -N '' -f KEY`, or make a new key for this purpose",
    )
}

/// The readable outside of OpenSSH's container (PROTOCOL.key).
pub(super) struct Outline<'a> {
    cipher: &'a [u8],
    keys: u32,
    algorithm: &'a [u8],
    /// Bytes after the private part; an authenticated cipher puts its tag there.
    trailing: usize,
}

impl<'a> Outline<'a> {
    /// None: it ends too early.
    pub(super) fn read(blob: &'a [u8]) -> Option<Self> {
        let mut rest = blob.strip_prefix(MAGIC)?;
        let cipher = field(&mut rest)?;
        let (_kdf, _options) = (field(&mut rest)?, field(&mut rest)?);
        let (keys, tail) = rest.split_first_chunk()?;
        rest = tail;
        let mut public = field(&mut rest)?;
        let keys = u32::from_be_bytes(*keys);
        if keys == 1 {
            field(&mut rest)?;
        }
        Some(Self { cipher, keys, algorithm: field(&mut public)?, trailing: rest.len() })
    }

    pub(super) fn judge(&self) -> Result<(), Defect> {
        if self.cipher != b"none" {
            return encrypted();
        }
        if self.keys != 1 {
            return malformed("more than one private key in it", "give one key for each repository");
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
                return malformed("a certificate stands in place of its public key", GIVE_WHOLE);
            }
            _ => {
                return refuse(
                    Code::KeyFormatUnsupported,
                    "a key of a kind that git hosts do not take",
                    NEW_KEY,
                );
            }
        }
        if self.trailing != 0 {
            return malformed("it is damaged: there is more in it than one key", GIVE_WHOLE);
        }
        Ok(())
    }
}

/// A string of RFC 4251 §5: length, then bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk()?;
    let (field, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = tail;
    Some(field)
}
