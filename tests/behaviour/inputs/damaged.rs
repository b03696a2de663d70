//! Damaged values: repaired and named, or refused by name.

use std::fs;
use std::process::Command;

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::{assert_note, canaries, claude_token, installed, items, token, with_keys};
use crate::support::{KeyPair, canary, fake_auth, require, sandbox};

fn made(program: &str, args: &str) -> String {
    require(program);
    let output = Command::new(program).args(args.split(' ')).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A key as `ssh-keygen` makes it with these options.
fn keygen(options: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-C", "rig", "-f"])
        .arg(&file)
        .args(options)
        .status();
    assert!(made.unwrap().success());
    fs::read_to_string(file).unwrap()
}

fn unwrapped(private: &str) -> (String, String) {
    let lines: Vec<_> = private.lines().collect();
    (lines[1..lines.len() - 1].join("\n"), lines[1..lines.len() - 1].concat())
}

#[test]
fn damaged_keys_are_repaired_and_named_or_refused_by_name() {
    sandbox(|ws| {
        let key = KeyPair::generate("canary");
        let pem = &key.private;
        let (body, joined) = unwrapped(pem);
        let (begin, end) =
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----");
        let repaired: &[(&str, String, &str)] = &[
            ("crlf", pem.replace('\n', "\r\n"), "CRLF line ends"),
            ("cr", pem.replace('\n', "\r"), "CR line ends"),
            ("no-final-newline", pem.trim_end().to_owned(), ""),
            ("blank-lines-after", format!("{pem}\n\n"), ""),
            ("comment-before", format!("\n# the key\n{pem}"), "other text around it"),
            ("one-line-body", format!("{begin}\n{joined}\n{end}\n"), ""),
            ("one-line", format!("{begin}{joined}{end}"), "line ends missing"),
            ("blanks-for-line-ends", pem.trim_end().replace('\n', " "), "blanks for line ends"),
            ("literal-backslash-n", pem.replace('\n', "\\n"), "literal \\n"),
            ("blanks-at-line-ends", pem.replace('\n', "  \n"), "blanks at line ends"),
            ("indented", pem.replace('\n', "\n    "), "indentation"),
            ("quotes", format!("\"{}\"", pem.trim_end()), "quotes around it"),
            ("single-quotes", format!("'{}'", pem.trim_end()), "quotes around it"),
            ("bom", format!("\u{feff}{pem}"), "byte order mark"),
            ("four-dashes", pem.replace("-----", "----"), "dashes of the BEGIN and END lines"),
            ("zero-width", pem.replace('\n', "\u{200b}\n"), "zero-width characters"),
            ("base64", Base64::encode_string(pem.as_bytes()), ""),
            (
                "base64-twice",
                Base64::encode_string(Base64::encode_string(pem.as_bytes()).as_bytes()),
                "",
            ),
        ];
        let pkcs1 = made("openssl", "genrsa -traditional 1024");
        let pkcs8 = made("openssl", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
        let ed25519 = made("openssl", "genpkey -algorithm ed25519");
        let sec1 = made("openssl", "ecparam -name prime256v1 -genkey -noout");
        let encrypted = keygen(&["-t", "ed25519", "-N", "a passphrase"]);
        let weak = keygen(&["-t", "rsa", "-b", "1024", "-N", ""]);
        let ppk =
            format!("PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{}", &joined[..44]);
        let refused: &[(&str, String, &str, &str)] = &[
            ("public", key.public.clone(), "key-malformed", "public key"),
            ("template", "${var.app_key}".to_owned(), "key-malformed", "template expression"),
            ("null-word", "null".to_owned(), "key-malformed", "word for an empty value"),
            ("path", "~/.ssh/id_ed25519".to_owned(), "key-malformed", "path of a file"),
            ("end-missing", format!("{begin}\n{body}\n"), "key-malformed", "END line is missing"),
            (
                "truncated",
                format!("{begin}\n{}\n{end}\n", &body[..body.len() - 90]),
                "key-malformed",
                "truncated",
            ),
            ("two-keys", format!("{pem}{pem}"), "key-malformed", "more than one private key"),
            ("pkcs1", pkcs1.clone(), "key-format-unsupported", "PKCS#1"),
            ("pkcs8", pkcs8.clone(), "key-format-unsupported", "PKCS#8"),
            ("pkcs8-ed25519", ed25519.clone(), "key-format-unsupported", "PKCS#8"),
            ("sec1", sec1.clone(), "key-format-unsupported", "SEC1"),
            ("encrypted", encrypted.clone(), "key-encrypted", "passphrase"),
            ("weak", weak.clone(), "key-weak", "below 2048 bits"),
            ("putty", ppk.clone(), "key-format-unsupported", "PuTTY"),
            ("nul", pem.replacen('\n', "\n\0", 1), "key-malformed", ""),
            ("noise", "no key at all".to_owned(), "key-malformed", ""),
        ];
        let mut map: serde_json::Map<String, Value> =
            repaired.iter().map(|(name, text, _)| (format!("acme/{name}"), json!(text))).collect();
        map.extend(refused.iter().map(|(name, text, ..)| (format!("acme/{name}"), json!(text))));
        map.insert("acme/number".to_owned(), json!(7));
        map.insert("acme/none".to_owned(), Value::Null);
        let map = Value::Object(map).to_string();

        let mut secrets = canaries(pem);
        for private in [&pkcs1, &pkcs8, &ed25519, &sec1, &encrypted, &weak, &ppk] {
            secrets.extend(canaries(private));
        }
        secrets.push(joined.clone());
        let apply = |args: &[&str]| {
            let output =
                ws.pushready(args).stdin(json!({"PUSHREADY_DEPLOY_KEYS": map}).to_string()).run();
            canary::assert_absent(&format!("{args:?}"), output.to_string(), &secrets);
            output.fails(1)
        };
        let output = apply(&["apply", "--stdin", "--json"]);
        let items = items(&output);
        for (name, _, repair) in repaired {
            let item = &items[&format!("key acme/{name}")];
            assert_eq!(item["status"], "ready", "{item:#}");
            if !repair.is_empty() {
                assert_note(&output, &[&format!("key acme/{name}: repaired:"), repair]);
            }
        }
        for (name, _, code, reason) in refused {
            let item = &items[&format!("key acme/{name}")];
            assert_eq!(
                (&item["status"], &item["code"]),
                (&json!("fail"), &json!(code)),
                "{item:#}"
            );
            assert!(item["summary"].as_str().unwrap().contains(reason), "{item:#}");
            assert!(!item["fix"].as_str().unwrap().is_empty(), "{item:#}");
        }
        assert_eq!(items["key acme/number"]["code"], "key-malformed");
        assert_note(&output, &["key acme/none: blank"]);
        let mut expected: Vec<_> =
            repaired.iter().map(|(name, ..)| format!("acme/{name}")).collect();
        let mut installed = installed(ws, &key);
        expected.sort();
        installed.sort();
        assert_eq!(installed, expected);

        // for people, all that is well takes one line
        let output = apply(&["apply", "--stdin"])
            .stdout_has(&format!("ok       keys: {} in place: acme/crlf", expected.len()))
            .stdout_has("FAIL     key-encrypted key acme/encrypted: ")
            .stdout_has("private_key_openssh");
        let last = output.stdout.lines().last().unwrap();
        assert!(last.starts_with("NOT READY ") && last.contains("key-weak acme/weak"), "{last}");
    });
}

#[test]
fn damaged_claude_tokens_are_repaired_and_named_or_refused_by_name() {
    sandbox(|ws| {
        let good = token("good");
        let apply = |text: &str| {
            let output = ws
                .pushready(&["apply", "--stdin", "--json"])
                .stdin(json!({"PUSHREADY_CLAUDE_OAUTH_TOKEN": text}).to_string())
                .run();
            canary::assert_absent(
                "apply",
                output.to_string(),
                &[&good, text].map(|secret| if secret.len() > 40 { secret } else { &good }),
            );
            output
        };
        for (text, repair) in [
            (format!("{good}\n"), ""),
            (format!("  {good}\r\n"), ""),
            (format!("\"{good}\""), "quotes around it"),
            (format!("Bearer {good}"), "Bearer prefix"),
            (format!("{}\n{}", &good[..60], &good[60..]), "line breaks inside"),
            (format!("{}\u{200b}{}", &good[..60], &good[60..]), "zero-width characters"),
            (format!("\u{feff}{good}"), "byte order mark"),
        ] {
            let output = apply(&text).success();
            assert_eq!(claude_token(ws), good, "{text:?}");
            if !repair.is_empty() {
                assert_note(&output, &["claude: repaired:", repair]);
            }
        }
        let before = ws.read(".claude/.credentials.json");
        for (text, reason) in [
            (format!("sk-ant-api03-{}", "k".repeat(95)), ""),
            ("${var.claude_token}".to_owned(), "template expression"),
            ("null".to_owned(), "word for an empty value"),
            (format!("{good} {good}"), ""),
            (format!("{good}\u{1b}[0m"), ""),
            (format!("{}\"$(id)`%{}", &good[..60], &good[60..]), ""),
            ("sk-ant-oat01-short".to_owned(), "truncated"),
            (
                json!({"claudeAiOauth": {"accessToken": good}}).to_string(),
                "whole `.credentials.json`",
            ),
            ("hunter2 hunter2 hunter2".to_owned(), ""),
        ] {
            let item = items(&apply(&text).fails(1))["claude"].clone();
            assert_eq!(item["code"], "claude-token-malformed", "{text:?}: {item:#}");
            assert!(item["summary"].as_str().unwrap().contains(reason), "{item:#}");
            assert!(!item["fix"].as_str().unwrap().is_empty(), "{item:#}");
            assert_eq!(ws.read(".claude/.credentials.json"), before, "the token in place stays");
        }
    });
}

#[test]
fn damaged_codex_seeds_are_repaired_and_named_or_refused_by_name() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let json = seed.json();
        let given = |bytes: &[u8]| {
            ws.write("seed", bytes, 0o644);
            let output = ws
                .pushready(&["apply", "--json"])
                .env("PUSHREADY_CODEX_AUTH_JSON_FILE", "~/seed")
                .run();
            canary::assert_absent("apply", output.to_string(), &seed.secrets());
            output
        };
        for (bytes, repair) in [
            (format!("\u{feff}{json}"), "byte order mark"),
            (Base64::encode_string(json.as_bytes()), "base64 wrapping"),
            (format!("'{json}'"), "quotes around it"),
            (serde_json::to_string(&json).unwrap(), "JSON string around it"),
            (json.replace('\n', "\r\n"), ""),
            (json.replace("\"auth_mode\": \"chatgpt\",", ""), ""),
        ] {
            let output = given(bytes.as_bytes()).success();
            let file: Value = serde_json::from_str(&ws.read(".codex/auth.json")).unwrap();
            assert_eq!(file["tokens"]["refresh_token"], seed.refresh_token);
            if !repair.is_empty() {
                assert_note(&output, &["codex: repaired:", repair]);
            }
        }
        let before = ws.read(".codex/auth.json");
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let utf16: Vec<u8> =
            std::iter::once(0xfeff).chain(json.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for (name, bytes, reason) in [
            ("truncated", json.as_bytes()[..json.len() / 2].to_vec(), "ends too early"),
            (
                "twice",
                json.replacen('{', &format!("{{\"tokens\": {},", seed.tokens()), 1).into(),
                "a key given twice",
            ),
            ("nan", json.replacen("null", "NaN", 1).into(), "not JSON"),
            ("nul", json.replacen("null", "\"\0\"", 1).into(), "NUL byte"),
            ("comma", json.replacen("\n}", ",\n}", 1).into(), "not JSON"),
            ("deep", json.replacen("null", &deep, 1).into(), ""),
            ("long", vec![b'x'; 3 << 20], "longer than 1 MiB"),
            ("utf-16", utf16, "UTF-16"),
            ("binary", vec![0xff, 0x00, 0x80], "not UTF-8"),
            ("html", b"<html>".to_vec(), ""),
            ("refresh-token", seed.refresh_token.clone().into(), "refresh token alone"),
            ("access-token", seed.access_token().into(), "one token of a login"),
            ("empty-object", b"{}".to_vec(), ""),
        ] {
            let output = given(&bytes).fails(1);
            let item = &items(&output)["codex"];
            let code = item["code"].as_str().unwrap();
            assert!(code.starts_with("codex-auth-"), "{name}: {item:#}");
            assert!(item["summary"].as_str().unwrap().contains(reason), "{name}: {item:#}");
            assert!(!item["fix"].as_str().unwrap().is_empty(), "{name}: {item:#}");
            assert_eq!(ws.read(".codex/auth.json"), before, "{name}");
        }
        // a wrong path may name anything: looked at, not read
        fs::File::options()
            .write(true)
            .open(ws.home().join("seed"))
            .unwrap()
            .set_len(100 << 20)
            .unwrap();
        let output = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON_FILE", "~/seed").run();
        output
            .fails(1)
            .stdout_has("larger than 4 MiB")
            .stdout_has("NOT READY codex-auth-malformed codex");
    });
}

