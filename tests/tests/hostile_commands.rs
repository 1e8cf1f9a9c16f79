//! Every command of the tree, called wrongly: each with words missing, too many, too long, of another type, out of range or
//! no text at all. Nothing crashes or hangs, what is refused is told with its word and changes nothing.

use std::{env, process};

use peloton::plugins::{Assembled, Choice};
use vnet::{
    command::Terminal,
    plugin::{CommandCx, Engine},
    runtime::{Clock, PacketTime},
};

/// Something of each kind that commands refer to and change.
const SCENE: &str = "\
create packet-generator interface pg0
create packet-generator interface pg1
create sub-interfaces pg1 7
set interface state pg0 up
set interface state pg1 up
set interface ip address pg0 192.0.2.1/24
set interface ip address pg1 2001:db8::1/64
set ip neighbor pg0 192.0.2.9 02:00:00:00:00:09
ip table add 5
ip route add count 3 10.0.0.0/24 via 192.0.2.9 pg0 via 192.0.2.8 pg0
ip route add 10.9.0.0/24 table 5 via drop
packet-generator new { name s limit 3 rate 1 node pg0 data { IP4: 1.2.3 -> 4.5.6 UDP: 1.1.1.1 -> 2.2.2.2 UDP: 1 -> 2 } }
set ipfix exporter collector 192.0.2.9 src 192.0.2.1
flowprobe params record l3 l4
flowprobe feature add-del pg0 ip4";

/// What shows the state that commands change.
const STATE: &[&str] = &[
    "show interface",
    "show interface addr",
    "show ip fib detail",
    "show ip6 fib detail",
    "show ip neighbors",
    "show packet-generator verbose",
    "show flowprobe params",
    "show flowprobe feature",
    "show ipfix template",
    "show features",
    "show terminal",
];

/// Words that fit some place each, with values that fit none.
const WORDS: &[&str] = &[
    "zzz",
    "0",
    "-1",
    "1e400",
    "nan",
    "4294967296",
    "99999999999999999999999999999999999999999",
    "pg0",
    "pg9",
    "192.0.2.1",
    "192.0.2.1/33",
    "2001:db8::/129",
    "10.0.0.0/24",
    "::",
    "02:00:00:00:00:0g",
    "s",
    "{",
    "}",
    "{ }",
    "{ zzz { } }",
    "\"",
    "\"\"",
    "\\",
    "#",
    "|",
    "via",
    "\u{1}\u{1b}[31m",
    "\u{202e}\u{1f4a9}",
];

/// What changes the host when a line is right by accident, or sends packets and waits for answers until a clock moves that does not
/// move here, and so is called wrongly alone.
const NOT_RIGHT: &[&str] =
    &["create tap", "create host-interface", "create interface af_xdp", "ping", "traceroute"];

struct Victim {
    engine: Engine,
    session: CommandCx,
    state: String,
    /// Since the state was looked at.
    refused: Vec<String>,
}

impl Victim {
    fn new() -> Self {
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(512);
        let engine = Assembled::build(builder, &Choice::all()).unwrap().engine;
        let session = engine.session(Terminal::PLAIN);
        let mut victim = Self { engine, session, state: String::new(), refused: Vec::new() };
        for line in SCENE.lines() {
            let reply = victim.engine.execute(&victim.session, line.as_bytes());
            assert!(reply.ok, "{line}: {}", reply.text);
        }
        victim.state = victim.show();
        victim
    }

    fn show(&self) -> String {
        // What a line that was right has set going, such as a report of the exporter, is over.
        for _ in 0..16 {
            self.engine.poll();
        }
        STATE.iter().map(|line| self.engine.execute(&self.session, line.as_bytes()).text).collect()
    }

