//! Codex's login, and what overrides it.

use std::fs;

use crate::doctor::table::{Fault, fault, matrix};
use crate::support::{fake_auth, sandbox};

pub const ROWS: &[Fault] = &[
    fault("codex-auth-missing", "fail", "auth.json was removed", |lab| {
        lab.remove(".codex/auth.json");
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-malformed", "fail", "auth.json is cut off", |lab| {
        lab.write(".codex/auth.json", &lab.seed.json()[..200]);
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-incomplete", "fail", "last_refresh is missing", |lab| {
        let mut login: serde_json::Value = serde_json::from_str(&lab.seed.json()).unwrap();
        login.as_object_mut().unwrap().remove("last_refresh");
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-expired", "fail", "expired, and no refresh token", |lab| {
        let mut login: serde_json::Value =
            serde_json::from_str(&lab.seed.clone().expired().json()).unwrap();
        login["tokens"]["refresh_token"] = "".into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-clobbered", "fail", "module v4 wrote its stub", |lab| {
        lab.write(".codex/auth.json", fake_auth::module_stub());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-stale", "warn", "the variable has an older seed than the login", |lab| {
        lab.apply()
            .env("PUSHREADY_CODEX_AUTH_JSON", lab.seed.clone().refreshed().json())
            .run()
            .success();
        let older = fake_auth::ChatGpt { last_refresh: -3 * 86_400, ..lab.seed.clone() };
        lab.doctor(&["--offline"]).env("PUSHREADY_CODEX_AUTH_JSON", older.json())
    })
    .entails(&["leak-env"]),
    fault("codex-login-not-ours", "warn", "the user logged in with another account", |lab| {
        lab.write(
            ".codex/auth.json",
            &lab.seed.clone().of_account(fake_auth::OTHER_ACCOUNT).json(),
        );
        lab.doctor(&["--offline"])
    }),
    fault("codex-lease-expiring", "warn", "a lease with an hour left", |lab| {
        let lease = fake_auth::ChatGpt { access_expires: 3600, ..lab.seed.clone() };
        let mut login: serde_json::Value = serde_json::from_str(&lease.json()).unwrap();
        login["tokens"]["refresh_token"] = "".into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-conflict", "fail", "an API key is beside the tokens", |lab| {
        let mut login: serde_json::Value = serde_json::from_str(&lab.seed.json()).unwrap();
        login["OPENAI_API_KEY"] = "sk-proj-rig".into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-seed-at-live-path", "fail", "a secret store wrote the spent seed back", |lab| {
        lab.write(".codex/auth.json", &lab.seed.clone().refreshed().json());
        lab.apply().run().success();
        lab.write(".codex/auth.json", &lab.seed.json());
        lab.doctor(&["--offline"])
    }),
    fault("codex-env-override", "fail", "CODEX_API_KEY is set", |lab| {
        lab.doctor(&["--offline"]).env("CODEX_API_KEY", "x")
    }),
    fault("codex-auth-missing", "fail", "CODEX_HOME names another folder in this shell", |lab| {
        lab.doctor(&["--offline", "--only", "codex.login"])
            .env("CODEX_HOME", "/home/coder/.codex-other")
    }),
    fault("codex-env-override", "fail", "half of a workload identity is set", |lab| {
        lab.doctor(&["--offline"]).env("OPENAI_FEDERATION_RULE_ID", "rule")
    }),
    fault("codex-env-override", "fail", "a variable of workload identity is empty", |lab| {
        lab.doctor(&["--offline"]).env("OPENAI_IDENTITY_TOKEN_FILE", "")
    }),
    fault("codex-auth-incomplete", "fail", "a line break in the token", |lab| {
        let mut login: serde_json::Value = serde_json::from_str(&lab.seed.json()).unwrap();
        login["tokens"]["access_token"] = format!("{}\n", lab.seed.access_token()).into();
        lab.write(".codex/auth.json", &login.to_string());
        lab.doctor(&["--offline"])
    }),
    fault("codex-home-unwritable", "fail", "Codex's folder is read-only", |lab| {
        lab.ws.set_mode(".codex", 0o500);
        lab.doctor(&["--offline"])
    }),
    fault("codex-auth-missing", "fail", "Codex's folder is gone, and can be made again", |lab| {
        fs::remove_dir_all(lab.ws.home().join(".codex")).unwrap();
        lab.doctor(&["--offline"])
    })
    .entails(&["codex-untrusted-folder"]),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
