//! The Coder module and the examples: what a template author writes is planned, applied and run as
//! the workspace's user.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fake_auth::{self, ChatGpt};
use crate::support::{
    AGENT_PATH, Access, Agent, CRATE, Coder, GitHost, KeyPair, Output, Release, Template,
    Workspace, canary, require, sandbox, sandbox_with,
};

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

        let first = agent
            .run(START)
            .success()
            .stdout_has("pushready 0.1.0 installed in /home/coder/.local/bin");
        assert!(last_line(&first).starts_with("READY "), "{first}");
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
        let second = agent.run(START).success().stdout_has("nothing to write");
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

#[test]
fn no_secret_stands_in_a_plan_a_script_or_a_command_line() {
    sandbox(|ws| {
        require("strace");
        let host = Host::start();
        let seed = fake_auth::chatgpt();
        let template = everything(ws, &host, &seed, "");
        let mut secrets = seed.secrets().to_vec();
        secrets.extend([seed.json(), claude_token(), host.key.private.clone()]);
        let plan = template.plan().success().stdout_has("(sensitive value)");
        canary::assert_absent("the plan", plan.to_string(), &secrets);
        let deployment = template.build(&[]);
        canary::assert_absent("the log of apply", &deployment.log, &secrets);
        for script in &deployment.scripts {
            canary::assert_absent(&script.address, &script.text, &secrets);
            // one element of argv: MAX_ARG_STRLEN
            assert!(
                script.text.len() < 128 << 10,
                "{} bytes in {}",
                script.text.len(),
                script.address
            );
        }
        for output in ["hook", "proof"] {
            let text = template.terraform(&["output", "-raw", output]).run().success().stdout;
            canary::assert_absent(output, &text, &secrets);
            assert!(text.starts_with("#!/bin/sh\n"), "{text}");
            // modules nest it in base64, twice
            assert!(text.len() < 30 << 10, "{output} is {} bytes", text.len());
        }
        let agent = Agent::of(ws, deployment);
        let log = "/tmp/exec.log";
        for address in [START, CHECK, STOP] {
            let strace = ["-f", "-qq", "-s", "1000000", "-e", "trace=execve", "-o", log];
            let traced = agent
                .cmd(&agent.deployment.script(address).text)
                .wrapped_in("strace", strace)
                .run()
                .success();
            canary::assert_absent(address, traced.to_string(), &secrets);
            let execs = fs::read(log).unwrap();
            assert!(
                String::from_utf8_lossy(&execs).contains("\"apply\""),
                "{address} did not apply"
            );
            canary::assert_absent("a command line", execs, &secrets);
        }
    });
}

/// A server out of reach is nobody's fault in the workspace: told, and not red.
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
        assert!(last_line(&run).starts_with("READY (nothing required"), "{run}");
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
        lax.run(START).success().stdout_has("pushready 0.1.0 installed in /home/coder/.local/bin");
        lax.shell("pushready --version").success().stdout_has("pushready 0.1.0");
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

