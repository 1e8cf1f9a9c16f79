//! An engine that runs until its user leaves or a signal ends it.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal},
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    pin::pin,
    process::{self, ExitCode},
};

use vnet::{
    command::{self, Terminal},
    log::Level,
    plugin::Engine,
    process::{Cx, Winner, race},
    runtime::{Main, pin},
};

use crate::{
    args::{Failure, UsageError},
    complain,
    control::{
        UserLook,
        client::{Client, Interrupter},
        listener::{DEFAULT_PATH, Listener},
        server::{Sessions, USER_PROMPT},
    },
    denied,
    plugins::Assembled,
    shell::{self, End, Look, ShellError},
    signal::Signals,
    startup::{ClassChange, Logging, Startup},
    stdout::{self, StdoutError},
    terminal,
};

/// `peloton`.
pub(crate) fn plain() -> Result<ExitCode, Failure> {
    let mut startup = Startup::plain();
    startup.unix.interactive = true;
    run(&startup)
}

/// `peloton -c FILE`.
pub(crate) fn from_file(parser: &mut lexopt::Parser) -> Result<ExitCode, Failure> {
    let file = PathBuf::from(parser.value().map_err(UsageError::from)?);
    if let Some(more) = parser.next().map_err(UsageError::from)? {
        return Err(UsageError::from(more.unexpected()).into());
    }
    run(&Startup::from_file(&file).map_err(Failure::failed)?)
}

/// `peloton unix { ... } ...`.
pub(crate) fn from_words(
    first: OsString,
    parser: &mut lexopt::Parser,
) -> Result<ExitCode, Failure> {
    let rest = parser.raw_args().map_err(UsageError::from)?;
    let words: Vec<_> = [first].into_iter().chain(rest).collect();
    run(&Startup::from_words(&words).map_err(UsageError::from)?)
}

fn run(startup: &Startup) -> Result<ExitCode, Failure> {
    let unix = &startup.unix;
    let has_console = unix.interactive || (!unix.nodaemon && terminal::is_interactive());
    if let Some(core) = startup.cpu.main_core {
        let failed = |error| Failure::failed(format_args!("main-core {core}: {error}"));
        pin(core).map_err(failed)?;
    }
    let signals = Signals::watch().map_err(Failure::failed)?;
    let assembled = build(startup)?;
    let _pidfile = unix.pidfile.as_deref().map(Pidfile::write).transpose()?;
    let listener = listen(startup, &assembled.engine)?;
    if let Some(file) = &unix.exec {
        match run_first(&assembled, &signals, file) {
            Ok(true) => {}
            ended => {
                let flushed = assembled.end();
                return ended.map_err(Failure::from).and(flushed).map(|()| ExitCode::SUCCESS);
            }
        }
    }

    let settings = Terminal { pager: false, ansi: false, history: true };
    let prompt = unix.prompt.as_deref();
    let sessions = Sessions::new(assembled.engine.session(settings), prompt.unwrap_or("peloton# "))
        .with_user_look(UserLook {
            prompt: prompt.unwrap_or(USER_PROMPT).to_owned(),
            banner: unix.banner.then(|| shell::banner("connected to a running engine")),
            color: unix.color,
            pager: unix.pager,
            pager_limit: unix.pager_limit,
        });
    let _restore = has_console.then(terminal::Restore::new);
    let console = has_console.then(|| Console::new(startup)).transpose();
    let console = console.map_err(Failure::failed)?;
    let (cx, serving) = (assembled.engine.cx(), sessions.clone());
    let listening = async move {
        match listener {
            Some(listener) => listener.serve(serving).await,
            None => core::future::pending().await,
        }
    };
    let until = async move { race(end(&cx, console, &sessions, &signals), listening).await };
    let ended = assembled.engine.run_until(until);
    let flushed = assembled.end();
    let status = match ended {
        Some(Winner::First(ended)) => ended?,
        _ => ExitCode::SUCCESS,
    };
    flushed.map(|()| status)
}

fn build(startup: &Startup) -> Result<Assembled, Failure> {
    let cores = startup.cpu.workers().map_err(Failure::failed)?;
    let builder = Engine::builder().workers_on(cores);
    let builder = match startup.buffers {
        Some(buffers) => builder.buffers(buffers),
        None => builder,
    };
    let builder = match &startup.unix.runtime_dir {
        Some(folder) => builder.runtime_dir(folder.clone()),
        None => builder,
    };
    let assembled = Assembled::build(builder, &startup.plugins).map_err(Failure::failed)?;
    let log = match &startup.unix.log {
        Some(path) => {
            let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
            let failed = |error| not_opened("log", path, &error);
            Some(opened.map_err(failed)?)
        }
        None => None,
    };
    assembled.engine.with(|main| configure_log(main, &startup.logging, log))?;
    for note in &startup.notes {
        warn(&assembled.engine, note);
    }
    Ok(assembled)
}

fn configure_log(main: &Main, logging: &Logging, file: Option<File>) -> Result<(), Failure> {
    let log = main.log();
    if let Some(file) = file {
        log.set_output(Some(Box::new(file)));
    }
    if let Some(size) = logging.size {
        log.set_size(size);
    }
    if let Some(time) = logging.unthrottle_time {
        log.set_unthrottle_time(time);
    }
    for (class, change) in &logging.classes {
        let changed = log.set_class(class, |settings| match *change {
            ClassChange::Level(level) => settings.level = level,
            ClassChange::SyslogLevel(level) => settings.syslog_level = level,
            ClassChange::RateLimit(limit) => settings.rate_limit = limit,
        });
        changed.map_err(Failure::failed)?;
    }
    Ok(())
}

