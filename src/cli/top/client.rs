//! A client of the server's API: one request a connection, JSON back.
//!
//! Plain HTTP/1.1 and answers with a length, as the server gives them. Times and sizes are bounded; TLS is a proxy's
//! business, for which the server has no port either.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// For connecting, and for each piece of an answer.
const DEADLINE: Duration = Duration::from_secs(3);
/// The longest answer: 256 lanes with their history have a few hundred kilobytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Where the server is, and what it wants to be shown.
pub(super) struct Client {
    /// Host and port.
    authority: String,
    token: Option<String>,
}

impl Client {
    /// A client of the server at `url`.
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self> {
        let expected = |found: &str| {
            Error::Config(format!("--url {url}: {found}: expected http://HOST:PORT, as in http://127.0.0.1:7070"))
        };
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some((scheme, _)) => return Err(expected(&format!("{scheme} is not spoken here"))),
            None => url,
        };
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ', '\r', '\n']) {
            return Err(expected("that is not a host with a port"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_string() } else { format!("{authority}:80") };
        // An empty one is what `CORELANE_TOKEN=` in a shell gives.
        let token = token.filter(|token| !token.is_empty());
        if token.as_ref().is_some_and(|token| token.contains(['\r', '\n'])) {
            return Err(Error::Config("CORELANE_TOKEN is to be one line".into()));
        }
        Ok(Self { authority, token })
    }

    /// The document at a path.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let document = self.ask("GET", path)?;
        serde_json::from_value(document).map_err(|error| self.strange(&format!("{path}: {error}")))
    }

    /// Asks for something to be done.
    pub(super) fn post(&self, path: &str) -> Result<()> {
        self.ask("POST", path).map(drop)
    }

    fn ask(&self, method: &str, path: &str) -> Result<Value> {
        let failed =
            |operation: &'static str| move |error: std::io::Error| Error::io(operation, &self.authority, &error);
        let mut stream = self.connect()?;
        let token = self.token.as_ref().map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{token}Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.authority
        );
        stream.write_all(request.as_bytes()).map_err(failed("write to"))?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).map_err(failed("read from"))?;
        self.answer(&bytes)
    }

    fn connect(&self) -> Result<TcpStream> {
        let failed = |error: std::io::Error| Error::io("connect to", &self.authority, &error);
        let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
        for address in self.authority.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, DEADLINE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(DEADLINE)).map_err(failed)?;
                    stream.set_write_timeout(Some(DEADLINE)).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// The document of an answer; a refusal is an error with the server's words.
    fn answer(&self, bytes: &[u8]) -> Result<Value> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            _ => return Err(self.strange("that is not HTTP")),
        };
        let status = head.code.unwrap_or_default();
        let document = serde_json::from_slice::<Value>(&bytes[length..]);
        if !(200..300).contains(&status) {
            let message = document.ok().and_then(|document| Some(document["error"]["message"].as_str()?.to_string()));
            let message = message.unwrap_or_else(|| format!("status {status}"));
            let help = if status == 401 { ": set CORELANE_TOKEN" } else { "" };
            return Err(Error::Execution(format!("{} refuses: {message}{help}", self.authority)));
        }
        document.map_err(|error| self.strange(&error.to_string()))
    }

    fn strange(&self, found: &str) -> Error {
        Error::Execution(format!("{} does not answer as a corelane server: {found}", self.authority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host() {
        let authority =
            |url: &str| Client::new(url, None).map(|client| client.authority).map_err(|error| error.to_string());
        for (url, expected) in [
            ("http://127.0.0.1:7070", "127.0.0.1:7070"),
            ("http://localhost:1/", "localhost:1"),
            ("host", "host:80"),
            ("[::1]:7070", "[::1]:7070"),
        ] {
            assert_eq!(authority(url).as_deref(), Ok(expected));
        }
        assert!(authority("https://h").unwrap_err().contains("https is not spoken here: expected http://HOST:PORT"));
        for wrong in ["", "http://", "http://h/path", "http://u@h:1", "h\r\nx: y"] {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
        assert!(Client::new("h", Some("a\r\nb".into())).is_err());
    }

    #[test]
    fn answers_are_documents_or_refusals() {
        let client = Client::new("h:1", None).unwrap();
        let answer = |text: &str| client.answer(text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\n{\"a\": 1}").unwrap()["a"], 1);
        let refused = answer("HTTP/1.1 401 No\r\n\r\n{\"error\": {\"message\": \"send the token\"}}").unwrap_err();
        assert_eq!(refused, "h:1 refuses: send the token: set CORELANE_TOKEN");
        for (text, said) in
            [("", "not HTTP"), ("SSH-2.0\r\n\r\n", "not HTTP"), ("HTTP/1.1 200 OK\r\n\r\n<p>", "does not answer as")]
        {
            assert!(answer(text).unwrap_err().contains(said), "{text}");
        }
        assert!(answer("HTTP/1.1 500 X\r\n\r\n").unwrap_err().ends_with("status 500"));
    }
}
