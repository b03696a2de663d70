//! What reads the URL that a remote has in the clone's configuration: such a URL stays as it is, and
//! git's rules send it over SSH.

use serde_json::Value;

use super::{Lab, git};
use crate::support::{KeyPair, Output, Workspace, sandbox};

const HTTPS: &str = "https://github.com/acme/app";
const SSH: &str = "git@github.com:acme/app.git";

fn clone(ws: &Workspace, url: &str) {
    ws.sh("rm -rf app .gitconfig").run().success();
    git(ws, &["init", "--quiet", "--initial-branch=main", "app"], "");
    git(ws, &["remote", "add", "origin", url], "app");
}

/// The remote's URL in the clone's configuration.
fn stored(ws: &Workspace) -> String {
    git(ws, &["config", "--local", "remote.origin.url"], "app").stdout.trim_end().to_owned()
}

/// A commit by whomever the configuration names.
fn commit(ws: &Workspace) -> Output {
    let commit = ["commit", "--quiet", "--allow-empty", "-m", "Change"];
    ws.cmd("git").args(&commit).current_dir("app").run()
}

/// The only identity is that of a file with this condition.
fn identity_by(ws: &Workspace, pattern: &str, through: &str) {
    let condition = format!("[includeIf \"hasconfig:remote.*.url:{pattern}\"]\n\tpath = ");
    let only = "[user]\n\tuseConfigOnly = true\n";
    ws.write("identity", "[user]\n\tname = A\n\temail = a@example.com\n", 0o644);
    ws.write("inner", format!("{condition}~/identity\n"), 0o644);
    match through {
        "" => ws.write(".gitconfig", format!("{only}{condition}identity\n"), 0o644),
        "clone" => {
            ws.write(".gitconfig", only, 0o644);
            git(ws, &["config", "--local", "include.path", "../../inner"], "app");
        }
        outer => {
            ws.write(".gitconfig", only, 0o644);
            let key = format!("includeIf.{outer}.path");
            git(ws, &["config", "--global", &key, "~/inner"], "");
        }
    }
}

#[test]
fn a_condition_that_reads_the_url_of_a_remote_holds_after_apply() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.host.repository("acme/app");
        lab.key("acme/app", "acme/app");
        for (pattern, through, url, stays) in [
            ("https://github.com/acme/**", "", HTTPS, true),
            ("https://github.com/*/app", "", HTTPS, true),
            // a URL that only a rule of its own sends over SSH
            ("https://GitHub.com/**", "", "https://GitHub.com/Acme/App.git/", true),
            ("https://me@github.com/**", "", "https://me@github.com/acme/app.git", true),
            // from a file that another condition includes
            ("https://github.com/acme/**", "gitdir:~/", HTTPS, true),
            // in the clone's own configuration, by a path that is relative to it
            ("https://github.com/acme/**", "clone", HTTPS, true),
            // it holds for both URLs
            ("**/app*", "", HTTPS, false),
        ] {
            let row = format!("{pattern} {through} {url}");
            clone(ws, url);
            identity_by(ws, pattern, through);
            commit(ws).success();
            let config = ws.read("app/.git/config");
            lab.apply(ws, &[]).success().stdout_has("\nREADY ");
            assert_eq!(stored(ws), if stays { url } else { SSH }, "{row}");
            commit(ws).success();
            lab.uses(&["acme/app"], || {
                git(ws, &["fetch", "--quiet"], "app");
                git(ws, &["push", "--quiet", "origin", "+HEAD:refs/heads/work"], "app");
            });
            // the doctor has nothing against it
            let only = ["doctor", "--json", "--only", "git.remotes", "--repo", "acme/app"];
            let remotes = ws.pushready(&only).current_dir("app").run().success().json();
            assert_eq!(remotes["overall"], "pass", "{row}: {remotes:#}");
            lab.apply(ws, &[]).success().stdout_has("no changes needed");
            ws.run(&["remove"]).success();
            assert_eq!(ws.read("app/.git/config"), config, "{row}");
        }
    });
}

/// The user has written it for other clones: this one has another URL.
#[test]
fn a_condition_that_would_read_the_new_url_changes_no_commit() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.host.repository("acme/app");
        lab.key("acme/app", "acme/app");
        clone(ws, HTTPS);
        let identity = "[user]\n\tname = A\n\temail = a@example.com\n";
        let condition = "[includeIf \"hasconfig:remote.*.url:git@github.com:acme/**\"]";
        ws.write(".gitconfig", format!("{identity}{condition}\n\tpath = other\n"), 0o644);
        ws.write("other", "[user]\n\temail = other@example.com\n", 0o644);
        let author = || {
            commit(ws).success();
            git(ws, &["log", "-1", "--format=%ae"], "app").stdout
        };
        let before = author();
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        assert_eq!(stored(ws), HTTPS);
        assert_eq!(author(), before);
        lab.uses(&["acme/app"], || drop(git(ws, &["fetch", "--quiet"], "app")));
    });
}

