//! The content of a file.

use std::ops::Deref;

use zeroize::Zeroizing;

use super::place::Kind;

/// Content that is overwritten in memory when it is dropped, unless no secret can be in it: git's
/// rules for many keys have some hundred kilobytes.
#[derive(Clone, Debug)]
pub enum Bytes {
    Secret(Zeroizing<Vec<u8>>),
    Public(Vec<u8>),
}

impl Bytes {
    /// The content of a file of this kind. A shared file may hold what its user put there.
    pub fn of(kind: Kind, bytes: Vec<u8>) -> Self {
        match kind {
            Kind::Own => Self::Public(bytes),
            Kind::Secret | Kind::Shared => bytes.into(),
        }
    }

    pub(super) fn as_mut(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Secret(bytes) => bytes,
            Self::Public(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Secret(bytes.into())
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Secret(bytes) => bytes,
            Self::Public(bytes) => bytes,
        }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_of_our_own_without_secrets_is_public() {
        for (kind, is_public) in [(Kind::Own, true), (Kind::Secret, false), (Kind::Shared, false)] {
            let bytes = Bytes::of(kind, b"content".to_vec());
            assert_eq!(matches!(bytes, Bytes::Public(_)), is_public, "{kind:?}");
        }
        assert!(matches!(Bytes::from(b"content".to_vec()), Bytes::Secret(_)));
    }
}
