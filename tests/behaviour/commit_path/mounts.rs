//! Clones on mounts, and of another user: made outside of the sandbox, and mounted into it.

use super::Doctor::{Fails, Green, Warns};
use super::Git::{AddFails, CommitFails, Works};
use super::{Row, at, row, run};
use crate::support::{is_inside, sandbox_with, skip};
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A user of whom the sandbox knows nothing.
const STRANGER: u32 = 4242;

/// A clone with a commit on a branch of its own, which its first push makes at the server.
fn make(folder: &Path, branch: &str) {
    let script = "set -e; git init -q \"$0\"; cd \"$0\"; git checkout -qb \"$1\"
        git remote add origin git@github.com:o/app.git; git config push.autoSetupRemote true
        echo 1 >f; git add f; git -c user.name=D -c user.email=d@example.com commit -qm 1
        git worktree add -q -b \"$1-worktree\" ../worktree 2>/dev/null";
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).arg(folder).arg(branch).stdin(Stdio::null());
    sh.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(sh.status().unwrap().success());
}

fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> {
    walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap().into_path())
}

const READ_ONLY: &[Row] = &[
    row("55 the clone is on a read-only mount", AddFails, Fails("git-clone-unwritable"), |_| {
        at("/srv/mounts/read-only")
    }),
    row("56 .git alone is on a read-only mount", AddFails, Fails("git-clone-unwritable"), |_| {
        at("/srv/mounts/sealed")
    }),
    row("57 a worktree's own folder is read-only", AddFails, Fails("git-clone-unwritable"), |_| {
        at("/srv/mounts/worktree")
    }),
    row("the worktree of a clone whose .git is writable", Works, Green, |_| {
        at("/srv/mounts/writable")
    }),
    row("all but .git is read-only", CommitFails, Warns("git-clone-unwritable"), |_| {
        at("/srv/mounts/files")
    }),
    row("the index is a mount of its own", AddFails, Fails("git-clone-unwritable"), |_| {
        at("/srv/mounts/index")
    }),
    row("the branch is a mount of its own", CommitFails, Fails("git-clone-unwritable"), |_| {
        at("/srv/mounts/branch")
    }),
    row("the clone and .git are mounts", Works, Green, |_| at("/srv/mounts/both")),
];

#[test]
fn read_only_mounts() {
    let outside = tempfile::tempdir().unwrap();
    // the worktree names its clone by the path that it has in the sandbox
    let clone = |name: &str| {
        let folder = outside.path().join(name).join("clone");
        if !is_inside() {
            fs::create_dir_all(folder.parent().unwrap()).unwrap();
            make(&folder, name);
            let of_worktree = format!("gitdir: /srv/mounts/{name}/.git/worktrees/worktree\n");
            fs::write(folder.with_file_name("worktree").join(".git"), of_worktree).unwrap();
        }
        folder.display().to_string()
    };
    let (read_only, sealed, shared) = (clone("read-only"), clone("sealed"), clone("shared"));
    let worktree = Path::new(&shared).with_file_name("worktree").display().to_string();
    let writable = clone("writable");
    let (files, index, branch, both) =
        (clone("files"), clone("index"), clone("branch"), clone("both"));
    let head = ".git/refs/heads/branch";
    let arguments = [
        ["--ro-bind", &read_only, "/srv/mounts/read-only"],
        ["--bind", &sealed, "/srv/mounts/sealed"],
        ["--ro-bind", &format!("{sealed}/.git"), "/srv/mounts/sealed/.git"],
        ["--bind", &shared, "/srv/mounts/shared"],
        [
            "--ro-bind",
            &format!("{shared}/.git/worktrees/worktree"),
            "/srv/mounts/shared/.git/worktrees/worktree",
        ],
        ["--bind", &worktree, "/srv/mounts/worktree"],
        ["--bind", &writable, "/srv/mounts/writable"],
        ["--ro-bind", &files, "/srv/mounts/files"],
        ["--bind", &format!("{files}/.git"), "/srv/mounts/files/.git"],
        ["--bind", &index, "/srv/mounts/index"],
        ["--bind", &format!("{index}/.git/index"), "/srv/mounts/index/.git/index"],
        ["--bind", &branch, "/srv/mounts/branch"],
        ["--bind", &format!("{branch}/{head}"), &format!("/srv/mounts/branch/{head}")],
        ["--bind", &both, "/srv/mounts/both"],
        ["--bind", &format!("{both}/.git"), "/srv/mounts/both/.git"],
    ];
    sandbox_with(&arguments.concat(), |ws| run(ws, READ_ONLY));
}

