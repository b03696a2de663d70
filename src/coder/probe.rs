//! Which version answers, and which of the two APIs it serves.

use std::cell::OnceCell;
use std::fmt;

use serde_json::Value;

use super::model::{list, text};
use super::{Coder, CoderAnswer};
use crate::error::{Error, Exit, Result};
use crate::text::plain;

/// The two APIs for agents that run in workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKind {
    Tasks,
    /// Coder calls them Agents.
    Chats,
}

impl ApiKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Chats => "chats",
        }
    }
}

impl fmt::Display for ApiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub name: String,
}

/// A server after the login check, with what was found out about it.
pub struct Backend {
    pub coder: Coder,
    pub version: String,
    pub user: User,
    /// What the user wants, if anything.
    wanted: Option<ApiKind>,
    tasks: OnceCell<Option<&'static str>>,
    chats: OnceCell<Option<&'static str>>,
}

impl Backend {
    /// Asks who answers, and who asks.
    pub fn connect(coder: Coder, wanted: Option<ApiKind>) -> Result<Self> {
        let url = coder.url();
        let about = |doing: &str| format!("{doing} `{url}`");
        let info = coder
            .get_openly("/api/v2/buildinfo")
            .map_err(|failure| {
                let may_be_plain = failure.ended_before_tls() && url.starts_with("https://");
                let error = failure.into_error_of_server(about("cannot use the Coder server"));
                if may_be_plain {
                    return error.hint("the server may not speak TLS on this port: if http:// is meant, set CODER_URL so (elsewhere than on loopback it needs --insecure-http); otherwise check the network and the proxy");
                }
                error
            })?;
        let version = text(&info, "version").unwrap_or("unknown").to_owned();
        let user = coder.get("/api/v2/users/me").map_err(|failure| {
            let doing = match failure.status() {
                Some(401) => {
                    format!(
                        "{}, with the token of {}",
                        about("not logged in to"),
                        coder.token_source
                    )
                }
                _ => about("cannot use the Coder server"),
            };
            failure.into_error_of_server(doing)
        })?;
        let user = User {
            id: text(&user, "id").unwrap_or_default().to_owned(),
            name: text(&user, "username").unwrap_or_default().to_owned(),
        };
        tracing::info!("Coder {}, as {}", plain(&version), plain(&user.name));
        let (tasks, chats) = (OnceCell::new(), OnceCell::new());
        Ok(Self { coder, version, user, wanted, tasks, chats })
    }

    /// The prefix under which one of the APIs is served, if the user does not exclude it.
    pub fn prefix(&self, kind: ApiKind) -> Result<Option<&'static str>> {
        if self.wanted.is_some_and(|wanted| wanted != kind) {
            return Ok(None);
        }
        let (cell, query) = match kind {
            ApiKind::Tasks => (&self.tasks, "tasks?q=owner:me"),
            ApiKind::Chats => (&self.chats, "chats?limit=1"),
        };
        if let Some(known) = cell.get() {
            return Ok(*known);
        }
        let found = probe(&self.coder, query).map_err(|failure| {
            failure.into_error_of_server(format!("cannot find out about {kind}"))
        })?;
        tracing::info!(
            "{kind}: {}",
            found.map_or("not served".to_owned(), |at| format!("{at}/{kind}"))
        );
        Ok(*cell.get_or_init(|| found))
    }

    /// The same, where it has to be served.
    pub fn require(&self, kind: ApiKind) -> Result<&'static str> {
        self.prefix(kind)?.ok_or_else(|| self.not_served())
    }

    /// The APIs that are served and not excluded.
    pub fn served(&self) -> Result<Vec<(ApiKind, &'static str)>> {
        let mut served = Vec::new();
        for kind in [ApiKind::Tasks, ApiKind::Chats] {
            served.extend(self.prefix(kind)?.map(|prefix| (kind, prefix)));
        }
        if served.is_empty() { Err(self.not_served()) } else { Ok(served) }
    }

    pub fn wanted(&self) -> Option<ApiKind> {
        self.wanted
    }

    fn not_served(&self) -> Error {
        let version = &self.version;
        let other = |kind: ApiKind, query| {
            probe(&self.coder, query).ok().flatten().map(|_| format!("give --backend {kind}"))
        };
        let (doing, hint) = match self.wanted {
            Some(ApiKind::Tasks) => (
                format!("this Coder ({version}) does not serve Tasks"),
                other(ApiKind::Chats, "chats?limit=1").map(|other| {
                    format!("Tasks are off by default from 2.36 on and ended with 2.37; this server has Agents: {other}")
                }),
            ),
            Some(ApiKind::Chats) => (
                format!("this Coder ({version}) does not serve Agents (Chats)"),
                other(ApiKind::Tasks, "tasks?q=owner:me").map(|other| {
                    format!("Agents start with 2.33, and are stable from 2.37 on; this server has Tasks: {other}")
                }),
            ),
            None => (format!("this Coder ({version}) serves neither Tasks nor Agents (Chats)"), None),
        };
        let hint = hint.unwrap_or_else(|| {
            "Tasks: 2.24 to 2.37, from 2.36 on with CODER_ENABLE_AI_TASKS=true; Agents: from 2.33 on".to_owned()
        });
        Error::new(doing).hint(hint).exit(Exit::NotServed)
    }
}

/// Under which prefix the path is served. Only a 404 with exactly the server's words means that it
/// is not.
fn probe(coder: &Coder, query: &str) -> CoderAnswer<Option<&'static str>> {
    for prefix in ["/api/v2", "/api/experimental"] {
        match coder.get(&format!("{prefix}/{query}")) {
            Ok(_) => return Ok(Some(prefix)),
            Err(failure) if failure.is_not_served() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// The ids and names of the caller's organizations.
pub fn organizations(backend: &Backend) -> CoderAnswer<Vec<Value>> {
    Ok(list(&backend.coder.get("/api/v2/users/me/organizations")?).to_vec())
}
