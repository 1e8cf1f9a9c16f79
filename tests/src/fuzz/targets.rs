//! Collectors of bridge exporters.

use ipfix_bridge::Target;

/// A text is refused with an error that can be printed, or it names a target that can be written and read again.
pub fn targets(data: &[u8]) {
    for text in String::from_utf8_lossy(data).split([',', '\n']) {
        match Target::parse(text) {
            Ok(target) => {
                let written = target.to_string();
                assert_eq!(Target::parse(&written), Ok(target), "{written}");
            }
            Err(error) => {
                let told = error.to_string();
                assert!(!told.chars().any(char::is_control), "{told:?}");
            }
        }
    }
}
