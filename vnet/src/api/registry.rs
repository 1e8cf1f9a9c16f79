//! Who answers which request.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::Future,
    ops::Deref,
    rc::Rc,
};

use super::{
    Ask, Call, Client, Defect, Definition, Dump, File, Get, Header, Message, Reader, Retval,
    Service, Wire, client::Numbers, json,
};
use crate::{
    command::{ApiError, LocalFuture, Terminal},
    plugin::CommandCx,
    process::Cx,
};

/// What answers a request: its fields are read, and either it is answered at once or the answer takes its time.
type Handler = Rc<dyn Fn(&ApiCx, &mut Reader<'_>) -> Result<Answer, Defect>>;

/// How far a request is answered.
pub enum Answer {
    /// It is.
    Done,
    /// It will be when this is.
    Later(LocalFuture<()>),
}

/// A part of many details, and where the next one begins; none when that was all.
pub struct Part<D, K> {
    /// The details.
    pub details: Vec<D>,
    /// What the handler is to be told to go on with the next ones.
    pub next: Option<K>,
}

/// What the handler of a request is given.
#[derive(Clone)]
pub struct ApiCx {
    cx: Cx,
    client: Rc<Client>,
    context: u32,
}

impl ApiCx {
    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Rc<Client> {
        &self.client
    }

    /// A new session for command lines.
    #[must_use]
    pub fn session(&self) -> CommandCx {
        CommandCx::of(&self.cx, Terminal::PLAIN)
    }

    fn reply<M: Call, R: Into<M::Reply>>(&self, answer: Result<R, Retval>) {
        match answer {
            Ok(reply) => self.client.reply(self.context, Retval(0), &reply.into()),
            Err(retval) => self.client.reply(self.context, retval, &M::Reply::zero()),
        }
    }
}

impl Deref for ApiCx {
    type Target = Cx;

    fn deref(&self) -> &Cx {
        &self.cx
    }
}

/// Messages and handlers as plugins register them.
#[derive(Default)]
pub struct Api {
    files: Vec<&'static File>,
    handlers: HashMap<&'static str, Handler>,
}

impl Api {
    /// Adds the messages of a file to the table, behind those that are there; once, however often it is added.
    pub fn file(&mut self, file: &'static File) {
        if !self.files.iter().any(|known| core::ptr::eq(*known, file)) {
            self.files.push(file);
        }
    }

    fn handle<M: Message>(&mut self, handler: impl Fn(&ApiCx, M) -> Answer + 'static) {
        let handler = move |cx: &ApiCx, reader: &mut Reader<'_>| Ok(handler(cx, M::read(reader)?));
        self.handlers.insert(M::DEFINITION.name, Rc::new(handler));
    }

    /// Has `handler` answer requests of the type `M`, at once.
    pub fn call<M: Call, R: Into<M::Reply>, E: Into<Retval>>(
        &mut self,
        handler: impl Fn(&ApiCx, M) -> Result<R, E> + 'static,
    ) {
        self.handle(move |cx, request: M| {
            cx.reply::<M, R>(handler(cx, request).map_err(E::into));
            Answer::Done
        });
    }

    /// Has `handler` answer requests of the type `M`; it may wait, and so do the client's further requests.
    pub fn call_waiting<M: Call, R: Into<M::Reply>, E: Into<Retval>, F>(
        &mut self,
        handler: impl Fn(ApiCx, M) -> F + 'static,
    ) where
        F: Future<Output = Result<R, E>> + 'static,
    {
        self.handle(move |cx, request: M| {
            let answering = handler(cx.clone(), request);
            let cx = cx.clone();
            Answer::Later(Box::pin(async move {
                cx.reply::<M, R>(answering.await.map_err(E::into));
            }))
        });
    }

    /// Has `handler` answer requests of the type `M`, at once, with the whole reply.
    pub fn ask<M: Ask>(&mut self, handler: impl Fn(&ApiCx, M) -> M::Reply + 'static) {
        self.handle(move |cx, request: M| {
            cx.client.details(cx.context, &handler(cx, request));
            Answer::Done
        });
    }

    /// Has `handler` answer requests of the type `M` with details.
    pub fn dump<M: Dump, D: IntoIterator<Item = M::Details>>(
        &mut self,
        handler: impl Fn(&ApiCx, M) -> D + 'static,
    ) {
        self.handle(move |cx, request: M| {
            handler(cx, request)
                .into_iter()
                .for_each(|details| cx.client.details(cx.context, &details));
            Answer::Done
        });
    }

    /// As [`Self::dump`], for what there can be so much of that it is told in parts: packets move between them, and no part is
    /// asked for before the client has taken the one before.
    pub fn walk<M: Dump, K: 'static>(
        &mut self,
        handler: impl Fn(&ApiCx, &M, Option<K>) -> Part<M::Details, K> + 'static,
    ) {
        let handler = Rc::new(handler);
        self.handle(move |cx, request: M| {
            let (cx, handler) = (cx.clone(), handler.clone());
            let Part { details, mut next } = handler(&cx, &request, None);
            details.iter().for_each(|details| cx.client.details(cx.context, details));
            if next.is_none() {
                return Answer::Done;
            }
            Answer::Later(Box::pin(async move {
                while next.is_some() {
                    cx.next_round().await;
                    while cx.client.behind() > 0 {
                        cx.client.taken().await;
                    }
                    let part = handler(&cx, &request, next);
                    part.details.iter().for_each(|details| cx.client.details(cx.context, details));
                    next = part.next;
                }
            }))
        });
    }

    /// Has `handler` answer requests of the type `M` with details and the reply at their end.
    pub fn get<M: Get, D: IntoIterator<Item = M::Details>, R: Into<M::Reply>, E: Into<Retval>>(
        &mut self,
        handler: impl Fn(&ApiCx, M) -> Result<(D, R), E> + 'static,
    ) {
        self.handle(move |cx, request: M| {
            match handler(cx, request) {
                Ok((all, reply)) => {
                    all.into_iter().for_each(|details| cx.client.details(cx.context, &details));
                    cx.reply::<M, R>(Ok(reply));
                }
                Err(error) => cx.reply::<M, R>(Err(error.into())),
            }
            Answer::Done
        });
    }
}

