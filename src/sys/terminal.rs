//! Whether a standard stream is a terminal, and how wide it is.

use std::io::IsTerminal;
use std::os::fd::AsRawFd;

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Input.
    Stdin,
    /// Results.
    Stdout,
    /// Progress, warnings, errors.
    Stderr,
}

/// Whether `stream` is a terminal.
pub fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Stdin => std::io::stdin().is_terminal(),
        Stream::Stdout => std::io::stdout().is_terminal(),
        Stream::Stderr => std::io::stderr().is_terminal(),
    }
}

/// Columns of the terminal behind `stream`; `None` if it is none or does not know its size.
pub fn width_columns(stream: Stream) -> Option<usize> {
    let descriptor = match stream {
        Stream::Stdin => std::io::stdin().as_raw_fd(),
        Stream::Stdout => std::io::stdout().as_raw_fd(),
        Stream::Stderr => std::io::stderr().as_raw_fd(),
    };
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, and `size` is exclusively borrowed for the length of the call; a
    // descriptor that is no terminal makes the call fail without a write.
    let status = unsafe { libc::ioctl(descriptor, libc::TIOCGWINSZ, &mut size) };
    (status == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}
