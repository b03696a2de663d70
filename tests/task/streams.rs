//! The stream of a chat: through TLS and a proxy, cut and opened again, blocked; and servers that
//! are slow or away for a while.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;

use crate::double::{Agent, Double, Fault, Line};
use crate::server::{self, Reply};
use crate::{Output, command, each, finish};

const CREATE: &[&str] = &["create", "fix the test", "--name", "fix-42", "--wait"];

/// A certificate for loopback, and a file with the authority that issued it.
fn tls(name: &str) -> (ServerConfig, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("task-{name}.pem"));
    fs::write(&file, authority.pem()).unwrap();
    (config, file)
}

/// What a stream says while the model fails.
fn retry_frame(attempt: u32) -> String {
    let retry = json!({"attempt": attempt, "delay_ms": 2000, "kind": "rate_limit",
        "error": "The provider is rate limiting requests."});
    json!([{"type": "retry", "chat_id": "c", "retry": retry}]).to_string()
}

/// How a turn ends a few looks after its stream was opened: no clock decides.
const END: [&str; 4] = ["running", "running", "running", "waiting"];

/// A double behind TLS, on which the model is tried again.
fn behind_tls(name: &str) -> (Double, SocketAddr, PathBuf, Arc<AtomicUsize>) {
    let double = Double::start(Line::V238);
    double.edit(|world| {
        world.agent = Agent::Forever;
        world.frames = vec![retry_frame(3)];
    });
    let (config, authority) = tls(name);
    let (world, streams) = (Arc::clone(&double.world), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&streams);
    let address = server::start_tls(config, move |request| {
        let mut world = world.lock().unwrap();
        if request.path.contains("/stream") {
            count.fetch_add(1, Ordering::SeqCst);
            world.chats[0].next = END.to_vec();
        }
        world.answer_for(request)
    });
    (double, address, authority, streams)
}

fn over_tls(address: SocketAddr, variables: &[(&str, String)]) -> Output {
    let mut command = command(&format!("https://{address}"), CREATE);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    finish(command.spawn().unwrap())
}

#[test]
fn the_stream_is_read_through_tls_of_a_private_authority() {
    for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"] {
        let (_double, address, authority, streams) = behind_tls(variable);
        let authority = authority.to_str().unwrap().to_owned();
        let output = over_tls(address, &[(variable, authority)]).ends(0);
        output.says("tries the model again: try 3").says("Done: the test");
        assert_eq!(streams.load(Ordering::SeqCst), 1);
    }
    let (_double, address, ..) = behind_tls("unknown");
    over_tls(address, &[]).ends(3).says("not trusted here").says("SSL_CERT_FILE");
}

/// A proxy that connects to whatever it is asked for, or answers with a status.
fn proxy(status: u16) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            thread::spawn(move || tunnel(client, status, &noted));
        }
    });
    (address, heads)
}

fn tunnel(client: TcpStream, status: u16, noted: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let target = head.split(' ').nth(1)?.to_owned();
    noted.lock().unwrap().push(head);
    let mut client = client;
    client.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).ok()?;
    if status != 200 {
        return None;
    }
    let mut server = TcpStream::connect(target).ok()?;
    let (mut back, mut from) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || std::io::copy(&mut from, &mut back));
    std::io::copy(&mut reader, &mut server).ok()?;
    Some(())
}

#[test]
fn the_stream_is_read_through_a_proxy_with_a_login() {
    let (_double, address, authority, streams) = behind_tls("proxy");
    let (proxy, heads) = proxy(200);
    let password = format!("not-a-password-{}", std::process::id());
    let authority = authority.to_str().unwrap().to_owned();
    let variables =
        [("SSL_CERT_FILE", authority), ("HTTPS_PROXY", format!("http://alice:{password}@{proxy}"))];
    let output = over_tls(address, &variables).ends(0);
    output.says("tries the model again: try 3").says_not(&password);
    assert_eq!(streams.load(Ordering::SeqCst), 1);
    let heads = heads.lock().unwrap();
    assert!(heads.len() > 1);
    for head in heads.iter() {
        let head = head.to_lowercase();
        assert!(head.starts_with(&format!("connect {address} http/1.1\r\n")), "{head}");
        assert!(head.contains("\r\nproxy-authorization: basic "), "{head}");
    }
}

