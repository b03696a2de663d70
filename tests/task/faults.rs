//! A fault at each request, and a kill between any two: nothing is doubled, and nothing is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::double::{Double, Fault, Line};
use crate::server::{self, Reply};
use crate::{Output, command, each, finish};

const CREATE: &[&str] = &["create", "fix the test", "--name", "fix-42", "--reuse", "--wait"];
const DELETE: &[&str] = &["delete", "fix-42", "--yes"];
const FAULTS: [Fault; 5] =
    [Fault::RateLimit, Fault::BadGateway, Fault::ServerError, Fault::CutBefore, Fault::CutAfter];

/// How many requests a run makes that nothing disturbs.
fn requests(double: &Double, arguments: &[&str]) -> usize {
    let before = double.world.lock().unwrap().requests;
    double.run(arguments).ends(0);
    double.world.lock().unwrap().requests - before
}

#[track_caller]
fn one_of_each(double: &Double, about: &str) {
    let world = double.world.lock().unwrap();
    let live = world.workspaces.iter().filter(|it| it.status != "deleted").count();
    assert_eq!(live, 1, "{about}: workspaces");
    assert_eq!(world.chats.len() + world.tasks.len(), 1, "{about}: chats and tasks");
}

#[track_caller]
fn nothing_is_left(double: &Double, about: &str) {
    let world = double.world.lock().unwrap();
    for workspace in &world.workspaces {
        assert_eq!(workspace.status, "deleted", "{about}: {workspace:?}");
    }
    assert!(world.tasks.is_empty() && world.chats.iter().all(|it| it.archived), "{about}");
}

/// Every request of a command on two lines, with each of the faults.
fn cases(prepare: &[&str], arguments: &[&str], faults: &[Fault]) -> Vec<(Line, usize, Fault)> {
    let mut cases = Vec::new();
    for line in [Line::V229, Line::V238] {
        let double = Double::start(line);
        if !prepare.is_empty() {
            double.run(prepare).ends(0);
        }
        for number in 0..requests(&double, arguments) {
            cases.extend(faults.iter().map(|fault| (line, number, *fault)));
        }
    }
    assert!(cases.len() > 10, "{}", cases.len());
    cases
}

#[test]
fn a_fault_at_any_request_of_create_doubles_nothing() {
    each(cases(&[], CREATE, &FAULTS), |&(line, number, fault)| {
        let double = Double::start(line);
        double.edit(|world| world.fault(number, fault));
        let about = format!("{line:?} {fault:?} at request {number}");
        let output = double.run(CREATE);
        assert_eq!(output.status, 0, "{about}: {output:?}");
        one_of_each(&double, &about);
        let world = double.world.lock().unwrap();
        let is_user = |message: &&serde_json::Value| message["role"] == "user";
        assert!(world.chats.iter().all(|it| it.messages.iter().filter(is_user).count() == 1));
        assert!(world.tasks.iter().all(|it| it.inputs.is_empty()), "{about}");
    });
}

#[test]
fn a_fault_at_any_request_of_delete_leaves_nothing() {
    each(cases(CREATE, DELETE, &FAULTS), |&(line, number, fault)| {
        let double = Double::start(line);
        double.run(CREATE).ends(0);
        double.edit(|world| {
            let number = world.requests + number;
            world.fault(number, fault);
        });
        let about = format!("{line:?} {fault:?} at request {number}");
        let output = double.run(DELETE);
        assert_eq!(output.status, 0, "{about}: {output:?}");
        nothing_is_left(&double, &about);
    });
}

