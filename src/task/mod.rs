//! `pushready task`: agents on a Coder server, through Coder Tasks or Coder Agents (Chats).

mod bead;
mod create;
mod delete;
mod judge;
mod logs;
mod names;
mod output;
mod prompt;
mod readiness;
mod send;
mod status;
mod template;
mod transcript;
mod trouble;
mod watch;
mod work;
mod workflow;
mod workspace;

use crate::cli::task::{TaskApi, TaskArguments, TaskCommand};
use crate::coder::{ApiKind, Backend, Coder};
use crate::command::print;
use crate::env::Env;
use crate::error::{Exit, Result};
use crate::process;
use crate::resource::private_folder;
use crate::terminal::Progress;
use output::OutputMode;

/// Runs to an exit status: what ends a command early is reported in its own form. `verbose`: the
/// log goes to where the line about what is waited for would be.
pub fn run(arguments: &TaskArguments, verbose: bool) -> Exit {
    let mode = match &arguments.command {
        _ if arguments.json => OutputMode::Json,
        TaskCommand::Create(create) if create.quiet => OutputMode::Quiet,
        _ => OutputMode::Text,
    };
    process::end_children_with_us(private_folder::remove_held);
    command(arguments, mode, verbose).unwrap_or_else(|error| {
        if matches!(arguments.command, TaskCommand::Create(_)) {
            workflow::write_error(&Env::of_process(), &error);
        }
        output::report(name(&arguments.command), mode, &error)
    })
}

fn name(command: &TaskCommand) -> &'static str {
    match command {
        TaskCommand::Create(_) => "task create",
        TaskCommand::Status(_) => "task status",
        TaskCommand::Logs(_) => "task logs",
        TaskCommand::Send(_) => "task send",
        TaskCommand::List(_) => "task list",
        TaskCommand::Open(_) => "task open",
        TaskCommand::Delete(_) => "task delete",
        TaskCommand::Gc(_) => "task gc",
    }
}

fn command(arguments: &TaskArguments, mode: OutputMode, verbose: bool) -> Result<Exit> {
    let env = Env::of_process();
    let mut line = None;
    let mut connect = || {
        line = Some(Progress::show(verbose, "the Coder server"));
        let wanted = arguments.backend.map(|api| match api {
            TaskApi::Tasks => ApiKind::Tasks,
            TaskApi::Chats => ApiKind::Chats,
        });
        Backend::connect(Coder::of(&env, arguments.insecure_http)?, wanted)
    };
    match &arguments.command {
        TaskCommand::Create(create) if create.dry_run => {
            print(&create::prepare_dry_run(&env, create)?);
            Ok(Exit::Ready)
        }
        TaskCommand::Create(create) => {
            // what somebody writes in an editor would be lost without a login
            if prompt::is_from_editor(create) {
                Coder::of(&env, arguments.insecure_http)?;
            }
            let draft = create::Draft::read(&env, create)?;
            create::run(&connect()?, &env, create, mode, draft)
        }
        TaskCommand::Status(status) => status::status(&connect()?, &env, status, mode),
        TaskCommand::Logs(logs) => logs::run(&connect()?, logs, mode),
        TaskCommand::Send(send) => {
            let text = send::read_text(send)?;
            send::run(&connect()?, send, &text, mode)
        }
        TaskCommand::List(list) => status::list(&connect()?, list, mode),
        TaskCommand::Open(open) => status::open(&connect()?, &env, open, mode),
        TaskCommand::Delete(delete) => {
            delete::confirm(delete)?;
            delete::run(&connect()?, delete, mode)
        }
        TaskCommand::Gc(gc) => delete::gc(&connect()?, gc, mode),
    }
}
