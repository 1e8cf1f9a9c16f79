//! Files that commands name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Opens a regular file to read. Whoever runs commands waits for them, so nothing is taken that may keep its reader
/// waiting or never end: pipes, terminals and devices are refused.
///
/// # Errors
/// What the system says, or that it is something else.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Looked at before it is opened: opening a pipe waits for its writer.
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        // Reading a folder fails with the system's own words.
        return File::open(path);
    }
    Err(io::Error::other("not a regular file"))
}

/// Makes a file to write, or empties the one there is. Not a pipe: opening one waits for its reader, and everything else would
/// wait, too.
///
/// # Errors
/// What the system says, or that it is a pipe.
pub fn create_file(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path) {
        Ok(there) if there.file_type().is_fifo() => Err(io::Error::other("a pipe, not a file")),
        _ => File::create(path),
    }
}
