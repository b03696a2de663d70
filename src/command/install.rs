//! `pushready install`: copies the running binary; an image from scratch has no `cp`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::print;
use crate::cli::Install;
use crate::env::Env;
use crate::error::{Error, Exit, Result, plain};
use crate::home::Home;
use crate::resource::file;

pub fn run(arguments: &Install) -> Result<Exit> {
    let folder = match &arguments.to {
        Some(folder) => folder.clone(),
        None => Home::locate(&Env::of_process())?.path.join(".local/bin"),
    };
    let path = std::path::absolute(folder.join("pushready"))
        .map_err(|error| Error::io("find", &folder, &error).exit(Exit::NotReady))?;
    let running = Path::new("/proc/self/exe");
    let bytes = std::fs::read(running)
        .map_err(|error| Error::io("read", running, &error).hint("mount /proc, by which it finds itself"))?;
    let there = std::fs::metadata(&path).is_ok_and(|it| it.permissions().mode() & 0o100 != 0);
    if there && std::fs::read(&path).is_ok_and(|there| there == bytes) {
        print(&format!("`{}` is this version already\n", plain(&path.to_string_lossy())));
        return Ok(Exit::Ready);
    }
    file::write_program(&path, &bytes).map_err(|error| {
        Error::io("install", &path, &error).hint("choose another folder with --to DIR").exit(Exit::NotReady)
    })?;
    print(&format!("installed `{}`\n", plain(&path.to_string_lossy())));
    Ok(Exit::Ready)
}
