//! The leak suite: canaries in every variable, misplaced ones too, in files, in URLs of
//! clones and in answers of servers. None is in what a command prints or writes, or is given to a
//! child.

use std::fs;

use crate::children;
use crate::github_rig::server::{Reply, Server};
use crate::support::{CRATE, Cmd, KeyPair, Workspace, canary, fake_auth, sandbox};

/// The variables that pushready reads, secret or not, and one that it does not know.
fn variables() -> Vec<String> {
    // paths are printed, and without these no command runs
    let places = ["HOME", "PATH", "_HOME", "_DIR", "GIT_CONFIG_GLOBAL", "CODEX_SANDBOX"];
    let table = fs::read_to_string(format!("{CRATE}/src/variables.rs")).unwrap();
    let names: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.strip_prefix("    ")?.split_once(" \"")?;
            let (name, rest) = rest.split_once('"')?;
            let is_row =
                [" secret \"", " plain \"", " shared \""].iter().any(|kind| rest.starts_with(kind));
            is_row.then(|| name.to_owned())
        })
        .filter(|name| {
            name.starts_with("PUSHREADY_") || !places.iter().any(|place| name.contains(place))
        })
        .chain(["PUSHREADY_UNKNOWN".to_owned()])
        .collect();
    assert!(names.len() > 20, "{names:?}");
    names
}

/// Where a login, a key or what undoes a change is kept.
const HOLDERS: &[&str] = &[
    ".codex/auth.json",
    ".claude/.credentials.json",
    ".local/state/pushready/codex/",
    ".local/state/pushready/keys/",
    ".local/state/pushready/undo/",
    ".local/state/pushready/bin/",
    // the test's own
    ".netrc",
    ".git-credentials",
    "src/app/.git/config",
];

/// One secret of each kind.
fn secrets() -> Vec<String> {
    let filler = |nth: usize| format!("c{nth}anary{nth}").repeat(5);
    vec![
        format!("at-{}", filler(1)),
        format!("sk-ant-oat01-{}", filler(2).repeat(2)),
        format!("{}{}", concat!("gh", "p_"), &filler(3)[..36]),
        format!("rt_{}", filler(4)),
        KeyPair::generate("canary").private,
        fake_auth::ChatGpt { refresh_token: format!("rt_{}", filler(5)), ..fake_auth::chatgpt() }
            .json()
            .clone(),
    ]
}

/// What must not be seen of a secret: itself, or what it consists of.
fn parts(secret: &str) -> Vec<String> {
    if secret.starts_with("-----") {
        let body: String = secret.lines().filter(|line| !line.starts_with('-')).collect();
        return vec![body];
    }
    match serde_json::from_str::<serde_json::Value>(secret) {
        Ok(auth) => ["id_token", "access_token", "refresh_token"]
            .iter()
            .filter_map(|name| Some(auth["tokens"][name].as_str()?.to_owned()))
            .collect(),
        Err(_) => vec![secret.to_owned()],
    }
}

fn assert_no_file_has(ws: &Workspace, what: &str, secrets: &[String]) {
    for path in ws.snapshot().paths() {
        let file = ws.home().join(path);
        let shown = path.display().to_string();
        if file.is_file() && !HOLDERS.iter().any(|holder| shown.starts_with(holder)) {
            canary::assert_absent(&format!("{shown} ({what})"), fs::read(file).unwrap(), secrets);
        }
    }
}

/// Each form of each variable with one kind of secret: in few of them it is right, in all others
/// misplaced.
#[test]
fn a_secret_in_any_variable_is_not_printed() {
    sandbox(|ws| {
        let (all, variables) = (secrets(), variables());
        let forms = variables.iter().flat_map(|name| {
            let forms: &[&str] =
                if name.starts_with("PUSHREADY_") { &["", "_FILE", "_BASE64"] } else { &[""] };
            forms.iter().map(move |form| format!("{name}{form}"))
        });
        for (name, secret) in forms.zip(all.iter().cycle()) {
            let output = ws.pushready(&["-vvv", "apply", "--json"]).env(&name, secret).run();
            canary::assert_absent(&name, output.to_string(), &parts(secret));
        }
    });
}

