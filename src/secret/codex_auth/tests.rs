use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::codex_fixtures::*;
use super::*;

fn auth(file: &Value) -> CodexAuth {
    CodexAuth::parse(&bytes(file)).unwrap()
}

fn good() -> CodexAuth {
    auth(&chatgpt(Some("chatgpt")))
}

fn of(account_id: &str, user: &str) -> CodexAuth {
    auth(&with(&[
        ("/tokens/id_token", json!(jwt(&claims(3600, account_id, user)))),
        ("/tokens/account_id", json!(account_id)),
    ]))
}

fn claiming(claims: &Value) -> CodexAuth {
    auth(&with_token("id_token", json!(jwt(claims))))
}

#[test]
fn what_a_login_says_of_itself() {
    let good = good();
    assert_eq!((good.mode(), good.mode().name()), (Mode::ChatGpt, "chatgpt"));
    assert_eq!(good.account(), Some(account(1).as_str()));
    assert_eq!(good.email_masked().as_deref(), Some("f\u{2026}@example.com"));
    assert_eq!(good.plan(), Some("plus"));
    assert_eq!(good.last_refresh().unwrap().to_string(), "2026-11-22T10:00:00.418616613Z");
    assert_eq!(good.access_expires(), Some(now() + SignedDuration::from_secs(864_000)));
    assert_eq!(good.access_issued(), Some(now() - SignedDuration::from_secs(60)));
    assert!(good.has_refresh_token() && good.sends_account());
    let claimed = auth(&with_token("account_id", Value::Null));
    assert_eq!(claimed.account(), good.account());
    assert!(!claimed.sends_account());
}

#[test]
fn claims_that_do_not_belong_on_a_terminal() {
    for email in ["\u{1b}[31m@x.y", "a@b\u{7}", "@x", "no at", "a@", "\u{202e}a@b"] {
        assert_eq!(claiming(&json!({"email": email})).email_masked(), None, "{email:?}");
    }
    let profile = json!({"https://api.openai.com/profile": {"email": "p@q.r"}});
    assert_eq!(claiming(&profile).email_masked().as_deref(), Some("p\u{2026}@q.r"));
    let plan = |plan: &str| json!({"https://api.openai.com/auth": {"chatgpt_plan_type": plan}});
    assert_eq!(claiming(&plan("new_plan-2")).plan(), Some("new_plan-2"));
    assert_eq!(claiming(&plan("\u{1b}[0m")).plan(), None);
    assert_eq!(claiming(&plan(&"x".repeat(41))).plan(), None);
}

#[test]
fn modes_are_inferred_as_codex_does() {
    let empty = json!({});
    let table = [
        (
            json!({"personal_access_token": pat(), "bedrock_api_key": empty, "OPENAI_API_KEY": key()}),
            Mode::PersonalAccessToken,
        ),
        (
            json!({"bedrock_api_key": empty, "bedrock_access_keys": empty, "OPENAI_API_KEY": key()}),
            Mode::BedrockApiKey,
        ),
        (json!({"bedrock_access_keys": empty, "OPENAI_API_KEY": key()}), Mode::BedrockAccessKeys),
        (json!({"OPENAI_API_KEY": ""}), Mode::ApiKey),
        (json!({}), Mode::ChatGpt),
        (json!({"auth_mode": "apikey"}), Mode::ApiKey),
        (json!({"auth_mode": "chatgpt", "OPENAI_API_KEY": key()}), Mode::ChatGpt),
    ];
    for (file, mode) in table {
        assert_eq!(auth(&file).mode(), mode, "{file}");
    }
    for mode in Mode::ALL {
        assert_eq!(auth(&json!({"auth_mode": mode.name()})).mode(), mode);
    }
}

