//! apply, apply: nothing is written. apply, remove: the home is as it was.

use std::os::unix::fs::symlink;

use crate::support::{Everything, KeyPair, Workspace, fake_auth, home_in_use, sandbox};

#[test]
fn remove_restores_a_bare_home() {
    sandbox(|ws| {
        let everything = Everything::new();
        let before = ws.snapshot();
        everything.pushready(ws, &["apply"]).run().success();
        assert!(!before.diff(&ws.snapshot()).is_empty());
        ws.run(&["remove"]).success().stdout_has("REMOVED");
        before.assert_same(&ws.snapshot());
        ws.run(&["remove"]).success().stdout_has("NOTHING TO UNDO");
    });
}

#[test]
fn remove_restores_a_home_that_was_in_use() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        let before = ws.snapshot();
        everything.pushready(ws, &["apply"]).run().success();
        assert!(ws.home().join(".gitconfig").is_symlink());
        assert!(
            ws.read("src/app/.git/config").contains("url = git@github.com:acme/app.git ; mine\n")
        );
        ws.run(&["remove"]).success();
        // Codex's own lock files, empty, stay where Codex has been
        for lock in [".codex/auth.lock", ".codex/auth.json.lock"] {
            assert_eq!(ws.read(lock), "");
            std::fs::remove_file(ws.home().join(lock)).unwrap();
        }
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_second_apply_writes_nothing_and_says_so() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        everything.pushready(ws, &["apply"]).run().success();
        let before = ws.snapshot();
        let again =
            everything.pushready(ws, &["apply"]).run().success().stdout_has("no changes needed");
        let written = before.written(&ws.snapshot());
        assert!(written.is_empty(), "{written:?}\n{again}");
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn an_apply_without_variables_changes_nothing() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        let before = ws.snapshot();
        ws.run(&["apply"])
            .success()
            .stdout_has("kept from the last apply")
            .stdout_has("no changes needed");
        assert!(before.written(&ws.snapshot()).is_empty());
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn a_dry_run_shows_the_plan_and_touches_nothing() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        let before = ws.snapshot();
        let changes = |report: &serde_json::Value| -> Vec<(String, String)> {
            let lines = report["changes"].as_array().unwrap().iter();
            lines.map(|line| (line["path"].to_string(), line["action"].to_string())).collect()
        };
        let planned =
            everything.pushready(ws, &["apply", "--dry-run", "--json"]).run().success().json();
        let written = before.written(&ws.snapshot());
        assert!(written.is_empty(), "{written:?}");
        let done = everything.pushready(ws, &["apply", "--json"]).run().success().json();
        assert_eq!(changes(&planned).len(), changes(&done).len());
        let paths = |changes: Vec<(String, String)>| {
            changes.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        assert_eq!(paths(changes(&planned)), paths(changes(&done)));
        // nothing is reported as done that was not
        for (subject, verb) in
            [("codex", "written: "), ("claude", "written: "), ("remotes", "switched ")]
        {
            let summary = |report: &serde_json::Value| -> String {
                let mut items = report["items"].as_array().unwrap().iter();
                let item = items.find(|item| item["subject"] == subject).unwrap();
                item["summary"].as_str().unwrap().to_owned()
            };
            assert!(summary(&done).starts_with(verb), "{done}");
            assert!(summary(&planned).starts_with("would "), "{planned}");
        }

        let before = ws.snapshot();
        let dry = ws.run(&["remove", "--dry-run"]).success().stdout_has("WOULD REMOVE");
        for line in dry.stdout.lines().filter(|line| line.starts_with("ok ")) {
            assert!(line.contains(" would be "), "{line}");
        }
        assert!(before.written(&ws.snapshot()).is_empty());
    });
}

#[test]
fn with_nothing_configured_nothing_is_written() {
    sandbox(|ws| {
        let before = ws.snapshot();
        ws.run(&["apply"]).success().stdout_has("nothing is configured");
        before.assert_same(&ws.snapshot());
    });
}

