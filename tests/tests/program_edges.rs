//! The edges of the program's options, one after the other: each ends soon, with its status and with what was wrong.

use std::{
    fs,
    net::UdpSocket,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::{Command, Output},
};

use peloton_tests::program::{Scratch, peloton, run, workspace};

/// Command lines in a folder with the files of [`folder`], separated by blanks, `''` for an empty word; the status, and what
/// one of the outputs says.
type Case = (&'static str, i32, &'static str);

const REPLAY: &[Case] = &[
    ("replay", 2, "replay: no CAPTURE; see `peloton replay --help'"),
    ("replay ''", 2, "CAPTURE `': expected the name of a file"),
    ("replay - -", 2, "CAPTURE - and another CAPTURE - do not go together"),
    ("replay folder", 1, "folder: offset 0: Is a directory"),
    ("replay empty", 1, "empty: offset 0: the file is empty, a pcap or pcapng header was expected"),
    ("replay missing", 1, "missing: No such file or directory"),
    ("replay demo.pcap/x", 1, "demo.pcap/x: Not a directory"),
    ("replay --bogus demo.pcap", 2, "invalid option '--bogus'"),
    ("replay --top", 2, "missing argument for option '--top'"),
    ("replay --json=1 demo.pcap", 2, "unexpected argument for option '--json'"),
    ("replay --rate 0 demo.pcap", 2, "--rate `0': expected a number from 1 to 4294967295"),
    ("replay --rate 4294967296 demo.pcap", 2, "expected a number from 1 to 4294967295"),
    ("replay --rate 4294967295 --top 0 demo.pcap", 0, "= 1500 packets"),
    ("replay --top -1 demo.pcap", 2, "--top `-1': expected a number from 0 to 1000000"),
    ("replay --top 0 demo.pcap", 0, "1487 in records + 13 not measured = 1500 packets"),
    ("replay --active 0 --top 0 demo.pcap", 0, "records       1487 (active timeout 1487)"),
    ("replay --active nan demo.pcap", 2, "--active `nan': expected seconds"),
    ("replay --passive 0 --top 0 demo.pcap", 0, "1487 in records + 13 not measured = 1500 packets"),
    ("replay --passive -1 demo.pcap", 2, "--passive `-1': expected seconds"),
    ("replay --record l3,l5 demo.pcap", 2, "--record `l3,l5': expected some of l2,l3,l4"),
    ("replay --max-flows 0 demo.pcap", 2, "--max-flows `0': expected a number from 1 to"),
    ("replay --top 0 demo.pcap ./demo.pcap symlink", 0, "= 4500 packets"),
    // An output is no capture, by whatever name, and no other output.
    (
        "replay --ipfix-file demo.pcap demo.pcap",
        1,
        "demo.pcap: --ipfix-file would overwrite this capture",
    ),
    ("replay --ipfix-file ./demo.pcap demo.pcap", 1, "--ipfix-file would overwrite this capture"),
    ("replay --ipfix-file symlink demo.pcap", 1, "--ipfix-file would overwrite this capture"),
    ("replay --ipfix-file hardlink demo.pcap", 1, "--ipfix-file would overwrite this capture"),
    (
        "replay --ipfix-file demo.pcap symlink",
        1,
        "symlink: --ipfix-file would overwrite this capture",
    ),
    (
        "replay --ipfix-file folder/../demo.pcap hardlink",
        1,
        "--ipfix-file would overwrite this capture",
    ),
    ("replay --ipfix-file /dev/stdout --json demo.pcap", 1, "say so with --ipfix-file -"),
    ("replay --ipfix-file - --json demo.pcap", 2, "--json and --ipfix-file - do not go together"),
    (
        "replay --ipfix-file /dev/null --top 0 demo.pcap",
        0,
        "written       273 records to /dev/null",
    ),
    ("replay --ipfix-file '' demo.pcap", 2, "--ipfix-file `': expected the name of a file"),
    ("replay --ipfix-file folder demo.pcap", 1, "folder: Is a directory"),
    ("replay --ipfix-file missing/x demo.pcap", 1, "missing/x: No such file or directory"),
    ("replay --ipfix-file /dev/full demo.pcap", 1, "/dev/full: No space left on device"),
    ("replay --collector 127.0.0.1 demo.pcap", 2, "--collector `127.0.0.1': expected HOST:PORT"),
    ("replay --collector :9 demo.pcap", 2, "expected HOST:PORT"),
    ("replay --collector localhost: demo.pcap", 2, "expected HOST:PORT"),
    ("replay --collector localhost:0 demo.pcap", 2, "expected HOST:PORT"),
    ("replay --collector localhost:65536 demo.pcap", 2, "expected HOST:PORT"),
    ("replay --collector ::1:9 demo.pcap", 2, "expected HOST:PORT"),
    (
        "replay --collector no.such.host.invalid:9 demo.pcap",
        1,
        "collector no.such.host.invalid:9: ",
    ),
    // Something else that is wrong leaves a file as it is.
    (
        "replay --ipfix-file precious --collector 127.0.0.1:UNUSED demo.pcap",
        1,
        "nobody listens there",
    ),
    ("replay --path-mtu 255 demo.pcap", 2, "--path-mtu `255': expected a number from 256 to 65535"),
    (
        "replay --template-interval 0 demo.pcap",
        2,
        "--template-interval `0': expected a number from 1",
    ),
    // Odd captures.
    ("replay --top 0 --non-ip snapped.pcap", 0, "= 3 packets"),
    (
        "replay --top 0 grown.pcap",
        1,
        "grown.pcap: offset 24: packet header promises 99 bytes, 40 remain",
    ),
];

