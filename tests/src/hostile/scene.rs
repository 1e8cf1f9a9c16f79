//! An engine with all plugins in which anything is typed, and what must hold behind each line.

use std::{
    cell::Cell,
    fmt::Write,
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use nodes::pg::{Generator, StreamRow};
use peloton::plugins::{Assembled, Choice};
use vnet::{
    command::{self, Context, Reply, Terminal, lex},
    plugin::{CommandCx, Engine},
    runtime::Clock,
};

use crate::START;

/// No line takes longer, in the dev profile on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Rounds of dispatch that a command may take that does not wait for a time.
const ROUNDS: usize = 20_000;
/// The longest error, whatever was typed: its words are shortened.
const LONGEST_ERROR: usize = 10_000;
/// A scene of which there is more to show is left, as showing it would take all the time.
const LONGEST_CONFIGURATION: usize = 200_000;

/// What is there before anything is typed.
const BEGINNING: &str = "
create packet-generator interface pg0
create packet-generator interface pg1
create loopback interface
set interface state pg0 up
set interface state pg1 up
set interface state loop0 up
set interface ip address pg0 192.0.2.1/24
set interface ip address pg1 10.0.0.1/24
set interface ip address pg1 2001:db8::1/64
set ip neighbor pg1 10.0.0.2 02:00:00:00:00:09
ip table add 7
ip route add 10.1.0.0/16 via 10.0.0.2 pg1
ip route add 10.2.0.0/16 via 10.0.0.2 pg1 weight 3 via drop
flowprobe params record l2 l3 l4 active 5 passive 10
flowprobe feature add-del pg1 ip4 both
set ipfix exporter collector 10.1.0.9 src 10.0.0.1 template-interval 1
packet-generator new { name s limit 20 node ethernet-input interface pg0
  data { IP4: 2.3.4 -> ff.ff.ff UDP: 192.0.2.9 -> 10.1.0.9 UDP: 1 -> 2 incrementing 30 } }
packet-generator enable-stream s
";

/// What shows the configuration: a line that fails leaves it as it was.
const CONFIGURATION: &[&str] = &[
    "show interface addr",
    "show hardware-interfaces",
    "show interface tag",
    "show ip fib",
    "show ip6 fib",
    "show ip neighbors",
    "show ip6 neighbors",
    "show features",
    "show interface features pg0",
    "show interface features pg1",
    "show flowprobe feature",
    "show flowprobe params",
    "show terminal",
    "show logging configuration",
];

/// An engine, and a session in it.
pub struct Scene {
    /// The engine.
    pub assembled: Assembled,
    session: CommandCx,
}

/// Path and syntax line of every command of the program.
///
/// # Panics
/// When there is no engine.
#[must_use]
pub fn all_commands() -> Vec<(String, String)> {
    let scene = Scene::new();
    let commands = scene.engine().commands().commands();
    commands.iter().map(|c| (c.path().to_owned(), c.syntax())).collect()
}

impl Scene {
    /// An engine with interfaces, routes, flows, an exporter and a stream that sends.
    ///
    /// # Panics
    /// When it cannot be built.
    #[must_use]
    pub fn new() -> Self {
        let builder = Engine::builder().clock(Clock::virtual_at(START)).buffers(1024);
        let assembled =
            Assembled::build(builder, &Choice::all()).expect("the plugins fit together");
        let session = session(&assembled.engine);
        let scene = Self { assembled, session };
        let reply = scene.execute(BEGINNING.as_bytes());
        assert!(reply.ok, "{}", reply.text);
        scene.rounds();
        scene
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.assembled.engine
    }

    /// Types a line, and holds its answer against what is promised of every answer.
    ///
    /// # Panics
    /// When a promise is broken.
    pub fn type_line(&mut self, line: &[u8]) {
        if !is_harmless(self, line) {
            return;
        }
        let mut before = self.configuration();
        if before.len() > LONGEST_CONFIGURATION {
            *self = Self::new();
            before = self.configuration();
        }
        let start = Instant::now();
        let reply = self.execute(line);
        assert!(start.elapsed() < PATIENCE, "{} took {:?}", shown(line), start.elapsed());
        let (_, error) = reply.parts();
        assert_eq!(reply.ok, error.is_empty(), "{}: {reply:?}", shown(line));
        if std::env::var_os("SHOW").is_some() {
            println!(
                "{} {} => {}",
                if reply.ok { "OK " } else { "BAD" },
                shown(line),
                error.trim_end()
            );
        }
        if !reply.ok {
            assert!(error.ends_with('\n') && error.trim().len() > 3, "{}: {error:?}", shown(line));
            assert!(
                error.len() <= LONGEST_ERROR,
                "{}: an error of {} bytes",
                shown(line),
                error.len()
            );
            let control = |c: char| c.is_control() && c != '\n';
            assert!(!error.contains(control), "{}: {error:?}", shown(line));
            if !runs_others(self, line) {
                assert_eq!(self.configuration(), before, "{} failed with {error}", shown(line));
            }
        }
        if self.session.session().has_quit() {
            self.session = session(self.engine());
        }
        self.rounds();
    }

    /// Looks at everything: whatever shows something still does.
    ///
    /// # Panics
    /// When something does not.
    pub fn look(&mut self) {
        self.session = session(self.engine());
        self.assembled.engine.with(|main| main.interfaces().interfaces().count());
        for (path, syntax) in commands(self.engine()) {
            // What needs to be told more is tried by lines of its own.
            let arguments = syntax[path.len()..].replace("[json]", "");
            let needs_more = arguments.trim_start().starts_with(['<', '(']);
            if !path.starts_with("show ") || needs_more {
                continue;
            }
            let text = self.execute(path.as_bytes());
            assert!(text.ok, "{path}: {}", text.text);
            let json = self.execute(format!("{path} json").as_bytes());
            let sound = serde_json::from_str::<serde_json::Value>(&json.text);
            assert!(json.ok && sound.is_ok(), "{path} json: {}", json.text);
        }
    }

    /// Lets packets move, and time pass where no stream sends for ever.
    fn rounds(&self) {
        for _ in 0..4 {
            self.engine().poll();
        }
        // One may send for ever.
        if !self.streams().iter().any(|stream| stream.enabled) {
            self.engine().advance(Duration::from_millis(700));
        }
    }

    /// Runs a line, for so many rounds: one that waits for a time is left to itself, as streams may send for ever meanwhile.
    fn execute(&self, line: &[u8]) -> Reply {
        let (session, line) = (self.session.clone(), line.to_vec());
        let done = Rc::new(Cell::new(None));
        let result = done.clone();
        self.engine().cx().executor().spawn(async move {
            result.set(Some(command::execute(session, &line).await));
        });
        for _ in 0..ROUNDS {
            self.engine().poll();
            if let Some(reply) = done.take() {
                return reply;
            }
        }
        Reply { ok: false, text: "it waits for a time\n".to_owned(), output_length: 0 }
    }

    fn streams(&self) -> Vec<StreamRow> {
        self.assembled.generator().map(Generator::streams).unwrap_or_default()
    }

    /// All that was configured, without counters.
    fn configuration(&self) -> String {
        let mut text = String::new();
        for line in CONFIGURATION {
            let reply = self.execute(line.as_bytes());
            let _infallible = writeln!(text, "{line}:\n{}", reply.text);
        }
        self.engine().with(|main| {
            let interfaces = main.interfaces().interfaces();
            interfaces.for_each(|interface| text.push_str(&format!("{interface:?}\n")));
        });
        // Which of them send changes with every round.
        for stream in self.streams() {
            let StreamRow { name, limit, rate, size, buffer_size, worker, groups, .. } = stream;
            let _infallible = writeln!(
                text,
                "{name} {limit} {rate:?} {size:?} {buffer_size} {worker} {groups:?}"
            );
        }
        text
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

fn commands(engine: &Engine) -> Vec<(String, String)> {
    engine.commands().commands().iter().map(|c| (c.path().to_owned(), c.syntax())).collect()
}

fn session(engine: &Engine) -> CommandCx {
    engine.session(Terminal { pager: false, ansi: false, history: true })
}

/// The path of the one command that `line` calls.
fn path(scene: &Scene, line: &[u8]) -> Option<String> {
    let text = lex::decode(line).ok()?;
    let invocation = scene.engine().commands().parse(&scene.session, text).ok()??;
    Some(invocation.path().to_owned())
}

/// Whether it runs other lines, of which the first may have succeeded.
fn runs_others(scene: &Scene, line: &[u8]) -> bool {
    let several = line.contains(&b'\n');
    several || matches!(path(scene, line).as_deref(), Some("exec" | "uncomment" | "wait"))
}

/// Whether it sends nothing to other hosts: messages may really leave by a socket.
fn is_harmless(scene: &Scene, line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let is_local = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    let far = text.split([' ', '\t', '\n', '{', '}', '"']).filter_map(|word| word.parse().ok());
    let mut far = far.filter(|ip| !is_local(*ip));
    far.next().is_none()
        || !text.contains(" k")
        || path(scene, line).is_none_or(|path| path != "set ipfix exporter")
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().take(300).flat_map(char::escape_debug).collect()
}
