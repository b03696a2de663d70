//! The right key for each repository, for every way in which git names one.

use crate::support::{Access, Cmd, Coder, Everything, GitHost, KeyPair, Workspace, sandbox};

/// Two keys, one for a repository whose name is a prefix of the other's, and a third repository
/// without a key.
struct Lab {
    host: GitHost,
    app: KeyPair,
    app_two: KeyPair,
    coder: KeyPair,
}

const FORMS: &[&str] = &[
    "https://github.com/acme/NAME",
    "https://github.com/acme/NAME.git",
    "https://github.com/acme/NAME/",
    "git@github.com:acme/NAME.git",
    "git@github.com:acme/NAME",
    "git@github.com:/acme/NAME.git",
    "ssh://git@github.com/acme/NAME.git",
    "ssh://git@github.com:22/acme/NAME",
];

impl Lab {
    fn new(ws: &Workspace) -> Self {
        let host = GitHost::start();
        for name in ["acme/app", "acme/app-two", "acme/third"] {
            host.repository(name);
        }
        let app = host.deploy_key("acme/app", Access::Write);
        let app_two = host.deploy_key("acme/app-two", Access::Write);
        let coder = host.user_key("dev", &[("acme/third", Access::Write)]);
        let lab = Self { host, app, app_two, coder };
        lab.apply(ws).run().success().stdout_has("\nREADY ");
        lab
    }

    fn apply(&self, ws: &Workspace) -> Cmd {
        let keys = serde_json::json!({
            "acme/app": self.app.private,
            "https://github.com/acme/app-two.git": self.app_two.private,
        });
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEYS", keys.to_string())
            .env("PUSHREADY_KNOWN_HOSTS", self.host.known_hosts(&["github.com"]))
    }

    /// Clones, fetches and pushes `name` by every form of URL; every session must have used `key`.
    fn works_with(&self, ws: &Workspace, name: &str, key: &KeyPair, environment: &[(&str, &str)]) {
        let git = |args: &[&str], folder: &str| {
            let git = ws.git(args).current_dir(folder).env("GIT_TERMINAL_PROMPT", "0");
            environment.iter().fold(git, |git, (name, value)| git.env(name, *value)).run().success()
        };
        for (number, form) in FORMS.iter().enumerate() {
            let seen = self.host.sessions().len();
            let url = form.replace("NAME", name);
            let folder = format!("{name}-{number}");
            git(&["clone", "--quiet", &url, &folder], "");
            git(&["fetch", "--quiet"], &folder);
            git(&["commit", "--quiet", "--allow-empty", "-m", &url], &folder);
            git(&["push", "--quiet"], &folder);
            let sessions = self.host.sessions();
            assert!(sessions.len() >= seen + 3, "{url}: {sessions:#?}");
            for session in &sessions[seen..] {
                assert_eq!(
                    (&*session.key, &*session.verdict),
                    (&*key.fingerprint, "ok"),
                    "{url}: {session:?}"
                );
            }
            let pushed = self.host.head(&format!("acme/{name}"), "refs/heads/main");
            let local = git(&["rev-parse", "HEAD"], &folder).stdout.trim().to_owned();
            assert_eq!(pushed, Some(local), "{url}");
        }
    }
}

#[test]
fn each_repository_gets_its_own_key_by_every_form_of_url() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.works_with(ws, "app", &lab.app, &[]);
        lab.works_with(ws, "app-two", &lab.app_two, &[]);
    });
}

#[test]
fn the_same_holds_under_coder_gitssh() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let coder = Coder::install(Some(&lab.coder));
        let command = coder.git_ssh_command();
        let environment = [("GIT_SSH_COMMAND", &*command)];
        lab.works_with(ws, "app", &lab.app, &environment);
        lab.works_with(ws, "app-two", &lab.app_two, &environment);
    });
}

