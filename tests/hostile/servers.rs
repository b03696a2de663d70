//! What servers send: over HTTP as GitHub's API, and over TCP and SSH as a git host.

use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::ceiling::{Case, MEBIBYTE, case, fill, hold, objects};
use crate::support::{Access, CRATE, Cmd, GitHost, Workspace, sandbox};

/// Sends whatever `answer` writes to whoever connects; returns its port. A failed write ends it.
fn serve(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = std::sync::Arc::clone(&answer);
            std::thread::spawn(move || answer(&mut stream));
        }
    });
    port
}

/// Never returns, and keeps the connection.
fn wait() -> ! {
    loop {
        std::thread::park();
    }
}

fn endless(stream: &mut TcpStream, unit: &str) -> std::io::Result<()> {
    let unit = unit.repeat(1 + 65_536 / unit.len());
    loop {
        stream.write_all(unit.as_bytes())?;
    }
}

fn drip(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    for byte in text.bytes().cycle() {
        stream.write_all(&[byte])?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The doctor of a clone of GitHub, whose API answers so, after it has read the request.
fn api(
    ws: &Workspace,
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Cmd {
    let port = serve(move |stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request)?;
        answer(stream)
    });
    ws.git(&["init", "--quiet", "src/app"]).run().success();
    let remote = ["-C", "src/app", "remote", "add", "origin", "git@github.com:acme/app.git"];
    ws.git(&remote).run().success();
    ws.git(&["-C", "src/app", "commit", "--quiet", "--allow-empty", "-m", "x"]).run().success();
    ws.write("src/app/.github/workflows/a.yml", "on: push\njobs: {a: {runs-on: x}}", 0o644);
    let url = format!("http://127.0.0.1:{port}");
    ws.pushready(&["doctor", "--json", "--only", "actions.runs"])
        .env("PUSHREADY_GITHUB_API_URL", &url)
        .env("PUSHREADY_GITHUB_STATUS_URL", &url)
        .env("PUSHREADY_GITHUB_TOKEN", token())
        .current_dir("src/app")
}

/// The tasks on a Coder server that answers so.
fn coder(
    ws: &Workspace,
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Cmd {
    let port = serve(move |stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request)?;
        answer(stream)
    });
    ws.pushready(&["task", "list"])
        .env("CODER_URL", format!("http://127.0.0.1:{port}"))
        .env("CODER_SESSION_TOKEN", "rig-1234567890")
}

/// The same where each answer to a question about chats is one of these lists.
fn chats(ws: &Workspace, list: impl Fn() -> String + Send + Sync + 'static) -> Cmd {
    let port = serve(move |stream| {
        let mut request = [0; 4096];
        let length = stream.read(&mut request)?;
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        if request.contains("/buildinfo") {
            ok(stream, "{\"version\":\"v2.38.5\"}")
        } else if request.contains("/users/me") {
            ok(stream, &format!("{{\"id\":\"{}\",\"username\":\"dev\"}}", id(1)))
        } else if request.contains("/tasks") {
            write!(
                stream,
                "HTTP/1.1 404 Not Found\r\ncontent-length: 30\r\n\r\n{{\"message\":\"Route not found.\"}}"
            )
        } else {
            ok(stream, &list())
        }
    });
    ws.pushready(&["task", "list"])
        .env("CODER_URL", format!("http://127.0.0.1:{port}"))
        .env("CODER_SESSION_TOKEN", "rig-1234567890")
}

fn id(nth: usize) -> String {
    format!("{nth:08}-2222-4333-8444-555555555555")
}

fn chat(nth: usize, title: &str) -> String {
    let id = id(nth);
    let labels = format!("{{\"pushready\":\"1\",\"name\":\"fix-{nth}\"}}");
    format!("{{\"id\":\"{id}\",\"title\":\"{title}\",\"status\":\"waiting\",\"labels\":{labels}}}")
}

