//! Settings that make a commit or a push fail, those that git ignores, and whether the fix works.

use super::Doctor::{Fails, Green, NoFailure, Warns};
use super::Git::{AddFails, CommitFails, PushFails, Works};
use super::{Doctor, Lab, Row, Where, app, at, row, run};
use crate::support::sandbox;
use serde_json::Value;

const NO_TARGET: Doctor = Fails("push-target-none");
const BROKEN: Doctor = Fails("git-clone-broken");
const NOT_FOUND: Doctor = Fails("push-repository-not-found");

fn set(lab: &Lab, key: &str, value: &str) -> Where {
    lab.ws.git(&["-C", "app", "config", key, value]).run().success();
    app()
}

const ROWS: &[Row] = &[
    // a push that git refuses by itself
    row("a helper that is not installed", PushFails, NO_TARGET, |lab| {
        set(lab, "remote.origin.vcs", "x")
    }),
    row("a helper that is installed", PushFails, Warns("push-target-other"), |lab| {
        set(lab, "remote.origin.vcs", "ext")
    }),
    row("a refspec without its source", PushFails, NO_TARGET, |lab| {
        set(lab, "remote.origin.push", "gone")
    }),
    row("a refspec without its source, by its whole name", PushFails, NO_TARGET, |lab| {
        set(lab, "remote.origin.push", "+refs/heads/gone:refs/heads/main")
    }),
    row("one of two refspecs without its source", PushFails, NO_TARGET, |lab| {
        lab.sh("cd app; git config remote.origin.push main
            git config --add remote.origin.push gone:main");
        app()
    }),
    row("a refspec of the branch", Works, Green, |lab| set(lab, "remote.origin.push", "main")),
    row("a refspec of a commit", Works, NoFailure, |lab| {
        set(lab, "remote.origin.push", "HEAD~0:refs/heads/main")
    }),
    row("a refspec of no branch", Works, NoFailure, |lab| {
        set(lab, "remote.origin.push", "refs/heads/x/*:refs/heads/x/*")
    }),
    row("MERGE_HEAD is damaged", CommitFails, BROKEN, |lab| {
        lab.sh("echo junk >app/.git/MERGE_HEAD");
        app()
    }),
    row("MERGE_HEAD names a file", CommitFails, BROKEN, |lab| {
        lab.sh("cd app; git rev-parse HEAD:f >.git/MERGE_HEAD");
        app()
    }),
    row("MERGE_HEAD is a folder", CommitFails, BROKEN, |lab| {
        lab.sh("mkdir app/.git/MERGE_HEAD");
        app()
    }),
    row("a merge that is ready", Works, Warns("git-clone-unfinished"), |lab| {
        lab.sh("cd app; git switch -qc b; echo b >b; git add b; git commit -qm b
            git switch -q main; git merge -q --no-ff --no-commit b >/dev/null");
        app()
    }),
    // URLs
    row("a URL in quotes", PushFails, NO_TARGET, |lab| {
        set(lab, "remote.origin.url", "\"git@github.com:o/app.git\"")
    }),
    row("a URL in single quotes", PushFails, NO_TARGET, |lab| {
        set(lab, "remote.origin.url", "'ssh://git@github.com/o/app.git'")
    }),
    row("a URL that begins with a blank", PushFails, NO_TARGET, |lab| {
        set(lab, "remote.origin.url", " ssh://git@github.com/o/app.git")
    }),
    row("a plain folder", PushFails, NOT_FOUND, |lab| {
        lab.sh("mkdir plain");
        set(lab, "remote.origin.url", "/home/coder/plain")
    }),
    row("a plain folder by its file URL", PushFails, NOT_FOUND, |lab| {
        lab.sh("mkdir plain");
        set(lab, "remote.origin.url", "file:///home/coder/plain")
    }),
    row("a folder that is gone", PushFails, NOT_FOUND, |lab| {
        set(lab, "remote.origin.url", "/home/coder/gone")
    }),
    row("a folder without the end of its name", Works, NoFailure, |lab| {
        lab.sh("git clone -q --bare app bare.git");
        set(lab, "remote.origin.url", "/home/coder/bare")
    }),
    row("a folder with blanks in its name", Works, NoFailure, |lab| {
        lab.sh("git clone -q --bare app 'a b.git'");
        set(lab, "remote.origin.url", "/home/coder/a b.git")
    }),
    row("another remote is a plain folder", Works, NoFailure, |lab| {
        lab.sh("mkdir plain; git -C app remote add backup /home/coder/plain");
        app()
    }),
    row("another remote is a folder that is gone", Works, NoFailure, |lab| {
        lab.sh("git -C app remote add backup /home/coder/gone");
        app()
    }),
    // what git ignores
    row("core.bare by variables", Works, Green, |_| {
        app()
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.bare")
            .env("GIT_CONFIG_VALUE_0", "true")
    }),
    row("core.bare of the user", Works, Green, |lab| {
        lab.sh("git config --global core.bare true");
        app()
    }),
    row("core.bare in an included file", Works, Green, |lab| {
        lab.sh("cd app; git config include.path more; git config --file .git/more core.bare true");
        app()
    }),
    row("core.worktree in an included file", Works, NoFailure, |lab| {
        lab.sh("cd app; git config include.path more
            git config --file .git/more core.worktree /srv");
        app()
    }),
    row("core.bare of the clone", AddFails, BROKEN, |lab| set(lab, "core.bare", "true")),
    row("attributes by a link", Works, Green, |lab| {
        lab.sh("cd app; echo 'f filter=gone' >attributes; ln -s attributes .gitattributes
            git config filter.gone.clean gone; git config filter.gone.required true");
        app()
    }),
    row("the same attributes in a file", AddFails, Fails("git-filter-missing"), |lab| {
        lab.sh("cd app; echo 'f filter=gone' >.gitattributes
            git config filter.gone.clean gone; git config filter.gone.required true");
        app()
    }),
    // what git cannot read
    row("an algorithm that git does not know", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("git config --global fetch.negotiationAlgorithm foo");
        app()
    }),
    row("a folder of patterns to ignore", AddFails, Fails("git-config-invalid"), |lab| {
        lab.sh("mkdir ignore; git config --global core.excludesFile ~/ignore");
        app()
    }),
    row(
        "a folder in place of the usual file of patterns",
        AddFails,
        Fails("git-config-invalid"),
        |lab| {
            lab.sh("mkdir -p .config/git/ignore");
            app()
        },
    ),
    row("HEAD that cannot be read", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("chmod 0 app/.git/HEAD");
        app()
    }),
    row("an index that cannot be read", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("chmod 0 app/.git/index");
        app()
    }),
    row("a pack that cannot be read", CommitFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("cd app; git repack -adq; chmod 0 .git/objects/pack/*.pack");
        app()
    }),
    row("HEAD's commit that cannot be read", CommitFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("cd app; id=$(git rev-parse HEAD); rest=${id#??}
            chmod 0 .git/objects/${id%$rest}/$rest");
        app()
    }),
    row("a folder ~/.config that is closed", Works, Green, |lab| {
        lab.sh("mkdir -p .config; chmod 0 .config");
        app()
    }),
];

#[test]
fn what_settings_do() {
    sandbox(|ws| run(ws, ROWS));
}

const SSH_KEY: &str = "ssh-keygen -q -t ed25519 -N '' -f .ssh/sign; rm .ssh/sign
    git config --global gpg.format ssh; git config --global user.signingkey ~/.ssh/sign.pub";

/// A fault, and what the fix is: a command that is run, or words that it contains.
type FixRow = (&'static str, Result<(), &'static str>, fn(&Lab) -> Where);

const FIXES: &[FixRow] = &[
    ("core.bare of the clone", Ok(()), |lab| set(lab, "core.bare", "true")),
    ("core.bare in config.worktree", Ok(()), |lab| {
        lab.sh("cd app; git config extensions.worktreeConfig true
            git config --worktree core.bare true");
        app()
    }),
    ("core.worktree in config.worktree", Ok(()), |lab| {
        lab.sh("cd app; git config extensions.worktreeConfig true
            git config --worktree core.worktree /srv");
        app()
    }),
    ("core.bare in config.worktree of a linked worktree", Ok(()), |lab| {
        lab.sh("cd app; git config extensions.worktreeConfig true; git switch -q --detach
            git worktree add -q ../wt main; git -C ../wt config --worktree core.bare true");
        at("wt")
    }),
    ("core.worktree in a folder that is gone", Ok(()), |lab| {
        set(lab, "core.worktree", "/workspaces/app")
    }),
    ("CHERRY_PICK_HEAD", Ok(()), |lab| {
        lab.sh("git -C app rev-parse HEAD | tr 0-9a-f 1 >app/.git/CHERRY_PICK_HEAD");
        app()
    }),
    ("MERGE_HEAD", Ok(()), |lab| {
        lab.sh("echo junk >app/.git/MERGE_HEAD");
        app()
    }),
    ("a branch that tracks one of this clone", Ok(()), |lab| {
        lab.sh("git -C app switch -qc feat --track main");
        app()
    }),
    ("a branch that tracks the remote's main", Ok(()), |lab| {
        lab.sh("git config --global push.default upstream
            git -C app switch -qc feat --track origin/main");
        app()
    }),
    ("a URL in quotes", Ok(()), |lab| {
        set(lab, "remote.origin.url", "\"git@github.com:o/app.git\"")
    }),
    ("a push URL in quotes", Ok(()), |lab| {
        set(lab, "remote.origin.pushurl", "\"git@github.com:o/app.git\"")
    }),
    ("a helper", Ok(()), |lab| set(lab, "remote.origin.vcs", "x")),
    ("a helper of the user's", Ok(()), |lab| {
        lab.sh("git config --global remote.origin.vcs x");
        app()
    }),
    ("a refspec", Ok(()), |lab| set(lab, "remote.origin.push", "gone")),
    ("line endings of the clone", Ok(()), |lab| {
        lab.sh("git config --global core.safecrlf true");
        set(lab, "core.autocrlf", "true")
    }),
    ("line endings in an included file", Ok(()), |lab| {
        lab.sh("git config --file more core.safecrlf true
            git config --file more core.autocrlf true
            git config --global include.path ~/more");
        app()
    }),
    ("the signing program in an included file", Ok(()), |lab| {
        lab.sh("ssh-keygen -q -t ed25519 -N '' -f .ssh/sign
            git config --global gpg.format ssh
            git config --global user.signingkey ~/.ssh/sign
            git config --global commit.gpgsign true
            git config --file more gpg.ssh.program /gone
            git config --global include.path ~/more");
        app()
    }),
    ("core.bare, twice", Ok(()), |lab| {
        lab.sh("cd app; git config --add core.bare true; git config --add core.bare true");
        app()
    }),
    ("a git folder without write access", Ok(()), |lab| {
        lab.sh("chmod -R a-w app/.git");
        app()
    }),
    ("a log without write access", Ok(()), |lab| {
        lab.sh("chmod a-w app/.git/logs/HEAD");
        app()
    }),
    ("HEAD that cannot be read", Ok(()), |lab| {
        lab.sh("chmod 0 app/.git/HEAD");
        app()
    }),
    ("a pack that cannot be read", Ok(()), |lab| {
        lab.sh("cd app; git repack -adq; chmod 0 .git/objects/pack/*.pack");
        app()
    }),
    ("the user's configuration that cannot be read", Ok(()), |lab| {
        lab.sh("git -C app config user.useConfigOnly true; chmod 0 .gitconfig");
        app()
    }),
    ("a blank name in the clone", Ok(()), |lab| {
        lab.sh("git -C app config user.name ''");
        app()
    }),
    ("a blank author of the user", Ok(()), |lab| {
        lab.sh("git config --global author.name ' '");
        app()
    }),
    (
        "a folder of patterns to ignore",
        Err("`mv /home/coder/ignore /home/coder/ignore.away`"),
        |lab| {
            lab.sh("mkdir ignore; git config --global core.excludesFile ~/ignore");
            app()
        },
    ),
    ("an algorithm that git does not know", Err("which is set in `~/.gitconfig`"), |lab| {
        lab.sh("git config --global fetch.negotiationAlgorithm foo");
        app()
    }),
    ("a push option", Ok(()), |lab| {
        lab.sh("git config --file more push.pushOption ci.skip
            git config --global include.path ~/more");
        app()
    }),
    ("files that include each other", Err("leads back, from `~/"), |lab| {
        lab.sh(
            "git config --global include.path ~/more; git config --file more include.path ~/more",
        );
        app()
    }),
    (
        "signing of the clone",
        Err("`git config --file /home/coder/app/.git/config commit.gpgSign false`"),
        |lab| {
            lab.sh(SSH_KEY);
            set(lab, "commit.gpgsign", "true")
        },
    ),
    ("signing of the user", Err("`git config --global commit.gpgSign false`"), |lab| {
        lab.sh(SSH_KEY);
        lab.sh("git config --global commit.gpgsign true");
        app()
    }),
    ("signing by variables", Err("export GIT_CONFIG_VALUE_0=false"), |lab| {
        lab.sh(SSH_KEY);
        app()
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "commit.gpgsign")
            .env("GIT_CONFIG_VALUE_0", "true")
    }),
    ("a value that git rejects", Err("add.ignoreerrors, which is set in `~/.gitconfig`"), |lab| {
        lab.sh("git config --global add.ignoreErrors maybe");
        app()
    }),
];

#[test]
fn a_fix_changes_the_place_that_sets_it() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let text = std::env::var("PUSHREADY_FAULT").unwrap_or_default();
        let mut wrong = Vec::new();
        for (what, expected, build) in FIXES.iter().filter(|(what, ..)| what.contains(&text)) {
            lab.fresh();
            let place = build(&lab);
            let report = lab.doctor(&place).json();
            let checks = report["checks"].as_array().unwrap();
            let fails = |check: &&Value| check["status"] == "fail";
            let warns = |check: &&Value| check["code"] == "push-target-other";
            let found = checks.iter().find(fails).or_else(|| checks.iter().find(warns));
            let Some(failed) = found else {
                wrong.push(format!("{what}: nothing fails"));
                continue;
            };
            let fix = &failed["fix"];
            let argv: Vec<_> = fix["argv"].as_array().into_iter().flatten().collect();
            match (expected, argv.split_first()) {
                (Ok(()), Some((program, arguments))) => {
                    let arguments = arguments.iter().map(|it| it.as_str().unwrap());
                    let program = lab.ws.cmd(program.as_str().unwrap());
                    let fixed = place.of(arguments.fold(program, |it, one| it.args(&[one]))).run();
                    let after = lab.doctor(&place).json();
                    let left: Vec<_> = after["checks"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(|check| check["status"] == "fail")
                        .collect();
                    let (git, output) = lab.git(&place);
                    let lands = what.contains("linked") || git == Works;
                    if !left.is_empty() || !lands {
                        wrong.push(format!("{what}: {fix}\n{fixed}\n{left:?}\n{output}"));
                    }
                }
                (Err(words), None) if fix["message"].as_str().unwrap().contains(words) => {}
                _ => wrong.push(format!("{what}: {failed}")),
            }
        }
        lab.host.behave("o/app");
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// The usual seed folder, which nobody named and this user cannot look into.
#[test]
fn what_was_seeded_stays_where_the_seeds_cannot_be_looked_for() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        lab.sh("mkdir -p .config/pushready/seed/deploy-keys/github.com/o
            ssh-keygen -q -t ed25519 -N '' -f .config/pushready/seed/deploy-keys/github.com/o/two");
        let apply = || ws.pushready(&["apply"]).run().success().stdout_has("\nREADY ");
        apply().stdout_has("key o/two: ssh-ed25519");
        lab.sh("chmod 0 .config");
        let noted = "this user cannot enter a folder above `~/.config/pushready/seed`";
        for _ in 0..2 {
            let said = apply().stdout_has("key o/two").stdout_has("kept from the last apply");
            assert!(format!("{said}").contains(noted), "{said}");
        }
        let doctor = ws.pushready(&["doctor", "--offline", "--json"]).run().json();
        let failed = doctor["checks"].as_array().unwrap().iter().find(|it| it["status"] == "fail");
        assert_eq!(failed, None);
        // one that is named is required
        let named = ws
            .pushready(&["apply", "--dry-run"])
            .env("PUSHREADY_SEED_DIR", "/home/coder/.config/seed");
        named.run().fails(1);
        lab.sh("chmod 755 .config");
        apply().stdout_has("key o/two: ssh-ed25519");
    });
}
