//! What of the output depends on the terminal. `script` has one; a sandbox has none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_pushready");
const PAINT: char = '\u{1b}';

/// An empty home, which no command of these tests writes to.
fn home(name: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("terminal-{name}"));
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    home
}

fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("TERM", "xterm").env("PATH", "/usr/bin:/bin");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(home).stdin(Stdio::null());
    command
}

/// Runs a shell command on a terminal.
fn on_terminal(home: &Path, script: &str) -> Command {
    let mut command = command("script", home);
    command.args(["-qec", script, "/dev/null"]).env("SHELL", "/bin/sh");
    command
}

fn stdout(mut command: Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    let home = home("colours");
    let piped = |args: &[&str]| {
        let mut command = command(BINARY, &home);
        command.args(args);
        stdout(command).contains(PAINT)
    };
    assert!(!piped(&["apply"]));
    assert!(piped(&["apply", "--color", "always"]));
    // JSON and the line for programs are never painted
    assert!(!piped(&["status", "--line", "--color", "always"]));
    assert!(!piped(&["apply", "--json", "--color", "always"]));
    let terminal = |args: &str, name: &str, value: &str| {
        let mut command = on_terminal(&home, &format!("{BINARY} apply {args}"));
        command.env(name, value);
        let text = stdout(command);
        assert!(text.contains("NOTHING CONFIGURED"), "{text}");
        text.contains(PAINT)
    };
    assert!(terminal("", "NO_COLOR", ""));
    assert!(!terminal("", "NO_COLOR", "1"));
    assert!(!terminal("", "TERM", "dumb"));
    assert!(!terminal("--color never", "NO_COLOR", ""));
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn prose_fits_the_terminal_and_80_columns_without_one() {
    let home = home("width");
    let widest = |text: &str| {
        text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default()
    };
    for code in ["push-key-read-only", "push-archived"] {
        let mut command = command(BINARY, &home);
        command.args(["explain", code]);
        let text = stdout(command);
        assert!(widest(&text) <= 80 && widest(&text) > 60, "{text}");
    }
    for (columns, least, most) in [(50, 40, 50), (200, 120, 200)] {
        let script = format!("stty cols {columns}; {BINARY} explain push-key-read-only");
        let text = stdout(on_terminal(&home, &script));
        assert!((least..=most).contains(&widest(&text)), "{columns}\n{text}");
    }
}

/// A long run shows what it waits for, on a terminal alone, and leaves nothing of it behind.
#[test]
fn a_long_run_shows_what_it_waits_for() {
    let home = home("progress");
    let bin = home.join("bin");
    fs::create_dir(&bin).unwrap();
    let git = "#!/bin/sh\n[ -e \"$HOME/gone\" ] || read -r line <\"$HOME/go\"\nexec /usr/bin/git \"$@\"\n";
    fs::write(bin.join("git"), git).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(command("mkfifo", &home).arg("go").status().unwrap().success());
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let doctor = format!("{BINARY} doctor --offline --only git.commit");
    let mut doctor = on_terminal(&home, &doctor);
    let mut child = doctor.env("PATH", &path).stdout(Stdio::piped()).spawn().unwrap();
    let mut terminal = child.stdout.take().unwrap();
    let (mut seen, mut buffer) = (String::new(), [0; 1000]);
    while !seen.contains("waiting for git.commit") {
        let read = terminal.read(&mut buffer).unwrap();
        assert!(read > 0, "it ended before: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    fs::write(home.join("gone"), "").unwrap();
    // whoever waits for a line gets one
    let mut go = fs::OpenOptions::new().read(true).write(true).open(home.join("go")).unwrap();
    go.write_all(&b"\n".repeat(50)).unwrap();
    terminal.read_to_string(&mut seen).unwrap();
    drop(go);
    child.wait().unwrap();
    let (_, report) = seen.rsplit_once("\u{1b}[K").unwrap();
    assert!(!report.contains("waiting for") && report.contains("READY"), "{seen}");
    // and without a terminal nothing
    let mut piped = command(BINARY, &home);
    let output = piped.args(["doctor", "--offline", "--only", "git.commit"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
