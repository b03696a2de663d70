//! The offline depth: files and configuration, as few children as suffice, and no network.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::{Lab, URL};
use crate::support::{Cmd, KeyPair, Workspace, require, sandbox};

/// What a run started and connected to.
struct Trace {
    /// As each wrapper noted itself.
    children: Vec<String>,
    /// As strace saw it, who of pushready sees no more than numbers.
    calls: String,
}

impl Trace {
    fn of(lab: &Lab, arguments: &[&str]) -> Self {
        require("strace");
        let [calls, children] = ["/tmp/calls", "/tmp/children"];
        fs::write(children, "").unwrap();
        let doctor = lab.ws.pushready(&["doctor"]).args(arguments).current_dir("src/app");
        let strace = ["-f", "-qq", "-e", "trace=execve,socket", "-e", "signal=none", "-o", calls];
        doctor.wrapped_in("strace", strace).run().success();
        let mut children: Vec<_> =
            fs::read_to_string(children).unwrap().lines().map(str::to_owned).collect();
        children.sort();
        Self { children, calls: fs::read_to_string(calls).unwrap() }
    }

    /// How many programs pushready itself started: of a process that nobody may trace, strace sees
    /// no arguments.
    fn started(&self) -> usize {
        // the wrappers are first in PATH; a call that another thread interrupts has its end on
        // another line
        let calls = self.calls.lines().filter(|line| line.contains("execve(0x"));
        calls.map(|line| line.split(' ').next()).collect::<BTreeSet<_>>().len()
    }
}

#[test]
fn no_child_that_is_not_needed_and_no_network() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        for name in ["git", "ssh"] {
            let note = "for word; do case $word in cat-file|rev-list|merge-base|var|remote|config|diff-index|for-each-ref|ls-files|-G) printf '%s' \" $word\" ;; esac; done";
            let script = format!(
                "#!/bin/sh\necho \"{name}$({note})\" >>/tmp/children\nexec /usr/bin/{name} \"$@\"\n"
            );
            ws.install(name, &script);
        }
        let trace = Trace::of(&lab, &["--offline"]);
        // git's configuration, the index, its objects and the attributes, what no remote has and where that begins, what HEAD is, where a push goes and whether it would be
        // refused there as of the last fetch (one question), where the clone's remotes lead, the author, who is the committer too; the home that ssh uses, and the key that it chooses
        assert_eq!(
            trace.children,
            [
                "git config",
                "git diff-index",
                "git for-each-ref",
                "git ls-files",
                "git remote",
                "git rev-list",
                "git rev-list",
                "git rev-list",
                "git var",
                "ssh -G",
                "ssh -G"
            ],
            "{}",
            trace.calls
        );
        assert_eq!(trace.started(), trace.children.len(), "{}", trace.calls);
        assert!(!trace.calls.contains("AF_INET"), "{}", trace.calls);
        // and the sight is keen enough to see it
        let online = Trace::of(&lab, &["--only", "push"]);
        assert!(online.calls.contains("AF_INET"), "{}", online.calls);
        assert!(online.started() > online.children.len() / 2, "{}", online.calls);
    });
}

/// A home with a few keys on two hosts.
fn home_with_keys(ws: &Workspace) -> Vec<String> {
    let repositories: Vec<_> = (0..KEYS)
        .map(|number| format!("{}/acme/app{number}", ["github.com", "gitlab.com"][number % 2]))
        .collect();
    let key = |name: &String| (name.clone(), KeyPair::generate("k").private.into());
    let keys: serde_json::Map<_, _> = repositories.iter().map(key).collect();
    let apply = ws.pushready(&["apply"]);
    apply.env("PUSHREADY_DEPLOY_KEYS", json!(keys).to_string()).run().success();
    repositories
}

const KEYS: usize = 6;
const CONFIG: &str = ".local/state/pushready/ssh_config";