#[test]
fn a_secret_in_all_variables_or_as_an_argument_is_not_printed() {
    sandbox(|ws| {
        let variables = variables();
        for secret in secrets() {
            let parts = parts(&secret);
            let everything =
                |cmd: Cmd| variables.iter().fold(cmd, |cmd, name| cmd.env(name, &secret));
            for arguments in [COMMANDS[1], COMMANDS[3], COMMANDS[7]] {
                let output = everything(ws.pushready(arguments)).run();
                let what = format!("{arguments:?} with every variable");
                canary::assert_absent(&what, output.to_string(), &parts);
            }
            assert_no_file_has(ws, "every variable", &parts);
            // a secret as an argument, where a name or a path belongs
            for arguments in [
                &["explain"][..],
                &["doctor", "--only"],
                &["doctor", "--skip"],
                &["doctor", "--offline", "--repo"],
                &["doctor", "--offline", "--also"],
                &["explain", "--push"],
                &["install", "--to"],
                &["ssh-match"],
                &[],
                &["apply"],
            ] {
                let output = ws.pushready(arguments).arg(&secret).run();
                let what = format!("{arguments:?} and a secret");
                // without the command line, which is the test's own
                let printed = output.stdout + &output.stderr;
                canary::assert_absent(&what, printed, &parts);
            }
            // one of them installed the program
            ws.sh("find . -mindepth 1 -delete").run().success();
        }
    });
}

const COMMANDS: &[&[&str]] = &[
    &["-vvv", "apply", "--dry-run"],
    &["-vvv", "apply"],
    &["apply", "--json"],
    &["-vvv", "doctor", "--offline"],
    &["doctor", "--offline", "--json", "--all"],
    &["doctor", "--short", "--offline", "--strict"],
    &["-vvv", "status"],
    &["status", "--json"],
    &["status", "--line"],
    &["-vvv", "remove", "--dry-run", "--json"],
];