#[test]
fn odd_characters_reach_the_file_as_they_are() {
    sandbox(|ws| {
        let key = "sk-proj-\"quoted\" $(id) `id` %s \\n";
        let output = ws
            .pushready(&["apply"])
            .env("PUSHREADY_CODEX_AUTH_JSON", json!({"OPENAI_API_KEY": key}).to_string())
            .run()
            .success();
        let file: Value = serde_json::from_str(&ws.read(".codex/auth.json")).unwrap();
        assert_eq!((&file["OPENAI_API_KEY"], &file["auth_mode"]), (&json!(key), &json!("apikey")));
        canary::assert_absent("apply", output.to_string(), &[key]);
    });
}

#[test]
fn a_secret_instead_of_a_name_is_not_shown() {
    sandbox(|ws| {
        let key = KeyPair::generate("canary");
        let (_, body) = unwrapped(&key.private);
        let pat = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
        let map = json!({
            &key.private: "acme/app",
            &body: "acme/lib",
            token("name"): "x",
            format!("https://x:{pat}@github.com/acme/app"): "x",
        });
        let mut secrets = canaries(&key.private);
        secrets.extend([body.clone(), pat.to_owned(), token("name")]);
        for args in [&["apply"][..], &["apply", "--json"], &["-vv", "apply", "--dry-run"]] {
            let output = ws
                .pushready(args)
                .env("PUSHREADY_DEPLOY_KEYS", map.to_string())
                .env("PUSHREADY_DEPLOY_KEY", "acme/app")
                .env("PUSHREADY_REPOSITORY", &*key.private)
                .env("PUSHREADY_REQUIRE", format!("push:{body}"))
                .env("PUSHREADY_ACCEPT", token("name"))
                .run()
                .fails(1);
            canary::assert_absent(&format!("{args:?}"), output.to_string(), &secrets);
        }
        let stdin = json!({&key.private: "x", token("name"): "y"}).to_string();
        let output = ws.pushready(&["apply", "--stdin"]).stdin(stdin).run();
        canary::assert_absent("stdin", output.to_string(), &secrets);
    });
}

