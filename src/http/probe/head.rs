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
            break end + 4;
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
    // the head has arrived: what comes of the body in time is enough
    let length = head.header("content-length").and_then(|it| it.parse::<usize>().ok());
    let wanted = end + length.unwrap_or(BODY).min(BODY);
    while bytes.len() < wanted && more(stream, &mut bytes).is_ok_and(|read| read > 0) {}
    head.body = text(bytes.get(end..).unwrap_or_default());
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
    Ok(Some(
        parse(&bytes).unwrap_or_else(|| ProbeHead { body: text(&bytes), ..ProbeHead::default() }),
    ))
}

/// The body of a refusal, as far as it comes.
pub fn read_body(stream: &mut impl Read, head: &mut ProbeHead) {
    let length = head.header("content-length").and_then(|it| it.parse::<usize>().ok());
    let wanted = length.unwrap_or(BODY).min(BODY);
    let mut bytes = Vec::new();
    while bytes.len() < wanted && more(stream, &mut bytes).is_ok_and(|read| read > 0) {}
    head.body = text(&bytes);
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
