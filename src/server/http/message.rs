//! Requests as they were read, responses as they will be written.

use serde_json::Value;

use crate::server::refusal::Refusal;

/// A request, whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::server) struct Request {
    /// Upper case.
    pub(in crate::server) method: String,
    /// Without the query.
    pub(in crate::server) path: String,
    /// Names in lower case.
    pub(in crate::server) headers: Vec<(String, String)>,
    /// As sent.
    pub(in crate::server) body: Vec<u8>,
}

impl Request {
    /// The first header of that name, which is in lower case.
    pub(in crate::server) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::server) struct Response {
    pub(in crate::server) status: u16,
    pub(in crate::server) content_type: &'static str,
    pub(in crate::server) headers: Vec<(&'static str, String)>,
    pub(in crate::server) body: Vec<u8>,
}

impl Response {
    /// A body of some type.
    pub(in crate::server) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    /// A JSON document.
    pub(in crate::server) fn json(status: u16, document: &Value) -> Self {
        Self::new(status, "application/json", format!("{document:#}\n"))
    }

    /// The same with a header.
    pub(in crate::server) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As bytes; `head_only` leaves the body out and says its length all the same.
    pub(super) fn to_bytes(&self, keep_alive: bool, head_only: bool) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\nconnection: {}\r\n",
            self.status,
            reason(self.status),
            self.content_type,
            self.body.len(),
            if keep_alive { "keep-alive" } else { "close" },
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let response = Self::json(refusal.status, &refusal.document());
        match refusal.status {
            401 => response.with("www-authenticate", "Bearer"),
            503 => response.with("retry-after", "1"),
            _ => response,
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}
