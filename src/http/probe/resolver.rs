//! One question to the resolver, where the C library waits for an answer that does not come.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::resource::file;

const DNS: u16 = 53;

/// Whether the first resolver of the machine has an IPv4 address for a name: the C library asks for
/// both families, and gives neither where the answer for IPv6 does not come.
pub fn answers_for_v4(host: &str, patience: Duration) -> bool {
    ask(host, patience).is_some_and(|answer| has_answers(&answer))
}

fn ask(host: &str, patience: Duration) -> Option<Vec<u8>> {
    let server = nameserver(&file::text(Path::new("/etc/resolv.conf")))?;
    let socket = UdpSocket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
    let socket = match server {
        IpAddr::V6(_) => socket.ok()?,
        IpAddr::V4(_) => UdpSocket::bind("0.0.0.0:0").ok()?,
    };
    socket.connect(SocketAddr::new(server, DNS)).ok()?;
    socket.set_read_timeout(Some(patience)).ok()?;
    socket.send(&question(host)?).ok()?;
    let mut answer = vec![0; 512];
    let read = socket.recv(&mut answer).ok()?;
    answer.truncate(read);
    Some(answer)
}

/// The first of `/etc/resolv.conf`. Pure.
fn nameserver(text: &str) -> Option<IpAddr> {
    let named = |line: &str| line.strip_prefix("nameserver")?.trim().parse().ok();
    text.lines().find_map(named)
}

/// A question for an IPv4 address (RFC 1035, 4.1). Pure.
fn question(host: &str) -> Option<Vec<u8>> {
    // recursion is desired, one question
    let mut message = vec![0x70, 0x72, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    Some(message)
}

/// Without an error, and with at least one record. Pure.
fn has_answers(message: &[u8]) -> bool {
    let error = message.get(3).map(|byte| byte & 0xf);
    let records = message.get(6..8).map(|count| count != [0, 0]);
    message.starts_with(&[0x70, 0x72]) && error == Some(0) && records == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_the_labels_of_the_name_and_an_answer_its_records() {
        let asked = question("api.example.").unwrap();
        assert_eq!(asked.get(12..).unwrap(), b"\x03api\x07example\0\0\x01\0\x01");
        assert_eq!(question("a..b"), None);
        assert_eq!(question(&"x".repeat(64)), None);
        assert_eq!(nameserver("# x\nnameserver 10.0.0.53\n"), "10.0.0.53".parse().ok());
        assert_eq!(nameserver("search corp\n"), None);
        let answer = |flags, records| [0x70, 0x72, 0x81, flags, 0, 1, 0, records, 0, 0, 0, 0];
        assert!(has_answers(&answer(0x80, 1)));
        assert!(!has_answers(&answer(0x80, 0)) && !has_answers(&answer(0x82, 1)));
        assert!(!has_answers(&[]));
    }
}
