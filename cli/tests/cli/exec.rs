//! `peloton exec`, lines from a pipe, startup files, bench: what a user sees.

use std::{
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::common::{FORWARD, Folder, run, told};

#[test]
fn exec_stops_at_the_first_failing_line_and_names_it() {
    let folder = Folder::new();
    let inner = folder.file("inner", "echo in\nset interface nonsense\n");
    let cases = [
        ("echo a\n\n# c\nshow nothing\necho b\n", "a\n", ":4: show: unknown input `nothing'"),
        ("comment {\n a\n}\necho x {\n", "", ":4: unclosed `{'"),
        ("echo \\\n 1\n\tnonsense\n", "1\n", ":3: unknown input `nonsense'"),
        ("wait forever", "", ":1: wait: `forever' is not a time in seconds"),
    ];
    for (text, output, error) in cases {
        let file = folder.file("script", text);
        let (out, err, status) = told(&run(&["exec", &file], b""));
        assert_eq!((out.as_str(), status), (output, Some(1)), "{err}");
        assert!(err.starts_with(&format!("peloton: {file}{error}")), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        let (out, err, status) = told(&run(&["exec", "-"], text.as_bytes()));
        assert_eq!((out.as_str(), status), (output, Some(1)), "{err}");
        assert!(err.starts_with(&format!("peloton: standard input{error}")), "{err}");
    }
    let file = folder.file("outer", &format!("echo out\nexec {inner}\necho never\n"));
    let (out, err, status) = told(&run(&["exec", &file], b""));
    assert_eq!((out.as_str(), status), ("out\nin\n", Some(1)));
    assert!(err.starts_with(&format!("peloton: {file}:2: {inner}:2: ")), "{err}");
}

#[test]
fn exec_runs_all_of_a_good_file_and_no_more_after_quit() {
    let (out, err, status) = told(&run(&["exec", "-"], b"echo a\nwait 0.01\necho b"));
    assert_eq!((out.as_str(), err.as_str(), status), ("a\nb\n", "", Some(0)));
    let (out, _, status) = told(&run(&["exec", "-"], b"echo a\nquit\necho b"));
    assert_eq!((out.as_str(), status), ("a\n", Some(0)));
    let (_, err, status) = told(&run(&["exec", "/nonexistent/file"], b""));
    assert!(err.starts_with("peloton: /nonexistent/file: No such file"), "{err}");
    assert_eq!(status, Some(1));
    let (_, err, status) = told(&run(&["exec", "-"], b"echo a\necho \xff\n"));
    assert_eq!(err, "peloton: standard input:2: input is not text: byte 0xff at offset 12\n");
    assert_eq!(status, Some(1));
}

#[test]
fn exec_lets_streams_with_a_limit_run_to_their_end() {
    let folder = Folder::new();
    let capture = folder.path("out.pcap");
    let capture_it = format!("packet-generator capture pg1 pcap {}\n", capture.display());
    let enable = "packet-generator enable-stream s\n";
    let script = FORWARD.replace("LIMIT", "10000") + &capture_it + enable;
    let (_, err, status) = told(&run(&["exec", "-"], script.as_bytes()));
    assert_eq!(status, Some(0), "{err}");
    // A header, and for each packet one of its own and 14 bytes of Ethernet before it.
    let length = std::fs::metadata(&capture).unwrap().len();
    assert_eq!(length, 24 + 10_000 * (16 + 14 + 64));
}

#[test]
fn exec_says_when_a_capture_could_not_be_written() {
    let folder = Folder::new();
    let capture = folder.path("out.pcap");
    let capture_it = format!("packet-generator capture pg1 pcap {}\n", capture.display());
    let enable = "packet-generator enable-stream s\n";
    let script =
        FORWARD.replace("LIMIT", "10000") + &capture_it + "echo ready\nwait 0.5\n" + enable;
    let script = folder.file("script", &script);
    let program = env!("CARGO_BIN_EXE_peloton");
    let shell = format!("trap '' XFSZ; exec {program} exec {script}");
    let mut command = Command::new("sh");
    let command = command.args(["-c", &shell]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    // Files of at most 50 KB, as if the disk were full.
    let process = child.id().to_string();
    let limited = Command::new("prlimit").args(["--fsize=50000", "--pid", &process]).status();
    assert!(limited.unwrap().success());
    let (_, err, status) = told(&child.wait_with_output().unwrap());
    assert_eq!(status, Some(1), "{err}");
    assert!(err.contains("out.pcap") && err.contains("File too large"), "{err}");
}

#[test]
fn lines_from_a_pipe_are_all_run_and_any_failure_shows_in_the_status() {
    let (out, err, status) = told(&run(&[], b"echo a\necho b\n"));
    assert_eq!(
        (out.as_str(), err.as_str(), status),
        ("a\nb\n", "", Some(0)),
        "no prompt, no banner"
    );
    let (out, err, status) = told(&run(&[], b"nonsense\necho b"));
    assert_eq!((out.as_str(), status), ("b\n", Some(1)));
    assert!(err.starts_with("unknown input `nonsense'"), "{err}");
    let (out, err, status) = told(&run(&[], b"quit\nnonsense\n"));
    assert_eq!((out.as_str(), err.as_str(), status), ("", "", Some(0)));
    let (_, _, status) = told(&run(&[], b""));
    assert_eq!(status, Some(0));
}

#[test]
fn lines_of_any_bytes_and_any_length_end_in_an_answer() {
    let mut input = vec![b'x'; 1 << 20];
    input.extend_from_slice(b"\nshow \xff\xfe\0\x1b[2J\n{{{{\n}\necho end\n");
    input.extend((0..=255).filter(|&byte| byte != b'\n' && byte != b'{'));
    input.extend_from_slice(b"\necho after\n");
    let (out, err, status) = told(&run(&[], &input));
    assert_eq!(status, Some(1));
    assert!(err.contains("a command longer than 1048576 bytes was not run"), "{err}");
    assert!(err.contains("input is not text: byte 0xff at offset 5"), "{err}");
    assert!(!err.contains('\x1b'), "control characters are escaped");
    assert!(out.ends_with("after\n"), "{out}");
}

#[test]
fn a_startup_file_that_is_wrong_starts_nothing_and_says_where() {
    let folder = Folder::new();
    let file = folder.file("startup.conf", "unix {\n  interactive\n  cli-prompt x#\n\n");
    let (out, err, status) = told(&run(&["-c", &file], b"echo never\n"));
    assert_eq!((out.as_str(), status), ("", Some(1)));
    assert_eq!(err, format!("peloton: {file}:1:6: unclosed `{{'\n"));
    let (_, err, status) = told(&run(&["unix", "{", "interactif", "}"], b""));
    assert!(err.starts_with("peloton: command line, word 3: unknown word `interactif' in `unix'"));
    assert_eq!(status, Some(2));
    let (_, err, status) = told(&run(&["cpu", "{", "main-core", "999", "}"], b""));
    let why = "there is no such core, or this process may not run there";
    assert_eq!((err, status), (format!("peloton: main-core 999: {why}\n"), Some(1)));
    let (_, err, status) = told(&run(&["-c"], b""));
    assert_eq!(status, Some(2), "{err}");
    let (_, err, status) = told(&run(&["unics"], b""));
    assert_eq!(err, "peloton: no command `unics'; see `peloton --help'\n");
    assert_eq!(status, Some(2));
}

#[test]
fn a_startup_file_says_what_runs_and_with_what() {
    let folder = Folder::new();
    let first = folder.file("first", "echo first\nnonsense\necho never\n");
    let log = folder.path("log");
    let text = format!(
        "unix {{ interactive exec {first} log {} full-coredump cli-listen {} }}
         buffers {{ buffers-per-numa 4096 }}
         plugins {{ plugin default {{ disable }} plugin pg {{ enable }} }}\n",
        log.display(),
        folder.path("sock").display(),
    );
    let file = folder.file("startup.conf", &text);
    let (out, err, status) = told(&run(&["-c", &file], b"show plugins\nshow buffers\n"));
    assert_eq!(status, Some(0), "{err}");
    assert!(out.starts_with("first\n Plugins"), "{out}");
    assert!(
        out.contains("1. nodes") && out.contains("2. pg") && !out.contains("flowprobe"),
        "{out}"
    );
    assert!(out.contains("4096"), "{out}");
    let note = format!(
        "{file}:1:{}: `unix full-coredump' has no effect here",
        text.find("full").unwrap() + 1
    );
    let failure = format!("{first}:2: unknown input `nonsense'");
    let log = std::fs::read_to_string(log).unwrap();
    for line in [note, failure] {
        assert!(err.contains(&line) && log.contains(&line), "{line}\n{err}\n{log}");
    }
    assert!(!folder.path("sock").exists(), "the control socket goes with its engine");
}

#[test]
fn bench_gives_the_clocks_of_each_node_as_a_table_and_as_json() {
    let (out, err, status) = told(&run(&["bench", "--seconds", "0.2"], b""));
    assert_eq!(status, Some(0), "{err}");
    for node in ["pg-input", "ip4-lookup", "ip4-rewrite", "total", "million packets/s"] {
        assert!(out.contains(node), "{out}");
    }
    let args =
        ["bench", "--seconds", "0.2", "--ip6", "--routes", "7", "--nodes", "ip6-lookup", "--json"];
    let (out, err, status) = told(&run(&args, b""));
    assert_eq!(status, Some(0), "{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |json: &serde_json::Value| json.as_f64().is_some_and(|number| number > 0.0);
    assert_eq!(json["workload"], "ip6 forwarding, 7 routes, 1000 flows, 62-byte frames");
    assert!(number(&json["packets_per_second"]) && number(&json["total_clocks_per_packet"]));
    let keys =
        |json: &serde_json::Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let all =
        ["workload", "packets_per_second", "total_clocks_per_packet", "nodes", "packets_by_worker"];
    assert_eq!(keys(&json), all);
    let nodes = json["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[0]["name"]), (1, &"ip6-lookup".into()));
    assert_eq!(keys(&nodes[0]), ["name", "clocks_per_packet", "vectors_per_call"]);
    assert!(number(&nodes[0]["clocks_per_packet"]));
    assert_eq!(nodes[0]["vectors_per_call"], 256.0);
    let args = ["bench", "--frames", "9", "--record", "l3,l4", "--flows", "1"];
    let (out, err, status) = told(&run(&args, b""));
    assert_eq!(status, Some(0), "{err}");
    assert!(
        out.starts_with("ip4 forwarding, 1 route, 1 flow, 60-byte frames, flowprobe l3 l4\n"),
        "{out}"
    );
    assert!(out.contains("flowprobe-input-ip4 "), "{out}");
    let (_, err, status) = told(&run(&["bench", "--seconds", "0.1", "--nodes", "ip9"], b""));
    assert!(err.starts_with("peloton: no packet came to a node `ip9', but to "), "{err}");
    assert_eq!(status, Some(1));
    let (_, err, status) = told(&run(&["bench", "--routes", "0"], b""));
    assert!(err.contains("--routes `0': expected a number from 1 to 1000000"), "{err}");
    assert_eq!(status, Some(2));
}

#[test]
fn bench_measures_the_streams_of_a_script() {
    let folder = Folder::new();
    let script = folder.path("bridge.exec");
    let text = include_str!("../../../benches/scripts/bridge.exec");
    std::fs::write(&script, text).unwrap();
    let args = ["bench", "--exec", script.to_str().unwrap(), "--frames", "16", "--json"];
    let (out, err, status) = told(&run(&args, b""));
    assert_eq!(status, Some(0), "{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["workload"], *script.display().to_string());
    let nodes = json["nodes"].as_array().unwrap();
    let names: Vec<_> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    let all = ["ethernet-input", "l2-input", "interface-output", "pg-input", "pg1-tx"];
    assert_eq!(names, all);
    // Nothing to measure, a command that fails, a file that is not there, options of something else.
    for (text, options, error, code) in [
        ("show version", &[][..], "no streams currently defined", 1),
        ("show version\nnonsense", &[], "unknown input `nonsense'", 1),
        ("show version", &["--ip6"], "--exec and --routes, --flows, --ip6 and --record", 2),
    ] {
        std::fs::write(&script, text).unwrap();
        let args = ["bench", "--exec", script.to_str().unwrap(), "--frames", "16"];
        let (_, err, status) = told(&run(&[&args, options].concat(), b""));
        assert!(err.contains(error), "{err}");
        assert_eq!(status, Some(code), "{err}");
    }
    let (_, err, status) = told(&run(&["bench", "--exec", "/nobody"], b""));
    assert!(err.contains("cannot read /nobody"), "{err}");
    assert_eq!(status, Some(1));
}

/// Generous for a debug build on a busy machine; the documents have the figures of a release build.
#[test]
fn an_engine_is_ready_soon() {
    let best = (0..5).map(|_| {
        let start = Instant::now();
        assert!(run(&[], b"quit\n").status.success());
        start.elapsed()
    });
    assert!(best.min().unwrap() < Duration::from_secs(1));
}
