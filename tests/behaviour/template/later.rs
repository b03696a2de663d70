//! Scripts that run after the start: cron, stop, Coder's order of scripts, other modules.

use std::collections::BTreeSet;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    AUTH, CHECK, EVERYTHING, Host, ITS_VARIABLES, START, STOP, claude_token, everything, last_line,
    login,
};
use crate::support::{AGENT_PATH, Agent, Template, canary, fake_auth, sandbox};

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
        for (status, said) in [
            (1, ""),
            (3, "note     the login was not kept this time; the copy kept before stays\n"),
        ] {
            let path = ws.home().join(".local/bin/pushready");
            fs::remove_file(&path).unwrap();
            ws.write(".local/bin/pushready", format!("#!/bin/sh\nexit {status}\n"), 0o755);
            assert_eq!(agent.run(STOP).success().stdout, said);
        }

        // a pushready that hangs, which ignores signals, with a child that holds the output
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
fn cron_repairs_and_proves_in_one_line_and_each_workspace_has_its_own_minute() {
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
        agent.run(START).success().stdout_has("no changes needed");
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
fn the_empty_variables_of_claude_v4_are_not_a_login() {
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
