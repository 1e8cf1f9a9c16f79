//! The prompt on a terminal, which script(1) plays.

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::common::{Daemon, Folder, PATIENCE, kill};

struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    /// Up to where the screen has been looked at.
    seen: usize,
    _home: Folder,
}

impl Terminal {
    fn start(args: &str) -> Self {
        Self::start_then(args, "exit $?")
    }

    /// A terminal that runs the program, then something else.
    fn start_then(args: &str, then: &str) -> Self {
        let home = Folder::new();
        let program = env!("CARGO_BIN_EXE_peloton");
        // The shell is not to be ended by what is meant for the program.
        let program = format!("trap : INT; stty rows 12 cols 100; {program} {args}; {then}");
        let mut child = Command::new("script")
            .args(["-qefc", &program, "/dev/null"])
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .env("XDG_STATE_HOME", home.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shared = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        let keys = child.stdin.take().unwrap();
        Self { child, keys, screen, seen: 0, _home: home }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` appears behind what was seen before; returns what came up to it.
    fn until(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen.lock().unwrap().clone();
            if let Some(at) = screen[self.seen..].find(text) {
                let before = screen[self.seen..self.seen + at].to_owned();
                self.seen += at + text.len();
                return before;
            }
            let shown = &screen[self.seen..];
            assert!(start.elapsed() < PATIENCE, "no `{text}' but: {shown:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn prompt(&mut self) -> String {
        self.until("peloton# ")
    }

    fn status(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// What a user does at a prompt, in this process's engine and in another's alike.
fn work(terminal: &mut Terminal) {
    assert!(terminal.prompt().contains("Type ? for help"));
    terminal.type_keys("show ver\t\r");
    terminal.until("version");
    terminal.until("peloton v");
    terminal.prompt();
    // Help at once, and the line is there again.
    terminal.type_keys("show terminal ?");
    terminal.until("show terminal [json]");
    terminal.prompt();
    terminal.type_keys("\r");
    terminal.until("pager");
    terminal.prompt();
    // Ctrl-C forgets the line.
    terminal.type_keys("nonsense\x03");
    terminal.prompt();
    terminal.type_keys("echo fine\r");
    assert!(!terminal.until("\nfine").contains("unknown"));
    terminal.prompt();
    // A brace keeps the line open.
    terminal.type_keys("uncomment {\recho one\recho two\r}\r");
    terminal.until("\none\r\ntwo");
    terminal.prompt();
    // Lines that are pasted all at once are all run.
    terminal.type_keys("echo first\recho second\r\recho third\r");
    terminal.until("\nfirst");
    terminal.until("\nsecond");
    terminal.until("\nthird");
    terminal.prompt();
    // The line before.
    terminal.type_keys("echo again\r");
    terminal.until("\nagain");
    terminal.prompt();
    terminal.type_keys("\x1b[A\r");
    terminal.until("\nagain");
    terminal.prompt();
    // Ctrl-C ends a command that runs.
    terminal.type_keys("wait 1000\r");
    terminal.until("wait 1000\u{1b}[?2004l\r\n");
    thread::sleep(Duration::from_millis(100));
    terminal.type_keys("\x03");
    terminal.until("interrupted");
    terminal.prompt();
    // A screenful at a time, and not.
    terminal.type_keys("show cli\r");
    terminal.until("-- more -- (");
    terminal.type_keys("q");
    terminal.prompt();
    terminal.type_keys("set terminal pager off\r");
    terminal.prompt();
    terminal.type_keys("show cli\r");
    assert!(!terminal.prompt().contains("-- more --"));
}

#[test]
fn the_prompt_edits_completes_helps_pages_and_leaves() {
    let mut terminal = Terminal::start("");
    work(&mut terminal);
    terminal.type_keys("\x04");
    assert_eq!(terminal.status(), Some(0));
}

#[test]
fn the_client_of_a_running_engine_is_the_same_prompt() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut terminal = Terminal::start(&format!("ctl -s {}", daemon.socket.display()));
    work(&mut terminal);
    terminal.type_keys("quit\r");
    assert_eq!(terminal.status(), Some(0));
    assert_eq!(daemon.ctl("echo alive").0, "alive\n");
}

#[test]
fn a_signal_at_the_prompt_ends_the_engine_and_gives_the_terminal_back() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let pidfile = folder.path("pid");
        let unix = format!("'unix {{ interactive nocolor pidfile {} }}'", pidfile.display());
        let mut terminal = Terminal::start_then(&unix, "echo status $?; stty -a");
        terminal.prompt();
        let process = std::fs::read_to_string(&pidfile).unwrap();
        kill(process.trim().parse().unwrap(), signal);
        terminal.until("status 0");
        let settings = terminal.until("extproc");
        assert!(settings.contains(" icanon") && settings.contains(" echo "), "{settings}");
        assert_eq!(terminal.status(), Some(0), "{signal}");
        assert!(!pidfile.exists());
    }
}
