//! One connection: reads requests, each before a deadline, and writes what comes of them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::message::{Request, Response};
use crate::limits::{HTTP_BODY_BYTES_MAX, HTTP_EXCHANGE_MS, HTTP_HEAD_BYTES_MAX, HTTP_IDLE_MS};
use crate::server::refusal::Refusal;

/// Headers of a request at most; more is answered with 431.
const HEADERS_MAX: usize = 64;
/// Bytes that are read and thrown away so that a client gets its answer before the connection is reset.
const DRAINED_MAX: usize = 4 * HTTP_BODY_BYTES_MAX;

/// Why no request came.
enum Ended {
    /// The client has gone, or was too slow to be worth an answer.
    Gone,
    /// What came is answered so, and no more is read.
    Refused(Refusal),
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A connection with what was read of the next request.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Answers requests until the client goes, errs, or is asked to go because `keeps_alive` says so.
    pub(super) fn serve(&mut self, answer: &dyn Fn(&Request) -> Response, keeps_alive: &dyn Fn() -> bool) {
        let _ = self.stream.set_nodelay(true);
        loop {
            match self.read_request() {
                Ok((request, wants_more)) => {
                    let response = answer(&request);
                    let keep = wants_more && keeps_alive();
                    if !self.write(&response.to_bytes(keep, request.method == "HEAD")) || !keep {
                        return;
                    }
                }
                Err(Ended::Gone) => return,
                Err(Ended::Refused(refusal)) => {
                    self.write(&Response::from(refusal).to_bytes(false, false));
                    self.drain();
                    return;
                }
            }
        }
    }

