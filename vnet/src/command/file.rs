//! Files that commands name.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
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

/// Makes a file to write, or empties the one there is. A link is not followed, and a file that has another name is not touched:
/// in a folder that others may write to, such as /tmp, either may lead to a file that its owner did not mean. Not a pipe:
/// opening one waits for its reader, and everything else would wait, too.
///
/// # Errors
/// What the system says, or what it is instead.
pub fn create_file(path: &Path) -> io::Result<File> {
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return File::create_new(path);
        }
        Err(error) => return Err(error),
    };
    let kind = there.file_type();
    if kind.is_fifo() {
        return Err(io::Error::other("a pipe, not a file"));
    }
    let options = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).to_owned();
    let file = options.open(path).map_err(|error| match kind.is_symlink() {
        true => io::Error::other("a link, which is not followed"),
        false => error,
    })?;
    // What was opened, whatever it was before.
    let opened = file.metadata()?;
    if opened.is_file() && opened.nlink() > 1 {
        return Err(io::Error::other("a file that has other names"));
    }
    file.set_len(0).or_else(|error| if opened.is_file() { Err(error) } else { Ok(()) })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_made_lead_nowhere_else() {
        let folder = std::env::temp_dir().join(format!("vnet-create-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [file, precious, link, name] =
            ["file", "precious", "link", "name"].map(|n| folder.join(n));
        drop(create_file(&file).unwrap());
        std::fs::write(&file, "old").unwrap();
        drop(create_file(&file).unwrap());
        assert_eq!(std::fs::read(&file).unwrap(), b"");
        std::fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        std::fs::hard_link(&precious, &name).unwrap();
        let why = |path| create_file(path).unwrap_err().to_string();
        assert_eq!(why(&link), "a link, which is not followed");
        assert_eq!(why(&name), "a file that has other names");
        assert_eq!(std::fs::read(&precious).unwrap(), b"precious");
        assert!(create_file(Path::new("/dev/null")).is_ok());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