#[test]
fn stopping_keeps_the_refreshed_login_and_waits_for_nothing() {
    sandbox(|ws| {
        let host = Host::start();
        let seed = fake_auth::chatgpt();
        let template = everything(ws, &host, &seed, "");
        let agent = Agent::of(ws, template.build(&[]));
        let stop = agent.deployment.script(STOP).clone();
        assert!(stop.at_stop && !stop.at_start && stop.timeout == 5);
        agent.run(START).success();
        ws.write(AUTH, seed.clone().refreshed().json(), 0o600);
        agent.run(STOP).success();
        let kept: Value =
            serde_json::from_str(&ws.read(".local/state/pushready/codex/last-good.json")).unwrap();
        assert_eq!(kept["tokens"]["refresh_token"], seed.refreshed().refresh_token.as_str());

        // 1 is of something else, such as a bad key; 3 is of apply itself
        for (status, said) in
            [(1, ""), (3, "note     not kept this time: the copy kept before stays\n")]
        {
            let path = ws.home().join(".local/bin/pushready");
            fs::remove_file(&path).unwrap();
            ws.write(".local/bin/pushready", format!("#!/bin/sh\nexit {status}\n"), 0o755);
            assert_eq!(agent.run(STOP).success().stdout, said);
        }

        // a pushready that hangs, deaf to signals, with a child that holds the output
        let path = ws.home().join(".local/bin/pushready");
        fs::remove_file(&path).unwrap();
        ws.write(
            ".local/bin/pushready",
            "#!/bin/sh\ntrap '' TERM HUP INT\nsleep 600 &\nsleep 600\n",
            0o755,
        );
        let began = Instant::now();
        agent.run(STOP).success().stdout_has("the copy kept before stays");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn cron_and_stop_bring_nothing_back_that_was_removed_and_a_start_does() {
    sandbox(|ws| {
        let host = Host::start();
        let template = everything(ws, &host, &fake_auth::chatgpt(), "");
        let agent = Agent::of(ws, template.build(&[]));
        agent.run(START).success();
        agent.shell("pushready remove").success();
        let removed = ws.snapshot();
        for address in [CHECK, STOP] {
            assert_eq!(
                agent.run(address).success().to_string().matches("READY").count(),
                0,
                "{address}"
            );
        }
        assert_eq!(removed.written(&ws.snapshot()), Vec::<PathBuf>::new());
        agent.run(START).success();
        assert!(ws.home().join(AUTH).exists());
    });
}

#[test]
fn cron_mends_and_proves_in_one_line_and_each_workspace_has_its_own_minute() {
    sandbox(|ws| {
        let host = Host::start();
        let seed = fake_auth::chatgpt();
        let template = everything(ws, &host, &seed, "");
        let cron = |id: &str| {
            template.build(&[("CODER_WORKSPACE_ID", id)]).script(CHECK).cron.clone().unwrap()
        };
        let schedules: BTreeSet<_> = ["one", "two", "three"].map(cron).into();
        assert_eq!(schedules.len(), 3, "{schedules:?}");
        for schedule in &schedules {
            let fields: Vec<_> = schedule.split(' ').collect();
            let [second, minute, "*", "*", "*", "*"] = fields[..] else { panic!("{schedule}") };
            let (minute, "30") = minute.split_once('/').unwrap() else { panic!("{schedule}") };
            assert!(
                second.parse::<u8>().unwrap() < 60 && minute.parse::<u8>().unwrap() < 30,
                "{schedule}"
            );
        }
        assert_eq!(
            schedules,
            ["one", "two", "three"].map(cron).into(),
            "they change from build to build"
        );

        let agent = Agent::of(ws, template.build(&[]));
        agent.run(START).success();
        let quiet = agent.run(CHECK).success();
        assert!(quiet.stdout.starts_with("READY ") && quiet.stdout.lines().count() == 1, "{quiet}");
        ws.write(AUTH, fake_auth::module_stub(), 0o644);
        agent.run(CHECK).success();
        assert_eq!(login(ws)["tokens"]["refresh_token"], seed.refresh_token.as_str());
        fs::remove_file("/srv/git/authorized_keys").unwrap();
        let refused = agent.run(CHECK).fails(1);
        assert!(last_line(&refused).starts_with("NOT READY ssh-key-refused"), "{refused}");
    });
}

#[test]
fn several_hooks_at_once_all_end_well() {
    sandbox(|ws| {
        let host = Host::start();
        let template = everything(ws, &host, &fake_auth::chatgpt(), "");
        let hook = template;
        let agent = Agent::of(ws, hook.build(&[]));
        let text = hook.terraform(&["output", "-raw", "hook"]).run().success().stdout;
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| agent.cmd(&text).run())).collect();
            for run in runs {
                let run = run.join().unwrap().success();
                assert!(last_line(&run).starts_with("READY "), "{run}");
            }
        });
        agent.run(START).success().stdout_has("nothing to write");
    });
}

