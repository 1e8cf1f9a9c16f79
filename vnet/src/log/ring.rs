//! The log itself.

use super::{
    ClassSettings, Level, LogClass,
    class::{Rate, Verdict},
    date::date_and_time,
};
use crate::runtime::EngineTime;
use core::{fmt, time::Duration};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// Messages that the ring keeps unless told otherwise.
const SIZE: usize = 512;
/// How long a throttled class stays silent unless told otherwise.
const UNTHROTTLE: Duration = Duration::from_secs(3);

/// One moment, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The engine's own time.
    pub engine: EngineTime,
    /// The time of day.
    pub wall: SystemTime,
}

/// A message in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was written.
    pub stamp: Stamp,
    /// How urgent it is.
    pub level: Level,
    /// `class` or `class/subclass`.
    pub class: String,
    /// Its text, on one line: control characters are escaped.
    pub text: String,
}

impl fmt::Display for Entry {
    /// The line of `show logging`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stamp, level, class, text } = self;
        write!(f, "{} {level:<10} {class:<14} {text}", date_and_time(stamp.wall))
    }
}

/// A class that nobody registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log class {0:?}: `show logging configuration` lists them")]
pub struct UnknownClass(pub String);

/// The operator's log. It can be shared; control-plane threads write to it.
pub struct Log {
    clock: Box<dyn Fn() -> Stamp + Send + Sync>,
    state: Mutex<State>,
}

struct State {
    size: usize,
    entries: VecDeque<Entry>,
    overwritten: u64,
    classes: Vec<Class>,
    unthrottle: Duration,
    output: Option<Box<dyn Write + Send>>,
    unwritten: u64,
}

struct Class {
    name: String,
    subclass: String,
    settings: ClassSettings,
    rate: Rate,
}

impl Log {
    /// An empty log that takes the time from `clock` and keeps the last 512 messages.
    pub fn new(clock: impl Fn() -> Stamp + Send + Sync + 'static) -> Self {
        let state = State {
            size: SIZE,
            entries: VecDeque::new(),
            overwritten: 0,
            classes: Vec::new(),
            unthrottle: UNTHROTTLE,
            output: None,
            unwritten: 0,
        };
        Self { clock: Box::new(clock), state: Mutex::new(state) }
    }