const OF_OTHERS: &[Row] = &[
    row("58 another user's, not writable", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("git config --global safe.directory '*'");
        at("/srv/mounts/closed")
    }),
    row("59 another user's, writable for the group", Works, Green, |lab| {
        lab.sh("git config --global safe.directory '*'");
        at("/srv/mounts/open")
    }),
    row(
        "another user's, without safe.directory",
        AddFails,
        Fails("repository-other-owner"),
        |_| at("/srv/mounts/open"),
    ),
];

/// In a sticky folder git replaces no file of another user's, although it may write it.
const STICKY: &[Row] = &[
    row("the index is another user's", AddFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("git config --global safe.directory '*'");
        at("/srv/mounts/index")
    }),
    row("the branch is another user's", CommitFails, Fails("git-clone-unwritable"), |lab| {
        lab.sh("git config --global safe.directory '*'");
        at("/srv/mounts/branch")
    }),
    row("the files are this user's", Works, Green, |lab| {
        lab.sh("git config --global safe.directory '*'");
        at("/srv/mounts/files")
    }),
    row("the folder is this user's", Works, Green, |lab| {
        lab.sh("git config --global safe.directory '*'");
        at("/srv/mounts/folder")
    }),
];

#[test]
fn sticky_folders() {
    use std::os::unix::fs::PermissionsExt;
    let outside = tempfile::tempdir().unwrap();
    // the parts of the clone that are sticky, and those that are another user's
    let clone = |name: &str, sticky: &str, of_others: &[&str]| {
        let folder = outside.path().join(name).join("clone");
        if !is_inside() {
            fs::create_dir_all(folder.parent().unwrap()).unwrap();
            make(&folder, name);
            for path in paths(&folder.join(".git")) {
                let mode = path.symlink_metadata().unwrap().mode() | 0o066;
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            let open = fs::Permissions::from_mode(0o1777);
            fs::set_permissions(folder.join(sticky), open).unwrap();
            for path in of_others {
                // refused to others than root, which the test notices
                let _ = lchown(folder.join(path), Some(STRANGER), None);
            }
        }
        [folder.display().to_string(), format!("/srv/mounts/{name}")]
    };
    let heads = ".git/refs/heads";
    let clones = [
        clone("index", ".git", &[".git", ".git/index"]),
        clone("branch", heads, &[heads, ".git/refs/heads/branch"]),
        clone("files", ".git", &[".git"]),
        clone("folder", ".git", &[".git/index", ".git/refs/heads/folder"]),
    ];
    let arguments: Vec<&str> =
        clones.iter().flat_map(|[folder, at]| ["--bind", folder, at]).collect();
    sandbox_with(&arguments, |ws| {
        if fs::metadata("/srv/mounts/index/.git/index").unwrap().uid() == 1000 {
            skip("files of another user: needs root");
        }
        run(ws, STICKY);
    });
}

#[test]
fn clones_of_another_user() {
    let outside = tempfile::tempdir().unwrap();
    let clone = |name: &str, group: Option<u32>, is_open: bool| {
        let folder = outside.path().join(name).join("clone");
        if !is_inside() {
            fs::create_dir_all(folder.parent().unwrap()).unwrap();
            make(&folder, name);
            for path in paths(&folder) {
                use std::os::unix::fs::PermissionsExt;
                let mode = path.symlink_metadata().unwrap().mode();
                let mode = if is_open { mode | 0o060 } else { mode };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                // refused to others than root, which the test notices
                let _ = lchown(&path, Some(STRANGER), group);
            }
        }
        folder.display().to_string()
    };
    let (closed, open) = (clone("closed", Some(STRANGER), false), clone("open", None, true));
    let arguments =
        [["--bind", &closed, "/srv/mounts/closed"], ["--bind", &open, "/srv/mounts/open"]];
    sandbox_with(&arguments.concat(), |ws| {
        if fs::metadata("/srv/mounts/closed").unwrap().uid() == 1000 {
            skip("a clone of another user: needs root");
        }
        run(ws, OF_OTHERS);
    });
}