#[test]
fn a_stream_that_is_cut_loses_and_repeats_no_message() {
    let double = Double::start(Line::V238);
    let id = double.world.lock().unwrap().add_chat("fix-42", None, false);
    double.edit(|world| world.chats[0].messages.truncate(1));
    let (world, looks) = (Arc::clone(&double.world), AtomicUsize::new(0));
    let after = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&after);
    let address = server::start(move |request| {
        let mut world = world.lock().unwrap();
        if request.path.contains("/stream") {
            noted.lock().unwrap().push(request.path.clone());
            let last = world.chats[0].messages.last().unwrap().clone();
            let again = json!([{"type": "message", "chat_id": id, "message": last}]);
            return Reply::FramesAndEnd(vec![again.to_string(); 2]);
        }
        if request.path.ends_with(&format!("/chats/{id}")) {
            let look = looks.fetch_add(1, Ordering::SeqCst);
            let chat = &mut world.chats[0];
            chat.status = if look < 7 { "running" } else { "waiting" }.to_owned();
            let mut message = chat.messages[0].clone();
            message["id"] = json!(100 + 3 * look);
            message["role"] = "assistant".into();
            message["usage"] = json!({"output_tokens": 4});
            message["content"][0]["text"] = format!("step {look}").into();
            chat.messages.push(message);
        }
        world.answer_for(request)
    });
    let url = format!("http://{address}");
    let output = finish(command(&url, &["logs", "fix-42", "--follow"]).spawn().unwrap()).ends(0);
    let steps: Vec<_> =
        output.stdout.lines().filter_map(|line| line.strip_prefix("agent: ")).collect();
    let wanted: Vec<_> = (0..steps.len()).map(|look| format!("step {look}")).collect();
    assert!(steps.len() > 5, "{output:?}");
    assert_eq!(steps, wanted, "{output:?}");
    let after = after.lock().unwrap();
    assert!(after.len() > 1 && after.iter().all(|path| path.contains("after_id=")), "{after:?}");
}

#[test]
fn a_stream_that_drips_keeps_the_timeout() {
    let double = Double::start(Line::V238);
    double.edit(|world| world.agent = Agent::Forever);
    let world = Arc::clone(&double.world);
    let address = server::start(move |request| {
        let mut world = world.lock().unwrap();
        if request.path.contains("/stream") { Reply::Drip } else { world.answer_for(request) }
    });
    let arguments = [CREATE, &["--timeout", "20s"]].concat();
    let start = Instant::now();
    let mut child = command(&format!("http://{address}"), &arguments).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        let is_late = start.elapsed() > Duration::from_secs(110);
        if is_late {
            child.kill().unwrap();
        }
        assert!(!is_late, "it goes on");
        thread::sleep(Duration::from_millis(50));
    }
    finish(child).ends(6);
}

#[test]
fn a_stream_that_is_never_opened_is_replaced_by_polling() {
    each([(403, 1), (404, 1), (503, 5)], |&(status, tries)| {
        let double = Double::start(Line::V238);
        double.edit(|world| world.agent = Agent::Forever);
        let (world, count) = (Arc::clone(&double.world), Arc::new(AtomicUsize::new(0)));
        let streams = Arc::clone(&count);
        let address = server::start(move |request| {
            let mut world = world.lock().unwrap();
            if request.path.contains("/stream") {
                if streams.fetch_add(1, Ordering::SeqCst) + 1 == tries {
                    world.chats[0].next = END.to_vec();
                }
                return Reply::html(status, "<html><h1>no</h1></html>");
            }
            world.answer_for(request)
        });
        let output = finish(command(&format!("http://{address}"), CREATE).spawn().unwrap());
        output.ends(0).says(&format!("no stream of events here (status {status}): polling"));
        assert_eq!(count.load(Ordering::SeqCst), tries, "{status}");
    });
}

