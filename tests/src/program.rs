//! Programs: ours, and those that judge it.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// No program that a test starts takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// The `peloton` program of this build.
///
/// # Panics
/// When it cannot be built.
pub fn peloton() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    Command::new(PATH.get_or_init(|| {
        // Beside the folder of the test that runs.
        let test = env::current_exe().expect("a test has a path");
        let folder = test.ancestors().nth(2).expect("tests lie in deps").to_owned();
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "peloton", "--bin", "peloton"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // What cargo tells a test of its own package: build scripts that look at it would run again, and all that is behind them be
        // built anew.
        let of_test =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(of_test) {
                build.env_remove(name);
            }
        }
        assert!(build.status().expect("cargo runs").success(), "peloton cannot be built");
        folder.join("peloton")
    }))
}

/// Whether all `programs` are there; if not, says that `test` did not run, where the test run's summary finds it.
#[must_use]
pub fn has(test: &str, programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = |name: &str| env::split_paths(&path).any(|dir| dir.join(name).exists());
    let Some(missing) = programs.iter().find(|name| !found(name)) else { return true };
    not_run(test, &format!("{missing} is missing"));
    false
}

/// A Python that has VPP's own clients, which `tests/run --install` brings; if there is none, says that `test` did not run.
#[must_use]
pub fn papi(test: &str) -> Option<Command> {
    let path = env::var_os("PELOTON_PAPI").map(PathBuf::from);
    let path = path.unwrap_or_else(|| workspace().join("target/papi/bin/python"));
    if path.exists() {
        return Some(Command::new(path));
    }
    not_run(test, "vpp_papi is missing");
    None
}

/// Tells the test run's summary that a test lacked what it needs.
pub fn not_run(test: &str, reason: &str) {
    eprintln!("NOT RUN: {test}: {reason}");
    if let Some(path) = env::var_os("PELOTON_NOT_RUN") {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        let line = format!("{test}: {reason}\n");
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("PELOTON_NOT_RUN");
    }
}

/// A program that is ended when this goes, and that must end by itself in bounded time.
pub struct Running(Child);

impl Running {
    /// Starts `command`, its output captured.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// The process, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Sends a signal, `INT` or `TERM`.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until it ends, and returns what it said; its standard input is closed before.
    ///
    /// # Panics
    /// When it does not end.
    pub fn finish(mut self) -> Output {
        drop(self.0.stdin.take());
        let out = self.0.stdout.take().map(|pipe| thread::spawn(move || read(pipe)));
        let err = self.0.stderr.take().map(|pipe| thread::spawn(move || read(pipe)));
        let start = Instant::now();
        let status = loop {
            match self.0.try_wait().expect("a child can be waited for") {
                Some(status) => break status,
                None => assert!(start.elapsed() < PATIENCE, "the program does not end"),
            }
            thread::sleep(Duration::from_millis(2));
        };
        let text = |reader: Option<thread::JoinHandle<Vec<u8>>>| {
            reader.map_or_else(Vec::new, |reader| reader.join().expect("a pipe can be read"))
        };
        Output { status, stdout: text(out), stderr: text(err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

fn read(mut pipe: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _: std::io::Result<usize> = pipe.read_to_end(&mut bytes);
    bytes
}

/// Runs `command` to its end.
pub fn run(command: &mut Command) -> Output {
    Running::start(command).finish()
}

/// Waits until `ready` says so.
///
/// # Panics
/// When it never does.
pub fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of a test's own, gone with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("peloton-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _: std::io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace")
}
