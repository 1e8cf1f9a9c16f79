//! Startup files.

use peloton::startup::{Place, Startup, StartupError};

/// The name of the file in errors.
const NAME: &str = "startup.conf";

/// Any bytes are a configuration or an error that lies in the file; reading it twice gives the same; what stands behind a
/// comment sign changes nothing.
pub fn startup(data: &[u8]) {
    let read = Startup::from_bytes(NAME, data);
    assert_eq!(format!("{read:?}"), format!("{:?}", Startup::from_bytes(NAME, data)));
    match read {
        Ok(startup) => {
            let commented = [data, b"\n# unix { wrong { \""].concat();
            let same = Startup::from_bytes(NAME, &commented);
            assert!(same.is_ok_and(|same| same == startup), "a comment is read");
            assert!(startup.buffers.is_none_or(|buffers| (256..=1_800_000).contains(&buffers)));
            assert!(startup.cpu.main_core.is_none_or(|core| core < 1024));
            assert!(startup.notes.iter().all(|note| note.starts_with("startup.conf:")));
        }
        Err(error) => {
            check_place(data, &error);
            let text = error.to_string();
            let is_plain = text.chars().all(|c| !c.is_control());
            assert!(text.starts_with("startup.conf:") && is_plain, "{text:?}");
        }
    }
}

/// An error lies on a line of the file, and on one of its characters or behind the last.
fn check_place(data: &[u8], error: &StartupError) {
    let StartupError::Wrong { place: Place::File { name, line, column }, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(name, NAME);
    let text = String::from_utf8_lossy(data);
    let found = text.split('\n').nth(line - 1);
    let found = found.unwrap_or_else(|| panic!("{error}: there is no such line"));
    assert!((1..=found.chars().count() + 1).contains(column), "{error}: there is no such column");
}
