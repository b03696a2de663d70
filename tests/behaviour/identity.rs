//! Who commits: `PUSHREADY_GIT_NAME` and `PUSHREADY_GIT_EMAIL` are written where git has no
//! identity from elsewhere, and never override one.

use crate::support::{Cmd, Workspace, sandbox};

const OURS: (&str, &str) = ("Ada \"L\" Ω", "ada@example.com");

fn apply(ws: &Workspace) -> Cmd {
    let apply = ws.pushready(&["apply"]);
    apply.env("PUSHREADY_GIT_NAME", OURS.0).env("PUSHREADY_GIT_EMAIL", OURS.1)
}

/// Who would commit in a clone, or empty.
fn committer(ws: &Workspace) -> String {
    let script =
        "[ -d c ] || git init -q c; cd c; git -c user.useConfigOnly=true var GIT_COMMITTER_IDENT
        true";
    let output = ws.sh(script).run();
    output.stdout.split(" 1").next().unwrap_or_default().split('>').next().unwrap().to_owned()
}

fn ours() -> String {
    format!("{} <{}", OURS.0, OURS.1)
}

#[test]
fn an_identity_is_written_where_git_has_none_and_undone() {
    sandbox(|ws| {
        let before = ws.snapshot();
        apply(ws).run().success().stdout_has("git identity").stdout_has("READY");
        assert_eq!(committer(ws), ours());
        let receipt = ws.read(".local/state/pushready/receipt.json");
        assert!(receipt.contains("ada@example.com"), "{receipt}");
        assert!(!ws.home().join(".ssh").exists(), "ssh's configuration was made");
        apply(ws).run().success().stdout_has("no changes needed");
        // typed in a shell that lacks the variables: kept
        ws.run(&["apply"]).success();
        assert_eq!(committer(ws), ours());
        let other = apply(ws).env("PUSHREADY_GIT_EMAIL", "b@example.com");
        other.run().success();
        assert!(committer(ws).ends_with("<b@example.com"));
        assert_eq!(ws.run(&["status", "--json"]).success().json()["git_identity"], true);
        ws.run(&["remove"]).success();
        ws.sh("rm -rf c").run().success();
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn an_identity_from_elsewhere_is_never_overridden() {
    sandbox(|ws| {
        for (what, script) in [
            ("~/.gitconfig", "git config --global user.name E; git config --global user.email e@h"),
            (
                "an included file",
                "git config -f more user.name E; git config -f more user.email e@h
                 git config --global include.path ~/more",
            ),
            (
                "the other global file",
                "mkdir -p .config/git; git config -f .config/git/config user.name E
                 git config -f .config/git/config user.email e@h; touch .gitconfig",
            ),
        ] {
            ws.sh(&format!("rm -rf .gitconfig .config more; {script}")).run().success();
            apply(ws).run().success().stdout_has("from elsewhere");
            assert_eq!(committer(ws), "E <e@h", "{what}");
            ws.run(&["remove"]).success();
            assert_eq!(committer(ws), "E <e@h", "{what}");
        }
        // for the clones of some folders, wherever the condition is
        let condition = "git config -f more user.name E; git config -f more user.email e@h
            git config -f FILE includeIf.gitdir:~/c/.path ~/more";
        for (what, script) in [
            ("~/.gitconfig", condition.replace("FILE", ".gitconfig")),
            (
                "the other global file alone",
                format!(
                    "mkdir -p .config/git; {}",
                    condition.replace("FILE", ".config/git/config")
                ),
            ),
            (
                "the other global file",
                format!(
                    "mkdir -p .config/git; touch .gitconfig; {}",
                    condition.replace("FILE", ".config/git/config")
                ),
            ),
        ] {
            ws.sh(&format!("rm -rf .gitconfig .config more; {script}")).run().success();
            assert_eq!(committer(ws), "E <e@h", "{what}");
            apply(ws).run().success();
            assert_eq!(committer(ws), "E <e@h", "{what}");
            ws.run(&["remove"]).success();
            assert_eq!(committer(ws), "E <e@h", "{what}");
        }
        // set after apply, in a section that was there before
        ws.sh("rm -rf .gitconfig .config more; git config --global user.signingKey x")
            .run()
            .success();
        apply(ws).run().success();
        assert_eq!(committer(ws), ours());
        ws.sh("git config --global user.email later@h").run().success();
        assert!(committer(ws).ends_with("<later@h"));
        apply(ws).run().success().stdout_has("user.email from elsewhere");
        assert_eq!(committer(ws), format!("{} <later@h", OURS.0));
        // a variable of git's counts more than any file
        let author = ws.sh("cd c; git var GIT_AUTHOR_IDENT").env("GIT_AUTHOR_EMAIL", "v@h");
        author.run().success().stdout_has("<v@h>");
        // and one that git reads where it has no other is not overridden
        ws.run(&["remove"]).success();
        ws.sh("rm .gitconfig").run().success();
        apply(ws).env("EMAIL", "env@h").run().success();
        let author = ws.sh("cd c; git var GIT_AUTHOR_IDENT").env("EMAIL", "env@h");
        author.run().success().stdout_has("<env@h>");
    });
}

#[test]
fn nothing_is_written_before_a_workspace_is_claimed() {
    sandbox(|ws| {
        apply(ws).env("PUSHREADY_UNCLAIMED", "1").run().success();
        assert_eq!(committer(ws), "");
        apply(ws).run().success();
        assert_eq!(committer(ws), ours());
    });
}

#[test]
fn what_git_cannot_use_is_ignored_with_a_warning() {
    sandbox(|ws| {
        for name in ["<>", "a\u{1}b", "...", " \t,"] {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_GIT_NAME", name);
            let output = apply.run().success();
            let is_blank = name.trim().is_empty();
            let warned = format!("{output}").contains("PUSHREADY_GIT_NAME is ignored");
            assert_eq!(warned, !is_blank, "{name:?}\n{output}");
            assert_eq!(committer(ws), "", "{name:?}");
        }
    });
}

/// An identity provider may give a name with an address in it.
#[test]
fn a_name_is_written_without_what_git_leaves_out() {
    sandbox(|ws| {
        for (name, written) in [
            ("Jane <jane>", "Jane jane"),
            ("<jane>", "jane"),
            ("Jane\tDoe", "Jane Doe"),
            ("Jane Doe\n", "Jane Doe"),
            ("Jane\r\nDoe", "JaneDoe"),
        ] {
            let apply = apply(ws).env("PUSHREADY_GIT_NAME", name);
            apply.run().success();
            let found = committer(ws);
            assert!(found.starts_with(&format!("{written} <")), "{name:?}: {found}");
            // as git itself makes it, but for what would be two lines or columns in a list
            if name.contains(['\t', '\r']) {
                continue;
            }
            let own = ws.cmd("git").args(["var", "GIT_AUTHOR_IDENT"]).env("GIT_AUTHOR_NAME", name);
            let own = own.run().success();
            assert!(own.stdout.starts_with(&format!("{written} <")), "{name:?}: {own}");
        }
    });
}

/// git adds a value to the last section of its name, or else makes one at the end.
#[test]
fn what_the_user_configures_later_takes_precedence() {
    sandbox(|ws| {
        let value = |key: &str| {
            ws.sh(&format!("cd c; git config {key}")).run().success().stdout.trim().to_owned()
        };
        for file in ["", "[core]\n\tabbrev = 8\n", "[init]\n\tdefaultBranch = x"] {
            ws.sh("rm -rf c more; git init -q c").run().success();
            ws.write(".gitconfig", file, 0o644);
            apply(ws).run().success();
            assert_eq!(committer(ws), ours(), "{file:?}");
            let include = "git config -f more core.abbrev 12; git config -f more user.email more@h
                git config --global --add include.path ~/more";
            ws.sh(include).run().success();
            assert_eq!(value("core.abbrev"), "12", "{file:?}");
            assert!(committer(ws).ends_with("<more@h"), "{file:?}");
            ws.sh("git config --global user.email later@h").run().success();
            assert!(committer(ws).ends_with("<later@h"), "{file:?}");
            apply(ws).run().success();
            assert_eq!(committer(ws), format!("{} <later@h", OURS.0), "{file:?}");
            assert_eq!(value("core.abbrev"), "12", "{file:?}");
            // where the user's line is in our section, its header is kept and named
            ws.run(&["remove"]);
            assert_eq!(value("core.abbrev"), "12", "{file:?}");
            assert_eq!(value("user.email"), "later@h", "{file:?}");
        }
    });
}
