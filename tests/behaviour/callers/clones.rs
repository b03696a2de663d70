//! Many keys, many clones, and where clones are searched.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use super::{Lab, effective, git};
use crate::support::{Access, KeyPair, Workspace, sandbox};

#[test]
fn fifty_keys_on_one_host_still_route_exactly() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        let names: Vec<String> = (0..50).map(|number| format!("acme/r{number}")).collect();
        for name in &names {
            let key = KeyPair::generate(name);
            lab.declared[name] = Value::String(key.private.clone());
            lab.keys.insert(name.clone(), key);
        }
        lab.host.repository("acme/r4");
        let key = lab.host.deploy_key("acme/r4", Access::Write);
        lab.declared["acme/r4"] = Value::String(key.private.clone());
        lab.keys.insert("acme/r4".into(), key);
        let applied = lab.apply(ws, &[]).success();
        applied
            .stdout_has("routing: 50 repositories")
            .stdout_has("`https://github.com/OWNER/REPO.git` goes over SSH, without `.git` it stays on HTTPS")
            .stdout_has("\nREADY ");
        // `r4` is the beginning of ten others
        for number in [0, 4, 40, 49] {
            let command = format!("git-receive-pack 'acme/r{number}.git'");
            let said =
                ws.cmd("ssh").args(["-G", "git@github.com", &command]).run().success().stdout;
            let file = said.lines().find_map(|line| line.strip_prefix("identityfile ")).unwrap();
            assert_eq!(
                fs::read_to_string(file).unwrap(),
                lab.keys[&format!("acme/r{number}")].private
            );
        }
        let none =
            ws.cmd("ssh").args(["-G", "git@github.com", "git-receive-pack 'acme/r50.git'"]).run();
        assert!(!none.stdout.contains("pushready/keys"), "{none}");
        lab.uses(&["acme/r4"], || {
            drop(git(ws, &["ls-remote", "https://github.com/acme/r4.git"], ""));
        });
        assert_eq!(
            effective(ws, "https://github.com/acme/r50.git"),
            "https://github.com/acme/r50.git"
        );
    });
}

/// The least that git and the search take for a clone.
fn clone_at(ws: &Workspace, folder: &str, url: &str) {
    ws.write(&format!("{folder}/HEAD"), "ref: refs/heads/main\n", 0o644);
    ws.write(&format!("{folder}/objects/info/alternates"), "", 0o644);
    ws.write(
        &format!("{folder}/config"),
        format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {url}\n"),
        0o644,
    );
}

#[test]
fn two_thousand_clones_are_judged_in_a_second() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.key("acme/app", "acme/app");
        for number in 0..2000 {
            let folder = format!("src/{}/{number}", number % 40);
            clone_at(ws, &format!("{folder}/.git"), "https://github.com/acme/third");
            for inner in ["src/a", "src/b", "docs"] {
                ws.write(&format!("{folder}/{inner}/file"), "", 0o644);
            }
        }
        clone_at(ws, "src/last/.git", "https://github.com/acme/app");
        lab.apply(ws, &[]).success().stdout_has("switched 1 remote to SSH (2001 clones)");
        // more than apply takes without clones; in time of the processor, because other tests run
        // beside this one
        let took = |roots: &str| {
            let apply =
                |script: &str| ws.sh(script).env("PUSHREADY_REMOTES_ROOTS", roots).run().success();
            apply("pushready apply");
            let took = apply("pushready apply && times").stdout_has("no changes needed").stdout;
            // `0m0.120s 0m0.030s`: the children's, as user and in the kernel
            let seconds = |time: &str| {
                let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
                60.0 * minutes.parse::<f64>().unwrap() + seconds.parse::<f64>().unwrap()
            };
            took.lines().last().unwrap().split(' ').map(seconds).sum::<f64>()
        };
        let (all, none) = (took("/home/coder"), took("/home/coder/src/a"));
        assert!(all < none + 1.0, "{all:?} s, {none:?} s without clones");
    });
}

#[test]
fn clones_are_searched_where_they_are_the_users_own_work() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.key("acme/app", "acme/app");
        let url = "https://github.com/acme/app";
        let found = [
            "a/.git",
            "1/2/3/4/5/six/.git",
            "bare.git",
            "a/.git/modules/lib",
            "a/.git/modules/lib/modules/deps/inner",
            "worktrees/.bare",
        ];
        let ignored = [
            "1/2/3/4/5/6/seven/.git",
            "a/nested/.git",
            "worktrees/main/nested/.git",
            "x/node_modules/p/.git",
            ".cache/p/.git",
            ".cargo/git/p/.git",
            ".rustup/p/.git",
            "go/pkg/mod/p/.git",
            "y/target/p/.git",
        ];
        for folder in found.iter().chain(&ignored) {
            clone_at(ws, folder, url);
        }
        // a folder of worktrees, which share the configuration of the bare repository beside them
        ws.write("worktrees/.git", "gitdir: ./.bare\n", 0o644);
        ws.write("worktrees/.bare/worktrees/main/commondir", "../..\n", 0o644);
        ws.write("worktrees/.bare/worktrees/main/HEAD", "ref: refs/heads/main\n", 0o644);
        let gitdir = ws.home().join("worktrees/.bare/worktrees/main").display().to_string();
        ws.write("worktrees/main/.git", format!("gitdir: {gitdir}\n"), 0o644);
        // outside the home, and on another filesystem
        fs::create_dir_all("/dev/shm/elsewhere").unwrap();
        clone_at(ws, "/dev/shm/elsewhere/.git", url);
        clone_at(ws, "/dev/here/.git", url);
        symlink("/dev/shm/elsewhere", ws.home().join("link")).unwrap();

        let said = format!("switched {} remotes to SSH ({} clones)", found.len(), found.len());
        lab.apply(ws, &[]).success().stdout_has(&said);
        let on_ssh = |folder: &str| {
            ws.read(&format!("{folder}/config")).contains("git@github.com:acme/app.git")
        };
        assert!(found.iter().all(|folder| on_ssh(folder)));
        assert!(!ignored.iter().any(|folder| on_ssh(folder)));
        assert!(!on_ssh("/dev/shm/elsewhere/.git"));
        lab.apply(ws, &[("PUSHREADY_REMOTES_ROOTS", "/dev")]).success();
        assert!(on_ssh("/dev/here/.git") && !on_ssh("/dev/shm/elsewhere/.git"));
    });
}

#[test]
fn a_search_root_is_searched_whatever_its_name_and_one_that_is_gone_is_named() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.key("acme/app", "acme/app");
        clone_at(ws, "target/app/.git", "https://github.com/acme/app");
        let roots = [("PUSHREADY_REMOTES_ROOTS", "~/target:~/gone:/etc/passwd")];
        lab.apply(ws, &roots)
            .success()
            .stdout_has("switched 1 remote to SSH (1 clone)")
            .stdout_has(
                "note     PUSHREADY_REMOTES_ROOTS names `~/gone` and `/etc/passwd`: not a folder",
            );
    });
}