#[test]
fn standard_input_that_is_not_an_object_is_a_usage_error() {
    sandbox(|ws| {
        let secret = token("stdin");
        let before = ws.snapshot();
        for (text, cause) in [
            (format!("{{\"PUSHREADY_CLAUDE_OAUTH_TOKEN\": \"{secret}\""), "ends too early"),
            (format!("[\"{secret}\"]"), "not an object"),
            (format!("{{\"A\": \"{secret}\", \"A\": \"x\"}}"), "distinct names"),
            (secret.clone(), "syntax error"),
            (format!("\"{}\"", secret.repeat(60_000)), "larger than 4 MiB"),
        ] {
            let output =
                ws.pushready(&["apply", "--stdin"]).stdin(text).run().fails(2).stderr_has(cause);
            canary::assert_absent("stdin", output.to_string(), &[&secret]);
        }
        before.assert_same(&ws.snapshot());
        // nothing is not an error
        for nothing in ["{}", "{\"PUSHREADY_DEPLOY_KEY\": null}"] {
            ws.pushready(&["apply", "--stdin"]).stdin(nothing).run().success();
        }
        let stdin =
            |object: Value| ws.pushready(&["apply", "--stdin"]).stdin(object.to_string()).run();
        for (name, fix) in [
            ("PUSHREADY_REPOSITORY", "set it in the environment"),
            ("PUSHREADY_DEPLOY_KEY_BASE64", "give `PUSHREADY_DEPLOY_KEY` there"),
            (
                "CODEX_AUTH",
                "it is not a variable of pushready; did you mean `PUSHREADY_CODEX_AUTH_JSON`?",
            ),
            ("password", "it is not a variable of pushready"),
        ] {
            stdin(json!({name: "a/b"}))
                .fails(2)
                .stderr_has(&format!("it contains no secret of pushready, only `{name}`"))
                .stderr_has(&format!("hint: `{name}`: {fix}"));
            let ignored = format!("standard input names `{name}`, which is ignored: {fix}");
            stdin(json!({name: "a/b", "PUSHREADY_CLAUDE_OAUTH_TOKEN": token("good")}))
                .success()
                .stdout_has(&ignored);
        }
    });
}

