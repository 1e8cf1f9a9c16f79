//! The program, run as a user runs it.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Commands that forward from pg0 to pg1, without those that begin it. `LIMIT` is the stream's limit.
pub(crate) const FORWARD: &str = "
create packet-generator interface pg0
create packet-generator interface pg1
set interface state pg0 up
set interface state pg1 up
set interface ip address pg0 192.168.0.1/24
set interface ip address pg1 192.168.1.1/24
set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09
ip route add 16.0.0.0/24 via 192.168.1.2 pg1
packet-generator new {
  name s
  limit LIMIT
  size 64-64
  interface pg0
  node ip4-input
  data { UDP: 1.2.3.4 -> 16.0.0.1 UDP: 1024 -> 5001 length 64 }
}
";

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("peloton-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

/// The program with these arguments.
pub(crate) fn peloton(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peloton"));
    command.args(args);
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = peloton(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Who does not read to the end is allowed to leave.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// Standard output, standard error and status.
pub(crate) fn told(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// An engine without a prompt, until the test ends it or is over.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
}

impl Daemon {
    pub(crate) fn start(socket: &Path, stanzas: &str) -> Self {
        let unix = format!("unix {{ nodaemon cli-listen {} }}", socket.display());
        let mut child = peloton(&[&unix, stanzas]);
        let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let daemon = Self { child: child.spawn().unwrap(), socket: socket.to_owned() };
        let start = Instant::now();
        while UnixStream::connect(socket).is_err() {
            assert!(start.elapsed() < PATIENCE, "the engine does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        daemon
    }

    pub(crate) fn ctl(&self, line: &str) -> (String, String, Option<i32>) {
        told(&run(&["ctl", "-s", self.socket.to_str().unwrap(), line], b""))
    }

    /// Sends a signal, and waits for the end.
    pub(crate) fn end(mut self, signal: &str) -> (String, String, Option<i32>) {
        kill(self.child.id(), signal);
        let status = self.child.wait().unwrap();
        let mut text = [String::new(), String::new()];
        self.child.stdout.take().unwrap().read_to_string(&mut text[0]).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut text[1]).unwrap();
        let [out, err] = text;
        (out, err, status.code())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _: io::Result<()> = self.child.kill();
        let _: io::Result<std::process::ExitStatus> = self.child.wait();
    }
}

pub(crate) fn kill(process: u32, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &process.to_string()]).status().unwrap();
    assert!(status.success());
}