#[test]
fn coder_exp_sync_is_taken_part_in_where_the_agent_serves_it() {
    sandbox(|ws| {
        let arguments = "sync_unit = \"pushready\"\n  sync_after = [\"coder-labs-codex-install_script\", \"other\"]";
        let template = Template::of_module(ws, arguments, "");
        let agent = Agent::of(ws, template.build(&[]));
        // no agent socket, and no coder at all
        agent.run(START).success();
        fs::create_dir("/tmp/coder.bin").unwrap();
        let coder = |script: &str| {
            fs::write("/tmp/coder.bin/coder", script).unwrap();
            fs::set_permissions("/tmp/coder.bin/coder", Permissions::from_mode(0o755)).unwrap();
        };
        let agent = agent.env("PATH", format!("/tmp/coder.bin:{AGENT_PATH}"));
        coder("#!/bin/sh\necho \"$*\" >>/tmp/sync\n[ \"$3\" != ping ]\n");
        agent.run(START).success();
        assert_eq!(fs::read_to_string("/tmp/sync").unwrap(), "exp sync ping\n");
        coder("#!/bin/sh\necho \"$*\" >>/tmp/sync\n");
        agent.run(START).success();
        assert_eq!(
            fs::read_to_string("/tmp/sync").unwrap().lines().skip(1).collect::<Vec<_>>(),
            [
                "exp sync ping",
                "exp sync want pushready coder-labs-codex-install_script other",
                "exp sync start pushready",
                "exp sync complete pushready",
            ]
        );
        // a unit that never ends is not our end
        coder("#!/bin/sh\n[ \"$3\" != start ]\n");
        agent.run(START).success().stderr_has("did not wait for the other scripts");
    });
}

const CODEX_V4: &str = r#"
module "codex" {
  source              = "registry.coder.com/coder-labs/codex/coder"
  version             = "4.3.1"
  agent_id            = coder_agent.main.id
  workdir             = "/home/coder/app"
  pre_install_script  = module.pushready.hook
  post_install_script = module.pushready.proof
}
"#;

#[test]
fn a_refreshed_login_survives_the_stub_that_codex_v4_writes() {
    sandbox(|ws| {
        let host = Host::start();
        let seed = fake_auth::chatgpt();
        let arguments = format!("{EVERYTHING}part = \"hooks\"");
        let template = Template::of_module(ws, &arguments, &format!("{ITS_VARIABLES}{CODEX_V4}"));
        template.variables(&json!({
            "codex": seed.json(), "claude": claude_token(), "app_key": host.key.private, "known_hosts": host.known_hosts(),
        }));
        let agent = Agent::of(ws, template.build(&[]));
        assert_eq!(
            agent.deployment.scripts.iter().filter(|script| script.at_start).count(),
            1,
            "ours would race"
        );
        let seen_by_codex = || -> Value {
            serde_json::from_str(&ws.read(".codex-module/seen-by-codex.json")).unwrap()
        };
        agent.start();
        assert_eq!(seen_by_codex()["tokens"]["refresh_token"], seed.refresh_token.as_str());
        assert!(
            ws.read(".codex-module/post_install.log").lines().last().unwrap().starts_with("READY ")
        );

        // Codex refreshes; the workspace is killed, so that no stop script runs; the next start
        let refreshed = seed.refreshed();
        ws.write(AUTH, refreshed.json(), 0o600);
        let agent = Agent::of(ws, agent.deployment);
        let starts = agent.start();
        assert_eq!(seen_by_codex()["tokens"]["refresh_token"], refreshed.refresh_token.as_str());
        assert_eq!(ws.mode(AUTH), 0o600);
        let secrets =
            [&refreshed.secrets()[..], &[claude_token(), host.key.private.clone()]].concat();
        for (address, output) in starts {
            // agentapi's main.sh traces what it runs, the text of the hooks too
            canary::assert_absent(&address, output.to_string(), &secrets);
        }
    });
}

#[test]
fn the_empty_variables_of_claude_v4_are_no_login() {
    sandbox(|ws| {
        let host = Host::start();
        let template = Template::of_module(
            ws,
            &format!("{EVERYTHING}part = \"hooks\""),
            &format!(
                "{ITS_VARIABLES}{}",
                CODEX_V4
                    .replace("coder-labs/codex/", "coder/claude-code/")
                    .replace("\"codex\"", "\"claude_code\"")
            ),
        );
        template.variables(&json!({
            "codex": fake_auth::chatgpt().json(), "claude": claude_token(), "app_key": host.key.private,
            "known_hosts": host.known_hosts(),
        }));
        let agent = Agent::of(ws, template.build(&[]));
        assert_eq!(agent.deployment.variables["CLAUDE_CODE_OAUTH_TOKEN"], "");
        for _ in 0..2 {
            agent.start();
            assert!(
                ws.read(".claude-module/post_install.log")
                    .lines()
                    .last()
                    .unwrap()
                    .starts_with("READY ")
            );
            assert!(ws.read(".claude/.credentials.json").contains(&claude_token()));
        }
    });
}