/// Tells the operator now, and the log for later.
fn warn(engine: &Engine, text: &str) {
    complain(&text);
    engine.with(|main| main.log().write(main.log().class("startup", ""), Level::Warn, text));
}

/// The control socket: the one that was asked for, or the usual one where it can be had.
fn listen(startup: &Startup, engine: &Engine) -> Result<Option<Listener>, Failure> {
    let unix = &startup.unix;
    let folder = match &unix.runtime_dir {
        Some(folder) => folder,
        None => Path::new(DEFAULT_PATH).parent().unwrap_or(Path::new("/")),
    };
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(folder);
    if let Some(path) = &unix.listen {
        let relative = path.components().count() == 1;
        let path = if relative && unix.runtime_dir.is_some() { &folder.join(path) } else { path };
        return Listener::bind(path).map(Some).map_err(Failure::failed);
    }
    let listener = made
        .map_err(Failure::failed)
        .and_then(|()| Listener::bind(&folder.join("cli.sock")).map_err(Failure::failed));
    match listener {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => {
            // Nobody asked for it, so that its lack is no trouble.
            let class = |main: &Main| main.log().class("startup", "");
            engine.with(|main| main.log().write(class(main), Level::Notice, error));
            Ok(None)
        }
    }
}

/// Runs the commands of the startup file's own file; `false` when a signal came. As with VPP, a command that fails ends the
/// file, not the engine.
///
/// # Errors
/// What they print has nowhere to go.
fn run_first(assembled: &Assembled, signals: &Signals, file: &Path) -> Result<bool, StdoutError> {
    let engine = &assembled.engine;
    let session = engine.session(Terminal::PLAIN);
    let (cx, signals, path) = (engine.cx(), signals.clone(), file.to_owned());
    let run = async move {
        let run = async {
            let result = command::run_file(&session, &path).await;
            let printed = command::execute(session.clone(), b"").await.text;
            (result, printed)
        };
        race(run, signals.next(&cx)).await
    };
    match engine.run_until(run) {
        Some(Winner::First((result, printed))) => {
            stdout::print(printed)?;
            if let Err(error) = result {
                warn(engine, &error.to_string());
            }
            Ok(true)
        }
        Some(Winner::Second(_)) => Ok(false),
        None => Ok(true),
    }
}

/// The prompt of this process: a session like those of the control socket, and a thread that is its client.
struct Console {
    server: UnixStream,
    client: Client,
    interrupter: Interrupter,
    look: Look,
}

impl Console {
    fn new(startup: &Startup) -> io::Result<Self> {
        let (server, client) = UnixStream::pair()?;
        server.set_nonblocking(true)?;
        let client = Client::over(client);
        let unix = &startup.unix;
        let look = Look {
            banner: unix.banner.then(|| shell::banner("packets in, flow records out")),
            color: unix.color,
            pager: unix.pager,
            pager_limit: unix.pager_limit,
            history_limit: unix.history_limit,
            takes_signals: false,
        };
        let interrupter = client.interrupter()?;
        Ok(Self { server, client, interrupter, look })
    }
}

/// Waits for the user to leave, or for a signal.
async fn end(
    cx: &Cx,
    console: Option<Console>,
    sessions: &Sessions,
    signals: &Signals,
) -> Result<ExitCode, Failure> {
    let Some(Console { server, client, interrupter, look }) = console else {
        signals.next(cx).await;
        return Ok(ExitCode::SUCCESS);
    };
    cx.executor().spawn(sessions.clone().serve_console(server));
    let at_terminal = io::stdin().is_terminal();
    let mut shell = pin!(cx.blocking(move || shell::run(client.greet()?, &look)));
    loop {
        match race(shell.as_mut(), signals.next(cx)).await {
            Winner::First(ended) => return status(ended),
            // Ctrl-C while a command runs is meant for that.
            Winner::Second(signal)
                if at_terminal && signal.is_interrupt() && interrupter.interrupt() => {}
            Winner::Second(_) => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn status(ended: std::thread::Result<Result<End, ShellError>>) -> Result<ExitCode, Failure> {
    match ended {
        Ok(Ok(End::Left { failed: true })) => Ok(ExitCode::FAILURE),
        Ok(Ok(End::Left { failed: false } | End::Interrupted)) => Ok(ExitCode::SUCCESS),
        Ok(Err(error)) => Err(Failure::failed(error)),
        Err(_) => Err(Failure::failed("the prompt has died")),
    }
}

fn not_opened(what: &str, path: &Path, error: &io::Error) -> Failure {
    let (path, help) = (path.display(), denied::help(error));
    Failure::failed(format_args!("{what} {path}: {error}{help}"))
}

/// The file with the number of this process, removed in the end.
struct Pidfile(PathBuf);

impl Pidfile {
    fn write(path: &Path) -> Result<Self, Failure> {
        let written = fs::write(path, format!("{}\n", process::id()));
        written.map_err(|error| not_opened("pidfile", path, &error))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _: io::Result<()> = fs::remove_file(&self.0);
    }
}
