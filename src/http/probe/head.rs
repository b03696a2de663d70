//! Status, headers and the beginning of the body of a response.

use std::io::{self, Read};

use jiff::Timestamp;

/// A page says in its first lines whose it is.
const BODY: usize = 8 * 1024;
const HEAD: usize = 32 * 1024;

/// A response, as far as it is of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeHead {
    pub status: u16,
    /// As sent: `HTTP/1.1 403 Forbidden`.
    pub line: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: String,
}

impl ProbeHead {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a page for people.
    pub fn is_page(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let body = self.body.trim_start().to_ascii_lowercase();
        kind.starts_with("text/html")
            || kind.starts_with("application/xhtml")
            || body.starts_with("<!doctype html")
            || body.starts_with("<html")
    }

    /// Whether it is for programs.
    pub fn is_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        kind.contains("json") || self.body.trim_start().starts_with(['{', '['])
    }

    /// Another answer follows: `103 Early Hints`.
    fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// The kinds of login that are offered in all headers of this name.
    pub fn offers(&self, name: &str) -> impl Iterator<Item = String> {
        let offers = self.headers.iter().filter(move |(known, _)| known == name);
        offers.filter_map(|(_, value)| {
            Some(value.split([' ', ',']).next()?.to_ascii_lowercase())
                .filter(|kind| !kind.is_empty())
        })
    }

    /// The server's time.
    pub fn date(&self) -> Option<Timestamp> {
        let date = jiff::fmt::rfc2822::parse(self.header("date")?).ok()?;
        Some(date.timestamp())
    }

    /// The title of a page, or else its first line.
    pub fn title(&self) -> Option<&str> {
        let lower = self.body.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|start| {
            let start = start + lower.get(start..)?.find('>')? + 1;
            let end = start + lower.get(start..)?.find("</title")?;
            self.body.get(start..end)
        });
        let first = || self.body.lines().map(str::trim).find(|line| !line.is_empty());
        title.map(str::trim).filter(|title| !title.is_empty()).or_else(first)
    }

    #[cfg(test)]
    pub fn of(text: &str) -> Self {
        read(&mut text.as_bytes()).unwrap().unwrap()
    }
}

/// Reads a response. `None`: the connection ended before there was one.
pub fn read(stream: &mut impl Read) -> io::Result<Option<ProbeHead>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            let end = end + 4;
            if parse(bytes.get(..end).unwrap_or_default()).is_some_and(|it| it.is_interim()) {
                bytes.drain(..end);
                continue;
            }
            break end;
        }
        if bytes.len() > HEAD {
            break bytes.len();
        }
        if more(stream, &mut bytes)? == 0 {
            if bytes.is_empty() {
                return Ok(None);
            }
            break bytes.len();
        }
    };
    let Some(mut head) = parse(bytes.get(..end).unwrap_or_default()) else {
        // no HTTP at all
        return Ok(Some(ProbeHead { body: text(&bytes), ..ProbeHead::default() }));
    };
    bytes.drain(..end);
    read_rest(stream, &mut head, bytes);
    Ok(Some(head))
}

/// Reads what has arrived.
pub fn more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 2048];
    let read = stream.read(&mut buffer)?;
    bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
    Ok(read)
}

/// Reads the head of a proxy's answer and nothing after it: what follows is the server's.
pub fn read_exactly(stream: &mut impl Read) -> io::Result<Option<ProbeHead>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < HEAD {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            break;
        }
        bytes.extend(byte);
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    match parse(&bytes) {
        Some(head) if head.is_interim() => read_exactly(stream),
        Some(head) => Ok(Some(head)),
        None => Ok(Some(ProbeHead { body: text(&bytes), ..ProbeHead::default() })),
    }
}

/// The body of a refusal, as far as it comes.
pub fn read_body(stream: &mut impl Read, head: &mut ProbeHead) {
    read_rest(stream, head, Vec::new());
}

/// `bytes`: what has come of it. The head has arrived: what comes of the body in time is enough.
fn read_rest(stream: &mut impl Read, head: &mut ProbeHead, mut bytes: Vec<u8>) {
    let length = head.header("content-length").and_then(|it| it.parse::<usize>().ok());
    let is_chunked = head.header("transfer-encoding").is_some_and(|it| it.contains("chunked"));
    let wanted = length.unwrap_or(BODY).min(BODY);
    let is_whole = |bytes: &[u8]| {
        bytes.len() >= wanted
            || is_chunked && (bytes.starts_with(LAST) || find(bytes, b"\r\n0\r\n").is_some())
    };
    while !is_whole(&bytes) && more(stream, &mut bytes).is_ok_and(|read| read > 0) {}
    head.body = text(&if is_chunked { without_sizes(&bytes) } else { bytes });
}

/// The last chunk of a body.
const LAST: &[u8] = b"0\r\n";

/// A body without the sizes of its chunks (RFC 9112, 7.1), as far as it has come.
fn without_sizes(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let size = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        bytes = bytes.get(end + 2..).unwrap_or_default();
        let chunk = bytes.get(..size.min(bytes.len())).unwrap_or_default();
        if chunk.is_empty() {
            break;
        }
        whole.extend_from_slice(chunk);
        bytes = bytes.get(chunk.len() + 2..).unwrap_or_default();
    }
    whole
}

fn parse(bytes: &[u8]) -> Option<ProbeHead> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let line = lines.next()?.trim_end().to_owned();
    let status = line.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    Some(ProbeHead { status, line, headers: headers.collect(), body: String::new() })
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
