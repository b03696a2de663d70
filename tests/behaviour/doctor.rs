//! The doctor's confusion matrix: each real fault comes out as exactly its code, and a healthy workspace as none.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Access, CRATE, Cmd, Coder, GitHost, KeyPair, Output, Workspace, fake_auth, sandbox};

/// A workspace in which everything is well: logins, a writable key, a clone, an author.
struct Lab<'ws> {
    ws: &'ws Workspace,
    host: GitHost,
    key: KeyPair,
    seed: fake_auth::ChatGpt,
}

const URL: &str = "git@github.com:acme/app.git";

fn token() -> String {
    format!("sk-ant-oat01-{}", "rig".repeat(20))
}

impl<'ws> Lab<'ws> {
    fn new(ws: &'ws Workspace) -> Self {
        let host = GitHost::start();
        host.repository("acme/app");
        host.repository("acme/other");
        let key = host.deploy_key("acme/app", Access::Write);
        Self { ws, host, key, seed: fake_auth::chatgpt() }
    }

    /// An empty home, then all of it.
    fn fresh(&self) {
        self.ws.set_mode("", 0o700);
        for entry in fs::read_dir(self.ws.home()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                self.ws.cmd("chmod").args(["-R", "u+rwx"]).arg(&path).run();
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        self.ws.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n", 0o644);
        self.ws.write("work/file", "", 0o644);
        self.apply().run().success();
        self.ws.git(&["clone", "--quiet", "https://github.com/acme/app", "src/app"]).run().success();
    }

    fn apply(&self) -> Cmd {
        self.ws
            .pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .env("PUSHREADY_DEPLOY_KEY", &*self.key.private)
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(&["github.com"]))
            .env("PUSHREADY_CODEX_AUTH_JSON", self.seed.json())
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token())
            .env("PUSHREADY_TRUSTED_FOLDERS", "~/work")
    }

    /// As an agent would run it: in the clone, without the template's variables.
    fn doctor(&self, arguments: &[&str]) -> Cmd {
        self.ws.pushready(&["doctor", "--json"]).args(arguments).current_dir("src/app")
    }

    fn write(&self, path: &str, content: &str) {
        self.ws.write(path, content, 0o600);
    }

    fn append(&self, path: &str, content: &str) {
        let old = fs::read_to_string(self.ws.home().join(path)).unwrap_or_default();
        self.ws.write(path, old + content, 0o600);
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.ws.home().join(path)).unwrap();
    }

    fn key_file(&self) -> String {
        let keys = self.ws.home().join(".local/state/pushready/keys");
        let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
        key.strip_prefix(self.ws.home()).unwrap().to_str().unwrap().to_owned()
    }
}

/// One row: the fault, what must be said of it, and what it entails besides.
struct Fault {
    code: &'static str,
    what: &'static str,
    /// Breaks the workspace, and runs the doctor in it.
    run: fn(&Lab) -> Cmd,
    status: &'static str,
    entailed: &'static [&'static str],
}

const fn fault(code: &'static str, status: &'static str, what: &'static str, run: fn(&Lab) -> Cmd) -> Fault {
    Fault { code, what, run, status, entailed: &[] }
}

impl Fault {
    const fn entails(self, codes: &'static [&'static str]) -> Self {
        Self { entailed: codes, ..self }
    }
}

/// What was found that is not well: (status, code or id).
fn findings(report: &serde_json::Value) -> BTreeSet<(String, String)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| !matches!(check["status"].as_str(), Some("pass" | "skip")))
        .map(|check| {
            let name = check["code"].as_str().or(check["id"].as_str()).unwrap();
            (check["status"].as_str().unwrap().to_owned(), name.to_owned())
        })
        .collect()
}

