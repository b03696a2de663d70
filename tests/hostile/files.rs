//! Files of the home and of other programs, and the arguments of other processes.

use std::fmt::Write as _;

use crate::ceiling::{Case, MEBIBYTE, case, fill, hold, objects, provision};
use crate::support::{Cmd, Workspace, sandbox};

/// The doctor beside a file of the home that is as large as is read.
fn doctor(ws: &Workspace, path: &str, text: impl AsRef<[u8]>) -> Cmd {
    provision(ws);
    ws.write(path, text, 0o600);
    ws.pushready(&["doctor", "--offline", "--json"])
}

const MANY: &str = "has more keys and values than are read";

/// In each folder that counts for the run.
fn settings_of_objects(ws: &Workspace, arguments: &[&str]) -> Cmd {
    let text = format!("{{\"a\":{}}}", objects(MEBIBYTE - 100));
    provision(ws);
    for path in [
        ".claude/settings.json",
        "src/app/.claude/settings.json",
        "src/app/.claude/settings.local.json",
    ] {
        ws.write(path, &text, 0o600);
    }
    ws.pushready(arguments).current_dir("src/app")
}

fn onboarding_of_objects() -> String {
    format!("{{\"hasCompletedOnboarding\":{}}}", objects(15 * MEBIBYTE))
}

fn lines(count: usize, line: fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{}", line(n));
        text
    })
}

const HOME: &[Case] = &[
    case("config.toml of many tables", "codex-untrusted-folder", |ws| {
        doctor(ws, ".codex/config.toml", lines(40_000, |n| format!("[projects.\"/p{n}\"]")))
    }),
    case("config.toml that nests", "has more keys and values than are read", |ws| {
        doctor(ws, ".codex/config.toml", format!("a = {}", fill("[", MEBIBYTE - 100)))
    }),
    case("doctor.json of many objects, status", "", |ws| {
        let _ = doctor(
            ws,
            ".local/state/pushready/doctor.json",
            format!("{{\"checks\":{}}}", objects(24 * MEBIBYTE)),
        );
        ws.pushready(&["status"])
    }),
    case("doctor.json of many objects, doctor", "codex.login", |ws| {
        doctor(
            ws,
            ".local/state/pushready/doctor.json",
            format!("{{\"checks\":{}}}", objects(24 * MEBIBYTE)),
        )
    }),
    case("auth.json that nests", "nested too deeply", |ws| {
        doctor(ws, ".codex/auth.json", fill("{\"tokens\":", MEBIBYTE - 100))
    }),
    case("auth.json of 90 MB", "auth.json` is larger than 1 MiB", |ws| {
        doctor(ws, ".codex/auth.json", fill("{\"tokens\":", 90 * MEBIBYTE))
    }),
    case("settings.json of many keys", "claude.environment", |ws| {
        let keys = lines(50_000, |n| format!("\"k{n}\":{n},"));
        doctor(ws, ".claude/settings.json", format!("{{{keys}\"a\":1}}"))
    }),
    case("settings of many objects in three files", MANY, |ws| {
        settings_of_objects(ws, &["doctor", "--offline", "--json"])
    }),
    case("settings of many objects in three files, with network", MANY, |ws| {
        settings_of_objects(ws, &["doctor", "--json", "--only", "claude,codex"])
    }),
    case("auth.json of many objects", "codex-auth-malformed", |ws| {
        doctor(
            ws,
            ".codex/auth.json",
            format!("{{\"agent_identity\":{}}}", objects(MEBIBYTE - 100)),
        )
    }),
    case(".claude.json of many objects, apply", "claude", |ws| {
        provision(ws);
        ws.write(".claude.json", onboarding_of_objects(), 0o600);
        ws.pushready(&["apply"])
    }),
    case(".claude.json of many objects, remove", "REMOVED", |ws| {
        provision(ws);
        ws.write(".claude.json", onboarding_of_objects(), 0o600);
        ws.pushready(&["remove", "--keep-logins"])
    }),
    case(".claude.json that nests", "claude-config-malformed", |ws| {
        doctor(ws, ".claude.json", fill("{\"projects\":", 16 * MEBIBYTE - 100))
    }),
    case(".claude.json of many projects", "claude-untrusted-folder", |ws| {
        let keys = lines(200_000, |n| format!("\"/p{n}\":{{\"hasTrustDialogAccepted\":true}},"));
        doctor(ws, ".claude.json", format!("{{\"projects\":{{{keys}\"a\":{{}}}}}}"))
    }),
];

/// A line of 4 MB in the log of the workspace agent.
fn log(ws: &Workspace, line: &str) -> Cmd {
    std::fs::write("/tmp/coder-agent.log", line).unwrap();
    ws.pushready(&["doctor", "--offline", "--json", "--only", "leaks.agent-log"])
}

/// The doctor beside a process with these arguments.
fn beside(ws: &Workspace, argument: &str) -> Cmd {
    let script = "sh -c 'sleep 300; true' sh \"$@\" >/dev/null 2>&1 &
        exec pushready doctor --offline --json --only leaks.processes";
    // no argument may be longer than 128 KiB (execve(2), MAX_ARG_STRLEN)
    ws.sh(script).arg("sh").args(vec![argument; 10])
}

const OTHERS: &[Case] = &[
    case("a log of one line", "the agent's logs contain no secret", |ws| {
        log(ws, &fill("a", 4 * MEBIBYTE))
    }),
    case("a log of half a mark", "the agent's logs contain no secret", |ws| {
        log(ws, &fill(concat!("sk-", "ant-"), 4 * MEBIBYTE))
    }),
    case("a log of whole marks", "leak-agent-log", |ws| {
        log(ws, &fill(concat!("gl", "pat-", "a1b2c3d4e5f6g7h8i9 "), 8 * MEBIBYTE))
    }),
    case("a log of marks that go on", "the agent's logs contain no secret", |ws| {
        log(ws, &fill(concat!("gl", "pat-", "gl", "pat-_"), 8 * MEBIBYTE))
    }),
    case("a log of armours", "leak-agent-log", |ws| {
        log(ws, &fill(concat!("-----BEGIN OPENSSH PRIVATE ", "KEY-----", "\n"), 8 * MEBIBYTE))
    }),
    case("200 large logs", "a log of the workspace agent was not read", |ws| {
        for n in 0..200 {
            let log = std::fs::File::create(format!("/tmp/coder-{n}.log")).unwrap();
            log.set_len(32 << 20).unwrap();
        }
        ws.pushready(&["doctor", "--offline", "--json", "--only", "leaks.agent-log"])
    }),
    case("a log of empty lines", "the agent's logs contain no secret", |ws| {
        log(ws, &fill("\n", 4 * MEBIBYTE))
    }),
    case("long arguments", "no command line contains a secret", |ws| {
        beside(ws, &fill("a", 100_000))
    }),
    case("arguments of whole marks", "leak-argv", |ws| {
        beside(ws, &fill(concat!("gl", "pat-", "a1b2c3d4e5f6g7h8i9 "), 100_000))
    }),
];

#[test]
fn of_other_programs() {
    sandbox(|ws| hold(ws, OTHERS));
}

#[test]
fn of_the_home() {
    sandbox(|ws| hold(ws, HOME));
}
