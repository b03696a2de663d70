//! What is handed over: damaged, from every source, set or unset. Whatever comes in, no value of it
//! comes out.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use crate::support::{
    Cmd, KeyPair, Output, Workspace, canary, fake_auth, require, sandbox, sandbox_with, skip,
};

fn token(name: &str) -> String {
    format!("sk-ant-oat01-{}{}", name.repeat(8), "Zq7".repeat(20))
}

fn claude_token(ws: &Workspace) -> String {
    let file: Value = serde_json::from_str(&ws.read(".claude/.credentials.json")).unwrap();
    file["claudeAiOauth"]["accessToken"].as_str().unwrap().to_owned()
}

/// The items of a report by their subject.
fn items(output: &Output) -> BTreeMap<String, Value> {
    let report = output.json();
    let items = report["items"].as_array().unwrap().iter();
    items.map(|item| (item["subject"].as_str().unwrap().to_owned(), item.clone())).collect()
}

fn notes(output: &Output) -> Vec<String> {
    let report = output.json();
    report["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_note(output: &Output, parts: &[&str]) {
    let notes = notes(output);
    assert!(
        notes.iter().any(|note| parts.iter().all(|part| note.contains(part))),
        "no note has {parts:?}: {notes:#?}"
    );
}

/// The repositories whose installed key is `key`, as ssh-keygen reads the files.
fn installed(ws: &Workspace, key: &KeyPair) -> Vec<String> {
    let state = ws.home().join(".local/state/pushready");
    let routes = fs::read_to_string(state.join("routes")).unwrap();
    let mut names = Vec::new();
    for route in routes.lines() {
        let fields: Vec<_> = route.split(' ').collect();
        let path = state.join("keys").join(fields[0]);
        let read = Command::new("ssh-keygen").arg("-y").arg("-f").arg(path).output().unwrap();
        if key
            .public
            .starts_with(String::from_utf8_lossy(&read.stdout).trim().rsplit_once(' ').unwrap().0)
        {
            names.push(fields[3].to_owned());
        }
    }
    names
}

/// Everything of a private key that may not be seen, line by line.
fn canaries(private: &str) -> Vec<String> {
    let lines = private.lines().filter(|line| !line.starts_with("-----") && line.len() > 20);
    std::iter::once(private.to_owned()).chain(lines.map(str::to_owned)).collect()
}

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
fn damaged_keys_are_mended_and_named_or_refused_by_name() {
    sandbox(|ws| {
        let key = KeyPair::generate("canary");
        let pem = &key.private;
        let (body, joined) = unwrapped(pem);
        let (begin, end) =
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----");
        let mended: &[(&str, String, &str)] = &[
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
            mended.iter().map(|(name, text, _)| (format!("acme/{name}"), json!(text))).collect();
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
        for (name, _, repair) in mended {
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
        let mut expected: Vec<_> = mended.iter().map(|(name, ..)| format!("acme/{name}")).collect();
        let mut installed = installed(ws, &key);
        expected.sort();
        installed.sort();
        assert_eq!(installed, expected);

        // for people, all that is well takes one line
        let output = apply(&["apply", "--stdin"])
            .stdout_has(&format!("ok    keys: {} in place: acme/crlf", expected.len()))
            .stdout_has("FAIL  key-encrypted key acme/encrypted: ")
            .stdout_has("private_key_openssh");
        let last = output.stdout.lines().last().unwrap();
        assert!(last.starts_with("NOT READY ") && last.contains("key-weak acme/weak"), "{last}");
    });
}

#[test]
fn damaged_claude_tokens_are_mended_and_named_or_refused_by_name() {
    sandbox(|ws| {
        let good = token("mend");
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
fn damaged_codex_seeds_are_mended_and_named_or_refused_by_name() {
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
            ("nul", json.replacen("null", "\"\0\"", 1).into(), "not JSON"),
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
fn a_secret_in_the_place_of_a_name_is_not_shown() {
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
fn standard_input_that_is_no_object_is_a_usage_error() {
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
        // nothing is no error
        for nothing in ["", "{}", "{\"PUSHREADY_DEPLOY_KEY\": null}"] {
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
            let passed_over = format!("standard input names `{name}`, which is ignored: {fix}");
            stdin(json!({name: "a/b", "PUSHREADY_CLAUDE_OAUTH_TOKEN": token("good")}))
                .success()
                .stdout_has(&passed_over);
        }
    });
}

/// A shell without the variables does not make good what was refused where they are set.
#[test]
fn a_value_that_was_refused_stands_until_another_is_given() {
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
            // and a key that is in place is none that was asked for since
            with(bad).fails(1);
            plain().fails(1);
            with(&good).success();
            ws.run(&["remove"]).success();
        }
    });
}

#[test]
fn a_variable_that_nobody_reads_is_told() {
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
    let mut apply = ws.pushready(&["apply", "--stdin", "--json"]);
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
        // who set the better source did not mean what stands below it, whatever is wrong with that
        let single = ws.pushready(&["apply"]).env("PUSHREADY_REPOSITORY", "acme/app");
        for refused in [
            with("no key".into(), &lower.private),
            with(json!({"private": upper.private}), &lower.private),
            single.env("PUSHREADY_DEPLOY_KEY_FILE", "/"),
        ] {
            let output = refused.run().fails(1).stdout_has("FAIL  key-malformed key acme/app: ").stdout_has(
                "key acme/app: ~/.config/pushready/seed/deploy-keys/github.com/acme/app is ignored",
            );
            assert!(!output.stdout.contains("ok    key acme/app"), "{output}");
            assert!(!ws.home().join(".local/state/pushready/keys").exists(), "{output}");
        }
        let output = apply(&upper.private, "no key").success();
        output
            .stdout_has(&format!("ok    key acme/app: ssh-ed25519 {}", upper.fingerprint))
            .stdout_has("does not contain a usable key; the one in PUSHREADY_DEPLOY_KEYS is used");
        ws.run(&["remove"]).success();
        apply(&upper.private, &lower.private)
            .success()
            .stdout_has("has another key than PUSHREADY_DEPLOY_KEYS, which is used");
    });
}

#[test]
fn the_same_value_in_two_sources_is_no_matter() {
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
            apply.run().success().stdout_has("nothing is asked for");
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
        apply().stdout_has("nothing to write");
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
        ws.run(&["apply"]).fails(1).stdout_has("FAIL  key-malformed deploy keys: cannot read");
        assert_eq!(installed(ws, &key), ["acme/app"]);
        // one that is gone is undone
        fs::remove_file(&path).unwrap();
        fs::remove_file(path.with_extension("pub")).unwrap();
        ws.run(&["apply"]).success().stdout_has("removed key acme/app: no longer asked for");
        assert!(!ws.home().join(".local/state/pushready/keys").read_dir().unwrap().any(|_| true));
    });
}

