//! A small HTTP/1.1 server: a thread per connection, with limits on everything a client can make long.
//!
//! Promises: a request has a deadline as a whole, not per read, so a slow client holds one thread for a bounded time and
//! nobody else's; head, body and number of connections are bounded; what is malformed is answered, then hung up on. No
//! chunked request bodies (411), no pipelining beyond one request after another.

mod connection;
mod listener;
mod message;

pub(super) use listener::Listener;
pub(super) use message::{Request, Response};