#[test]
fn what_the_user_edited_since_is_kept_and_named() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        everything.pushready(ws, &["apply"]).run().success();
        let own = fake_auth::chatgpt().of_account(fake_auth::OTHER_ACCOUNT).json();
        ws.write(".codex/auth.json", &own, 0o600);
        ws.git(&["remote", "set-url", "origin", "git@github.com:acme/fork.git"])
            .current_dir("src/app")
            .run()
            .success();
        let config = ws.read(".ssh/config");
        ws.write(".ssh/config", format!("{config}\nHost mine\n"), 0o644);
        let removed = ws
            .run(&["remove"])
            .fails(1)
            .stdout_has("~/.codex/auth.json: kept")
            .stdout_has("src/app");
        assert!(removed.stdout.contains("NOT ALL REMOVED"), "{removed}");
        assert_eq!(ws.read(".codex/auth.json"), own);
        assert!(ws.read("src/app/.git/config").contains("acme/fork.git"));
        assert!(ws.read(".ssh/config").ends_with("Host x\nHost mine\n"));
        assert!(!ws.home().join(".local").exists(), "the state folder goes all the same");
    });
}

#[test]
fn a_login_that_was_refreshed_is_still_ours_to_remove() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        ws.write(".codex/auth.json", everything.seed.clone().refreshed().json(), 0o600);
        ws.run(&["remove"]).success();
        assert!(!ws.home().join(".codex/auth.json").exists());
    });
}

#[test]
fn logins_can_be_left_in_place() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        let login = ws.read(".codex/auth.json");
        ws.run(&["remove", "--keep-logins"]).success();
        assert_eq!(ws.read(".codex/auth.json"), login);
        assert!(ws.home().join(".claude/.credentials.json").exists());
        assert!(!ws.home().join(".ssh").exists());
    });
}

#[test]
fn a_newer_receipt_is_not_touched() {
    sandbox(|ws| {
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        let path = ".local/state/pushready/receipt.json";
        let newer = ws.read(path).replacen("\"schema_version\": 1", "\"schema_version\": 2", 1);
        ws.write(path, newer, 0o600);
        let before = ws.snapshot();
        everything.pushready(ws, &["apply"]).run().fails(1).stderr_has("schema version 2");
        ws.run(&["remove"]).fails(1);
        before.assert_same(&ws.snapshot());
    });
}

/// Applies, lets the user edit `path`, and removes: the edit is named, and `path` is as `expected`.
fn edited(
    ws: &Workspace,
    path: &str,
    edit: impl Fn(&str) -> String,
    named: &str,
    expected: impl Fn(&str) -> String,
) {
    let before = ws.read(path);
    Everything::new().pushready(ws, &["apply"]).run().success();
    let mode = ws.mode(path);
    let applied = ws.read(path);
    let now = edit(&applied);
    assert_ne!(now, applied, "{path}: the edit takes place");
    ws.write(path, now, mode);
    let dry = ws.run(&["remove", "--dry-run"]).fails(1).stdout_has(named);
    assert!(dry.stdout.contains("kept"), "{dry}");
    ws.run(&["remove"]).fails(1).stdout_has(named).stdout_has("NOT ALL REMOVED");
    assert_eq!(ws.read(path), expected(&before));
    ws.run(&["remove"]).success().stdout_has("NOTHING TO UNDO");
}

#[test]
fn an_edit_is_kept_and_named_in_every_kind_of_file() {
    sandbox(|ws| {
        home_in_use(ws);
        let config = "src/app/.git/config";
        let two = format!(
            "{}[remote \"fork\"]\n\turl = https://github.com/acme/app.git\n",
            ws.read(config)
        );
        ws.write(config, two, 0o644);
        let store = || ws.sh("rm -rf /tmp/in-use; cp -a ~ /tmp/in-use").run().success();
        let restore = || ws.sh("find ~ -mindepth 1 -delete; cp -a /tmp/in-use/. ~").run().success();
        store();

        // one key of ours is the user's by now: the other goes
        edited(
            ws,
            ".claude.json",
            |text| {
                text.replace("\"hasCompletedOnboarding\":true", "\"hasCompletedOnboarding\":false")
            },
            "~/.claude.json: kept: changed since: hasCompletedOnboarding",
            |before| {
                before.replace("\"\\u00e9\"}", "\"\\u00e9\",\"hasCompletedOnboarding\":false}")
            },
        );
        restore();
        // `/login` took the place of the token; the rest of the file is the user's anyway
        edited(
            ws,
            ".claude/.credentials.json",
            |text| text.replace("sk-ant-oat01-", "sk-ant-oat01-of-login-"),
            "~/.claude/.credentials.json: kept: changed since: claudeAiOauth",
            |_| ws.read(".claude/.credentials.json"),
        );
        assert!(ws.read(".claude/.credentials.json").contains("of-login"));
        restore();
        // one of two remotes
        edited(
            ws,
            config,
            |text| text.replacen("git@github.com:acme/app.git", "git@github.com:acme/mine.git", 1),
            "~/src/app/.git/config: kept: changed since: remote.origin.url",
            |before| {
                before.replace("\"https://github.com/acme/app\"", "git@github.com:acme/mine.git")
            },
        );
        restore();
        // our tables, one of them turned
        edited(
            ws,
            ".codex/config.toml",
            |text| text.replacen("\"trusted\"", "\"untrusted\"", 1),
            "~/.codex/config.toml: kept: pushready's lines were changed since",
            |_| ws.read(".codex/config.toml"),
        );
        assert!(ws.read(".codex/config.toml").starts_with("model = \"x\" # mine\r\n"));
    });
}

