use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::codex_auth::Liveness;
use super::super::codex_fixtures::*;
use super::*;
use Code::{CodexAuthIncomplete as Incomplete, CodexAuthMalformed as Malformed};
use Liveness::{Dead, Refreshable, Stub, Usable};

type Verdict = Result<Liveness, Code>;

fn verdict(bytes: &[u8]) -> Verdict {
    CodexAuth::parse(bytes).map(|auth| auth.state(now())).map_err(|finding| finding.code)
}

/// 24 files as people have them, what codex 0.169.0 does with each, and our verdict.
#[test]
fn the_rigs_files() {
    let both = |mode| {
        let mut file = chatgpt(mode);
        file["OPENAI_API_KEY"] = json!(key());
        file
    };
    let without = |name: &str| {
        let mut file = chatgpt(Some("chatgpt"));
        file["tokens"].as_object_mut().unwrap().remove(name);
        file
    };
    let day = SignedDuration::from_hours(24);
    let old = json!((now() - day * 20).to_string());
    let no_tokens =
        json!({"auth_mode": "chatgpt", "OPENAI_API_KEY": null, "last_refresh": now().to_string()});
    let lacks_refresh = Liveness::Incomplete("`last_refresh` is missing");
    let lacks_key = Liveness::Incomplete("`auth_mode` is apikey and `OPENAI_API_KEY` is missing");
    let table: Vec<(&str, Value, Verdict)> = vec![
        ("chatgpt", chatgpt(Some("chatgpt")), Ok(Usable)),
        ("chatgpt_nomode", chatgpt(None), Ok(Usable)),
        ("chatgpt_at_expired", with_token("access_token", access(-3600)), Ok(Refreshable)),
        (
            "chatgpt_all_expired",
            with(&[
                ("/tokens/access_token", access(-864_000)),
                ("/tokens/id_token", id(-864_000)),
                ("/last_refresh", old.clone()),
            ]),
            Ok(Refreshable),
        ),
        ("chatgpt_old_refresh", with(&[("/last_refresh", old)]), Ok(Usable)),
        ("chatgpt_no_last_refresh", with(&[("/last_refresh", Value::Null)]), Ok(lacks_refresh)),
        ("chatgpt_null_account", with_token("account_id", Value::Null), Ok(Usable)),
        ("apikey", json!({"auth_mode": "apikey", "OPENAI_API_KEY": key()}), Ok(Usable)),
        ("apikey_nomode", json!({"OPENAI_API_KEY": key()}), Ok(Usable)),
        ("apikey_missing", json!({"auth_mode": "apikey", "OPENAI_API_KEY": null}), Ok(lacks_key)),
        ("both_nomode", both(None), Ok(Usable)),
        ("both_mode", both(Some("chatgpt")), Ok(Usable)),
        ("no_tokens", no_tokens, Ok(Stub)),
        ("empty_obj", json!({}), Ok(Stub)),
        ("no_refresh_key", without("refresh_token"), Err(Incomplete)),
        ("empty_refresh", with_token("refresh_token", json!("")), Ok(Usable)),
        ("no_idtoken_key", without("id_token"), Err(Incomplete)),
        ("idtoken_notjwt", with_token("id_token", json!("not-a-jwt")), Err(Malformed)),
        ("at_notjwt", with_token("access_token", json!("opaque-token")), Ok(Usable)),
        ("bad_mode", chatgpt(Some("ChatGPT")), Err(Malformed)),
        ("mode_tokens", chatgpt(Some("chatgptAuthTokens")), Ok(Usable)),
        ("unknown_field", with(&[("/x_seed", json!("abc"))]), Ok(Usable)),
        ("pat", json!({"OPENAI_API_KEY": null, "personal_access_token": pat()}), Ok(Usable)),
        ("bad_last_refresh", with(&[("/last_refresh", json!("yesterday"))]), Err(Malformed)),
    ];
    assert_eq!(table.len(), 24);
    for (name, file, expected) in table {
        assert_eq!(verdict(&bytes(&file)), expected, "{name}");
        against_codex(name, &bytes(&file), expected);
    }
}

