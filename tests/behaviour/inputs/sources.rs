//! Where a value comes from: variables, files, folders, standard input.

use std::fs;
use std::os::unix::fs::symlink;

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::{assert_note, claude_token, installed, items, notes, token};
use crate::support::{Cmd, KeyPair, Workspace, canary, fake_auth, sandbox, sandbox_with, skip};

#[test]
fn a_variable_that_is_not_read_is_reported() {
    sandbox(|ws| {
        let apply = |name: &str| ws.pushready(&["apply"]).env(name, "x").run().success();
        for (name, fix) in [
            (
                "PUSHREADY_CODEX_AUTH",
                "it is not a variable of pushready; did you mean `PUSHREADY_CODEX_AUTH_JSON`?",
            ),
            ("PUSHREADY_KNOWN_HOSTS_FILE", "give the value itself in `PUSHREADY_KNOWN_HOSTS`"),
        ] {
            apply(name).stdout_has(&format!("note     `{name}` is ignored: {fix}"));
        }
        for name in ["PUSHREADY_SHA256_X86_64", "PUSHREADYX", "MY_PUSHREADY_KEY"] {
            assert!(!apply(name).stdout.contains(name), "{name}");
        }
    });
}

/// Variables that hand over the same kind of secret in every way at once, best first.
const WAYS: [&str; 6] = [
    "PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE",
    "PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64",
    "PUSHREADY_CLAUDE_OAUTH_TOKEN",
    "PUSHREADY_CLAUDE_OAUTH_TOKEN on standard input",
    "~/.config/pushready/seed/claude-oauth-token",
    "CLAUDE_CODE_OAUTH_TOKEN",
];

fn all_ways(ws: &Workspace, from: usize) -> Cmd {
    let mut apply = ws.pushready(&["apply", "--stdin", "--json"]).stdin("{}");
    let seed = ".config/pushready/seed/claude-oauth-token";
    let _ = fs::remove_file(ws.home().join(seed));
    for (number, way) in WAYS.iter().enumerate().skip(from) {
        let token = token(&format!("way{number}"));
        apply = match number {
            0 => {
                ws.write("token", token, 0o644);
                apply.env(way, "~/token")
            }
            1 => apply.env(way, Base64::encode_string(token.as_bytes())),
            3 => apply.stdin(json!({"PUSHREADY_CLAUDE_OAUTH_TOKEN": token}).to_string()),
            4 => {
                ws.write(seed, token, 0o644);
                apply
            }
            _ => apply.env(way, token),
        };
    }
    apply
}

#[test]
fn the_first_source_wins_and_others_that_differ_are_named() {
    sandbox(|ws| {
        let tokens: Vec<_> = (0..WAYS.len()).map(|number| token(&format!("way{number}"))).collect();
        for (number, way) in WAYS.iter().enumerate() {
            let output = all_ways(ws, number).run().success();
            assert_eq!(claude_token(ws), tokens[number], "{way}");
            // a lesser source alone would not replace what a better one gave
            ws.run(&["remove"]).success();
            assert_eq!(output.json()["sources"], json!([way]));
            for lower in &WAYS[number + 1..] {
                assert_note(&output, &[&format!("{lower} differs from {way}, which is used")]);
            }
            canary::assert_absent(way, output.to_string(), &tokens);
        }
    });
}

