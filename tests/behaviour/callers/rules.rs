//! The rules that git's configuration has beside ours, and every forge's spelling.

use std::os::unix::fs::symlink;

use super::{Lab, effective, git};
use crate::support::{Access, KeyPair, Workspace, sandbox};

#[test]
fn every_forge_in_its_own_spelling() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        // declared as, where it is on the host, its neighbour there, URLs
        let forges: &[(&str, &str, &str, &[&str])] = &[
            (
                "gitlab.com/group/sub/deep/app",
                "group/sub/deep/app",
                "group/sub/deep/app-two",
                &["https://gitlab.com/group/sub/deep/app", "git@gitlab.com:group/sub/deep/app.git"],
            ),
            (
                "https://bitbucket.org/space/app",
                "space/app",
                "space/app2",
                &["https://bitbucket.org/space/app.git", "git@bitbucket.org:space/app.git"],
            ),
            (
                "https://org@dev.azure.com/org/my%20project/_git/my%20app",
                "v3/org/my%20project/my%20app",
                "v3/org/my%20project/my%20app%20two",
                &[
                    "https://org@dev.azure.com/org/my%20project/_git/my%20app",
                    "https://dev.azure.com/org/my%20project/_git/my%20app",
                    "git@ssh.dev.azure.com:v3/org/my%20project/my%20app",
                    "ssh://git@ssh.dev.azure.com/v3/org/my%20project/my%20app",
                ],
            ),
            (
                "https://git.sr.ht/~user/app",
                "~user/app",
                "~user/app-two",
                &[
                    "https://git.sr.ht/~user/app",
                    "git@git.sr.ht:~user/app",
                    "ssh://git@git.sr.ht/~user/app",
                ],
            ),
            (
                "ghe.corp.test/team/app",
                "team/app",
                "team/app.js",
                &["https://ghe.corp.test/team/app", "git@ghe.corp.test:team/app.git"],
            ),
            (
                "ssh://git@git.corp.test:2222/gitea/app.git",
                "gitea/app",
                "gitea/app_two",
                &["https://git.corp.test/gitea/app", "ssh://git@git.corp.test:2222/gitea/app.git"],
            ),
            (
                "https://git.corp.test/scm/prj/app",
                "prj/app",
                "prj/app-two",
                &[
                    "https://git.corp.test/scm/prj/app.git",
                    "ssh://git@git.corp.test:7999/prj/app.git",
                ],
            ),
        ];
        for (declared, path, neighbour, _) in forges {
            lab.host.repository(path);
            lab.host.repository(neighbour);
            lab.key(declared, path);
        }
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        for (_, path, neighbour, urls) in forges {
            let (name, other) =
                (path.rsplit('/').next().unwrap(), neighbour.rsplit('/').next().unwrap());
            for url in *urls {
                lab.uses(&[path], || drop(git(ws, &["ls-remote", url], "")));
                let near = url.replace(name, other);
                assert_eq!(effective(ws, &near), near);
            }
            // over SSH the neighbour is offered no key of ours
            let near = urls.last().unwrap().replace(name, other);
            lab.uses(&[], || drop(ws.git(&["ls-remote", &near]).run().fails(128)));
        }
    });
}

/// A home as people have it: their own keys, hosts and aliases, shared connections, rules, all
/// behind symlinks into a repository of dotfiles.
fn home_in_use(ws: &Workspace, own_key: &KeyPair) {
    ws.write("dotfiles/ssh/key", &own_key.private, 0o600);
    let ssh = "# mine\nHost work\n  HostName github.com\n  User git\n  IdentityFile ~/.ssh/key\n\n\
               Host github.com\n  User git\n  IdentityFile ~/.ssh/key\n  IdentitiesOnly yes\n\n\
               Match host github.com user nobody\n  ForwardAgent no\n\n\
               Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/cm-%C\n  ControlPersist 20\n  ServerAliveInterval 30\n";
    ws.write("dotfiles/ssh/config", ssh, 0o600);
    let gitconfig = "[user]\n\tname = Me\n\temail = me@example.com\n[alias]\n\tst = status\n\
                     [include]\n\tpath = ~/dotfiles/more\n[pull]\n\trebase = true\n[core]\n\tsshCommand = ssh -4\n";
    ws.write("dotfiles/gitconfig", gitconfig, 0o644);
    ws.write("dotfiles/more", "[url \"https://github.com/acme/\"]\n\tinsteadOf = acme:\n", 0o644);
    git(ws, &["init", "--quiet", "dotfiles"], "");
    symlink("dotfiles/ssh", ws.home().join(".ssh")).unwrap();
    symlink("dotfiles/gitconfig", ws.home().join(".gitconfig")).unwrap();
}