#[test]
fn a_fault_at_any_request_of_send_delivers_once_or_says_so() {
    let send = &["send", "fix-42", "and the linter"];
    each(cases(CREATE, send, &FAULTS), |&(line, number, fault)| {
        let double = Double::start(line);
        double.run(CREATE).ends(0);
        double.edit(|world| {
            let number = world.requests + number;
            world.fault(number, fault);
        });
        let about = format!("{line:?} {fault:?} at request {number}");
        let output = double.run(send);
        let world = double.world.lock().unwrap();
        let text = "and the linter";
        let arrived =
            world.tasks.iter().flat_map(|it| &it.inputs).filter(|it| **it == text).count()
                + world
                    .chats
                    .iter()
                    .flat_map(|it| &it.messages)
                    .filter(|it| it["content"][0]["text"] == text)
                    .count();
        match output.status {
            0 => assert_eq!(arrived, 1, "{about}: {output:?}"),
            // a task has no way to find out
            3 if line == Line::V229 => {
                assert!(arrived <= 1, "{about}");
                assert!(output.stderr.contains("not known whether"), "{about}: {output:?}");
            }
            _ => panic!("{about}: {output:?}"),
        }
    });
}

/// What reads alone, and so needs one server for all faults.
const READS: [&[&str]; 7] = [
    &["status", "fix-42"],
    &["status", "fix-42", "--watch"],
    &["list"],
    &["logs", "fix-42"],
    &["logs", "fix-42", "--follow"],
    &["open", "fix-42"],
    &["gc"],
];

/// Runs each read on two lines with each of the faults at each of its requests.
fn each_read(faults: &[Fault], judge: impl Fn(&str, Fault, &Output) + Sync) {
    let lines = [Line::V229, Line::V238];
    let all: Vec<_> = READS.iter().flat_map(|read| lines.map(|line| (*read, line))).collect();
    each(all, |&(arguments, line)| {
        let double = Double::start(line);
        double.run(CREATE).ends(0);
        for number in 0..requests(&double, arguments) {
            for &fault in faults {
                double.edit(|world| {
                    let number = world.requests + number;
                    world.fault(number, fault);
                });
                let about = format!("{arguments:?} on {line:?}, {fault:?} at request {number}");
                judge(&about, fault, &double.run(arguments));
            }
        }
        one_of_each(&double, &format!("{arguments:?}"));
    });
}

/// A read is repeated until it succeeds, and a slow answer is waited for.
#[test]
fn a_fault_at_any_request_of_a_read_is_survived() {
    let faults = [Fault::RateLimit, Fault::BadGateway, Fault::CutBefore, Fault::Slow];
    each_read(&faults, |about, _, output| assert_eq!(output.status, 0, "{about}: {output:?}"));
}

/// A page instead of an answer is named, or was not needed.
#[track_caller]
fn page_is_named(about: &str, fault: Fault, output: &Output) {
    let (status, words) = match fault {
        Fault::LoginRedirect => (4, "redirects to `https://sso.example/login`"),
        Fault::LoginPage => (4, "a login page came instead of JSON"),
        _ => (3, "dashboard came instead of JSON"),
    };
    let is_named = output.status == status && output.stderr.contains(words);
    assert!(output.status == 0 || is_named, "{about}: {output:?}");
}

#[test]
fn a_page_instead_of_any_answer_to_a_read_is_named() {
    let pages = [Fault::LoginRedirect, Fault::LoginPage, Fault::Dashboard];
    each_read(&pages, page_is_named);
}

/// It changes nothing that the next run does not finish.
#[test]
fn a_page_instead_of_any_other_answer_is_named_and_leaves_nothing() {
    let send: &[&str] = &["send", "fix-42", "and the linter"];
    for (prepare, arguments) in [(&[][..], CREATE), (CREATE, DELETE), (CREATE, send)] {
        let pages = [Fault::LoginRedirect, Fault::Dashboard];
        each(cases(prepare, arguments, &pages), |&(line, number, fault)| {
            let double = Double::start(line);
            if !prepare.is_empty() {
                double.run(prepare).ends(0);
            }
            double.edit(|world| {
                let number = world.requests + number;
                world.fault(number, fault);
            });
            let about = format!("{arguments:?} on {line:?}, {fault:?} at request {number}");
            page_is_named(&about, fault, &double.run(arguments));
            if arguments != DELETE {
                double.run(CREATE).ends(0);
                one_of_each(&double, &about);
            }
            let output = double.run(DELETE);
            let is_gone = line == Line::V229 && output.status == 2;
            assert!(output.status == 0 || is_gone, "{about}: {output:?}");
            nothing_is_left(&double, &about);
        });
    }
}

