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
        is_next.map(|said| (said, true)).or_else(|| Some((of(&["--cached"], &|_| true)?, false)))
    });
    let (said, is_next) = asked?;
    let make = if is_next { Judgement::fail } else { Judgement::warn };
    let summary = "git refuses to add files that are not in the encoding that an attribute names";
    let fix =
        "write the files in that encoding, or correct `working-tree-encoding` in the attributes";
    let judgement = make(Code::GitLineEndings, summary.to_owned(), Fix::report(fix));
    Some(judgement.with([Evidence::foreign("git said", &said)]))
}

/// What git prints when it converts those of the files that have the encoding, and no filter.
fn refusal(
    context: &Context,
    layout: &Layout,
    encoding: &str,
    files: &[&str],
    is_asked: &dyn Fn(&Metadata) -> bool,
) -> Option<String> {
    let value = if encoding.is_empty() { String::new() } else { format!("={encoding}") };
    let pathspec = format!(":(top,attr:{ENCODING}{value} !filter)");
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
    let output = output.ok()?;
    let mut lines = output.stderr.lines();
    let is_error = |line: &&str| line.starts_with("error: ") || line.starts_with("fatal: ");
    lines.find(is_error).map(str::to_owned)
}
