//! What each child of each command is given: arguments and environment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::github_rig::server::{Reply, Server};
use crate::support::{Access, Cmd, GitHost, KeyPair, Workspace, canary, fake_auth, sandbox};

/// Programs that are started write here. (strace does not see what a process passes on that
/// forbids others to read its memory.)
pub const LOG: &str = "/tmp/children";

/// One program that was started.
pub struct Started {
    pub program: String,
    pub arguments: String,
    pub environment: String,
    /// The names of its variables.
    names: BTreeSet<String>,
}

/// Puts a program first in PATH that records what it is given, and goes on with `then`.
pub fn record(ws: &Workspace, name: &str, then: &str) {
    ws.install(
        name,
        &format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >{LOG}/{name}.$$.arguments\n\
             cat /proc/$$/environ >{LOG}/{name}.$$.environment\n{then}\n"
        ),
    );
}

/// Records these programs of the image, and starts them.
pub fn record_all(ws: &Workspace, names: &[&str]) {
    fs::create_dir(LOG).unwrap();
    for name in names {
        record(ws, name, &format!("exec /usr/bin/{name} \"$@\""));
    }
}

/// What was started since the last call.
pub fn started() -> Vec<Started> {
    let mut all = Vec::new();
    for entry in fs::read_dir(LOG).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(process) = name.strip_suffix(".environment") {
            let names = text
                .split_terminator('\0')
                .map(|entry| entry.split_once('=').unwrap().0.to_owned());
            let arguments = Path::new(LOG).join(format!("{process}.arguments"));
            all.push(Started {
                program: process.split('.').next().unwrap().to_owned(),
                arguments: fs::read_to_string(arguments).unwrap(),
                names: names.collect(),
                environment: text,
            });
        }
    }
    fs::remove_dir_all(LOG).unwrap();
    fs::create_dir(LOG).unwrap();
    all
}

/// A value that no other text holds; a login that Claude Code's own checks accept.
fn value(name: &str) -> String {
    if name == "CLAUDE_CODE_OAUTH_TOKEN" {
        return format!("sk-ant-oat01-{}", "canary".repeat(12));
    }
    format!("canary-of-{}", name.to_lowercase().replace('_', "-"))
}

/// What Coder sets in each process of a workspace.
const OF_CODER: &[&str] = &["CODER_AGENT_TOKEN", "CODER_AGENT_URL", "CODER_SESSION_TOKEN"];
const OF_FORGES: &[&str] =
    &["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
const COMMON: &[&str] = &["HOME", "LC_ALL", "PATH", "USER"];

/// Which of the variables that the test sets a program gets.
fn given(program: &str) -> Vec<&'static str> {
    match program {
        "git" | "ssh" | "sh" => [OF_CODER, &["VISIBLE"]].concat(),
        "codex" => vec!["CODER_AGENT_URL", "VISIBLE"],
        "claude" => vec!["CLAUDE_CODE_OAUTH_TOKEN", "CODER_AGENT_URL", "VISIBLE"],
        "gh" => vec![],
        "coder" => OF_CODER.to_vec(),
        _ => panic!("{program} is not expected"),
    }
}

#[test]
fn no_child_gets_what_it_does_not_need() {
    sandbox(|ws| {
        record_all(ws, &["git", "ssh", "sh"]);
        for name in ["gh", "coder"] {
            record(ws, name, &format!("echo token-of-{name}"));
        }
        for name in ["codex", "claude"] {
            record(ws, name, "");
        }
        let host = GitHost::start();
        host.repository("acme/app");
        let key: KeyPair = host.deploy_key("acme/app", Access::Write);
        let seed = fake_auth::chatgpt();
        // it knows none of the tokens, so that each source is asked
        let api = Server::start(|_| Reply::new(401, r#"{"message":"Bad credentials"}"#));
        ws.write(".gitconfig", "[user]\n\tname = Dev\n\temail = dev@example.com\n", 0o644);
        let own = ["PUSHREADY_GITHUB_TOKEN", "PUSHREADY_UNKNOWN"];
        let set = [OF_CODER, OF_FORGES, &own, &["CLAUDE_CODE_OAUTH_TOKEN", "VISIBLE"]].concat();
        let with_canaries = |cmd: Cmd| {
            let cmd = set.iter().fold(cmd, |cmd, name| cmd.env(name, value(name)));
            cmd.env("PUSHREADY_DEPLOY_KEY", &*key.private)
                .env("PUSHREADY_REPOSITORY", "acme/app")
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", value("CLAUDE_CODE_OAUTH_TOKEN"))
                .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
                .env("PUSHREADY_GITHUB_API_URL", api.url())
                .env("PUSHREADY_GITHUB_STATUS_URL", api.url())
        };
        started();
        with_canaries(ws.pushready(&["apply"])).run().success();
        let mut all = started();
        ws.git(&["clone", "--quiet", "git@github.com:acme/app.git", "src/app"]).run().success();
        started();
        let in_clone =
            |arguments: &[&str]| with_canaries(ws.pushready(arguments).current_dir("src/app"));
        let commands = [
            in_clone(&["apply"]),
            in_clone(&["doctor", "--offline"]),
            in_clone(&["doctor", "--all"]),
            in_clone(&["doctor", "--live"]),
            in_clone(&["doctor", "--only", "push"]).env("GIT_SSH_COMMAND", "ssh -v"),
            in_clone(&["doctor", "--only", "push", "--repo", "acme/app"]).env("GIT_SSH", "ssh"),
            in_clone(&["doctor", "--only", "actions"]),
            in_clone(&["status"]),
            in_clone(&["remove"]),
        ];
        for command in commands {
            let output = command.run();
            assert!(matches!(output.status.code(), Some(0 | 1)), "{output}");
            all.extend(started());
        }
        let body: String = key.private.lines().filter(|line| !line.starts_with('-')).collect();
        let mut secrets = vec![body, key.private.clone()];
        secrets.extend(seed.secrets());
        for program in ["git", "ssh", "sh", "gh", "coder", "codex", "claude"] {
            // sshd's own children belong to the rig
            let of_client = |started: &&Started| !started.names.contains("SSH_CONNECTION");
            let runs: Vec<_> =
                all.iter().filter(of_client).filter(|started| started.program == program).collect();
            assert!(!runs.is_empty(), "{program} was not started");
            let given = given(program);
            for Started { arguments, environment, names, .. } in runs {
                canary::assert_absent(program, arguments, &secrets);
                canary::assert_absent(program, environment, &secrets);
                let own = names.iter().find(|name| name.starts_with("PUSHREADY_"));
                assert_eq!(own, None, "{program} {arguments}");
                for name in &set {
                    let is_given = given.contains(name);
                    assert_eq!(names.contains(*name), is_given, "{name} of {program} {arguments}");
                    // nor under another name
                    let is_there = !canary::find(environment.as_bytes(), &value(name)).is_empty();
                    assert_eq!(is_there, is_given, "value of {name} in {program} {arguments}");
                    canary::assert_absent(program, arguments, &[value(name)]);
                }
                if matches!(program, "gh" | "coder") {
                    let allowed = [COMMON, &given].concat();
                    let more: Vec<_> =
                        names.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
                    assert!(more.is_empty(), "{program} has {more:?}");
                }
            }
        }
    });
}