/// Runs the command, and kills it when the server got its request `number`, which is performed or
/// not.
fn kill(double: &Double, arguments: &[&str], number: usize, fault: Fault) {
    let at = double.world.lock().unwrap().requests + number;
    double.edit(|world| world.fault(at, fault));
    let mut child = command(&double.url(), arguments).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while double.world.lock().unwrap().requests <= at && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    finish(child);
    double.edit(|world| world.faults.clear());
}

const KILLS: [Fault; 2] = [Fault::HangBefore, Fault::HangAfter];

#[test]
fn a_create_that_was_killed_anywhere_is_finished_by_the_next() {
    each(cases(&[], CREATE, &KILLS), |&(line, number, fault)| {
        let double = Double::start(line);
        kill(&double, CREATE, number, fault);
        let about = format!("{line:?} {fault:?} at request {number}");
        let output = double.run(CREATE);
        assert_eq!(output.status, 0, "{about}: {output:?}");
        one_of_each(&double, &about);
        double.run(DELETE).ends(0);
        nothing_is_left(&double, &about);
    });
}

#[test]
fn a_delete_that_was_killed_anywhere_is_finished_by_the_next() {
    each(cases(CREATE, DELETE, &KILLS), |&(line, number, fault)| {
        let double = Double::start(line);
        double.run(CREATE).ends(0);
        kill(&double, DELETE, number, fault);
        let about = format!("{line:?} {fault:?} at request {number}");
        let output = double.run(DELETE);
        // a task that is gone with its workspace is not known any more
        let is_gone = line == Line::V229 && output.status == 2;
        assert!(output.status == 0 || is_gone, "{about}: {output:?}");
        nothing_is_left(&double, &about);
    });
}

/// Which chats use a workspace decides whether it is deleted: a part of the list is not enough.
#[test]
fn nothing_is_deleted_by_a_list_without_an_end() {
    let double = Double::start(Line::V238);
    double.run(CREATE).ends(0);
    let (world, next) = (Arc::clone(&double.world), AtomicUsize::new(0));
    let known = Mutex::new(Value::Null);
    let address = server::start(move |request| {
        let reply = world.lock().unwrap().answer_for(request);
        match reply {
            Reply::Json(200, Value::Array(chats)) if request.path.contains("/chats?") => {
                let mut known = known.lock().unwrap();
                if let Some(chat) = chats.first() {
                    *known = chat.clone();
                }
                if request.path.contains("label=") {
                    return Reply::Json(200, Value::Array(chats));
                }
                let more = (0..100).map(|_| {
                    let mut chat = known.clone();
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    chat["id"] = json!(format!("cccccccc-cccc-4ccc-8ccc-{number:012}"));
                    chat["workspace_id"] = Value::Null;
                    chat["title"] = json!("x".repeat(30_000));
                    chat
                });
                Reply::Json(200, more.collect())
            }
            reply => reply,
        }
    });
    let child = command(&format!("http://{address}"), DELETE).spawn().unwrap();
    let output = finish(child);
    output.ends(3).says("longer than what is read");
    let world = double.world.lock().unwrap();
    assert!(world.workspaces.iter().all(|it| it.status != "deleted"), "{:?}", world.workspaces);
}

#[test]
fn a_server_that_limits_or_fails_for_ever_is_given_up() {
    let cases = vec![
        (Fault::RateLimit, 3, "limits the rate"),
        (Fault::BadGateway, 3, "web page"),
        (Fault::ServerError, 3, "Internal error"),
        (Fault::CutBefore, 3, "ended early"),
    ];
    each(cases, |&(fault, status, words)| {
        let double = Double::start(Line::V238);
        double.edit(|world| world.always = Some(fault));
        let start = Instant::now();
        double.run(&["list"]).ends(status).says(words);
        assert!(start.elapsed() < Duration::from_secs(40));
        assert!(double.world.lock().unwrap().requests > 4);
    });
}
