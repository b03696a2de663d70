use serde_json::{Value, json};

use super::super::codex_fixtures::*;
use super::*;

fn parse(text: &str) -> Result<Checked<CodexAuth>, Finding> {
    CodexAuth::parse_seed(&SecretString::from(text), now())
}

fn repaired(name: &str, text: &str, repairs: &[&str]) {
    let checked = parse(text).unwrap_or_else(|finding| panic!("{name}: {finding:?}"));
    assert_eq!(checked.repairs, repairs, "{name}");
    let expected = serde_json::to_string_pretty(&chatgpt(Some("chatgpt"))).unwrap();
    assert_eq!(reveal(&checked.value.to_json()), expected, "{name}");
}

#[test]
fn wrappings() {
    let text = serde_json::to_string_pretty(&chatgpt(Some("chatgpt"))).unwrap();
    let escaped = json!(text).to_string();
    let inner = &escaped[1..escaped.len() - 1];
    let string = "JSON string around it";
    repaired("plain", &text, &[]);
    repaired("newline", &format!("\n{text}\r\n"), &[]);
    repaired("CRLF", &text.replace('\n', "\r\n"), &[]);
    repaired("mark", &format!("\u{feff}{text}"), &["byte order mark"]);
    repaired("no-break space", &format!("\u{a0}{text}"), &[]);
    repaired("single quotes", &format!("'{text}'"), &["quotes around it"]);
    repaired("double quotes", &format!("\"{text}\""), &["quotes around it"]);
    repaired("JSON string", &escaped, &[string]);
    repaired("JSON string twice", &json!(escaped).to_string(), &[string]);
    repaired("JSON string with mark", &format!("\u{feff}{escaped}"), &["byte order mark", string]);
    repaired(
        "JSON string in quotes",
        &format!("'{escaped}'"),
        &["quotes around it", "escaped quotes"],
    );
    repaired(
        "escaped quotes",
        &chatgpt(Some("chatgpt")).to_string().replace('"', "\\\""),
        &["escaped quotes"],
    );
    repaired("escaped", inner, &["escaped quotes"]);
    repaired("base64", &base64(&text), &["base64 wrapping"]);
    repaired(
        "base64 of a name",
        &base64(&text.replacen('{', "{\"note\": \"Zoë Łuk\",", 1)),
        &["base64 wrapping"],
    );
    repaired(
        "base64url",
        &base64(&text).replace('+', "-").replace('/', "_").replace('=', ""),
        &["base64 wrapping"],
    );
    repaired("base64 twice", &base64(&base64(&text)), &["base64 wrapping"]);
    repaired(
        "base64 with mark",
        &base64(&format!("\u{feff}{text}")),
        &["base64 wrapping", "byte order mark"],
    );
    repaired("base64 of a JSON string", &base64(&escaped), &["base64 wrapping", string]);
    repaired("quoted base64", &json!(base64(&text)).to_string(), &[string, "base64 wrapping"]);
    let folded: String = base64(&text)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line) + "\n")
        .collect();
    repaired("folded base64", &folded, &["base64 wrapping"]);
}

#[test]
fn completed() {
    repaired("auth_mode", &chatgpt(None).to_string(), &[]);
    repaired("account_id", &with_token("account_id", Value::Null).to_string(), &["no account_id"]);
    repaired(
        "blank account_id",
        &with_token("account_id", json!(" ")).to_string(),
        &["no account_id"],
    );
    let shadowed = with(&[("/auth_mode", Value::Null), ("/OPENAI_API_KEY", json!(""))]);
    repaired("empty key", &shadowed.to_string(), &["empty OPENAI_API_KEY"]);
    repaired("empty key, mode", &with(&[("/OPENAI_API_KEY", json!(""))]).to_string(), &[]);
    let refreshed = |access: Value, id: Value| {
        let changes = [
            ("/last_refresh", Value::Null),
            ("/tokens/access_token", access),
            ("/tokens/id_token", id),
        ];
        let checked = parse(&with(&changes).to_string()).unwrap();
        assert_eq!(checked.repairs, ["no last_refresh"]);
        checked.value.last_refresh().unwrap()
    };
    let issued = |second: i64| json!(jwt(&json!({"iat": second})));
    assert_eq!(refreshed(issued(500), issued(400)).as_second(), 500);
    assert_eq!(refreshed(json!("opaque"), issued(400)).as_second(), 400);
    assert_eq!(refreshed(json!("opaque"), json!(jwt(&json!({})))), now());
    let key_file = json!({"OPENAI_API_KEY": key()});
    let written = parse(&key_file.to_string()).unwrap().value.to_json();
    let expected = json!({"auth_mode": "apikey", "OPENAI_API_KEY": key()});
    assert_eq!(reveal(&written), serde_json::to_string_pretty(&expected).unwrap());
    // The same credential has the same digest however it came.
    let plain = chatgpt(Some("chatgpt")).to_string();
    let digest = |text: &str| parse(text).unwrap().value.digest();
    assert_eq!(digest(&base64(&plain)), digest(&plain));
    assert_eq!(digest(&with(&[("/last_refresh", Value::Null)]).to_string()), digest(&plain));
}

#[test]
fn access_tokens() {
    let table: [(String, &[&str]); 7] = [
        (pat(), &[]),
        (format!("{}\n", pat()), &[]),
        (format!("\"{}\"", pat()), &["JSON string around it"]),
        (format!("'{}'", pat()), &["quotes around it"]),
        (format!("Bearer {}", pat()), &["Bearer prefix"]),
        (format!("{}\\n", pat()), &["literal \\n"]),
        (base64(&pat()), &["base64 wrapping"]),
    ];
    for (text, repairs) in table {
        let checked = parse(&text).unwrap();
        assert_eq!(
            (checked.repairs, checked.value.mode()),
            (repairs.to_vec(), Mode::PersonalAccessToken)
        );
        let written: Value = serde_json::from_str(reveal(&checked.value.to_json())).unwrap();
        let expected = json!({"auth_mode": "personalAccessToken", "OPENAI_API_KEY": null, "personal_access_token": pat()});
        assert_eq!(written, expected);
    }
}

