//! `pushready install`: copies the running binary; an image from scratch has no `cp`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::print;
use crate::cli::Install;
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::git::url::redact;
use crate::home::Home;
use crate::resource::file;
use crate::text::plain;

pub fn run(arguments: &Install) -> Result<Exit> {
    let folder = match &arguments.to {
        // where no shell has expanded it, as in the manifest of a pod
        Some(folder) => match folder.strip_prefix("~") {
            Ok(rest) => Home::locate(&Env::of_process())?.path.join(rest),
            Err(_) => folder.clone(),
        },
        None => Home::locate(&Env::of_process())?.path.join(".local/bin"),
    };
    let path = std::path::absolute(folder.join("pushready"))
        .map_err(|error| Error::io("find", &shown(&folder), &error).exit(Exit::NotReady))?;
    let running = Path::new("/proc/self/exe");
    std::fs::metadata(running).map_err(|error| {
        Error::io("read", running, &error).hint("mount /proc: pushready finds its own binary there")
    })?;
    let there = std::fs::metadata(&path).is_ok_and(|it| it.permissions().mode() & 0o100 != 0);
    if there && file::are_same(running, &path) {
        print(&format!("`{}` is this version already\n", shown(&path).display()));
        return Ok(Exit::Ready);
    }
    file::copy_program(running, &path).map_err(|error| {
        Error::io("install", &shown(&path), &error)
            .hint("choose another folder with --to DIR")
            .exit(Exit::NotReady)
    })?;
    print(&format!("installed `{}`\n", shown(&path).display()));
    Ok(Exit::Ready)
}

/// A secret that is given instead of a folder is not repeated.
fn shown(path: &Path) -> PathBuf {
    path.iter().map(|name| redact(&plain(&name.to_string_lossy()))).collect()
}
