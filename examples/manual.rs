//! Writes the manual, a page for each command, from the command line's own types:
//! `cargo run --example manual -- FOLDER`. An example, so that the program itself does not contain it.
#![expect(clippy::disallowed_methods, reason = "writes to the folder that the developer names")]

#[path = "../src/cli/mod.rs"]
mod cli;
#[path = "../src/variables.rs"]
#[expect(dead_code, reason = "the program needs more of it")]
mod variables;

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

fn main() -> std::io::Result<()> {
    let folder =
        std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: manual FOLDER"))?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for (name, page) in pages()? {
        fs::write(folder.join(name), page)?;
    }
    Ok(())
}

/// The command line without internal commands.
fn visible() -> Command {
    let mut whole = cli::Cli::command().disable_help_subcommand(true);
    whole.build();
    let commands: Vec<_> =
        whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let about = whole.get_about().cloned().unwrap_or_default();
    let after = whole.get_after_help().cloned().unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let empty = Command::new("pushready")
        .version(version)
        .about(about)
        .after_help(after)
        .disable_help_subcommand(true);
    empty.args(whole.get_arguments().filter(|it| it.get_id() == "verbose")).subcommands(commands)
}

/// `pushready.1` and `pushready-COMMAND.1`.
fn pages() -> std::io::Result<Vec<(String, String)>> {
    let mut whole = visible();
    whole.build();
    let commands: Vec<_> = whole.get_subcommands().cloned().collect();
    commands.into_iter().chain([whole]).map(page).collect()
}

fn page(command: Command) -> std::io::Result<(String, String)> {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let whole = command.get_name() == "pushready";
    let man = Man::new(command).source(concat!("pushready ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if whole {
        man.render_subcommands_section(&mut page)?;
    }
    sections(&after, whole).to_writer(&mut page)?;
    Ok((man.get_filename(), String::from_utf8_lossy(&page).into_owned()))
}

/// The help after the options, and for the whole program its variables.
fn sections(after: &str, whole: bool) -> Roff {
    let mut roff = Roff::new();
    for paragraph in after.split("\n\n") {
        if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
            roff.control("SH", ["EXAMPLES"]).control("nf", []);
            for line in examples.lines() {
                roff.text([roman(line)]);
            }
            roff.control("fi", []);
        } else if paragraph.starts_with("Exit status") {
            roff.control("SH", ["EXIT STATUS"]).text(code(paragraph));
        } else if !paragraph.is_empty() {
            roff.control("SH", ["DESCRIPTION"]).text(code(paragraph));
        }
    }
    if whole {
        roff.control("SH", ["ENVIRONMENT"]);
        for variable in variables::ALL {
            let forms = if variable.secret && !variable.shared {
                ", or with _FILE or _BASE64 after its name"
            } else {
                ""
            };
            roff.control("TP", []).text([bold(variable.name)]);
            roff.text(code(&format!("{}{forms}", variable.meaning)));
        }
        roff.control("SH", ["SEE ALSO"]);
        roff.text(code(
            "`pushready explain` prints a page for every code that apply and doctor can name.",
        ));
    }
    roff
}

/// Prose, with the text in backticks in bold.
fn code(text: &str) -> Vec<Inline> {
    text.split('`')
        .enumerate()
        .map(|(number, part)| if number % 2 == 0 { roman(part) } else { bold(part) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a reader sees it, without fonts and escapes.
    fn plain(page: &str) -> String {
        let page = page.replace(r"\-", "-").replace(r"\*(Aq", "'");
        [r"\fB", r"\fI", r"\fR", r"\&"].iter().fold(page, |page, escape| page.replace(escape, ""))
    }

    fn plain_pages() -> Vec<(String, String)> {
        pages().unwrap().into_iter().map(|(name, page)| (name, plain(&page))).collect()
    }

    #[test]
    fn every_command_has_a_page_with_all_its_options_and_examples() {
        let pages = plain_pages();
        let page = |name: &str| {
            &pages.iter().find(|page| page.0 == name).unwrap_or_else(|| panic!("no {name}")).1
        };
        let commands: Vec<_> = cli::Cli::command().get_subcommands().cloned().collect();
        for command in &commands {
            let name = command.get_name();
            if command.is_hide_set() {
                assert!(pages.iter().all(|page| !page.0.contains(name) && !page.1.contains(name)));
                continue;
            }
            let its = page(&format!("pushready-{name}.1"));
            assert!(page("pushready.1").contains(&format!("pushready-{name}(1)")));
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(its.contains(&format!("--{option}")), "{name} --{option}");
            }
            for example in command
                .get_after_help()
                .unwrap()
                .to_string()
                .lines()
                .filter(|line| line.starts_with("  "))
            {
                assert!(its.lines().any(|line| line == example), "{name}: {example:?} in\n{its}");
            }
        }
        assert_eq!(
            pages.len(),
            commands.iter().filter(|command| !command.is_hide_set()).count() + 1
        );
    }

    #[test]
    fn the_whole_names_every_variable_and_exit_status() {
        let pages = plain_pages();
        let (_, page) = pages.iter().find(|page| page.0 == "pushready.1").unwrap();
        for variable in variables::ALL {
            let entry = format!(".TP\n{}\n{}", variable.name, variable.meaning.replace('`', ""));
            assert!(page.contains(&entry), "{entry} in\n{page}");
        }
        assert!(
            page.contains(".SH \"EXIT STATUS\"\nExit status: 0 everything configured is ready"),
            "{page}"
        );
    }
}
