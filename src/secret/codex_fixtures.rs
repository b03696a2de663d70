//! Logins of Codex for tests, made at run time: unsigned, of nobody.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use jiff::Timestamp;
use serde_json::{Value, json};

pub fn now() -> Timestamp {
    Timestamp::from_second(1_795_344_750).unwrap()
}

pub fn base64(text: &str) -> String {
    Base64::encode_string(text.as_bytes())
}

pub fn jwt(claims: &Value) -> String {
    let part = |text: String| Base64UrlUnpadded::encode_string(text.as_bytes());
    [
        part(json!({"alg": "RS256"}).to_string()),
        part(claims.to_string()),
        part("no signature".into()),
    ]
    .join(".")
}

pub fn key() -> String {
    ["sk", "proj", &"F".repeat(32)].join("-")
}

pub fn pat() -> String {
    ["at", &"F".repeat(32)].join("-")
}

pub fn account(last: u8) -> String {
    format!("00000000-0000-4000-8000-{last:012}")
}

pub fn claims(expires_in: i64, account_id: &str, user: &str) -> Value {
    let issued = now().as_second() - 60;
    json!({
        "email": "fake@example.com", "iat": issued, "exp": now().as_second() + expires_in,
        "https://api.openai.com/auth": {
            "chatgpt_plan_type": "plus", "chatgpt_user_id": user, "chatgpt_account_id": account_id,
        },
    })
}

pub fn id(expires_in: i64) -> Value {
    json!(jwt(&claims(expires_in, &account(1), "user-1")))
}

pub fn access(expires_in: i64) -> Value {
    let issued = now().as_second() - 60;
    json!(jwt(&json!({"iat": issued, "exp": now().as_second() + expires_in})))
}

/// A good login, with keys in Codex's order.
pub fn chatgpt(mode: Option<&str>) -> Value {
    let mut file = json!({"auth_mode": mode, "OPENAI_API_KEY": null});
    if mode.is_none() {
        file = json!({"OPENAI_API_KEY": null});
    }
    file["tokens"] = json!({
        "id_token": id(3600), "access_token": access(864_000),
        "refresh_token": format!("rt_{}", "F".repeat(16)), "account_id": account(1),
    });
    file["last_refresh"] = json!("2026-11-22T10:00:00.418616613Z");
    file
}

/// A good login with values replaced, by JSON pointer.
pub fn with(changes: &[(&str, Value)]) -> Value {
    let mut file = chatgpt(Some("chatgpt"));
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    file
}

pub fn with_token(name: &str, value: Value) -> Value {
    with(&[(&format!("/tokens/{name}"), value)])
}

pub fn bytes(file: &Value) -> Vec<u8> {
    file.to_string().into_bytes()
}