/// Further files, each run against codex 0.169.0.
#[test]
fn as_strict_as_codex() {
    let good = chatgpt(Some("chatgpt"));
    let text = good.to_string();
    let tail = |more: &str| format!("{},{more}}}", &text[..text.len() - 1]);
    let id_of = |claims: &Value| with_token("id_token", json!(jwt(claims))).to_string();
    let auth =
        |claim: &str, value: Value| id_of(&json!({"https://api.openai.com/auth": {claim: value}}));
    let dotted = good["tokens"]["id_token"].as_str().unwrap().to_owned();
    let two_parts = dotted.rsplit_once('.').unwrap().0;
    let padded = dotted.replacen('.', "=.", 2).replacen("=.", ".", 1);
    let table: Vec<(&str, String, Verdict)> = vec![
        ("key twice", tail(r#""OPENAI_API_KEY":null"#), Err(Malformed)),
        (
            "token key twice",
            text.replace(r#""refresh_token""#, r#""account_id":null,"refresh_token""#),
            Err(Malformed),
        ),
        ("unknown key twice", tail(r#""x":1,"x":2"#), Ok(Usable)),
        ("NaN", tail(r#""x":NaN"#), Err(Malformed)),
        ("huge number", tail(r#""x":1e9999"#), Ok(Usable)),
        ("raw NUL", text.replace("rt_", "rt\0"), Err(Malformed)),
        ("escaped NUL", text.replace("rt_", "rt\\u0000"), Ok(Usable)),
        ("trailing NUL", format!("{text}\0"), Err(Malformed)),
        ("trailing bytes", format!("{text}x"), Err(Malformed)),
        ("lone surrogate", text.replace("rt_", "rt\\ud800"), Err(Malformed)),
        ("blanks around", format!("\n\t {text}\r\n "), Ok(Usable)),
        ("CRLF", serde_json::to_string_pretty(&good).unwrap().replace('\n', "\r\n"), Ok(Usable)),
        ("no-break space", format!("\u{a0}{text}"), Err(Malformed)),
        ("byte order mark", format!("\u{feff}{text}"), Err(Malformed)),
        ("base64", base64(&text), Err(Malformed)),
        ("JSON string", json!(text).to_string(), Err(Malformed)),
        ("truncated", text[..text.len() - 40].to_owned(), Err(Malformed)),
        ("empty", String::new(), Err(Malformed)),
        ("null", "null".to_owned(), Err(Malformed)),
        ("id_token of four parts", text.replace(&dotted, &format!("{dotted}.x")), Ok(Usable)),
        ("id_token of two parts", text.replace(&dotted, two_parts), Err(Malformed)),
        ("id_token padded", text.replace(&dotted, &padded), Err(Malformed)),
        ("no claims", id_of(&json!({})), Ok(Usable)),
        ("email number", id_of(&json!({"email": 1})), Err(Malformed)),
        ("auth claim string", id_of(&json!({"https://api.openai.com/auth": "x"})), Err(Malformed)),
        ("plan number", auth("chatgpt_plan_type", json!(3)), Err(Malformed)),
        ("account number", auth("chatgpt_account_id", json!(3)), Err(Malformed)),
        ("user number", auth("user_id", json!(3)), Err(Malformed)),
        ("fedramp string", auth("chatgpt_account_is_fedramp", json!("x")), Err(Malformed)),
        ("fedramp null", auth("chatgpt_account_is_fedramp", Value::Null), Err(Malformed)),
        ("other claims", id_of(&json!({"sub": 3, "exp": "3"})), Ok(Usable)),
        (
            "access empty",
            with_token("access_token", json!("")).to_string(),
            Ok(Liveness::Incomplete("`tokens.access_token` is empty")),
        ),
        ("access null", with_token("access_token", Value::Null).to_string(), Err(Incomplete)),
        ("refresh null", with_token("refresh_token", Value::Null).to_string(), Err(Incomplete)),
        ("account_id number", with_token("account_id", json!(3)).to_string(), Err(Malformed)),
        ("tokens empty", with(&[("/tokens", json!({}))]).to_string(), Err(Incomplete)),
        ("tokens null", with(&[("/tokens", Value::Null)]).to_string(), Ok(Stub)),
        ("mode null", with(&[("/auth_mode", Value::Null)]).to_string(), Ok(Usable)),
        ("key number", with(&[("/OPENAI_API_KEY", json!(3))]).to_string(), Err(Malformed)),
        (
            "agent identity number",
            with(&[("/agent_identity", json!(3))]).to_string(),
            Err(Malformed),
        ),
        (
            "agent identity string",
            with(&[("/agent_identity", json!("x.y.z"))]).to_string(),
            Ok(Usable),
        ),
        ("bedrock key string", json!({"bedrock_api_key": "x"}).to_string(), Err(Malformed)),
        ("module's stub", r#"{ "OPENAI_API_KEY": "" }"#.to_owned(), Ok(Stub)),
        (
            "access token mode without one",
            json!({"auth_mode": "personalAccessToken"}).to_string(),
            Ok(Liveness::Incomplete("`personal_access_token` is missing")),
        ),
        (
            "headers",
            chatgpt(Some("headers")).to_string(),
            Ok(Liveness::Incomplete("`auth_mode` is headers, which codex never loads from a file")),
        ),
        (
            "identity mode without one",
            chatgpt(Some("agentIdentity")).to_string(),
            Ok(Liveness::Incomplete("`agent_identity` is missing")),
        ),
    ];
    for (name, file, expected) in table {
        assert_eq!(verdict(file.as_bytes()), expected, "{name}");
        against_codex(name, file.as_bytes(), expected);
    }
    let utf8 = [text.as_bytes(), b"\xff"].concat();
    assert_eq!(verdict(&utf8), Err(Malformed));
}

/// Where we are stricter than Codex on purpose: no login looks like this.
#[test]
fn bombs_are_refused() {
    let deep = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(verdict(deep(MAX_DEPTH - 1).as_bytes()), Ok(Stub));
    assert_eq!(verdict(deep(MAX_DEPTH).as_bytes()), Err(Malformed));
    assert_eq!(verdict(deep(400_000).as_bytes()), Err(Malformed));
    let quoted = format!(r#"{{"x":"{}\"[","y":1}}"#, "[".repeat(100));
    assert_eq!(verdict(quoted.as_bytes()), Ok(Stub));
    let long = |length: usize| format!(r#"{{"x":"{}"}}"#, "a".repeat(length));
    assert_eq!(verdict(long(MAX_JSON - 8).as_bytes()), Ok(Stub));
    assert_eq!(verdict(long(MAX_JSON - 7).as_bytes()), Err(Malformed));
    assert_eq!(verdict(b"[]"), Err(Malformed));
}

#[test]
fn an_error_names_the_place_only() {
    let text = chatgpt(Some("chatgpt")).to_string().replace("null", "nul");
    let finding = CodexAuth::parse(text.as_bytes()).unwrap_err();
    assert_eq!(finding.code, Malformed);
    let column = text.find("nul").unwrap() + 4;
    assert_eq!(
        finding.summary,
        format!("codex cannot read it: it is not JSON at line 1 column {column}")
    );
}

#[test]
fn written_as_codex_writes() {
    let file = chatgpt(Some("chatgpt"));
    let written = CodexAuth::parse(&bytes(&with(&[("/x", json!(1))]))).unwrap().to_json();
    assert_eq!(reveal(&written), serde_json::to_string_pretty(&file).unwrap());
    let others = json!({
        "auth_mode": "agentIdentity",
        "OPENAI_API_KEY": null,
        "agent_identity": {"a": ["b"]},
        "personal_access_token": pat(),
        "bedrock_api_key": {"c": 1},
        "bedrock_access_keys": {"d": 2},
    });
    let written = CodexAuth::parse(&bytes(&others)).unwrap().to_json();
    assert_eq!(reveal(&written), serde_json::to_string_pretty(&others).unwrap());
}

#[test]
fn a_lease_dies_with_its_access_token() {
    let lease = CodexAuth::parse(&bytes(&chatgpt(None))).unwrap().without_refresh_token();
    assert!(!lease.has_refresh_token());
    assert_eq!(lease.state(now()), Usable);
    assert_eq!(lease.state(now() + SignedDuration::from_hours(240)), Dead);
    let written: Value = serde_json::from_str(reveal(&lease.to_json())).unwrap();
    assert_eq!(written["tokens"]["refresh_token"], "");
    assert!(Timestamp::MAX > now());
}

/// With PUSHREADY_TEST_CODEX naming a codex 0.169, that every verdict is Codex's own: it loads the
/// file or it does not.
fn against_codex(name: &str, file: &[u8], expected: Verdict) {
    let Some(codex) = std::env::var_os("PUSHREADY_TEST_CODEX") else { return };
    let home = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::write(home.path().join("auth.json"), file).unwrap();
    let output = std::process::Command::new(codex)
        .args(["login", "status"])
        .env_clear()
        .envs([
            ("PATH", "/usr/bin:/bin".as_ref()),
            ("HOME", home.path()),
            ("CODEX_HOME", home.path()),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let refused = ["failed to deserialize", "Not logged in"].iter().any(|text| said.contains(text));
    assert_eq!(refused, expected.is_err(), "{name}: {said}");
}
