//! What a clone contains.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::ceiling::{Case, MEBIBYTE, case, fill, hold, provision};
use crate::support::{Cmd, KeyPair, Workspace, sandbox};

/// The largest workflow file that is read.
const WORKFLOW: usize = MEBIBYTE / 2;

/// A clone in `src/app` with one more file, and the doctor in it.
fn doctor(ws: &Workspace, arguments: &[&str], path: &str, text: impl AsRef<[u8]>) -> Cmd {
    ws.git(&["init", "--quiet", "src/app"]).run().success();
    let remote = ["-C", "src/app", "remote", "add", "origin", "git@github.com:acme/app.git"];
    ws.git(&remote).run().success();
    ws.write(&format!("src/app/{path}"), text, 0o644);
    ws.pushready(&["doctor", "--offline", "--json"]).args(arguments).current_dir("src/app")
}

fn workflow(ws: &Workspace, text: String) -> Cmd {
    doctor(ws, &["--only", "actions"], ".github/workflows/a.yml", text)
}

/// `head` defines what `alias` names, as often as it fits into a file.
fn bomb(head: &str, alias: &str) -> String {
    let count = (WORKFLOW - head.len()) / (alias.len() + 2) - 20;
    let aliases = vec![alias; count].join(", ");
    format!("{head}on: push\njobs: {{a: {{runs-on: [{aliases}]}}}}")
}

const BOUNDED: &str = "too large or too deep";
const INVALID: &str = "it is not valid YAML at line 1";
const WORKFLOWS: &[Case] = &[
    case("aliases of a long text", BOUNDED, |ws| {
        workflow(ws, bomb(&format!("x: &x {}\n", fill("y", WORKFLOW / 4)), "*x"))
    }),
    case("aliases of a map", BOUNDED, |ws| {
        workflow(ws, bomb(&format!("x: &x {{{}a: 1}}\n", fill("a: 1, ", 50_000)), "*x"))
    }),
    case("aliases that double", BOUNDED, |ws| {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..40 {
            let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
            let _ = writeln!(text, "a{n}: &a{n} [{aliases}]");
        }
        workflow(ws, text)
    }),
    case("brackets", INVALID, |ws| workflow(ws, fill("[", WORKFLOW))),
    case("braces", INVALID, |ws| workflow(ws, fill("{a: ", WORKFLOW))),
    case("a nested list", BOUNDED, |ws| workflow(ws, fill("- ", WORKFLOW))),
    case("many keys", BOUNDED, |ws| workflow(ws, fill("a:\n", WORKFLOW))),
    case("a workflow of 90 MB", BOUNDED, |ws| workflow(ws, fill("a:\n", 90 * MEBIBYTE))),
    case("braces for actionlint", "actions.workflow-files", |ws| {
        ws.write("src/app/.github/workflows/a.yml", "on: push\njobs: {}", 0o644);
        doctor(ws, &["--only", "actions"], ".github/actionlint.yaml", fill("{a: ", WORKFLOW))
    }),
];

#[test]
fn workflows() {
    sandbox(|ws| hold(ws, WORKFLOWS));
}

/// A file that a client reads of a folder that it trusts.
fn client(ws: &Workspace, path: &str, text: impl AsRef<[u8]>) -> Cmd {
    provision(ws);
    doctor(ws, &["--only", "codex,claude"], path, text)
}