    /// The next request, and whether the client wants to send another.
    fn read_request(&mut self) -> Result<(Request, bool), Ended> {
        // Between requests the client may take its time; from the first byte on it may not.
        if self.buffer.is_empty() && !self.fill(Instant::now() + Duration::from_millis(HTTP_IDLE_MS))? {
            return Err(Ended::Gone);
        }
        let deadline = Instant::now() + Duration::from_millis(HTTP_EXCHANGE_MS);
        let (mut request, head_bytes, keep_alive) = loop {
            if let Some(parsed) = parse_head(&self.buffer)? {
                break parsed;
            }
            if self.buffer.len() >= HTTP_HEAD_BYTES_MAX {
                return Err(head_too_long().into());
            }
            if !self.fill(deadline)? {
                return Err(Ended::Gone);
            }
        };
        self.buffer.drain(..head_bytes);
        let length = body_length(&request)?;
        if length > self.buffer.len()
            && request.header("expect").is_some_and(|e| e.eq_ignore_ascii_case("100-continue"))
        {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        while self.buffer.len() < length {
            if !self.fill(deadline)? {
                return Err(Ended::Gone);
            }
        }
        request.body = self.buffer.drain(..length).collect();
        Ok((request, keep_alive))
    }

    /// Reads some more; false at the end of what the client sends.
    fn fill(&mut self, deadline: Instant) -> Result<bool, Ended> {
        let mut bytes = [0; 8 << 10];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Who sent nothing yet waits for no answer.
                return match self.buffer.is_empty() {
                    true => Err(Ended::Gone),
                    false => Err(Refusal::new(408, "too_slow", "the request did not come in time").into()),
                };
            }
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return Err(Ended::Gone);
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.buffer.extend_from_slice(&bytes[..read]);
                    return Ok(true);
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                }
                Err(_) => return Err(Ended::Gone),
            }
        }
    }

    /// Writes everything before a deadline; false if the client does not take it.
    fn write(&mut self, mut bytes: &[u8]) -> bool {
        let deadline = Instant::now() + Duration::from_millis(HTTP_EXCHANGE_MS);
        while !bytes.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_write_timeout(Some(left)).is_err() {
                return false;
            }
            match self.stream.write(bytes) {
                Ok(0) => return false,
                Ok(written) => bytes = &bytes[written..],
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Lets the client finish sending: closing with unread bytes would reset the connection and take the answer along.
    fn drain(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let deadline = Instant::now() + Duration::from_millis(HTTP_EXCHANGE_MS / 10);
        let mut drained = 0;
        self.buffer.clear();
        while drained < DRAINED_MAX && matches!(self.fill(deadline), Ok(true)) {
            drained += self.buffer.len();
            self.buffer.clear();
        }
    }
}

fn head_too_long() -> Refusal {
    let message = format!("the head of a request has {HTTP_HEAD_BYTES_MAX} bytes and {HEADERS_MAX} headers at most");
    Refusal::new(431, "head_too_long", message)
}

fn malformed(what: impl std::fmt::Display) -> Refusal {
    Refusal::new(400, "malformed_request", format!("not an HTTP request: {what}"))
}

/// The head of a request, its bytes, and whether the connection stays open after it; `None` if it is not whole yet.
fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize, bool)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length > HTTP_HEAD_BYTES_MAX => return Err(head_too_long()),
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(head_too_long()),
        Err(httparse::Error::Version) => {
            return Err(Refusal::new(505, "http_version", "this server speaks HTTP/1.1"));
        }
        Err(error) => return Err(malformed(error)),
    };
    let mut request = Request { method: head.method.unwrap_or_default().to_string(), ..Request::default() };
    let target = head.path.unwrap_or_default();
    // The absolute form that proxies send names this server too.
    let target = match target.strip_prefix("http://") {
        Some(absolute) => absolute.find('/').map_or("/", |slash| &absolute[slash..]),
        None => target,
    };
    request.path = target.split(['?', '#']).next().unwrap_or_default().to_string();
    for header in head.headers.iter() {
        let value =
            std::str::from_utf8(header.value).map_err(|_| malformed(format!("header {} is no text", header.name)))?;
        request.headers.push((header.name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let connection = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    let keep_alive =
        if head.version == Some(1) { !connection.contains("close") } else { connection.contains("keep-alive") };
    Ok(Some((request, length, keep_alive)))
}

/// Bytes of the body. More than one length, or one beside another framing, is how requests are smuggled: refused.
fn body_length(request: &Request) -> Result<usize, Refusal> {
    if request.header("transfer-encoding").is_some() {
        return Err(Refusal::new(411, "length_required", "send the body with a Content-Length, not in chunks"));
    }
    let mut lengths = request.headers.iter().filter(|(name, _)| name == "content-length");
    let Some((_, length)) = lengths.next() else { return Ok(0) };
    if lengths.next().is_some() {
        return Err(malformed("two Content-Lengths"));
    }
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(malformed(format!("Content-Length {length:?}")));
    }
    match length.parse::<usize>() {
        Ok(length) if length <= HTTP_BODY_BYTES_MAX => Ok(length),
        _ => Err(Refusal::new(413, "body_too_long", format!("a body has {HTTP_BODY_BYTES_MAX} bytes at most"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<(Request, usize, bool)>, u16> {
        parse_head(text.as_bytes()).map_err(|refusal| refusal.status)
    }

    #[test]
    fn heads_are_read() {
        let text = "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\n\r\nrest";
        let (request, length, keep) = parsed(text).unwrap().unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str(), length, keep),
            ("GET", "/a/b", text.len() - 4, true)
        );
        assert_eq!((request.header("host"), request.header("x-y")), (Some("x"), Some("z")));
        assert!(!parsed("GET / HTTP/1.0\r\n\r\n").unwrap().unwrap().2);
        assert!(!parsed("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").unwrap().unwrap().2);
        assert_eq!(parsed("GET http://h:1/x HTTP/1.1\r\n\r\n").unwrap().unwrap().0.path, "/x");
        assert_eq!(parsed("GET / HTTP/1.1\r\nHo"), Ok(None));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        assert_eq!(parsed("\x01\x02 / HTTP/1.1\r\n\r\n"), Err(400));
        assert_eq!(parsed("GET / HTTP/1.1\r\nno colon\r\n\r\n"), Err(400));
        assert_eq!(parsed("GET / HTTP/9.9\r\n\r\n"), Err(505));
        assert_eq!(parsed(&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1))), Err(431));
    }

    #[test]
    fn bodies_have_one_length() {
        let length = |headers: &str| {
            let (request, ..) = parsed(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).unwrap().unwrap();
            body_length(&request).map_err(|refusal| refusal.status)
        };
        assert_eq!((length(""), length("Content-Length: 5\r\n")), (Ok(0), Ok(5)));
        assert_eq!(length("Content-Length: 5\r\nContent-Length: 5\r\n"), Err(400));
        assert_eq!(length("Transfer-Encoding: chunked\r\n"), Err(411));
        for (value, status) in [("-1", 400), ("+1", 400), ("x", 400), ("", 400), ("99999999999999999999999", 413)] {
            assert_eq!(length(&format!("Content-Length: {value}\r\n")), Err(status), "{value}");
        }
    }
}
