//! Paths that are not what one expects: not UTF-8, with what a terminal obeys, with quotes and line
//! ends.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{Cmd, Everything, Output, Workspace, sandbox};

/// What a terminal would obey, and what would look like a line of ours.
const ODD: &str = "red\u{1b}[31m\nREADY";

#[track_caller]
fn is_plain(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(obeyed) && !text.contains("\nREADY/"), "{output}\n{text:?}");
    }
}

#[test]
fn what_a_terminal_obeys_does_not_reach_it() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        let home = ws.home().join(ODD).join("home");
        for home in [ws.home().to_owned(), home] {
            let codex = home.join(ODD);
            fs::create_dir_all(&codex).unwrap();
            let on = |cmd: Cmd| cmd.env("HOME", &home).env("CODEX_HOME", &codex);
            let apply = |args: &[&str]| on(everything.pushready(ws, args)).run();
            let run = |args: &[&str]| on(ws.pushready(args)).run();
            // neither can be used: the reason names the path
            symlink("elsewhere", codex.join("auth.json")).unwrap();
            fs::write(codex.join("config.toml"), "model = \n").unwrap();
            let refused = apply(&["apply"]).fails(1).stdout_has("home-unsafe-place codex");
            is_plain(&refused);
            let path = refused.stdout.split("`rm ").nth(1).unwrap().split('`').next().unwrap();
            let json = apply(&["apply", "--json"]).json();
            let summaries = json["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["summary"].as_str().unwrap());
            let exact = codex.join("auth.json");
            assert!(
                summaries.into_iter().any(|say| say.contains(exact.to_str().unwrap())),
                "{json:#}"
            );
            is_plain(&apply(&["apply", "-v"]));
            is_plain(&run(&["status"]));
            is_plain(&run(&["status", "--line"]));
            is_plain(&run(&["doctor", "--offline"]));
            is_plain(&run(&["doctor", "--offline", "--short"]));
            is_plain(&run(&["doctor", "--offline", "-v", "--all"]));
            // and the fix can be pasted
            ws.cmd("bash").args(["-c", &format!("rm {path}")]).run().success();
            assert!(!exact.is_symlink(), "{path}");
            fs::remove_file(codex.join("config.toml")).unwrap();
            is_plain(&apply(&["apply", "-v", "-v"]));
            is_plain(&apply(&["apply"]));
            fs::write(home.join(".local/state/pushready").join(ODD), "").unwrap();
            fs::write(&exact, "of the user").unwrap();
            is_plain(&run(&["remove", "--dry-run"]));
            let removed = run(&["remove"]).fails(1).stdout_has("kept");
            is_plain(&removed);
            ws.sh("find ~ -mindepth 1 -delete").run().success();
        }
        before.assert_same(&ws.snapshot());
    });
}

fn not_utf_8(ws: &Workspace) -> std::path::PathBuf {
    ws.home().join(OsStr::from_bytes(b"odd\xff"))
}

#[test]
fn a_place_that_is_not_utf_8_is_refused_by_name_and_the_rest_goes_on() {
    sandbox(|ws| {
        let everything = Everything::new();
        let odd = not_utf_8(ws);
        fs::create_dir(&odd).unwrap();
        let before = ws.snapshot();
        let at = |variable: &str, args: &[&str]| {
            everything.pushready(ws, args).env(variable, &odd).run()
        };
        for (variable, item) in [("CODEX_HOME", "codex"), ("CLAUDE_CONFIG_DIR", "claude")] {
            at(variable, &["apply"])
                .fails(1)
                .stdout_has(&format!("home-unsafe-place {item}"))
                .stdout_has("is not UTF-8")
                .stdout_has("key acme/app: ");
            let other =
                if item == "codex" { ".claude/.credentials.json" } else { ".codex/auth.json" };
            assert!(ws.home().join(other).exists(), "{other}");
            at(variable, &["status"]).fails(1).stdout_has(&format!("home-unsafe-place {item}"));
            at(variable, &["remove"]).success();
            before.assert_same(&ws.snapshot());
        }
        for variable in ["HOME", "XDG_STATE_HOME"] {
            for command in ["apply", "remove", "status"] {
                let output = at(variable, &[command]).fails(1);
                let text = format!("{}{}", output.stdout, output.stderr);
                assert!(
                    text.contains("is not UTF-8") && text.contains(&format!("set {variable}")),
                    "{output}"
                );
            }
            before.assert_same(&ws.snapshot());
        }
    });
}

