//! The engine's end of a connection: bytes in and out, without blocking, and whoever is slow keeps nobody else waiting.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    rc::Rc,
};

use vnet::{plugin::CommandCx, process::Interest};

use super::places::Place;

/// A connection, and the place of its client.
pub(super) struct Wire {
    stream: UnixStream,
    cx: CommandCx,
    place: Rc<Place>,
    /// Something is sent of which the client has only a part.
    cut: bool,
}

impl Wire {
    pub(super) fn new(stream: UnixStream, cx: CommandCx, place: Rc<Place>) -> Self {
        Self { stream, cx, place, cut: false }
    }

    /// The engine waits for the client from now on.
    pub(super) fn waits(&self) {
        self.place.waits(self.cx.now());
    }

    /// The engine works for the client.
    pub(super) fn works(&self) {
        self.place.works();
    }

    /// Answers what is no request yet: the engine waits for the client as long as it did.
    pub(super) async fn send_meanwhile(&mut self, bytes: &[u8]) -> io::Result<()> {
        let since = self.place.waits_since();
        self.send(bytes).await?;
        if let Some(since) = since {
            self.place.waits(since);
        }
        Ok(())
    }

    /// Whether the client has a part only of something, so that nothing else may follow.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The next bytes; none when the client is gone. Nothing is lost when this is given up.
    pub(super) async fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(chunk) {
                Ok(length) => return Ok(length),
                Err(error) => self.wait(error, Interest::Readable).await?,
            }
        }
    }

    /// Waits for a client that reads slowly, or not at all.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            self.cut = sent > 0;
            match self.stream.write(&bytes[sent..]) {
                Ok(length) => {
                    self.works();
                    sent += length;
                }
                Err(error) => {
                    self.waits();
                    self.wait(error, Interest::Writable).await?;
                }
            }
        }
        self.cut = false;
        self.works();
        Ok(())
    }

    /// Says why the client is hung up, if it listens.
    pub(super) fn last_words(&mut self, bytes: &[u8]) {
        let _: io::Result<usize> = self.stream.write(bytes);
    }

    async fn wait(&self, error: io::Error, interest: Interest) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.cx.ready(&self.stream, interest).await;
                Ok(())
            }
            io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        }
    }
}
