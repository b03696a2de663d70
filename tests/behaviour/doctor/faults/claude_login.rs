//! Claude Code's token, and what it conflicts with.

use std::collections::BTreeSet;

use crate::doctor::Lab;
use crate::doctor::table::{Fault, fault, findings, matrix};
use crate::doctor::token;
use crate::support::{Cmd, sandbox};

pub const ROWS: &[Fault] = &[
    fault("claude-token-missing", "fail", "the credentials file is gone", |lab| {
        lab.remove(".claude/.credentials.json");
        lab.doctor(&["--offline"])
    }),
    fault("claude-token-missing", "fail", "CLAUDE_CONFIG_DIR names another folder", |lab| {
        lab.doctor(&["--offline", "--only", "claude.login"])
            .env("CLAUDE_CONFIG_DIR", "/home/coder/.claude-other")
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
    fault(
        "claude-token-malformed",
        "warn",
        "the variable's token is one line of 80 columns",
        |lab| {
            let token = format!("{:x<80}", "sk-ant-oat01-");
            lab.doctor(&["--offline"]).env("CLAUDE_CODE_OAUTH_TOKEN", token)
        },
    )
    .entails(&["leak-env"]),
    fault("claude-token-malformed", "warn", "the file's token is one line of 80 columns", |lab| {
        let file = ".claude/.credentials.json";
        let cut = lab.ws.read(file).replace(&token(), &format!("{:x<80}", "sk-ant-oat01-"));
        lab.write(file, &cut);
        lab.doctor(&["--offline"])
    })
    .entails(&["claude-auth-conflict"]),
    fault(
        "claude-home-unwritable",
        "fail",
        "a login that is renewed is in a read-only folder",
        |lab| {
            refreshable(lab);
            lab.ws.set_mode(".claude", 0o500);
            lab.doctor(&["--offline", "--only", "claude"])
        },
    ),
    fault("claude-auth-conflict", "fail", "workload identity in the environment", |lab| {
        let doctor = lab.doctor(&["--offline"]).env("ANTHROPIC_FEDERATION_RULE_ID", "rule");
        let doctor = doctor.env("ANTHROPIC_IDENTITY_TOKEN", "x");
        doctor.clone().run().success();
        doctor.env("ANTHROPIC_ORGANIZATION_ID", "organization")
    }),
    fault("claude-auth-conflict", "fail", "workload identity in the settings", |lab| {
        let names = ["FEDERATION_RULE_ID", "ORGANIZATION_ID", "IDENTITY_TOKEN_FILE"];
        let env: Vec<_> = names.iter().map(|name| format!("\"ANTHROPIC_{name}\": \"x\"")).collect();
        let settings = format!("{{\"env\": {{{}}}}}", env.join(", "));
        lab.write(".claude/settings.json", &settings);
        lab.doctor(&["--offline"])
    }),
    fault(
        "claude-auth-conflict",
        "fail",
        "the program that starts Claude Code logs it in",
        |lab| lab.doctor(&["--offline"]).env("CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST", "1"),
    ),
    fault(
        "claude-auth-conflict",
        "fail",
        "an API key that is null in the user's settings",
        |lab| {
            lab.write(".claude/settings.json", r#"{"env": {"ANTHROPIC_API_KEY": null}}"#);
            lab.doctor(&["--offline"])
        },
    ),
    fault("claude-auth-conflict", "fail", "CLAUDE_CODE_SIMPLE takes an API key alone", |lab| {
        lab.doctor(&["--offline"]).env("CLAUDE_CODE_SIMPLE", "1")
    }),
];

fn refreshable(lab: &Lab) {
    let login = r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-x","refreshToken":"r","expiresAt":1000,
        "scopes":["user:inference"]}}"#;
    lab.write(".claude/.credentials.json", login);
}

/// What Claude Code does not mind.
#[test]
fn what_overrides_no_token_passes() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let doctor = || lab.doctor(&["--offline", "--only", "codex,claude"]);
        let passes = |doctor: Cmd| {
            let output = doctor.run().success();
            assert_eq!(findings(&output.json()), BTreeSet::new(), "{output}");
        };
        for (name, value) in [
            ("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire.sock"),
            ("CODEX_API_KEY", " "),
            ("ANTHROPIC_API_KEY", ""),
            ("ANTHROPIC_FEDERATION_RULE_ID", "rule"),
            ("ANTHROPIC_ORGANIZATION_ID", "organization"),
            ("CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST", "0"),
            ("CLAUDE_CODE_USE_BEDROCK", "2"),
        ] {
            passes(doctor().env(name, value));
        }
        let federation = doctor()
            .env("ANTHROPIC_FEDERATION_RULE_ID", "rule")
            .env("ANTHROPIC_ORGANIZATION_ID", "organization")
            .env("ANTHROPIC_IDENTITY_TOKEN", "x");
        passes(federation.env("CLAUDE_CODE_OAUTH_TOKEN", token()));
        lab.write(
            ".claude/settings.json",
            r#"{"env": {"CLAUDE_CODE_USE_BEDROCK": null, "ANTHROPIC_API_KEY": []}}"#,
        );
        passes(doctor());
    });
}

#[test]
fn each_is_named_by_its_code() {
    sandbox(|ws| matrix(ws, ROWS));
}

/// The login of the last apply is not lost: nobody makes a new one.
#[test]
fn a_login_in_another_folder_is_named() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for (check, variable, folder) in [
            ("claude.login", "CLAUDE_CONFIG_DIR", "/home/coder/.claude"),
            ("codex.login", "CODEX_HOME", "/home/coder/.codex"),
        ] {
            let doctor =
                lab.doctor(&["--offline", "--only", check]).env(variable, "/home/coder/other");
            let report = doctor.run().fails(1).json();
            let found = &report["checks"][0];
            assert_eq!(found["evidence"][0]["value"], folder, "{report:#}");
            let fix = found["fix"]["message"].as_str().unwrap();
            assert!(fix.contains(&format!("{variable}={folder}")), "{fix}");
            assert!(!fix.contains("pushready apply") && fix.contains("not needed"), "{fix}");
        }
    });
}
