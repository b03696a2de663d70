use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::*;

/// A server that answers each connection with these bytes.
fn serve(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(answer);
        }
    });
    port
}

fn outcome(tls: bool, port: u16, proxy: Option<&ProxyServer>) -> ProbeOutcome {
    let target = ProbeTarget { tls, host: "127.0.0.1".into(), port, path: "/x?y=1".into() };
    let trust = Trust::default();
    let end = Instant::now() + Duration::from_secs(5);
    let order = AddressOrder::Staggered;
    let target = &target;
    ask(Question { target, proxy, trust: &trust, look_up, order, upgrade: false, end }).outcome
}

#[test]
fn the_status_and_the_title_of_an_answer_are_read() {
    let page = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nX: y\r\n\r\n<HTML><Title>\n No </title>";
    let ProbeOutcome::Head(head) = outcome(false, serve(page), None) else { panic!() };
    assert_eq!((head.status, &*head.line), (403, "HTTP/1.1 403 Forbidden"));
    assert_eq!((head.header("x"), head.title()), (Some("y"), Some("No")));
    assert!(head.is_page());
    let odd = b"SSH-2.0-x\r\n\r\n";
    let ProbeOutcome::Head(head) = outcome(false, serve(odd), None) else { panic!() };
    assert_eq!((head.status, head.title()), (0, Some("SSH-2.0-x")));
    assert!(matches!(outcome(false, serve(b""), None), ProbeOutcome::Cut { by_proxy: false }));
}

#[test]
fn each_step_that_fails_has_its_own_failure() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy =
        |tls, port| ProxyServer { tls, host: "127.0.0.1".into(), port, authorization: None };
    let ProbeOutcome::Unconnected(not) = outcome(true, closed, None) else { panic!() };
    assert_eq!((not.is_proxy, not.why), (false, ConnectFault::Refused));
    let by_closed = proxy(false, closed);
    let ProbeOutcome::Unconnected(not) = outcome(true, 443, Some(&by_closed)) else { panic!() };
    assert_eq!((not.is_proxy, not.port), (true, closed));
    let plain = outcome(true, serve(b"HTTP/1.1 400 Bad\r\n\r\n"), None);
    assert!(matches!(plain, ProbeOutcome::NotTls(ref first) if first.starts_with("HTTP/1.1 400")));
    let wants = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 2\r\n\r\nno";
    let refusing = proxy(false, serve(wants));
    let ProbeOutcome::Refused(head) = outcome(true, 443, Some(&refusing)) else { panic!() };
    assert_eq!((head.status, &*head.body), (407, "no"));
    let page = proxy(false, serve(b"HTTP/1.1 200 OK\r\n\r\n<html>"));
    assert!(matches!(outcome(true, 443, Some(&page)), ProbeOutcome::NoTunnel(_)));
    let cut = proxy(false, serve(b""));
    assert!(matches!(outcome(true, 443, Some(&cut)), ProbeOutcome::Cut { by_proxy: true }));
    let no_tls = proxy(true, serve(b"HTTP/1.1 400 Bad\r\n\r\n"));
    assert!(matches!(outcome(true, 443, Some(&no_tls)), ProbeOutcome::PlainProxy));
}

#[test]
fn an_answer_is_read_within_its_bounds() {
    let endless: &'static [u8] = vec![b'x'; 4 << 20].leak();
    let ProbeOutcome::Head(head) = outcome(false, serve(endless), None) else { panic!() };
    assert!(head.status == 0 && head.body.len() < 64 * 1024, "{}", head.body.len());
}

/// Ways that lose what takes more than one packet, or cut the connection, let a small message pass.
#[test]
fn a_first_message_of_more_than_one_packet_that_is_lost_is_seen() {
    for is_cut in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let read = stream.read(&mut [0; 4096]).unwrap();
                if read <= 1460 {
                    // an alert: handshake_failure
                    stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).unwrap();
                } else if !is_cut {
                    kept.push(stream);
                }
            }
        });
        let found = outcome(true, port, None);
        let ProbeOutcome::LargeHelloLost { is_cut: found } = found else { panic!("{found:?}") };
        assert_eq!(found, is_cut);
    }
}
