use serde_json::{Value, json};

use super::*;

fn judge(file: &Value) -> CredentialsFile {
    CredentialsFile::parse(file.to_string().as_bytes())
}

fn oauth(token: &Value, refresh: &Value, expires: &Value, scopes: &Value) -> Value {
    json!({"mcpOAuth": {"x": [1]}, "claudeAiOauth": {
        "accessToken": token, "refreshToken": refresh, "expiresAt": expires, "scopes": scopes, "subscriptionType": "max",
    }})
}

#[test]
fn every_kind_of_file() {
    let digest = sha256(b"token");
    let (token, null, scopes) =
        (json!("token"), Value::Null, json!(["user:profile", "user:inference"]));
    let (absent, emptied) =
        (CredentialsFile::Blank { by_client: false }, CredentialsFile::Blank { by_client: true });
    let login = |refreshable, inference, expires: Option<&str>| CredentialsFile::Login {
        digest: digest.clone(),
        inference,
        refreshable,
        expires: expires.map(|time| time.parse().unwrap()),
    };
    let milliseconds = json!(1_795_375_376_948_i64);
    let when = Some("2026-11-22T19:22:56.948Z");
    let table = [
        (json!({}), absent.clone()),
        (json!({"mcpOAuth": {}}), absent.clone()),
        (json!({"claudeAiOauth": null}), absent.clone()),
        (json!({"claudeAiOauth": {}}), absent),
        (oauth(&json!(""), &json!(""), &json!(0), &scopes), emptied.clone()),
        (oauth(&json!(" \n"), &null, &null, &scopes), emptied),
        // nothing to send, and somebody's means to get another
        (
            oauth(&null, &json!("r"), &null, &scopes),
            CredentialsFile::Malformed { line: 0, column: 0 },
        ),
        (
            oauth(&token, &null, &null, &scopes),
            CredentialsFile::SetupToken { digest: digest.clone(), inference: true },
        ),
        (
            oauth(&token, &json!(""), &null, &json!([])),
            CredentialsFile::SetupToken { digest: digest.clone(), inference: false },
        ),
        (oauth(&token, &json!("r"), &milliseconds, &scopes), login(true, true, when)),
        (oauth(&token, &json!("r"), &null, &null), login(true, false, None)),
        (oauth(&token, &null, &milliseconds, &scopes), login(false, true, when)),
        (
            oauth(&token, &null, &json!(0), &scopes),
            login(false, true, Some("1970-01-01T00:00:00Z")),
        ),
        (oauth(&token, &null, &json!(1e300), &scopes), login(false, true, None)),
        (oauth(&token, &null, &json!(-1e300), &scopes), login(false, true, None)),
    ];
    for (file, expected) in table {
        assert_eq!(judge(&file), expected, "{file}");
    }
    assert_eq!(CredentialsFile::parse(b" \n"), CredentialsFile::Blank { by_client: false });
}

#[test]
fn what_is_no_such_file() {
    let place = |line, column| CredentialsFile::Malformed { line, column };
    let table: [(&[u8], CredentialsFile); 7] = [
        (b"{\n  \"claudeAiOauth\": {", place(2, 20)),
        (b"[]", place(1, 1)),
        (b"sk-ant-oat01-x", place(1, 1)),
        (b"\xef\xbb\xbf{}", place(1, 1)),
        (br#"{"claudeAiOauth":{"accessToken":3}}"#, place(1, 33)),
        (br#"{"claudeAiOauth":"x"}"#, place(1, 20)),
        (b"{\"claudeAiOauth\":{\"accessToken\":\"\xff\"}}", place(1, 34)),
    ];
    for (file, expected) in table {
        assert_eq!(CredentialsFile::parse(file), expected, "{}", String::from_utf8_lossy(file));
    }
    let long = format!(r#"{{"x":"{}"}}"#, "a".repeat(MAX_JSON));
    assert_eq!(CredentialsFile::parse(long.as_bytes()), place(0, 0));
}

proptest::proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(0_u8.., 0..100), text in "[{}\\[\\]\":,a0]{0,60}") {
        let _ = (CredentialsFile::parse(&bytes), CredentialsFile::parse(text.as_bytes()));
    }
}
