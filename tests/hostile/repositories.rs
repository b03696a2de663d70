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

#[test]
fn configurations() {
    sandbox(|ws| hold(ws, CONFIGURATIONS));
}
