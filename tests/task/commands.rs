//! Each command on each server line.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::double::{Agent, Double, Line, ready};
use crate::{command, each, finish};

fn on(line: Line) -> Double {
    Double::start(line)
}

/// The texts of the user's messages in the only chat.
fn prompts(double: &Double) -> Vec<String> {
    let world = double.world.lock().unwrap();
    assert_eq!(world.chats.len(), 1);
    let is_user = |message: &&serde_json::Value| message["role"] == "user";
    let text =
        |message: &serde_json::Value| message["content"][0]["text"].as_str().unwrap().to_owned();
    world.chats[0].messages.iter().filter(is_user).map(text).collect()
}

#[test]
fn create_waits_for_the_end_on_every_line() {
    each(Line::ALL, |&line| {
        let double = on(line);
        let output = double.run(&["create", "fix the test", "--name", "fix-42", "--wait"]).ends(0);
        let backend = if line == Line::V229 { "tasks" } else { "chats" };
        output.says("done").says(backend).says_not("\u{1b}");
        double.check_contract();
        let world = double.world.lock().unwrap();
        assert_eq!(world.workspaces.len(), 1, "{line:?}");
        assert_eq!(world.chats.len() + world.tasks.len(), 1, "{line:?}");
    });
}

#[test]
fn each_end_of_a_turn_has_its_exit_status() {
    each(
        vec![
            (Agent::Done, 0, "Done: the test"),
            (Agent::Empty, 1, "ended without an answer"),
            (Agent::Cut, 1, "interrupted"),
            (Agent::BrokenOff, 1, "broke off"),
            (Agent::Fails, 1, "not about your token"),
            (Agent::Asks, 5, "which branch?"),
            (Agent::Forever, 6, "the task goes on"),
        ],
        |&(agent, status, words)| {
            let double = on(Line::V234);
            double.edit(|world| world.agent = agent);
            let create =
                ["create", "x", "--backend", "chats", "--wait", "--timeout", "8s", "--json"];
            let output = double.run(&create).ends(status);
            output.json();
            output.says(words);
            double.check_contract();
        },
    );
    each(
        vec![
            (Agent::Done, 0, "Opened a pull request"),
            (Agent::Fails, 1, "Tests do not pass"),
            (Agent::Idle, 5, "Which branch shall I use?"),
            (Agent::Forever, 6, "the task goes on"),
        ],
        |&(agent, status, words)| {
            let double = on(Line::V234);
            double.edit(|world| world.agent = agent);
            let create =
                ["create", "x", "--backend", "tasks", "--wait", "--timeout", "12s", "--json"];
            let output = double.run(&create).ends(status);
            output.json();
            output.says(words);
            double.check_contract();
        },
    );
}

#[test]
fn the_token_goes_to_what_needs_it_and_quiet_prints_the_id_alone() {
    let double = on(Line::V238);
    let output = double.run(&["create", "x", "--quiet"]).ends(0);
    let world = double.world.lock().unwrap();
    assert_eq!(output.stdout, format!("{}\n", world.chats[0].id));
    // buildinfo needs no login
    assert_eq!(world.tokens.len() + 1, world.requests);
    assert!(world.tokens.iter().all(|token| *token == crate::token()));
}