fn with_keys(ws: &Workspace, map: &Value) -> Cmd {
    ws.pushready(&["apply"]).env("PUSHREADY_DEPLOY_KEYS", map.to_string())
}

#[test]
fn a_variable_that_is_set_is_the_whole_truth_about_its_kind_and_one_that_is_unset_says_nothing() {
    sandbox(|ws| {
        let (app, lib) = (KeyPair::generate("app"), KeyPair::generate("lib"));
        with_keys(ws, &json!({"acme/app": app.private, "acme/lib": lib.private})).run().success();
        let config = || ws.read(".local/state/pushready/ssh_config");
        assert!(config().contains("acme/lib"));

        with_keys(ws, &json!({"acme/app": app.private}))
            .run()
            .success()
            .stdout_has("ok    removed key acme/lib: no longer asked for");
        assert!(!config().contains("acme/lib"));
        assert_eq!(installed(ws, &lib), [""; 0]);

        ws.run(&["apply"]).success().stdout_has("kept from the last apply");
        assert_eq!(installed(ws, &app), ["acme/app"]);

        // blank is unset, also within the map
        with_keys(ws, &json!({"acme/app": ""}))
            .run()
            .success()
            .stdout_has("key acme/app: blank in");
        assert_eq!(installed(ws, &app), ["acme/app"]);

        // a map, or a name in it, that cannot be understood may mean any repository: nothing goes
        for damaged in ["{\"acme/app\": ", "[]", "nonsense", "{}{}"] {
            ws.pushready(&["apply"])
                .env("PUSHREADY_DEPLOY_KEYS", damaged)
                .env("PUSHREADY_DEPLOY_KEY", &*lib.private)
                .env("PUSHREADY_REPOSITORY", "acme/lib")
                .run()
                .fails(1)
                .stdout_has(
                    "FAIL  key-malformed deploy keys: PUSHREADY_DEPLOY_KEYS is not a JSON object",
                )
                .stdout_has("jsonencode");
            assert_eq!(
                (installed(ws, &app), installed(ws, &lib)),
                (vec!["acme/app".to_owned()], vec!["acme/lib".to_owned()])
            );
        }
        with_keys(ws, &json!({"acme/app/tree/main?": app.private, "acme/lib": lib.private}))
            .run()
            .fails(1);
        assert_eq!(installed(ws, &app), ["acme/app"]);

        // the damaged key of one repository stops neither the others nor the key that is there
        with_keys(ws, &json!({"acme/app": "damaged", "acme/lib": lib.private}))
            .run()
            .fails(1)
            .stdout_has("NOT READY key-malformed acme/app");
        assert_eq!(
            (installed(ws, &app), installed(ws, &lib)),
            (vec!["acme/app".to_owned()], vec!["acme/lib".to_owned()])
        );
    });
}