#[test]
fn states() {
    let hours = |count| SignedDuration::from_hours(count);
    let end = now() + hours(240);
    let good = good();
    assert_eq!(good.state(end - hours(1)), Liveness::Usable);
    assert_eq!(good.state(end), Liveness::Refreshable);
    let external = auth(&chatgpt(Some("chatgptAuthTokens")));
    assert_eq!(external.state(end), Liveness::Dead);
    assert_eq!(good.without_refresh_token().state(end), Liveness::Dead);
    let opaque = |refresh: &str| {
        auth(&with(&[
            ("/tokens/access_token", json!("x")),
            ("/tokens/refresh_token", json!(refresh)),
        ]))
    };
    let renewed = opaque("r").last_refresh().unwrap();
    assert_eq!(opaque("r").state(renewed + hours(192)), Liveness::Usable);
    assert_eq!(opaque("r").state(renewed + hours(193)), Liveness::Refreshable);
    assert_eq!(opaque("").state(renewed + hours(193)), Liveness::Usable);
    let blank = |name: &str| with_token(name, json!(" "));
    assert_eq!(
        auth(&blank("access_token")).state(now()),
        Liveness::Incomplete("`tokens.access_token` is empty")
    );
    let mut both = blank("access_token");
    both["tokens"]["refresh_token"] = json!("");
    assert_eq!(auth(&both).state(now()), Liveness::Stub);
    let shadowed = with(&[("/auth_mode", Value::Null), ("/OPENAI_API_KEY", json!(""))]);
    let reason = "an empty `OPENAI_API_KEY` overrides its tokens";
    assert_eq!(auth(&shadowed).state(now()), Liveness::Incomplete(reason));
    assert_eq!(auth(&json!({"personal_access_token": ""})).state(now()), Liveness::Stub);
    assert_eq!(
        auth(&json!({"agent_identity": "x", "auth_mode": "agentIdentity"})).state(now()),
        Liveness::Usable
    );
    for mode in ["bedrockApiKey", "bedrockAccessKeys"] {
        assert!(matches!(auth(&json!({"auth_mode": mode})).state(now()), Liveness::Incomplete(_)));
    }
    for exp in
        [json!(i64::MAX), json!(i64::MIN), json!("soon"), json!(1e300), json!([]), Value::Null]
    {
        let file = with_token("access_token", json!(jwt(&json!({"exp": exp, "iat": exp}))));
        assert_eq!(
            (auth(&file).access_expires(), auth(&file).state(now())),
            (None, Liveness::Usable),
            "{exp}"
        );
    }
    let milliseconds = with_token(
        "access_token",
        json!(jwt(&json!({"exp": (now() + hours(1)).as_millisecond()}))),
    );
    assert_eq!(auth(&milliseconds).access_expires(), Some(now() + hours(1)));
    for clock in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let _ = (auth(&milliseconds).state(clock), opaque("r").state(clock));
    }
}

#[test]
fn the_newer_of_two() {
    let refreshed = |time: &str| auth(&with(&[("/last_refresh", json!(time))]));
    let (old, new) = (refreshed("2026-11-20T00:00:00Z"), refreshed("2026-11-21T00:00:00+00:00"));
    assert!(new.newer_than(&old) && !old.newer_than(&new));
    assert!(!old.newer_than(&old));
    let times = |iat: Option<i64>, exp: i64| {
        with_token("access_token", json!(jwt(&json!({"iat": iat, "exp": exp}))))
    };
    let (early, late) = (auth(&times(Some(100), 900)), auth(&times(Some(200), 300)));
    assert!(late.newer_than(&early) && !early.newer_than(&late));
    let (short, long) = (auth(&times(None, 300)), auth(&times(None, 900)));
    assert!(long.newer_than(&short) && !short.newer_than(&long));
    // last_refresh decides before the token's own times, and its absence decides nothing.
    let mut stale = times(Some(900), 900);
    stale["last_refresh"] = json!("2020-01-01T00:00:00Z");
    assert!(!auth(&stale).newer_than(&early) && early.newer_than(&auth(&stale)));
    stale["last_refresh"] = Value::Null;
    assert!(auth(&stale).newer_than(&early));
    let key = auth(&json!({"OPENAI_API_KEY": key()}));
    assert!(!key.newer_than(&good()) && !good().newer_than(&key));
}