/// How many checks of the routes there were, how many failed, and with which codes.
fn verdict(doctor: Cmd) -> (usize, usize, BTreeSet<String>) {
    let report = doctor.run().json();
    let checks = report["checks"].as_array().unwrap();
    let routes = checks.iter().filter(|check| check["id"] == "ssh.route");
    let is_wrong =
        |check: &&serde_json::Value| check["status"] == "fail" || check["status"] == "warn";
    let failed = routes.clone().filter(|check| is_wrong(check)).count();
    let codes = checks.iter().filter_map(|check| Some(check["code"].as_str()?.to_owned()));
    (routes.count(), failed, codes.collect())
}

/// ssh starts a process for each key of the host. It is asked about a repository that exists nowhere,
/// and the others follow from that, where files are as apply writes them and no other configuration
/// makes a difference.
#[test]
fn ssh_starts_one_process_for_all_keys() {
    sandbox(|ws| {
        require("strace");
        home_with_keys(ws);
        let routes = |change: &dyn Fn()| {
            change();
            let doctor = ws.pushready(&["doctor", "--offline", "--json", "--only", "ssh"]);
            let calls = "/tmp/calls";
            let options = ["-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", calls];
            let found = verdict(doctor.wrapped_in("strace", options));
            let calls = fs::read_to_string(calls).unwrap();
            let asked = calls.lines().filter(|line| line.contains("\"ssh-match\""));
            assert_eq!((found.0, &found.2), (KEYS, &BTreeSet::new()), "{calls}");
            asked.count()
        };
        assert_eq!(routes(&|| ()), 1);
        // of a host that is treated otherwise ssh is asked, and starts a process for each key on it
        let config = ws.read(".ssh/config");
        let own = "Host git*.com !github.com\n  Compression yes\n";
        assert_eq!(
            routes(&|| ws.write(".ssh/config", format!("{config}{own}"), 0o600)),
            1 + KEYS / 2 + KEYS / 2
        );
        assert_eq!(
            routes(&|| ws.write(".ssh/config", format!("{config}Host GitLab.com\n"), 0o600)),
            1 + KEYS / 2
        );
        assert_eq!(
            routes(&|| ws.write(".ssh/config", format!("{config}Host *\n  Port 22\n"), 0o600)),
            1
        );
        // what depends on a program is not known from the text
        let own = "Match exec true\n  Compression yes\n";
        assert_eq!(routes(&|| ws.write(".ssh/config", format!("{config}{own}"), 0o600)), 1 + KEYS);
    });
}

/// What it would do at a server is asked of ssh only where the repository that exists nowhere does not
/// show it.
#[test]
fn ssh_starts_no_process_beside_those_of_its_connections() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let asked = |arguments: &[&str]| {
            let trace = Trace::of(&lab, arguments);
            trace.calls.lines().filter(|line| line.contains("\"ssh-match\"")).count()
        };
        // about that repository, and for one connection
        assert_eq!(asked(&["--only", "push"]), 2);
        lab.append(".ssh/config", "\nHost github.com\n  Compression yes\n");
        assert_eq!(asked(&["--only", "push"]), 3);
    });
}

type Damage = fn(&Workspace);