#[test]
fn a_damaged_map_of_keys_is_mended_where_that_is_certain() {
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
fn the_single_key_needs_its_repository() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEY", &*key.private)
            .run()
            .fails(1)
            .stdout_has("PUSHREADY_DEPLOY_KEY is set, but PUSHREADY_REPOSITORY is not")
            .stdout_has("fix: set PUSHREADY_REPOSITORY=owner/repo");
        ws.run(&["remove"]).success();
        ws.pushready(&["apply"])
            .env("PUSHREADY_REPOSITORY", "acme/app")
            .run()
            .success()
            .stdout_has(
                "PUSHREADY_REPOSITORY names `acme/app`, but PUSHREADY_DEPLOY_KEY is not set",
            );
        // the same repository in two places, with two keys: one is used, and the other named
        let other = KeyPair::generate("other");
        ws.pushready(&["apply"])
            .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": key.private}).to_string())
            .env("PUSHREADY_DEPLOY_KEY", &*other.private)
            .env("PUSHREADY_REPOSITORY", "https://github.com/acme/app.git")
            .run()
            .success()
            .stdout_has("key acme/app: PUSHREADY_DEPLOY_KEY has another key than PUSHREADY_DEPLOY_KEYS, which is used");
        assert_eq!(installed(ws, &key), ["acme/app"]);
    });
}

#[test]
fn a_lease_leaves_no_refresh_token_behind_and_can_be_given_up() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let apply = |lease: &str| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CODEX_LEASE", lease)
                .run()
                .success()
        };
        let holders = || {
            let files = ws.snapshot().paths().map(|path| ws.home().join(path)).collect::<Vec<_>>();
            let holds = |path: &std::path::PathBuf| {
                // in plain text: the made-up access token has it, encoded, as its own name
                path.is_file()
                    && String::from_utf8_lossy(&fs::read(path).unwrap())
                        .contains(&seed.refresh_token)
            };
            files.into_iter().filter(holds).collect::<Vec<_>>()
        };
        apply("true").stdout_has(", lease");
        assert!(holders().is_empty(), "{:?}", holders());
        apply("0").stdout_has("no lease any more");
        assert_eq!(holders().len(), 2, "the login and its copy");
        apply("1").stdout_has("a lease from now on");
        assert!(holders().is_empty(), "{:?}", holders());
        apply("1").stdout_has("nothing to write");
    });
}