#[test]
fn a_submodule_by_a_relative_url_is_fetched_from_where_it_was_before() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        for name in ["acme/app", "acme/app-lib"] {
            lab.host.repository(name);
            lab.key(name, name);
        }
        for (relative, stays) in [("../public.git", true), ("../app-lib.git", false)] {
            clone(ws, HTTPS);
            let modules = format!("[submodule \"x\"]\n\tpath = x\n\turl = {relative}\n");
            ws.write("app/.gitmodules", modules, 0o644);
            lab.apply(ws, &[]).success().stdout_has("\nREADY ");
            assert_eq!(stored(ws), if stays { HTTPS } else { SSH }, "{relative}");
            let link = format!("160000,{},x", "1".repeat(40));
            git(ws, &["update-index", "--add", "--cacheinfo", &link], "app");
            git(ws, &["submodule", "--quiet", "init"], "app");
            let url = git(ws, &["config", "--local", "submodule.x.url"], "app").stdout;
            let expected = if stays { HTTPS } else { SSH };
            let name = relative.trim_start_matches("../");
            let base = expected.rsplit_once('/').unwrap().0;
            assert_eq!(url.trim_end(), format!("{base}/{name}"));
            lab.uses(&["acme/app"], || drop(git(ws, &["fetch", "--quiet"], "app")));
        }
    });
}

#[test]
fn a_url_that_an_earlier_apply_has_rewritten_is_put_back_for_a_condition() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.host.repository("acme/app");
        lab.key("acme/app", "acme/app");
        clone(ws, HTTPS);
        let config = ws.read("app/.git/config");
        lab.apply(ws, &[]).success();
        assert_eq!(stored(ws), SSH);
        identity_by(ws, "https://github.com/acme/**", "");
        commit(ws).fails(128);
        lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        assert_eq!(ws.read("app/.git/config"), config);
        commit(ws).success();
        lab.apply(ws, &[]).success().stdout_has("no changes needed");
        // and rewritten again once no condition reads it
        ws.write(".gitconfig", ws.read(".gitconfig").replace("hasconfig", "gitdir"), 0o644);
        lab.apply(ws, &[]).success();
        assert_eq!(stored(ws), SSH);
        ws.run(&["remove"]).success();
        assert_eq!(ws.read("app/.git/config"), config);
    });
}

#[test]
fn a_url_that_stays_has_all_rules_whatever_the_number_of_keys() {
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.host.repository("acme/app");
        for number in 0..11 {
            let name = format!("acme/r{number}");
            let key = KeyPair::generate(&name);
            lab.declared[&name] = Value::String(key.private.clone());
        }
        lab.key("acme/app", "acme/app");
        for url in [HTTPS, "https://github.com/acme/app.git"] {
            clone(ws, url);
            identity_by(ws, "https://github.com/acme/**", "");
            lab.apply(ws, &[]).success().stdout_has("\nREADY ");
            assert_eq!(stored(ws), url);
            lab.uses(&["acme/app"], || drop(git(ws, &["fetch", "--quiet"], "app")));
        }
    });
}

#[test]
fn a_url_stays_where_git_does_not_say_what_reads_it() {
    const NOTE: &str = "the remotes of 1 clone stay as they are, the first with \
                        `~/app/.git/config`: git did not say what reads their URLs (it did not \
                        end in time)";
    sandbox(|ws| {
        let mut lab = Lab::new();
        lab.host.repository("acme/app");
        lab.key("acme/app", "acme/app");
        clone(ws, HTTPS);
        git(ws, &["config", "--local", "include.path", "~/other"], "app");
        let config = ws.read("app/.git/config");
        let apply = || lab.apply(ws, &[]).success().stdout_has("\nREADY ");
        ws.sh("mkfifo other").run().success();
        apply().stdout_has(NOTE);
        assert_eq!(ws.read("app/.git/config"), config);
        ws.sh("rm other; touch other").run().success();
        assert!(!apply().stdout.contains(NOTE));
        assert_eq!(stored(ws), SSH);
        // it is not restored either
        ws.sh("rm other; mkfifo other").run().success();
        apply().stdout_has(NOTE);
        let read = ws.read("app/.git/config");
        assert!(read.contains(&format!("url = {SSH}\n")), "{read}");
        ws.run(&["remove"]).success();
        assert_eq!(ws.read("app/.git/config"), config);
    });
}
