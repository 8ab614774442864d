//! Standard input that ends when a stop was asked for: a blocked read would not hear of a signal.

use std::io::{ErrorKind, Read};

use super::StopFlag;

/// Reads standard input until its end or until the stop flag is set, whichever comes first.
pub struct StoppableStdin {
    stop: StopFlag,
}

impl StoppableStdin {
    /// How long one wait for input lasts before the flag is looked at again; input itself ends the wait at once.
    const LOOK_MS: i32 = 50;

    /// Standard input under this flag.
    pub fn new(stop: &StopFlag) -> Self {
        Self { stop: stop.clone() }
    }
}

impl Read for StoppableStdin {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if self.stop.is_set() {
                return Ok(0);
            }
            let mut poll = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
            // SAFETY: `poll` is one valid pollfd that outlives the call, and the count says one.
            let ready = unsafe { libc::poll(&raw mut poll, 1, Self::LOOK_MS) };
            match ready {
                0 => {}
                1.. => return std::io::stdin().lock().read(buffer),
                _ => {
                    let error = std::io::Error::last_os_error();
                    if error.kind() != ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }
}
