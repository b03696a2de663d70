//! Start scripts: install, apply, prove, and when they are red.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{AUTH, CHECK, Host, START, STOP, everything, last_line, login};
use crate::support::{Agent, Coder, KeyPair, Release, Template, fake_auth, sandbox};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a start leaves that could not install the binary.
const NOT_INSTALLED: &str = "/tmp/pushready-not-installed.1000";

#[test]
fn a_start_installs_applies_and_proves_and_the_next_one_fetches_and_writes_nothing() {
    sandbox(|ws| {
        let host = Host::start();
        let seed = fake_auth::chatgpt();
        let template = everything(ws, &host, &seed, "");
        let agent = Agent::of(ws, template.build(&[]));
        let status = agent.deployment.script(START).clone();
        assert!(status.at_start && !status.at_stop && !status.blocks_login);
        let metadata = |agent: &Agent| {
            let output =
                template.terraform(&["output", "-json", "metadata"]).run().success().json();
            agent.cmd(output["script"].as_str().unwrap()).run().success().stdout
        };
        assert_eq!(metadata(&agent), "starting\n");
        // an installation that failed leaves its log, and the dashboard names it
        let release = Release::publish();
        let hidden = format!("{}.away", release.folder);
        fs::rename(&release.folder, &hidden).unwrap();
        agent.run(START).fails(1);
        fs::rename(&hidden, &release.folder).unwrap();
        let line = metadata(&agent);
        let log = format!("{NOT_INSTALLED}/install.log");
        assert_eq!(line, format!("not ready: pushready is not installed: see {log}\n"));
        assert!(fs::read_to_string(&log).unwrap().contains("error: cannot "), "{log}");

        let first = agent
            .run(START)
            .success()
            .stdout_has(&format!("pushready {VERSION} installed in /home/coder/.local/bin"));
        assert!(last_line(&first).starts_with("READY "), "{first}");
        assert!(!fs::exists(NOT_INSTALLED).unwrap(), "removed by the installation that succeeds");
        let verdicts = first
            .stdout
            .lines()
            .filter(|line| line.starts_with("READY") || line.starts_with("NOT READY"));
        assert_eq!(verdicts.count(), 1, "{first}");
        assert_eq!(first.stderr, "", "the dashboard shows it as errors");
        // that it was installed, and eight
        assert!(first.stdout.lines().count() <= 9, "{first}");
        assert_eq!(login(ws)["tokens"]["refresh_token"], seed.refresh_token.as_str());
        assert_eq!(ws.mode(AUTH), 0o600);
        assert!(
            metadata(&agent).starts_with("ready · push 1/1 · codex · claude · checked "),
            "{}",
            metadata(&agent)
        );

        // the next start of the same workspace: a new agent, the same home, and no release far and
        // wide
        fs::remove_dir_all(Release::publish().folder).unwrap();
        let before = ws.snapshot();
        let agent = Agent::of(ws, agent.deployment);
        let second = agent.run(START).success().stdout_has("no changes needed");
        assert!(last_line(&second).starts_with("READY ") && second.stderr.is_empty(), "{second}");
        let state = Path::new(".local/state/pushready");
        let mut written = before.written(&ws.snapshot());
        written.retain(|path| path != state && *path != state.join("doctor.json"));
        assert_eq!(written, Vec::<PathBuf>::new());
        agent.shell("pushready status").success().stdout_has("ready");
        agent
            .shell("git clone --quiet https://github.com/acme/app && git -C app push --quiet --dry-run")
            .success();
    });
}