#[test]
fn a_login_that_can_no_longer_work_is_not_ready() {
    sandbox(|ws| {
        let dead = fake_auth::chatgpt().expired();
        let lease = |seed: &fake_auth::ChatGpt| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CODEX_LEASE", "1")
                .run()
        };
        for _ in 0..2 {
            lease(&dead)
                .fails(1)
                .stdout_has("NOT READY codex-auth-expired codex")
                .stdout_has("fix: ");
        }
        let ending = fake_auth::ChatGpt { access_expires: 3600, ..fake_auth::chatgpt() };
        lease(&ending).success().stdout_has("warn  codex-lease-expiring codex: written");

        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        for (created, exit) in [("2020-01-31", 1), (&today, 0)] {
            let output = ws
                .pushready(&["apply"])
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("old"))
                .env("PUSHREADY_CLAUDE_TOKEN_CREATED", created)
                .run()
                .fails(exit);
            assert_eq!(
                output.stdout.contains("NOT READY claude-token-expired claude"),
                exit == 1,
                "{output}"
            );
            // the date is remembered, and so is the verdict
            ws.run(&["apply"]).fails(exit);
        }
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("old"))
            .env("PUSHREADY_CLAUDE_TOKEN_CREATED", "yesterday")
            .run()
            .success()
            .stdout_has("PUSHREADY_CLAUDE_TOKEN_CREATED is not a date like 2026-01-31");
    });
}

#[test]
fn what_is_required_and_absent_fails_and_what_failed_already_is_told_once() {
    sandbox(|ws| {
        let require = |value: &str| ws.pushready(&["apply"]).env("PUSHREADY_REQUIRE", value);
        let last = |output: Output| output.stdout.lines().last().unwrap().to_owned();
        assert_eq!(
            last(require("codex, claude, push:acme/app").run().fails(1)),
            "NOT READY required-missing codex · required-missing claude · required-missing push:acme/app"
        );
        require("codex,cladue").run().fails(1).stdout_has("PUSHREADY_REQUIRE does not know this");

        let damaged = require("codex,push:github.com/acme/app")
            .env("PUSHREADY_CODEX_AUTH_JSON", "{")
            .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": "${var.key}"}).to_string())
            .run()
            .fails(1);
        assert_eq!(last(damaged), "NOT READY codex-auth-malformed codex · key-malformed acme/app");

        let ready =
            || require("codex").env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json());
        // the key was asked for, and a shell without the map does not make it good
        let told = last(ready().run().fails(1));
        assert_eq!(told, "NOT READY key-malformed acme/app");
        assert!(
            last(ready().env("PUSHREADY_DEPLOY_KEYS", "{}").run().success()).starts_with("READY ")
        );
        ws.run(&["status"]).success();
        // a user who logged out has no login, required or not, unless that is accepted
        fs::remove_file(ws.home().join(".codex/auth.json")).unwrap();
        ws.run(&["apply"]).fails(1).stdout_has("NOT READY codex-auth-missing codex");
        require("claude")
            .env("CLAUDE_CODE_OAUTH_TOKEN", token("x"))
            .env("PUSHREADY_ACCEPT", "codex-auth-missing")
            .run()
            .success()
            .stdout_has("FAIL  codex-auth-missing");
    });
}

#[test]
fn an_accepted_code_is_told_and_no_longer_fails() {
    sandbox(|ws| {
        let apply = || {
            ws.pushready(&["apply"])
                .env("PUSHREADY_DEPLOY_KEYS", json!({"acme/app": "${var.key}"}).to_string())
        };
        apply().env("PUSHREADY_ACCEPT", "key-weak").run().fails(1);
        ws.run(&["status"]).fails(1).stdout_has("key-malformed key acme/app");
        apply()
            .env("PUSHREADY_ACCEPT", "key-weak, key-malformed, no-such-code")
            .run()
            .success()
            .stdout_has("FAIL  key-malformed key acme/app")
            .stdout_has("(accepted)")
            .stdout_has("PUSHREADY_ACCEPT contains an unknown code: `no-such-code`");
        ws.run(&["status"]).success();
    });
}

