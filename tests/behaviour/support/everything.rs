//! One of each: a deploy key, both logins and trusted folders; and a home that was in use before.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::{Cmd, KeyPair, Workspace, fake_auth, require};

/// All that a template can hand over.
pub struct Everything {
    pub key: KeyPair,
    pub seed: fake_auth::ChatGpt,
    pub token: String,
}

impl Everything {
    pub fn new() -> Self {
        Self::with_key(KeyPair::generate("app"))
    }

    /// The same for a user without a passwd entry, for whom ssh-keygen does not run: the key's
    /// bytes are OpenSSL's.
    pub fn for_any_uid() -> Self {
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
        Self::with_key(KeyPair { private, public: String::new(), fingerprint: String::new() })
    }

    fn with_key(key: KeyPair) -> Self {
        Self { key, seed: fake_auth::chatgpt(), token: token() }
    }

    /// `cmd` with all of it as variables.
    pub fn on(&self, cmd: Cmd) -> Cmd {
        logins_on(cmd, &self.seed, &self.token)
            .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": self.key.private}).to_string())
            .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work:/srv/project")
    }

    pub fn pushready(&self, ws: &Workspace, args: &[&str]) -> Cmd {
        self.on(ws.pushready(args))
    }

    pub fn apply(&self, ws: &Workspace) -> Cmd {
        self.pushready(ws, &["apply"])
    }

    /// Every value that must not be printed, whole and in parts.
    pub fn secrets(&self) -> Vec<String> {
        let body: String = self.key.private.lines().filter(|line| !line.starts_with('-')).collect();
        let mut all = vec![self.key.private.clone(), body, self.token.clone()];
        all.extend(self.seed.secrets());
        all
    }
}

fn token() -> String {
    format!("sk-ant-oat01-{}", "canary".repeat(12))
}

fn logins_on(cmd: Cmd, seed: &fake_auth::ChatGpt, token: &str) -> Cmd {
    cmd.env("PUSHREADY_CODEX_AUTH_JSON", seed.json()).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token)
}

/// `apply` with the logins and one trusted folder, where keys are not the point.
pub fn apply_logins(ws: &Workspace) -> Cmd {
    logins_on(ws.pushready(&["apply"]), &fake_auth::chatgpt(), &token())
        .env("PUSHREADY_TRUSTED_FOLDERS", "/home/coder/work")
}

/// A home that its user has worked in: settings of ssh, git, Codex and Claude Code in every style,
/// and two clones.
pub fn home_in_use(ws: &Workspace) {
    ws.write(".ssh/config", "Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/%C\nHost x", 0o644);
    ws.set_mode(".ssh", 0o755);
    ws.write("dotfiles/gitconfig", "[user]\n\tname = Dev # me\n\temail = dev@example.com", 0o640);
    symlink("dotfiles/gitconfig", ws.home().join(".gitconfig")).unwrap();
    ws.write(
        ".codex/config.toml",
        "model = \"x\" # mine\r\n\n[projects.\"/other\"]\ntrust_level = \"untrusted\"\n",
        0o644,
    );
    ws.write(".codex/auth.json", fake_auth::module_stub(), 0o644);
    ws.write(
        ".claude.json",
        "{\"numStartups\":3,\n\n \"projects\" : {\"/other\":{\"a\":[1,2]}} ,\"u\":\"\\u00e9\"}",
        0o644,
    );
    ws.write(".claude/.credentials.json", "{\"mcpOAuth\": {\"x\": 1}}", 0o640);
    for name in ["app", "other"] {
        ws.git(&["init", "--quiet", &format!("src/{name}")]).run().success();
        let url = format!("\"https://github.com/acme/{name}\"");
        let config = format!("src/{name}/.git/config");
        let text = format!("{}[remote \"origin\"]\n\turl = {url} ; mine\n", ws.read(&config));
        ws.write(&config, text, 0o644);
    }
}