#[test]
fn the_same_account() {
    let (one, colleague, other) =
        (of(&account(1), "user-1"), of(&account(1), "user-2"), of(&account(2), "user-1"));
    assert!(one.same_account(&good()) && one.account_digest() == good().account_digest());
    assert!(!one.same_account(&colleague) && one.account_digest() != colleague.account_digest());
    assert!(!one.same_account(&other) && one.account_digest() != other.account_digest());
    let legacy = |user: &str| {
        let auth = json!({"chatgpt_account_id": account(1), "user_id": user});
        claiming(&json!({"https://api.openai.com/auth": auth}))
    };
    assert!(legacy("user-1").same_account(&one) && !legacy("user-2").same_account(&one));
    let nameless = claiming(&json!({}));
    assert!(nameless.same_account(&one) && one.same_account(&nameless));
    let unknown = auth(&with(&[
        ("/tokens/id_token", json!(jwt(&json!({})))),
        ("/tokens/account_id", Value::Null),
    ]));
    assert!(!unknown.same_account(&unknown) && unknown.account_digest().is_none());
    let key_of = |text: &str| auth(&json!({"OPENAI_API_KEY": text}));
    assert!(key_of("a").same_account(&key_of("a")) && !key_of("a").same_account(&key_of("b")));
    assert!(!key_of("a").same_account(&one) && !one.same_account(&key_of("a")));
    let token_of = |text: &str| auth(&json!({"personal_access_token": text}));
    assert!(
        token_of("a").same_account(&token_of("a")) && !token_of("a").same_account(&key_of("a"))
    );
    assert!(key_of("").account_digest().is_none());
}

#[test]
fn digests_are_of_the_credential_alone() {
    let digest = good().digest();
    assert_eq!(digest.len(), 64);
    let written = good().to_json();
    assert_eq!(CodexAuth::parse(reveal(&written).as_bytes()).unwrap().digest(), digest);
    let same = [
        with(&[("/last_refresh", json!("2020-01-01T00:00:00Z"))]),
        with(&[("/x", json!(1))]),
        with(&[("/auth_mode", Value::Null)]),
        with_token("account_id", Value::Null),
    ];
    for file in same {
        assert_eq!(auth(&file).digest(), digest, "{file}");
    }
    let different = [
        with_token("refresh_token", json!("")),
        with_token("access_token", access(1)),
        with_token("id_token", id(1)),
        with_token("account_id", json!(account(2))),
        with(&[("/OPENAI_API_KEY", json!(key()))]),
        with(&[("/personal_access_token", json!(pat())), ("/auth_mode", json!("chatgpt"))]),
        with(&[("/agent_identity", json!("x"))]),
        with(&[("/bedrock_api_key", json!({}))]),
        with(&[("/bedrock_access_keys", json!({}))]),
        chatgpt(Some("chatgptAuthTokens")),
        json!({}),
    ];
    let mut digests: Vec<String> =
        different.iter().map(|file| auth(file).digest()).chain([digest]).collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), different.len() + 1);
}

#[test]
fn the_key_of_the_template_is_known_by_the_variable_that_holds_it_too() {
    let (given, other) = (SecretString::from(key()), SecretString::from("sk-proj-other"));
    let is_its = |file: Value, given: Option<&SecretString>| auth(&file).is_key_of_template(given);
    assert!(is_its(json!({"OPENAI_API_KEY": key()}), Some(&given)));
    assert!(!is_its(json!({"OPENAI_API_KEY": key()}), Some(&other)));
    assert!(!is_its(json!({"OPENAI_API_KEY": key()}), None));
    assert!(!is_its(json!({"OPENAI_API_KEY": ""}), Some(&SecretString::from(""))));
    // codex login --with-api-key
    assert!(!is_its(json!({"auth_mode": "apikey", "OPENAI_API_KEY": key()}), Some(&given)));
    assert!(!is_its(json!({"OPENAI_API_KEY": key(), "agent_identity": "x"}), Some(&given)));
    let mut both = chatgpt(None);
    both["OPENAI_API_KEY"] = json!(key());
    assert!(!is_its(both, Some(&given)));
}

#[test]
fn a_stub_has_nothing_in_it_that_anybody_could_miss() {
    for stub in [
        "",
        " \n",
        "{}",
        "{\n}\n",
        "{ \"OPENAI_API_KEY\": \"\" }",
        "{\"OPENAI_API_KEY\":null,\"tokens\":null}",
        "{\"auth_mode\":\"apikey\",\"OPENAI_API_KEY\":\" \"}",
    ] {
        assert!(CodexAuth::is_stub(stub.as_bytes()), "{stub:?}");
    }
    for other in [
        "{\"OPENAI_API_KEY\": \"sk\"}",
        "{\"note\": \"x\"}",
        "{\"tokens\": {}}",
        "[]",
        "null",
        "{",
        "\u{feff}{}",
        "\"\"",
    ] {
        assert!(!CodexAuth::is_stub(other.as_bytes()), "{other:?}");
    }
}