#[test]
fn a_home_full_of_settings_keeps_them_all() {
    sandbox(|ws| {
        let lab = Lab::github();
        let own = lab.host.user_key("me", &[("acme/third", Access::Write)]);
        home_in_use(ws, &own);
        let before = ws.snapshot();
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        assert!(ws.home().join(".ssh").is_symlink() && ws.home().join(".gitconfig").is_symlink());
        let third = |url: &str| lab.key_of(|| drop(git(ws, &["ls-remote", url], "")));
        // the user's own connection is open, and shared; a keyed repository must not ride on it,
        // nor lend its own
        for _ in 0..2 {
            assert_eq!(third("git@github.com:acme/third.git").as_ref(), Some(&own.fingerprint));
            lab.uses(&["acme/app"], || {
                drop(git(ws, &["ls-remote", "git@github.com:acme/app.git"], ""));
            });
            lab.uses(&["acme/app-lib"], || {
                drop(git(ws, &["ls-remote", "https://github.com/acme/app-lib"], ""));
            });
        }
        ws.cmd("ssh").args(["-O", "check", "git@github.com"]).run().success();
        assert_eq!(third("work:acme/third.git").as_ref(), Some(&own.fingerprint));
        assert_eq!(effective(ws, "acme:third"), "https://github.com/acme/third");
        let git_says =
            git(ws, &["config", "--get-regexp", "^(user|alias|pull|core)\\."], "").stdout;
        assert_eq!(git_says.lines().count(), 5, "{git_says}");
        ws.cmd("ssh").args(["-O", "exit", "git@github.com"]).run();
        ws.run(&["remove"]).success();
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn reverse_rules_in_the_image_are_defeated_for_keyed_repositories_alone() {
    sandbox(|ws| {
        let lab = Lab::github();
        ws.write("image/gitconfig", "[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n\tinsteadOf = ssh://git@github.com/\n", 0o644);
        let image = ws.home().join("image/gitconfig").display().to_string();
        let environment = [("GIT_CONFIG_SYSTEM", &*image)];
        lab.apply(ws, &environment).success().stdout_has("\nREADY ");
        let in_image = |args: &[&str]| {
            ws.git(args).env("GIT_CONFIG_SYSTEM", &*image).env("GIT_TERMINAL_PROMPT", "0")
        };
        for form in [
            "git@github.com:acme/NAME.git",
            "git@github.com:acme/NAME",
            "ssh://git@github.com/acme/NAME.git",
            "https://github.com/acme/NAME",
        ] {
            let url = form.replace("NAME", "app-lib");
            lab.uses(&["acme/app-lib"], || drop(in_image(&["ls-remote", &url]).run().success()));
            for name in ["app-two", "app_lib", "app.js", "third", "ap"] {
                let neighbour = form.replace("NAME", name);
                let turned =
                    in_image(&["ls-remote", "--get-url", &neighbour]).run().success().stdout;
                let path = neighbour.rsplit_once("acme/").unwrap().1;
                assert_eq!(turned.trim_end(), format!("https://github.com/acme/{path}"));
            }
        }
        lab.apply(ws, &environment).success().stdout_has("no changes needed");
        // one that cannot be overridden is named, and its token is not
        let token = "canary-0123456789";
        ws.write(
            "image/gitconfig",
            format!("[url \"https://x:{token}@github.com/\"]\n\tinsteadOf = git@github.com:\n"),
            0o644,
        );
        let reported = lab.apply(ws, &environment).fails(1).stdout_has("remote-reversed");
        assert!(!reported.stdout.contains(token), "{reported}");
        let files = ws.sh(&format!("grep -rl {token} .local .gitconfig .ssh")).run();
        assert_eq!(files.stdout, "");
    });
}

#[test]
fn reverse_rules_for_pushes_alone_are_defeated_too() {
    sandbox(|ws| {
        let lab = Lab::github();
        let rules = "[url \"https://github.com/\"]\n\tpushInsteadOf = git@github.com:\n\tpushInsteadOf = ssh://git@github.com/\n";
        ws.write(".gitconfig", rules, 0o644);
        let push = |shell: &str| {
            let git = |args: &[&str], folder: &str| {
                ws.git(args).env("SHELL", shell).current_dir(folder).run().success()
            };
            for (number, form) in [
                "git@github.com:acme/NAME.git",
                "ssh://git@github.com/acme/NAME",
                "https://github.com/acme/NAME",
            ]
            .iter()
            .enumerate()
            {
                let folder = format!("{}-{number}", shell.rsplit('/').next().unwrap());
                lab.uses(&["acme/app-lib"], || {
                    git(&["clone", "--quiet", &form.replace("NAME", "app-lib"), &folder], "");
                    git(&["commit", "--quiet", "--allow-empty", "-m", form], &folder);
                    git(&["push", "--quiet"], &folder);
                });
                let neighbour = form.replace("NAME", "app-two");
                git(&["remote", "add", "neighbour", &neighbour], &folder);
                let pushed = git(&["remote", "get-url", "--push", "neighbour"], &folder).stdout;
                let path = neighbour.rsplit_once("acme/").unwrap().1;
                assert_eq!(
                    pushed.trim_end(),
                    format!("https://github.com/acme/{path}"),
                    "the user's rule holds for it"
                );
            }
        };
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        push("/bin/sh");
        lab.apply(ws, &[]).success().stdout_has("switched 1 remote to SSH (3 clones)");
        lab.apply(ws, &[]).success().stdout_has("no changes needed");
        let aliases = [("SHELL", "/usr/sbin/nologin")];
        lab.apply(ws, &aliases).success().stdout_has("host aliases");
        push("/usr/sbin/nologin");
        // a rule that leads pushes to SSH is the user's own way
        ws.run(&["remove"]).success();
        ws.write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tpushInsteadOf = https://github.com/\n",
            0o644,
        );
        lab.apply(ws, &[]).success();
        assert!(!ws.read(".local/state/pushready/gitconfig").contains("pushInsteadOf"));
    });
}

#[test]
fn a_rule_in_a_clones_own_configuration_that_leads_away_is_named() {
    sandbox(|ws| {
        let lab = Lab::github();
        for (folder, rule) in [
            ("fetch", "insteadOf = git@github.com:"),
            ("push", "pushInsteadOf = git@github.com:"),
            ("other", "insteadOf = git@gitlab.com:"),
        ] {
            let remote = "[remote \"origin\"]\n\turl = https://github.com/acme/app\n";
            ws.git(&["init", "--quiet", folder]).run().success();
            ws.write(
                &format!("{folder}/.git/config"),
                format!("{remote}[url \"https://github.com/\"]\n\t{rule}\n"),
                0o644,
            );
        }
        let reported = lab.apply(ws, &[]).fails(1);
        let reported = reported.stdout_has(
            "FAIL     remote-reversed remotes: a rule in `~/fetch/.git/config` and in 1 more rewrites `git@github.com:acme/app.git` to `https://github.com/acme/app.git` for pushes",
        );
        // git agrees
        for folder in ["fetch", "push"] {
            let url = ws
                .git(&["remote", "get-url", "--push", "origin"])
                .current_dir(folder)
                .run()
                .success()
                .stdout;
            assert_eq!(url.trim_end(), "https://github.com/acme/app.git", "{reported}");
        }
        // with a global rule of the same kind ours overrides both
        ws.write("image/gitconfig", "[url \"https://github.com/\"]\n\tinsteadOf = git@github.com:\n\tpushInsteadOf = git@github.com:\n", 0o644);
        let image = ws.home().join("image/gitconfig").display().to_string();
        let reported = lab.apply(ws, &[("GIT_CONFIG_SYSTEM", &image)]).success();
        assert!(!reported.stdout.contains("remote-reversed"), "{reported}");
    });
}

#[test]
fn rare_spellings_find_their_alias_too() {
    sandbox(|ws| {
        let lab = Lab::github();
        let shell = "/usr/sbin/nologin";
        lab.apply(ws, &[("SHELL", shell)]).success().stdout_has("host aliases");
        for form in [
            "git@github.com:/acme/NAME.git",
            "ssh://git@github.com:22/acme/NAME",
            "git+ssh://git@github.com/acme/NAME.git",
            "ssh+git://git@github.com/acme/NAME",
        ] {
            for name in ["app", "app-lib", "app.github.io"] {
                let list = ws.git(&["ls-remote", &form.replace("NAME", name)]).env("SHELL", shell);
                lab.uses(&[&format!("acme/{name}")], || drop(list.run().success()));
            }
        }
    });
}

#[test]
fn a_host_wide_rule_of_the_users_own_is_left_to_them_and_reported() {
    sandbox(|ws| {
        let lab = Lab::github();
        let own = lab.host.user_key("me", &[("acme/third", Access::Read)]);
        ws.write(".ssh/id_ed25519", &own.private, 0o600);
        ws.write(
            ".gitconfig",
            "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n",
            0o644,
        );
        let reported = lab.apply(ws, &[]).success();
        let note = "an insteadOf rule of yours rewrites `https://github.com/acme/app` to `git@github.com:acme/app` (and 5 more)";
        let reported = reported.stdout_has(note).stdout_has("pushready writes no rule for it");
        assert_eq!(reported.stdout.matches("an insteadOf rule of yours").count(), 1, "{reported}");
        assert!(!ws.read(".local/state/pushready/gitconfig").contains("insteadOf"));
        lab.uses(&["acme/app"], || {
            drop(git(ws, &["ls-remote", "https://github.com/acme/app"], ""));
        });
        let third =
            lab.key_of(|| drop(git(ws, &["ls-remote", "https://github.com/acme/third"], "")));
        assert_eq!(third, Some(own.fingerprint.clone()));
    });
}