/// git appends to the last section of a name, and that may be ours.
#[test]
fn what_was_added_to_our_section_stays_in_force_and_is_named() {
    sandbox(|ws| {
        let everything = Everything::new();
        for before in ["[user]\n\tname = a\n", ""] {
            ws.write("other", "[user]\n\temail = me@example.com\n", 0o644);
            ws.write(".gitconfig", before, 0o644);
            everything.pushready(ws, &["apply"]).run().success();
            ws.git(&["config", "--global", "--add", "include.path", "~/other"]).run().success();
            everything.pushready(ws, &["apply"]).run().success().stdout_has("no changes needed");
            ws.run(&["remove"])
                .fails(1)
                .stdout_has("~/.gitconfig: kept: the header of pushready's section");
            assert_eq!(ws.read(".gitconfig"), format!("{before}[include]\n\tpath = ~/other\n"));
            ws.git(&["config", "user.email"]).run().success().stdout_has("me@example.com");
            ws.run(&["remove"]).success();
        }
    });
}

#[test]
fn what_others_write_around_our_keys_stays_to_the_byte() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        let files = [
            ".claude.json",
            ".claude/.credentials.json",
            ".codex/config.toml",
            ".ssh/config",
            "dotfiles/gitconfig",
        ];
        let before = files.map(|path| ws.read(path));
        everything.pushready(ws, &["apply"]).run().success();
        let edits = [
            ("\"numStartups\":3,", "\"numStartups\": 4.0 ,\"new\":{ },"),
            ("{\"x\": 1}", "{\"x\":\t2e0}"),
            ("\"x\" # mine", "'y' # still mine"),
            ("Host *", "Host\t* # mine"),
            ("Dev # me", "Dev  ; me"),
        ];
        for (path, (old, new)) in files.iter().zip(edits) {
            let text = ws.read(path);
            assert!(text.contains(old), "{path}:\n{text}");
            ws.write(path, text.replace(old, new), ws.mode(path));
        }
        ws.run(&["remove"]).success();
        for ((path, before), (old, new)) in files.iter().zip(before).zip(edits) {
            assert_eq!(ws.read(path), before.replace(old, new), "{path}");
        }
    });
}

#[test]
fn a_line_that_goes_on_does_not_swallow_ours() {
    sandbox(|ws| {
        let everything = Everything::new();
        let names_ours = || {
            let paths = ws.git(&["config", "--global", "--get-all", "include.path"]).run().stdout;
            paths.contains("/pushready/gitconfig")
        };
        let alias = || ws.git(&["config", "--global", "alias.x"]).run().success().stdout;
        // git joins a line that ends in an odd number of backslashes with the next (git-config(1))
        for end in ["foo \\", "foo \\\n", "foo \\\r\n", "foo \\\\", "foo", "foo \\\n\n", "foo # \\"]
        {
            let old = format!("[alias]\n\tx = {end}");
            ws.write(".gitconfig", &old, 0o600);
            let (before, value) = (ws.snapshot(), alias());
            everything.pushready(ws, &["apply"]).run().success();
            assert!(names_ours(), "{end:?}:\n{}", ws.read(".gitconfig"));
            assert_eq!(alias(), value, "{end:?}");
            everything.pushready(ws, &["apply"]).run().success().stdout_has("no changes needed");
            ws.run(&["remove"]).success();
            before.assert_same(&ws.snapshot());
        }
        // ours is written anew where an edit above it has swallowed it, and where somebody took the
        // empty line away
        ws.write(".gitconfig", "[alias]\n\tx = foo\n", 0o600);
        everything.pushready(ws, &["apply"]).run().success();
        ws.write(".gitconfig", ws.read(".gitconfig").replace("foo\n", "foo \\\n"), 0o600);
        assert!(!names_ours());
        for _ in 0..2 {
            everything.pushready(ws, &["apply"]).run().success();
            assert!(names_ours(), "{}", ws.read(".gitconfig"));
            ws.write(".gitconfig", ws.read(".gitconfig").replace("\n\n", "\n"), 0o600);
        }
        ws.run(&["remove"]).success();
        assert_eq!(ws.read(".gitconfig"), "[alias]\n\tx = foo \\\n");
    });
}