#[test]
fn of_keys_too_the_first_source_wins_be_it_good_or_bad() {
    sandbox(|ws| {
        let [upper, lower] = ["upper", "lower"].map(KeyPair::generate);
        let seed = ".config/pushready/seed/deploy-keys/github.com/acme/app";
        let with = |map: Value, below: &str| {
            ws.write(seed, below, 0o600);
            ws.pushready(&["apply"])
                .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": map}).to_string())
        };
        let apply = |map: &str, below: &str| with(map.into(), below).run();
        // who set the better source did not mean the sources below it, whatever is wrong with that
        let single = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", "acme/app");
        for refused in [
            with("no key".into(), &lower.private),
            with(json!({"private": upper.private}), &lower.private),
            single.env("PUSHREADY_DEPLOY_KEY_FILE", "/"),
        ] {
            let output = refused.run().fails(1).stdout_has("FAIL     key-malformed key acme/app: ").stdout_has(
                "key acme/app: ~/.config/pushready/seed/deploy-keys/github.com/acme/app is ignored",
            );
            assert!(!output.stdout.contains("ok       key acme/app"), "{output}");
            assert!(!ws.home().join(".local/state/pushready/keys").exists(), "{output}");
        }
        let output = apply(&upper.private, "no key").success();
        output
            .stdout_has(&format!("ok       key acme/app: ssh-ed25519 {}", upper.fingerprint))
            .stdout_has("does not contain a usable key; the one in PUSHREADY_DEPLOY_KEYS is used");
        ws.run(&["remove"]).success();
        apply(&upper.private, &lower.private)
            .success()
            .stdout_has("has another key than PUSHREADY_DEPLOY_KEYS, which is used");
    });
}

