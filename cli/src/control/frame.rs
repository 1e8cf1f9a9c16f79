//! Frames: four bytes of length (big-endian, of what follows), one byte of kind, and the rest.

/// Bytes of a frame before its payload.
const HEADER: usize = 5;

/// What no frame can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Without a kind.
    #[error("a frame without a kind")]
    Empty,
    /// Longer than allowed.
    #[error("a frame of {length} bytes, allowed are {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The longest allowed.
        limit: usize,
    },
}

/// Puts frames together from the bytes that have come so far. Never holds more than one frame and what came with its end.
pub struct Frames {
    bytes: Vec<u8>,
    /// The longest frame, in bytes without its length.
    limit: usize,
}

impl Frames {
    /// Takes frames of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// Adds what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, as kind and payload. `None` when more bytes are needed.
    ///
    /// # Errors
    /// When there is none of such a length; what follows makes no sense then.
    pub fn take(&mut self) -> Result<Option<(u8, Vec<u8>)>, FrameError> {
        let Some((head, rest)) = self.bytes.split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        match length {
            0 => return Err(FrameError::Empty),
            _ if length > self.limit => {
                return Err(FrameError::TooLong { length, limit: self.limit });
            }
            _ => {}
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let (kind, payload) = (frame[0], frame[1..].to_vec());
        self.bytes.drain(..head.len() + length);
        if self.bytes.is_empty() {
            // A long frame must not hold its memory for ever.
            self.bytes = Vec::new();
        }
        Ok(Some((kind, payload)))
    }
}

/// A frame's bytes.
#[must_use]
pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    // What is sent is cut into pieces that fit.
    let length = u32::try_from(1 + payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_however_their_bytes_are_cut() {
        let stream = [frame(1, b"show version"), frame(4, b""), frame(2, &[7; 300])].concat();
        for step in [1, 2, 3, 5, 16, 17, 400] {
            let mut frames = Frames::new(301);
            let mut seen = Vec::new();
            for bytes in stream.chunks(step) {
                frames.push(bytes);
                while let Some(frame) = frames.take().unwrap() {
                    seen.push(frame);
                }
            }
            let expected = [(1, b"show version".to_vec()), (4, vec![]), (2, vec![7; 300])];
            assert_eq!(seen, expected, "{step}");
        }
    }

    #[test]
    fn lying_lengths_are_refused_before_anything_is_kept_for_them() {
        let mut frames = Frames::new(100);
        frames.push(&[0xff; 4]);
        let error = FrameError::TooLong { length: 0xffff_ffff, limit: 100 };
        assert_eq!(frames.take(), Err(error));
        let mut frames = Frames::new(100);
        frames.push(&[0; 4]);
        assert_eq!(frames.take(), Err(FrameError::Empty));
    }
}
