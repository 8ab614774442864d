//! Takes connections and gives each a thread.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::message::{Request, Response};
use crate::error::{Error, Result};
use crate::limits::{HTTP_CONNECTIONS_MAX, PLANNER_STACK_BYTES};
use crate::server::refusal::Refusal;
use crate::sys::StopFlag;

/// After an error of accept (no descriptors left, say): it would come again at once.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);
/// How long connections may finish when the server ends.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Answers requests.
pub(in crate::server) type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// Connections that are open.
#[derive(Default)]
struct Open {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One of them, until dropped.
struct Held(Arc<Open>);

impl Open {
    fn count(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(self: &Arc<Self>) -> Option<Held> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if *count >= HTTP_CONNECTIONS_MAX {
            return None;
        }
        *count += 1;
        Some(Held(Arc::clone(self)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.changed.notify_all();
    }
}

/// A port that is listened on by a thread of its own.
pub(in crate::server) struct Listener {
    address: SocketAddr,
    stop: StopFlag,
    open: Arc<Open>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens on `address`; `answer` is called on the thread of a connection.
    pub(in crate::server) fn start(address: SocketAddr, answer: Arc<Answer>) -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("listen on", address.to_string(), &error);
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, open) = (StopFlag::new(), Arc::<Open>::default());
        let (stopping, held) = (stop.clone(), Arc::clone(&open));
        let accept = move || {
            while !stopping.is_set() {
                match listener.accept() {
                    Ok((stream, _)) if !stopping.is_set() => serve(stream, &held, &answer, &stopping),
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(ACCEPT_RETRY),
                }
            }
        };
        let thread = std::thread::Builder::new().name("corelane-accept".into()).spawn(accept).map_err(failed)?;
        Ok(Self { address, stop, open, thread: Some(thread) })
    }

    /// Where it listens.
    pub(in crate::server) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and lets those that are open finish, if they do so soon.
    pub(in crate::server) fn close(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop.set();
        // A connection of its own wakes the thread.
        let mut own = self.address;
        if own.ip().is_unspecified() {
            own.set_ip(if own.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
        }
        if TcpStream::connect_timeout(&own, Duration::from_secs(1)).is_ok() {
            let _ = thread.join();
        }
        let deadline = Instant::now() + CLOSE_PATIENCE;
        let mut count = self.open.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count > 0 && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            count = self.open.changed.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Gives a connection its thread, if there may be one more.
fn serve(stream: TcpStream, open: &Arc<Open>, answer: &Arc<Answer>, stopping: &StopFlag) {
    let Some(held) = open.hold() else {
        turn_away(&stream);
        return;
    };
    let (answer, stopping) = (Arc::clone(answer), stopping.clone());
    let body = move || {
        // When many are open, none is kept for its next request.
        let keeps_alive = || !stopping.is_set() && held.0.count() <= HTTP_CONNECTIONS_MAX / 2;
        Connection::new(stream).serve(&|request| answer(request), &keeps_alive);
        drop(held);
    };
    // Without a thread the connection is dropped, which closes it.
    let _ = std::thread::Builder::new().name("corelane-http".into()).stack_size(PLANNER_STACK_BYTES).spawn(body);
}

/// Answers without waiting for anything: the listening thread must not.
fn turn_away(stream: &TcpStream) {
    use std::io::Write;
    let refusal = Refusal::new(503, "too_many_connections", format!("{HTTP_CONNECTIONS_MAX} connections are open"));
    let mut stream = stream;
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write(&Response::from(refusal).to_bytes(false, false));
    }
}