#[test]
fn hostile_values_arrive_byte_for_byte() {
    sandbox(|ws| {
        let hostile = "it's \"q\" $HOME ${HOME} `id` $(id) %s \\ \u{1f511}\nline\t$";
        let mut seed: Value = serde_json::from_str(&fake_auth::chatgpt().json()).unwrap();
        // as large as it may be
        seed["tokens"]["refresh_token"] = json!(hostile);
        let padding = "$".repeat(90_000 - seed.to_string().len());
        seed["tokens"]["refresh_token"] = json!(format!("{hostile}{padding}"));
        assert_eq!(seed.to_string().len(), 90_000);
        let key = KeyPair::generate("it's \"q\" $HOME ${HOME} `id` %s");
        let known = KeyPair::generate("known").public;
        let template = Template::of_module(
            ws,
            "codex_auth_json = var.codex\n  deploy_keys = var.keys\n  known_hosts = var.known_hosts\n  per_user_logins = true",
            "variable \"codex\" { sensitive = true }\nvariable \"keys\" { sensitive = true }\nvariable \"known_hosts\" {}",
        );
        template.variables(&json!({
            "codex": seed.to_string(),
            "keys": {"acme/app": key.private, "git.corp.test/ops/tools": key.private.replace('\n', "\r\n")},
            "known_hosts": format!("# it's $HOME\ngit.corp.test {known}\n"),
        }));
        let agent = Agent::of(ws, template.build(&[]));
        agent.run(START).success().stdout_has("repaired: CRLF line ends");
        assert_eq!(login(ws), seed);
        let keys: Vec<_> =
            fs::read_dir(ws.home().join(".local/state/pushready/keys")).unwrap().collect();
        let keys: Vec<_> = keys
            .into_iter()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        assert_eq!(keys, [key.private.clone(), key.private]);
        // and every process of the workspace can still be started
        agent.shell("true").success();
    });
}

/// The developer has made no secret yet. The log of the clone ends with git's own failure, so the
/// hook before it is quiet, and the start script reports each thing once.
#[test]
fn a_first_start_without_secrets_says_once_what_is_missing() {
    sandbox(|ws| {
        let template = Template::of_module(
            ws,
            "require = [\"codex\", \"claude\", \"push:acme/app\"]\n  wait_seconds = 0",
            "output \"hook\" { value = module.pushready.hook }",
        );
        let agent = Agent::of(ws, template.build(&[]));
        let hook = template.terraform(&["output", "-raw", "hook"]).run().success().stdout;
        let commands = [
            "coder secret create codex --file '~/.config/pushready/seed/codex-auth.json'",
            "coder secret create claude --file '~/.config/pushready/seed/claude-oauth-token'",
            "coder secret create app --file '~/.config/pushready/seed/deploy-keys/github.com/acme/app'",
        ];
        let quiet = agent.cmd(&hook).run().success();
        assert_eq!(
            last_line(&quiet),
            "note     something required is missing: the verdict of the start script names it, and how to create it"
        );
        assert!(!quiet.stdout.contains("required-missing") && quiet.stderr.is_empty(), "{quiet}");
        for script in [START, CHECK] {
            let run = agent.run(script).fails(1);
            assert!(last_line(&run).starts_with("NOT READY required-missing"), "{run}");
            for command in commands {
                assert_eq!(run.stdout.matches(command).count(), 1, "{script}, {command}: {run}");
            }
            assert_eq!(run.stdout.matches("required-missing").count(), 3, "{script}: {run}");
            assert!(!run.stdout.contains("not-provisioned"), "{script}: {run}");
        }
        // and what else is wrong is in both logs
        ws.write(".config/pushready/seed/deploy-keys/github.com/acme/app", "no key", 0o600);
        agent.cmd(&hook).run().success().stdout_has("key-malformed");
        agent.run(START).fails(1).stdout_has("key-malformed");
    });
}

/// A server out of reach is not a fault of the workspace: reported, and not red.
#[test]
fn red_is_for_what_is_required_alone() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let agent = |arguments: &str, variables: &Value| {
            let arguments = format!("wait_seconds = 0\n  deploy_keys = var.keys\n  {arguments}");
            let template =
                Template::of_module(ws, &arguments, "variable \"keys\" { sensitive = true }");
            template.variables(variables);
            Agent::of(ws, template.build(&[]))
        };
        let good = json!({"keys": {"acme/app": key.private}});
        // nobody listens on github.com here
        let run = agent("require = [\"push:acme/app\"]", &good).run(START).success();
        assert!(last_line(&run).starts_with("UNKNOWN ssh-port-blocked"), "{run}");
        let run = agent("require = [\"codex\", \"push:acme/app\"]", &good).run(START).fails(1);
        assert!(last_line(&run).starts_with("NOT READY required-missing codex"), "{run}");
        // somebody else's damaged key
        let damaged = key.private.replacen("AAAA", "AAAB", 1);
        let bad = json!({"keys": {"acme/app": key.private, "acme/other": damaged}});
        let run = agent("require = [\"push:acme/app\"]", &bad).run(START).success();
        assert!(run.stdout.contains("key-malformed"), "{run}");
        agent("require = [\"push:acme/other\"]", &bad).run(START).fails(1);
        // a template that requires nothing any more
        let run = agent("", &bad).run(START).success();
        assert!(last_line(&run).starts_with("NOTHING REQUIRED WAS CHECKED"), "{run}");
    });
}