/// Runs the rows, prints the table, and fails on any false green, wrong cause, or failure without a fix.
fn matrix(lab: &Lab, faults: &[Fault]) {
    let mut wrong = Vec::new();
    for row in faults {
        lab.fresh();
        let output = (row.run)(lab).run();
        let report = output.json();
        let found = findings(&report);
        let said: Vec<_> = found.iter().map(|(status, name)| format!("{status} {name}")).collect();
        println!("{:<28} {:<62} {}", row.code, row.what, said.join(", "));
        let expected = (row.status.to_owned(), row.code.to_owned());
        let others = found.iter().filter(|finding| **finding != expected);
        let unexpected: Vec<_> = others.filter(|(_, name)| !row.entailed.contains(&&**name)).collect();
        if !found.contains(&expected) || !unexpected.is_empty() {
            wrong.push(format!("{} ({}): {}\n{output}", row.code, row.what, said.join(", ")));
        }
        for check in report["checks"].as_array().unwrap() {
            let fails = check["status"] == "fail";
            assert!(
                !fails || check["fix"]["say"].as_str().is_some_and(|say| !say.is_empty()),
                "no fix: {check}"
            );
            assert!(!fails || check["actor"].is_string(), "no actor: {check}");
        }
        let fails = found.iter().any(|(status, _)| status == "fail");
        assert_eq!(output.status.code(), Some(i32::from(fails)), "{output}");
    }
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
}

#[test]
fn a_healthy_workspace_is_all_green() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.fresh();
        let output = lab.doctor(&[]).run().success();
        let report = output.json();
        assert_eq!(findings(&report), BTreeSet::new(), "{output}");
        assert_eq!(report["overall"], "pass");
        let passed = |id: &str| {
            let mut checks = report["checks"].as_array().unwrap().iter();
            checks.any(|check| check["id"] == id && check["status"] == "pass")
        };
        for id in [
            "push.write",
            "push.read",
            "ssh.identity",
            "ssh.route",
            "codex.login",
            "claude.login",
            "git.remotes",
        ] {
            assert!(passed(id), "{id} did not pass\n{output}");
        }
        ws.run(&["doctor", "--short"]).success().stdout_has("READY");
        // nothing is repaired, and nothing but the verdict is written
        let before = ws.snapshot();
        lab.doctor(&["--offline"]).run().success();
        let written = before.written(&ws.snapshot());
        assert!(
            written.iter().all(|path| path.ends_with("doctor.json") || path.ends_with("pushready")),
            "{written:?}"
        );
    });
}

const HOME: &[Fault] = &[
    fault("home-unset", "fail", "HOME is not set", |lab| lab.doctor(&["--offline"]).env_remove("HOME"))
        .entails(&["remote-still-https", "git-identity-missing"]),
    fault("home-mismatch", "warn", "HOME is not the passwd home", |lab| {
        let other = lab.ws.home().join("elsewhere");
        lab.write("elsewhere/.gitconfig", "[user]\n\tname = D\n\temail = d@example.com\n");
        lab.doctor(&["--offline"]).env("HOME", other)
    })
    .entails(&["not-provisioned"]),
    fault("home-read-only", "fail", "the home is not writable", |lab| {
        lab.ws.set_mode("", 0o500);
        lab.doctor(&["--offline"])
    }),
    fault("not-provisioned", "fail", "nothing was ever provisioned", |lab| {
        lab.ws.run(&["remove"]).success();
        lab.doctor(&["--offline"])
    })
    .entails(&["remote-still-https"]),
    fault("required-missing", "fail", "a key is required that nobody gave", |lab| {
        lab.doctor(&["--offline"]).env("PUSHREADY_REQUIRE", "push:acme/nowhere")
    }),
    fault("network-sandboxed", "unknown", "Codex denies the network", |lab| {
        lab.doctor(&["--only", "home"]).env("CODEX_SANDBOX_NETWORK_DISABLED", "1")
    }),
    fault("route-binary-gone", "fail", "the copy of pushready is gone", |lab| {
        lab.remove(".local/state/pushready/bin/pushready");
        lab.doctor(&["--offline"])
    }),
    fault("key-format-unsupported", "fail", "the last apply refused a key", |lab| {
        let made = lab.ws.cmd("openssl").args(["genpkey", "-algorithm", "ed25519"]).run().success();
        let keys = serde_json::json!({"acme/app": lab.key.private, "acme/other": made.stdout});
        lab.apply()
            .env_remove("PUSHREADY_DEPLOY_KEY")
            .env("PUSHREADY_DEPLOY_KEYS", keys.to_string())
            .run()
            .fails(1);
        lab.doctor(&["--offline"])
    }),
];

#[test]
fn faults_of_the_home() {
    sandbox(|ws| matrix(&Lab::new(ws), HOME));
}