#[test]
fn a_repository_without_a_key_is_left_alone() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for form in ["https://github.com/acme/third", "https://github.com/acme/third.git"] {
            let effective = ws.git(&["ls-remote", "--get-url", form]).run().success().stdout;
            assert_eq!(effective.trim(), form);
        }
        let url = "git@github.com:acme/third.git";
        // no key of ours is offered for it
        let refused = ws.git(&["ls-remote", url]).run().fails(128);
        assert!(refused.stderr.contains("Permission denied (publickey)"), "{refused}");
        assert!(lab.host.sessions().is_empty());
        // and what worked before, Coder's own key, still does
        let coder = Coder::install(Some(&lab.coder));
        ws.git(&["ls-remote", url]).env("GIT_SSH_COMMAND", coder.git_ssh_command()).run().success();
        assert_eq!(lab.host.sessions()[0].key, lab.coder.fingerprint);
    });
}

#[test]
fn remotes_of_clones_are_switched_to_ssh_and_restored() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        ws.git(&["init", "--quiet", "src/app"]).run().success();
        ws.git(&["remote", "add", "origin", "https://github.com/Acme/app"])
            .current_dir("src/app")
            .run()
            .success();
        ws.git(&["remote", "add", "other", "https://github.com/acme/app-two"])
            .current_dir("src/app")
            .run()
            .success();
        let before = ws.read("src/app/.git/config");
        let apply = || {
            ws.pushready(&["apply"])
                .env("PUSHREADY_REPOSITORY", "acme/app")
                .env("PUSHREADY_DEPLOY_KEY", &*key.private)
                .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
        };
        apply().run().success().stdout_has("remotes");
        let expected =
            before.replace("https://github.com/Acme/app\n", "git@github.com:acme/app.git\n");
        assert_eq!(ws.read("src/app/.git/config"), expected);
        ws.git(&["fetch", "origin"]).current_dir("src/app").run().success();
        // a repository that is asked for no longer loses its key and gets its remote back
        apply()
            .env("PUSHREADY_REPOSITORY", "acme/else")
            .run()
            .success()
            .stdout_has("no longer configured");
        assert_eq!(ws.read("src/app/.git/config"), before);
    });
}

#[test]
fn a_host_key_that_is_not_the_pinned_one_is_refused() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        // github.com's real keys are pinned, and this host has none of them
        ws.pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .run()
            .success();
        let refused = ws.git(&["ls-remote", "git@github.com:acme/app.git"]).run().fails(128);
        assert!(refused.stderr.contains("Host key verification failed"), "{refused}");
        assert!(host.sessions().is_empty());
    });
}

/// Two scripts of one start may both install: the second one's file takes the place of the one that
/// runs.
#[test]
fn a_binary_replaced_or_removed_while_it_runs_is_not_a_missing_proc() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        let keys = serde_json::json!({"acme/app": key.private}).to_string();
        for (meanwhile, said) in [
            ("mv other/pushready here/pushready", "routing: 1 repository;"),
            ("rm here/pushready", "the running binary was removed"),
        ] {
            ws.sh("rm -rf .local .ssh .gitconfig here other fifo; mkdir here other; mkfifo fifo")
                .run()
                .success();
            ws.sh("for folder in here other; do cp \"$(command -v pushready)\" $folder; done")
                .run()
                .success();
            // it reads its variables from standard input, and so waits for us before it does
            // anything
            let script = format!(
                r#"here/pushready apply --stdin <fifo & exec 3>fifo
                until [ "$(cat /proc/$!/comm)" = pushready ]; do :; done
                {meanwhile}; printf %s "$VARIABLES" >&3; exec 3>&-; wait $!"#
            );
            let variables = serde_json::json!({"PUSHREADY_DEPLOY_KEYS": keys}).to_string();
            let apply = ws.sh(&script).env("VARIABLES", variables);
            let output = apply
                .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
                .run()
                .success();
            output.stdout_has(said).stdout_has("\nREADY ");
            ws.git(&["ls-remote", "git@github.com:acme/app.git"]).run().success();
        }
    });
}

