//! The tokens for GitHub's API that stand in variables.

use std::collections::BTreeMap;

use super::{FoundSecret, Reader, SecretKind, Sourced};
use crate::catalogue::Code;
use crate::env::Env;
use crate::home::Home;
use crate::secret::ApiToken;
use crate::state::subject::Subject;
use crate::state::via::{SecretOrigin, Via};
use crate::variables;

/// In the order in which they are tried, and what there is to tell about those that cannot be used.
#[derive(Debug, Default)]
pub struct ApiTokens {
    pub tokens: Vec<Sourced<ApiToken>>,
    pub warnings: Vec<String>,
}

impl ApiTokens {
    /// `enterprise`: for a GitHub Enterprise Server, for which gh has variables of its own; it
    /// never sends GH_TOKEN there (go-gh, pkg/auth).
    pub fn read(env: &Env, home: &Home, enterprise: bool) -> Self {
        let mut reader = Reader::new(env, home, BTreeMap::new());
        let wanted = SecretKind {
            item: Subject::GithubToken,
            repository: None,
            names: &[variables::GITHUB_TOKEN],
            seed: None,
            fallback: &[],
            malformed: Code::ActionsNoToken,
        };
        let mut found: Vec<_> = reader.first(&wanted).into_iter().collect();
        let theirs = if enterprise {
            [variables::GH_ENTERPRISE_TOKEN, variables::GITHUB_ENTERPRISE_TOKEN]
        } else {
            [variables::GH_TOKEN, variables::PLAIN_GITHUB_TOKEN]
        };
        for name in theirs {
            if let Some(text) = env.text(name) {
                found.push(FoundSecret {
                    text: text.into(),
                    origin: SecretOrigin::Variable,
                    via: Via::variable(name),
                });
            }
        }
        let tokens = found
            .into_iter()
            .filter_map(|found| reader.check(&Subject::GithubToken, None, found, ApiToken::parse))
            .collect();
        let refused = reader
            .settings
            .refused
            .into_iter()
            .map(|item| format!("{}: {}", item.item, item.finding.summary));
        let warnings = reader.settings.warnings.into_iter().chain(refused).collect();
        Self { tokens, warnings }
    }
}