#[test]
fn a_clients_folder_that_is_not_absolute_is_refused_by_name_and_the_rest_goes_on() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        for value in ["~/.cx", "agents"] {
            for (variable, item) in [("CODEX_HOME", "codex"), ("CLAUDE_CONFIG_DIR", "claude")] {
                let at = |args: &[&str]| everything.pushready(ws, args).env(variable, value).run();
                at(&["apply"])
                    .fails(1)
                    .stdout_has(&format!("NOT READY home-unsafe-place {item}"))
                    .stdout_has(&format!("`{value}` is not absolute"))
                    .stdout_has("set an absolute path: in CODEX_HOME")
                    .stdout_has("key acme/app: ");
                let other =
                    if item == "codex" { ".claude/.credentials.json" } else { ".codex/auth.json" };
                assert!(ws.home().join(other).exists(), "{other}");
                at(&["status"]).fails(1).stdout_has(&format!("home-unsafe-place {item}"));
                let report = at(&["doctor", "--offline", "--json"]).fails(1).json();
                let checks = report["checks"].as_array().unwrap();
                let id = format!("{item}.");
                let reported: Vec<_> = checks
                    .iter()
                    .filter(|check| check["id"].as_str().unwrap().starts_with(&id))
                    .map(|check| (check["id"].as_str().unwrap(), check["code"].as_str()))
                    .collect();
                let login = format!("{item}.login");
                assert!(
                    reported.contains(&(login.as_str(), Some("home-unsafe-place"))),
                    "{reported:?}"
                );
                at(&["remove"]).success();
                before.assert_same(&ws.snapshot());
            }
        }
    });
}

/// A blank one is not an unset one to the clients, but for Codex an empty one.
#[test]
fn a_clients_folder_that_is_set_and_blank_is_refused() {
    sandbox(|ws| {
        let everything = Everything::new();
        for (variable, value, item) in [
            ("CLAUDE_CONFIG_DIR", "", Some("claude")),
            ("CLAUDE_CONFIG_DIR", " ", Some("claude")),
            ("CODEX_HOME", " ", Some("codex")),
            ("CODEX_HOME", "", None),
        ] {
            let output = everything.pushready(ws, &["apply"]).env(variable, value).run();
            match item {
                Some(item) => output
                    .fails(1)
                    .stdout_has(&format!("NOT READY home-unsafe-place {item}"))
                    .stdout_has("is set and blank")
                    .stdout_has(
                        &format!("unset it: CODEX_HOME for Codex, {variable}")
                            .replace("CODEX_HOME for Codex, CODEX_HOME", "CODEX_HOME for Codex"),
                    ),
                None => output.success(),
            };
            ws.run(&["remove"]).success();
        }
    });
}

#[test]
fn one_odd_folder_does_not_cost_the_others_their_trust() {
    sandbox(|ws| {
        let everything = Everything::new();
        let odd = not_utf_8(ws);
        fs::create_dir(&odd).unwrap();
        symlink(&odd, ws.home().join("link")).unwrap();
        ws.write(".claude.json", "{\"projects\": {\"/srv/list\": []}}", 0o600);
        let before = ws.snapshot();
        let good = ["/srv/good", "/srv/a\nb", "/srv/q'\"\"\"q'''", "/srv/b\\c", "/srv/\u{1b}[31m"];
        let list = [&good.join(":"), ":~/link:/srv/list:"].concat();
        let list = [list.as_bytes(), odd.as_os_str().as_bytes()].concat();
        let apply = || {
            everything
                .pushready(ws, &["apply"])
                .env("PUSHREADY_TRUSTED_FOLDERS", OsStr::from_bytes(&list))
                .run()
        };
        let applied = apply()
            .success()
            .stdout_has("PUSHREADY_TRUSTED_FOLDERS: `/home/coder/odd\u{fffd}` is ignored")
            .stdout_has("codex-untrusted-folder codex trust: 6 folders trusted, without `/home/coder/link`")
            .stdout_has(
                "claude-untrusted-folder claude trust: 5 folders trusted, without `/home/coder/link`",
            );
        assert!(applied.stdout.contains("and without `/srv/list`"), "{applied}");
        let codex: toml_edit::DocumentMut = ws.read(".codex/config.toml").parse().unwrap();
        let claude: Value = serde_json::from_str(&ws.read(".claude.json")).unwrap();
        for folder in good {
            assert_eq!(
                codex["projects"][folder]["trust_level"].as_str(),
                Some("trusted"),
                "{folder:?}"
            );
            assert_eq!(claude["projects"][folder]["hasTrustDialogAccepted"], true, "{folder:?}");
        }
        assert_eq!(claude["hasCompletedOnboarding"], true);
        apply().success().stdout_has("no changes needed");
        ws.run(&["remove"]).success();
        before.assert_same(&ws.snapshot());
    });
}
