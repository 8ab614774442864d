//! Pipes that end when a stop was asked for: a blocked read would not hear of a signal.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::StopFlag;

/// How long one wait for input lasts before the flag is looked at again; input itself ends the wait at once.
const LOOK_MS: i32 = 50;

/// Reads standard input until its end or until the stop flag is set, whichever comes first.
pub struct StoppableStdin {
    stop: StopFlag,
}

impl StoppableStdin {
    /// Standard input under this flag.
    pub fn new(stop: &StopFlag) -> Self {
        Self { stop: stop.clone() }
    }
}

impl Read for StoppableStdin {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !wait_for_input(libc::STDIN_FILENO, &self.stop)? {
            return Ok(0);
        }
        std::io::stdin().lock().read(buffer)
    }
}

/// Reads a named pipe or a device until its end or until the stop flag is set, whichever comes first.
pub struct StoppablePipe {
    file: File,
    stop: StopFlag,
}

impl StoppablePipe {
    /// Opens it. A pipe that nobody writes to yet is open at once: the first read waits.
    pub fn open(path: &Path, stop: &StopFlag) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        Ok(Self { file, stop: stop.clone() })
    }
}

impl Read for StoppablePipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if !wait_for_input(self.file.as_raw_fd(), &self.stop)? {
                return Ok(0);
            }
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

/// Waits until `descriptor` has input or is at its end; false if the stop was asked for.
fn wait_for_input(descriptor: i32, stop: &StopFlag) -> std::io::Result<bool> {
    loop {
        if stop.is_set() {
            return Ok(false);
        }
        let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: `poll` is one valid pollfd that outlives the call, and the count says one.
        let ready = unsafe { libc::poll(&raw mut poll, 1, LOOK_MS) };
        match ready {
            0 => {}
            1.. => return Ok(true),
            _ => {
                let error = std::io::Error::last_os_error();
                if error.kind() != ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}
