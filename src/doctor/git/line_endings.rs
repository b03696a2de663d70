//! Would git refuse to add the files of the clone because of their line endings? With
//! `core.safecrlf` it refuses a file that would not come out of the repository as it went in.

use super::git;
use super::setting::{self, SettingChange};
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git_cli::effective_config::EffectiveConfig;

/// What a work tree gets at a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Lf,
    Crlf,
}

/// The files that git would refuse, of those with lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct RefusedFiles {
    lf: usize,
    crlf: usize,
    files: usize,
    /// One of them is not in the index, so the next `git add` is about it.
    is_new: bool,
}

/// What git would refuse in the clone, or in any where the current folder is in none.
pub fn judge(context: &Context, config: &EffectiveConfig, in_clone: bool) -> Option<Judgement> {
    if !config.is_true("core.safecrlf") {
        return None;
    }
    let demands_crlf = config.is_true("core.autocrlf");
    let listed = || {
        let arguments = ["ls-files", "--eol", "--cached", "--others", "--exclude-standard", ":/"];
        let output = git(context, context.folder.as_deref(), &arguments).ok()?;
        let files = output.stdout.lines().filter_map(|line| line.split_once('\t'));
        Some(count(files.map(|(facts, _)| facts), config))
    };
    let refused = in_clone.then(listed).flatten().unwrap_or_default();
    let worst = refused.lf.max(refused.crlf);
    match worst {
        0 if demands_crlf && refused.files == 0 => Some(of_settings(context, config)),
        0 => None,
        _ if refused.lf >= refused.crlf && demands_crlf => Some(of_settings(context, config)),
        _ if refused.is_new || worst * 2 >= refused.files => {
            Some(of_files(context, config, &refused, Judgement::fail))
        }
        _ => Some(of_files(context, config, &refused, Judgement::warn)),
    }
}

/// From what `git ls-files --eol` prints before the path. Pure.
fn count<'a>(listed: impl Iterator<Item = &'a str>, config: &EffectiveConfig) -> RefusedFiles {
    let mut refused = RefusedFiles::default();
    for facts in listed {
        let word = |before: &str| {
            let rest = facts.split_once(before)?.1;
            rest.split_whitespace().next()
        };
        let index = if facts.starts_with("i/ ") { "" } else { word("i/").unwrap_or_default() };
        let work = word("w/").unwrap_or_default();
        let attributes = facts.split_once("attr/").map_or("", |(_, attributes)| attributes.trim());
        if !matches!(work, "lf" | "crlf" | "mixed") {
            continue;
        }
        refused.files += 1;
        if let Some(ending) = refused_ending(index, work, attributes, config) {
            match ending {
                Ending::Lf => refused.lf += 1,
                Ending::Crlf => refused.crlf += 1,
            }
            refused.is_new |= index.is_empty();
        }
    }
    refused
}

/// The line endings that would not come back (convert.c, check_global_conv_flags_eol). Pure.
fn refused_ending(
    index: &str,
    work: &str,
    attributes: &str,
    config: &EffectiveConfig,
) -> Option<Ending> {
    let is_input = config.text("core.autocrlf").is_some_and(|it| it.eq_ignore_ascii_case("input"));
    let is_auto = attributes.starts_with("text=auto") || attributes.is_empty();
    let wants_crlf = config.is_true("core.autocrlf")
        || !is_input && config.text("core.eol").is_some_and(|it| it.eq_ignore_ascii_case("crlf"));
    let at_checkout = match () {
        () if attributes.starts_with("-text") => return None,
        () if attributes.ends_with("eol=lf") => Ending::Lf,
        () if attributes.ends_with("eol=crlf") => Ending::Crlf,
        () if attributes.is_empty() && !is_input && !config.is_true("core.autocrlf") => {
            return None;
        }
        () if wants_crlf => Ending::Crlf,
        () => Ending::Lf,
    };
    // git keeps the CRLF of a file that has them in the index
    let is_converted = !(is_auto && matches!(index, "crlf" | "mixed"));
    match (at_checkout, work) {
        (Ending::Lf, "crlf" | "mixed") if is_converted => Some(Ending::Crlf),
        (Ending::Crlf, "lf") => Some(Ending::Lf),
        (Ending::Crlf, "mixed") if is_converted => Some(Ending::Lf),
        _ => None,
    }
}

