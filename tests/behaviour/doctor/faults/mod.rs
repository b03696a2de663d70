//! The faults, each made for real, that the doctor must name by exactly their code. Each module has
//! a table and a test that runs it, so that the tables run side by side.
//!
//! `PUSHREADY_FAULT=TEXT` runs the rows alone whose code or description contains TEXT.

mod claude_login;
mod claude_settings;
mod codex_config;
mod codex_login;
mod git;
mod home;
mod keys_and_ssh;
mod leaks;
mod machine;
mod provisioned;
mod push_command;
mod push_git;
mod push_server;
mod push_ssh;
mod push_url;

use std::collections::BTreeSet;

use super::live;
use super::table::Fault;
use crate::support::sandbox;

const TABLES: &[&[Fault]] = &[
    claude_login::ROWS,
    claude_settings::ROWS,
    codex_config::ROWS,
    codex_login::ROWS,
    git::ROWS,
    home::ROWS,
    keys_and_ssh::ROWS,
    leaks::ROWS,
    provisioned::ROWS,
    push_command::ROWS,
    push_git::ROWS,
    push_server::ROWS,
    push_ssh::ROWS,
    push_url::ROWS,
    live::RULES,
    live::REQUESTS,
    // each of these has a test of its own
    &[
        machine::NO_PASSWD_ENTRY,
        machine::DISK_BROKEN,
        machine::DISK_FULL,
        machine::DROPPED,
        live::ASKPASS,
    ],
];

/// Codes that no state of a workspace shows: only the text of a failed push, or apply at its work.
/// Each is held by the test whose source is here.
const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        include_str!("../../../../src/push_message/tests.rs"),
        &["push-local-ref", "push-non-fast-forward", "push-shallow", "push-ref-locked"],
    ),
    (include_str!("../../logins.rs"), &["codex-auth-restored"]),
    (include_str!("../live.rs"), &["git-unreachable", "git-proxy-refused", "git-tls-untrusted"]),
    (
        concat!(
            include_str!("../../network/situations.json"),
            include_str!("../../network/guards.json")
        ),
        &[
            "codex-unreachable",
            "codex-proxy-refused",
            "codex-tls-untrusted",
            "codex-tls-invalid",
            "codex-blocked",
            "claude-unreachable",
            "claude-proxy-refused",
            "claude-tls-untrusted",
            "claude-tls-invalid",
            "claude-blocked",
            "codex-websocket-blocked",
        ],
    ),
];

/// No code of the catalogue goes without a fault that shows it; those of Actions have scenarios of
/// their own.
#[test]
fn every_code_has_its_fault() {
    sandbox(|ws| {
        let rows = || TABLES.iter().copied().flatten();
        assert!(rows().any(Fault::is_selected), "PUSHREADY_FAULT selects no row");
        let mut covered: BTreeSet<&str> = rows().map(|row| row.code).collect();
        for (source, codes) in ELSEWHERE {
            for code in *codes {
                assert!(source.contains(code), "no test speaks of {code}");
                covered.insert(code);
            }
        }
        let catalogue = ws.run(&["explain", "--json"]).success().json();
        let codes: BTreeSet<_> = catalogue["codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|code| code["code"].as_str().unwrap())
            .collect();
        let missing: Vec<_> =
            codes.difference(&covered).filter(|code| !code.starts_with("actions-")).collect();
        assert!(missing.is_empty(), "no fault shows {missing:?}");
        // what has no code goes by the check's name
        let unknown: Vec<_> =
            covered.difference(&codes).filter(|code| !code.contains('.')).collect();
        assert!(unknown.is_empty(), "the catalogue has no {unknown:?}");
    });
}
