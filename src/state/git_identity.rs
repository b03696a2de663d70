//! Who commits, as configured: written where git has none from elsewhere.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GitIdentity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl GitIdentity {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A part that is set is authoritative; one that is not changes nothing.
    pub fn set(&mut self, by: &Self) {
        for (part, set) in [(&mut self.name, &by.name), (&mut self.email, &by.email)] {
            if set.is_some() {
                part.clone_from(set);
            }
        }
    }
}
