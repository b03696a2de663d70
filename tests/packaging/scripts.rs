//! The scripts of the project: each prints its help, and does nothing else then.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{ROOT, files, read};

#[test]
fn each_script_prints_its_help_and_does_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let is_started = |file: &Path| {
        let mode = std::fs::metadata(Path::new(ROOT).join(file)).unwrap().permissions().mode();
        file.parent() == Some(Path::new("scripts")) && mode & 0o100 != 0
    };
    let scripts: Vec<_> = files().into_iter().filter(|file| is_started(file)).collect();
    assert!(scripts.len() > 15, "{scripts:?}");
    for script in scripts {
        let name = script.to_str().unwrap();
        // only then is it safe to start
        assert!(read(name).contains("--help"), "{name} has no --help");
        let output = Command::new(Path::new(ROOT).join(&script))
            .arg("--help")
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {output:?}");
        assert!(printed.trim().len() > 50 && !printed.contains("#!"), "{name}: {printed}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{name} left {left:?}");
    }
}
