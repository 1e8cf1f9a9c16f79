//! Results go to standard output, and a failure to write them is told by that name.

use std::io::{self, Write};

use crate::args::Failure;

/// Standard output could not be written: a full disk, a closed pipe.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub struct StdoutError(#[from] io::Error);

/// Writes all of `text`, and keeps nothing back.
///
/// # Errors
/// What the system says.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), StdoutError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    Ok(out.flush()?)
}

impl From<StdoutError> for Failure {
    fn from(error: StdoutError) -> Self {
        Self::failed(error)
    }
}