/// What the agent writes before any script; `echo -n` and `$(…)` lose the last line end.
fn write_user_secrets(ws: &Workspace, host: &Host, seed: &ChatGpt) {
    let write =
        |name: &str, text: &str| ws.write(&format!(".config/pushready/seed/{name}"), text, 0o600);
    write("codex-auth.json", &seed.json());
    write("claude-oauth-token", &claude_token());
    write("deploy-keys/github.com/acme/app", host.key.private.trim_end());
    // the rig's host is not the real github.com
    write("known_hosts", &host.known_hosts());
}

#[test]
fn the_screen_of_the_readme_is_all_that_it_takes() {
    sandbox(|ws| {
        let [ours, whole] =
            [include_str!("../../scripts/coder/README.md"), include_str!("../../README.md")]
                .map(|text| text.split_once("```tf\n").unwrap().1.split_once("```").unwrap().0);
        assert_eq!(ours, whole, "both have the same screen");
        let host = Host::start();
        let template = Template::of_readme(ws);
        let agent = Agent::of(ws, template.build(&[]));
        let names: Vec<_> = agent.deployment.variables.keys().collect();
        assert_eq!(names, ["PUSHREADY_CODEX_LEASE", "PUSHREADY_REQUIRE"]);
        write_user_secrets(ws, &host, &fake_auth::chatgpt());
        for _ in 0..2 {
            for (address, output) in agent.start() {
                let output = output.success();
                assert!(address != START || last_line(&output).starts_with("READY "), "{output}");
            }
        }
        assert_eq!(ws.read("app/README.md"), "# acme/app\n");
        let metadata = agent.deployment.metadata[0]["script"].as_str().unwrap();
        agent
            .cmd(metadata)
            .run()
            .success()
            .stdout_has("ready · push 1/1 · codex · claude · checked ");
    });
}

#[test]
fn example_coder_user_secrets() {
    sandbox(|ws| {
        let host = Host::start();
        let template = Template::of_example(ws, "coder-user-secrets");
        let agent = Agent::of(ws, template.build(&[]));
        let names: Vec<_> = agent.deployment.variables.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["PUSHREADY_CODEX_LEASE", "PUSHREADY_REQUIRE", "PUSHREADY_TRUSTED_FOLDERS"]
        );
        assert_eq!(agent.deployment.metadata.len(), 1);

        // nobody has made a secret yet: the clone fails, and the verdict says what is missing
        let starts = agent.start();
        let proof = &starts["module.proof.coder_script.start[0]"];
        assert_eq!(proof.status.code(), Some(1), "{proof}");
        assert!(last_line(proof).starts_with("NOT READY required-missing"), "{proof}");

        write_user_secrets(ws, &host, &fake_auth::chatgpt());
        let agent = Agent::of(ws, agent.deployment);
        for (address, output) in agent.start() {
            let output = output.success();
            if address == "module.proof.coder_script.start[0]" {
                assert!(last_line(&output).starts_with("READY "), "{output}");
            }
        }
        assert_eq!(ws.read("app/README.md"), "# acme/app\n");
        assert_eq!(login(ws)["tokens"]["refresh_token"], "", "a lease");
        // codex v5 discarded the first config.toml
        let config = ws.read(".codex/config.toml");
        assert!(
            config.contains("coder-managed") && config.contains("[projects.\"/home/coder/app\"]"),
            "{config}"
        );
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
        assert!(last_line(&green).starts_with("READY (nothing required"), "{green}");
        // two variables of one name: which of them the agent gets is not ours to say
        let refused = Template::of_module(ws, "part = \"before\"\n  require = [\"codex\"]", "")
            .plan()
            .fails(1);
        assert!(refused.stderr.contains("`after`"), "{refused}");
    });
}

