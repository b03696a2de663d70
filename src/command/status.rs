//! `pushready status`: what the last apply left behind, without the network.

use jiff::Timestamp;
use serde::Serialize;

use super::print;
use crate::cli;
use crate::error::{Exit, Result};
use crate::home::Home;
use crate::provision::{span, unmet};
use crate::receipt::{Receipt, Refused};
use crate::settings::Env;

#[derive(Serialize)]
struct Status {
    schema_version: u32,
    tool: &'static str,
    version: &'static str,
    ready: bool,
    provisioned_at: Option<Timestamp>,
    provisioned_by: Option<String>,
    repositories: Vec<String>,
    codex: bool,
    claude: bool,
    not_ready: Vec<String>,
}

impl Status {
    fn new(receipt: Option<Receipt>) -> Self {
        let not_ready = match &receipt {
            None => vec!["not-provisioned".to_owned()],
            Some(receipt) => {
                let refused =
                    receipt.desired.refused.iter().map(|Refused { item, code }| format!("{code} {item}"));
                let missing = unmet(&receipt.desired);
                let missing = missing.iter().map(|item| format!("required-missing {}", item.subject));
                let interrupted = receipt
                    .under_way
                    .as_ref()
                    .map(|_| "an apply is at work, or was interrupted: run `pushready apply`".to_owned());
                refused.chain(missing).chain(interrupted).collect()
            }
        };
        let (at, by) = receipt.as_ref().map(|r| (r.provisioned_at, r.version.clone())).unzip();
        let desired = receipt.map(|receipt| receipt.desired).unwrap_or_default();
        Self {
            schema_version: 1,
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            ready: not_ready.is_empty(),
            provisioned_at: at,
            provisioned_by: by,
            repositories: desired.repositories.into_iter().map(|record| record.repository.to_ssh()).collect(),
            codex: desired.codex.is_some(),
            claude: desired.claude.is_some(),
            not_ready,
        }
    }

    /// `ready · 2 keys · codex · claude · applied 4 min ago`.
    fn line(&self, now: Timestamp) -> String {
        let mut parts = vec![if self.ready {
            "ready".to_owned()
        } else {
            format!("not ready: {}", self.not_ready.join(", "))
        }];
        if !self.repositories.is_empty() {
            let count = self.repositories.len();
            parts.push(format!("{count} key{}", if count == 1 { "" } else { "s" }));
        }
        parts.extend(
            [(self.codex, "codex"), (self.claude, "claude")]
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, name)| name.to_owned()),
        );
        parts.extend(self.provisioned_at.map(|at| format!("applied {} ago", span(now.duration_since(at)))));
        parts.join(" · ")
    }
}

pub fn run(arguments: &cli::Status) -> Result<Exit> {
    let env = Env::of_process();
    let loaded = Home::locate(&env).and_then(|home| Receipt::load(&home.state));
    let receipt = match loaded {
        Ok(receipt) => receipt,
        // a metadata item must never turn red because of us
        Err(_) if arguments.line => {
            print("unknown: run `pushready status` in the workspace\n");
            return Ok(Exit::Ready);
        }
        Err(error) => return Err(error),
    };
    let status = Status::new(receipt);
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&status).unwrap_or_default()));
    } else {
        print(&format!("{}\n", status.line(env.now)));
    }
    Ok(if status.ready || arguments.line { Exit::Ready } else { Exit::NotReady })
}
