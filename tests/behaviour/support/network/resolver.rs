//! Resolvers that answer, and not as they should.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;

const A: u16 = 1;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// `servfail`: an error for each name. `nxdomain`: none exists. `only-v4`: silence to each question for an address of IPv6.
/// `portal` and others: `server` for each name.
pub fn start(kind: &str, address: SocketAddr, server: IpAddr) {
    let socket = UdpSocket::bind(address).unwrap();
    let kind = kind.to_owned();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((read, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&kind, &buffer[..read], server) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
}

/// A message of RFC 1035, 4.1. `None`: silence.
fn answer(kind: &str, question: &[u8], server: IpAddr) -> Option<Vec<u8>> {
    let name = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let of = u16::from_be_bytes([*question.get(name)?, *question.get(name + 1)?]);
    let IpAddr::V4(server) = server else { return None };
    let (error, addresses) = match kind {
        "servfail" => (SERVER_FAILURE, 0),
        "nxdomain" => (NO_SUCH_NAME, 0),
        "only-v4" if of != A => return None,
        _ => (0, u8::from(of == A)),
    };
    let head = [question[0], question[1], 0x81, 0x80 | error, 0, 1, 0, addresses, 0, 0, 0, 0];
    let mut message = [&head[..], question.get(12..name + 4)?].concat();
    if addresses > 0 {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(server.octets());
    }
    Some(message)
}