/// A shell without the variables does not make good what was refused where they are set.
#[test]
fn the_finding_of_a_refused_value_is_kept_until_another_value_is_set() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let plain = || ws.run(&["apply"]);
        let status = || ws.run(&["status"]);
        for (name, bad, good, code) in [
            ("PUSHREADY_DEPLOY_KEY", "garbage", key.private.clone(), "key-malformed acme/app"),
            (
                "PUSHREADY_CODEX_AUTH_JSON",
                "{",
                fake_auth::chatgpt().json(),
                "codex-auth-malformed codex",
            ),
            (
                "PUSHREADY_CLAUDE_OAUTH_TOKEN",
                "garbage",
                token("good"),
                "claude-token-malformed claude",
            ),
        ] {
            let with = |value: &str| {
                ws.pushready(&["apply"])
                    .env("PUSHREADY_REPOSITORY", "acme/app")
                    .env(name, value)
                    .run()
            };
            with(bad).fails(1);
            let receipt = || ws.read(".local/state/pushready/receipt.json");
            let before = receipt();
            for _ in 0..2 {
                plain().fails(1).stdout_has(&format!("NOT READY {code}"));
                assert_eq!(receipt(), before);
            }
            status().fails(1).stdout_has(code.split(' ').next().unwrap());
            ws.run(&["doctor", "--offline"]).fails(1).stdout_has(code.split(' ').next().unwrap());
            with(&good).success();
            plain().success();
            ws.run(&["doctor", "--offline"]).success();
            status().success();
            // and a key that is in place was not configured since
            with(bad).fails(1);
            plain().fails(1);
            with(&good).success();
            ws.run(&["remove"]).success();
        }
    });
}

