//! git's configuration, identity and remotes.

use std::fs;

use crate::doctor::URL;
use crate::doctor::table::{Fault, doctor_with_only, fault, matrix};
use crate::support::{sandbox, without_lfs};

pub const ROWS: &[Fault] = &[
    fault("git-missing", "fail", "there is no git on PATH", |lab| {
        doctor_with_only(lab, &["ssh", "sh"])
    }),
    fault("repository-other-owner", "fail", "the clone belongs to another user", |lab| {
        // git's own switch for this test; a sandbox knows one user only
        lab.doctor(&["--offline"]).env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    }),
    fault("git-config-invalid", "fail", "a line of ~/.gitconfig is not configuration", |lab| {
        lab.append(".gitconfig", "[broken\n");
        lab.doctor(&[])
    }),
    fault("git-config-invalid", "fail", "pushes are asked for alone", |lab| {
        lab.append(".gitconfig", "[core]\n\tfilemode = maybe\n");
        lab.doctor(&["--only", "push"])
    }),
    fault("git-config-invalid", "fail", "git does not take a value in an included file", |lab| {
        lab.write("included", "[push]\n\tdefault = maybe\n");
        lab.append(".gitconfig", "[include]\n\tpath = ~/included\n");
        lab.doctor(&["--offline", "--only", "git.commit"])
    }),
    fault("git-config-invalid", "fail", "the variables hold no configuration", |lab| {
        lab.doctor(&["--offline"]).env("GIT_CONFIG_COUNT", "bogus")
    }),
    fault("git-config-invalid", "fail", "the clone's own configuration is none", |lab| {
        lab.append("src/app/.git/config", "[broken\n");
        lab.doctor(&["--offline"])
    }),
    fault("git-config-invalid", "fail", "another clone's own configuration is none", |lab| {
        lab.append("src/app/.git/config", "[broken\n");
        lab.ws.pushready(&["doctor", "--json", "--offline", "--all"])
    }),
    fault("git-config-invalid", "fail", "apply met it, and names the line", |lab| {
        lab.append("src/app/.git/config", "[broken\n");
        lab.append(".gitconfig", "[broken\n");
        let line = |file: &str| lab.ws.read(file).lines().count();
        let apply = lab.apply().run().fails(1);
        apply
            .stdout_has(&format!("git-config-invalid git: git rejects line {} of `~/.gitconfig`", line(".gitconfig")))
            .stdout_has(&format!(
                "git-config-invalid clone ~/src/app: git rejects line {} of `~/src/app/.git/config`, so no git \
                 command works in that clone",
                line("src/app/.git/config"),
            ));
        lab.doctor(&["--offline"])
    }),
    fault("git-identity-missing", "fail", "no author is configured in git", |lab| {
        let only_ours = lab.ws.read(".gitconfig").replace(
            "[user]\n\tname = Dev\n\temail = dev@example.com\n",
            "[user]\n\tuseConfigOnly = true\n",
        );
        lab.write(".gitconfig", &only_ours);
        lab.doctor(&["--offline"])
    }),
    fault("git-clone-broken", "fail", "a test wrote core.bare into the clone", |lab| {
        let set = lab.ws.git(&["config", "core.bare", "true"]);
        set.current_dir("src/app").run().success();
        lab.doctor(&["--offline"])
    }),
    fault("git-too-old", "fail", "a form of the clone that no git knows yet", |lab| {
        let set = lab.ws.git(&["config", "core.repositoryFormatVersion", "99"]);
        set.current_dir("src/app").run().success();
        lab.doctor(&["--offline"])
    }),
    fault("git-clone-unwritable", "fail", "the log of the branch cannot be written", |lab| {
        let logs = lab.ws.home().join("src/app/.git/logs");
        if !logs.exists() {
            fs::create_dir(&logs).unwrap();
        }
        lab.ws.write("src/app/.git/logs/HEAD", "", 0o400);
        lab.doctor(&["--offline"])
    }),
    fault("git-lock-left", "fail", "a git was killed yesterday", |lab| {
        lab.ws.write("src/app/.git/index.lock", "", 0o644);
        let touch = lab.ws.cmd("touch").args(["-d", "yesterday", "src/app/.git/index.lock"]);
        touch.run().success();
        lab.doctor(&["--offline"])
    }),
    fault("git-clone-unfinished", "warn", "a merge was left", |lab| {
        lab.ws.write("src/app/.git/MERGE_HEAD", "", 0o644);
        lab.doctor(&["--offline"])
    }),
    fault("git-lfs-missing", "fail", "git-lfs' own hook, and no git-lfs", |lab| {
        let hook = "#!/bin/sh\ngit lfs pre-push \"$@\"\n";
        lab.ws.write("src/app/.git/hooks/pre-push", hook, 0o755);
        lab.doctor(&["--offline"]).env("PATH", without_lfs(lab.ws))
    }),
    fault("git-lfs-not-set-up", "warn", "nothing configures the filter", |lab| {
        lab.ws.write("src/app/.gitattributes", "*.bin filter=lfs\n", 0o644);
        lab.ws.write("src/app/a.bin", "", 0o644);
        lab.doctor(&["--offline"]).env("GIT_CONFIG_NOSYSTEM", "1")
    }),
    fault("git-filter-missing", "fail", "a required filter's program is not there", |lab| {
        lab.ws.write("src/app/.gitattributes", "*.bin filter=git-crypt\n", 0o644);
        lab.ws.write("src/app/a.bin", "", 0o644);
        lab.append(
            "src/app/.git/config",
            "[filter \"git-crypt\"]\n\tclean = git-crypt clean\n\trequired = true\n",
        );
        lab.doctor(&["--offline"])
    }),
    fault("git-hook-unrunnable", "fail", "a hook's interpreter is not there", |lab| {
        lab.ws.write("src/app/.git/hooks/pre-commit", "#!/opt/gone/bash\n", 0o755);
        lab.doctor(&["--offline"])
    }),
    fault("git-environment-broken", "fail", "a variable names a date that is none", |lab| {
        lab.doctor(&["--offline"]).env("GIT_AUTHOR_DATE", "yesterday-ish")
    }),
    fault("git-signing-broken", "fail", "the signing program of another machine", |lab| {
        let script = "mkdir -p .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_sign";
        lab.ws.sh(script).run().success();
        lab.append(
            ".gitconfig",
            "[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n[gpg \"ssh\"]\n\tprogram = /opt/gone\n\
             [user]\n\tsigningKey = ~/.ssh/id_sign\n",
        );
        lab.doctor(&["--offline"])
    }),
    fault("git-line-endings", "fail", "the configuration of a Windows machine", |lab| {
        lab.append(".gitconfig", "[core]\n\tautocrlf = true\n\tsafecrlf = true\n");
        lab.ws.write("src/app/f", "a line\n", 0o644);
        let git = |args: &[&str]| lab.ws.git(args).current_dir("src/app").run().success();
        git(&["-c", "core.safecrlf=false", "add", "f"]);
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
        lab.append(
            ".gitconfig",
            "[url \"https://github.com/Acme/\"]\n\tinsteadOf = git@github.com:acme/\n",
        );
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
    fault(
        "git-identity-missing",
        "fail",
        "variables name the author, and nobody the committer",
        |lab| {
            let nobody = lab
                .ws
                .read(".gitconfig")
                .replace("name = Dev\n\temail = dev@example.com\n", "useConfigOnly = true\n");
            lab.write(".gitconfig", &nobody);
            lab.doctor(&["--offline"])
                .env("GIT_AUTHOR_NAME", "D")
                .env("GIT_AUTHOR_EMAIL", "d@example.com")
        },
    ),
    fault(
        "remote-push-elsewhere",
        "warn",
        "of another clone than the current one, and oddly named",
        |lab| {
            let git =
                |args: &[&str], folder: &str| lab.ws.git(args).current_dir(folder).run().success();
            let fork = "git@github.com:fork/app.git";
            git(&["init", "--quiet", "/home/coder/src/other"], "src");
            git(&["remote", "set-url", "--push", "origin", fork], "src/app");
            lab.append(
                "src/app/.git/config",
                &format!("[remote \"a; b\"]\n\turl = {URL}\n\tpushurl = {fork}\n"),
            );
            let doctor = || {
                lab.doctor(&["--offline", "--all", "--only", "git"])
                    .current_dir("/home/coder/src/other")
            };
            let report = doctor().run().json();
            let checks = report["checks"].as_array().unwrap().iter();
            let fixes: Vec<_> = checks
                .filter(|check| check["code"] == "remote-push-elsewhere")
                .map(|check| &check["fix"])
                .collect();
            let argv =
                ["git", "-C", "/home/coder/src/app", "remote", "set-url", "--push", "origin", URL];
            assert!(fixes.iter().any(|fix| fix["argv"] == serde_json::json!(argv)), "{fixes:?}");
            assert!(fixes.len() == 2 && !format!("{fixes:?}").contains("a; b"), "{fixes:?}");
            doctor()
        },
    ),
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
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