#[test]
fn a_download_that_fails_is_red_only_where_something_is_required() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let agent = |arguments: &str| {
            let arguments = format!("wait_seconds = 0\n  deploy_keys = var.keys\n  {arguments}");
            let template =
                Template::of_module(ws, &arguments, "variable \"keys\" { sensitive = true }");
            template.variables(&json!({"keys": {"acme/app": key.private}}));
            Agent::of(ws, template.build(&[]))
        };
        let (lax, strict) = (agent(""), agent("require = [\"codex\"]"));
        // not what SHA256SUMS says
        let release = Release::publish();
        fs::remove_file(&release.binary).unwrap();
        fs::write(&release.binary, "#!/bin/sh\ntouch /home/coder/ran\n").unwrap();
        let run = lax.run(START).success().stderr_has("nothing was installed");
        assert_eq!(last_line(&run), "NOT READY pushready could not be installed");
        let log = fs::read_to_string(format!("{NOT_INSTALLED}/install.log")).unwrap();
        assert!(log.contains("nothing was installed"), "{log}");
        strict.run(START).fails(1);
        assert_eq!(lax.run(STOP).success().stdout, "");
        assert_eq!(lax.run(CHECK).success().stdout, "");

        // on a persistent home an older one may be there: better than nothing, and replaced as soon
        // as that can be
        let older = "#!/bin/sh\necho \"older $*\"\ncase $* in *--required*) exit 2 ;; apply) echo READY ;; esac\n";
        ws.write(".local/bin/pushready", older, 0o755);
        let run = lax
            .run(START)
            .success()
            .stdout_has("continuing with the installed version: older --version\nolder apply\n");
        assert_eq!(last_line(&run), "NOT READY the doctor could not run: older --version");
        strict.run(START).fails(1);
        // nor may one that cannot read the receipt of a newer one leave the log without a verdict
        let mute = "#!/bin/sh\n[ \"$1\" != --version ] || exec echo older\necho 'error: a newer receipt' >&2\nexit 1\n";
        ws.write(".local/bin/pushready", mute, 0o755);
        let run = lax.run(START).success().stderr_has("a newer receipt");
        assert_eq!(last_line(&run), "NOT READY the doctor could not run: older");
        strict.run(START).fails(1);
        assert!(!ws.home().join("ran").exists());
        Release::publish();
        let installed = format!("pushready {VERSION} installed in /home/coder/.local/bin");
        lax.run(START).success().stdout_has(&installed);
        lax.shell("pushready --version").success().stdout_has(&format!("pushready {VERSION}"));
    });
}

#[test]
fn the_users_shell_does_not_matter() {
    sandbox(|ws| {
        let host = Host::start();
        let template = everything(ws, &host, &fake_auth::chatgpt(), "");
        let mut deployment = Some(template.build(&[]));
        for shell in ["/usr/bin/fish", "/bin/dash"] {
            let agent =
                Agent::of(ws, deployment.take().unwrap()).login_shell(shell).env("SHELL", shell);
            let run = agent.run(START).success();
            assert!(last_line(&run).starts_with("READY "), "{shell}: {run}");
            agent.run(CHECK).success();
            agent.run(STOP).success();
            deployment = Some(agent.deployment);
        }
    });
}

