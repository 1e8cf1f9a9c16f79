//! A client of the binary API, as far as messages go: what was put down for it, until its connection takes that.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use super::{Definition, Field, Header, Message, Retval, Wire, Writer};
use crate::process::Bell;

/// Octets in front of each message: 0 (u64), the length of the message (u32), 0 (u32).
pub const FRAME_HEADER: usize = 16;

/// Octets that may wait for a client before events for it are one too many.
pub const MAX_BEHIND: usize = 8 << 20;

/// The numbers of messages, by their names.
pub(super) type Numbers = Rc<HashMap<&'static str, u16>>;

/// A client.
pub struct Client {
    index: u32,
    numbers: Numbers,
    waiting: RefCell<Vec<u8>>,
    /// Something was put down.
    spoken_to: Bell,
    /// It was taken.
    taken: Bell,
    overrun: Cell<bool>,
}

impl Client {
    pub(super) fn new(index: u32, numbers: Numbers) -> Self {
        let (waiting, overrun) = (RefCell::default(), Cell::new(false));
        Self { index, numbers, waiting, spoken_to: Bell::new(), taken: Bell::new(), overrun }
    }

    /// The number by which it is known: `client_index` of its requests.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Puts down a message. `numbers` are the fields of its header, as far as it has any.
    pub fn send<M: Message>(&self, header: &[u32], message: &M) {
        self.put(M::DEFINITION.name, header, |writer| message.write(writer));
    }

    fn put(&self, name: &str, header: &[u32], fields: impl FnOnce(&mut Writer)) {
        // What is in no file cannot be sent.
        let Some(number) = self.numbers.get(name) else { return };
        let mut waiting = self.waiting.borrow_mut();
        let start = waiting.len();
        let mut writer = Writer(core::mem::take(&mut waiting));
        writer.octets(&[0; FRAME_HEADER]);
        number.write(&mut writer);
        header.iter().for_each(|number| number.write(&mut writer));
        fields(&mut writer);
        *waiting = writer.into_bytes();
        let length = (waiting.len() - start - FRAME_HEADER) as u32;
        waiting[start + 8..start + 12].copy_from_slice(&length.to_be_bytes());
        self.spoken_to.ring();
    }

    /// Puts down the reply to a request.
    pub(super) fn reply<M: Message>(&self, context: u32, retval: Retval, reply: &M) {
        self.send(&[context, retval.0 as u32], reply);
    }

    /// Puts down a reply that says nothing but what went wrong.
    pub(super) fn refuse(&self, context: u32, retval: Retval, reply: &Definition) {
        let (number, own) = (retval.0 as u32, [self.index, context]);
        match reply.header {
            Header::Details => self.put(reply.name, &own[1..], |to| told(reply, number, to)),
            Header::DetailsOfClient => self.put(reply.name, &own, |to| told(reply, number, to)),
            _ => self.put(reply.name, &[context, number], reply.zero),
        }
    }

    /// Puts down one of the details that answer a request.
    pub(super) fn details<M: Message>(&self, context: u32, details: &M) {
        match M::DEFINITION.header {
            Header::DetailsOfClient => self.send(&[self.index, context], details),
            _ => self.send(&[context], details),
        }
    }

    /// Puts down an event, unless so much waits already that the client cannot be reading.
    pub(super) fn event<M: Message>(&self, pid: u32, event: &M) {
        if self.behind() > MAX_BEHIND {
            self.overrun.set(true);
            self.spoken_to.ring();
            return;
        }
        self.send(&[self.index, pid], event);
    }

    /// Octets that wait for it.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Whether events were lost because it does not read: what it believes is not true any more, and it is to go.
    #[must_use]
    pub fn has_lost_events(&self) -> bool {
        self.overrun.get()
    }

    /// Takes what waits for it.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        self.taken.ring();
        core::mem::take(&mut self.waiting.borrow_mut())
    }

    /// Waits until what was put down was taken.
    pub async fn taken(&self) {
        self.taken.wait().await;
    }

    /// Waits until something was put down, or lost.
    pub async fn spoken_to(&self) {
        self.spoken_to.wait().await;
    }
}

/// Zeros in all fields but the one that is called `retval`, where that is the first or the last.
fn told(reply: &Definition, retval: u32, writer: &mut Writer) {
    let is_retval = |field: Option<&Field>| field.is_some_and(|field| field.name == "retval");
    let start = writer.0.len();
    (reply.zero)(writer);
    let at = match (is_retval(reply.fields.first()), is_retval(reply.fields.last())) {
        (true, _) => start,
        (_, true) => writer.0.len() - size_of::<u32>(),
        _ => return,
    };
    writer.0[at..at + size_of::<u32>()].copy_from_slice(&retval.to_be_bytes());
}