    /// Runs a line. What it may change when it succeeds is its own business.
    fn suffer(&mut self, line: &[u8]) {
        let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
        let is_parsed = str::from_utf8(line)
            .is_ok_and(|line| self.engine.commands().parse(&self.session, line).is_ok());
        if is_parsed && NOT_RIGHT.iter().any(|path| shown.starts_with(path)) {
            return;
        }
        if is_parsed {
            self.check_state();
        }
        let reply = self.engine.execute(&self.session, line);
        if reply.ok {
            self.state = self.show();
            return;
        }
        let (_, error) = reply.parts();
        assert!(error.ends_with('\n') && error.trim().len() > 3, "{shown:?}: {error:?}");
        assert!(error.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}: {error:?}");
        assert!(error.len() < 4096, "{shown:?}: an error of {} bytes", error.len());
        self.names_its_word(line, &shown, error);
        self.refused.push(shown);
        // What got as far as its command is looked at by itself, the others together: that is faster.
        if is_parsed || self.refused.len() == 64 {
            self.check_state();
        }
    }

    fn check_state(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        if !refused.is_empty() {
            assert!(self.show() == self.state, "something has changed by one of {refused:#?}");
        }
    }

    /// What is wrong with the words of a line is told with the command or the word, and has a place in the line.
    fn names_its_word(&self, line: &[u8], shown: &str, error: &str) {
        let Ok(text) = str::from_utf8(line) else {
            return assert!(error.contains("is not text"), "{shown:?}: {error}");
        };
        let Err(failure) = self.engine.commands().parse(&self.session, text) else { return };
        let at = failure.at.unwrap_or_else(|| panic!("{shown:?}: {error} stands nowhere"));
        let rest = text.get(at..).unwrap_or_else(|| panic!("{shown:?}: {at} is no place in it"));
        let word: String = rest.chars().take_while(|c| c.is_ascii_graphic()).take(16).collect();
        let command = text.split_whitespace().next().unwrap_or_default();
        // Of what has no end, an error repeats the beginning.
        let begins = rest.chars().next().map(|c| format!("`{c}"));
        let is_named = error.contains(&*word) || error.contains(command);
        assert!(is_named || begins.is_some_and(|c| error.contains(&c)), "{shown:?}: {error}");
    }
}

/// The words of a command's syntax that stand for themselves.
fn keywords(syntax: &str) -> Vec<String> {
    let words =
        syntax.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '<' && c != '>');
    let mut words: Vec<_> = words
        .filter(|word| {
            word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.contains(['<', '>'])
        })
        .map(str::to_owned)
        .collect();
    words.sort();
    words.dedup();
    words
}

#[test]
fn no_wrong_line_for_any_command_crashes_hangs_or_changes_anything() {
    // Some lines are right by accident, and make files.
    let folder = env::temp_dir().join(format!("peloton-{}-hostile", process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    env::set_current_dir(&folder).unwrap();
    let long = "x".repeat(70_000);
    let listed = Victim::new();
    let commands: Vec<_> = listed
        .engine
        .commands()
        .commands()
        .iter()
        .map(|command| (command.path().to_owned(), keywords(&command.syntax())))
        .collect();
    assert!(commands.len() > 80, "{}", commands.len());
    let mut lines = 0;
    for (path, keywords) in commands {
        let mut victim = Victim::new();
        let mut suffer = |line: &[u8]| {
            lines += 1;
            victim.suffer(line);
        };
        suffer(path.as_bytes());
        suffer(format!("{path} {long}").as_bytes());
        suffer(format!("{path} {}", "zzz ".repeat(5000)).as_bytes());
        suffer(format!("{path} {}", "{".repeat(3000)).as_bytes());
        suffer(&[path.as_bytes(), b" \xff\xfe zzz"].concat());
        suffer(format!("{path}\0zzz").as_bytes());
        for word in WORDS {
            suffer(format!("{path} {word}").as_bytes());
            suffer(format!("{path} pg0 {word}").as_bytes());
            suffer(format!("{path} 10.0.0.0/24 {word} {word}").as_bytes());
        }
        for keyword in
            keywords.iter().filter(|keyword| !path.split(' ').any(|word| word == *keyword))
        {
            suffer(format!("{path} {keyword}").as_bytes());
            suffer(format!("{path} {keyword} {keyword}").as_bytes());
            suffer(format!("{path} {keyword} {long}").as_bytes());
            for word in WORDS {
                suffer(format!("{path} {keyword} {word}").as_bytes());
            }
        }
        victim.check_state();
    }
    assert!(lines > 10_000, "{lines}");
    std::fs::remove_dir_all(&folder).unwrap();
}
