//! The client's end of a session at a VPP: what `vppctl` does.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

use super::{
    client::{ClientError, Printed},
    telnet::{Said, Telnet, terminal_type},
};
use crate::{signal, stdout::StdoutError};

/// How VPP's own prompt reads, which its users know.
pub(super) const PROMPT: &str = "vpp# ";
/// A terminal of this type gets no prompt, no echo and no pager, and a zero behind the output of each command.
const TERMINAL: &str = "vppctl";
const CHUNK: usize = 64 << 10;

/// What is known of a VPP at the other end.
#[derive(Default)]
pub(super) struct Vpp {
    telnet: Telnet,
    /// Text that came together with something else.
    text: Vec<u8>,
}

impl Vpp {
    /// Tells the VPP what to expect; `greeting` is what it has said so far.
    pub(super) fn meet(mut stream: &UnixStream, greeting: &[u8]) -> Result<Self, ClientError> {
        let mut vpp = Self::default();
        let mut asked = vpp.hear(greeting);
        let mut chunk = vec![0; CHUNK];
        while !asked {
            asked = match stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(length) => vpp.hear(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
                Err(error) => return Err(error.into()),
            };
        }
        stream.write_all(&terminal_type(TERMINAL))?;
        Ok(vpp)
    }

    /// Keeps the text among what came; whether it was asked for the type of the terminal.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        let mut asked = false;
        for said in bytes.iter().filter_map(|&byte| self.telnet.take(byte)) {
            match said {
                Said::Byte(byte) => self.text.push(byte),
                said => asked |= said == Said::WhichTerminal,
            }
        }
        asked
    }

    /// Runs `line` and hands what it prints to `print`, its lines ended as here. VPP does not tell whether it succeeded; `false`
    /// only after a signal, which VPP cannot be told of.
    pub(super) fn execute(
        &mut self,
        mut stream: &UnixStream,
        line: &[u8],
        print: &mut dyn FnMut(Printed<'_>) -> Result<(), StdoutError>,
    ) -> Result<bool, ClientError> {
        stream.write_all(&[line.trim_ascii_end(), b"\n"].concat())?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let end = self.text.iter().position(|&byte| byte == 0);
            let text = self.text.drain(..end.unwrap_or(self.text.len()));
            let text: Vec<_> = text.filter(|&byte| byte != b'\r').collect();
            if !text.is_empty() {
                print(Printed::Output(&text))?;
            }
            if end.is_some() {
                self.text.remove(0);
                return Ok(true);
            }
            match stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(length) => _ = self.hear(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if signal::caught().is_some() {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
