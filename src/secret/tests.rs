//! No byte of an input reaches what we say about it: neither `Debug` nor a finding, in any encoding.

use std::fmt::{self, Write as _};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::codex_fixtures::{base64, chatgpt, jwt, now, with, with_token};
use super::*;

/// Every form in which a canary might show.
fn forms(canary: &str) -> Vec<String> {
    let mut forms = vec![canary.to_owned(), canary.chars().rev().collect()];
    let hex = canary.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let percent = canary.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").unwrap();
        text
    });
    forms.extend([hex.to_uppercase(), hex, percent]);
    // The three alignments, less the characters that depend on neighbours.
    for lead in 0..3 {
        let encoded = base64(&format!("{}{canary}", "x".repeat(lead)));
        forms.push(encoded[4..encoded.len() - 4].to_owned());
        forms.push(encoded[4..encoded.len() - 4].replace('+', "-").replace('/', "_"));
    }
    // A piece is a leak, too.
    forms.extend(
        canary.as_bytes().windows(10).map(|piece| String::from_utf8_lossy(piece).into_owned()),
    );
    forms
}

fn silent(text: &str, canary: &str) {
    for form in forms(canary) {
        assert!(!text.contains(&form), "leaked {form}: {text}");
    }
}

/// Everything that can be said about a result.
fn messages<T: fmt::Debug>(result: &Result<Checked<T>, Finding>) -> String {
    if let Err(finding) = result {
        let style = |text: &str| {
            let sentence =
                text.ends_with('.') || text.starts_with(|c: char| c.is_uppercase() && c.is_ascii());
            let known = ["Ed25519", "PKCS", "OpenSSH"].iter().any(|name| text.starts_with(name));
            assert!(!text.is_empty() && (!sentence || known), "{text}");
        };
        style(&finding.summary);
        style(&finding.fix.message);
        return format!("{finding:?} {finding:#?} {} {}", finding.summary, finding.fix.message);
    }
    format!("{result:?} {result:#?}")
}

fn everything(text: &str, canary: &str) {
    let secret = SecretString::from(text);
    silent(&messages(&DeployKey::parse(&secret)), canary);
    silent(&messages(&ClaudeToken::parse(&secret)), canary);
    silent(&messages(&CodexAuth::parse_seed(&secret, now())), canary);
    silent(&format!("{:?}", CodexAuth::parse(text.as_bytes())), canary);
    silent(&format!("{:?}", CredentialsFile::parse(text.as_bytes())), canary);
    silent(
        &format!("{:?}", utf8(&[text.as_bytes(), b"\xff"].concat(), Code::KeyMalformed)),
        canary,
    );
}

#[test]
fn the_leak_test_sees_leaks() {
    let canary = "Canary0123456789Canary";
    for form in forms(canary) {
        assert!(std::panic::catch_unwind(|| silent(&format!("x{form}y"), canary)).is_err());
    }
    silent("nothing", canary);
}

/// Inputs of every kind with the canary where a secret is.
fn inputs(canary: &str) -> Vec<String> {
    let token = |prefix: &str| format!("{prefix}{canary}{canary}");
    let block = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let claims = json!({"email": format!("{canary}@{canary}"), "https://api.openai.com/auth": {
        "chatgpt_account_id": canary, "chatgpt_plan_type": canary, "chatgpt_user_id": canary,
    }});
    let mut login = with_token("id_token", json!(jwt(&claims)));
    login["tokens"]["access_token"] = json!(canary);
    login["tokens"]["refresh_token"] = json!(canary);
    login["tokens"]["account_id"] = json!(canary);
    login["agent_identity"] = json!({canary: canary});
    let mut texts = vec![
        canary.to_owned(),
        token("sk-ant-oat01-"),
        token("sk-ant-api03-"),
        token("sk-"),
        token("at-"),
        format!("at-{canary} {canary}"),
        format!("export CLAUDE_CODE_OAUTH_TOKEN={}", token("sk-ant-oat01-")),
        block("OPENSSH PRIVATE KEY", canary),
        block("RSA PRIVATE KEY", canary),
        block(canary, canary),
        block(&format!("{canary} PRIVATE KEY"), canary),
        format!("{canary}\n{}", block("OPENSSH PRIVATE KEY", &base64(canary))),
        format!("ssh-ed25519 {canary}"),
        format!("/{canary}"),
        format!("${{{canary}}}"),
        login.to_string(),
        json!({"OPENAI_API_KEY": canary}).to_string(),
        json!({canary: 1}).to_string(),
        json!({"auth_mode": canary}).to_string(),
        json!({"tokens": canary}).to_string(),
        json!({"tokens": {"id_token": canary}}).to_string(),
        json!({"claudeAiOauth": {"accessToken": canary, "scopes": [canary]}}).to_string(),
        json!({"claudeAiOauth": canary}).to_string(),
        with(&[("/last_refresh", json!(canary))]).to_string(),
        with_token("id_token", json!(canary)).to_string(),
        with_token("account_id", json!([canary])).to_string(),
        chatgpt(Some(canary)).to_string(),
        with(&[("/personal_access_token", json!(canary)), ("/auth_mode", Value::Null)]).to_string(),
    ];
    texts.extend(texts.clone().iter().map(|text| base64(text)));
    texts.extend(texts.clone().iter().map(|text| json!(text).to_string()));
    texts
}

#[test]
fn a_good_key_says_its_fingerprint_only() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "canary-in-the-comment", "-f"];
    let made = std::process::Command::new("ssh-keygen")
        .args(arguments)
        .arg(folder.path().join("k"))
        .status();
    assert!(made.unwrap().success());
    let text = std::fs::read_to_string(folder.path().join("k")).unwrap();
    let checked = DeployKey::parse(&SecretString::from(text.as_str())).unwrap();
    let shown = format!("{checked:?}");
    assert!(shown.contains(checked.value.fingerprint()));
    silent(&shown, "canary-in-the-comment");
    for line in text.lines().filter(|line| line.len() > 20) {
        silent(&shown, line.trim_matches('-'));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_said_holds_a_piece_of_the_input(
        canary in "[A-Z][A-Za-z0-9]{23}", at in any::<prop::sample::Index>(), change: char, cut in any::<bool>(),
    ) {
        for text in inputs(&canary) {
            everything(&text, &canary);
            let mut mutated: Vec<char> = text.chars().collect();
            let at = at.index(mutated.len());
            if cut { mutated.truncate(at) } else { mutated[at] = change }
            everything(&mutated.into_iter().collect::<String>(), &canary);
        }
    }
}
