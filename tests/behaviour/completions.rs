//! `pushready completions`, in the shells themselves.

use crate::support::{Everything, Workspace, require, sandbox};

/// What bash offers for the last of these words.
fn bash(ws: &Workspace, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let script = format!(
        "source <(pushready completions bash)
COMP_WORDS=({}) COMP_CWORD={last} COMP_TYPE=9
_clap_complete_pushready pushready '{}' '{}'
printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1]
    );
    let output = ws.cmd("bash").args(["--norc", "-c", &script]).run().success();
    output.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_codes_checks_and_repositories() {
    sandbox(|ws| {
        assert_eq!(bash(ws, &["pushready", "doc"]), ["doctor"]);
        assert_eq!(bash(ws, &["pushready", "explain", "push-key-read"]), ["push-key-read-only"]);
        assert_eq!(bash(ws, &["pushready", "explain", "push.wr"]), ["push.write"]);
        assert_eq!(bash(ws, &["pushready", "doctor", "--only", "codex.tr"]), ["codex.trust"]);
        assert_eq!(
            bash(ws, &["pushready", "doctor", "--only", "codex.trust,claude.tr"]),
            ["codex.trust,claude.trust"]
        );
        // before an apply, no repository is known
        assert_eq!(bash(ws, &["pushready", "doctor", "--repo", "acme"]), [""]);
        let everything = Everything::new();
        everything.pushready(ws, &["apply"]).run().success();
        assert_eq!(bash(ws, &["pushready", "doctor", "--repo", "acme"]), ["acme/app"]);
        // nothing internal
        assert!(bash(ws, &["pushready", ""]).iter().all(|word| word != "ssh-match"));
    });
}

#[test]
fn fish_and_zsh_have_completions_too() {
    sandbox(|ws| {
        ws.run(&["completions", "zsh"]).success().stdout_has("#compdef pushready");
        ws.run(&["completions", "tcsh"]).fails(2).stderr_has("zsh");
        require("fish");
        let script =
            "pushready completions fish | source; complete -C 'pushready explain push-key-read'";
        ws.cmd("fish")
            .args(["--no-config", "-c", script])
            .run()
            .success()
            .stdout_has("push-key-read-only");
    });
}
