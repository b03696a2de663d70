//! Homes as they come: elsewhere, of another, full, read-only, linked, with other programs at work
//! in them, and environments that are not what they should be.

mod environment;
mod modules;
mod places;

use serde_json::{Value, json};

use crate::support::{Cmd, KeyPair, Workspace, fake_auth, require};

/// Everything at once.
struct All {
    key: KeyPair,
    seed: fake_auth::ChatGpt,
    token: String,
}

impl All {
    fn new() -> Self {
        let token = format!("sk-ant-oat01-{}", "home".repeat(20));
        Self { key: KeyPair::generate("app"), seed: fake_auth::chatgpt(), token }
    }

    fn on(&self, cmd: Cmd) -> Cmd {
        cmd.env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": self.key.private}).to_string())
            .env("PUSHREADY_CODEX_AUTH_JSON", self.seed.json())
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &*self.token)
            .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work")
    }

    fn apply(&self, ws: &Workspace) -> Cmd {
        self.on(ws.pushready(&["apply"]))
    }
}

/// The logins alone, where keys are not the point.
fn logins(ws: &Workspace) -> Cmd {
    ws.pushready(&["apply"])
        .env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
        .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", format!("sk-ant-oat01-{}", "home".repeat(20)))
        .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work")
}

fn json_at(ws: &Workspace, path: &str) -> Value {
    serde_json::from_str(&ws.read(path)).unwrap()
}

impl All {
    /// ssh-keygen does not run without a passwd entry either: the key's bytes are OpenSSL's.
    fn new_for_any_uid() -> Self {
        require("openssl");
        let openssl = |args: &str| {
            let output =
                std::process::Command::new("openssl").args(args.split(' ')).output().unwrap();
            assert!(output.status.success());
            // the last 32 bytes of either form (RFC 8410)
            output.stdout[output.stdout.len().saturating_sub(32)..].to_vec()
        };
        openssl("genpkey -algorithm ed25519 -out /tmp/key");
        let halves = [
            openssl("pkey -in /tmp/key -outform DER"),
            openssl("pkey -in /tmp/key -pubout -outform DER"),
        ];
        let pair =
            ssh_key::private::Ed25519Keypair::from_bytes(&halves.concat().try_into().unwrap())
                .unwrap();
        let key = ssh_key::PrivateKey::from(pair);
        let private = key.to_openssh(ssh_key::LineEnding::LF).unwrap().to_string();
        let key = KeyPair { private, public: String::new(), fingerprint: String::new() };
        Self {
            key,
            seed: fake_auth::chatgpt(),
            token: format!("sk-ant-oat01-{}", "home".repeat(20)),
        }
    }
}
