//! A session: one client's requests, answered one after the other by a task of the engine.

use std::{
    collections::VecDeque,
    io::{self, Write},
    os::unix::net::UnixStream,
    rc::Rc,
};

use vnet::{
    command::{self, Context, Format, Reply, Terminal},
    log::Level,
    plugin::CommandCx,
    process::{Winner, race},
};

use super::{
    Answer, FrameError, Frames, MessageError, Request, UserLook,
    message::{Done, MAX_REQUEST, VERSION},
    places::{GivenUp, MAX_SESSIONS, PATIENCE, Places},
    telnet, user,
    wire::Wire,
};

/// Requests that a client may send before the first is answered; together they are no longer than [`MAX_REQUEST`].
const MAX_WAITING: usize = 64;
/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// The prompt over Telnet, where none is chosen: what waits for VPP's finds it.
pub const USER_PROMPT: &str = "vpp# ";

/// What the sessions of an engine have in common.
#[derive(Clone)]
pub struct Sessions {
    cx: CommandCx,
    prompt: Rc<str>,
    user: Rc<UserLook>,
    places: Places,
}

/// Why a session ended before its time.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Message(#[from] MessageError),
    #[error("more than {MAX_WAITING} requests at once")]
    TooManyRequests,
    #[error("more than {} MiB of requests at once", MAX_REQUEST >> 20)]
    TooMuchAtOnce,
}

impl Sessions {
    /// Sessions of the engine that `cx` leads to.
    #[must_use]
    pub fn new(cx: CommandCx, prompt: &str) -> Self {
        let user = UserLook {
            prompt: USER_PROMPT.to_owned(),
            banner: None,
            color: false,
            pager: true,
            pager_limit: 0,
        };
        Self { cx, prompt: prompt.into(), user: Rc::new(user), places: Places::default() }
    }

    /// Those over Telnet look like `look`.
    #[must_use]
    pub fn with_user_look(self, look: UserLook) -> Self {
        Self { user: Rc::new(look), ..self }
    }

    /// The way to the engine.
    #[must_use]
    pub fn cx(&self) -> &CommandCx {
        &self.cx
    }

    /// Serves a client until it goes, in the way that its first byte asks for. Its end of `stream` may be in another process; this
    /// end must not block.
    pub async fn serve(self, stream: UnixStream) {
        self.serve_guest(stream, false).await;
    }

    /// Serves the program's own prompt, which keeps its place however long its user says nothing.
    pub async fn serve_console(self, stream: UnixStream) {
        self.serve_guest(stream, true).await;
    }

    async fn serve_guest(self, mut stream: UnixStream, stays: bool) {
        let Some((place, given_up)) = self.places.take(self.cx.now(), stays) else {
            let why = format!(
                "there are {MAX_SESSIONS} sessions already, of which none has kept the engine waiting for {} s",
                PATIENCE.as_secs()
            );
            // Who is gone needs no answer.
            let _: io::Result<usize> = stream.write(&telnet::refusal(&why));
            return;
        };
        if let Some(GivenUp { silent, total }) = given_up {
            let seconds = silent.as_secs();
            let text = format!(
                "control socket: a client of which nothing was heard for {seconds} s was hung up for another ({total} so far)"
            );
            self.cx.with(|main| main.log().write(main.log().class("cli", ""), Level::Notice, text));
        }
        let place = Rc::new(place);
        let settings = Terminal { pager: false, ansi: false, history: true };
        let cx = self.cx.new_session(settings);
        let wire = Wire::new(stream, cx.clone(), place.clone());
        let frames = Frames::new(MAX_REQUEST);
        let mut link =
            Link { wire, cx: cx.clone(), frames, waiting: VecDeque::new(), framed: false };
        match race(self.meet(&mut link, &cx), place.lost()).await {
            // Who is gone needs no answer.
            Winner::First(Ok(()) | Err(SessionError::Io(_))) => {}
            Winner::First(Err(error)) => {
                let _: Result<(), SessionError> =
                    link.send(&Answer::Refused(error.to_string())).await;
            }
            // In the middle of an answer this would be taken for a part of it.
            Winner::Second(()) if link.wire.is_cut() => {}
            Winner::Second(()) => link.last_words(
                "hung up, since nothing was heard of it and another client needed the place",
            ),
        }
    }

