//! `pushready install`: copies the running binary; an image from scratch has no `cp`.

use super::print;
use crate::cli::Install;
use crate::env::Env;
use crate::error::{Error, Exit, Result};
use crate::home::Home;
use crate::resource::file;

pub fn run(arguments: &Install) -> Result<Exit> {
    let folder = match &arguments.to {
        Some(folder) => folder.clone(),
        None => Home::locate(&Env::of_process())?.path.join(".local/bin"),
    };
    let path = folder.join("pushready");
    let running = std::path::Path::new("/proc/self/exe");
    let bytes = std::fs::read(running).map_err(|error| Error::io("read", running, &error))?;
    if std::fs::read(&path).is_ok_and(|there| there == bytes) {
        print(&format!("`{}` is this version already\n", path.display()));
        return Ok(Exit::Ready);
    }
    file::write(&path, &bytes, 0o755).map_err(|error| {
        Error::io("install", &path, &error).hint("choose another folder with --to DIR").exit(Exit::NotReady)
    })?;
    print(&format!("installed `{}`\n", path.display()));
    Ok(Exit::Ready)
}
