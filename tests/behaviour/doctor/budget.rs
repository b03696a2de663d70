//! The doctor ends within its budget, and does what it can where the machine gives it little.

use std::fs;

use serde_json::Value;

use super::{Lab, URL};
use crate::support::{Output, require, sandbox};

/// The status and the summary of a check on a subject.
fn result<'a>(report: &'a Value, id: &str, subject: &str) -> (&'a str, &'a str) {
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["id"] == id && check["subject"] == subject);
    let check = check.unwrap_or_else(|| panic!("no {id} of {subject}\n{report:#}"));
    (check["status"].as_str().unwrap(), check["summary"].as_str().unwrap())
}

fn ended_by_itself(output: &Output) {
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output}");
}

#[test]
fn clones_in_which_git_does_not_end_do_not_hold_the_others_up() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for clone in 1..24 {
            ws.cmd("cp").args(["-a", "src/app", &format!("src/{clone}")]).run().success();
        }
        for clone in 1..12 {
            lab.remove(&format!("src/{clone}/.git/config"));
            ws.cmd("mkfifo").arg(format!("src/{clone}/.git/config")).run().success();
        }
        let doctor = lab.doctor(&["--all"]).wrapped_in("timeout", ["30"]);
        let output = doctor.run();
        ended_by_itself(&output);
        let report = output.json();
        for clone in 1..12 {
            let (status, _) = result(&report, "git.remotes", &format!("clone ~/src/{clone}"));
            assert_eq!(status, "unknown", "{output}");
        }
        let other = result(&report, "git.remotes", &format!("{URL} (origin in ~/src/23)"));
        assert_eq!(other.0, "pass", "{output}");
        assert_eq!(result(&report, "push.write", URL).0, "pass", "{output}");
    });
}

#[test]
fn a_fifo_as_a_clones_configuration_passes_nothing() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for (clone, arguments) in [("app", &["--offline"][..]), ("other", &["--offline", "--all"])]
        {
            lab.fresh();
            ws.cmd("cp").args(["-a", "src/app", "src/other"]).run().success();
            lab.remove(&format!("src/{clone}/.git/config"));
            ws.cmd("mkfifo").arg(format!("src/{clone}/.git/config")).run().success();
            let output = lab.doctor(arguments).wrapped_in("timeout", ["30"]).run().fails(1);
            let report = output.json();
            let (status, summary) = result(&report, "git.config", &format!("clone ~/src/{clone}"));
            assert_eq!(status, "fail", "{output}");
            assert!(summary.contains("is a FIFO, not a regular file"), "{output}");
            let mut checks = report["checks"].as_array().unwrap().iter();
            let leaks = checks.find(|check| check["id"] == "leaks.remotes").unwrap();
            assert_eq!(leaks["status"], "unknown", "{output}");
        }
    });
}

/// Adds so many remotes of one host to the clone.
fn add_remotes(lab: &Lab, host: &str, count: usize) {
    let remote = |nth| format!("[remote \"{host}-{nth}\"]\n\turl = git@{host}:acme/{nth}.git\n");
    lab.append("src/app/.git/config", &(0..count).map(remote).collect::<String>());
}

#[test]
fn a_host_that_never_answers_does_not_hold_the_others_up() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        // a push goes to each of them
        let url = |nth: usize| format!("\tpushurl = git@dead.example:acme/{nth}.git\n");
        let urls: String = (0..200).map(url).collect();
        let remote = format!("[remote \"dead\"]\n\turl = git@dead.example:acme/0.git\n{urls}");
        lab.append("src/app/.git/config", &remote);
        lab.append("src/app/.git/config", "[remote]\n\tpushDefault = dead\n");
        ws.install(
            "ssh",
            "#!/bin/sh\ncase \"$1 $*\" in -G*) ;; *dead.example*) exec sleep 60 ;; esac\n\
             exec /usr/bin/ssh \"$@\"\n",
        );
        // beyond the 30 s of its checks, the report has to be written
        let output = lab.doctor(&["--only", "push"]).wrapped_in("timeout", ["33"]).run();
        ended_by_itself(&output);
        let report = output.json();
        for id in ["push.read", "push.write"] {
            assert_eq!(result(&report, id, URL).0, "pass", "{output}");
        }
        let first = result(&report, "push.read", "git@dead.example:acme/0.git");
        assert_eq!(first, ("unknown", "the server did not answer in time"), "{output}");
        let last = result(&report, "push.write", "git@dead.example:acme/99.git");
        assert_eq!(last.0, "unknown", "{output}");
        assert!(last.1.starts_with("the run ended before"), "{output}");
    });
}

#[test]
fn of_many_clones_as_many_urls_are_asked_about_as_there_is_time_for() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let clone = |folder: &str, url: &str| {
            ws.cmd("mkdir").args(["-p", &format!("{folder}/.git/objects")]).run().success();
            ws.cmd("mkdir").arg(format!("{folder}/.git/refs")).run().success();
            lab.append(&format!("{folder}/.git/HEAD"), "ref: refs/heads/main\n");
            let remote = format!("[remote \"origin\"]\n\turl = {url}\n");
            lab.append(&format!("{folder}/.git/config"), &remote);
        };
        for nth in 0..305 {
            clone(&format!("many/{nth}"), &format!("https://dead.example/acme/{nth}"));
        }
        // found after those: one that is asked about already, and one of the key's repository
        clone("many/last", "https://dead.example/acme/0");
        clone("other/keyed", URL);
        let output = lab.doctor(&["--all"]).wrapped_in("timeout", ["60"]).run();
        ended_by_itself(&output);
        let report = output.json();
        let asked = |report: &Value| {
            let checks = report["checks"].as_array().unwrap().iter();
            let others = checks.filter(|check| {
                let subject = check["subject"].as_str().unwrap_or_default();
                check["id"] == "push.write" && subject.starts_with("https://dead.example/")
            });
            others.count()
        };
        assert_eq!(asked(&report), 300, "{output}");
        let left_out = result(&report, "push.write", "5 others");
        assert_eq!(left_out.0, "unknown", "{output}");
        assert!(left_out.1.contains("5 more places than are asked"), "{output}");
        let keyed = result(&report, "git.remotes", &format!("{URL} (origin in ~/other/keyed)"));
        assert_eq!(keyed.0, "pass", "{output}");
        // where nobody asks, nothing is left out
        let output = lab.doctor(&["--all", "--offline"]).run();
        assert_eq!(asked(&output.json()), 0, "{output}");
        assert!(!output.stdout.contains(" others"), "{output}");
    });
}