/// What was asked about one repository for all of them hides nothing that is found where ssh is asked
/// about each.
#[test]
fn the_answer_for_all_keys_hides_nothing() {
    let damages: &[(&str, usize, Damage)] = &[
        ("nothing", 0, |_| ()),
        ("a key of the user above ours", KEYS, |ws| above(ws, "IdentityFile ~/.ssh/mine\n")),
        ("the same for one host", KEYS / 2, |ws| {
            above(ws, "Host github.com\n  IdentityFile ~/.ssh/mine\nHost *\n");
        }),
        ("the same by a program", KEYS / 2, |ws| {
            above(ws, "Match host gitlab.com exec true\n  IdentityFile ~/.ssh/mine\nMatch all\n");
        }),
        ("the same in a file that is included", KEYS / 2, |ws| {
            ws.write(".ssh/more", "Host gitlab.com\n  IdentityFile ~/.ssh/mine\n", 0o600);
            above(ws, "Include more\n");
        }),
        ("the Include is in a block of another host", KEYS, |ws| above(ws, "Host other\n")),
        ("the Include is in a block of one host", KEYS / 2, |ws| above(ws, "Host github.com\n")),
        ("the Include is gone", KEYS, |ws| ws.write(".ssh/config", "", 0o600)),
        ("an option that closes the input of one host", 0, |ws| {
            below(ws, "Host github.com\n  StdinNull yes\n");
        }),
        ("the same by the user", 0, |ws| {
            below(ws, "Match originalhost gitlab.com user git\n  StdinNull yes\n");
        }),
        ("the same by a name that replaces the host's", 0, |ws| {
            below(ws, "Host *\n  HostName x.%h\nMatch host x.github.com\n  StdinNull yes\n");
        }),
        ("the same for all", 0, |ws| below(ws, "Host *\n  StdinNull yes\n")),
        ("a line that ssh does not know", 0, |ws| below(ws, "Host x\n  Bogus yes\n")),
        ("another block of ours", 1, |ws| {
            let config = ws.read(CONFIG);
            let first = config.replacen("/keys/", "/other/", 1);
            ws.write(CONFIG, first, 0o600);
        }),
        ("another route", 1, |ws| {
            let routes = ".local/state/pushready/routes";
            ws.write(routes, ws.read(routes).replacen("/app1\n", "/app7\n", 1), 0o600);
        }),
        ("the routes are gone", KEYS, |ws| {
            fs::remove_file(ws.home().join(".local/state/pushready/routes")).unwrap();
        }),
        ("our program is gone", KEYS, |ws| {
            fs::remove_file(ws.home().join(".local/state/pushready/bin/pushready")).unwrap();
        }),
        ("our program is another one", KEYS, |ws| {
            let program = ".local/state/pushready/bin/pushready";
            ws.write(program, "#!/bin/sh\nexit 1\n", 0o700);
        }),
    ];
    sandbox(|ws| {
        let repositories = home_with_keys(ws);
        ws.write(".ssh/mine", KeyPair::generate("mine").private, 0o600);
        ws.cmd("cp").args(["-a", "/home/coder", "/srv/healthy"]).run().success();
        let offline = || ws.pushready(&["doctor", "--offline", "--json", "--only", "ssh"]);
        let compare = |what: &str, failed: usize, doctor: &dyn Fn() -> Cmd| {
            let all = verdict(doctor());
            let mut each = (0, 0, BTreeSet::new());
            for repository in &repositories {
                let (count, failed, codes) = verdict(doctor().args(["--repo", repository]));
                each.0 += count;
                each.1 += failed;
                each.2.extend(codes);
            }
            assert_eq!(all, each, "{what}");
            assert_eq!(all.1, failed, "{what} {all:?}");
        };
        for (what, failed, damage) in damages {
            ws.cmd("sh")
                .args(["-c", "rm -r ~/.ssh ~/.local && cp -a /srv/healthy/. ~"])
                .run()
                .success();
            damage(ws);
            compare(what, *failed, &offline);
        }
        ws.cmd("sh")
            .args(["-c", "rm -r ~/.ssh ~/.local && cp -a /srv/healthy/. ~"])
            .run()
            .success();
        compare("a shell that runs nothing", KEYS, &|| offline().env("SHELL", "/bin/false"));
    });
}

fn above(ws: &Workspace, lines: &str) {
    ws.write(".ssh/config", format!("{lines}{}", ws.read(".ssh/config")), 0o600);
}

fn below(ws: &Workspace, lines: &str) {
    ws.write(".ssh/config", format!("{}{lines}", ws.read(".ssh/config")), 0o600);
}

