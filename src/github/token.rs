//! Where a token for the API comes from: variables first, then `gh`, then Coder. Each program
//! runs only when the sources before it have no token.

use std::sync::OnceLock;
use std::time::Duration;

use secrecy::SecretString;

use super::{Api, Forge};
use crate::env::Env;
use crate::http::{Credential, Origin};
use crate::process::{self, Program};
use crate::secret::ApiToken;
use crate::settings::ApiTokens;
use crate::variables;

/// gh may read a keyring; coder sends a request to its server.
const GH: Duration = Duration::from_secs(5);
const CODER: Duration = Duration::from_secs(10);

enum From {
    Given,
    Gh { host: String },
    Coder { id: String },
}

struct Slot {
    from: From,
    found: OnceLock<Option<TokenSource>>,
}

/// A source that has a token.
pub struct TokenSource {
    pub via: String,
    pub credential: Credential,
    pub(super) index: usize,
}

/// How a user declares that a host is theirs.
pub fn trust(host: &str) -> String {
    format!(
        "if it is your GitHub Enterprise Server, set {}={host} or {}",
        variables::GH_HOST,
        variables::GITHUB_API_URL
    )
}

/// All sources for one host, in their order.
pub struct Sources<'a> {
    env: &'a Env,
    slots: Vec<Slot>,
    /// Why tokens are not used. Contains no token.
    pub warnings: Vec<String>,
}

impl<'a> Sources<'a> {
    /// `host` is the repository's. Tokens are sent to the origin of its `api` alone, and only
    /// where that is trusted: otherwise no source is read.
    pub fn new(env: &'a Env, api: &Api, host: &str, given: ApiTokens) -> Self {
        let (forge, origin) = (api.forge, api.url.origin());
        let withheld = if !api.trusted {
            Some(format!(
                "no token is sent to `{host}`: only the remote of a clone names this host; {}",
                trust(host)
            ))
        } else if !origin.is_confidential() {
            Some("no token is sent over plain http to another machine: use an https URL".to_owned())
        } else {
            None
        };
        if withheld.is_some() {
            let warnings = given.warnings.into_iter().chain(withheld).collect();
            return Self { env, slots: Vec::new(), warnings };
        }
        let mut slots: Vec<Slot> = Vec::new();
        for (index, token) in given.tokens.into_iter().enumerate() {
            let credential = Credential { token: token.value, origin: origin.clone() };
            let source = TokenSource { via: token.via.to_string(), credential, index };
            slots.push(Slot { from: From::Given, found: OnceLock::from(Some(source)) });
        }
        slots.push(Slot { from: From::Gh { host: host.to_owned() }, found: OnceLock::new() });
        // the default id is for github.com; for another server a variable must name one
        let id = env.text(variables::EXTERNAL_AUTH_ID);
        if let Some(id) = id.or_else(|| (forge == Forge::Cloud).then(|| "github".to_owned())) {
            slots.push(Slot { from: From::Coder { id }, found: OnceLock::new() });
        }
        Self { env, slots, warnings: given.warnings }
    }

    /// The first source from `index` on that has a token.
    pub(super) fn get(&self, index: usize, origin: &Origin) -> Option<&TokenSource> {
        self.slots.iter().enumerate().skip(index).find_map(|(index, slot)| {
            slot.found.get_or_init(|| self.ask(&slot.from, index, origin)).as_ref()
        })
    }

    fn ask(&self, from: &From, index: usize, origin: &Origin) -> Option<TokenSource> {
        let (command, deadline, via) = match from {
            From::Given => return None,
            From::Gh { host } => {
                let mut command = process::command_in(Program::Gh, self.env);
                command.args(["auth", "token", "--hostname", host]);
                (command, GH, "`gh auth token`".to_owned())
            }
            From::Coder { id } => {
                let mut command = process::command_in(Program::Coder, self.env);
                command.args(["external-auth", "access-token", id]);
                (command, CODER, "`coder external-auth access-token`".to_owned())
            }
        };
        // where the account is not linked, coder prints a login URL and fails: the status decides,
        // because a URL is not a token
        let output =
            process::run(command, deadline).ok().filter(|output| output.status.success())?;
        let token = ApiToken::parse(&SecretString::from(output.stdout)).ok()?.value;
        Some(TokenSource { via, credential: Credential { token, origin: origin.clone() }, index })
    }
}
