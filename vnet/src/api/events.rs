//! Who has asked for which events.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use super::{Client, Event};

/// Those who have asked for an event, and what each is interested in. A client that goes is forgotten.
pub struct Subscribers<E, F = ()> {
    all: Rc<RefCell<Vec<Subscriber<F>>>>,
    event: core::marker::PhantomData<E>,
}

struct Subscriber<F> {
    client: Weak<Client>,
    pid: u32,
    interest: F,
}

impl<E, F> Clone for Subscribers<E, F> {
    fn clone(&self) -> Self {
        Self { all: self.all.clone(), event: core::marker::PhantomData }
    }
}

impl<E, F> Default for Subscribers<E, F> {
    fn default() -> Self {
        Self { all: Rc::default(), event: core::marker::PhantomData }
    }
}

impl<E: Event, F: PartialEq> Subscribers<E, F> {
    /// Adds a client, once for each interest; events for it carry `pid`.
    pub fn add(&self, client: &Rc<Client>, pid: u32, interest: F) {
        self.remove(client, &interest);
        self.all.borrow_mut().push(Subscriber { client: Rc::downgrade(client), pid, interest });
    }

    /// Takes the client out again; whether it was there.
    pub fn remove(&self, client: &Rc<Client>, interest: &F) -> bool {
        let mut all = self.all.borrow_mut();
        let before = all.len();
        all.retain(|subscriber| {
            subscriber.client.as_ptr() != Rc::as_ptr(client) || subscriber.interest != *interest
        });
        all.len() < before
    }

    /// Whether a client has asked.
    #[must_use]
    pub fn has(&self, client: &Rc<Client>, interest: &F) -> bool {
        let all = self.all.borrow();
        let is = |subscriber: &Subscriber<F>| {
            subscriber.client.as_ptr() == Rc::as_ptr(client) && subscriber.interest == *interest
        };
        all.iter().any(is)
    }

    /// Whether nobody has asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// Sends to each what `event` makes for its interest.
    pub fn send(&self, event: impl Fn(&F) -> Option<E>) {
        self.all.borrow_mut().retain(|Subscriber { client, pid, interest }| {
            let Some(client) = client.upgrade() else { return false };
            if let Some(event) = event(interest) {
                client.event(*pid, &event);
            }
            true
        });
    }
}