/// Where the ssh on PATH may be anything, each server is asked about.
#[test]
fn ssh_is_asked_once_for_each_server() {
    sandbox(|ws| {
        home_with_keys(ws);
        ws.install("ssh", "#!/bin/sh\necho \"$*\" >>/tmp/ssh\nexec /usr/bin/ssh \"$@\"\n");
        let routes = || {
            fs::write("/tmp/ssh", "").unwrap();
            let report = ws.pushready(&["doctor", "--offline", "--json", "--only", "ssh.route"]);
            let (count, failed, _) = verdict(report);
            assert_eq!(count, KEYS);
            let calls = fs::read_to_string("/tmp/ssh").unwrap();
            (failed, calls.lines().filter(|line| line.contains("'acme/app")).count())
        };
        assert_eq!(routes(), (0, 2));
        // a file that is not as apply writes it proves nothing of the others
        let good = ws.read(CONFIG);
        let last = good.rfind("/keys/").unwrap();
        let last = good[..last].rfind("/keys/").unwrap();
        let (kept, changed) = good.split_at(last);
        ws.write(CONFIG, format!("{kept}{}", changed.replacen("/keys/", "/other/", 1)), 0o600);
        assert_eq!(routes(), (1, KEYS));
        ws.write(CONFIG, &good, 0o600);
        // nor does a server on which ssh does not choose the first key
        above(ws, "Host github.com\n  IdentityFile ~/.ssh/mine\nHost *\n");
        ws.write(".ssh/mine", KeyPair::generate("mine").private, 0o600);
        assert_eq!(routes(), (KEYS / 2, 1 + KEYS / 2));
    });
}

/// Neither waits for the other for long, and the verdict that stays is a whole one.
#[test]
fn two_at_once_both_end_well() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let doctors: Vec<_> = (0..4).map(|_| lab.doctor(&[]).spawn()).collect();
        let apply = lab.apply().spawn();
        for child in doctors.into_iter().chain([apply]) {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        }
        let verdict: serde_json::Value =
            serde_json::from_str(&ws.read(".local/state/pushready/doctor.json")).unwrap();
        assert_eq!(verdict["overall"], "pass");
        assert!(verdict["examined"].to_string().contains(URL));
        // after a removal no late verdict brings the state folder back
        let doctors: Vec<_> = (0..4).map(|_| lab.doctor(&["--offline"]).spawn()).collect();
        ws.run(&["remove"]).success();
        for child in doctors {
            child.wait_with_output().unwrap();
        }
        let state = ws.home().join(".local/state/pushready");
        assert!(!state.exists(), "{:?}", fs::read_dir(state).map(Iterator::count));
    });
}

#[test]
fn a_fifo_where_a_file_belongs_hangs_no_command() {
    sandbox(|ws| {
        let lab = Lab::new(ws);
        let state = ".local/state/pushready";
        for path in [".ssh/known_hosts", ".codex/models_cache.json", &format!("{state}/gitconfig")]
        {
            lab.fresh();
            let place = ws.home().join(path);
            fs::remove_file(&place).ok();
            ws.cmd("mkfifo").arg(&place).run().success();
            // ssh itself reads known_hosts only when it connects; git would read its configuration,
            // which is not ours to fix
            let only =
                if path.ends_with("gitconfig") { "codex,ssh" } else { "codex,ssh,git,leaks" };
            let doctor = lab
                .doctor(&["--offline", "--only", only])
                .current_dir("/")
                .wrapped_in("timeout", ["20"]);
            let output = doctor.run();
            assert!(matches!(output.status.code(), Some(0 | 1)), "{path}\n{output}");
        }
        // the lock of the state folder
        lab.fresh();
        let lock = ws.home().join(state).join("lock");
        fs::remove_file(&lock).unwrap();
        ws.cmd("mkfifo").arg(&lock).run().success();
        lab.apply().wrapped_in("timeout", ["20"]).run().fails(3);
    });
}
