//! Our requests, judged by GitHub's own description: the golden scenarios once through Prism, which
//! refuses paths and queries that GitHub does not know (`status=startup_failure`), and fixtures
//! that break GitHub's schemas.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{CRATE, Scenario, play};
use crate::github_rig::server::{Reply, Request, Server};
use crate::http::tests::skip;

/// Prism before a server of ours.
struct Prism {
    child: Child,
    url: String,
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prism {
    /// `None`: not installed.
    fn start(upstream: &str) -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let folder = std::env::var_os("PUSHREADY_PRISM_DIR")
            .map_or_else(|| root.join("target/prism"), PathBuf::from);
        let program = folder.join("node_modules/.bin/prism");
        if !program.exists() {
            return None;
        }
        // an address of its own: the servers of the other tests, on 127.0.0.1, take any free port
        let port = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .arg("proxy")
            .arg(root.join("tests/actions/github-openapi.json"))
            .args([upstream, "-h", "127.0.0.2", "-p", &port.to_string(), "--errors", "-v", "error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut prism = Self { child, url: format!("http://127.0.0.2:{port}") };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.2", port)).is_err() {
            assert!(prism.child.try_wait().unwrap().is_none(), "Prism ended");
            assert!(Instant::now() < deadline, "Prism does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(prism)
    }
}

#[test]
fn github_knows_every_request_of_ours() {
    // Prism has one upstream for all scenarios, so this one forwards to the current scenario
    let current = Arc::new(Mutex::new(String::new()));
    let upstream = Server::start({
        let current = Arc::clone(&current);
        move |request| forward(&current.lock().unwrap().clone(), request)
    });
    let Some(prism) = Prism::start(&upstream.url()) else {
        return skip("github_knows_every_request_of_ours", "Prism is not installed");
    };
    let problems = Arc::<Mutex<Vec<String>>>::default();
    let front = Server::start({
        let (problems, url) = (Arc::clone(&problems), prism.url.clone());
        move |request| {
            let reply = forward(&url, request);
            // Prism's own answers, as opposed to those of the scenario
            let is_problem = |(name, value): &(String, String)| {
                name == "content-type" && value.contains("problem+json")
            };
            if reply.headers.iter().any(is_problem) {
                let body = String::from_utf8_lossy(&reply.body).into_owned();
                problems.lock().unwrap().push(format!("{}: {body}", request.target));
            }
            reply
        }
    });
    let mut failures = Vec::new();
    let mut count = 0;
    for scenario in Scenario::all(CRATE).iter().filter(|scenario| scenario.golden) {
        let played = play(
            scenario,
            Some(&|server| {
                *current.lock().unwrap() = server.url();
                front.url()
            }),
        );
        count += 1;
        let reported = std::mem::take(&mut *problems.lock().unwrap());
        failures.extend(reported.into_iter().map(|text| format!("{}: {text}", scenario.name)));
        failures.extend(played.check(scenario));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let _ = std::io::stderr().write_all(format!("{count} scenarios through Prism\n").as_bytes());
}

fn forward(to: &str, request: &Request) -> Reply {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .build()
        .into();
    let mut onward = agent.get(format!("{to}{}", request.target));
    for name in ["authorization", "accept", "x-github-api-version"] {
        if let Some(value) = request.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let mut response = onward.call().unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    let mut reply = Reply::new(response.status().as_u16(), body);
    for (name, value) in response.headers() {
        if !matches!(name.as_str(), "content-length" | "connection") {
            reply = reply.header(name.as_str(), value.to_str().unwrap());
        }
    }
    reply
}
