//! Readers that are many, slow, or gone, and such as would write.

use std::path::Path;

use peloton_tests::program::papi;

use crate::engine::Sharing;

#[test]
fn readers_get_one_descriptor_each_with_which_they_can_only_read_however_many_and_slow_they_are() {
    let mut engine = Sharing::start("stats-readers", "", "");
    let (pid, control) = (engine.pid().to_string(), engine.path("cli.sock"));
    let arguments = [Path::new(&pid), control.as_path()];
    let Some(told) = engine.read("stats::readers", "readers.py", &arguments) else { return };
    assert_eq!(told["size"], 16_u64 << 30);
}

#[test]
fn a_reader_outlives_the_engine_and_finds_the_next_one_at_the_same_place() {
    let mut engine = Sharing::start("stats-outlive", "update-interval 0.05", "");
    let Some(_) = papi("stats::outlive") else { return };
    let first = engine.read("stats::outlive", "values.py", &[]).unwrap();
    engine.stop();
    engine.launch();
    let second = engine.read("stats::outlive", "values.py", &[]).unwrap();
    assert_eq!(first["all"]["/if/names"], second["all"]["/if/names"]);
}