const MANY: &str = "has more keys and values than are read";
const SUBMODULE: &str = "[submodule \"a\"]\n\turl = https://git.example/acme/app\n";
const LEAKS: &[&str] = &["--only", "leaks.remotes"];
const CONFIGURATIONS: &[Case] = &[
    case(".gitmodules of 90 MB", "is larger than 4 MiB", |ws| {
        doctor(ws, &[], ".gitmodules", fill(SUBMODULE, 90 * MEBIBYTE))
    }),
    case(".gitmodules as large as is read", "leaks.remotes", |ws| {
        doctor(ws, LEAKS, ".gitmodules", fill(SUBMODULE, 4 * MEBIBYTE))
    }),
    case(".gitmodules of one line", "leaks.remotes", |ws| {
        doctor(ws, LEAKS, ".gitmodules", fill("[a", 4 * MEBIBYTE))
    }),
    case(
        "a project's config.toml of millions of keys",
        "config.toml` is larger than 1 MiB",
        |ws| {
            let text: String = (0..3_000_000).fold(String::new(), |mut text, n| {
                let _ = writeln!(text, "k{n} = {n}");
                text
            });
            client(ws, ".codex/config.toml", text)
        },
    ),
    case("a project's settings.json of millions of keys", "claude.environment", |ws| {
        let text = format!("{{{}\"a\":1}}", fill("\"env\":{},", 30 * MEBIBYTE));
        client(ws, ".claude/settings.json", text)
    }),
    case("a project's config.toml as large as is read", "codex.config", |ws| {
        let text: String = (0..60_000).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "k{n} = {n}");
            text
        });
        client(ws, ".codex/config.toml", text)
    }),
    case("a project's config.toml that nests", MANY, |ws| {
        client(ws, ".codex/config.toml", format!("a = {}", fill("[", MEBIBYTE - 100)))
    }),
    case("a project's config.toml of one dotted key", MANY, |ws| {
        client(ws, ".codex/config.toml", format!("{}a = 1", fill("a.", MEBIBYTE - 100)))
    }),
    case("a project's config.toml of as many parts as are read", "codex.config", |ws| {
        client(ws, ".codex/config.toml", format!("{}a = 1", fill("a.", 190_000)))
    }),
    case("config.toml in each of 60 nested folders of a project", MANY, |ws| {
        let mut folder = String::new();
        for _ in 0..60 {
            folder.push_str("d/");
            let text = format!("a = [{}]", fill("1,", 150_000));
            ws.write(&format!("src/app/{folder}.codex/config.toml"), text, 0o644);
        }
        let _ = client(ws, "README.md", "");
        ws.pushready(&["doctor", "--offline", "--json", "--only", "codex"])
            .current_dir(format!("src/app/{folder}"))
    }),
    case("a project's settings.json that nests", "claude.environment", |ws| {
        client(ws, ".claude/settings.json", fill("{\"env\":", MEBIBYTE - 100))
    }),
    case("a project's settings.json as large as is read", "claude.environment", |ws| {
        let text: String = (0..60_000).fold("{".to_owned(), |mut text, n| {
            let _ = write!(text, "\"k{n}\":{n},");
            text
        });
        client(ws, ".claude/settings.json", text + "\"a\":1}")
    }),
];

/// A clone with so many remotes of a repository that gets a key.
fn keyed_remotes(ws: &Workspace, url: fn(usize) -> String, arguments: &[&str]) -> Cmd {
    ws.git(&["init", "--quiet", "src/app"]).run().success();
    let path = ws.home().join("src/app/.git/config");
    let mut config = std::fs::read_to_string(&path).unwrap();
    for n in 0..20_000 {
        config.push_str(&url(n));
    }
    std::fs::write(path, config).unwrap();
    let apply = with_key(ws.pushready(&["apply"]));
    if arguments == ["apply"] {
        return apply;
    }
    let _ = apply.run();
    with_key(ws.pushready(arguments).current_dir("src/app"))
}

fn with_key(command: Cmd) -> Cmd {
    static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate("hostile"));
    command
        .env("PUSHREADY_DEPLOY_KEY", &*KEY.private)
        .env("PUSHREADY_REPOSITORY", "git.corp.test/acme/app")
        .env("PUSHREADY_KNOWN_HOSTS", format!("git.corp.test {}", KEY.public))
}

/// A remote of its own.
fn remote(n: usize) -> String {
    format!("[remote \"r{n}\"]\n\turl = https://git.corp.test/acme/app.git\n")
}

/// One remote with many URLs.
fn another_url(_: usize) -> String {
    "[remote \"r\"]\n\turl = https://git.corp.test/acme/app.git\n".to_owned()
}

const REMOTES: &[Case] = &[
    case("20,000 remotes of a repository with a key, apply", "20000 remotes to SSH", |ws| {
        keyed_remotes(ws, remote, &["apply"])
    }),
    case(
        "20,000 URLs of a remote of a repository with a key, apply",
        "20000 remotes to SSH",
        |ws| keyed_remotes(ws, another_url, &["apply"]),
    ),
    case("20,000 remotes of a repository with a key, a second apply", "ready", |ws| {
        keyed_remotes(ws, remote, &["apply", "--json"])
    }),
    case("20,000 remotes of a repository with a key, doctor", "git.remotes", |ws| {
        keyed_remotes(ws, remote, &["doctor", "--offline", "--json"])
    }),
    case("20,000 remotes of a repository with a key, remove", "REMOVED", |ws| {
        keyed_remotes(ws, remote, &["remove"])
    }),
];

