//! The reader of IPFIX Files.

use std::{io::Read, sync::Arc};

use vnet::ipfix::{
    decode::{Decoder, Problem, SessionKind},
    file::FileReader,
};

use super::stream::Trickle;

/// The reader gives whole messages only, each of the length that its header says, and all octets up to the first defect,
/// however the file arrives.
pub fn ipfix_file(data: &[u8]) {
    let whole = read(data);
    assert_eq!(read(Trickle::patient(data)), whole);
    let (messages, error) = whole;
    let octets = messages.concat();
    assert!(data.starts_with(&octets));
    assert_eq!(error.is_none(), octets.len() == data.len(), "{error:?}");

    let mut decoder = Decoder::new(SessionKind::Stream, Arc::default());
    for message in &messages {
        if let Err(error) = decoder.decode(message, &mut |_, _| ()) {
            let framing = matches!(
                error.problem,
                Problem::ShortMessage(_)
                    | Problem::Version(_)
                    | Problem::MessageLength { .. }
                    | Problem::Trailing(_)
            );
            assert!(!framing, "{error}");
        }
    }
}

fn read(input: impl Read) -> (Vec<Vec<u8>>, Option<String>) {
    let mut reader = FileReader::new(input, "FILE");
    let mut messages = Vec::new();
    loop {
        match reader.next_message() {
            Ok(Some(message)) => messages.push(message.to_vec()),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error.to_string())),
        }
    }
}
