//! Claude Code's token, and what it conflicts with.

use crate::doctor::table::{Fault, fault, matrix};
use crate::doctor::token;
use crate::support::sandbox;

pub const ROWS: &[Fault] = &[
    fault("claude-token-missing", "fail", "the credentials file is gone", |lab| {
        lab.remove(".claude/.credentials.json");
        lab.doctor(&["--offline"])
    }),
    fault("claude-token-malformed", "fail", "the variable's token has quotes", |lab| {
        lab.doctor(&["--offline"]).env("CLAUDE_CODE_OAUTH_TOKEN", format!("\"{}\"", token()))
    })
    .entails(&["leak-env"]),
    fault("claude-token-expired", "fail", "the token was made two years ago", |lab| {
        lab.apply().env("PUSHREADY_CLAUDE_TOKEN_CREATED", "2024-01-31").run().fails(1);
        lab.doctor(&["--offline"])
    }),
    fault("claude-auth-blanked", "fail", "Claude Code blanked the file", |lab| {
        let blank = r#"{"claudeAiOauth":{"accessToken":"","expiresAt":0,"refreshToken":""}}"#;
        lab.write(".claude/.credentials.json", blank);
        lab.doctor(&["--offline"])
    }),
    fault("claude-auth-conflict", "fail", "ANTHROPIC_API_KEY is set as well", |lab| {
        lab.doctor(&["--offline"]).env("ANTHROPIC_API_KEY", "x")
    }),
    fault("claude-auth-conflict", "fail", "the user's settings name a helper", |lab| {
        lab.write(".claude/settings.json", r#"{"apiKeyHelper": "/bin/false"}"#);
        lab.doctor(&["--offline"])
    }),
    fault("claude-auth-conflict", "fail", "the settings have a token of their own", |lab| {
        lab.write(".claude/settings.json", r#"{"env": {"CLAUDE_CODE_OAUTH_TOKEN": "another"}}"#);
        lab.doctor(&["--offline"])
    }),
    fault(
        "claude-auth-conflict",
        "fail",
        "an API key that is a number in the settings of the home",
        |lab| {
            lab.write(".claude/settings.local.json", r#"{"env": {"ANTHROPIC_API_KEY": 123}}"#);
            lab.doctor(&["--offline"]).current_dir("/home/coder")
        },
    ),
    fault(
        "claude-auth-conflict",
        "fail",
        "an API key in a file that begins with a byte order mark",
        |lab| {
            lab.write(".claude/settings.json", "\u{feff}{\"env\": {\"ANTHROPIC_API_KEY\": \"x\"}}");
            lab.doctor(&["--offline"])
        },
    ),
    fault("claude-auth-conflict", "fail", "a header that logs in as somebody else", |lab| {
        lab.doctor(&["--offline"])
            .env("ANTHROPIC_CUSTOM_HEADERS", "X-Team: a\nauthorization: Bearer other")
    }),
    fault("claude-auth-conflict", "fail", "credentials are looked for in another folder", |lab| {
        lab.doctor(&["--offline"]).env("CLAUDE_SECURESTORAGE_CONFIG_DIR", "/tmp/none")
    }),
    fault(
        "claude-auth-conflict",
        "fail",
        "a key by file descriptor, and another that the settings blank",
        |lab| {
            lab.write(".claude/settings.json", r#"{"env": {"ANTHROPIC_API_KEY": ""}}"#);
            let doctor = || lab.doctor(&["--offline"]).env("ANTHROPIC_API_KEY", "x");
            doctor().run().success();
            doctor().env("CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "9")
        },
    ),
    fault("claude-auth-conflict", "fail", "CLAUDE_CODE_SIMPLE takes an API key alone", |lab| {
        lab.doctor(&["--offline"]).env("CLAUDE_CODE_SIMPLE", "1")
    }),
];

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}
