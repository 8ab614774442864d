//! Who may change something.
//!
//! A token, if one is configured, is asked for by everything that changes state. Without one the server listens on loopback
//! only, where the danger is a web page in a browser of this host: a page of another origin is told by its `Origin`, and one
//! that has its name resolved to this host by its `Host`.

use super::http::Request;
use super::refusal::{Outcome, Refusal};

/// Refuses a request that may not change anything.
pub(super) fn admit_change(request: &Request, token: Option<&str>) -> Outcome<()> {
    let host = request.header("host").unwrap_or_default();
    if let Some(origin) = request.header("origin") {
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        if !authority.eq_ignore_ascii_case(host) {
            return Err(Refusal::new(403, "foreign_origin", format!("pages of {origin} may not change anything here")));
        }
    }
    match token {
        Some(token) => admit_token(request, token),
        None if is_loopback(host) => Ok(()),
        None => Err(Refusal::new(403, "foreign_host", format!("this server answers as localhost, not as {host:?}"))),
    }
}

fn admit_token(request: &Request, token: &str) -> Outcome<()> {
    let shown = request.header("authorization").and_then(|value| {
        let (scheme, shown) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(shown.trim())
    });
    match shown {
        Some(shown) if is_same(shown.as_bytes(), token.as_bytes()) => Ok(()),
        Some(_) => Err(Refusal::new(401, "wrong_token", "that is not the token of this server")),
        None => Err(Refusal::new(401, "token_required", "send the token: Authorization: Bearer <token>")),
    }
}

/// Compares without telling by its time where the first difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differences) == 0
}

/// Whether a `Host` names this host and no other.
fn is_loopback(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Request { headers, ..Request::default() }
    }

    fn code(headers: &[(&str, &str)], token: Option<&str>) -> Option<&'static str> {
        admit_change(&request(headers), token).err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_token_is_asked_for_where_there_is_one() {
        let with = |value| code(&[("host", "h"), ("authorization", value)], Some("abc"));
        assert_eq!((with("Bearer abc"), with("bearer abc")), (None, None));
        for wrong in ["Bearer abd", "Bearer ab", "Bearer abcd", "Bearer "] {
            assert_eq!(with(wrong), Some("wrong_token"), "{wrong}");
        }
        assert_eq!((with("Basic abc"), with("abc")), (Some("token_required"), Some("token_required")));
        assert_eq!(code(&[("host", "h")], Some("abc")), Some("token_required"));
    }

    #[test]
    fn without_a_token_only_this_host_may() {
        for host in ["localhost:7070", "127.0.0.1:7070", "[::1]:7070", "LOCALHOST", "127.9.9.9"] {
            assert_eq!(code(&[("host", host)], None), None, "{host}");
        }
        for host in ["evil.example:7070", "", "10.0.0.1", "localhost.evil.example", "[::2]"] {
            assert_eq!(code(&[("host", host)], None), Some("foreign_host"), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_may_not() {
        let from = |origin| code(&[("host", "localhost:7070"), ("origin", origin)], None);
        assert_eq!(from("http://localhost:7070"), None);
        for origin in ["http://evil.example", "null", "http://localhost:8080"] {
            assert_eq!(from(origin), Some("foreign_origin"), "{origin}");
        }
    }
}
