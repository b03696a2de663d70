//! Would git refuse to add files because of the encoding that an attribute names for them
//! (gitattributes(5), working-tree-encoding)? git converts a few of them for us; it stores nothing.

use std::fs::Metadata;

use super::attributes::{ENCODING, named_by_attributes};
use super::git;
use super::layout::Layout;
use crate::catalogue::{Code, Fix};
use crate::doctor::context::Context;
use crate::doctor::outcome::{Evidence, Judgement};
use crate::git_cli::effective_config::EffectiveConfig;
use crate::process::Output;

/// So many files are converted, of no more than so many bytes each.
const FILES: usize = 100;
const SIZE: u64 = 1 << 20;

pub fn judge(context: &Context, layout: &Layout, config: &EffectiveConfig) -> Option<Judgement> {
    let encodings = &named_by_attributes(context, layout, config).encodings;
    let written = layout.git.join("index").metadata().and_then(|it| it.modified()).ok();
    // git itself would run filters to find out which files are changed
    let is_changed = |metadata: &Metadata| metadata.modified().ok() > written;
    let asked = encodings.iter().find_map(|encoding| {
        let of = |files: &[&str], is_asked: &dyn Fn(&Metadata) -> bool| {
            refusal(context, layout, encoding, files, is_asked)
        };
        // the next `git add` is about these
        let others = of(&["--others", "--exclude-standard"], &|_| true);
        let is_next = others.or_else(|| of(&["--cached"], &is_changed));
        is_next.map(|said| (said, true)).or_else(|| {
            let said = of(&["--cached"], &|_| true)?;
            Some((said, concerns_all(context, layout, encoding)))
        })
    });
    let (said, is_next) = asked?;
    let make = if is_next { Judgement::fail } else { Judgement::warn };
    let summary = "git refuses to add files that are not in the encoding that an attribute names";
    let fix =
        "write the files in that encoding, or correct `working-tree-encoding` in the attributes";
    let judgement = make(Code::GitLineEndings, summary.to_owned(), Fix::report(fix));
    Some(judgement.with([Evidence::foreign("git said", &said)]))
}

/// Whether the attribute is given to all files, and git converts none of the first of them.
fn concerns_all(context: &Context, layout: &Layout, encoding: &str) -> bool {
    const SAMPLE: usize = 5;
    let list = |pathspec: &str| {
        let list = ["ls-files", "-z", "--deduplicate", "--cached", "--", pathspec];
        git(context, Some(&layout.top), &list).map(|output| output.stdout).unwrap_or_default()
    };
    let of_encoding = list(&pathspec(encoding));
    let is_refused = |file: &str| {
        let converted = git(context, Some(&layout.top), &["hash-object", "--", file]);
        converted.is_ok_and(|output| error(&output).is_some())
    };
    let has_content = |file: &&str| {
        let metadata = layout.top.join(file).symlink_metadata();
        metadata.is_ok_and(|it| it.is_file() && it.len() <= SIZE && it.len() > 0)
    };
    let mut files = of_encoding.split_terminator('\0').filter(has_content).take(SAMPLE);
    of_encoding == list(":(top)") && files.all(is_refused)
}

/// The files that have the encoding, and no filter.
fn pathspec(encoding: &str) -> String {
    let value = if encoding.is_empty() { String::new() } else { format!("={encoding}") };
    format!(":(top,attr:{ENCODING}{value} !filter)")
}

/// What git prints when it converts those of the files that have the encoding, and no filter.
fn refusal(
    context: &Context,
    layout: &Layout,
    encoding: &str,
    files: &[&str],
    is_asked: &dyn Fn(&Metadata) -> bool,
) -> Option<String> {
    let pathspec = pathspec(encoding);
    let list = [&["ls-files", "-z", "--deduplicate"], files, &["--", &pathspec]].concat();
    let listed = git(context, Some(&layout.top), &list).ok()?;
    let is_small = |file: &&str| {
        let metadata = layout.top.join(file).symlink_metadata();
        metadata.is_ok_and(|it| it.is_file() && it.len() <= SIZE && is_asked(&it))
    };
    let files: Vec<&str> =
        listed.stdout.split_terminator('\0').filter(is_small).take(FILES).collect();
    if files.is_empty() {
        return None;
    }
    let output = git(context, Some(&layout.top), &[&["hash-object", "--"], &files[..]].concat());
    error(&output.ok()?)
}

/// Pure.
fn error(output: &Output) -> Option<String> {
    let mut lines = output.stderr.lines();
    let is_error = |line: &&str| line.starts_with("error: ") || line.starts_with("fatal: ");
    lines.find(is_error).map(str::to_owned)
}