#[test]
fn the_same_value_in_two_sources_changes_nothing() {
    sandbox(|ws| {
        let token = token("same");
        let output = ws
            .pushready(&["apply", "--json"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", &*token)
            .env(
                "PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64",
                Base64::encode_string(format!("{token}\n").as_bytes()),
            )
            .env("CLAUDE_CODE_OAUTH_TOKEN", &*token)
            .run()
            .success();
        assert_eq!(notes(&output), [""; 0]);
    });
}

#[test]
fn a_source_that_is_set_and_cannot_be_read_is_never_taken_for_unset() {
    sandbox(|ws| {
        let lower = token("lower");
        ws.write("closed", "x", 0o000);
        ws.write("blank", " \n", 0o644);
        for (name, value, reason) in [
            ("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", "/etc", "is a directory, not a regular file"),
            ("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", "~/closed", "Permission denied"),
            ("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", "/dev/zero", "is a device, not a regular file"),
            ("PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64", "%%%", "it is not base64"),
            ("PUSHREADY_CLAUDE_OAUTH_TOKEN_BASE64", "/w==", "not UTF-8"),
        ] {
            let output = ws
                .pushready(&["apply"])
                .env(name, value)
                .env("CLAUDE_CODE_OAUTH_TOKEN", &*lower)
                .run()
                .fails(1)
                .stdout_has(reason)
                .stdout_has(name)
                .stdout_has("NOT READY claude-token-malformed claude");
            assert!(!ws.home().join(".claude/.credentials.json").exists(), "{output}");
        }
        for path in ["~/not-there", "~/blank"] {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", path)
                .env("CLAUDE_CODE_OAUTH_TOKEN", &*lower)
                .run()
                .success()
                .stdout_has("missing or blank: it is treated as unset")
                .stdout_has("token from CLAUDE_CODE_OAUTH_TOKEN");
        }
    });
}

#[test]
fn empty_variables_are_unset() {
    sandbox(|ws| {
        let before = ws.snapshot();
        let names = [
            "PUSHREADY_CODEX_AUTH_JSON",
            "PUSHREADY_CLAUDE_OAUTH_TOKEN",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "PUSHREADY_DEPLOY_KEYS",
            "PUSHREADY_DEPLOY_KEY",
            "PUSHREADY_REPOSITORY",
            "PUSHREADY_SEED_DIR",
            "PUSHREADY_REQUIRE",
            "PUSHREADY_UNCLAIMED",
            "CODEX_HOME",
            "CLAUDE_CONFIG_DIR",
            "XDG_STATE_HOME",
        ];
        for blank in ["", " \n"] {
            let apply =
                names.iter().fold(ws.pushready(&["apply"]), |apply, name| apply.env(name, blank));
            apply.run().success().stdout_has("nothing is configured");
        }
        before.assert_same(&ws.snapshot());
    });
}

/// A Kubernetes secret as the kubelet mounts it: links to `..data`, which is a link to the folder
/// of one version.
fn mount(root: &std::path::Path, version: &str, files: &[(&str, &str)]) {
    for (path, content) in files {
        let file = root.join(version).join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
        let top = path.split('/').next().unwrap();
        let _ = symlink(format!("..data/{top}"), root.join(top));
    }
    let _ = fs::remove_file(root.join("..data"));
    symlink(version, root.join("..data")).unwrap();
}

#[test]
fn a_mounted_kubernetes_secret_is_a_seed_folder() {
    sandbox(|ws| {
        let root = std::path::Path::new("/run/secrets/pushready");
        let (app, sub) = (KeyPair::generate("app"), KeyPair::generate("sub"));
        let seed = fake_auth::chatgpt();
        let known = "git.corp.test ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n";
        let files = |token: &str| {
            vec![
                ("codex-auth.json", seed.json()),
                ("claude-oauth-token", format!("{token}\n")),
                ("known_hosts", known.to_owned()),
                ("deploy-keys/github.com/acme/app", app.private.clone()),
                ("deploy-keys/git.corp.test/group/sub/lib", sub.private.clone()),
            ]
        };
        let mount = |version: &str, token: &str| {
            let files = files(token);
            mount(
                root,
                version,
                &files.iter().map(|(path, text)| (*path, &**text)).collect::<Vec<_>>(),
            );
        };
        let apply = || {
            let output = ws
                .pushready(&["apply"])
                .env("PUSHREADY_SEED_DIR", "/run/secrets/pushready")
                .run()
                .success();
            canary::assert_absent("apply", output.to_string(), &[&app.private, &sub.private]);
            output
        };
        mount("..2026_01", &token("first"));
        fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
        let output = apply();
        assert_eq!(installed(ws, &app), ["acme/app"]);
        assert_eq!(installed(ws, &sub), ["group/sub/lib"]);
        assert_eq!(claude_token(ws), token("first"));
        assert_eq!(ws.mode(".codex/auth.json"), 0o600);
        assert!(ws.read(".local/state/pushready/known_hosts").contains(known));
        assert!(output.stdout.lines().count() <= 9, "{output}");

        // the keys may be a mount of their own: each is there once, not again below `..data`
        let keys = std::path::Path::new("/run/seed/deploy-keys");
        self::mount(keys, "..2026_01", &[("github.com/acme/own", &app.private)]);
        let output = ws
            .pushready(&["apply", "--json"])
            .env("PUSHREADY_SEED_DIR", "/run/seed")
            .run()
            .success();
        assert!(items(&output).contains_key("key acme/own"), "{output}");

        // the kubelet swaps the link
        fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        mount("..2026_02", &token("second"));
        apply();
        assert_eq!(claude_token(ws), token("second"));
    });
}

/// The kubelet's files belong to root, and are read by everybody: 0644 files, in folders of one
/// version.
#[test]
fn sources_of_root_are_read_through_the_links_of_a_secret_mount() {
    let folder = std::env::temp_dir().join(format!("pushready-secret-{}", std::process::id()));
    let shown = folder.display().to_string();
    let outside = std::env::var_os("PUSHREADY_SANDBOX").is_none();
    if outside {
        let files = [
            ("codex-auth.json", fake_auth::chatgpt().json()),
            ("claude-oauth-token", token("root")),
            ("deploy-keys/github.com/acme/app", KeyPair::generate("app").private),
        ];
        mount(&folder, "..2026_11", &files.each_ref().map(|(path, text)| (*path, &**text)));
        // a uid that the sandbox does not map is nobody's in it, as root's is
        for entry in walkdir::WalkDir::new(&folder).into_iter().map(Result::unwrap) {
            let _ = std::os::unix::fs::lchown(entry.path(), Some(4242), Some(4242));
        }
    }
    sandbox_with(&["--ro-bind-try", &shown, "/run/secrets"], |ws| {
        use std::os::unix::fs::MetadataExt;
        if fs::metadata("/run/secrets/claude-oauth-token").unwrap().uid() == 1000 {
            skip("a file of another user: needs root");
        }
        let apply =
            || ws.pushready(&["apply"]).env("PUSHREADY_SEED_DIR", "/run/secrets").run().success();
        apply()
            .stdout_has("codex: written")
            .stdout_has("claude: written")
            .stdout_has("key acme/app");
        assert_eq!(claude_token(ws), token("root"));
        apply().stdout_has("no changes needed");
        ws.run(&["remove"]).success();
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN_FILE", "/run/secrets/claude-oauth-token")
            .run()
            .success();
        assert_eq!(claude_token(ws), token("root"));
    });
    if outside {
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn user_secret_files_are_read_from_the_default_seed_folder() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let seed = ".config/pushready/seed";
        ws.write(
            &format!("{seed}/codex-auth.json"),
            format!("{}\n", fake_auth::chatgpt().json()),
            0o644,
        );
        ws.write(&format!("{seed}/claude-oauth-token"), format!("{}\n", token("user")), 0o644);
        ws.write(&format!("{seed}/deploy-keys/github.com/acme/app"), &key.private, 0o600);
        // what ssh-keygen leaves beside it
        ws.write(&format!("{seed}/deploy-keys/github.com/acme/app.pub"), &key.public, 0o644);
        ws.run(&["apply"])
            .success()
            .stdout_has(
                "~/.config/pushready/seed/codex-auth.json, ~/.config/pushready/seed/claude-oauth-token",
            )
            .stdout_has(&key.fingerprint)
            .stdout_has("codex: written")
            .stdout_has("claude: written");
        assert_eq!(installed(ws, &key), ["acme/app"]);

        // one that cannot be read is named, and what it brought earlier stays
        let path = ws.home().join(seed).join("deploy-keys/github.com/acme/app");
        fs::remove_file(&path).unwrap();
        symlink("/nowhere", &path).unwrap();
        ws.run(&["apply"]).fails(1).stdout_has("FAIL     key-malformed deploy keys: cannot read");
        assert_eq!(installed(ws, &key), ["acme/app"]);
        // one that is gone is undone
        fs::remove_file(&path).unwrap();
        fs::remove_file(path.with_extension("pub")).unwrap();
        ws.run(&["apply"]).success().stdout_has("removed key acme/app: no longer configured");
        assert!(!ws.home().join(".local/state/pushready/keys").read_dir().unwrap().any(|_| true));
    });
}

#[test]
fn a_seed_folder_that_is_named_and_missing_is_reported() {
    sandbox(|ws| {
        ws.write("file", "", 0o644);
        ws.write("closed/codex-auth.json", fake_auth::chatgpt().json(), 0o600);
        ws.set_mode("closed", 0);
        ws.write("empty/.keep", "", 0o600);
        let apply = |folder: &str| ws.pushready(&["apply"]).env("PUSHREADY_SEED_DIR", folder).run();
        apply("~/gone")
            .success()
            .stdout_has("PUSHREADY_SEED_DIR names `~/gone`, which does not exist");
        // one that is there and cannot be read is never as good as unset
        for (folder, why) in [("~/file", "Not a directory"), ("~/closed", "Permission denied")] {
            apply(folder).fails(1).stdout_has(&folder.replace('~', "/home/coder")).stdout_has(why);
            ws.run(&["remove"]).success();
        }
        let output = apply("~/empty").success().stdout_has("nothing is configured");
        assert!(!output.stdout.contains("PUSHREADY_SEED_DIR"), "{output}");
        // the default one need not be there
        let output = ws.run(&["apply"]).success();
        assert!(!output.stdout.contains("is not there"), "{output}");
        ws.set_mode("closed", 0o700);
    });
}

/// 330,000 names took two minutes.
#[test]
fn standard_input_of_many_names_is_read_at_once() {
    sandbox(|ws| {
        let token = format!("sk-ant-oat01-{}", "x".repeat(60));
        let names: String = (0..330_000).map(|number| format!("\"n{number}\":1,")).collect();
        let stdin = format!("{{{names}\"PUSHREADY_CLAUDE_OAUTH_TOKEN\":\"{token}\"}}");
        let apply = ws.pushready(&["apply", "--stdin"]).stdin(stdin).wrapped_in("timeout", ["20"]);
        apply
            .run()
            .success()
            .stdout_has("standard input names `n0`, which is ignored")
            .stdout_has("329990 more names on standard input are ignored");
    });
}
