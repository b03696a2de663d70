//! Made-up Codex logins: `auth.json` with unsigned JWTs, which is all that the client looks at.

use base64ct::{Base64UrlUnpadded, Encoding};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub const ACCOUNT: &str = "00000000-0000-4000-8000-000000000001";
pub const OTHER_ACCOUNT: &str = "00000000-0000-4000-8000-000000000002";
const DAY: i64 = 86_400;

/// A login with a ChatGPT subscription. Times are seconds from now.
#[derive(Clone)]
pub struct ChatGpt {
    pub account: &'static str,
    pub refresh_token: String,
    pub access_expires: i64,
    pub last_refresh: i64,
}

/// Refreshed yesterday, good for nine more days.
pub fn chatgpt() -> ChatGpt {
    ChatGpt {
        account: ACCOUNT,
        refresh_token: "rt_seed_0001".into(),
        access_expires: 9 * DAY,
        last_refresh: -DAY,
    }
}

impl ChatGpt {
    /// The same login after its access token expired.
    pub fn expired(self) -> Self {
        Self { access_expires: -10 * DAY, last_refresh: -20 * DAY, ..self }
    }

    /// Its descendant: what Codex writes when it refreshes.
    pub fn refreshed(self) -> Self {
        let refresh_token = format!("{}_refreshed", self.refresh_token);
        Self { refresh_token, access_expires: 10 * DAY, last_refresh: 0, ..self }
    }

    pub fn of_account(self, account: &'static str) -> Self {
        Self { account, refresh_token: format!("{}_{account}", self.refresh_token), ..self }
    }

    pub fn access_token(&self) -> String {
        let audience = json!(["https://api.openai.com/v1"]);
        let scopes = json!(["openid", "profile", "email", "offline_access"]);
        self.jwt(json!({"aud": audience, "scp": scopes, "jti": format!("access {}", self.refresh_token)}))
    }

    pub fn id_token(&self) -> String {
        self.jwt(json!({"aud": ["app_EMoamEEZ73f0CkXaXp7hrann"], "email": "fake@example.com", "email_verified": true}))
    }

    fn jwt(&self, own_claims: Value) -> String {
        let mut claims = json!({
            "iss": "https://auth.openai.com",
            "sub": "auth0|fake",
            "iat": from_now(self.last_refresh).as_second(),
            "exp": from_now(self.access_expires).as_second(),
            "https://api.openai.com/auth": {
                "chatgpt_plan_type": "plus",
                "chatgpt_user_id": "user-fake",
                "user_id": "user-fake",
                "chatgpt_account_id": self.account,
                "organizations": [],
            },
        });
        let Value::Object(own_claims) = own_claims else { unreachable!("claims are an object") };
        claims.as_object_mut().unwrap().extend(own_claims);
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "fake"});
        let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        format!("{}.{}.ZmFrZS1zaWduYXR1cmU", part(&header), part(&claims))
    }

    pub fn tokens(&self) -> Value {
        json!({
            "id_token": self.id_token(),
            "access_token": self.access_token(),
            "refresh_token": self.refresh_token,
            "account_id": self.account,
        })
    }

    /// `auth.json`, laid out as Codex writes it.
    pub fn json(&self) -> String {
        let last_refresh = from_now(self.last_refresh).to_string();
        pretty(&json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "tokens": self.tokens(),
            "last_refresh": last_refresh,
        }))
    }

    pub fn secrets(&self) -> [String; 3] {
        [self.refresh_token.clone(), self.access_token(), self.id_token()]
    }
}

/// What `codex login --with-api-key` writes.
pub fn api_key(key: &str) -> String {
    pretty(&json!({"auth_mode": "apikey", "OPENAI_API_KEY": key}))
}

/// What Coder's codex module v4 writes over the login at each start, key or no key.
pub fn module_stub() -> &'static str {
    "{ \"OPENAI_API_KEY\": \"\" }\n"
}

/// Times are fixed at the first call: a login must not change between two looks at it.
fn from_now(seconds: i64) -> Timestamp {
    static NOW: std::sync::LazyLock<Timestamp> = std::sync::LazyLock::new(Timestamp::now);
    *NOW + SignedDuration::from_secs(seconds)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}
