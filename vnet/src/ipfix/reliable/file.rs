//! IPFIX Files (RFC 5655) that are complete when they are large or old enough.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::link::Link;

/// IPFIX.
const VERSION: u16 = 10;
/// Octets of a message without sets.
const SHORTEST: u64 = 16;

/// When a file is complete. It is renamed then: the time at which it was complete is added to its name, and a number where
/// there is a file of that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// With so many octets.
    pub size: Option<u64>,
    /// This old.
    pub age: Option<Duration>,
}

/// A file that is being written.
pub(super) struct FileLink {
    file: File,
    path: PathBuf,
    rotation: Rotation,
    written: u64,
    since: Instant,
    trouble: Option<String>,
}

impl FileLink {
    /// Begins a file. One that is there and has anything in it is complete, and is renamed as one; half of a message at its end,
    /// which an engine leaves that is killed while it writes, is cut off before.
    pub(super) fn create(path: &Path, rotation: Rotation) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
            }
            Ok(found) => {
                if cut_half_message(path, found.len())? > 0 {
                    set_aside(path)?;
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (),
            Err(error) => return Err(error),
        }
        let file = File::create(path)?;
        let path = path.to_owned();
        Ok(Self { file, path, rotation, written: 0, since: Instant::now(), trouble: None })
    }
}

impl Link for FileLink {
    /// All or nothing: a full disk leaves no half of a message, and is waited for.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.file.write_all_at(octets, self.written);
        match written {
            Ok(()) => {
                self.written += octets.len() as u64;
                self.trouble = None;
                Ok(octets.len())
            }
            Err(error) => {
                self.file.set_len(self.written)?;
                self.trouble = Some(error.to_string());
                Ok(0)
            }
        }
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn acknowledged(&mut self) -> io::Result<u64> {
        Ok(self.written)
    }

    fn is_complete(&self) -> bool {
        let Rotation { size, age } = self.rotation;
        self.written > 0
            && (size.is_some_and(|size| self.written >= size)
                || age.is_some_and(|age| self.since.elapsed() >= age))
    }

    fn close(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.is_complete() { set_aside(&self.path) } else { Ok(()) }
    }
}

/// Cuts off the last message of a file of `length` octets, if it is not whole; how long the file is then. One that is no IPFIX
/// File is left as it is.
fn cut_half_message(path: &Path, length: u64) -> io::Result<u64> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut at = 0;
    while at < length {
        // Version and length, at the beginning of each message (RFC 7011 section 3.1).
        let mut header = [0; 4];
        let message = match file.read_exact_at(&mut header, at) {
            Ok(()) => {
                let [v0, v1, l0, l1] = header;
                let octets = u64::from(u16::from_be_bytes([l0, l1]));
                if u16::from_be_bytes([v0, v1]) != VERSION || octets < SHORTEST {
                    return Ok(length);
                }
                octets
            }
            // What it would be does not show in less.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && at > 0 => SHORTEST,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(length),
            Err(error) => return Err(error),
        };
        if at + message > length {
            file.set_len(at)?;
            return Ok(at);
        }
        at += message;
    }
    Ok(length)
}

/// Gives a complete file a name of its own: the time is added to that it has, and a number where there is one of that name.
///
/// # Errors
/// When the file cannot be renamed.
pub fn set_aside(path: &Path) -> io::Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stamp = utc(since.as_secs());
    for n in 0.. {
        let mut name = OsString::from(path);
        name.push(format!(".{stamp}"));
        if n > 0 {
            name.push(format!(".{n}"));
        }
        // Where there is a file of that name, the next number is tried: nothing is ever overwritten.
        match fs::hard_link(path, &name) {
            Ok(()) => return fs::remove_file(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Year, month, day, hour, minute and second, as nfcapd's names have them: 20261126153000.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years (the civil calendar, proleptic).
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_message_is_cut_off_and_other_files_are_left_alone() {
        let path = std::env::temp_dir().join(format!("peloton-half-{}", std::process::id()));
        let message = |length: u16| {
            let mut message = vec![0; length.into()];
            message[..2].copy_from_slice(&VERSION.to_be_bytes());
            message[2..4].copy_from_slice(&length.to_be_bytes());
            message
        };
        let whole = [message(16), message(100), message(40)].concat();
        let cut = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let length = cut_half_message(&path, bytes.len() as u64).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), length);
            length
        };
        for length in (0..=whole.len()).filter(|length| !(1..4).contains(length)) {
            let expected = [0, 16, 116, 156].into_iter().rfind(|end| *end <= length).unwrap();
            assert_eq!(cut(&whole[..length]), expected as u64, "{length}");
        }
        for text in ["not an IPFIX File at all", "no", "\0\n"] {
            assert_eq!(cut(text.as_bytes()), text.len() as u64);
        }
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn names_have_the_date() {
        for (seconds, expected) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_709_210_096, "20240229123456"),
            (4_102_444_799, "20991231235959"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }
}
