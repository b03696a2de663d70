//! Is a module of a Python installed? Its folders are looked at as Python finds them (site.py); it
//! is not run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::resource::file;

/// Where the modules of a Python are, of which something was read that may name others.
struct Folders {
    folders: Vec<PathBuf>,
    are_all: bool,
}

/// Whether `python -m MODULE` would find it. `None`: that is not known.
pub fn has_module(python: &Path, module: &str, top: &Path, env: &Env, home: &Path) -> Option<bool> {
    let name = module.split('.').next().filter(|name| is_name(name))?;
    let mut all = of_python(python, name, env, home)?;
    all.folders.push(top.to_owned());
    if all.folders.iter().any(|folder| contains(folder, name)) {
        return Some(true);
    }
    all.are_all.then_some(false)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A package, a file, or a compiled one with the name of its machine in its own.
fn contains(folder: &Path, name: &str) -> bool {
    if folder.join(name).is_dir() || folder.join(format!("{name}.py")).is_file() {
        return true;
    }
    let start = format!("{name}.");
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|it| it.to_str().is_some_and(|it| it.starts_with(&start)))
}

fn of_python(python: &Path, module: &str, env: &Env, home: &Path) -> Option<Folders> {
    if env.raw("PYTHONHOME").is_some() || env.raw("PYTHONUSERBASE").is_some() {
        return None;
    }
    let real = python.canonicalize().ok()?;
    let version = real.file_name()?.to_str()?.strip_prefix("python")?;
    let is_version = version.split('.').count() == 2
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    // a script that starts another one has another name, or is not a program
    if !is_version || !file::head(&real, 4).is_ok_and(|start| start == b"\x7fELF") {
        return None;
    }
    let named = format!("python{version}");
    let base = real.parent()?.parent()?;
    let library = base.join("lib").join(&named);
    if !library.join("os.py").is_file() {
        return None;
    }
    let mut sites = Vec::new();
    let mut folders = vec![library.join("lib-dynload"), library.clone()];
    let environment = python.parent()?.parent()?;
    let settings = environment.join("pyvenv.cfg");
    let is_environment = settings.is_file();
    let settings = file::text(&settings).to_ascii_lowercase().replace([' ', '\t'], "");
    if is_environment {
        sites.push(environment.join("lib").join(&named).join("site-packages"));
    }
    if !is_environment || settings.contains("include-system-site-packages=true") {
        // Debian's are named otherwise (its site.py)
        let bases = [base.to_owned(), base.join("local")];
        for base in bases {
            let library = base.join("lib").join(&named);
            sites.extend([library.join("site-packages"), library.join("dist-packages")]);
        }
        sites.push(base.join("lib/python3/dist-packages"));
        sites.push(home.join(".local/lib").join(&named).join("site-packages"));
    }
    if let Some(named) = env.raw("PYTHONPATH") {
        folders.extend(std::env::split_paths(&named));
    }
    let mut are_all = true;
    for site in &sites {
        let named = named_by_site(site, module);
        are_all &= named.are_all;
        folders.extend(named.folders);
    }
    folders.extend(sites);
    Some(Folders { folders, are_all })
}

/// The folders that files `*.pth` of a site name. Their other lines are run by Python.
fn named_by_site(site: &Path, module: &str) -> Folders {
    /// What a line has that lets Python find modules elsewhere: those of packages that are being
    /// edited, and what adds folders.
    const FINDING: &[&str] =
        &["addsitedir", "editable", "finder", "loader", "meta_path", "sys.path"];
    let mut found = Folders { folders: Vec::new(), are_all: true };
    let entries = fs::read_dir(site).into_iter().flatten().filter_map(Result::ok);
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.extension().is_none_or(|end| end != "pth") {
            continue;
        }
        let is_of_module = name.replace('-', "_").contains(module);
        for line in file::text(&path).lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with("import ") || line.starts_with("import\t") {
                let mut finding = FINDING.iter().chain([&module]);
                found.are_all &= !is_of_module && !finding.any(|it| line.contains(it));
            } else if !line.trim().is_empty() {
                found.folders.push(site.join(line.trim_end()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_module_is_found_where_python_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, content: &[u8]| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("usr/bin/python3.11", b"\x7fELF");
        symlink("python3.11", root.join("usr/bin/python3")).unwrap();
        for path in [
            "usr/lib/python3.11/os.py",
            "usr/lib/python3.11/lib-dynload/_ssl.cpython-311.so",
            "usr/lib/python3/dist-packages/of_debian/x",
            "usr/local/lib/python3.11/dist-packages/of_pip.py",
            "home/.local/lib/python3.11/site-packages/of_user.py",
            "app/of_top.py",
            "path/of_path.py",
            "edited/of_pth.py",
        ] {
            write(path, b"");
        }
        let line = format!("# x\n{}\n", root.join("edited").display());
        write("usr/lib/python3/dist-packages/x.pth", line.as_bytes());
        write("usr/lib/python3/dist-packages/distutils-precedence.pth", b"import os; x = 1");
        write("env/pyvenv.cfg", b"home = /x\n");
        fs::create_dir_all(root.join("env/bin")).unwrap();
        symlink(root.join("usr/bin/python3"), root.join("env/bin/python")).unwrap();
        write("env/lib/python3.11/site-packages/of_env/x", b"");
        write("other/pyvenv.cfg", b"include-system-site-packages = true\n");
        fs::create_dir_all(root.join("other/bin")).unwrap();
        symlink(root.join("usr/bin/python3"), root.join("other/bin/python")).unwrap();
        write("other/lib/python3.11/site-packages/__editable__.pth", b"import finder; x()\n");
        write("shim/python3", b"#!/bin/sh\n");
        let path = root.join("path");
        let env = Env::of(&[("PYTHONPATH", path.to_str().unwrap())]);
        for (python, module, expected) in [
            ("usr/bin/python3", "black", Some(false)),
            ("usr/bin/python3", "os.path", Some(true)),
            ("usr/bin/python3", "_ssl", Some(true)),
            ("usr/bin/python3", "of_debian", Some(true)),
            ("usr/bin/python3", "of_pip", Some(true)),
            ("usr/bin/python3", "of_user", Some(true)),
            ("usr/bin/python3", "of_top", Some(true)),
            ("usr/bin/python3", "of_path", Some(true)),
            ("usr/bin/python3", "of_pth", Some(true)),
            ("usr/bin/python3", "of_env", Some(false)),
            ("usr/bin/python3", "$X", None),
            ("env/bin/python", "of_env", Some(true)),
            ("env/bin/python", "of_pip", Some(false)),
            ("env/bin/python", "os", Some(true)),
            ("other/bin/python", "of_pip", Some(true)),
            // what the line with `import` finds is not known
            ("other/bin/python", "black", None),
            ("shim/python3", "black", None),
            ("gone/python3", "black", None),
        ] {
            let home = root.join("home");
            let found = has_module(&root.join(python), module, &root.join("app"), &env, &home);
            assert_eq!(found, expected, "{python} {module}");
        }
    }
}