/// The cause of a failure is reported once, and what waits for it says so: it is not a failure
/// without a name.
#[test]
fn remotes_wait_for_the_routing_that_failed() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        ws.git(&["init", "--quiet", "app"]).run().success();
        let remote = ["remote", "add", "origin", "https://github.com/acme/app"];
        ws.git(&remote).current_dir("app").run().success();
        ws.write(".ssh/config", "Host example\n", 0o600);
        ws.set_mode(".ssh", 0o500);
        let apply = || {
            ws.pushready(&["apply"])
                .env("PUSHREADY_REPOSITORY", "acme/app")
                .env("PUSHREADY_DEPLOY_KEY", &*key.private)
                .run()
        };
        let reported = apply()
            .fails(1)
            .stdout_has("FAIL     home-read-only routing: cannot use `/home/coder/.ssh/config`: ")
            .stdout_has(
                "the folder `/home/coder/.ssh` does not let this user write (Permission denied)",
            )
            .stdout_has("warn     home-read-only remotes: left alone, because routing failed")
            .stdout_has("NOT READY home-read-only routing\n");
        assert!(!reported.stdout.contains(".pushready"), "no name of a temporary file: {reported}");
        ws.set_mode(".ssh", 0o700);
        apply().success().stdout_has("switched 1 remote to SSH (1 clone)");
    });
}

#[test]
fn a_configuration_that_offers_no_keys_does_not_keep_ours_back() {
    sandbox(|ws| {
        let host = GitHost::start();
        host.repository("acme/app");
        let key = host.deploy_key("acme/app", Access::Write);
        let config = "Host *\n  PubkeyAuthentication no\n  PreferredAuthentications password\n";
        ws.write(".ssh/config", config, 0o600);
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
            .run()
            .success();
        ws.git(&["ls-remote", "git@github.com:acme/app.git"]).run().success();
    });
}

/// The trial with another configuration is for what is not written yet, or does not work.
#[test]
fn routing_that_is_in_place_is_tested_once() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.apply(ws).run().success();
        ws.install("ssh", "#!/bin/sh\necho \"$*\" >>/tmp/ssh\nexec /usr/bin/ssh \"$@\"\n");
        let started = || {
            std::fs::write("/tmp/ssh", "").unwrap();
            let output = everything.apply(ws).run().success();
            output.stdout_has("ssh chooses the right key (tested with 1 host)");
            let log = std::fs::read_to_string("/tmp/ssh").unwrap();
            ["ControlPath=%d/", "probe.pushready.invalid", "acme/app.git"]
                .map(|part| log.matches(part).count())
        };
        assert_eq!(started(), [1, 0, 1]);
        // ssh does not read it
        std::fs::remove_file(ws.home().join(".ssh/config")).unwrap();
        assert_eq!(started(), [1, 1, 2]);
        std::fs::remove_file(ws.home().join(".local/state/pushready/routes")).unwrap();
        assert_eq!(started(), [1, 1, 1]);
    });
}

/// Dotfiles that apply cannot write name our rules, with the home as its owner writes it.
#[test]
fn an_include_of_git_that_is_written_by_hand_is_enough() {
    sandbox(|ws| {
        let everything = Everything::new();
        let config = "[user]\n\tname = D\n\temail = d@example.com\n[include]\n\
                      \tpath = ~/.local/state/pushready/gitconfig\n";
        ws.write("store/gitconfig", config, 0o444);
        ws.set_mode("store", 0o555);
        std::os::unix::fs::symlink("store/gitconfig", ws.home().join(".gitconfig")).unwrap();
        for _ in 0..2 {
            everything.pushready(ws, &["apply"]).run().success();
            let url = ws.git(&["ls-remote", "--get-url", "https://github.com/acme/app"]);
            url.run().success().stdout_has("git@github.com:acme/app");
            ws.run(&["status"]).success();
        }
        ws.run(&["remove"]).success();
        assert_eq!(ws.read(".gitconfig"), config);
    });
}