#[test]
fn a_poll_says_since_when_nothing_has_changed() {
    let double = Double::start(Line::V238);
    double.edit(|world| (world.agent, world.websocket) = (Agent::Forever, false));
    let before = Instant::now();
    let output = double.run(&[CREATE, &["--timeout", "100s"]].concat()).ends(6);
    output.says("nothing has changed since ").says("UTC: working");
    assert!(before.elapsed() < Duration::from_secs(130));
    // 1 s grows to 5 s
    assert!(double.world.lock().unwrap().requests < 60);
}

/// Starts a create, waits until the agent works, and has the server misbehave for a while.
fn outage(fault: Fault, pause: Duration, timeout: &str) -> (Output, Duration) {
    let double = Double::start(Line::V238);
    double.edit(|world| world.agent = Agent::Forever);
    let arguments = [CREATE, &["--timeout", timeout]].concat();
    let start = Instant::now();
    let child = command(&double.url(), &arguments).spawn().unwrap();
    let is_running = || double.world.lock().unwrap().chats.iter().any(|it| it.status == "running");
    while !is_running() {
        assert!(start.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(20));
    }
    double.edit(|world| world.always = Some(fault));
    thread::sleep(pause);
    double.edit(|world| {
        world.always = None;
        world.chats[0].next = vec!["waiting"];
    });
    (finish(child), start.elapsed())
}

#[test]
fn a_wait_survives_a_server_that_is_away_for_longer_than_a_request() {
    thread::scope(|scope| {
        for fault in [Fault::CutBefore, Fault::BadGateway, Fault::HangBefore] {
            scope.spawn(move || {
                let (output, _) = outage(fault, Duration::from_secs(36), "5m");
                let output = output.ends(0).says("Done: the test");
                // one that hangs is answered within the repeats of one request
                if fault != Fault::HangBefore {
                    output.says("no usable answer from the server");
                }
            });
        }
    });
}

#[test]
fn a_server_that_stays_away_does_not_hold_a_wait_beyond_its_time() {
    thread::scope(|scope| {
        for fault in [Fault::CutBefore, Fault::BadGateway, Fault::HangBefore, Fault::RateLimit] {
            scope.spawn(move || {
                let (output, elapsed) = outage(fault, Duration::from_secs(60), "30s");
                output.ends(6).says("no usable answer from the server").says("comes back to it");
                assert!(elapsed < Duration::from_secs(75), "{fault:?}: {elapsed:?}");
            });
        }
    });
}

#[test]
fn a_token_that_expires_while_it_waits_is_named_and_the_task_goes_on() {
    let double = Double::start(Line::V238);
    double.edit(|world| world.agent = Agent::Forever);
    let (world, looks) = (Arc::clone(&double.world), AtomicUsize::new(0));
    let address = server::start(move |request| {
        let is_chat = request.method == "GET" && request.path.split('/').count() == 5;
        if is_chat && request.path.contains("/chats/") && looks.fetch_add(1, Ordering::SeqCst) > 1 {
            let body = json!({"message": "You are signed out or your session has expired. Please sign in again to continue.",
                "detail": "API key expired at \"2026-11-19 08:00:00.793479 +0000 UTC\"."});
            return Reply::Json(401, body);
        }
        world.lock().unwrap().answer_for(request)
    });
    let output = finish(command(&format!("http://{address}"), CREATE).spawn().unwrap()).ends(4);
    output.says("which goes on").says("API key expired").says("coder tokens create");
    assert_eq!(double.world.lock().unwrap().chats.len(), 1);
}
