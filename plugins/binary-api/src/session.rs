//! Clients, and what becomes of what they send.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
    os::unix::net::UnixStream,
    rc::Rc,
};

use vnet::{
    api::{
        Answer, Client, Defect, Header, Reader, Table, Wire, sockclnt_create,
        sockclnt_create_reply, sockclnt_delete, sockclnt_delete_reply,
    },
    log::{Level, LogClass},
    plugin::Registrar,
    process::Cx,
};

use crate::{
    commands, connection,
    frames::FrameError,
    listener::Listener,
    settings::Settings,
    trace::{self, Trace},
};

/// Clients at once.
const MAX_CLIENTS: usize = 256;

/// What the sessions of an engine have in common.
pub(crate) struct Sessions {
    table: Rc<Table>,
    /// By index.
    clients: RefCell<BTreeMap<u32, Guest>>,
    /// Messages of clients.
    pub(crate) received: Trace,
    /// Messages to clients.
    pub(crate) sent: Trace,
    pub(crate) counts: Counts,
}

/// What is known of a client.
#[derive(Clone)]
pub(crate) struct Guest {
    /// What it calls itself, once it has.
    pub(crate) name: String,
    pub(crate) client: Rc<Client>,
}

/// What came of clients and of what they sent.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Clients that were there.
    pub(crate) joined: Cell<u64>,
    /// Clients for which there was no place.
    pub(crate) turned_away: Cell<u64>,
    /// Clients that did not read what was sent to them, and were hung up.
    pub(crate) deaf: Cell<u64>,
    /// Connections that were hung up for what came by them.
    pub(crate) garbage: Cell<u64>,
    /// Messages of clients.
    pub(crate) received: Cell<u64>,
    /// Of these, such as have a number that no message has.
    pub(crate) unknown: Cell<u64>,
    /// Such as are no message of their number.
    pub(crate) malformed: Cell<u64>,
    /// Such as came before `sockclnt_create`.
    pub(crate) early: Cell<u64>,
}

/// Counts one more.
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// What there is to do after a message.
pub(crate) enum Next {
    /// Go on.
    Continue,
    /// Wait for this first.
    Wait(Answer),
    /// The client has said goodbye.
    End,
}

/// A client's session.
pub(crate) struct Session {
    sessions: Rc<Sessions>,
    pub(crate) client: Rc<Client>,
    created: Cell<bool>,
    log: LogClass,
}

/// Why a client is hung up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("message {0} before sockclnt_create")]
    Early(u16),
    #[error("it does not read what is sent to it")]
    Deaf,
}

impl Sessions {
    pub(crate) fn new(table: Rc<Table>) -> Self {
        let (received, sent) = (Trace::default(), Trace::default());
        Self { table, clients: RefCell::default(), received, sent, counts: Counts::default() }
    }

    /// The clients, by index.
    pub(crate) fn clients(&self) -> Vec<Guest> {
        self.clients.borrow().values().cloned().collect()
    }

    /// All messages.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// A place for a new client, if there is one.
    pub(crate) fn join(sessions: &Rc<Self>, cx: &Cx) -> Option<Session> {
        if sessions.clients.borrow().len() >= MAX_CLIENTS {
            count(&sessions.counts.turned_away);
            return None;
        }
        count(&sessions.counts.joined);
        let client = sessions.table.client();
        let guest = Guest { name: String::new(), client: client.clone() };
        sessions.clients.borrow_mut().insert(client.index(), guest);
        let log = cx.with(|main| main.log().class("api", ""));
        Some(Session { sessions: sessions.clone(), client, created: Cell::new(false), log })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.clients.borrow_mut().remove(&self.client.index());
    }
}

impl Session {
    /// What it calls itself.
    fn name(&self) -> String {
        let clients = self.sessions.clients.borrow();
        clients.get(&self.client.index()).map(|guest| guest.name.clone()).unwrap_or_default()
    }

    /// Counts and logs why it is hung up.
    pub(crate) fn refused(&self, cx: &Cx, why: &Refused) {
        let counts = &self.sessions.counts;
        count(if matches!(why, Refused::Deaf) { &counts.deaf } else { &counts.garbage });
        self.complain(cx, format_args!("hung up: {why}"));
    }

    fn complain(&self, cx: &Cx, what: impl core::fmt::Display) {
        let text = format!("client {} `{}' {what}", self.client.index(), self.name());
        cx.with(|main| main.log().write(self.log, Level::Warn, text));
    }