/// One more page whenever it is asked.
fn chats_without_end(ws: &Workspace) -> Cmd {
    let next = AtomicUsize::new(1);
    chats(ws, move || {
        let first = next.fetch_add(100, Ordering::SeqCst);
        let page: Vec<_> = (first..first + 100).map(|nth| chat(nth, "fix")).collect();
        format!("[{}]", page.join(","))
    })
}

fn token() -> String {
    format!("{}{}", concat!("gh", "p_"), "a1B2".repeat(9))
}

fn ok(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

const HTTP: &[Case] = &[
    case("no answer", "actions.runs", |ws| api(ws, |_| wait())),
    case("a byte at a time", "actions.runs", |ws| {
        api(ws, |stream| drip(stream, "HTTP/1.1 200 OK\r\nx: y\r\n"))
    }),
    case("endless headers", "actions.runs", |ws| {
        api(ws, |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            endless(stream, "x: y\r\n")
        })
    }),
    case("an endless header", "actions.runs", |ws| {
        api(ws, |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\nx: ")?;
            endless(stream, "y")
        })
    }),
    case("an endless status line", "actions.runs", |ws| api(ws, |stream| endless(stream, "H"))),
    case("an endless body", "actions.runs", |ws| {
        api(ws, |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
            endless(stream, "[")
        })
    }),
    case("endless chunks", "actions.runs", |ws| {
        api(ws, |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            endless(stream, "1\r\n[\r\n")
        })
    }),
    case("a body that lies about its length", "actions.runs", |ws| {
        api(ws, |stream| write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n[]"))
    }),
    case("8 MB of JSON", "actions.runs", |ws| {
        let body = format!("{{\"workflow_runs\":[{}1]}}", fill("{\"id\":1},", 8 * MEBIBYTE));
        api(ws, move |stream| ok(stream, &body))
    }),
    case("as much JSON as is read", "actions.runs", |ws| {
        let run = "{\"id\":1,\"name\":\"a\",\"path\":\"b\"},";
        let body = format!("{{\"workflow_runs\":[{}1]}}", fill(run, 4 * MEBIBYTE - 100));
        api(ws, move |stream| ok(stream, &body))
    }),
    case("JSON of short values", "actions.runs", |ws| {
        let body = format!("{{\"labels\":[{}1]}}", fill("1,", 4 * MEBIBYTE - 100));
        api(ws, move |stream| ok(stream, &body))
    }),
    case("JSON of small objects from Coder", "larger than what is read", |ws| {
        let body = objects(4 * MEBIBYTE - 100);
        coder(ws, move |stream| ok(stream, &body))
    })
    .with_status(3),
    case("an answer of Coder without an end", "cannot use the Coder server", |ws| {
        coder(ws, |stream| {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
            endless(stream, "[")
        })
    })
    .with_status(3),
    case("a name of 70,000 characters", "nnn", |ws| {
        let name = fill("n", 70_000);
        chats(ws, move || format!("[{}]", chat(1, "fix").replace("fix-1", &name)))
    })
    .with_results(30),
    case("a list of chats without an end", "longer than what is read", chats_without_end)
        .with_status(3),
    case("a title of as much as is read", "fix-1", |ws| {
        let title = fill("a", 32 * MEBIBYTE - 1000);
        chats(ws, move || format!("[{}]", chat(1, &title)))
    }),
    case("JSON that nests", "actions.runs", |ws| {
        let body = fill("{\"workflow_runs\":[", 4 * MEBIBYTE - 100);
        api(ws, move |stream| ok(stream, &body))
    }),
    case("a proxy that drips", "actions.runs", |ws| {
        api(ws, |stream| drip(stream, "HTTP/1.1 200 OK\r\nX: "))
            .env("PUSHREADY_GITHUB_API_URL", "https://api.example.test")
            // the server is asked as a proxy
            .wrapped_in("sh", ["-c", "HTTPS_PROXY=$PUSHREADY_GITHUB_STATUS_URL exec \"$@\"", "sh"])
    }),
    case("a redirect in a circle", "actions.runs", |ws| {
        api(ws, |stream| {
            write!(stream, "HTTP/1.1 302 X\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n")
        })
    }),
    case("a link to a next page without end", "actions.runs", |ws| {
        api(ws, |stream| {
            let body = "{\"total_count\":99,\"workflow_runs\":[{\"id\":1}]}";
            let link = "link: </repos/acme/app/actions/runs?page=2>; rel=\"next\"";
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\n{link}\r\ncontent-length: {length}\r\n\r\n{body}")
        })
    }),
    case("no HTTP", "actions.runs", |ws| api(ws, |stream| stream.write_all(&vec![0xff; 1 << 16]))),
];

