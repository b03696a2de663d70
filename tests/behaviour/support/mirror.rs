//! A web server on loopback that has, or seems to have, the files of a release.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

#[derive(Clone)]
pub enum Answer {
    /// To every request.
    File(Vec<u8>),
    /// Not before so many have asked.
    Together(Vec<u8>, Arc<Barrier>),
    /// The first half of what the length promises.
    CutShort(Vec<u8>),
    /// What a proxy or a portal says with status 200.
    Page,
    NotFound,
    Redirect(String),
    /// The connection stays open, and silent.
    Hang,
    /// Bytes without an end.
    Endless,
}

pub struct Mirror {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Mirror {
    pub fn start(answer: &Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (answer.clone(), requests.clone());
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (answer, log) = (answer.clone(), log.clone());
                thread::spawn(move || serve(connection.unwrap(), answer, &log));
            }
        });
        Self { port, requests }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `GET /path`, in the order of their coming.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut connection: TcpStream, answer: Answer, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    log.lock().unwrap().push(first.rsplit_once(' ').unwrap().0.to_owned());

    let mut send = |status: &str, header: &str, length: usize, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        // a client that was killed does not read
        connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body)).ok();
    };
    match answer {
        Answer::File(bytes) => send("200 OK", "", bytes.len(), &bytes),
        Answer::Together(bytes, all) => {
            all.wait();
            send("200 OK", "", bytes.len(), &bytes);
        }
        Answer::CutShort(bytes) => send("200 OK", "", bytes.len(), &bytes[..bytes.len() / 2]),
        Answer::Page => {
            let page = b"<!doctype html>\n<title>Sign in</title>\n";
            send("200 OK", "Content-Type: text/html\r\n", page.len(), page);
        }
        Answer::NotFound => send("404 Not Found", "", 0, b""),
        Answer::Redirect(to) => send("302 Found", &format!("Location: {to}\r\n"), 0, b""),
        // until the client goes away
        Answer::Hang => drop(lines.next()),
        Answer::Endless => {
            let unit = vec![b'#'; 1 << 16];
            let mut sent = connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while sent.is_ok() {
                sent = connection.write_all(&unit);
            }
        }
    }
}
