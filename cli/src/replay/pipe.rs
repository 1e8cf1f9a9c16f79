//! Captures and outputs that are pipes: who waits for their other end hears signals.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::Path,
    thread,
    time::Duration,
};

use nodes::capture::{ReadError, Reader};

use crate::signal::{self, Signal, Signals};

/// Between two looks at a pipe that nobody reads yet.
const PAUSE: Duration = Duration::from_millis(20);

/// What errors call `path`; `-` is standard input.
pub(super) fn name(path: &Path) -> String {
    match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// What the system knows of the file behind `path`; `None` for a standard input that is closed.
pub(super) fn metadata(path: &Path) -> Result<Option<fs::Metadata>, ReadError> {
    if path == Path::new("-") {
        return Ok(own_file(io::stdin().as_fd()));
    }
    let open = |source| ReadError::Open { file: name(path), source };
    fs::metadata(path).map(Some).map_err(open)
}

/// What stands behind a descriptor that the program was started with.
pub(super) fn own_file(descriptor: BorrowedFd<'_>) -> Option<fs::Metadata> {
    File::from(descriptor.try_clone_to_owned().ok()?).metadata().ok()
}

/// Opens a capture. A pipe is waited for, its writer and its bytes, until a signal comes.
pub(super) fn open(path: &Path, signals: &Signals) -> Result<Reader, ReadError> {
    if metadata(path)?.is_some_and(|found| found.is_file() || found.is_dir()) {
        return Reader::open(path);
    }
    let file = match path == Path::new("-") {
        true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        // A pipe without a writer is open at once, and readable once there was one.
        false => OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path),
    };
    let file = file.map_err(|source| ReadError::Open { file: name(path), source })?;
    Reader::from_stream(name(path), Pipe { file, signals: signals.clone() })
}

/// Waits until somebody reads the pipe behind `path`, if it is one. What was opened of it is to be held until it has been opened for
/// good: a reader that finds nobody at the other end takes that for the end.
///
/// # Errors
/// A signal that came first.
pub(super) fn wait_for_reader(path: &Path) -> Result<Option<File>, Signal> {
    while fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
        match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Ok(held) => return Ok(Some(held)),
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {}
            // Whoever opens it for good says why not.
            Err(_) => return Ok(None),
        }
        if let Some(signal) = signal::caught() {
            return Err(signal);
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

struct Pipe {
    file: File,
    signals: Signals,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.signals.wait_readable(self.file.as_fd())? {
            true => self.file.read(buffer),
            false => Err(ErrorKind::Interrupted.into()),
        }
    }
}