#[test]
fn remotes() {
    sandbox(|ws| hold(ws, REMOTES));
}

/// A clone with one more file in its git folder, and the doctor in it.
fn git_folder(ws: &Workspace, path: &str, text: impl AsRef<[u8]>) -> Cmd {
    let command = doctor(ws, &["--only", "git"], "README.md", "");
    ws.write(&format!("src/app/.git/{path}"), text, 0o644);
    command
}

/// `line` with each number.
fn lines(count: usize, line: fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// The size of a file of nothing.
fn sparse(ws: &Workspace, path: &str, mebibytes: u64) {
    let path = ws.home().join("src/app").join(path);
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).write(true).truncate(false).open(path).unwrap();
    file.set_len(mebibytes << 20).unwrap();
}

const NO_BRANCH: &str = "HEAD names no branch and no commit";
const GIT_FOLDERS: &[Case] = &[
    case("150,000 filters", "not all filters", |ws| {
        let text = lines(150_000, |n| format!("*.x filter=f{n}\n"));
        doctor(ws, &["--only", "git.programs"], ".gitattributes", text)
    }),
    case("60 files of attributes of 4 MiB", "git.programs", |ws| {
        for n in 0..60 {
            let text = fill("*.x -text\n", 4 * MEBIBYTE - 100);
            ws.write(&format!("src/app/d{n}/.gitattributes"), text, 0o644);
        }
        doctor(ws, &["--only", "git.programs"], "README.md", "")
    }),
    case("HEAD of 1 MB with 60,000 refs", NO_BRANCH, |ws| {
        let id = "0123456789".repeat(4);
        let refs: String = (0..60_000).map(|n| format!("{id} refs/heads/x{n:06}\n")).collect();
        let _ = git_folder(ws, "packed-refs", refs);
        ws.write(
            "src/app/.git/HEAD",
            format!("ref: refs/heads/{}b\n", fill("a/", MEBIBYTE)),
            0o644,
        );
        ws.pushready(&["doctor", "--offline", "--json", "--only", "git"]).current_dir("src/app")
    }),
    case("HEAD as long as a name may be with 60,000 refs", "git.clone", |ws| {
        let id = "0123456789".repeat(4);
        let refs: String = (0..60_000).map(|n| format!("{id} refs/heads/x{n:06}\n")).collect();
        let _ = git_folder(ws, "packed-refs", refs);
        ws.write("src/app/.git/HEAD", format!("ref: refs/heads/{}b\n", fill("a/", 4000)), 0o644);
        ws.pushready(&["doctor", "--offline", "--json", "--only", "git"]).current_dir("src/app")
    }),
    case("an index that is a FIFO", "the index is damaged", |ws| {
        let command = doctor(ws, &["--only", "git"], "README.md", "");
        ws.sh("mkfifo src/app/.git/index").run().success();
        command
    }),
    case("an index that leads to a FIFO", "the index is damaged", |ws| {
        let command = doctor(ws, &[], "README.md", "");
        ws.sh("mkfifo fifo; ln -s ~/fifo src/app/.git/index").run().success();
        command
    }),
    case("18,000 remotes that have objects", "git.clone", |ws| {
        let remote = |n| format!("[remote \"a{n}\"]\n\tpromisor = true\n\turl = /x\n");
        let head = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = z\n";
        git_folder(ws, "config", head.to_owned() + &lines(18_000, remote))
    }),
    case("alternates of 4 MB", "git.clone", |ws| {
        git_folder(ws, "objects/info/alternates", fill(".\n", 4 * MEBIBYTE - 100))
    }),
    case("300,000 names of workflows", "actions.workflow-files", |ws| {
        let command = doctor(ws, &["--only", "actions"], ".github/workflows/a.yml", "on: push\n");
        let folder = ws.home().join("src/app/.github/workflows");
        for n in 0..300_000 {
            std::fs::File::create(folder.join(format!("w{n}.yml"))).unwrap();
        }
        command
    }),
    case("400,000 files in a folder of the home", "leaks.remotes", |ws| {
        let command = doctor(ws, LEAKS, "README.md", "");
        std::fs::create_dir(ws.home().join("many")).unwrap();
        for n in 0..400_000 {
            std::fs::File::create(ws.home().join(format!("many/{n:060}"))).unwrap();
        }
        command
    }),
    case("an index of 3 million entries", "too large for git to be asked", |ws| {
        let command = doctor(ws, &["--only", "git"], "README.md", "");
        let commit = ["-C", "src/app", "commit", "--quiet", "--allow-empty", "-m", "x"];
        ws.git(&commit).run().success();
        let id = "0123456789".repeat(4);
        let entries: String = (0..3_000_000).map(|n| format!("100644 {id} 0\tf{n:08}\n")).collect();
        ws.write("entries", entries, 0o644);
        ws.sh("git -C src/app update-index --index-info <entries; rm entries").run().success();
        command
    }),
    case("a tree of 2 GiB", "actions.workflow-files", |ws| {
        let command = doctor(ws, &["--only", "git,actions"], ".github/workflows/a.yml", "on: push");
        ws.git(&["-C", "src/app", "add", "."]).run().success();
        ws.git(&["-C", "src/app", "commit", "--quiet", "-m", "x"]).run().success();
        ws.cmd("python3").args(["-c", LARGE_TREE]).current_dir("src/app").run().success();
        command
    }),
    case("files of 8 GiB that git reads", "git.clone", |ws| {
        let command = doctor(ws, &[], "README.md", "");
        for path in [".gitignore", ".gitattributes", ".git/info/exclude", ".git/config.worktree"] {
            sparse(ws, path, 8 << 10);
        }
        command
    }),
    case("HEAD of 8 GiB", NO_BRANCH, |ws| {
        let command = doctor(ws, &[], "README.md", "");
        sparse(ws, ".git/HEAD", 8 << 10);
        command
    }),
    case("packed-refs of 8 GiB", LISTED, |ws| {
        let command = doctor(ws, &[], "README.md", "");
        sparse(ws, ".git/packed-refs", 8 << 10);
        command
    }),
    case("alternates of 8 GiB", "git.clone", |ws| {
        let command = doctor(ws, &[], "README.md", "");
        sparse(ws, ".git/objects/info/alternates", 8 << 10);
        command
    }),
    case("a configuration of 4 million values", "git.clone", |ws| {
        let head = "[core]\n\trepositoryformatversion = 0\n[a]\n";
        git_folder(ws, "config", head.to_owned() + &fill("\tb\n", 16 * MEBIBYTE))
    }),
];

