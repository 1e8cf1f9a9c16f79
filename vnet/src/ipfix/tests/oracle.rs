//! Help for tests that other people's programs judge.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::roundtrip::Wire;

/// The program, if it is installed. If not, says so where nobody captures it: such a test has checked nothing.
pub(super) fn program(name: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.exists());
    if found.is_none() {
        // In one piece, so that lines of tests that run side by side stay whole.
        let line = format!("\nNOT RUN: {test}: there is no {name} on PATH\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    found
}

/// A directory of a test's own, gone with this value.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(test: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("peloton-ipfix-{}-{test}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program to its end; its standard output.
pub(super) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// A capture (classic pcap, link type raw IP) of the packets that carry these messages.
pub(super) fn pcap(wire: &Wire) -> Vec<u8> {
    const RAW_IP: u32 = 101;
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, RAW_IP] {
        file.extend(u32::to_le_bytes(word));
    }
    for (n, (session, message)) in wire.0.iter().enumerate() {
        let headers = session.headers(message);
        let len = (headers.len() + message.len()) as u32;
        for word in [1_700_000_000, n as u32, len, len] {
            file.extend(u32::to_le_bytes(word));
        }
        file.extend(headers);
        file.extend(message);
    }
    file
}