/// What starts a thread or a child, in the C libraries of both builds.
const CALLS: &str = "clone,clone3,?fork,?vfork";

#[test]
fn where_no_thread_and_no_child_can_be_started_all_else_is_checked() {
    sandbox(|ws| {
        require("strace");
        let lab = Lab::new(ws);
        add_remotes(&lab, "dead.example", 300);
        for first in [1, 2, 5, 20] {
            let inject = format!("inject={CALLS}:error=EAGAIN:when={first}+");
            let trace = format!("trace={CALLS}");
            let options = ["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let output = lab.doctor(&[]).wrapped_in("strace", options).run();
            ended_by_itself(&output);
            let report = output.json();
            let mut checks = report["checks"].as_array().unwrap().iter();
            let login = checks.find(|check| check["id"] == "codex.login").unwrap();
            assert_eq!(login["status"], "pass", "{output}");
            assert!(!output.stderr.contains("pushready itself failed"), "{output}");
            let mut checks = report["checks"].as_array().unwrap().iter();
            let ssh = checks.find(|check| check["id"] == "ssh.client").unwrap();
            assert_ne!(ssh["code"], "ssh-missing", "{output}");
            // a thread that was started in time starts children
            let push = result(&report, "push.write", URL).0;
            assert!(push == "unknown" || push == "pass" && first > 1, "{push}\n{output}");
        }
    });
}

/// Of the machine, and not of ssh: the routing stays as it is.
#[test]
fn a_limit_of_files_or_processes_is_not_read_as_a_broken_ssh() {
    sandbox(|ws| {
        require("strace");
        let lab = Lab::new(ws);
        let of_files = [5, 6, 7, 8, 10, 12, 14].map(|most| format!("prlimit --nofile={most}"));
        let of_processes = [1, 2, 3, 5].map(|first| {
            let inject = format!("-e inject={CALLS}:error=EAGAIN:when={first}+");
            format!("strace -f -qq -o /dev/null -e trace={CALLS} {inject}")
        });
        for limit in of_files.iter().chain(&of_processes) {
            for is_new in [true, false] {
                lab.fresh();
                if is_new {
                    ws.sh("rm -r .local .ssh").run().success();
                }
                let before = ws.sh("cat .ssh/config .local/state/pushready/ssh_config").run();
                let apply =
                    lab.apply().wrapped_in("sh", ["-c", &format!("exec {limit} \"$@\""), "sh"]);
                let output = apply.run();
                ended_by_itself(&output);
                for wrong in ["ssh-missing", "ssh-route-broken", "itself failed"] {
                    assert!(!output.to_string().contains(wrong), "{limit} {wrong}: {output}");
                }
                if !is_new {
                    let after = ws.sh("cat .ssh/config .local/state/pushready/ssh_config").run();
                    assert_eq!(after.stdout, before.stdout, "{limit}: {output}");
                }
            }
        }
        // ssh is started, and cannot start what decides about the key
        let inject = format!("inject={CALLS}:error=EAGAIN:when=1+");
        ws.install(
            "ssh",
            &format!("#!/bin/sh\nexec strace -f -qq -o /dev/null -e trace={CALLS} -e {inject} /usr/bin/ssh \"$@\"\n"),
        );
        lab.fresh();
        ws.sh("rm -r .local .ssh").run().success();
        let output = lab.apply().run();
        ended_by_itself(&output);
        for wrong in ["ssh-missing", "ssh-route-broken", "ssh-config-invalid"] {
            assert!(!output.to_string().contains(wrong), "{wrong}: {output}");
        }
        fs::remove_file("/run/rig/bin/ssh").unwrap();
        for limit in &of_files {
            lab.fresh();
            let doctor = lab.doctor(&["--offline"]);
            let output =
                doctor.wrapped_in("sh", ["-c", &format!("exec {limit} \"$@\""), "sh"]).run();
            ended_by_itself(&output);
            for wrong in ["ssh-missing", "ssh-route-broken", "itself failed"] {
                assert!(!output.to_string().contains(wrong), "{limit} {wrong}: {output}");
            }
        }
    });
}

#[test]
fn a_log_that_cannot_be_written_ends_no_run() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let script = "pushready -v doctor --offline --json 2>/dev/full";
        let output = lab.doctor(&[]).wrapped_in("sh", ["-c", script]).run();
        ended_by_itself(&output);
        assert!(output.json()["checks"].is_array(), "{output}");
    });
}

#[test]
fn a_state_folder_that_cannot_be_made_is_not_waited_for() {
    sandbox(|ws| {
        let apply = ws.pushready(&["apply"]).env("XDG_STATE_HOME", "/proc/state");
        let apply = apply.env("PUSHREADY_GIT_NAME", "a").env("PUSHREADY_GIT_EMAIL", "a@b");
        let output = apply.wrapped_in("timeout", ["30"]).run();
        assert_ne!(output.status.code(), Some(124), "{output}");
        assert!(output.stderr.contains("state"), "{output}");
    });
}
