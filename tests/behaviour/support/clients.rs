//! The unmodified Codex and Claude Code, as scripts/install-clients.sh installs them.

use super::workspace::Cmd;
use super::{BIN, Vendors, Workspace, skip};
use std::os::unix::fs::symlink;
use std::path::Path;

const MODULES: &str = "/run/rig/clients/node_modules";

/// Puts `codex` and `claude` into `PATH`.
pub fn install() {
    for (name, file) in [
        ("codex", "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"),
        ("claude", "@anthropic-ai/claude-code-linux-x64/claude"),
    ] {
        let file = Path::new(MODULES).join(file);
        if !file.exists() {
            skip(format!("{name} not found (scripts/install-clients.sh installs it)"));
        }
        symlink(file, Path::new(BIN).join(name)).unwrap();
    }
}

pub struct Clients<'rig> {
    workspace: &'rig Workspace,
    vendors: &'rig Vendors,
}

impl<'rig> Clients<'rig> {
    /// Puts `codex` and `claude` into `PATH`.
    pub fn install(workspace: &'rig Workspace, vendors: &'rig Vendors) -> Self {
        install();
        Self { workspace, vendors }
    }

    pub fn codex(&self, args: &[&str]) -> Cmd {
        self.workspace.cmd("codex").args(args).env("SSL_CERT_FILE", self.vendors.ca())
    }

    pub fn claude(&self, args: &[&str]) -> Cmd {
        self.workspace.cmd("claude").args(args).env("NODE_EXTRA_CA_CERTS", self.vendors.ca())
    }
}