    /// Answers a message.
    pub(crate) fn receive(&self, cx: &Cx, message: &[u8]) -> Result<Next, Refused> {
        let Sessions { table, counts, received, .. } = &*self.sessions;
        count(&counts.received);
        received.record(message);
        let mut reader = Reader::new(message);
        let Ok(number) = u16::read(&mut reader) else { return Ok(Next::Continue) };
        let Some(entry) = table.entry(number) else {
            count(&counts.unknown);
            self.complain(cx, format_args!("sends message {number}, which there is not"));
            return Ok(Next::Continue);
        };
        let name = entry.definition.name;
        if name == sockclnt_create::NAME {
            return Ok(self.defects(cx, name, self.create(&mut reader)).unwrap_or(Next::Continue));
        }
        if !self.created.get() {
            count(&counts.early);
            return Err(Refused::Early(number));
        }
        if name == sockclnt_delete::NAME {
            return Ok(self.defects(cx, name, self.delete(&mut reader)).unwrap_or(Next::Continue));
        }
        let header = match entry.definition.header {
            Header::Request => <[u32; 2]>::read(&mut reader)
                .map_err(|defect| defect.within("client_index and context")),
            // Messages of the engine, and such as are of clients in shared memory.
            _ => return Ok(Next::Continue),
        };
        let Some([_, context]) = self.defects(cx, name, header) else { return Ok(Next::Continue) };
        let answer = entry.answer(cx, &self.client, context, &mut reader);
        Ok(match self.defects(cx, name, answer) {
            Some(answer @ Answer::Later(_)) => Next::Wait(answer),
            Some(Answer::Done) | None => Next::Continue,
        })
    }

    /// Counts and logs what is wrong with a message.
    fn defects<T>(&self, cx: &Cx, name: &str, result: Result<T, Defect>) -> Option<T> {
        result
            .inspect_err(|defect| {
                count(&self.sessions.counts.malformed);
                self.complain(cx, format_args!("sends a malformed {name}: {defect}"));
            })
            .ok()
    }

    fn create(&self, reader: &mut Reader<'_>) -> Result<Next, Defect> {
        let sockclnt_create { context, name } = sockclnt_create::read(reader)?;
        let index = self.client.index();
        if let Some(guest) = self.sessions.clients.borrow_mut().get_mut(&index) {
            guest.name = name.as_str().to_owned();
        }
        self.created.set(true);
        let message_table = sockclnt_create_reply::table(self.sessions.table());
        let reply = sockclnt_create_reply {
            client_index: index,
            context,
            response: 0,
            index,
            message_table,
        };
        self.client.send(&[], &reply);
        Ok(Next::Continue)
    }

    fn delete(&self, reader: &mut Reader<'_>) -> Result<Next, Defect> {
        let sockclnt_delete { context, .. } = sockclnt_delete::read(reader)?;
        self.client.send(&[], &sockclnt_delete_reply { context, response: 0 });
        Ok(Next::End)
    }

    /// Takes what waits for the client.
    pub(crate) fn outgoing(&self) -> Vec<u8> {
        let octets = self.client.take();
        self.sessions.sent.record_frames(&octets);
        octets
    }
}

/// Where the sessions of an engine are found, once it has begun.
pub(crate) type Place = Rc<OnceCell<Rc<Sessions>>>;

/// The server of an engine's clients.
#[derive(Clone)]
pub struct Server(Place);

impl Server {
    /// Serves a client until it goes; its end of `stream`, which must not block, may be in another process. `false` when there is
    /// no place for it.
    pub fn serve(&self, cx: &Cx, stream: UnixStream) -> bool {
        let session = self.0.get().and_then(|sessions| Sessions::join(sessions, cx));
        session
            .map(|session| cx.executor().spawn(connection::serve(cx.clone(), stream, session)))
            .is_some()
    }
}

/// Registers the process that listens where `settings` say, and the commands.
pub(crate) fn register(registrar: &mut Registrar, settings: Settings) {
    let place = Place::default();
    commands::register(registrar, &place);
    let listener: Rc<Cell<Option<Listener>>> = Rc::default();
    let bound = listener.clone();
    let server = Server(place.clone());
    registrar.provide(server.clone());
    registrar.on_start(move |main| {
        let Settings { socket, trace: is_traced, nitems, table } = settings;
        let sessions = place.get_or_init(|| Rc::new(Sessions::new(main.api().clone())));
        if is_traced {
            sessions.received.begin(nitems as usize);
        }
        if let Some(path) = table {
            trace::save_table(&path, sessions.table())
                .map_err(|error| format!("API message table {}: {error}", path.display()))?;
        }
        if let Some(path) = socket {
            let listener = Listener::bind(&path)
                .map_err(|error| format!("API socket {}: {error}", path.display()))?;
            bound.set(Some(listener));
        }
        Ok(())
    });
    registrar.process("api-rx-from-ring", move |cx| async move {
        let Some(listener) = listener.take() else { return };
        listener.serve(cx, server).await;
    });
}