    /// Registers a class, or finds it; an empty `subclass` is the class itself.
    ///
    /// There is room for 65,536 classes; what registers beyond that shares the last one.
    pub fn class(&self, name: &str, subclass: &str) -> LogClass {
        let mut state = self.state();
        let known = state.classes.iter().position(|c| c.name == name && c.subclass == subclass);
        let index = known.unwrap_or_else(|| {
            if state.classes.len() <= usize::from(u16::MAX) {
                let (name, subclass) = (name.to_owned(), subclass.to_owned());
                let (settings, rate) = (ClassSettings::INITIAL, Rate::new());
                state.classes.push(Class { name, subclass, settings, rate });
            }
            state.classes.len() - 1
        });
        LogClass(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// Writes a message, if its class lets it pass.
    pub fn write(&self, class: LogClass, level: Level, text: impl fmt::Display) {
        let stamp = (self.clock)();
        let state = &mut *self.state();
        let unthrottle = state.unthrottle;
        let Some(Class { name, subclass, settings, rate }) =
            state.classes.get_mut(usize::from(class.0))
        else {
            return;
        };
        let settings = *settings;
        if !level.passes(settings.level) && !level.passes(settings.syslog_level) {
            return;
        }
        let verdict = rate.judge(stamp.engine, settings.rate_limit, unthrottle);
        let class = display_name(name, subclass);
        let mut say = |text: String| {
            state.keep(Entry { stamp, level, class: class.clone(), text }, settings);
        };
        match verdict {
            Verdict::Pass { suppressed: 0 } => say(one_line(&text.to_string())),
            Verdict::Pass { suppressed } => {
                say(format!("--- {suppressed} message(s) were not shown ---"));
                say(one_line(&text.to_string()));
            }
            Verdict::Throttle => say("--- message(s) throttled ---".to_owned()),
            Verdict::Suppress => {}
        }
    }

    /// Sends messages on, a line each, to standard error or a file; `None` ends that.
    pub fn set_output(&self, output: Option<Box<dyn Write + Send>>) {
        self.state().output = output;
    }

    /// Changes what a class lets pass, in all of its subclasses (`set logging class`).
    pub fn set_class(
        &self,
        name: &str,
        change: impl Fn(&mut ClassSettings),
    ) -> Result<(), UnknownClass> {
        let mut state = self.state();
        let mut found = false;
        for class in state.classes.iter_mut().filter(|class| class.name == name) {
            change(&mut class.settings);
            found = true;
        }
        found.then_some(()).ok_or_else(|| UnknownClass(name.to_owned()))
    }

    /// Sets how many messages the ring keeps; the oldest ones beyond that go.
    pub fn set_size(&self, size: usize) {
        let mut state = self.state();
        state.size = size;
        state.shrink();
    }

    /// Sets how long a throttled class stays silent.
    pub fn set_unthrottle_time(&self, time: Duration) {
        self.state().unthrottle = time;
    }

    /// Forgets all messages.
    pub fn clear(&self) {
        let mut state = self.state();
        state.entries.clear();
        state.overwritten = 0;
    }

    /// The messages since a moment, the oldest first.
    #[must_use]
    pub fn since(&self, start: EngineTime) -> Vec<Entry> {
        let state = self.state();
        state.entries.iter().filter(|entry| entry.stamp.engine >= start).cloned().collect()
    }

    /// `show logging`, as text and as JSON.
    #[must_use]
    pub fn show(&self) -> (String, Value) {
        let state = self.state();
        let text = state.entries.iter().map(|entry| format!("{entry}\n")).collect();
        let entries: Vec<Value> = state.entries.iter().map(entry_json).collect();
        (text, json!({ "entries": entries, "overwritten": state.overwritten }))
    }

    /// `show logging configuration`, as text and as JSON.
    #[must_use]
    pub fn show_configuration(&self) -> (String, Value) {
        let state = self.state();
        (state.configuration_text(), state.configuration_json())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Log").field("entries", &state.entries.len()).finish_non_exhaustive()
    }
}

impl State {
    fn keep(&mut self, entry: Entry, settings: ClassSettings) {
        if entry.level.passes(settings.syslog_level)
            && let Some(output) = &mut self.output
        {
            // There is no one left to tell but the operator who asks.
            let written = writeln!(output, "{entry}").and_then(|()| output.flush());
            self.unwritten += u64::from(written.is_err());
        }
        if entry.level.passes(settings.level) {
            self.entries.push_back(entry);
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        let excess = self.entries.len().saturating_sub(self.size);
        self.entries.drain(..excess);
        self.overwritten += excess as u64;
    }

    fn configuration_text(&self) -> String {
        let ClassSettings { level, syslog_level, rate_limit } = ClassSettings::INITIAL;
        let mut text = format!(
            "{:<20} {} entries\nDefaults:\n{:<20} {level}\n{:<20} {syslog_level}\n{:<20} {rate_limit} msgs/sec\n\n\
             {:<22} {:<14} {:<14} Rate Limit\n",
            "Buffer Size:",
            self.size,
            "  Log Level:",
            "  Syslog Log Level:",
            "  Rate Limit:",
            "Class/Subclass",
            "Level",
            "Syslog Level",
        );
        let mut shown = Vec::new();
        for Class { name, .. } in &self.classes {
            if shown.contains(&name) {
                continue;
            }
            shown.push(name);
            text += &format!("{name}\n");
            for class in self.classes.iter().filter(|class| class.name == *name) {
                let ClassSettings { level, syslog_level, rate_limit } = class.settings;
                let subclass = if class.subclass.is_empty() { "default" } else { &class.subclass };
                text += &format!("  {subclass:<20} {level:<14} {syslog_level:<14} {rate_limit}\n");
            }
        }
        text
    }

    fn configuration_json(&self) -> Value {
        let class = |class: &Class| {
            let ClassSettings { level, syslog_level, rate_limit } = class.settings;
            json!({
                "class": class.name,
                "subclass": class.subclass,
                "level": level.word(),
                "syslog_level": syslog_level.word(),
                "rate_limit": rate_limit,
                "suppressed": class.rate.suppressed(),
            })
        };
        let classes: Vec<Value> = self.classes.iter().map(class).collect();
        json!({ "size": self.size, "unwritten": self.unwritten, "classes": classes })
    }
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "time": date_and_time(entry.stamp.wall),
        "engine_time": entry.stamp.engine.as_secs_f64(),
        "level": entry.level.word(),
        "class": entry.class,
        "text": entry.text,
    })
}

fn display_name(name: &str, subclass: &str) -> String {
    if subclass.is_empty() { name.to_owned() } else { format!("{name}/{subclass}") }
}

/// Messages may quote what came from outside: a line stays a line, and terminals see no commands.
fn one_line(text: &str) -> String {
    text.trim_end().chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    /// A log whose engine clock a test moves, in milliseconds.
    fn log() -> (Log, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&now);
        let log = Log::new(move || {
            let ms = clock.load(Ordering::Relaxed);
            let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_231_200_000 + ms);
            Stamp { engine: EngineTime(ms * 1_000_000), wall }
        });
        (log, now)
    }

    /// An output that a test can read, or that fails.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn show_logging_prints_the_columns_of_vpp() {
        let (log, now) = log();
        let load = log.class("plugin", "load");
        let long = log.class("a-rather-long-class", "");
        log.write(load, Level::Notice, "Loaded plugin: flowprobe");
        now.store(61_007, Ordering::Relaxed);
        log.write(long, Level::Emerg, "x");
        log.write(long, Level::Info, "not kept");
        let (text, json) = log.show();
        assert_eq!(
            text,
            "2026/11/21 03:20:00:000 notice     plugin/load    Loaded plugin: flowprobe\n\
             2026/11/21 03:21:01:007 emerg      a-rather-long-class x\n"
        );
        assert_eq!(json["entries"][1]["engine_time"], 61.007);
        assert_eq!(log.since(EngineTime(1)).len(), 1);
        log.clear();
        assert_eq!(log.show().0, "");
    }

    #[test]
    fn a_message_stays_on_its_line() {
        let (log, _) = log();
        let class = log.class("cli", "");
        log.write(class, Level::Err, "bad\nFAKE 2026\x1b[2J word\r\n");
        assert_eq!(log.since(EngineTime(0))[0].text, "bad\\nFAKE 2026\\u{1b}[2J word");
    }

    #[test]
    fn a_chatty_class_is_throttled_alone_and_says_what_it_left_out() {
        let (log, now) = log();
        let (chatty, calm) = (log.class("chatty", ""), log.class("calm", ""));
        for n in 0..80 {
            log.write(chatty, Level::Warn, n);
        }
        log.write(calm, Level::Warn, "calm");
        now.store(3_001, Ordering::Relaxed);
        log.write(chatty, Level::Warn, "again");
        let texts: Vec<_> = log.since(EngineTime(0)).into_iter().map(|entry| entry.text).collect();
        let tail = ["--- message(s) throttled ---", "calm", "--- 30 message(s) were not shown ---"];
        assert_eq!(texts[49..53], [&["49"], &tail[..]].concat());
        assert_eq!((texts.len(), &*texts[53]), (54, "again"));
    }

    #[test]
    fn the_ring_keeps_the_last_messages_and_counts_the_others() {
        let (log, _) = log();
        let class = log.class("c", "");
        log.set_class("c", |settings| settings.rate_limit = 10_000).unwrap();
        for n in 0..600 {
            log.write(class, Level::Notice, n);
        }
        assert_eq!(
            (log.since(EngineTime(0)).len(), &*log.since(EngineTime(0))[0].text),
            (512, "88")
        );
        log.set_size(2);
        let (text, json) = log.show();
        assert!(text.ends_with(" 599\n") && text.lines().count() == 2);
        assert_eq!(json["overwritten"], 598);
    }

    #[test]
    fn the_output_gets_what_its_level_lets_pass_and_its_failures_are_counted() {
        let (log, _) = log();
        let class = log.class("c", "sub");
        let page = Page::default();
        log.set_output(Some(Box::new(page.clone())));
        log.write(class, Level::Notice, "ring only");
        log.write(class, Level::Err, "both");
        log.set_class("c", |settings| {
            settings.level = Level::Disabled;
            settings.syslog_level = Level::Debug;
        })
        .unwrap();
        log.write(class, Level::Debug, "output only");
        let written = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            written,
            "2026/11/21 03:20:00:000 err        c/sub          both\n\
             2026/11/21 03:20:00:000 debug      c/sub          output only\n"
        );
        assert_eq!(log.since(EngineTime(0)).len(), 2);
        log.set_output(Some(Box::new(&mut [][..])));
        log.write(class, Level::Emerg, "to a full disk");
        assert_eq!(log.show_configuration().1["unwritten"], 1);
    }

    #[test]
    fn show_logging_configuration_lists_classes_with_their_subclasses() {
        let (log, _) = log();
        for (class, subclass) in [("plugin", "load"), ("interface", ""), ("plugin", "")] {
            assert_eq!(log.class(class, subclass), log.class(class, subclass));
        }
        log.set_class("plugin", |settings| settings.level = Level::Debug).unwrap();
        assert_eq!(
            log.show_configuration().0,
            "Buffer Size:         512 entries\n\
             Defaults:\n  \
             Log Level:         notice\n  \
             Syslog Log Level:  warn\n  \
             Rate Limit:        50 msgs/sec\n\n\
             Class/Subclass         Level          Syslog Level   Rate Limit\n\
             plugin\n  \
             load                 debug          warn           50\n  \
             default              debug          warn           50\n\
             interface\n  \
             default              notice         warn           50\n"
        );
        let error = log.set_class("nat", |_| {}).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown log class \"nat\": `show logging configuration` lists them"
        );
    }
}