/// `key` set to another value where it is set, and the place.
fn set(
    context: &Context,
    config: &EffectiveConfig,
    (key, value): (&str, &str),
    say: &str,
) -> (Fix, Option<Evidence>) {
    let fix = setting::change(context, config, key, SettingChange::To(value), say);
    (fix, config.last(key).map(|value| Evidence::foreign("set in", value.origin)))
}

/// `core.autocrlf` and `core.safecrlf` are both true.
fn of_settings(context: &Context, config: &EffectiveConfig) -> Judgement {
    let say = "set core.autocrlf to `input`";
    let (fix, origin) = set(context, config, ("core.autocrlf", "input"), say);
    Judgement::fail(
        Code::GitLineEndings,
        "core.autocrlf and core.safecrlf are both true, so git refuses to add a file with LF line endings",
        fix,
    )
    .with(origin)
}

fn of_files(
    context: &Context,
    config: &EffectiveConfig,
    refused: &RefusedFiles,
    make: fn(Code, String, Fix) -> Judgement,
) -> Judgement {
    let ending = if refused.crlf > refused.lf { "CRLF" } else { "LF" };
    let count = refused.lf.max(refused.crlf);
    let message = "set core.safecrlf to `warn`, or write the files with the line endings that \
                   core.autocrlf and the attributes name";
    let (fix, origin) = set(context, config, ("core.safecrlf", "warn"), message);
    make(
        Code::GitLineEndings,
        format!(
            "core.safecrlf is true, so git refuses to add files with {ending} line endings here"
        ),
        fix,
    )
    .with(origin)
    .with([Evidence::new("files", format!("{count} of {}", refused.files))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(autocrlf: &str, eol: &str) -> EffectiveConfig {
        let entry = |entry: String| format!("global\0file:/h/.gitconfig\0{entry}\0");
        let listed = [format!("core.autocrlf\n{autocrlf}"), format!("core.eol\n{eol}")].map(entry);
        EffectiveConfig::parse(listed.concat())
    }

    #[test]
    fn git_refuses_a_file_that_would_come_back_with_other_line_endings() {
        for (autocrlf, eol, facts, expected) in [
            ("true", "native", "i/lf    w/lf    attr/                 ", Some(Ending::Lf)),
            ("true", "native", "i/lf    w/lf    attr/text=auto        ", Some(Ending::Lf)),
            ("true", "native", "i/lf    w/lf    attr/text eol=lf      ", None),
            ("true", "native", "i/lf    w/lf    attr/-text            ", None),
            ("true", "native", "i/lf    w/crlf  attr/                 ", None),
            ("true", "native", "i/lf    w/mixed attr/                 ", Some(Ending::Lf)),
            ("true", "native", "i/mixed w/mixed attr/                 ", None),
            ("input", "native", "i/lf    w/crlf  attr/                 ", Some(Ending::Crlf)),
            ("input", "native", "i/      w/crlf  attr/                 ", Some(Ending::Crlf)),
            ("input", "native", "i/crlf  w/crlf  attr/                 ", None),
            ("input", "native", "i/crlf  w/crlf  attr/text             ", Some(Ending::Crlf)),
            ("input", "native", "i/lf    w/lf    attr/                 ", None),
            ("false", "native", "i/lf    w/crlf  attr/                 ", None),
            ("false", "native", "i/lf    w/crlf  attr/text=auto        ", Some(Ending::Crlf)),
            ("false", "crlf", "i/lf    w/lf    attr/text=auto        ", Some(Ending::Lf)),
            ("false", "native", "i/lf    w/lf    attr/text eol=crlf    ", Some(Ending::Lf)),
            ("false", "native", "i/lf    w/crlf  attr/text eol=crlf    ", None),
            ("true", "native", "i/-text w/-text attr/                 ", None),
        ] {
            let refused = count([facts].into_iter(), &config(autocrlf, eol));
            let found = match (refused.lf, refused.crlf) {
                (1, 0) => Some(Ending::Lf),
                (0, 1) => Some(Ending::Crlf),
                _ => None,
            };
            assert_eq!(found, expected, "{autocrlf} {eol} {facts}");
        }
    }
}