#[test]
fn a_folder_that_is_no_longer_configured_loses_its_trust() {
    sandbox(|ws| {
        let everything = Everything::new();
        home_in_use(ws);
        everything.pushready(ws, &["apply"]).run().success();
        let whole = [".claude.json", ".codex/config.toml"].map(|path| ws.read(path));
        let less = || {
            everything
                .pushready(ws, &["apply"])
                .env("PUSHREADY_TRUSTED_FOLDERS", "~/work")
                .run()
                .success()
        };
        less();
        for path in [".claude.json", ".codex/config.toml"] {
            assert!(
                !ws.read(path).contains("/srv/project") && ws.read(path).contains("/work"),
                "{}",
                ws.read(path)
            );
        }
        less().stdout_has("no changes needed");
        everything.pushready(ws, &["apply"]).run().success();
        assert_eq!([".claude.json", ".codex/config.toml"].map(|path| ws.read(path)), whole);
    });
}

#[test]
fn a_link_into_a_dotfiles_folder_that_is_not_there_yet_leaves_none() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        ws.sh("mkdir -m 700 .ssh; ln -s ../dot/files/ssh_config .ssh/config").run().success();
        let apply = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", "acme/app");
        apply.env("PUSHREADY_DEPLOY_KEY", &*key.private).run().success();
        assert!(ws.read("dot/files/ssh_config").contains("Include "));
        ws.run(&["remove"]).success();
        assert!(!ws.home().join("dot").exists());
        assert!(ws.home().join(".ssh/config").is_symlink());
    });
}

/// The attributes of a file, its access control list among them, by name.
fn attributes(ws: &Workspace, path: &str) -> Vec<(String, Vec<u8>)> {
    let path = ws.home().join(path);
    let mut names = vec![0; 4096];
    let length = rustix::fs::listxattr(&path, &mut names).unwrap();
    let names = names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let attributes = names.map(|name| {
        let name = String::from_utf8(name.to_vec()).unwrap();
        let mut value = vec![0; 4096];
        let length = rustix::fs::getxattr(&path, &name, &mut value).unwrap();
        value.truncate(length);
        (name, value)
    });
    let mut attributes: Vec<_> = attributes.collect();
    attributes.sort();
    attributes
}

/// Whoever shares a file with a colleague or a backup program wants it shared after apply as well.
#[test]
fn shared_files_keep_their_access_control_lists_and_attributes() {
    sandbox(|ws| {
        let everything = Everything::new();
        let files = [".gitconfig", ".ssh/config", ".codex/config.toml", ".claude.json"];
        // the owner, this user by name, the group, the mask, all others (linux/posix_acl_xattr.h)
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in [
            (1_u16, 6_u16, u32::MAX),
            (2, 4, rustix::process::geteuid().as_raw()),
            (4, 0, u32::MAX),
            (0x10, 4, u32::MAX),
            (0x20, 0, u32::MAX),
        ] {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        ws.write(".ssh/config", "Host x\n", 0o600);
        ws.set_mode(".ssh", 0o700);
        ws.write("dotfiles/gitconfig", "[user]\n\tname = Dev\n", 0o600);
        symlink("dotfiles/gitconfig", ws.home().join(".gitconfig")).unwrap();
        ws.write(".codex/config.toml", "model = \"x\"\n", 0o600);
        ws.write(".claude.json", "{\"a\":1}", 0o600);
        for file in files {
            let path = ws.home().join(file);
            let set = |name: &str, value: &[u8]| {
                rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
            };
            set("system.posix_acl_access", &list);
            set("user.note", b"mine");
        }
        let before = files.map(|file| (attributes(ws, file), ws.read(file)));
        assert!(before.iter().all(|(attributes, _)| attributes.len() == 2), "{before:?}");
        everything.pushready(ws, &["apply"]).run().success();
        for (file, (attributes_before, text)) in files.into_iter().zip(&before) {
            assert_ne!(ws.read(file), *text, "{file} was not written");
            assert_eq!(attributes(ws, file), *attributes_before, "{file}");
        }
        ws.run(&["remove"]).success();
        for (file, (attributes_before, text)) in files.into_iter().zip(&before) {
            assert_eq!((attributes(ws, file), &ws.read(file)), (attributes_before.clone(), text));
        }
    });
}