/// All messages of an engine, numbered.
pub struct Table {
    files: Vec<&'static File>,
    /// By number; 0 is none.
    entries: Vec<Option<Entry>>,
    numbers: Numbers,
    clients: Cell<u32>,
    json: RefCell<Option<Rc<str>>>,
}

/// A message of the table.
pub struct Entry {
    /// Its fields.
    pub definition: &'static Definition,
    /// The service that it begins, if it does.
    pub service: Option<&'static Service>,
    handler: Option<Handler>,
}

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A handler for what no file has.
    #[error("message `{0}' has a handler and is in no file that was added")]
    NoFile(&'static str),
    /// A name that two files have.
    #[error("message `{0}' is in two files")]
    Twice(&'static str),
}

impl Table {
    /// Numbers what was registered, from 1 on.
    ///
    /// # Errors
    /// When handlers and files do not fit together.
    pub(crate) fn new(api: Api) -> Result<Self, TableError> {
        let Api { files, mut handlers } = api;
        let mut entries = vec![None];
        let mut numbers = HashMap::new();
        let services = files.iter().flat_map(|file| file.services());
        let services: HashMap<_, _> =
            services.map(|service| (service.request.name, service)).collect();
        for definition in files.iter().flat_map(|file| file.messages()) {
            let name = definition.name;
            if numbers.insert(name, entries.len() as u16).is_some() {
                return Err(TableError::Twice(name));
            }
            let service = services.get(name).copied();
            entries.push(Some(Entry { definition, service, handler: handlers.remove(name) }));
        }
        match handlers.into_keys().min() {
            Some(name) => Err(TableError::NoFile(name)),
            None => {
                let (numbers, clients, json) = (Rc::new(numbers), Cell::new(0), RefCell::default());
                Ok(Self { files, entries, numbers, clients, json })
            }
        }
    }

    /// The files, in the order in which they were added.
    #[must_use]
    pub fn files(&self) -> &[&'static File] {
        &self.files
    }

    /// The messages with their numbers.
    pub fn messages(&self) -> impl Iterator<Item = (u16, &Entry)> {
        (0..).zip(&self.entries).filter_map(|(number, entry)| Some((number, entry.as_ref()?)))
    }

    /// The number of a message, by its name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u16> {
        self.numbers.get(name).copied()
    }

    /// The message of a number.
    #[must_use]
    pub fn entry(&self, number: u16) -> Option<&Entry> {
        self.entries.get(usize::from(number))?.as_ref()
    }

    /// The number of the first message of a file.
    #[must_use]
    pub fn first_number(&self, module: &str) -> Option<u16> {
        let file = self.files.iter().find(|file| file.module == module)?;
        self.number(file.messages().next()?.name)
    }

    /// A new client.
    #[must_use]
    pub fn client(&self) -> Rc<Client> {
        self.clients.set(self.clients.get().wrapping_add(1));
        Rc::new(Client::new(self.clients.get(), self.numbers.clone()))
    }

    /// All files in the form of VPP's `.api.json`, as one array.
    #[must_use]
    pub fn json(&self) -> Rc<str> {
        let mut json = self.json.borrow_mut();
        let all = || self.files.iter().map(|file| json::file(file)).collect::<serde_json::Value>();
        json.get_or_insert_with(|| all().to_string().into()).clone()
    }
}

impl Entry {
    /// Whether somebody answers it.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.handler.is_some()
    }

    /// Answers `message` of the client, whose number and header were read; `reader` is at its own fields. A request that
    /// nobody answers is answered by [`ApiError::Unimplemented`], or by no details.
    ///
    /// # Errors
    /// When the message is malformed; the client has been told.
    pub fn answer(
        &self,
        cx: &Cx,
        client: &Rc<Client>,
        context: u32,
        reader: &mut Reader<'_>,
    ) -> Result<Answer, Defect> {
        let cx = ApiCx { cx: cx.clone(), client: client.clone(), context };
        let Some(handler) = &self.handler else {
            self.refuse(&cx, ApiError::Unimplemented);
            return Ok(Answer::Done);
        };
        handler(&cx, reader).inspect_err(|_| self.refuse(&cx, ApiError::InvalidValue))
    }

    /// Has the client not wait for a reply that never comes.
    fn refuse(&self, cx: &ApiCx, error: ApiError) {
        let Some(Service { reply: Some(reply), .. }) = self.service else { return };
        if reply.header != Header::Bare {
            cx.client.refuse(cx.context, error.into(), reply);
        }
    }
}