#[test]
fn an_unclaimed_workspace_gets_keys_alone_and_never_fails() {
    sandbox(|ws| {
        let key = KeyPair::generate("app");
        let apply = |unclaimed: &str| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_UNCLAIMED", unclaimed)
                .env(
                    "PUSHREADY_DEPLOY_KEYS",
                    json!({"acme/app": key.private, "acme/bad": "x"}).to_string(),
                )
                .env("PUSHREADY_CODEX_AUTH_JSON", fake_auth::chatgpt().json())
                .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("owner"))
                .env("PUSHREADY_REQUIRE", "codex")
                .run()
        };
        let output = apply("1")
            .success()
            .stdout_has("key acme/app")
            .stdout_has("key-malformed key acme/bad");
        // exit 0 and NOT READY would contradict each other
        output.stdout_has("\nUNCLAIMED key-malformed acme/bad\n");
        assert!(!ws.home().join(".codex/auth.json").exists());
        assert!(!ws.home().join(".claude").exists());
        // the claim runs the script again
        apply("0").fails(1).stdout_has("codex: written").stdout_has("claude: written");
    });
}

#[test]
fn a_seed_folder_that_is_named_and_not_there_is_told() {
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
        let output = apply("~/empty").success().stdout_has("nothing is asked for");
        assert!(!output.stdout.contains("PUSHREADY_SEED_DIR"), "{output}");
        // the default one need not be there
        let output = ws.run(&["apply"]).success();
        assert!(!output.stdout.contains("is not there"), "{output}");
        ws.set_mode("closed", 0o700);
    });
}

#[test]
fn a_setting_without_the_secret_that_it_is_about_is_told() {
    sandbox(|ws| {
        let alone =
            |name: &str, value: &str| ws.pushready(&["apply"]).env(name, value).run().success();
        alone("PUSHREADY_REPOSITORY", "acme/app").stdout_has(
            "PUSHREADY_REPOSITORY names `acme/app`, but PUSHREADY_DEPLOY_KEY is not set",
        );
        let created = "PUSHREADY_CLAUDE_TOKEN_CREATED";
        alone(created, "2026-01-31")
            .stdout_has(&format!("{created} is set, but there is no token"));
        // a template sets it before its users have a login
        let output = alone("PUSHREADY_CODEX_LEASE", "1").stdout_has("nothing is asked for");
        assert!(!output.stdout.contains("LEASE"), "{output}");
        // what the last apply wrote is there
        ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("mine")).run().success();
        let output = alone(created, "2026-01-31");
        assert!(!output.stdout.contains("there is no token"), "{output}");
    });
}

#[test]
fn switches_take_the_usual_words_and_name_any_other() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let apply = |name: &str, value: &str| {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_CODEX_AUTH_JSON", seed.json());
            let output = apply.env(name, value).run().success();
            let auth = ws.home().join(".codex/auth.json");
            let login = fs::read_to_string(auth).unwrap_or_default();
            ws.run(&["remove"]).success();
            (output, login)
        };
        let told = |output: &Output, name: &str| {
            let note = format!(
                "{name} is neither 1, true, yes, on nor 0, false, no, off: it is treated as 1"
            );
            output.stdout.contains(&note)
        };
        let (lease, unclaimed) = ("PUSHREADY_CODEX_LEASE", "PUSHREADY_UNCLAIMED");
        for off in ["0", "false", "False", "FALSE", "no", "No", "off", "OFF"] {
            let (output, login) = apply(lease, off);
            assert!(
                login.contains(&seed.refresh_token) && !told(&output, lease),
                "{off}\n{output}"
            );
            let (output, login) = apply(unclaimed, off);
            assert!(
                login.contains(&seed.refresh_token) && !told(&output, unclaimed),
                "{off}\n{output}"
            );
        }
        for on in ["1", "true", "True", "YES", "on", "maybe", "2", "disabled"] {
            let odd = !["1", "true", "True", "YES", "on"].contains(&on);
            let (output, login) = apply(lease, on);
            assert!(!login.contains(&seed.refresh_token) && !login.is_empty(), "{on}\n{output}");
            assert_eq!(told(&output, lease), odd, "{on}\n{output}");
            let (output, login) = apply(unclaimed, on);
            assert!(login.is_empty(), "{on}\n{output}");
            assert_eq!(told(&output, unclaimed), odd, "{on}\n{output}");
        }
    });
}

