//! `--help` of every command is as `tests/snapshots` has it. After a change that you want, write
//! the files again: `PUSHREADY_UPDATE_SNAPSHOTS=1 cargo test --test help`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The width for which the texts are wrapped.
const COLUMNS: &str = "100";

#[test]
fn the_help_of_every_command_is_the_one_in_its_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let texts = helps();
    if env::var_os("PUSHREADY_UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for name in snapshots(&folder).keys() {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for (name, text) in &texts {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let snapshots = snapshots(&folder);
    let names: Vec<_> = snapshots.keys().collect();
    assert_eq!(names, texts.keys().collect::<Vec<_>>(), "one file for each command");
    for (name, text) in &texts {
        let snapshot = snapshots.get(name).unwrap();
        assert!(text == snapshot, "{name}: the help is now\n{text}\nthe snapshot is\n{snapshot}");
    }
}

/// The help of the program and of each command that it lists, by the name of the snapshot.
fn helps() -> BTreeMap<String, String> {
    let whole = help(&["--help"]);
    let list = whole.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    let commands: Vec<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(commands.contains(&"apply") && commands.contains(&"doctor"), "{commands:?}");
    let of_commands =
        commands.iter().map(|command| (format!("help-{command}.txt"), help(&[command, "--help"])));
    let of_task = ["create", "delete", "gc", "list", "logs", "open", "send", "status"]
        .map(|name| (format!("help-task-{name}.txt"), help(&["task", name, "--help"])));
    let of_commands = of_commands.chain(of_task);
    let short = [("help-apply-short.txt".to_owned(), help(&["apply", "-h"]))];
    of_commands.chain(short).chain([("help.txt".to_owned(), whole.clone())]).collect()
}

fn help(arguments: &[&str]) -> String {
    let binary = env::var_os("PUSHREADY_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_pushready").into(), PathBuf::from);
    let output =
        Command::new(binary).args(arguments).env_clear().env("COLUMNS", COLUMNS).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn snapshots(folder: &Path) -> BTreeMap<String, String> {
    fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("help"))
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}