#[test]
fn refused_by_name() {
    use Code::{CodexAuthIncomplete as Incomplete, CodexAuthMalformed as Malformed};
    let plain = chatgpt(Some("chatgpt")).to_string();
    let access = access(100).as_str().unwrap().to_owned();
    let nothing = "it contains no credential";
    let blanks = "the access token contains spaces, line breaks or other characters that are not allowed in a token";
    let template = "it is a template expression that was not evaluated";
    let unreadable =
        format!("codex cannot read it: it ends too early at line 1 column {}", plain.len() - 1);
    let trailing =
        format!("codex cannot read it: it is not JSON at line 1 column {}", plain.len() + 2);
    let table: Vec<(String, Code, &str)> = vec![
        ("{}".into(), Incomplete, nothing),
        (r#"{ "OPENAI_API_KEY": "" }"#.into(), Incomplete, nothing),
        (with(&[("/tokens", Value::Null)]).to_string(), Incomplete, nothing),
        (
            with_token("refresh_token", Value::Null).to_string(),
            Incomplete,
            "`tokens.refresh_token` is missing",
        ),
        (
            with_token("id_token", Value::Null).to_string(),
            Incomplete,
            "`tokens.id_token` is missing",
        ),
        (
            with_token("access_token", json!("")).to_string(),
            Incomplete,
            "`tokens.access_token` is empty",
        ),
        (
            r#"{"auth_mode":"apikey"}"#.into(),
            Incomplete,
            "`auth_mode` is apikey and `OPENAI_API_KEY` is missing",
        ),
        (
            chatgpt(Some("ChatGPT")).to_string(),
            Malformed,
            "`auth_mode` is not a mode that codex knows",
        ),
        (plain[..plain.len() - 1].to_owned(), Malformed, &unreadable),
        (format!("{plain} x"), Malformed, &trailing),
        ("${var.codex}".into(), Malformed, template),
        ("{{ codex }}".into(), Malformed, template),
        ("null".into(), Malformed, "it is a word for an empty value, such as null"),
        ("~/.codex/auth.json".into(), Malformed, "it is the path of a file, not the content"),
        (key(), Malformed, "an API key alone"),
        (["sk", "ant", "x"].join("-"), Malformed, "a credential of Anthropic, not of OpenAI"),
        (access, Malformed, "one token of a login, not the whole `auth.json`"),
        (
            format!("rt_{}", "F".repeat(20)),
            Malformed,
            "a refresh token alone, not the whole `auth.json`",
        ),
        ("-----BEGIN X-----".into(), Malformed, "a key block, not an `auth.json`"),
        ("[1]".into(), Malformed, "it is not a JSON object"),
        ("see the vault".into(), Malformed, "it is not a JSON object"),
        (format!("{} {}", pat(), pat()), Malformed, blanks),
        (format!("{}\n{}", &pat()[..20], &pat()[20..]), Malformed, blanks),
        ("at-".into(), Malformed, "the access token is truncated: only its beginning is there"),
        ("x".repeat(2 * MAX_JSON + 1), Malformed, "it is longer than 1 MiB"),
        (format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_JSON)), Malformed, "it is longer than 1 MiB"),
    ];
    for (text, code, reason) in table {
        let finding =
            parse(&text).err().unwrap_or_else(|| panic!("accepted where expected: {reason}"));
        assert_eq!((finding.code, &*finding.summary), (code, reason));
    }
    // Expired without means to renew it is not a finding of the form: state() tells.
    let dead = with(&[
        ("/tokens/access_token", super::super::codex_fixtures::access(-1)),
        ("/tokens/refresh_token", json!("")),
    ]);
    assert_eq!(parse(&dead.to_string()).unwrap().value.state(now()), Liveness::Dead);
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,80}", json in "[{}\\[\\]\":,\\\\a0n]{0,60}", at in 0_usize..900, change: char) {
        let _ = (parse(&text), parse(&json), parse(&base64(&text)));
        let mut plain: Vec<char> = chatgpt(None).to_string().chars().collect();
        let at = at % plain.len();
        plain[at] = change;
        let _ = parse(&plain.into_iter().collect::<String>());
    }
}

#[test]
fn the_defect_of_a_seed_is_named() {
    let seed = chatgpt(Some("chatgpt")).to_string();
    for (text, named) in [
        ("H4sIAAAAAAAAA6tWKkktLlGyUlAqLU4tAgCsZCXmEQAAAA==".to_owned(), "gzip"),
        (format!("PUSHREADY_CODEX_AUTH_JSON={seed}"), "an assignment"),
        (format!("export AUTH='{seed}'"), "an assignment"),
        (format!("{seed}\0"), "NUL byte"),
        (seed.replacen(':', ":\u{a0}", 1), "no-break spaces"),
        (
            r#"{"openai": {"type": "oauth", "refresh": "r", "access": "a", "expires": 1}}"#
                .to_owned(),
            "opencode",
        ),
        (
            r#"{"access_token": "a", "refresh_token": "r", "id_token": "i"}"#.to_owned(),
            "`tokens` alone",
        ),
        (r#"{"claudeAiOauth": {"accessToken": "x"}}"#.to_owned(), "Claude Code"),
    ] {
        let finding = parse(&text).unwrap_err();
        assert_eq!(finding.code, Code::CodexAuthMalformed, "{named}");
        assert!(finding.summary.contains(named), "{named}: {}", finding.summary);
    }
}