#[test]
fn example_coder_tasks() {
    sandbox(|ws| {
        let host = Host::start();
        let template = Template::of_example(ws, "coder-tasks");
        template.variables(
            &json!({"codex_auth_json": fake_auth::chatgpt().json(), "app_key": host.key.private}),
        );
        let deployment = template.build(&[]);
        assert_eq!(deployment.variables["PUSHREADY_CODEX_LEASE"], "1");
        // the rig's host is not the real github.com
        let agent = Agent::of(ws, deployment).env("PUSHREADY_KNOWN_HOSTS", host.known_hosts());
        for _ in 0..2 {
            for output in agent.start().into_values() {
                output.success();
            }
            assert!(
                ws.read(".codex-module/post_install.log")
                    .lines()
                    .last()
                    .unwrap()
                    .starts_with("READY ")
            );
            let seen: Value =
                serde_json::from_str(&ws.read(".codex-module/seen-by-codex.json")).unwrap();
            assert_eq!(seen["tokens"]["access_token"], fake_auth::chatgpt().access_token());
            assert_eq!(seen["tokens"]["refresh_token"], "");
            // by the HTTPS address, over SSH, with the key that the hook brought
            assert_eq!(ws.read("app/README.md"), "# acme/app\n");
        }
        agent.shell("cd app && git -c user.name=T -c user.email=t@example.com commit -qm x --allow-empty && git push -q").success();
    });
}

/// Values of a plain Kubernetes list `[{name, …}]`, by name.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

/// A volume from a secret, as the kubelet mounts it: links into a dated folder, of root's and for
/// all to read.
fn mount_secret(volume: &Value, folder: &Path, secret: &[(&str, &str)]) {
    let dated = folder.join("..2026_01_31");
    for item in volume["secret"]["items"].as_array().unwrap() {
        let (key, path) = (item["key"].as_str().unwrap(), item["path"].as_str().unwrap());
        let content = secret.iter().find(|(name, _)| *name == key).unwrap().1;
        fs::create_dir_all(dated.join(path).parent().unwrap()).unwrap();
        fs::write(dated.join(path), content).unwrap();
        fs::set_permissions(dated.join(path), Permissions::from_mode(0o644)).unwrap();
        let first = path.split('/').next().unwrap();
        let link = folder.join(first);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(first), link).unwrap();
        }
    }
    symlink("..2026_01_31", folder.join("..data")).unwrap();
}

#[test]
fn example_pod() {
    // volumes of the pod below /opt; the sandbox's own system is read-only
    sandbox_with(&["--tmpfs", "/opt"], |ws| {
        let host = Host::start();
        let pod = fs::read_to_string(format!("{CRATE}/examples/pod/pod.yaml")).unwrap();
        let pod: Value = yaml_serde::from_str(&pod).unwrap();
        let spec = &pod["spec"];
        let init = named(&spec["initContainers"], "pushready");
        let main = named(&spec["containers"], "agent");
        let mount = |container: &Value, name: &str| {
            PathBuf::from(named(&container["volumeMounts"], name)["mountPath"].as_str().unwrap())
        };
        // an emptyDir is root's, and writable for everybody (kubelet, pkg/volume/emptydir): no
        // place for a login
        let mut mounts = main["volumeMounts"].as_array().unwrap().iter();
        assert!(mounts.all(|mount| !ws.home().starts_with(mount["mountPath"].as_str().unwrap())));
        let shared = mount(init, "pushready");
        fs::create_dir_all(&shared).unwrap();
        fs::set_permissions(&shared, Permissions::from_mode(0o2777)).unwrap();

        // the init container, whose image is the binary at its root
        let [program, arguments @ ..] = &words(&init["command"])[..] else { panic!("no command") };
        assert_eq!(*program, "/pushready");
        ws.run(arguments).success();
        assert!(shared.join("pushready").exists());

        let seed = mount(main, "seed");
        fs::create_dir_all(&seed).unwrap();
        let volume = named(&spec["volumes"], "seed");
        mount_secret(
            volume,
            &seed,
            &[("codex-auth.json", &fake_auth::chatgpt().json()), ("app.key", &host.key.private)],
        );
        ws.install("run-agent", "#!/bin/sh\necho \"agent at work\"\n");
        let container = |command: &Value| {
            let command = words(command);
            let mut cmd = ws
                .cmd(command[0])
                .args(&command[1..])
                .env("PATH", format!("/run/rig/bin:{AGENT_PATH}"));
            for variable in main["env"].as_array().unwrap() {
                cmd = cmd
                    .env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
            }
            // the rig's host is not the real github.com
            cmd.env("PUSHREADY_KNOWN_HOSTS", host.known_hosts())
        };
        let probe = &main["readinessProbe"]["exec"]["command"];
        container(probe).run().fails(1);
        let started = container(&main["command"]).run().success();
        assert_eq!(last_line(&started), "agent at work", "{started}");
        assert_eq!(login(ws)["tokens"]["refresh_token"], "", "a lease");
        container(probe).run().success().stdout_has("ready");

        // what is required is refused: no agent, and not ready
        fs::remove_file("/srv/git/authorized_keys").unwrap();
        let refused = container(&main["command"]).run().fails(1);
        assert!(last_line(&refused).starts_with("NOT READY ssh-key-refused"), "{refused}");
        container(probe).run().fails(1);
    });
}

