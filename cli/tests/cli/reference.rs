//! `docs/COMMANDS.md` is what the program's own commands say of themselves.

use std::{env, fs, path::Path};

use peloton::plugins::{Assembled, Choice};
use vnet::plugin::Engine;

/// Rewrites the file instead of complaining, when this variable is set.
const REWRITE: &str = "PELOTON_REWRITE";

#[test]
fn the_command_reference_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COMMANDS.md");
    let assembled = Assembled::build(Engine::builder(), &Choice::all()).unwrap();
    let reference = assembled.engine.commands().reference();
    if env::var_os(REWRITE).is_some() {
        fs::write(&path, &reference).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == reference,
        "docs/COMMANDS.md is stale: `{REWRITE}=1 cargo test -p peloton reference' writes it anew"
    );
}