#[test]
fn an_unclaimed_prebuild_gets_repository_keys_alone_and_its_claim_the_rest() {
    sandbox(|ws| {
        let host = Host::start();
        let template = everything(ws, &host, &fake_auth::chatgpt(), "");
        let unclaimed = Agent::of(ws, template.build(&[("CODER_WORKSPACE_IS_PREBUILD", "true")]));
        let names: Vec<_> = unclaimed.deployment.variables.keys().map(String::as_str).collect();
        assert!(
            !names.iter().any(|name| name.contains("CODEX_AUTH") || name.contains("CLAUDE")),
            "{names:?}"
        );
        unclaimed.run(START).success();
        unclaimed.run(CHECK).success();
        unclaimed.run(STOP).success();
        unclaimed.shell("git ls-remote -q git@github.com:acme/app.git").success();
        assert!(!ws.home().join(AUTH).exists() && !ws.home().join(".claude").exists());

        // never red, whatever is wrong: an agent that is not ready cannot be claimed
        fs::remove_dir_all(ws.home().join(".local/bin")).unwrap();
        fs::remove_dir_all(Release::publish().folder).unwrap();
        Agent::of(ws, unclaimed.deployment)
            .run(START)
            .success()
            .stdout_has("could not be installed");

        Release::publish();
        let claimed =
            Agent::of(ws, template.build(&[("CODER_WORKSPACE_IS_PREBUILD_CLAIM", "true")]));
        let run = claimed.run(START).success();
        assert!(last_line(&run).starts_with("READY "), "{run}");
        assert!(
            ws.home().join(AUTH).exists() && ws.home().join(".claude/.credentials.json").exists()
        );
    });
}

/// Whatever the scripts started is gone with them: the agent takes an open pipe for a failure.
#[test]
fn no_process_outlives_a_script_and_keeps_its_output_open() {
    sandbox(|ws| {
        let host = Host::start();
        let template = everything(ws, &host, &fake_auth::chatgpt(), "");
        let agent = Agent::of(ws, template.build(&[]));
        for address in [START, CHECK, STOP] {
            let mut child = agent.cmd(&agent.deployment.script(address).text).spawn();
            let status = child.wait().unwrap();
            assert!(status.success(), "{address}: {status}");
            let (ended, end) = mpsc::channel();
            std::thread::spawn(move || {
                for pipe in [
                    &mut child.stdout.take().unwrap() as &mut dyn Read,
                    &mut child.stderr.take().unwrap(),
                ] {
                    pipe.read_to_end(&mut Vec::new()).unwrap();
                }
                ended.send(()).unwrap();
            });
            end.recv_timeout(Duration::from_secs(5))
                .unwrap_or_else(|_| panic!("{address} left a process behind"));
        }
    });
}

/// What the last build required is in the receipt, and stays red until an instance says otherwise.
#[test]
fn what_before_and_after_no_longer_require_is_red_no_longer() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let after = |require: &str| {
            let more = format!(
                "variable \"keys\" {{ sensitive = true }}\nmodule \"proof\" {{\n  source = \"./pushready\"\n  agent_id = coder_agent.main.id\n  part = \"after\"\n  wait_seconds = 0\n  {require}\n}}"
            );
            let template =
                Template::of_module(ws, "part = \"before\"\n  deploy_keys = var.keys", &more);
            template.variables(&json!({"keys": {"acme/app": key.private}}));
            let agent = Agent::of(ws, template.build(&[]));
            agent.run(START).success();
            agent.run("module.proof.coder_script.start[0]")
        };
        let red = after("require = [\"codex\"]").fails(1);
        assert!(last_line(&red).starts_with("NOT READY required-missing codex"), "{red}");
        let green = after("").success();
        assert!(last_line(&green).starts_with("NOTHING REQUIRED WAS CHECKED"), "{green}");
        // two variables of one name: which of them the agent gets is not ours to say
        let refused = Template::of_module(ws, "part = \"before\"\n  require = [\"codex\"]", "")
            .plan()
            .fails(1);
        assert!(refused.stderr.contains("`after`"), "{refused}");
    });
}

/// `coder gitssh` asks the server for the user's key, which an agent with `no_user_data` may not
/// have.
#[test]
fn git_ssh_command_helps_an_agent_without_user_data() {
    sandbox(|ws| {
        let host = Host::start();
        let coder = Coder::install(None);
        let build = |more: &str| {
            let template =
                everything(ws, &host, &fake_auth::chatgpt(), &format!("wait_seconds = 0\n{more}"));
            Agent::of(ws, template.build(&[])).env("GIT_SSH_COMMAND", coder.git_ssh_command())
        };
        let blocked = build("").run(START).success();
        assert!(last_line(&blocked).starts_with("UNKNOWN gitssh-blocked"), "{blocked}");
        let ready = build("git_ssh_command = \"ssh\"").run(START).success();
        assert!(last_line(&ready).starts_with("READY "), "{ready}");
    });
}