const LEAKS: &[Fault] = &[
    fault("leak-remote-url", "warn", "a token stands in a remote's URL", |lab| {
        let url = format!("https://x-access-token:{}@github.com/acme/other", "t".repeat(40));
        lab.ws.git(&["remote", "add", "leaky", &url]).current_dir("src/app").run().success();
        lab.doctor(&["--offline"])
    }),
    fault("leak-file-mode", "fail", "auth.json is 0644", |lab| {
        lab.ws.set_mode(".codex/auth.json", 0o644);
        lab.doctor(&["--offline"])
    }),
    fault("leak-env", "warn", "a seed stands in the environment", |lab| {
        lab.doctor(&["--offline"]).env("PUSHREADY_CODEX_AUTH_JSON", lab.seed.json())
    }),
    fault("leak-session-token", "warn", "CODER_SESSION_TOKEN is set", |lab| {
        lab.doctor(&["--offline"]).env("CODER_SESSION_TOKEN", "x")
    }),
    fault("leak-argv", "warn", "a token is an argument of a process", |lab| {
        let leaky = format!("tail -f /dev/null {} >/dev/null 2>&1 & tail=$!", token());
        let script = format!("{leaky}; pushready doctor --json --offline; code=$?; kill $tail; exit $code");
        lab.ws.sh(&script).current_dir("src/app")
    }),
    fault("leak-agent-log", "warn", "the agent logged a script with a key", |lab| {
        fs::write("/tmp/coder-agent.log", &lab.key.private).unwrap();
        lab.ws
            .sh("pushready doctor --json --offline; code=$?; rm /tmp/coder-agent.log; exit $code")
            .current_dir("src/app")
    }),
];

#[test]
fn leaks() {
    sandbox(|ws| matrix(&Lab::new(ws), LEAKS));
}

const CODEX: &[Fault] = &[
    fault("codex-auth-missing", "fail", "auth.json was removed", |lab| {
        lab.remove(".codex/auth.json");
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-malformed", "fail", "auth.json is cut off", |lab| {
        lab.write(".codex/auth.json", &lab.seed.json()[..200]);
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-incomplete", "fail", "last_refresh is missing", |lab| {
        let mut login: serde_json::Value = serde_json::from_str(&lab.seed.json()).unwrap();
        login.as_object_mut().unwrap().remove("last_refresh");
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-expired", "fail", "expired, and no refresh token", |lab| {
        let mut login: serde_json::Value = serde_json::from_str(&lab.seed.clone().expired().json()).unwrap();
        login["tokens"]["refresh_token"] = "".into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-clobbered", "fail", "module v4 wrote its stub", |lab| {
        lab.write(".codex/auth.json", fake_auth::module_stub());
        lab.doctor(&["--offline"])
    }),
    fault("codex-login-not-ours", "warn", "the user logged in with another account", |lab| {
        lab.write(".codex/auth.json", &lab.seed.clone().of_account(fake_auth::OTHER_ACCOUNT).json());
        lab.doctor(&["--offline"])
    }),
    fault("codex-lease-expiring", "warn", "a lease with an hour left", |lab| {
        let lease = fake_auth::ChatGpt { access_expires: 3600, ..lab.seed.clone() };
        let mut login: serde_json::Value = serde_json::from_str(&lease.json()).unwrap();
        login["tokens"]["refresh_token"] = "".into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-conflict", "fail", "an API key stands beside the tokens", |lab| {
        let mut login: serde_json::Value = serde_json::from_str(&lab.seed.json()).unwrap();
        login["OPENAI_API_KEY"] = "sk-proj-rig".into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-seed-at-live-path", "fail", "a secret store wrote the spent seed back", |lab| {
        lab.write(".codex/auth.json", &lab.seed.clone().refreshed().json());
        lab.apply().run().success();
        lab.write(".codex/auth.json", &lab.seed.json());
        lab.doctor(&["--offline"])
    }),
    fault("codex-env-override", "fail", "CODEX_API_KEY is set", |lab| {
        lab.doctor(&["--offline"]).env("CODEX_API_KEY", "x")
    }),
    fault("codex-forced-login", "fail", "forced_login_method is api", |lab| {
        lab.write(".codex/config.toml", "forced_login_method = \"api\"\n");
        lab.doctor(&["--offline"])
    })
    .entails(&["codex-untrusted-folder"]),
    fault("codex-provider-bypass", "fail", "a provider with a key of its own", |lab| {
        let provider = "model_provider = \"x\"\n[model_providers.x]\nname = \"x\"\nenv_key = \"K\"\n";
        lab.write(".codex/config.toml", &format!("{provider}{}", lab.ws.read(".codex/config.toml")));
        lab.doctor(&["--offline"])
    }),
    fault("codex-store-not-file", "fail", "credentials in a keyring", |lab| {
        let old = lab.ws.read(".codex/config.toml");
        lab.write(".codex/config.toml", &format!("cli_auth_credentials_store = \"keyring\"\n{old}"));
        lab.doctor(&["--offline"])
    }),
    fault("codex-model-unsupported", "fail", "a model that was withdrawn", |lab| {
        let old = lab.ws.read(".codex/config.toml");
        lab.write(".codex/config.toml", &format!("model = \"gpt-5.2-codex\"\n{old}"));
        lab.doctor(&["--offline"])
    }),
    fault("codex-config-malformed", "fail", "config.toml does not parse", |lab| {
        lab.append(".codex/config.toml", "model = x\n");
        lab.doctor(&["--offline"])
    }),
    fault("codex-home-unwritable", "fail", "Codex's folder is read-only", |lab| {
        lab.ws.set_mode(".codex", 0o500);
        lab.doctor(&["--offline"])
    }),
    fault("codex-untrusted-folder", "warn", "the folder is untrusted again", |lab| {
        lab.remove(".codex/config.toml");
        lab.doctor(&["--offline"])
    }),
];