const OTHERS: &[Case] = &[
    ("--bogus", 2, "invalid option '--bogus'; see `peloton --help'"),
    ("''", 2, "no command `'; see `peloton --help'"),
    ("nonsense", 2, "no command `nonsense'"),
    ("--help", 0, "Usage: peloton"),
    ("help", 0, "Usage: peloton"),
    ("-V", 0, "peloton 0."),
    ("-c", 2, "missing argument for option '-c'"),
    ("-c missing", 1, "missing: No such file or directory"),
    ("-c folder", 1, "folder: Is a directory"),
    ("-c empty more", 2, "unexpected argument \"more\""),
    ("unix {", 2, "command line, word 2: unclosed `{'"),
    ("unix { bogus }", 2, "command line, word 3: unknown word `bogus' in `unix'"),
    (
        "unix { nodaemon cli-listen missing/cli.sock }",
        1,
        "control socket missing/cli.sock: No such file",
    ),
    ("unix { nodaemon cli-listen demo.pcap }", 1, "there is a file that is no socket"),
    ("unix { nodaemon cli-listen taken.sock }", 1, "taken.sock: another engine listens there"),
    ("unix { nodaemon log missing/log }", 1, "log missing/log: No such file or directory"),
    ("unix { nodaemon pidfile missing/pid }", 1, "pidfile missing/pid: No such file or directory"),
    ("cpu { main-core 1023 }", 1, "main-core 1023: there is no such core"),
    ("exec", 2, "exec: no FILE"),
    ("exec ''", 2, "FILE `': expected the name of a file"),
    ("exec missing", 1, "missing: No such file or directory"),
    ("exec folder", 1, "folder: Is a directory"),
    ("exec empty empty", 2, "unexpected argument \"empty\""),
    ("exec empty", 0, ""),
    ("exec --bogus", 2, "exec: invalid option '--bogus'"),
    ("ctl --bogus", 2, "ctl: invalid option '--bogus'"),
    ("ctl -s", 2, "missing argument for option '-s'"),
    ("ctl -s '' show version", 2, "--socket `': expected the name of a file"),
    ("ctl -s missing show version", 1, "missing: No such file or directory"),
    ("ctl -s demo.pcap show version", 1, "demo.pcap: no engine listens there"),
    ("ctl -s stale.sock show version", 1, "stale.sock: no engine listens there"),
    ("ctl -s stale.sock", 1, "stale.sock: no engine listens there"),
    ("collect --bogus", 2, "collect: invalid option '--bogus'"),
    ("collect extra", 2, "unexpected argument \"extra\""),
    ("collect --listen", 2, "missing argument for option '--listen'"),
    ("collect --listen 4739", 2, "--listen `4739': expected ADDR:PORT or [ADDR]:PORT"),
    ("collect --listen 127.0.0.1:65536", 2, "expected ADDR:PORT or [ADDR]:PORT"),
    ("collect --listen 192.0.2.77:0", 1, "192.0.2.77:0: Cannot assign requested address"),
    ("collect --listen 127.0.0.1:USED", 1, "Address already in use"),
    ("bench --bogus", 2, "bench: invalid option '--bogus'"),
    ("bench extra", 2, "unexpected argument \"extra\""),
    ("bench --routes 0", 2, "--routes `0': expected a number from 1 to 1000000"),
    ("bench --flows x", 2, "--flows `x': expected a number from 1 to"),
    ("bench --frames 0", 2, "--frames `0': expected a number from 1 to"),
    ("bench --seconds 0", 2, "--seconds `0': expected seconds above 0"),
    ("bench --seconds inf", 2, "--seconds `inf': expected seconds"),
    ("bench --record ''", 2, "--record `': expected some of l2,l3,l4"),
    ("bench --frames 16 --nodes nothing", 1, "no packet came to a node `nothing'"),
];

