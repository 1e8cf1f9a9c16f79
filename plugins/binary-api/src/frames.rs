//! Messages out of what a connection brings, whose pieces are cut anywhere.

use vnet::api::FRAME_HEADER;

/// The longest message of a client: as long as a command line can be, and something.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// What was received and not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    octets: Vec<u8>,
    /// Where what is not yet taken begins.
    start: usize,
}

/// What cannot be the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {length} octets: expected 2 to {MAX_MESSAGE}")]
pub(crate) struct FrameError {
    length: usize,
}

impl Frames {
    /// Adds what was received.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        // What was taken goes when it is most of what is here, so that each octet is moved once at most.
        if self.start > self.octets.len() / 2 {
            self.octets.drain(..self.start);
            self.start = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    /// The next message, from its number on; none when it is not yet whole.
    pub(crate) fn take(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some(header) = self.octets[self.start..].first_chunk::<FRAME_HEADER>() else {
            return Ok(None);
        };
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(2..=MAX_MESSAGE).contains(&length) {
            return Err(FrameError { length });
        }
        let begin = self.start + FRAME_HEADER;
        let Some(message) = self.octets.get(begin..begin + length) else { return Ok(None) };
        self.start = begin + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut octets = vec![0; 8];
        octets.extend_from_slice(&(message.len() as u32).to_be_bytes());
        octets.extend_from_slice(&[0; 4]);
        octets.extend_from_slice(message);
        octets
    }

    #[test]
    fn messages_are_the_same_however_they_are_cut() {
        let messages: Vec<Vec<u8>> = (2..40_u8).map(|n| vec![n; n.into()]).collect();
        let stream: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        for piece in [1, 3, 16, 17, 100, stream.len()] {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for octets in stream.chunks(piece) {
                frames.push(octets);
                while let Some(message) = frames.take().unwrap() {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, messages, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_length_that_no_message_has_is_an_error_before_anything_is_kept_for_it() {
        for length in [0, 1, MAX_MESSAGE + 1, u32::MAX as usize] {
            let mut frames = Frames::default();
            let mut octets = frame(&[]);
            octets[8..12].copy_from_slice(&(length as u32).to_be_bytes());
            frames.push(&octets);
            assert_eq!(frames.take(), Err(FrameError { length }));
        }
    }
}