#[test]
fn of_http() {
    sandbox(|ws| hold(ws, HTTP));
}

static ELSEWHERE: AtomicUsize = AtomicUsize::new(0);

/// A redirect to another origin is not followed, with or without the token.
#[test]
fn a_redirect_to_another_origin_is_not_followed() {
    sandbox(|ws| {
        let other = serve(|stream| {
            ELSEWHERE.fetch_add(1, Ordering::SeqCst);
            ok(stream, "{}")
        });
        let output = api(ws, move |stream| {
            let target = format!("http://127.0.0.1:{other}/repos/acme/app");
            write!(stream, "HTTP/1.1 301 X\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n")
        })
        .run();
        assert!(output.stdout.contains("redirected to another host"), "{output}");
        assert_eq!(ELSEWHERE.load(Ordering::SeqCst), 0, "{output}");
        assert!(!output.to_string().contains(&token()), "{output}");
    });
}

/// The doctor of a repository on a git host that answers so before any login.
fn git_host(
    ws: &Workspace,
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Cmd {
    let port = serve(answer);
    let url = format!("ssh://git@127.0.0.1:{port}/acme/app.git");
    ws.pushready(&["doctor", "--json", "--only", "push", "--repo", &url])
}

/// A real sshd that lets our key in, and answers with this text instead of a repository.
fn refusal(ws: &Workspace, text: &str) -> Cmd {
    let host = GitHost::start();
    host.repository("acme/app");
    let key = host.deploy_key("acme/app", Access::Write);
    host.refuse("acme/app", text);
    ws.pushready(&["apply"])
        .env("PUSHREADY_DEPLOY_KEY", &*key.private)
        .env("PUSHREADY_REPOSITORY", "acme/app")
        .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
        .run()
        .success();
    ws.pushready(&["doctor", "--json", "--only", "push,ssh"])
}

const SSH: &[Case] = &[
    case("no banner", "push.write", |ws| git_host(ws, |_| wait())),
    case("a banner of a byte at a time", "push.write", |ws| {
        git_host(ws, |stream| drip(stream, "SSH-2.0-x"))
    }),
    case("an endless banner", "push.write", |ws| git_host(ws, |stream| endless(stream, "x\r\n"))),
    case("an endless version", "push.write", |ws| {
        git_host(ws, |stream| endless(stream, "SSH-2.0-"))
    }),
    case("a key exchange of noise", "push.write", |ws| {
        git_host(ws, |stream| {
            write!(stream, "SSH-2.0-x\r\n")?;
            endless(stream, "\x00\x00\x7f\x10\x04")
        })
    }),
];

const REFUSALS: &[Case] =
    &[case("a refusal of 8 MB", "push.write", |ws| refusal(ws, &fill("a b c\n", 8 * MEBIBYTE)))];

/// A real sshd whose repository has this commit: it is fetched where the doctor pushes.
fn with_commit(ws: &Workspace, make: &str) -> Cmd {
    let host = GitHost::start();
    host.repository("acme/app");
    let key = host.deploy_key("acme/app", Access::Write);
    ws.pushready(&["apply"])
        .env("PUSHREADY_DEPLOY_KEY", &*key.private)
        .env("PUSHREADY_REPOSITORY", "acme/app")
        .env("PUSHREADY_KNOWN_HOSTS", host.known_hosts(&["github.com"]))
        .run()
        .success();
    let setup = format!(
        "git config --global user.name a && git config --global user.email a@b &&
        git clone --quiet git@github.com:acme/app.git src/app && cd src/app && {make} &&
        git add . && git commit --quiet -m x && git push --quiet origin HEAD"
    );
    ws.sh(&setup).run().success();
    ws.pushready(&["doctor", "--live", "--json", "--only", "push.live"]).current_dir("src/app")
}

/// The same where the host has a commit of a file of 1 GB, which it sends as a delta of a small one.
fn with_delta(ws: &Workspace) -> Cmd {
    let doctor = with_commit(ws, "touch small");
    let bare = "/srv/git/acme/app.git";
    ws.cmd("python3")
        .arg(format!("{CRATE}/tests/hostile/deltas.py"))
        .args([bare, "1000000000"])
        .run()
        .success();
    doctor
}

const PUSHED: &str = "a throw-away branch was pushed and deleted";

const FETCHED: &[Case] = &[case("a file of 400 MB that packs well", PUSHED, |ws| {
    with_commit(ws, "head -c 400000000 /dev/zero >large")
})];

const DELTA: &[Case] = &[case("a file of 1 GB that is a delta", PUSHED, with_delta)];

/// The doctor of a clone whose remote is a server of git over HTTP that answers so, after the beginning
/// of a list of refs.
fn web_host(
    ws: &Workspace,
    arguments: &[&str],
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Cmd {
    let port = serve(move |stream| {
        let mut request = [0; 4096];
        let length = stream.read(&mut request)?;
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        let pushes = request.contains("git-receive-pack");
        let service = if pushes { "git-receive-pack" } else { "git-upload-pack" };
        let announced = packet(&format!("# service={service}\n"));
        let first = packet(&format!("{COMMIT} HEAD\0report-status delete-refs\n"));
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-{service}-advertisement\r\n\r\n\
             {announced}0000{first}"
        )?;
        answer(stream)
    });
    ws.git(&["init", "--quiet", "src/app"]).run().success();
    let url = format!("http://127.0.0.1:{port}/acme/app.git");
    for arguments in [
        &["remote", "add", "origin", &url][..],
        &["config", "user.name", "a"],
        &["config", "user.email", "a@b"],
        &["commit", "--quiet", "--allow-empty", "-m", "x"],
    ] {
        ws.git(&[&["-C", "src/app"], arguments].concat()).run().success();
    }
    ws.pushready(&[&["doctor", "--json"], arguments].concat()).current_dir("src/app")
}

const COMMIT: &str = "1111111111111111111111111111111111111111";

/// A line as git sends it: its length, and itself.
fn packet(line: &str) -> String {
    format!("{:04x}{line}", line.len() + 4)
}

fn endless_refs(stream: &mut TcpStream) -> std::io::Result<()> {
    for first in (0_u64..).step_by(1000) {
        let refs =
            (first..first + 1000).map(|nth| packet(&format!("{COMMIT} refs/heads/{nth:09}\n")));
        stream.write_all(refs.collect::<String>().as_bytes())?;
    }
    Ok(())
}

const WEB: &[Case] = &[
    case("refs without an end", "push.write", |ws| web_host(ws, &["--only", "push"], endless_refs)),
    case("an answer without an end", "push.write", |ws| {
        web_host(ws, &["--only", "push"], |stream| endless(stream, "0"))
    }),
    case("refs without an end for a real push", "push.live", |ws| {
        web_host(ws, &["--live", "--only", "push.live"], endless_refs)
    }),
    case("an answer of a byte at a time", "push.write", |ws| {
        web_host(ws, &["--only", "push"], |stream| drip(stream, "003f"))
    }),
];

#[test]
fn of_git_over_http() {
    sandbox(|ws| hold(ws, WEB));
}

#[test]
fn of_a_git_host_whose_commit_is_large() {
    sandbox(|ws| hold(ws, FETCHED));
}

#[test]
fn of_a_git_host_whose_file_is_a_delta() {
    sandbox(|ws| hold(ws, DELTA));
}

#[test]
fn of_ssh() {
    sandbox(|ws| hold(ws, SSH));
}

#[test]
fn of_a_git_host_that_refuses() {
    sandbox(|ws| hold(ws, REFUSALS));
}