/// What the command lines name.
fn folder(test: &str) -> Scratch {
    let folder = Scratch::new(test);
    let demo = folder.path("demo.pcap");
    fs::copy(workspace().join("tests/captures/demo.pcap"), &demo).unwrap();
    symlink("demo.pcap", folder.path("symlink")).unwrap();
    fs::hard_link(&demo, folder.path("hardlink")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    fs::write(folder.path("empty"), "").unwrap();
    fs::write(folder.path("precious"), "precious").unwrap();
    drop(UnixListener::bind(folder.path("stale.sock")).unwrap());
    // A snap length of 10 octets: a packet of nothing, one cut short, and one of 65,535 octets cut short.
    let packets = [(0, 0), (10, 60), (10, 65535)].map(|(kept, length)| record(kept, length));
    fs::write(folder.path("snapped.pcap"), [header(10), packets.concat()].concat()).unwrap();
    // As a capture looks while somebody writes it.
    let half = [header(65535), record(99, 99)[..16 + 40].to_vec()].concat();
    fs::write(folder.path("grown.pcap"), half).unwrap();
    folder
}

fn words(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn header(snap: u32) -> Vec<u8> {
    words([0xa1b2_c3d4, 0x0004_0002, 0, 0, snap, 1])
}

/// A packet of `length` octets, of which so many are `kept`.
fn record(kept: u32, length: u32) -> Vec<u8> {
    [words([1, 0, kept, length]), vec![2; kept as usize]].concat()
}

fn call(folder: &Path, line: &str) -> Output {
    let words = line.split(' ').map(|word| if word == "''" { "" } else { word });
    run(peloton().current_dir(folder).args(words))
}

fn check(cases: &[Case], folder: &Scratch, replace: &[(&str, &str)]) {
    for (line, status, says) in cases {
        let line =
            replace.iter().fold((*line).to_owned(), |line, (from, to)| line.replace(from, to));
        let output = call(&folder.path(""), &line);
        let all = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(all).unwrap();
        assert_eq!(output.status.code(), Some(*status), "{line}: {text}");
        assert!(text.contains(says), "{line}: {text}");
    }
}

#[test]
fn replay_says_what_is_wrong_with_each_option_and_spoils_no_file() {
    let folder = folder("replay-edges");
    let demo = fs::read(folder.path("demo.pcap")).unwrap();
    let unused = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    check(REPLAY, &folder, &[("UNUSED", &unused.to_string())]);
    assert!(fs::read(folder.path("demo.pcap")).unwrap() == demo);
    assert_eq!(fs::read_to_string(folder.path("precious")).unwrap(), "precious");
}

#[test]
fn every_other_command_says_what_is_wrong_with_its_options() {
    let folder = folder("other-edges");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let used = socket.local_addr().unwrap().port();
    let _taken = UnixListener::bind(folder.path("taken.sock")).unwrap();
    check(OTHERS, &folder, &[("USED", &used.to_string())]);
}

#[test]
fn a_capture_that_grew_is_read_to_where_it_ends_by_then() {
    let folder = folder("growing");
    let rest = record(99, 99)[16 + 40..].to_vec();
    let whole = [fs::read(folder.path("grown.pcap")).unwrap(), rest, record(60, 60)].concat();
    fs::write(folder.path("grown.pcap"), whole).unwrap();
    let output = call(&folder.path(""), "replay --top 0 grown.pcap");
    assert!(String::from_utf8(output.stdout).unwrap().contains("= 2 packets"));
}

#[test]
fn a_file_that_its_user_may_not_read_or_write_is_told() {
    const NOBODY: &str = "65534";
    let folder = folder("forbidden");
    // The program must be where anybody may run it.
    let program = folder.path("peloton");
    fs::copy(peloton().get_program(), &program).unwrap();
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let mut command = match is_root {
        true => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"])
                .arg(&program);
            command
        }
        false => Command::new(&program),
    };
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode;
    fs::set_permissions(folder.path("demo.pcap"), mode(0)).unwrap();
    fs::set_permissions(folder.path(""), mode(0o555)).unwrap();
    let output = run(command.current_dir(folder.path("")).args(["replay", "demo.pcap"]));
    fs::set_permissions(folder.path(""), mode(0o755)).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint, "peloton: demo.pcap: Permission denied (os error 13)\n");
    assert_eq!(output.status.code(), Some(1));
}
