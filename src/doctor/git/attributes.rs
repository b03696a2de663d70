//! What the attributes of a clone's files name: those of the clone and of the user.

use std::collections::BTreeSet;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::ask;
use super::executable::Programs;
use super::layout::Layout;
use crate::doctor::context::Context;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::process::Failure;
use crate::resource::file;

const OF_SYSTEM: &str = "/etc/gitattributes";
pub const ENCODING: &str = "working-tree-encoding";
/// git is asked about each name whether a file has it.
pub const MOST_NAMES: usize = 32;
/// Of all files of attributes together, in bytes of their text and their paths.
const MOST_TEXT: usize = 16 << 20;

/// What the files of attributes name, up to [`MOST_NAMES`] of each.
pub struct NamedByAttributes {
    pub filters: BTreeSet<String>,
    pub encodings: BTreeSet<String>,
    /// The filters that links in the clone alone name: git ignores these links (gitattributes(5)),
    /// unless it is older than 2.32.
    pub by_link: BTreeSet<String>,
    /// All files were read, and all names are here.
    pub are_all: bool,
    /// Why git did not list the files of the clone.
    pub unlisted: Option<Failure>,
}

impl NamedByAttributes {
    /// Adds those of a text.
    fn add(&mut self, text: &str) {
        let filters = filter_names(text).into_iter();
        let encodings = encodings(text).into_iter();
        self.are_all &=
            extend(&mut self.filters, filters) && extend(&mut self.encodings, encodings);
    }
}

/// Returns whether all fit in.
fn extend<'a>(known: &mut BTreeSet<String>, mut names: impl Iterator<Item = &'a str>) -> bool {
    names.all(|name| {
        let is_new = !known.contains(name);
        if is_new && known.len() < MOST_NAMES {
            known.insert(name.to_owned());
            return true;
        }
        !is_new
    })
}

/// What the files of attributes name that git reads in the clone (gitattributes(5)).
pub fn named_by_attributes<'c>(
    context: &'c Context,
    layout: &Layout,
    config: &EffectiveConfig,
) -> &'c NamedByAttributes {
    context.gathered.get(|| read(context, layout, config))
}

/// The file of the user's attributes, for a clone at `top`.
fn of_user(context: &Context, top: &Path, config: &EffectiveConfig) -> PathBuf {
    match (config.text("core.attributesfile"), context.env.get("XDG_CONFIG_HOME")) {
        (Some(path), _) => Programs { context, top }.path(path),
        (None, Some(folder)) => PathBuf::from(folder).join("git/attributes"),
        (None, None) => context.home.path.join(".config/git/attributes"),
    }
}

/// A file of attributes or of patterns to ignore that is a FIFO: `git add` waits for who writes it.
pub fn fifo(context: &Context, layout: &Layout, config: &EffectiveConfig) -> Option<PathBuf> {
    let Layout { top, common, .. } = layout;
    let own =
        [common.join("info/attributes"), common.join("info/exclude"), top.join(".gitattributes")];
    let ignored = config.text("core.excludesfile");
    let ignored = ignored.map(|path| Programs { context, top }.path(path));
    let mut files = own.into_iter().chain([of_user(context, top, config)]).chain(ignored);
    files.find(|file| file.metadata().is_ok_and(|it| it.file_type().is_fifo()))
}

/// Whether there are attributes of every clone.
pub fn are_everywhere(context: &Context, config: &EffectiveConfig) -> bool {
    of_user(context, &context.home.path, config).exists() || Path::new(OF_SYSTEM).exists()
}

fn read(context: &Context, layout: &Layout, config: &EffectiveConfig) -> NamedByAttributes {
    const OF_CLONE: &[&str] = &[
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        ":/.gitattributes",
        ":/**/.gitattributes",
    ];
    let of_user = of_user(context, &layout.top, config);
    let others = [layout.common.join("info/attributes"), of_user, OF_SYSTEM.into()];
    let (listed, unlisted) = match ask(context, OF_CLONE) {
        Ok(output) => (output.stdout, None),
        Err(failure) => (String::new(), Some(failure)),
    };
    let mut named = NamedByAttributes {
        filters: BTreeSet::new(),
        encodings: BTreeSet::new(),
        by_link: BTreeSet::new(),
        are_all: unlisted.is_none(),
        unlisted,
    };
    let folder = context.folder.as_deref().unwrap_or(&layout.top);
    // links last: what the files name is not by a link alone
    let of_clone = listed.split_terminator('\0').map(|path| folder.join(path));
    let (links, files): (Vec<_>, Vec<_>) = of_clone.partition(|path| path.is_symlink());
    let of_clone = files.into_iter().chain(links);
    let mut left = MOST_TEXT;
    for path in others.into_iter().chain(of_clone) {
        let text = file::text(&path);
        left = left.saturating_sub(text.len() + path.as_os_str().len());
        let known = path.is_symlink().then(|| named.filters.clone());
        named.add(&text);
        if let Some(known) = known.filter(|_| path.starts_with(&layout.top)) {
            named.by_link.extend(named.filters.difference(&known).cloned());
        }
        if left == 0 || context.has_ended() {
            named.are_all = false;
        }
        if !named.are_all {
            break;
        }
    }
    named
}

/// The names in `*.bin filter=lfs diff=lfs`. Pure.
fn filter_names(attributes: &str) -> Vec<&str> {
    let lines = attributes.lines().filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(str::split_whitespace);
    let is_plain = |name: &&str| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.len() <= 64 && name.bytes().all(is_word)
    };
    words.filter_map(|word| word.strip_prefix("filter=")).filter(is_plain).collect()
}

/// Those that attributes name, as far as git can be asked for the files that have them. Pure.
fn encodings(attributes: &str) -> Vec<&str> {
    let lines = attributes.lines().filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(str::split_whitespace);
    let is_plain = |text: &&str| {
        text.len() <= 64 && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
    };
    let named = words.filter_map(|word| word.strip_prefix(ENCODING));
    // without a value it is true, which is none
    named
        .filter_map(|rest| rest.strip_prefix('=').or(Some(rest).filter(|it| it.is_empty())))
        .filter(is_plain)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_names_are_kept_than_git_is_asked_about() {
        for (count, fits) in [(0, true), (MOST_NAMES, true), (MOST_NAMES + 1, false)] {
            let (filters, encodings) = (BTreeSet::new(), BTreeSet::new());
            let (are_all, unlisted) = (true, None);
            let by_link = BTreeSet::new();
            let mut named = NamedByAttributes { filters, encodings, by_link, are_all, unlisted };
            let text: String = (0..count).map(|n| format!("*.x filter=f{n}\n")).collect();
            named.add(&text);
            named.add(&text);
            assert_eq!((named.filters.len(), named.are_all), (count.min(MOST_NAMES), fits));
        }
    }

    #[test]
    fn the_encodings_that_attributes_name_are_found() {
        for (text, expected) in [
            ("*.txt text working-tree-encoding=UTF-16\n", &["UTF-16"][..]),
            ("# f working-tree-encoding=UTF-16\n", &[]),
            ("f working-tree-encoding\n", &[""]),
            ("f -working-tree-encoding\n", &[]),
            ("f working-tree-encodings=x\n", &[]),
            ("f working-tree-encoding=a*b\n", &[]),
        ] {
            assert_eq!(encodings(text), expected, "{text}");
        }
    }

    #[test]
    fn the_filters_that_attributes_name_are_found() {
        assert_eq!(filter_names("# filter=x\n*.bin filter=lfs diff=lfs -text\n"), ["lfs"]);
    }
}