    /// Greets a client, learns of which kind it is, and serves it.
    async fn meet(&self, link: &mut Link, cx: &CommandCx) -> Result<(), SessionError> {
        link.wire.send(&telnet::greeting()).await?;
        link.wire.waits();
        let mut chunk = [0; CHUNK];
        let reading = race(link.wire.read(&mut chunk), cx.sleep(user::PATIENCE));
        let (welcomed, length) = match reading.await {
            Winner::First(length) => (false, length?),
            // Whoever it is waits for a prompt.
            Winner::Second(()) => {
                user::welcome(&mut link.wire, cx, &self.user).await?;
                link.wire.waits();
                (true, link.wire.read(&mut chunk).await?)
            }
        };
        match &chunk[..length] {
            [] => Ok(()),
            // It may be half of a request, which is as good as none.
            first @ [0, ..] => {
                link.framed = true;
                link.frames.push(first);
                let prompt = self.prompt.to_string();
                let hello = Answer::Hello { version: VERSION, prompt };
                link.wire.send_meanwhile(&hello.to_bytes()).await?;
                serve(link, cx).await
            }
            first => {
                link.wire.works();
                Ok(user::serve(&mut link.wire, cx, &self.user, (welcomed, first)).await?)
            }
        }
    }
}

async fn serve(link: &mut Link, cx: &CommandCx) -> Result<(), SessionError> {
    while let Some(request) = link.request().await? {
        // Who never stops to ask takes turns with packets and with others who ask.
        cx.next_round().await;
        match request {
            Request::Execute(line) => {
                execute(link, cx, &line).await?;
                if cx.session().has_quit() {
                    break;
                }
            }
            Request::Complete(line) => {
                let completions = cx.tree().complete(cx, &line, line.len());
                link.send(&Answer::Completions(completions)).await?;
            }
            Request::Help(line) => {
                let text = cx.tree().help_at(cx, &line).render(Format::Text);
                let output_length = text.len();
                link.reply(&Reply { ok: true, text, output_length }).await?;
            }
            Request::Terminal(terminal) => cx.session().change_terminal(|old| *old = terminal),
            // Hello was said, and nothing runs.
            Request::Begin | Request::Interrupt => {}
        }
    }
    Ok(())
}

async fn execute(link: &mut Link, cx: &CommandCx, line: &[u8]) -> Result<(), SessionError> {
    let session = cx.session();
    let mut running = Box::pin(command::execute(cx.clone(), line));
    let reply = loop {
        let meanwhile = race(session.shown(), link.interrupted());
        match race(&mut running, meanwhile).await {
            Winner::First(reply) => break reply,
            Winner::Second(Winner::First(shown)) => link.output(&shown).await?,
            Winner::Second(Winner::Second(interrupted)) => {
                interrupted?;
                drop(running);
                break interrupted_reply(cx).await;
            }
        }
    };
    link.reply(&reply).await
}

/// What the command printed before it was interrupted comes with the next one, which does nothing.
async fn interrupted_reply(cx: &CommandCx) -> Reply {
    let mut reply = command::execute(cx.clone(), b"").await;
    reply.ok = false;
    reply.text.push_str("interrupted\n");
    reply
}

/// The connection of a client that sends frames.
struct Link {
    wire: Wire,
    cx: CommandCx,
    frames: Frames,
    /// Requests that came while a command ran.
    waiting: VecDeque<Request>,
    /// It has sent the begin of one, so that it understands them.
    framed: bool,
}

impl Link {
    /// The next request; `None` when the client is gone.
    async fn request(&mut self) -> Result<Option<Request>, SessionError> {
        if let Some(request) = self.waiting.pop_front() {
            return Ok(Some(request));
        }
        self.wire.waits();
        let request = self.receive().await;
        self.wire.works();
        request
    }

