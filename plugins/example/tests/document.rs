//! `docs/PLUGINS.md` shows the plugin as it is.

use std::{fs, path::Path};

use vnet::prelude::*;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The blocks of the document that are fenced as `kind`.
fn blocks<'d>(document: &'d str, kind: &str) -> Vec<&'d str> {
    let fence = format!("```{kind}\n");
    let mut blocks = document.split(fence.as_str());
    blocks.next();
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn what_the_document_quotes_is_in_the_source_and_nothing_of_it_is_left_out() {
    let (source, tests) = (read("src/lib.rs"), read("tests/dscp.rs"));
    let document = read("../../docs/PLUGINS.md");
    let mut left = source.clone();
    for block in blocks(&document, "rs") {
        assert!(source.contains(block) || tests.contains(block), "not in the source:\n{block}");
        left = left.replacen(block, "", 1);
    }
    let code = |line: &&str| !line.starts_with("//!") && !["", "}"].contains(&line.trim());
    let left: Vec<_> = left.lines().filter(code).collect();
    assert!(left.is_empty(), "not in the document: {left:#?}");
}

#[test]
fn the_session_of_the_document_is_what_an_engine_prints() {
    let document = read("../../docs/PLUGINS.md");
    let engine = Engine::builder()
        .clock(Clock::virtual_at(PacketTime(1_767_225_600_000_000_000)))
        .plugin(nodes::plugin())
        .plugin(nodes::pg::plugin())
        .plugin(peloton_example::plugin())
        .build()
        .unwrap();
    let [shown] = blocks(&document, "console")[..] else { panic!("one session") };
    let mut printed = String::new();
    for command in shown.lines().filter_map(|line| line.strip_prefix("peloton# ")) {
        let answer = engine.command(command).unwrap_or_else(|error| format!("{error}\n"));
        engine.run_until_idle();
        printed += &format!("peloton# {command}\n{answer}");
    }
    assert_eq!(printed, shown, "{printed}");
}