#[test]
fn a_prompt_comes_from_the_command_line_a_file_or_standard_input() {
    let double = on(Line::V238);
    let with = |arguments: &[&str], input: &str| {
        let mut child = command(&double.url(), arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        finish(child)
    };
    with(&["create", "--name", "a"], "from a pipe").ends(0);
    with(&["create", "-", "--name", "b"], "from a dash").ends(0);
    with(&["create", "--stdin", "--name", "c"], "from the switch").ends(0);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file").unwrap();
    with(&["create", "-F", file.path().to_str().unwrap(), "--name", "d"], "").ends(0);
    with(&["create", "--name", "e"], "").ends(2).says("empty");
    with(&["create", "a\u{0}b".trim_matches('\u{0}').replace('\u{0}', "").as_str(), "-F", "x"], "")
        .ends(2);
    double.run(&["create", "x", "--name", "not_valid"]).ends(2).says("name");
    double.run(&["create", "x", "--label", "run="]).ends(2).says("label");
    let world = double.world.lock().unwrap();
    let texts: Vec<_> =
        world.chats.iter().map(|chat| chat.body["content"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["from a pipe", "from a dash", "from the switch", "from a file"]);
}

#[test]
fn the_same_name_is_refused_or_reused() {
    let double = on(Line::V238);
    double.run(&["create", "one", "--name", "fix-42", "--wait"]).ends(0);
    double.run(&["create", "two", "--name", "fix-42"]).ends(1).says("taken").says("--reuse");
    double.run(&["create", "two", "--name", "fix-42", "--reuse", "--wait"]).ends(0).says("done");
    assert_eq!(prompts(&double), ["one", "two"]);
    assert_eq!(double.world.lock().unwrap().workspaces.len(), 1);
    double.check_contract();
    let double = on(Line::V229);
    double.run(&["create", "one", "--name", "fix-42", "--wait"]).ends(0);
    double.run(&["create", "two", "--name", "fix-42"]).ends(1).says("taken").says("--reuse");
    double.run(&["create", "two", "--name", "fix-42", "--reuse", "--wait"]).ends(0);
    let world = double.world.lock().unwrap();
    assert_eq!(world.tasks.len(), 1);
    assert_eq!(world.tasks[0].inputs, ["two"]);
    drop(world);
    double.check_contract();
}

#[test]
fn a_prompt_that_runs_already_is_not_sent_twice() {
    for line in [Line::V229, Line::V238] {
        let double = on(line);
        double.edit(|world| world.agent = Agent::Forever);
        double.run(&["create", "one", "--name", "fix-42", "--wait", "--timeout", "6s"]).ends(6);
        double.run(&["create", "one", "--name", "fix-42", "--reuse"]).ends(0).says("already");
        let world = double.world.lock().unwrap();
        assert!(world.tasks.iter().all(|task| task.inputs.is_empty()));
        assert!(world.chats.iter().all(|chat| chat.messages.len() == 1 && chat.queued.is_empty()));
    }
}

#[test]
fn what_a_server_refuses_is_named_and_nothing_is_left() {
    let gateway = json!({"message": "AI Gateway must be enabled for Coder Agents functionality. Please contact your deployment administrator.", "detail": "Set CODER_AI_GATEWAY_ENABLED=true"});
    let limit = json!({"message": "Chat usage limit exceeded.", "spent_micros": 5_000_000, "limit_micros": 5_000_000, "resets_at": "2026-12-01T00:00:00Z"});
    for (line, status, body, exit, words) in [
        (Line::V238, 403, json!({"message": "Forbidden."}), 4, "agents-access"),
        (
            Line::V238,
            403,
            json!({"message": "You are not a member of the specified organization."}),
            4,
            "--org",
        ),
        (Line::V238, 503, gateway, 7, "AI Gateway"),
        (Line::V234, 409, limit, 1, "resets at 2026-12-01"),
        (
            Line::V238,
            400,
            json!({"message": "No chat model is available in this organization."}),
            1,
            "model",
        ),
        (
            Line::V234,
            500,
            json!({"message": "Chat processor is unavailable."}),
            7,
            "Chat processor",
        ),
    ] {
        let double = on(line);
        double.edit(|world| drop(world.refuse.insert("/chats", (status, body.clone()))));
        double.run(&["create", "x", "--backend", "chats"]).ends(exit).says(words);
        let world = double.world.lock().unwrap();
        assert_eq!(world.chats.len(), 0);
        assert!(world.workspaces.iter().all(|it| it.status == "deleted"), "{body}");
    }
}

#[test]
fn a_template_that_does_not_fit_is_named() {
    let double = on(Line::V238);
    double.edit(|world| world.add_template("other", false));
    double.run(&["create", "x"]).ends(2).says("which template").says("dev, other");
    double.run(&["create", "x", "--template", "nothing"]).ends(2).says("there is no template");
    double
        .run(&["create", "x", "--template", "other", "--preset", "large"])
        .ends(2)
        .says("no preset");
    double
        .run(&["create", "x", "--template", "dev", "--param", "a=b"])
        .ends(2)
        .says("no parameter `a`");
    double.edit(|world| world.parameters = json!([{"name": "repo", "display_name": "", "description": "", "description_plaintext": "", "type": "string", "form_type": "input", "mutable": true, "default_value": "", "icon": "", "options": [], "required": true, "ephemeral": false}]));
    double.run(&["create", "x", "--template", "dev"]).ends(2).says("--param repo=VALUE");
    double.run(&["create", "x", "--template", "dev", "--param", "repo=o/r"]).ends(0);
    double.check_contract();
    let double = on(Line::V234);
    double.edit(|world| {
        world.add_template("other", false);
        world.task_templates.clear();
    });
    double.run(&["create", "x", "--backend", "tasks"]).ends(2).says("coder_ai_task");
    double
        .run(&["create", "x", "--backend", "tasks", "--template", "other"])
        .ends(2)
        .says("coder_ai_task");
    double.check_contract();
}

#[test]
fn the_backend_follows_the_server_and_the_template() {
    for (line, arguments, tasks, chats) in [
        (Line::V229, &[][..], 1, 0),
        (Line::V234, &[], 0, 1),
        (Line::V236, &[], 0, 1),
        (Line::V237, &[], 0, 1),
        (Line::V237, &["--template", "dev"], 1, 0),
        (Line::V237, &["--template", "dev", "--backend", "chats"], 0, 1),
        (Line::V238, &["--template", "dev"], 0, 1),
    ] {
        let double = on(line);
        double.run(&[&["create", "x"], arguments].concat()).ends(0);
        let world = double.world.lock().unwrap();
        assert_eq!(
            (world.tasks.len(), world.chats.len()),
            (tasks, chats),
            "{line:?} {arguments:?}"
        );
    }
    on(Line::V238)
        .run(&["list", "--backend", "tasks"])
        .ends(7)
        .says("2.37")
        .says("--backend chats");
    on(Line::V229)
        .run(&["list", "--backend", "chats"])
        .ends(7)
        .says("2.33")
        .says("--backend tasks");
}

#[test]
fn no_agent_starts_in_a_workspace_that_is_not_ready() {
    for line in [Line::V229, Line::V238] {
        let create = ["create", "x", "--name", "fix-42", "--require-ready", "--timeout", "60s"];
        let double = on(line);
        double.run(&create).ends(0).says("ready · push 1/1");
        double.check_contract();
        for (metadata, words) in [
            (ready("not ready · push-key-read-only o/app"), "pushready explain push-key-read-only"),
            (ready("applied 3 min ago"), "not ready"),
            (json!([]), "metadata"),
        ] {
            let double = on(line);
            double.edit(|world| world.metadata = metadata);
            let output = double.run(&create).ends(1).says(words).says("pushready task delete");
            let world = double.world.lock().unwrap();
            assert_eq!(world.chats.len(), 0);
            if line == Line::V229 {
                output.says("is running");
            } else {
                output.says("no prompt was sent");
            }
        }
    }
}

#[test]
fn a_line_from_before_the_start_scripts_does_not_count() {
    let double = on(Line::V238);
    double.edit(|world| {
        world.metadata = crate::double::item("ready · push 1/1", "2026-11-20T10:04:59Z");
    });
    let create = ["create", "x", "--require-ready", "--timeout", "8s"];
    double.run(&create).ends(6).says("has not reported");
    assert_eq!(double.world.lock().unwrap().chats.len(), 0);
}

#[test]
fn a_build_or_a_start_script_that_fails_is_shown_with_its_log() {
    for line in [Line::V229, Line::V238] {
        let double = on(line);
        double.edit(|world| world.start_fails = true);
        let output = double.run(&["create", "x", "--wait"]).ends(1);
        output.says("terraform apply: exit status 1").says("no space left on device");
        let double = on(line);
        double.edit(|world| world.quota = true);
        double.run(&["create", "x", "--wait"]).ends(1).says("quota");
    }
    let double = on(Line::V229);
    double.run(&["create", "x", "--name", "fix-42"]).ends(0);
    double.edit(|world| {
        world.workspaces[0].status = "running";
        world.workspaces[0].lifecycle = "start_error";
        world.tasks[0].next = vec![("active", Some(("idle", "")))];
    });
    let watch = double.run(&["status", "fix-42", "--watch"]).ends(1);
    watch.says("start script").says("git: command not found");
}

#[test]
fn status_and_list_show_both_layers() {
    each(Line::ALL, |&line| {
        let double = on(line);
        double.run(&["list"]).ends(0).says("no tasks");
        double.run(&["create", "fix the test", "--name", "fix-42", "--wait"]).ends(0);
        let list = double.run(&["list", "--json"]).ends(0).json();
        assert_eq!(list["tasks"][0]["name"], "fix-42");
        double.run(&["list"]).ends(0).says("fix-42");
        double.run(&["list", "--state", "failed"]).ends(0).says_not("fix-42");
        let status = double.run(&["status", "fix-42"]).ends(0);
        status
            .says("workspace alice/")
            .says("agent main connected ready")
            .says("pushready there: ready");
        let id = list["tasks"][0]["id"].as_str().unwrap();
        let status = double.run(&["status", id, "--json"]).ends(0).json();
        assert_eq!(status["task"]["workspace"]["made_for_task"], true);
        double.run(&["status", "fix-42", "--watch"]).ends(0).says("done");
        double.run(&["status", "nothing"]).ends(2).says("there is no task `nothing`");
        double.run(&["open", "fix-42"]).ends(0).says(&double.url());
        double.check_contract();
    });
}

#[test]
fn send_arrives_once() {
    each(Line::ALL, |&line| {
        let double = on(line);
        double
            .edit(|world| world.agent = if line == Line::V229 { Agent::Idle } else { Agent::Done });
        double.run(&["create", "one", "--name", "fix-42", "--wait"]);
        double.run(&["send", "fix-42", "two"]).ends(0).says("sent");
        double.run(&["send", "fix-42", "three", "--json"]).ends(0).json();
        double.check_contract();
        if line != Line::V229 {
            let world = double.world.lock().unwrap();
            assert_eq!(
                world.chats[0].queued.len()
                    + world.chats[0].messages.iter().filter(|it| it["role"] == "user").count(),
                3
            );
        }
    });
    for line in [Line::V229, Line::V234] {
        let double = on(line);
        double.run(&["create", "one", "--name", "fix-42", "--backend", "tasks", "--wait"]).ends(0);
        double.edit(|world| {
            world.tasks[0].status = "paused".to_owned();
            world.workspaces[0].status = "stopped";
            world.workspaces[0].transition = "stop";
            world.tasks[0].next =
                vec![("initializing", None), ("active", Some(("idle", "Waiting for input")))];
        });
        double.run(&["send", "fix-42", "two", "--no-wait"]).ends(1).says("paused");
        double.run(&["send", "fix-42", "two"]).ends(0).says("resumed");
        assert_eq!(double.world.lock().unwrap().tasks[0].inputs, ["two"]);
        double.check_contract();
    }
}

#[test]
fn logs_are_in_order_and_escaped() {
    let double = on(Line::V238);
    double.run(&["create", "one", "--name", "fix-42", "--wait"]).ends(0);
    let logs = double.run(&["logs", "fix-42"]).ends(0);
    assert!(
        logs.stdout.starts_with("user: one\nagent: Done: the test \\u{1b}[1mpasses"),
        "{logs:?}"
    );
    let logs = double.run(&["logs", "fix-42", "--tail", "1", "--json"]).ends(0).json();
    assert_eq!(logs["messages"].as_array().unwrap().len(), 1);
    double.run(&["logs", "fix-42", "--follow"]).ends(0);
    double.check_contract();
    let double = on(Line::V229);
    double.run(&["create", "one", "--name", "fix-42", "--wait"]).ends(0);
    let logs = double.run(&["logs", "fix-42"]).ends(0);
    assert_eq!(logs.stdout, "user: one\nagent: on it\\u{7}\n");
    double.check_contract();
}

/// actions/runner: it obeys what begins a line with `::`, blanks aside, and `##[` anywhere in one.
#[test]
fn a_workflow_finds_no_command_in_what_is_printed() {
    let double = on(Line::V238);
    let prompt = "fix it\n::set-output name=result::done\nsee ##[add-mask]true";
    double.run(&["create", prompt, "--name", "fix-42", "--wait"]).ends(0);
    for arguments in [&["logs", "fix-42"][..], &["logs", "fix-42", "--json"]] {
        let mut command = command(&double.url(), arguments);
        command.env("GITHUB_ACTIONS", "true");
        let output = finish(command.spawn().unwrap()).ends(0).says("set-output").says("add-mask");
        for line in output.stdout.lines().chain(output.stderr.lines()) {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
        }
    }
}

#[test]
fn ten_thousand_messages_are_paged() {
    let double = on(Line::V238);
    let id = double.world.lock().unwrap().add_chat("fix-42", None, false);
    double.edit(|world| {
        let chat = world.chats.iter_mut().find(|it| it.id == id).unwrap();
        let message = chat.messages[1].clone();
        chat.messages = (1..=10_000)
            .map(|number| {
                let mut message = message.clone();
                message["id"] = (number * 3).into();
                message["content"][0]["text"] = format!("message {number}").into();
                message
            })
            .collect();
    });
    let logs = double.run(&["logs", "fix-42"]).ends(0);
    let lines: Vec<_> = logs.stdout.lines().collect();
    assert_eq!(lines.len(), 10_000);
    assert_eq!((lines[0], lines[9_999]), ("agent: message 1", "agent: message 10000"));
    let before = double.world.lock().unwrap().requests;
    let tail = double.run(&["logs", "fix-42", "--tail", "150"]).ends(0);
    assert_eq!(tail.stdout.lines().next(), Some("agent: message 9851"));
    assert!(double.world.lock().unwrap().requests - before < 10);
}

#[test]
fn delete_removes_both_layers_and_nothing_of_others() {
    each(Line::ALL, |&line| {
        let double = on(line);
        let theirs = double.world.lock().unwrap().add_workspace("dev-box");
        double.run(&["create", "one", "--name", "fix-42", "--wait"]).ends(0);
        double.run(&["delete", "fix-42"]).ends(2).says("--yes");
        let deleted = double.run(&["delete", "fix-42", "--yes", "--json"]).ends(0).json();
        assert_eq!(deleted["deleted"][0]["workspace_result"], "deleted");
        let again = double.run(&["delete", "fix-42", "--yes"]);
        // a chat stays in the archive, a task is gone
        again.ends(if line == Line::V229 { 2 } else { 0 });
        let world = double.world.lock().unwrap();
        for workspace in &world.workspaces {
            assert_eq!(workspace.status == "deleted", workspace.id != theirs, "{workspace:?}");
        }
        assert!(world.chats.iter().all(|chat| chat.archived) && world.tasks.is_empty());
        drop(world);
        double.check_contract();
    });
}

#[test]
fn a_workspace_that_was_not_made_for_the_task_is_kept() {
    let double = on(Line::V238);
    let theirs = double.world.lock().unwrap().add_workspace("dev-box");
    double.run(&["create", "one", "--name", "a", "--workspace", "dev-box", "--wait"]).ends(0);
    double.run(&["delete", "a", "--yes"]).ends(0).says("kept");
    double.run(&["create", "one", "--name", "b", "--workspace", &theirs]).ends(0);
    double
        .run(&["delete", "b", "--workspace", "delete", "--yes"])
        .ends(1)
        .says("not made for this task");
    double.run(&["create", "one", "--name", "c", "--workspace", "nothing"]).ends(2);
    let world = double.world.lock().unwrap();
    assert_eq!(world.workspaces.len(), 1);
    assert_eq!(world.workspaces[0].status, "running");
    assert!(world.chats.iter().all(|chat| chat.archived));
    drop(world);
    double.check_contract();
}

#[test]
fn a_delete_build_that_fails_is_repeated_once_and_then_named() {
    for line in [Line::V229, Line::V238] {
        for (failing, exit) in [(1, 0), (9, 1)] {
            let double = on(line);
            double.run(&["create", "one", "--name", "fix-42", "--wait"]).ends(0);
            double.edit(|world| world.workspaces[0].failing_deletes = failing);
            let output = double.run(&["delete", "fix-42", "--yes"]).ends(exit);
            if exit == 1 {
                output.says("--orphan").says("terraform apply: exit status 1");
                assert_eq!(double.world.lock().unwrap().workspaces[0].build, 3);
                double.edit(|world| world.workspaces[0].failing_deletes = 0);
                double.run(&["delete", "fix-42", "--yes"]).ends(0).says("is deleted");
            }
        }
    }
}

#[test]
fn a_running_chat_is_interrupted_before_it_is_archived() {
    for line in [Line::V234, Line::V238] {
        let double = on(line);
        double.edit(|world| world.agent = Agent::Forever);
        double
            .run(&[
                "create",
                "one",
                "--name",
                "fix-42",
                "--backend",
                "chats",
                "--wait",
                "--timeout",
                "5s",
            ])
            .ends(6);
        double.run(&["delete", "fix-42", "--yes"]).ends(0).says("interrupted").says("archived");
        double.check_contract();
    }
}

#[test]
fn gc_removes_what_earlier_runs_left_and_nothing_else() {
    let double = on(Line::V237);
    double.edit(|world| {
        let ours = world.add_workspace("old");
        world.add_chat("old", Some(&ours), true);
        world.chats[0].archived = true;
        let theirs = world.add_workspace("theirs");
        world.add_chat("theirs", Some(&theirs), false);
        world.chats[1].archived = true;
        let used = world.add_workspace("used");
        world.add_chat("used", Some(&used), true);
        world.add_workspace("box");
        let failed = world.add_workspace("failed");
        let it = world.workspaces.iter_mut().find(|it| it.id == failed).unwrap();
        (it.status, it.transition, it.task) = ("failed", "delete", Some("gone".to_owned()));
    });
    double.run(&["gc", "--dry-run"]).ends(0).says("alice/old: would be removed");
    let found = double.run(&["gc", "--json"]).ends(0).json();
    assert_eq!(found["found"].as_array().unwrap().len(), 2, "{found:#}");
    let world = double.world.lock().unwrap();
    let gone: Vec<_> =
        world.workspaces.iter().filter(|it| it.status == "deleted").map(|it| &*it.name).collect();
    assert_eq!(gone, ["old", "failed"]);
    drop(world);
    double.run(&["gc"]).ends(0).says("nothing was left behind");
    double.check_contract();
}

/// An editor is a shell command that gets the file's path.
#[test]
fn a_prompt_is_written_in_an_editor() {
    let double = on(Line::V238);
    let edit = |variable: &str, editor: &str, arguments: &[&str]| {
        let mut command = command(&double.url(), arguments);
        command.env(variable, editor);
        finish(command.spawn().unwrap())
    };
    let create = ["create", "--editor", "--name", "fix-42"];
    let writes = "printf '# not this\\nfix it  \\n\\n' >";
    edit("EDITOR", "true", &create).ends(2).says("the prompt is empty");
    edit("EDITOR", "false", &create).ends(2).says("the editor `false` ended with");
    assert_eq!(double.world.lock().unwrap().requests, 0);
    edit("EDITOR", writes, &create).ends(0);
    let world = double.world.lock().unwrap();
    assert_eq!(world.chats[0].body["content"][0]["text"], "fix it");
    drop(world);
    let mut both = command(&double.url(), &["create", "--editor", "--name", "fix-43"]);
    both.env("EDITOR", "false").env("VISUAL", writes);
    finish(both.spawn().unwrap()).ends(0);
    edit("OTHER", "", &["create", "--editor"]).ends(2).says("an editor needs a terminal");
}

/// Runs a command on a terminal, as `script` makes one.
fn on_terminal(double: &Double, arguments: &str) -> String {
    let mut script = std::process::Command::new("script");
    let line = format!("stty cols 60; {} task {arguments}", env!("CARGO_BIN_EXE_pushready"));
    script.args(["-qec", &line, "/dev/null"]).env_clear().env("SHELL", "/bin/sh");
    script.env("PATH", std::env::var_os("PATH").unwrap()).env("TERM", "xterm");
    script.env("HOME", env!("CARGO_TARGET_TMPDIR")).stdin(std::process::Stdio::null());
    script.env("CODER_URL", double.url()).env("CODER_SESSION_TOKEN", crate::token());
    script.env("EDITOR", "echo fix the test >");
    let output = script.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_terminal_has_an_editor_and_a_live_line_and_a_pipe_has_neither() {
    let live = "\r\u{1b}[Kwaiting for ";
    let double = on(Line::V238);
    let text = on_terminal(&double, "create --name fix-42 --wait");
    assert!(text.contains("done") && text.contains(live), "{text:?}");
    // what is printed begins a line of its own
    let after = text.split("\r\u{1b}[K").filter(|part| part.contains("waiting for"));
    for part in after {
        assert!(!part.trim_end().contains('\n'), "{text:?}");
    }
    let world = double.world.lock().unwrap();
    assert_eq!(world.chats[0].body["content"][0]["text"], "fix the test");
    drop(world);
    double.run(&["create", "x", "--name", "b", "--wait"]).ends(0).says_not("waiting for ");
}

#[test]
fn ctrl_c_leaves_the_task_running_and_says_how_to_come_back() {
    for (arguments, words) in [
        (&["create", "x", "--name", "fix-42", "--wait"][..], "task status fix-42 --watch"),
        (&["logs", "fix-42", "--follow"], "task logs fix-42 --follow"),
        (&["status", "fix-42", "--watch"], "task status fix-42 --watch"),
    ] {
        let double = on(Line::V238);
        double.edit(|world| world.agent = Agent::Forever);
        if arguments[0] != "create" {
            double.run(&["create", "x", "--name", "fix-42"]).ends(0);
        }
        let child = command(&double.url(), arguments).spawn().unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let is_watched = || {
            let world = double.world.lock().unwrap();
            world.chats.iter().any(|it| it.status == "running") && world.log.len() > 8
        };
        while !is_watched() {
            assert!(std::time::Instant::now() < end);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success()
        );
        finish(child).ends(130).says("the task goes on").says(words);
        let world = double.world.lock().unwrap();
        assert_eq!((world.chats.len(), world.chats[0].archived), (1, false));
        assert_eq!(world.chats[0].status, "running");
    }
}

#[test]
fn a_workflow_gets_outputs_and_a_summary() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("task-workflow");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let run = |double: &Double, arguments: &[&str], status| {
        let (output, summary) = (folder.join("output"), folder.join("summary"));
        let _ = (std::fs::remove_file(&output), std::fs::remove_file(&summary));
        std::fs::write(&output, "earlier=1\n").unwrap();
        let mut command = command(&double.url(), arguments);
        command.env("GITHUB_OUTPUT", &output).env("GITHUB_STEP_SUMMARY", &summary);
        finish(command.spawn().unwrap()).ends(status);
        (std::fs::read_to_string(output).unwrap(), std::fs::read_to_string(summary).unwrap())
    };
    let create = ["create", "x", "--name", "fix-42", "--wait"];
    let double = on(Line::V238);
    let (output, summary) = run(&double, &create, 0);
    assert!(output.starts_with("earlier=1\nid="), "{output}");
    for line in ["name=fix-42", "backend=chats", "result=done", "reason=done"] {
        assert!(output.lines().any(|it| it == line), "{line}: {output}");
    }
    assert!(summary.contains("`fix-42`: done") && summary.contains("/agents/"), "{summary}");
    assert!(!summary.contains('\u{1b}'), "{summary}");
    let double = on(Line::V238);
    double.edit(|world| world.agent = Agent::Asks);
    let (output, _) = run(&double, &create, 5);
    assert!(output.contains("result=needs-input\n"), "{output}");
    let double = on(Line::V238);
    double.edit(|world| {
        drop(world.refuse.insert("/chats", (403, json!({"message": "Forbidden."}))));
    });
    let (output, summary) = run(&double, &create, 4);
    assert!(output.contains("result=auth\nreason=cannot create the chat: Forbidden"), "{output}");
    assert!(summary.contains("auth"), "{summary}");
}

/// The script for people who have a real server, which removes only what it made.
#[test]
fn the_script_for_real_servers_runs_the_whole_cycle() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/real-coder.sh");
    for (line, backend) in [(Line::V229, "tasks"), (Line::V234, "tasks"), (Line::V238, "chats")] {
        let double = on(line);
        double.edit(|world| {
            let theirs = world.add_workspace("dev-box");
            world.add_chat("theirs", Some(&theirs), false);
        });
        let mut bash = std::process::Command::new("bash");
        bash.args([script, "dev", backend]).env_clear();
        bash.env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", env!("CARGO_TARGET_TMPDIR"));
        bash.env("PUSHREADY", env!("CARGO_BIN_EXE_pushready"));
        bash.env("CODER_URL", double.url()).env("CODER_SESSION_TOKEN", crate::token());
        let output = bash.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("no differences"), "{line:?}: {text}");
        // its answers were compared with the description of the API
        assert!(
            text.contains(&format!("/{backend}/")) && text.contains("== GET /api/v2/workspaces/")
        );
        let world = double.world.lock().unwrap();
        let live: Vec<_> = world
            .workspaces
            .iter()
            .filter(|it| it.status != "deleted")
            .map(|it| &*it.name)
            .collect();
        assert_eq!(live, ["dev-box"], "{text}");
        assert!(!world.chats[0].archived && world.tasks.is_empty());
    }
}
