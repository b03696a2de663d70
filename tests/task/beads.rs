//! `task create --from-bead`, with a `bd` that prints what real builds of it print.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::double::{Double, Line};
use crate::{Output, command, finish};

#[derive(Deserialize)]
struct Recorded {
    version: String,
    name: String,
    command: Vec<String>,
    exit: i32,
    stdout: String,
    stderr: String,
}

/// A folder with a `bd` that answers with one recorded run, and the id that it was asked for.
fn bd(folder: &Path, version: &str, name: &str) -> String {
    let all: Vec<Recorded> = serde_json::from_str(include_str!("bd.json")).unwrap();
    let one = all.into_iter().find(|it| it.version == version && it.name == name).unwrap();
    std::fs::write(folder.join("stdout"), &one.stdout).unwrap();
    std::fs::write(folder.join("stderr"), &one.stderr).unwrap();
    let here = folder.display();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >'{here}/arguments'\nenv >'{here}/environment'\ncat '{here}/stdout'\ncat '{here}/stderr' >&2\nexit {}\n",
        one.exit
    );
    std::fs::write(folder.join("bd"), script).unwrap();
    std::fs::set_permissions(folder.join("bd"), PermissionsExt::from_mode(0o755)).unwrap();
    one.command.iter().skip(2).find(|word| !word.starts_with('-')).unwrap().clone()
}

fn run(double: &Double, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = command(&double.url(), arguments);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.display())).current_dir(folder);
    finish(command.spawn().unwrap())
}

#[test]
fn a_bead_becomes_a_task_once() {
    for version in ["v0.9.11", "v0.24.4", "v0.49.5", "v0.57.0", "v1.0.5"] {
        let folder = tempfile::tempdir().unwrap();
        let id = bd(folder.path(), version, "show-full-bug");
        let double = Double::start(Line::V238);
        let create = ["create", "--from-bead", &id, "--repo", "acme/app", "--force"];
        let dry = run(&double, folder.path(), &[&create[..], &["--dry-run"]].concat()).ends(0);
        let dry = dry.says("https://github.com/acme/app").says("`.beads/`");
        assert_eq!(double.world.lock().unwrap().requests, 0);
        for _ in 0..2 {
            run(&double, folder.path(), &create).ends(0);
        }
        let world = double.world.lock().unwrap();
        assert_eq!((world.chats.len(), world.workspaces.len()), (1, 1), "{version}");
        let body = &world.chats[0].body;
        assert_eq!(body["labels"]["bead"], *id);
        assert_eq!(body["labels"]["repo"], "acme/app");
        assert_eq!(body["content"][0]["text"].as_str().unwrap(), dry.stdout);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("arguments"), format!("show {id} --json\n"));
        assert!(!read("environment").contains(&crate::token()), "bd gets no token");
        drop(world);
        double.check_contract();
    }
}

#[test]
fn a_bead_on_which_no_agent_should_begin_is_refused() {
    let double = Double::start(Line::V238);
    for (name, exit, words) in [
        ("show-closed", 1, "is closed"),
        ("show-title-only", 1, "has no description"),
        ("show-missing", 2, "there is no bead"),
        ("show-outside-any-database", 2, "there is no bead"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let id = bd(folder.path(), "v1.0.5", name);
        run(&double, folder.path(), &["create", "--from-bead", &id]).ends(exit).says(words);
    }
    let mut without = command(&double.url(), &["create", "--from-bead", "acme-1"]);
    without.env("PATH", "/nonexistent");
    finish(without.spawn().unwrap()).ends(3).says("install beads");
    assert_eq!(double.world.lock().unwrap().requests, 0);
}

#[test]
fn the_script_takes_the_arguments_of_the_python_one() {
    let folder = tempfile::tempdir().unwrap();
    let id = bd(folder.path(), "v1.0.5", "show-full-bug");
    let double = Double::start(Line::V238);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/task_from_beads");
    let run = |arguments: &[&str]| {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(script);
        command.args(arguments).env_clear().current_dir(folder.path());
        command
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .env("HOME", folder.path());
        command.env("PUSHREADY", env!("CARGO_BIN_EXE_pushready"));
        command.env("CODER_URL", double.url()).env("CODER_SESSION_TOKEN", crate::token());
        command.output().unwrap()
    };
    let output = run(&[&id, "--template", "dev", "--preset", "none", "--force"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(double.world.lock().unwrap().chats.len(), 1);
    assert_eq!(run(&[]).status.code(), Some(2));
}
