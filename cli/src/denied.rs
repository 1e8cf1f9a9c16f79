//! What would help where a file cannot be had.

use std::io;

/// Follows what the kernel says of a file; nothing, unless it is a matter of permission.
pub(crate) fn help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            ": another path, one where this user may write, or CAP_DAC_OVERRIDE is needed"
        }
        _ => "",
    }
}