/// Makes the files of HEAD a tree that git takes 2 GiB for, from a loose object of some MB.
const LARGE_TREE: &str = "
import hashlib, os, zlib
def put(kind, size, parts, content=b''):
    name = hashlib.sha1(b'%s %d\\0' % (kind, size) + content).hexdigest()
    os.makedirs('.git/objects/' + name[:2], exist_ok=True)
    packer = zlib.compressobj(1)
    with open('.git/objects/' + name[:2] + '/' + name[2:], 'wb') as file:
        file.write(packer.compress(b'%s %d\\0' % (kind, size)))
        for part in parts: file.write(packer.compress(part))
        file.write(packer.flush())
    return name
entry = b'100644 ' + b'a' * 100 + b'\\0' + b'x' * 20
tree = put(b'tree', len(entry) * (1 << 24), (entry * (1 << 14) for _ in range(1 << 10)))
commit = b'tree %s\\nauthor a <a@b> 1 +0000\\ncommitter a <a@b> 1 +0000\\n\\nx\\n' % tree.encode()
name = put(b'commit', len(commit), [commit], commit)
branch = '.git/' + open('.git/HEAD').read()[5:].strip()
open(branch, 'w').write(name + '\\n')
";

#[test]
fn git_folders() {
    sandbox(|ws| hold(ws, GIT_FOLDERS));
}

#[test]
fn configurations() {
    sandbox(|ws| hold(ws, CONFIGURATIONS));
}

