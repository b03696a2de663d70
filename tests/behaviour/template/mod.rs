//! The Coder module and the examples: what a template author writes is planned, applied and run as
//! the workspace's user.

mod examples;
mod later;
mod module;
mod start;

use serde_json::{Value, json};

use crate::support::fake_auth::ChatGpt;
use crate::support::{Access, GitHost, KeyPair, Output, Template, Workspace};

const START: &str = "module.pushready.coder_script.start[0]";

const STOP: &str = "module.pushready.coder_script.stop[0]";

const CHECK: &str = "module.pushready.coder_script.check[0]";

const AUTH: &str = ".codex/auth.json";

fn claude_token() -> String {
    format!("sk-ant-oat01-{}", "canary".repeat(12))
}

fn last_line(output: &Output) -> &str {
    output.stdout.lines().last().unwrap_or_default()
}

fn login(ws: &Workspace) -> Value {
    serde_json::from_str(&ws.read(AUTH)).unwrap()
}

/// `acme/app` on a host that is known to the workspace by the module's `known_hosts`.
struct Host {
    host: GitHost,
    key: KeyPair,
}

impl Host {
    fn start() -> Self {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        Self { host, key }
    }

    fn known_hosts(&self) -> String {
        self.host.known_hosts(&["github.com"])
    }
}

/// The module with everything in it, and the template's variables for it.
const EVERYTHING: &str = r#"
  codex_auth_json    = var.codex
  claude_oauth_token = var.claude
  deploy_keys        = { "acme/app" = var.app_key }
  known_hosts        = var.known_hosts
  per_user_logins    = true
  require            = ["codex", "claude", "push:acme/app"]
"#;

const ITS_VARIABLES: &str = r#"
variable "codex" { sensitive = true }
variable "claude" { sensitive = true }
variable "app_key" { sensitive = true }
variable "known_hosts" {}
output "hook" { value = module.pushready.hook }
output "proof" { value = module.pushready.proof }
output "metadata" { value = module.pushready.metadata }
"#;

fn everything<'ws>(ws: &'ws Workspace, host: &Host, seed: &ChatGpt, more: &str) -> Template<'ws> {
    let template = Template::of_module(ws, &format!("{EVERYTHING}{more}"), ITS_VARIABLES);
    template.variables(&json!({
        "codex": seed.json(), "claude": claude_token(), "app_key": host.key.private, "known_hosts": host.known_hosts(),
    }));
    template
}