    /// Waits until the running command is to end. Other requests that come wait for it.
    async fn interrupted(&mut self) -> Result<(), SessionError> {
        loop {
            match self.receive().await? {
                Some(Request::Interrupt) => return Ok(()),
                Some(_) if self.waiting.len() == MAX_WAITING => {
                    return Err(SessionError::TooManyRequests);
                }
                Some(request) => {
                    self.waiting.push_back(request);
                    if self.waiting.iter().map(Request::octets).sum::<usize>() > MAX_REQUEST {
                        return Err(SessionError::TooMuchAtOnce);
                    }
                }
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// Nothing is lost when this is given up: what has come is kept.
    async fn receive(&mut self) -> Result<Option<Request>, SessionError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some((kind, payload)) = self.frames.take()? {
                return Ok(Some(Request::parse(kind, payload)?));
            }
            match self.wire.read(&mut chunk).await? {
                0 => return Ok(None),
                length => self.frames.push(&chunk[..length]),
            }
        }
    }

    async fn output(&mut self, text: &str) -> Result<(), SessionError> {
        for piece in Answer::pieces(text, Answer::Output) {
            self.send(&piece).await?;
        }
        Ok(())
    }

    async fn reply(&mut self, reply: &Reply) -> Result<(), SessionError> {
        let (output, error) = reply.parts();
        self.output(output).await?;
        for piece in Answer::pieces(error, Answer::Complaint) {
            self.send(&piece).await?;
        }
        let session = self.cx.session();
        let (quit, terminal) = (session.has_quit(), session.terminal());
        self.send(&Answer::Done(Done { ok: reply.ok, quit, terminal })).await
    }

    async fn send(&mut self, answer: &Answer) -> Result<(), SessionError> {
        Ok(self.wire.send(&answer.to_bytes()).await?)
    }

    /// Says why the client is hung up, if it listens.
    fn last_words(&mut self, why: &str) {
        let words = match self.framed {
            true => Answer::Refused(why.to_owned()).to_bytes(),
            false => format!("\r\n{why}\r\n").into_bytes(),
        };
        self.wire.last_words(&words);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::io::{ErrorKind, Read};

    use vnet::{
        plugin::Engine,
        runtime::{Clock, PacketTime},
    };

    use super::*;

    struct Bench {
        engine: Engine,
        sessions: Sessions,
    }

    impl Bench {
        fn new() -> Self {
            let clock = Clock::virtual_at(PacketTime(0));
            let engine = Engine::builder().clock(clock).build().unwrap();
            let sessions = Sessions::new(engine.session(Terminal::PLAIN), "x ");
            Self { engine, sessions }
        }

        fn pair(&self) -> (UnixStream, UnixStream) {
            let (ours, theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            theirs.set_nonblocking(true).unwrap();
            (ours, theirs)
        }

        /// A client that has come, after all others.
        fn join(&self) -> UnixStream {
            let (ours, theirs) = self.pair();
            self.engine.cx().executor().spawn(self.sessions.clone().serve(ours));
            self.engine.poll();
            theirs
        }

        /// What a client is told; nothing more when it is hung up.
        fn told(&self, mut client: &UnixStream) -> (String, bool) {
            let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
            // Descriptors are looked at every 128 rounds.
            for _ in 0..300 {
                self.engine.poll();
                loop {
                    match client.read(&mut chunk) {
                        Ok(0) => return (String::from_utf8_lossy(&said).into_owned(), true),
                        // It had asked for more.
                        Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                            return (String::from_utf8_lossy(&said).into_owned(), true);
                        }
                        Ok(length) => said.extend_from_slice(&chunk[..length]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            (String::from_utf8_lossy(&said).into_owned(), false)
        }

        fn ask(&self, mut client: &UnixStream, line: &str) -> String {
            client.write_all(&Request::Execute(line.as_bytes().to_vec()).to_bytes()).unwrap();
            self.told(client).0
        }
    }

    #[test]
    fn the_client_of_which_nothing_was_heard_for_longest_makes_place_for_another() {
        let bench = Bench::new();
        let (ours, console) = bench.pair();
        bench.engine.cx().executor().spawn(bench.sessions.clone().serve_console(ours));
        let mut clients: Vec<_> = (1..MAX_SESSIONS).map(|_| bench.join()).collect();
        assert!(clients.iter().all(|client| !bench.told(client).1));
        let (said, hung_up) = bench.told(&bench.join());
        assert!(said.contains("there are 64 sessions already") && hung_up, "{said}");
        bench.engine.advance(PATIENCE / 2);
        // One asks, one begins something that takes its time, and one says half of something.
        assert!(bench.ask(&clients[0], "show version").contains("peloton"));
        bench.ask(&clients[1], "wait 1000000");
        clients[2].write_all(&[0, 0]).unwrap();
        bench.engine.advance(PATIENCE / 2 - Duration::from_secs(1));
        assert!(bench.told(&bench.join()).1);
        bench.engine.advance(Duration::from_secs(2));
        let late = bench.join();
        assert!(!bench.told(&late).1);
        let (said, hung_up) = bench.told(&clients[2]);
        assert!(said.contains("another client needed the place") && hung_up, "{said}");
        let log = bench.engine.command("show logging").unwrap();
        assert!(
            log.contains("nothing was heard for 60 s was hung up for another (1 so far)"),
            "{log}"
        );
        let later = bench.join();
        assert!(!bench.told(&later).1);
        assert!(bench.told(&clients[3]).1);
        for client in [&console, &clients[0], &clients[1], &clients[4], &late] {
            assert!(!bench.told(client).1);
        }
        assert!(bench.ask(&late, "show version").contains("peloton"));
    }

    #[test]
    fn a_client_that_does_not_read_makes_place_as_well() {
        let bench = Bench::new();
        let mut deaf = bench.join();
        let asking = Request::Execute(b"?".to_vec()).to_bytes();
        for _ in 0..20_000 {
            let _: io::Result<usize> = deaf.write(&asking);
            bench.engine.poll();
        }
        bench.engine.advance(Duration::from_secs(1));
        let clients: Vec<_> = (1..MAX_SESSIONS).map(|_| bench.join()).collect();
        clients.iter().for_each(|client| assert!(!bench.told(client).1));
        bench.engine.advance(PATIENCE);
        let late = bench.join();
        assert!(!bench.told(&late).1);
        // It stands in the middle of an answer, of which a reason would seem a part.
        let (said, hung_up) = bench.told(&deaf);
        assert!(hung_up && !said.contains("needed the place"), "{said}");
        assert!(clients.iter().all(|client| !bench.told(client).1));
    }
}