#[test]
fn example_devcontainer() {
    sandbox(|ws| {
        let host = Host::start();
        let text = fs::read_to_string(format!(
            "{CRATE}/examples/devcontainer/.devcontainer/devcontainer.json"
        ))
        .unwrap();
        let text: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let config: Value = serde_json::from_str(&text).unwrap();
        let mount = config["mounts"][0].as_str().unwrap();
        let target = mount.split(',').find_map(|option| option.strip_prefix("target=")).unwrap();
        fs::create_dir_all(format!("{target}/deploy-keys/github.com/acme")).unwrap();
        fs::write(format!("{target}/codex-auth.json"), fake_auth::chatgpt().json()).unwrap();
        fs::write(format!("{target}/deploy-keys/github.com/acme/app"), &host.key.private).unwrap();
        fs::write(format!("{target}/known_hosts"), host.known_hosts()).unwrap();

        ws.write("app/.devcontainer/install.sh", Release::publish().installer(), 0o644);
        let command = |name: &str| {
            let mut cmd =
                ws.sh(config[name].as_str().unwrap()).current_dir("app").env("PATH", AGENT_PATH);
            for (name, value) in config["containerEnv"].as_object().unwrap() {
                cmd = cmd.env(name, value.as_str().unwrap());
            }
            cmd
        };
        command("onCreateCommand").run().success();
        for _ in 0..2 {
            let started = command("postStartCommand").run().success();
            assert!(last_line(&started).starts_with("READY "), "{started}");
        }
        assert_eq!(login(ws)["tokens"]["refresh_token"], "", "a lease");
    });
}

#[test]
fn a_refusal_names_the_repository_and_never_the_value() {
    sandbox(|ws| {
        let template = Template::of_module(
            ws,
            "deploy_keys = var.keys",
            "variable \"keys\" { sensitive = true }",
        );
        template.variables(&json!({"keys": {
            "acme/public": "ssh-ed25519 AAAAcanary", "acme/path": "~/canary", "acme/pkcs1": "BEGIN RSA PRIVATE KEY canary",
            "https://canary@github.com/acme/url": "canary",
        }}));
        let plan = template.plan().fails(1);
        let stderr = plan.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "acme/public is a public key",
            "acme/path is a path",
            "acme/pkcs1 is a key in another format than OpenSSH's",
            "https://***@github.com/acme/url is not a private key",
        ] {
            assert!(stderr.contains(said), "{said}: {plan}");
        }
        assert!(!plan.to_string().contains("canary"), "{plan}");
    });
}

/// Whatever the template says of its variables: a plan's log is for many eyes.
#[test]
fn a_plan_that_refuses_shows_no_secret_even_if_it_was_not_marked_as_one() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let body = key.private.lines().nth(1).unwrap();
        let in_base64 = key
            .private
            .replace('\n', "")
            .replace("OPENSSH PRIVATE KEY", "")
            .replace(['-', ' '], "");
        let token = claude_token();
        for mark in ["{ sensitive = true }", "{}"] {
            let refuses = |arguments: &str, secret: &str, said: &str| {
                let template =
                    Template::of_module(ws, arguments, &format!("variable \"secret\" {mark}"));
                template.variables(&json!({"secret": secret}));
                let plan = template.plan().fails(1);
                let shown = plan
                    .stderr
                    .split_whitespace()
                    .filter(|word| *word != "│")
                    .collect::<Vec<_>>()
                    .join(" ");
                assert!(shown.contains(said), "{arguments}, {said}: {plan}");
                canary::assert_absent(
                    arguments,
                    plan.to_string(),
                    &[secret.trim().to_owned(), body.to_owned(), token.clone()],
                );
            };
            let swapped = "deploy_keys = { (var.secret) = \"acme/app\" }";
            refuses(
                swapped,
                &key.private,
                "entry 1 of the map (not shown: it is not a repository)",
            );
            refuses(swapped, &in_base64, "(not shown: it is not a repository)");
            refuses(
                swapped,
                &format!("https://x:{token}@github.com/acme/app"),
                "(not shown: it is not a repository)",
            );
            if mark != "{}" {
                continue;
            }
            let user = "deploy_keys = { \"https://${var.secret}@github.com/acme/app?x=y\" = \"acme/app\" }";
            refuses(user, &token, "https://***@github.com/acme/app?*** is not a private key");
            refuses(
                "deploy_keys = { \"acme/app\" = var.secret }",
                &token,
                "acme/app is not a private key",
            );
            refuses("codex_auth_json = var.secret", &format!("sk-proj-{token}"), "not an API key");
            refuses(
                "claude_oauth_token = var.secret",
                &format!("sk-ant-api03-{token}"),
                "not an API key",
            );
            let two = "claude_other_auth = true\n  claude_oauth_token = var.secret";
            refuses(two, &token, "with two ways to log in");
        }
    });
}