#[test]
fn faults_of_codex() {
    sandbox(|ws| matrix(&Lab::new(ws), CODEX));
}

const CLAUDE: &[Fault] = &[
    fault("claude-token-missing", "fail", "the credentials file is gone", |lab| {
        lab.remove(".claude/.credentials.json");
        lab.doctor(&["--offline"])
    }),
    fault("claude-token-malformed", "fail", "the variable's token has quotes", |lab| {
        lab.doctor(&["--offline"]).env("CLAUDE_CODE_OAUTH_TOKEN", format!("\"{}\"", token()))
    })
    .entails(&["leak-env"]),
    fault("claude-token-expired", "fail", "the token was made two years ago", |lab| {
        lab.apply().env("PUSHREADY_CLAUDE_TOKEN_CREATED", "2024-01-31").run().fails(1);
        lab.doctor(&["--offline"])
    }),
    fault("claude-auth-blanked", "fail", "Claude Code blanked the file", |lab| {
        let blank = r#"{"claudeAiOauth":{"accessToken":"","expiresAt":0,"refreshToken":""}}"#;
        lab.write(".claude/.credentials.json", blank);
        lab.doctor(&["--offline"])
    }),
    fault("claude-auth-conflict", "fail", "ANTHROPIC_API_KEY is set as well", |lab| {
        lab.doctor(&["--offline"]).env("ANTHROPIC_API_KEY", "x")
    }),
    fault("claude-auth-conflict", "fail", "the user's settings name a helper", |lab| {
        lab.write(".claude/settings.json", r#"{"apiKeyHelper": "/bin/false"}"#);
        lab.doctor(&["--offline"])
    }),
    fault("claude-provider-bypass", "fail", "Bedrock is switched on", |lab| {
        lab.doctor(&["--offline"]).env("CLAUDE_CODE_USE_BEDROCK", "1")
    }),
    fault("claude-project-override", "fail", "the repository sets an API key", |lab| {
        lab.write("src/app/.claude/settings.json", r#"{"env": {"ANTHROPIC_API_KEY": "x"}}"#);
        lab.doctor(&["--offline"])
    }),
    fault("claude-token-sent-elsewhere", "fail", "the repository sets the base URL", |lab| {
        lab.write(
            "src/app/.claude/settings.json",
            r#"{"env": {"ANTHROPIC_BASE_URL": "https://evil.example"}}"#,
        );
        lab.doctor(&["--offline"])
    }),
    fault("claude-config-malformed", "fail", ".claude.json is cut off", |lab| {
        lab.write(".claude.json", "{\"a\": ");
        lab.doctor(&["--offline"])
    }),
    fault("claude-onboarding-incomplete", "warn", "onboarding was reset", |lab| {
        let reset = lab.ws.read(".claude.json").replace("\"hasCompletedOnboarding\": true", "\"x\": true");
        lab.write(".claude.json", &reset);
        lab.doctor(&["--offline"])
    }),
    fault("claude-untrusted-folder", "warn", "the folder is untrusted again", |lab| {
        let reset = lab.ws.read(".claude.json").replace("\"hasTrustDialogAccepted\": true", "\"x\": true");
        lab.write(".claude.json", &reset);
        lab.doctor(&["--offline"])
    }),
];

#[test]
fn faults_of_claude() {
    sandbox(|ws| matrix(&Lab::new(ws), CLAUDE));
}

const SSH: &[Fault] = &[
    fault("key-permissions", "fail", "the key is 0644", |lab| {
        lab.ws.set_mode(&lab.key_file(), 0o644);
        lab.doctor(&["--offline"])
    }),
    fault("key-malformed", "fail", "the file holds another key", |lab| {
        lab.write(&lab.key_file(), &KeyPair::generate("other").private);
        lab.doctor(&["--offline"])
    }),
    fault("ssh-route-broken", "fail", "the key file is gone", |lab| {
        lab.remove(&lab.key_file());
        lab.doctor(&["--offline"])
    }),
    fault("ssh-route-broken", "fail", "the Include line was taken out", |lab| {
        lab.write(".ssh/config", "");
        lab.doctor(&["--offline"])
    }),
    fault("ssh-config-invalid", "fail", "a line that ssh does not know", |lab| {
        lab.append(".ssh/config", "NoSuchOption yes\n");
        lab.doctor(&["--offline"])
    }),
    fault("ssh-config-permissions", "fail", "the configuration is world-writable", |lab| {
        lab.ws.set_mode(".ssh/config", 0o666);
        lab.doctor(&["--offline"])
    }),
    fault("ssh-known-hosts-poisoned", "warn", "known_hosts has a stranger's key", |lab| {
        let stranger = KeyPair::generate("x").public;
        lab.write(".ssh/known_hosts", &format!("github.com {stranger}\n"));
        lab.doctor(&["--offline"])
    }),
    fault("ssh-missing", "fail", "there is no ssh on PATH", |lab| {
        let folder = lab.ws.home().join("bin");
        fs::create_dir(&folder).unwrap();
        for tool in ["git", "sh"] {
            symlink(format!("/usr/bin/{tool}"), folder.join(tool)).unwrap();
        }
        symlink("/run/rig/bin/pushready", folder.join("pushready")).unwrap();
        lab.ws
            .cmd(folder.join("pushready"))
            .args(["doctor", "--json", "--offline"])
            .current_dir("src/app")
            .env("PATH", folder)
    }),
    fault("git-missing", "fail", "there is no git on PATH", |lab| {
        let folder = lab.ws.home().join("bin");
        fs::create_dir(&folder).unwrap();
        for tool in ["ssh", "sh"] {
            symlink(format!("/usr/bin/{tool}"), folder.join(tool)).unwrap();
        }
        symlink("/run/rig/bin/pushready", folder.join("pushready")).unwrap();
        lab.ws
            .cmd(folder.join("pushready"))
            .args(["doctor", "--json", "--offline"])
            .current_dir("src/app")
            .env("PATH", folder)
    }),
    fault("git-identity-missing", "warn", "nobody told git who commits", |lab| {
        let only_ours = lab
            .ws
            .read(".gitconfig")
            .replace("[user]\n\tname = Dev\n\temail = dev@example.com\n", "[user]\n\tuseConfigOnly = true\n");
        lab.write(".gitconfig", &only_ours);
        lab.doctor(&["--offline"])
    }),
    fault("remote-still-https", "fail", "a remote was set to HTTPS past our rules", |lab| {
        lab.ws
            .git(&["remote", "set-url", "origin", "https://github.com/Acme/App"])
            .current_dir("src/app")
            .run()
            .success();
        lab.doctor(&["--offline"])
    }),
    fault("remote-reversed", "fail", "a rule turns SSH back to HTTPS", |lab| {
        lab.ws.git(&["remote", "set-url", "origin", URL]).current_dir("src/app").run().success();
        lab.append(".gitconfig", "[url \"https://github.com/Acme/\"]\n\tinsteadOf = git@github.com:acme/\n");
        lab.doctor(&["--offline"])
    }),
    fault("remote-push-elsewhere", "warn", "pushurl names a fork", |lab| {
        lab.ws
            .git(&["remote", "set-url", "--push", "origin", "git@github.com:fork/app.git"])
            .current_dir("src/app")
            .run()
            .success();
        lab.doctor(&["--offline"])
    }),
    fault("remote-port-in-path", "warn", "an scp-like remote with a port", |lab| {
        lab.ws
            .git(&["remote", "add", "ported", "git@github.com:22/acme/app.git"])
            .current_dir("src/app")
            .run()
            .success();
        lab.doctor(&["--offline"])
    }),
];

#[test]
fn faults_of_keys_ssh_and_git() {
    sandbox(|ws| matrix(&Lab::new(ws), SSH));
}

/// Another key is installed in the place of the right one.
fn with_key(lab: &Lab, key: &KeyPair) -> Cmd {
    lab.apply().env("PUSHREADY_DEPLOY_KEY", &*key.private).run().success();
    lab.doctor(&["--only", "ssh,push"])
}

const PUSH: &[Fault] = &[
    fault("push-key-read-only", "fail", "the deploy key may only read", |lab| {
        let key = lab.host.deploy_key("acme/app", Access::Read);
        with_key(lab, &key)
    }),
    fault("ssh-key-refused", "fail", "the server does not know the key", |lab| {
        with_key(lab, &KeyPair::generate("x"))
    }),
    fault("ssh-wrong-key", "fail", "the key belongs to another repository", |lab| {
        let key = lab.host.deploy_key("acme/other", Access::Write);
        with_key(lab, &key)
    }),
    fault("push-repository-not-found", "fail", "there is no such repository", |lab| {
        let user = lab.host.user_key("dev", &[("acme/app", Access::Write)]);
        lab.apply()
            .env("PUSHREADY_DEPLOY_KEY", &*user.private)
            .env("PUSHREADY_REPOSITORY", "acme/missing")
            .run()
            .success();
        lab.ws.pushready(&["doctor", "--json", "--only", "ssh,push"])
    }),
    fault("push-denied", "fail", "the user may read, not write", |lab| {
        let user = lab.host.user_key("dev", &[("acme/app", Access::Read)]);
        with_key(lab, &user)
    }),
    fault("push-archived", "fail", "the repository is archived", |lab| {
        lab.host.refuse_push("acme/app", "ERROR: This repository was archived so it is read-only.");

        lab.doctor(&["--only", "ssh,push"])
    }),
    fault("ssh-host-key-changed", "fail", "the server has another host key than the pinned one", |lab| {
        lab.apply().env("PUSHREADY_KNOWN_HOSTS", "example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIVIC02vnjFyL+I4RHfvIGNtOgJMe769VTF1VR4EB3ZB").run().success();
        lab.doctor(&["--only", "push"])
    }),
    fault("gitssh-blocked", "fail", "coder gitssh cannot reach coderd", |lab| {
        let coder = Coder::install(None);
        lab.doctor(&["--only", "push"]).env("GIT_SSH_COMMAND", coder.git_ssh_command())
    }),
];

#[test]
fn faults_of_push() {
    sandbox(|ws| matrix(&Lab::new(ws), PUSH));
}

/// A start script is red for what is required alone, and not because the forge has a bad day.
#[test]
fn only_what_is_required_is_red() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.fresh();
        let read_only = lab.host.deploy_key("acme/app", Access::Read);
        let apply = || lab.apply().env("PUSHREADY_DEPLOY_KEY", &*read_only.private);
        apply().run().success();
        let short = |require: &str| {
            let doctor = ws.pushready(&["doctor", "--required", "--short", "--only", "home,codex,ssh,push"]);
            doctor.env("PUSHREADY_REQUIRE", require)
        };
        let begins = |output: &Output, verdict: &str| {
            assert!(output.stdout.starts_with(verdict) && output.stdout.lines().count() == 1, "{output}");
        };
        let fault = "push-key-read-only git@github.com:acme/app.git";
        let output = short("codex").run().success().stdout_has(&format!("not required: {fault}"));
        begins(&output, "READY not required");
        let output = short("codex,push:Acme/App").run().fails(1);
        begins(&output, &format!("NOT READY {fault} (give the deploy key write access"));
        let output = short("").run().success().stdout_has(fault);
        begins(&output, "READY (nothing required was looked at)");
        // what the receipt requires counts in a shell without the variable
        apply().env("PUSHREADY_REQUIRE", "push:acme/app").run().success();
        ws.run(&["doctor", "--required", "--short"]).fails(1);

        // nothing listens there
        let unreachable = |require: &str| short(require).env("GIT_SSH_COMMAND", "ssh -p 9");
        let output = unreachable("push:acme/app").run().success();
        begins(&output, "UNKNOWN ssh-port-blocked git@github.com:acme/app.git");
        begins(&unreachable("codex").run().success(), "READY");
        unreachable("push:acme/app").arg("--strict").run().fails(1);

        let report = short("codex").arg("--json").run();
        assert_eq!(report.status.code(), Some(2), "--short and --json exclude each other: {report}");
        let json = lab.doctor(&["--required"]).env("PUSHREADY_REQUIRE", "codex").run().success().json();
        assert_eq!((&json["overall"], &json["required"]), (&"fail".into(), &"pass".into()));
        let required = |check: &&serde_json::Value| check["required"] == true;
        let checks = json["checks"].as_array().unwrap().iter().filter(required);
        let areas: BTreeSet<_> =
            checks.map(|check| check["id"].as_str().unwrap().split('.').next()).collect();
        assert_eq!(areas, BTreeSet::from([Some("codex"), Some("home")]));
    });
}

