//! The packet generator as its users see it, under virtual time.

mod commands;
mod grammar;
mod harness;
mod offloads;
mod oracle;
mod sending;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use vnet::{
    command::Terminal,
    plugin::{Builder, CommandCx, Engine},
    runtime::{Clock, PacketTime},
};

use super::{Generator, StreamRow, StreamSpec};
use crate::capture::{Batch, Reader};

/// The wall-clock time at which engines start.
const START: PacketTime = PacketTime(1_700_000_000_000_000_000);

/// An engine with a packet generator, whose clock is moved by hand.
struct Bed {
    engine: Engine,
    generator: Generator,
    session: CommandCx,
}

/// A packet out of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    wire_length: u32,
    time: PacketTime,
}

impl Bed {
    fn new() -> Self {
        Self::with_buffers(16384)
    }

    fn with_buffers(buffers: u32) -> Self {
        Self::built(Engine::builder().buffers(buffers))
    }

    fn built(builder: Builder) -> Self {
        let engine = builder
            .clock(Clock::virtual_at(START))
            .plugin(crate::plugin())
            .plugin(super::plugin())
            .build()
            .unwrap();
        let session = engine.session(Terminal::PLAIN);
        Self { generator: engine.provided().unwrap(), engine, session }
    }

    /// Runs a command that must succeed; returns what it prints.
    fn run(&self, command: &str) -> String {
        let reply = self.engine.execute(&self.session, command.as_bytes());
        assert!(reply.ok, "{command}: {}", reply.text);
        reply.text
    }

    /// Runs a command that must fail; returns why.
    fn refused(&self, command: &str) -> String {
        let reply = self.engine.execute(&self.session, command.as_bytes());
        assert!(!reply.ok, "{command}: {}", reply.text);
        reply.text
    }

    fn stream(&self, name: &str) -> StreamRow {
        self.generator.streams().into_iter().find(|s| s.name == name).unwrap()
    }

    /// Sends all packets of a stream, which go to `pg0`, and reads them from a capture.
    fn sent_by(&self, spec: StreamSpec) -> Vec<Seen> {
        let file = scratch("sent");
        let name = self.engine.with(|main| self.generator.new_stream(main, spec)).unwrap();
        self.generator.capture("pg0", &file, None).unwrap();
        self.engine.with(|main| self.generator.enable(main, Some(&name))).unwrap();
        self.engine.run_until_idle();
        let captured = self.generator.stop_capture("pg0").unwrap();
        let seen = read(&file);
        assert_eq!(captured, seen.len() as u64);
        std::fs::remove_file(file).unwrap();
        seen
    }

    /// No packet is anywhere any more.
    fn assert_no_buffers_used(&self) {
        #[cfg(debug_assertions)]
        self.engine.with(|main| assert_eq!(main.pool().owned(), 0));
    }
}

/// The stream that `text` defines.
fn spec(text: &str) -> StreamSpec {
    StreamSpec::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A file name that nobody has.
fn scratch(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir()
        .join(format!("peloton-pg-{}-{number}-{name}.pcap", std::process::id()));
    let _: std::io::Result<()> = std::fs::remove_file(&path);
    path
}

/// All packets of a capture.
fn read(file: &Path) -> Vec<Seen> {
    let mut reader = Reader::open(file).unwrap();
    let mut seen = Vec::new();
    while reader
        .next_batch(256, |p| {
            seen.push(Seen { data: p.data.to_vec(), wire_length: p.wire_len, time: p.time });
        })
        .unwrap()
        != Batch::End
    {}
    seen
}
