//! Starting as VPP's test harness does, and ending when it says so.

use std::{
    os::unix::net::UnixStream,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use crate::common::{Daemon, FORWARD, Folder, peloton, run, told};

/// The harness's command line for the folder `at`, in its own grouping of words.
fn harness(at: &str) -> Vec<String> {
    let words = format!(
        "unix|{{|nodaemon|nosyslog||full-coredump|coredump-size unlimited|runtime-dir|{at}|cli-listen |{at}/cli.sock| |}}\
         |api-trace|{{|on|}}|api-segment|{{|prefix|x|}}|physmem|{{|max-size|32m|}}|statseg|{{|socket-name|{at}/stats.sock||}}\
         |socksvr|{{|socket-name|{at}/api.sock|}}|node {{ ||}}|api-fuzz {{|off|}}\
         |plugins|{{|plugin|dpdk_plugin.so|{{|disable|}}|plugin|unittest_plugin.so|{{|enable|}}|}}"
    );
    words.split('|').map(str::to_owned).collect()
}

#[test]
fn the_socket_is_there_within_a_second_and_a_signal_ends_all_within_two_while_packets_flow() {
    let folder = Folder::new();
    let words = harness(folder.path("").to_str().unwrap().trim_end_matches('/'));
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let socket = folder.path("cli.sock");
    let started = Instant::now();
    let mut command = peloton(&words);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Daemon { child: command.spawn().unwrap(), socket: socket.clone() };
    while UnixStream::connect(&socket).is_err() {
        assert!(started.elapsed() < Duration::from_secs(1), "no socket within a second");
        thread::sleep(Duration::from_millis(1));
    }
    let script = FORWARD.replace("LIMIT", "0") + "packet-generator enable\n";
    let script = folder.file("script", &script);
    assert_eq!(daemon.ctl(&format!("exec {script}")).2, Some(0));
    let shown = daemon.ctl("show packet-generator").0;
    assert!(shown.contains(" Yes "), "{shown}");
    let told = Instant::now();
    let (out, err, status) = daemon.end("TERM");
    assert!(told.elapsed() < Duration::from_secs(2), "it took {:?} to end", told.elapsed());
    assert_eq!((out.as_str(), status), ("", Some(0)));
    // A line for each that means nothing here, in the order of the words.
    let of = |what: &str| err.matches(&format!("`{what}' has no effect here\n")).count();
    for what in ["api-segment", "physmem", "node", "api-fuzz", "plugin unittest_plugin.so"] {
        assert_eq!(of(what), 1, "{what}: {err}");
    }
    assert!(!socket.exists());
}

#[test]
fn words_that_make_no_sense_are_told_with_their_place_and_status_2() {
    for (words, expected) in [
        (&["unix", "{", "bogus", "}"][..], "command line, word 3: unknown word `bogus' in `unix'"),
        (&["unix { nodaemon"], "command line, word 1: unclosed `{'"),
        (&["unix", "{ }", "replay"], "command line, word 3: unknown stanza `replay'"),
        (&["cpu { main-core x }"], "command line, word 1: `main-core x': expected the number"),
        (&["unixx", "{", "}"], "no command `unixx'"),
    ] {
        let (out, err, status) = told(&run(words, b""));
        assert!(err.starts_with(&format!("peloton: {expected}")), "{err}");
        assert_eq!((out.as_str(), status), ("", Some(2)), "{words:?}");
    }
    let folder = Folder::new();
    let file = folder.file("s.conf", "unix {\n  bogus\n}\n");
    let (_, err, status) = told(&run(&["-c", &file], b""));
    assert!(err.starts_with(&format!("peloton: {file}:2:3: unknown word `bogus'")), "{err}");
    assert_eq!(status, Some(1));
}

#[test]
fn the_first_word_decides_between_commands_and_stanzas() {
    // `ip' is a stanza, and `replay' a command, whatever follows.
    let (_, err, status) = told(&run(&["replay", "unix", "{", "}"], b""));
    assert_eq!((err.starts_with("peloton: unix: No such file"), status), (true, Some(1)), "{err}");
    let (out, _, status) =
        told(&run(&["ip", "{", "}", "unix { interactive nobanner }"], b"echo here\n"));
    assert_eq!((out.as_str(), status), ("here\n", Some(0)));
}