#[test]
fn a_token_from_the_future_is_as_old_as_it_was_first_seen() {
    sandbox(|ws| {
        let apply = |created: &str| {
            let apply = ws.pushready(&["apply"]).env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("mine"));
            apply.env("PUSHREADY_CLAUDE_TOKEN_CREATED", created).run().success()
        };
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let good_until = |made: jiff::civil::Date| {
            format!("good until about {}", made.saturating_add(jiff::Span::new().days(365)))
        };
        apply("2099-01-01")
            .stdout_has("PUSHREADY_CLAUDE_TOKEN_CREATED is in the future: it is ignored")
            .stdout_has(&good_until(today));
        let yesterday = today.yesterday().unwrap();
        let output = apply(&yesterday.to_string()).stdout_has(&good_until(yesterday));
        assert!(!output.stdout.contains("future"), "{output}");
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
        // which of them is meant cannot be told: what is installed stays
        let output = with_keys(ws, &map(&other, &one))
            .run()
            .fails(1)
            .stdout_has(
                "FAIL  key-malformed key acme/app: it has two different keys in PUSHREADY_DEPLOY_KEYS",
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

#[test]
fn a_lease_that_comes_after_codex_renewed_is_told() {
    sandbox(|ws| {
        let seed = fake_auth::chatgpt();
        let apply = |lease: &str| {
            ws.pushready(&["apply"])
                .env("PUSHREADY_CODEX_AUTH_JSON", seed.json())
                .env("PUSHREADY_CODEX_LEASE", lease)
                .run()
                .success()
        };
        apply("0");
        let refreshed = seed.clone().refreshed().json();
        ws.write(".codex/auth.json", &refreshed, 0o600);
        let told = "no lease: Codex has renewed this login since, and its refresh token is the only one that lives";
        apply("1").stdout_has(told);
        apply("1").stdout_has(told).stdout_has("nothing to write");
        assert_eq!(ws.read(".codex/auth.json"), refreshed);
        let output = apply("0");
        assert!(!output.stdout.contains("no lease"), "{output}");
    });
}

#[test]
fn the_variable_of_claude_code_in_a_shell_is_not_the_templates() {
    sandbox(|ws| {
        let seed = ".config/pushready/seed/claude-oauth-token";
        let own = |token: &str| {
            ws.pushready(&["apply"]).env("CLAUDE_CODE_OAUTH_TOKEN", token).run().success()
        };
        // it brings the login where nothing better does, and a new one of it is a new one
        own(&token("alone"));
        own(&token("newer"));
        assert_eq!(claude_token(ws), token("newer"));
        // what the template gave is not replaced by what a shell happens to have
        ws.pushready(&["apply"])
            .env("PUSHREADY_CLAUDE_OAUTH_TOKEN", token("template"))
            .run()
            .success();
        own(&token("shell")).stdout_has("kept from the last apply").stdout_has("nothing to write");
        assert_eq!(claude_token(ws), token("template"));
        ws.run(&["remove"]).success();
        ws.write(seed, token("seeded"), 0o600);
        ws.run(&["apply"]).success();
        own(&token("shell")).stdout_has("CLAUDE_CODE_OAUTH_TOKEN differs from");
        assert_eq!(claude_token(ws), token("seeded"));
    });
}