/// The schema that is shipped is the judge of what is printed: of a report with every kind of status in it.
#[test]
fn the_report_is_of_its_schema() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.fresh();
        lab.append(".ssh/config", "NoSuchOption yes\n");
        let reports = [
            lab.doctor(&[]).env("ANTHROPIC_API_KEY", "x").env("CODER_SESSION_TOKEN", "x").run(),
            lab.doctor(&["--offline", "--only", "codex"]).env_remove("HOME").run(),
            lab.doctor(&["--only", "home"]).env("CODEX_SANDBOX_NETWORK_DISABLED", "1").run(),
            ws.run(&["doctor", "--json", "--offline"]),
        ];
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        let schema = fs::read_to_string(format!("{CRATE}/schema/doctor.schema.json")).unwrap();
        compiler.add_resource("schema", serde_json::from_str(&schema).unwrap()).unwrap();
        let schema = compiler.compile("schema", &mut schemas).unwrap();
        for report in reports {
            if let Err(error) = schemas.validate(&report.json(), schema) {
                panic!("{error:#}\n{report}");
            }
        }
        // a schema that takes anything would judge nothing
        assert!(schemas.validate(&serde_json::json!({"schema_version": 1, "checks": []}), schema).is_err());
    });
}

/// The judgement has its own scenarios; here it is asked through the binary, without network and without a token.
#[test]
fn actions_are_looked_at_where_they_are_asked_for() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.fresh();
        let codes = |output: &serde_json::Value| -> Vec<(String, String)> {
            let checks = output["checks"].as_array().unwrap().iter();
            checks.map(|check| (check["id"].to_string(), check["code"].to_string())).collect()
        };
        ws.write(
            "src/app/.github/workflows/ci.yml",
            "on: push\njobs:\n  build:\n    runs-on: ubuntu-18.04\n    steps: []\n",
            0o644,
        );
        let offline = lab.doctor(&["--offline", "--only", "actions"]).run();
        let said = codes(&offline.json());
        assert!(
            said.contains(&("\"actions.workflow-files\"".into(), "\"actions-label-retired\"".into())),
            "{offline}"
        );
        // nothing answers here: that is no verdict on anybody
        let online = lab.doctor(&["--only", "actions.runs,actions.status-page"]).run().success();
        assert_eq!(online.json()["overall"], "unknown", "{online}");
        // a rate limit is somebody's: not without being asked
        let whole = lab.doctor(&[]).run().json();
        let said: Vec<_> = whole["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["id"] == "actions.runs")
            .collect();
        assert_eq!((said.len(), &said[0]["status"]), (1, &"skip".into()), "{whole}");
        assert!(said[0]["reason"].as_str().unwrap().contains("--only actions"), "{whole}");
        let without = lab.doctor(&["--skip", "actions"]).run().json();
        assert!(codes(&without).iter().all(|(id, _)| !id.starts_with("\"actions.")), "{without}");
    });
}
