//! The terminal: its size, single keys, and its settings when the program ends.
#![allow(unsafe_code, reason = "tcgetattr(3), tcsetattr(3), ioctl(2)")]

use core::mem;
use std::io::{self, IsTerminal, Read, Write};

/// The settings of the terminal as they were, which come back when this is dropped.
pub(crate) struct Restore(Option<libc::termios>);

impl Restore {
    /// Notes the settings of the terminal on standard input, if there is one.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(settings().ok())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = self.0
            && settings().is_ok_and(|now| now.c_lflag != before.c_lflag)
        {
            set(&before);
            // Editing asked for pasted text to be marked, and left the cursor in its line.
            let _: io::Result<()> = io::stdout().write_all(b"\x1b[?2004l\r\n");
        }
    }
}

/// Whether a user sits at both ends.
#[must_use]
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Rows and columns of the terminal on standard output.
#[must_use]
pub(crate) fn size() -> Option<(usize, usize)> {
    // SAFETY: all zeros is a valid `winsize`.
    let mut size: libc::winsize = unsafe { mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the address it is given, and `size` lives through the call.
    let failed = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    let known = failed == 0 && size.ws_row > 0 && size.ws_col > 0;
    known.then_some((size.ws_row.into(), size.ws_col.into()))
}

/// Keys one at a time, without showing them; as before when this is dropped.
pub(crate) struct Keys(libc::termios);

impl Keys {
    /// Takes over the terminal on standard input.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn new() -> io::Result<Self> {
        let before = settings()?;
        let mut raw = before;
        raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
        (raw.c_cc[libc::VMIN], raw.c_cc[libc::VTIME]) = (1, 0);
        set(&raw);
        Ok(Self(before))
    }

    /// The bytes of the next key, in `keys`; an escape sequence comes whole.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn next<'k>(&mut self, keys: &'k mut [u8; 16]) -> io::Result<&'k [u8]> {
        loop {
            match io::stdin().lock().read(keys) {
                Ok(length) => return Ok(&keys[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        set(&self.0);
    }
}

fn settings() -> io::Result<libc::termios> {
    // SAFETY: all zeros is a valid `termios`.
    let mut settings: libc::termios = unsafe { mem::zeroed() };
    // SAFETY: tcgetattr(3) writes one `termios` to the address it is given, and `settings` lives through the call.
    let failed = unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut settings) };
    if failed == 0 { Ok(settings) } else { Err(io::Error::last_os_error()) }
}

fn set(settings: &libc::termios) {
    // SAFETY: tcsetattr(3) reads one `termios` from the address it is given, which lives through the call. That it fails
    // means that there is no terminal any more.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const *settings) };
}