/// So many clones with the same configuration, and what the command says of them.
fn clones(ws: &Workspace, count: usize, config: &str, arguments: &[&str]) -> Cmd {
    let head = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n";
    for n in 0..count {
        let git = format!("src/app{n}/.git");
        for folder in ["objects", "refs"] {
            std::fs::create_dir_all(ws.home().join(&git).join(folder)).unwrap();
        }
        ws.write(&format!("{git}/HEAD"), "ref: refs/heads/main\n", 0o644);
        ws.write(&format!("{git}/config"), format!("{head}{config}"), 0o644);
    }
    with_key(ws.pushready(arguments).current_dir("src/app0"))
}

/// As large as a configuration is read.
const CONFIGURATION: usize = 4 * MEBIBYTE - 100;

/// `[remote "r1"] url = …`, with a name and a URL of its own each.
fn remotes_to(url: fn(usize) -> String, size: usize) -> String {
    let mut text = String::new();
    for n in 0.. {
        let remote = format!("[remote \"r{n}\"]\n\turl = {}\n", url(n));
        if text.len() + remote.len() > size {
            break;
        }
        text.push_str(&remote);
    }
    text
}

fn keyed(_: usize) -> String {
    "https://git.corp.test/acme/app.git".to_owned()
}

fn unkeyed(n: usize) -> String {
    format!("git@127.0.0.{}:o/r{n}", n % 250)
}

fn leaky(n: usize) -> String {
    format!("https://u:secret@h{n}.test/o/r")
}

const OFFLINE: &[&str] = &["doctor", "--offline", "--json", "--all"];
const PUSH: &[&str] = &["doctor", "--json", "--only", "push.read"];
const LEAKS_JSON: &[&str] = &["doctor", "--offline", "--json", "--only", "leaks.remotes"];
const UNREAD: &str = "of all clones together";
const LISTED: &str = "git did not list the remotes of the clone";
const CLONES: &[Case] = &[
    case("40 clones of many variables, apply", UNREAD, |ws| {
        clones(ws, 40, &fill("[a]\nb=c\n", CONFIGURATION), &["apply"])
    }),
    case("12 clones of many variables, doctor --all", UNREAD, |ws| {
        clones(ws, 12, &fill("[a]\nb=c\n", CONFIGURATION), OFFLINE)
    }),
    case("a clone of many variables, leaks", "contains no credential", |ws| {
        clones(ws, 1, &fill("[a]\nb=c\n", CONFIGURATION), LEAKS_JSON)
    }),
    case("4 clones of remotes with a key, apply", UNREAD, |ws| {
        clones(ws, 4, &remotes_to(keyed, CONFIGURATION), &["apply"])
    }),
    case("12 clones of remotes with a key, doctor --all", LISTED, |ws| {
        clones(ws, 12, &remotes_to(keyed, CONFIGURATION), OFFLINE)
    }),
    case("20 clones of remotes with a key, doctor --all", "git.remotes", |ws| {
        clones(ws, 20, &remotes_to(keyed, MEBIBYTE / 20), OFFLINE)
    })
    .with_results(20 * 25),
    case("a clone of remotes of all hosts, doctor", "more places than are asked", |ws| {
        clones(ws, 1, &remotes_to(unkeyed, MEBIBYTE / 4), PUSH)
    })
    .with_results(302),
    case("6 clones of credentials, leaks", "leak-remote-url", |ws| {
        clones(ws, 6, &remotes_to(leaky, CONFIGURATION), LEAKS_JSON)
    }),
    case("24 clones that include a FIFO, apply", "the remotes of 24 clones stay as they", |ws| {
        ws.sh("mkfifo fifo").run().success();
        let config = "[include]\n\tpath = ~/fifo\n".to_owned() + &remotes_to(keyed, 100);
        clones(ws, 24, &config, &["apply"])
    }),
    case("remotes that a rule makes longer, doctor", LISTED, |ws| {
        let rule = format!("[url \"https://h.test/{}\"]\n\tinsteadOf = a:\n", fill("a", MEBIBYTE));
        clones(ws, 8, &(rule + &remotes_to(|n| format!("a:{n}"), MEBIBYTE / 8)), OFFLINE)
    }),
];

#[test]
fn of_all_clones() {
    sandbox(|ws| hold(ws, CLONES));
}