/// Secrets in files of the home, in a clone, and in what servers answer.
#[test]
fn a_secret_in_a_file_or_an_answer_is_not_printed() {
    sandbox(|ws| {
        children::record_all(ws, &["git", "ssh", "sh"]);
        let canaries = secrets();
        let [at, claude, github, refresh, ..] = &canaries[..] else { panic!("{canaries:?}") };
        ws.git(&["init", "--quiet", "src/app"]).run().success();
        let in_app = |arguments: &[&str]| {
            ws.git(&[&["-C", "src/app"], arguments].concat()).run().success();
        };
        in_app(&["commit", "--quiet", "--allow-empty", "-m", "x"]);
        let url = |secret: &str| format!("https://x:{secret}@github.com/acme/app.git");
        in_app(&["remote", "add", "origin", &url(github)]);
        in_app(&["remote", "add", "other", &format!("https://{at}@git.corp.test/acme/other.git")]);
        in_app(&["config", "http.extraHeader", &format!("Authorization: Bearer {claude}")]);
        in_app(&["config", "credential.helper", &format!("!echo password={refresh}")]);
        ws.write(".netrc", format!("machine github.com login x password {github}\n"), 0o600);
        ws.write(".git-credentials", url(github), 0o600);
        ws.write(
            ".codex/auth.json",
            format!("{{\"tokens\": {{\"refresh_token\": \"{refresh}\""),
            0o600,
        );
        ws.write(".codex/config.toml", format!("model = \"{at}\"\nbroken = {at}\n"), 0o600);
        let settings =
            serde_json::json!({"env": {"ANTHROPIC_AUTH_TOKEN": claude}, "apiKeyHelper": claude});
        ws.write(".claude/settings.json", settings.to_string(), 0o600);
        ws.write(".claude/.credentials.json", format!("{{\"claudeAiOauth\": \"{claude}\""), 0o600);
        ws.write(".ssh/known_hosts", format!("github.com {github}\n"), 0o600);
        ws.write(".ssh/config", format!("Host x\n\tNonsense {at}\n"), 0o600);
        // a server that repeats what it was sent, and one that answers with secrets of its own
        let words = format!("{at} {claude} {github} {refresh}");
        let api = Server::start(move |request| {
            let sent = request.headers.get("authorization").cloned().unwrap_or_default();
            let body = serde_json::json!({"message": format!("no access with {sent} {words}")});
            Reply::new(403, body.to_string())
        });
        let command = |arguments: &[&str]| {
            ws.pushready(arguments)
                .env("PUSHREADY_GITHUB_API_URL", api.url())
                .env("PUSHREADY_GITHUB_STATUS_URL", api.url())
                .env("PUSHREADY_GITHUB_TOKEN", github)
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", claude)
                .env("PUSHREADY_DEPLOY_KEY", &canaries[4])
                .env("PUSHREADY_REPOSITORY", "acme/app")
                .current_dir("src/app")
        };
        let network: &[&[&str]] = &[
            &["-vvv", "doctor", "--only", "actions"],
            &["doctor", "--json", "--all"],
            &["-vvv", "doctor", "--only", "push,ssh,git"],
        ];
        let shown: Vec<String> = canaries.iter().take(5).flat_map(|secret| parts(secret)).collect();
        children::started();
        for arguments in COMMANDS.iter().chain(network) {
            let output = command(arguments).run();
            canary::assert_absent(&format!("{arguments:?}"), output.to_string(), &shown);
            for child in children::started() {
                let what = format!("{} of {arguments:?}", child.program);
                canary::assert_absent(&what, &child.arguments, &shown);
                canary::assert_absent(&what, &child.environment, &shown);
            }
        }
        assert!(api.requests().len() > 1, "the server was asked");
        let message = format!(
            "fatal: unable to access '{}': {at}\nremote: {claude} {refresh}\n",
            url(github)
        );
        for arguments in [&["explain", "--push", "-"][..], &["explain", "--push", "-", "--json"]] {
            let output = ws.pushready(arguments).stdin(message.clone()).run();
            canary::assert_absent(&format!("{arguments:?}"), output.to_string(), &shown);
        }
        // where nothing can be written
        ws.set_mode("", 0o500);
        for arguments in COMMANDS {
            let output = command(arguments).run();
            canary::assert_absent(&format!("{arguments:?}, read-only"), output.to_string(), &shown);
        }
        ws.set_mode("", 0o700);
        fs::remove_dir_all(ws.home().join(".claude")).unwrap();
        fs::remove_dir_all(ws.home().join(".codex")).unwrap();
        fs::remove_dir_all(ws.home().join(".ssh")).unwrap();
        assert_no_file_has(ws, "written", &shown);
    });
}

/// These are printed where they are paths or names.
#[test]
fn a_token_instead_of_a_folder_or_a_name_is_not_printed() {
    sandbox(|ws| {
        let login = format!("sk-ant-oat01-{}", "rig".repeat(20));
        for secret in secrets().into_iter().filter(|secret| !secret.contains('\n')) {
            let parts = parts(&secret);
            for variable in ["CODEX_HOME", "CLAUDE_CONFIG_DIR"] {
                for arguments in [
                    &["-vvv", "apply"][..],
                    &["-vvv", "doctor", "--offline"],
                    &["status"],
                    &["remove"],
                ] {
                    let command = ws.pushready(arguments).env(variable, &secret);
                    let output = command
                        .env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
                        .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &login)
                        .run();
                    let what = format!("{arguments:?} with {variable}");
                    canary::assert_absent(&what, output.stdout + &output.stderr, &parts);
                    assert_no_file_has(ws, &what, &parts);
                }
            }
            for arguments in [&["task", "status"][..], &["task", "create", "x", "--name"]] {
                let command = ws.pushready(arguments).arg(&secret);
                let output = command
                    .env("CODER_URL", "http://127.0.0.1:1")
                    .env("CODER_SESSION_TOKEN", "not-a-token")
                    .wrapped_in("timeout", ["5"])
                    .run();
                let printed = output.stdout + &output.stderr;
                canary::assert_absent(&format!("{arguments:?}"), printed, &parts);
            }
        }
    });
}
