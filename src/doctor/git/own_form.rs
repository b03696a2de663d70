//! What git takes from a clone's own configuration files alone, before anything else and without what
//! they include (setup.c, read_repository_format): whether it has a work tree, and which.

use std::path::{Path, PathBuf};

use super::layout::Layout;
use crate::git::config::{self, is_true};
use crate::resource::file::{self, Kind};

#[derive(Debug, Default)]
pub struct OwnForm {
    /// The file in which `core.bare` is true.
    pub bare: Option<PathBuf>,
    /// `core.worktree`, and its file.
    pub worktree: Option<(String, PathBuf)>,
    /// Whether each worktree has a configuration of its own (`extensions.worktreeConfig`).
    pub has_worktree_config: bool,
}

impl OwnForm {
    pub fn of(layout: &Layout) -> Self {
        let mut form = Self::default();
        form.read(&layout.common.join("config"));
        if form.has_worktree_config {
            form.read(&layout.git.join("config.worktree"));
        }
        form
    }

    /// What a file sets: the last value counts.
    fn read(&mut self, path: &Path) {
        let Ok(Some(content)) = file::observe(path, Kind::Shared) else { return };
        for variable in config::variables(&content.bytes).into_iter().flatten() {
            let value = variable.value.as_deref();
            match (&*variable.section, variable.subsection, &*variable.key) {
                ("core", None, "bare") => self.bare = is_true(value).then(|| path.to_owned()),
                ("core", None, "worktree") => {
                    self.worktree = value.map(|value| (value.to_owned(), path.to_owned()));
                }
                ("extensions", None, "worktreeconfig") => self.has_worktree_config = is_true(value),
                _ => {}
            }
        }
    }
}