#[test]
fn a_damaged_map_of_keys_is_repaired_where_that_is_certain() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let map = json!({"acme/app": key.private}).to_string();
        let raw = format!("{{\"acme/app\": \"{}\"}}", key.private);
        for (text, repair) in [
            (format!("\u{feff}{map}"), "byte order mark"),
            (serde_json::to_string(&map).unwrap(), "JSON string around it"),
            (Base64::encode_string(map.as_bytes()), "base64 wrapping"),
            (raw.clone(), "line breaks inside JSON strings"),
            (raw.replace('\n', "\r\n"), "line breaks inside JSON strings"),
        ] {
            let output = ws
                .pushready(&["apply", "--json"])
                .env("PUSHREADY_DEPLOY_KEYS", text)
                .run()
                .success();
            assert_note(&output, &["deploy keys: repaired:", repair]);
            canary::assert_absent(repair, output.to_string(), &canaries(&key.private));
            assert_eq!(installed(ws, &key), ["acme/app"]);
            ws.run(&["remove"]).success();
        }
    });
}

#[test]
fn lines_for_known_hosts_are_taken_one_by_one() {
    sandbox(|ws| {
        let good = "git.corp.test ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        ws.pushready(&["apply"])
            .env("PUSHREADY_KNOWN_HOSTS", format!("# ours\n{good}\\nnot a line\r\n\n"))
            .run()
            .fails(1)
            .stdout_has("line 3 of PUSHREADY_KNOWN_HOSTS is not a known_hosts line")
            .stdout_has("NOT READY ssh-host-key-unknown known_hosts");
        assert!(ws.read(".local/state/pushready/known_hosts").ends_with(&format!("{good}\n")));
    });
}

#[test]
fn two_keys_for_one_repository_in_one_source_are_refused() {
    sandbox(|ws| {
        let [one, other, third] = ["one", "other", "third"].map(KeyPair::generate);
        let map = |first: &KeyPair, second: &KeyPair| json!({"acme/app": first.private, "git@github.com:acme/app.git": second.private, "acme/lib": third.private});
        with_keys(ws, &map(&one, &one)).run().success();
        assert_eq!(installed(ws, &one), ["acme/app"]);
        // which of them is meant is not known: what is installed stays
        let output = with_keys(ws, &map(&other, &one))
            .run()
            .fails(1)
            .stdout_has(
                "FAIL     key-malformed key acme/app: it has two different keys in PUSHREADY_DEPLOY_KEYS",
            )
            .stdout_has("fix: keep one of its entries")
            .stdout_has("NOT READY key-malformed acme/app\n");
        assert_eq!(output.stdout.matches("two different keys").count(), 1, "{output}");
        assert_eq!(
            (installed(ws, &one), installed(ws, &third)),
            (vec!["acme/app".to_owned()], vec!["acme/lib".to_owned()])
        );

        let seed = ".config/pushready/seed/deploy-keys";
        ws.write(&format!("{seed}/github.com/acme/own"), &one.private, 0o600);
        ws.write(&format!("{seed}/github.com/Acme/Own.git"), &other.private, 0o600);
        ws.run(&["apply"]).fails(1).stdout_has("it has two different keys in the seed folder");
    });
}
