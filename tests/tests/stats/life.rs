//! The socket: where it is, who may connect, and what becomes of it.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
};

use peloton_tests::program::run;

use crate::engine::Sharing;

#[test]
fn the_socket_is_where_it_was_asked_for_and_goes_with_the_engine() {
    let mut engine = Sharing::start("stats-life", "", "");
    let file = fs::metadata(engine.socket()).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o660);
    let ended = engine.stop();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!engine.socket().exists());
}

#[test]
fn without_a_name_it_lies_in_the_runtime_folder_and_without_the_stanza_there_is_none() {
    let mut engine = Sharing::folder("stats-default");
    engine.write("default", "");
    engine.launch();
    assert!(engine.path("run/stats.sock").exists());
    engine.stop();
    let startup = engine.path("startup.conf");
    let text = fs::read_to_string(&startup).unwrap().replace("statseg { default }", "");
    fs::write(&startup, text).unwrap();
    engine.launch();
    assert!(!engine.path("run/stats.sock").exists());
}

#[test]
fn a_socket_of_a_dead_engine_gives_way_and_that_of_a_living_one_is_an_error() {
    let mut engine = Sharing::start("stats-stale", "", "");
    engine.kill();
    assert!(engine.socket().exists(), "it could not clean up");
    engine.launch();
    let second = run(&mut engine.command());
    assert!(!second.status.success());
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    let expected =
        format!("statseg: socket {}: another engine listens there", engine.socket().display());
    assert!(error.contains(&expected), "{error}");
    assert!(
        engine.read("stats::stale", "values.py", &[]).is_none_or(|read| read["all"].is_object())
    );
}

#[test]
fn what_cannot_be_is_an_error_at_start_that_names_it() {
    let engine = Sharing::folder("stats-errors");
    let refused = |statseg: &str| {
        engine.write(statseg, "");
        let output = run(&mut engine.command());
        assert!(!output.status.success(), "{statseg}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let taken = engine.path("file");
    fs::write(&taken, "mine").unwrap();
    let error = refused(&format!("socket-name {}", taken.display()));
    assert!(error.contains(&format!("socket {}: there is a file", taken.display())), "{error}");
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    let nowhere = engine.path("no/such/folder/s.sock");
    let error = refused(&format!("socket-name {}", nowhere.display()));
    assert!(error.contains(&format!("socket {}: No such file", nowhere.display())), "{error}");
    let long = engine.path(&"n".repeat(120));
    let error = refused(&format!("socket-name {}", long.display()));
    assert!(error.contains(&format!("statseg: socket {}: ", long.display())), "{error}");
    // A counter that does not fit, by its name.
    let error = refused("size 1m");
    assert!(error.contains("the stats segment is full: /"), "{error}");
    let error = refused("size 64g page-size 1g");
    assert!(error.contains("cannot create a stats segment of 68719476736 bytes"), "{error}");
    let error = refused("page-size 3m");
    let expected = "default, default-hugepage, 4k, 2m or 1g";
    assert!(error.contains("startup.conf:2:") && error.contains(expected), "{error}");
    let error = refused("update-interval 0");
    assert!(error.contains("a number of seconds, 0.01 to 86400"), "{error}");
    let error = refused("socket-nam x");
    assert!(error.contains("page-size, per-node-counters, size, socket-name"), "{error}");
}

#[test]
fn the_commands_show_what_is_there() {
    let engine = Sharing::start("stats-commands", "", "");
    let text = engine.ctl("show statistics segment");
    let mut lines = text.lines();
    let head = format!("{:<74} {:>10} {:>10}", "Name", "Type", "Value");
    assert_eq!(lines.next().map(str::trim_end), Some(head.as_str()));
    let row = format!("{:<74} {:<10} {:>10}", "/sys/num_worker_threads", "Gauge", 0);
    assert!(lines.any(|line| line == row), "{text}");
    let names: Vec<_> = text.lines().skip(1).map(|l| l.split(' ').next().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"/interfaces/pg0/rx"));
    for (name, word) in
        [("/if/rx", "CMainPtr"), ("/if/names", "NameVector"), ("/sys/boottime", "ScalarPtr")]
    {
        assert!(text.lines().any(|line| line.starts_with(name) && line.contains(word)), "{name}");
    }
    assert_eq!(engine.ctl("show statistics segment /if/rx"), "Entry: /if/rx (type 3)\n");
    assert!(engine.ctl("show statistics segment verbose").starts_with("size 17179869184, memory "));
    let hash = engine.ctl("show statistics hash");
    assert!(hash.starts_with("0: /sys/heartbeat\n1: /sys/last_stats_clear\n2: /sys/boottime\n"));
    let segment = engine.json("show statistics segment");
    assert_eq!(segment.as_array().unwrap().len(), names.len());
}