/// As `tls_private_key` makes one: nothing is known of it while the plan is made.
#[test]
fn a_key_that_terraform_makes_is_judged_when_it_is_there() {
    sandbox(|ws| {
        let template = Template::of_module(
            ws,
            "deploy_keys = { \"acme/app\" = terraform_data.key.output }",
            "variable \"key\" {}\nresource \"terraform_data\" \"key\" {\n  input = var.key\n}",
        );
        let key = KeyPair::generate("app");
        template.variables(&json!({"key": key.public}));
        let refused = template.terraform(&["apply", "-no-color", "-auto-approve"]).run().fails(1);
        refused.stderr_has("acme/app is a public key");
        template.variables(&json!({"key": key.private}));
        let agent = Agent::of(ws, template.build(&[]));
        agent.run(START).success().stdout_has(&key.fingerprint);
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

#[test]
fn the_module_comes_by_git_too_and_from_a_checkout_with_other_line_ends() {
    sandbox(|ws| {
        let make = format!(
            "mkdir /tmp/repository && cd /tmp/repository && cp -r {CRATE}/scripts . && git init -q && git add . &&
             git -c user.name=T -c user.email=t@example.com commit -qm module && git tag v0.1.0 &&
             cp -r scripts/coder /tmp/windows && find /tmp/windows -type f -exec sed -i 's/$/\\r/' {{}} +"
        );
        ws.sh(&make).run().success();
        // from the repository, install.sh pins nothing
        let unpinned = Template::of_source(ws, "/tmp/repository/scripts/coder", "").plan().fails(1);
        let said = unpinned.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("set download_url") && said.contains("set pushready_version and sha256"),
            "{unpinned}"
        );

        let release = Release::publish();
        let arguments = format!(
            "download_url = \"{}\"\n  pushready_version = \"{}\"\n  sha256 = {{ {} = \"{}\" }}",
            release.folder,
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            release.sha256
        );
        for source in ["git::file:///tmp/repository//scripts/coder?ref=v0.1.0", "/tmp/windows"] {
            let template = Template::of_source(ws, source, &arguments);
            let agent = Agent::of(ws, template.build(&[]));
            assert!(agent.deployment.scripts.iter().all(|script| !script.text.contains('\r')));
            let run = agent.run(START).success();
            assert_eq!(last_line(&run).split(' ').next(), Some("READY"), "{source}: {run}");
        }
    });
}

#[test]
fn the_module_is_formatted_valid_and_passes_its_own_tests() {
    sandbox(|ws| {
        let template = Template::of_module(ws, "install = false", "");
        template.terraform(&["validate", "-no-color"]).run().success();
        for folder in ["scripts/coder", "tests/terraform", "examples"] {
            let folder = format!("{CRATE}/{folder}");
            template.terraform(&["fmt", "-check", "-diff", "-recursive", &folder]).run().success();
        }
        // init leaves a folder behind, and the sources are read-only
        ws.cmd("cp")
            .args(["-r", &format!("{CRATE}/scripts/coder"), "/tmp/author/module"])
            .run()
            .success();
        let in_module =
            |args: &[&str]| template.terraform(args).current_dir("/tmp/author/module").run();
        in_module(&["init", "-no-color"]).success();
        in_module(&["test", "-no-color"]).success().stdout_has(", 0 failed.");
    });
}
