//! The attributes of a clone's files, as text: those of the clone and of the user.

use std::path::{Path, PathBuf};

use super::ask;
use super::executable::Programs;
use super::layout::Layout;
use crate::doctor::context::Context;
use crate::git_cli::effective_config::EffectiveConfig;
use crate::resource::file;

struct AttributeTexts(Vec<String>);

/// The files of attributes that git reads in the clone (gitattributes(5)).
pub fn attribute_texts<'c>(
    context: &'c Context,
    layout: &Layout,
    config: &EffectiveConfig,
) -> &'c [String] {
    &context.gathered.get(|| AttributeTexts(read(context, layout, config))).0
}

fn read(context: &Context, layout: &Layout, config: &EffectiveConfig) -> Vec<String> {
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
    let programs = Programs { context, top: &layout.top };
    let of_user = match (config.text("core.attributesfile"), context.env.get("XDG_CONFIG_HOME")) {
        (Some(path), _) => programs.path(path),
        (None, Some(folder)) => PathBuf::from(folder).join("git/attributes"),
        (None, None) => context.home.path.join(".config/git/attributes"),
    };
    let others = [layout.common.join("info/attributes"), of_user, "/etc/gitattributes".into()];
    let listed = ask(context, OF_CLONE).map(|output| output.stdout).unwrap_or_default();
    let folder = context.folder.as_deref().unwrap_or(&layout.top);
    let of_clone = listed.split_terminator('\0').map(|path| folder.join(path));
    others.into_iter().chain(of_clone).map(|path: PathBuf| file::text(Path::new(&path))).collect()
}
