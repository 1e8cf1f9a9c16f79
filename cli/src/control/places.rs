//! The places for sessions: who has one, and who gives it up for another client.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use vnet::{process::Bell, runtime::EngineTime};

/// Sessions that may be open at once.
pub(super) const MAX_SESSIONS: usize = 64;
/// For how long a client may keep the engine waiting, for a request or with an answer that it does not read, before its place can
/// be another's.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// All places.
#[derive(Clone, Default)]
pub(super) struct Places(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    taken: BTreeMap<u64, Rc<Guest>>,
    next: u64,
    given_up: u64,
}

/// Who has a place.
struct Guest {
    /// Since when the engine waits for it; `None` while it works for it.
    waits_since: Cell<Option<EngineTime>>,
    /// Whether it keeps its place, whatever it does.
    stays: bool,
    leave: Bell,
}

/// A place, free again when this goes.
pub(super) struct Place {
    places: Places,
    number: u64,
    guest: Rc<Guest>,
}

/// A client that has to go for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// For how long the engine had waited for it.
    pub(super) silent: Duration,
    /// How many there were, this one included.
    pub(super) total: u64,
}

impl Places {
    /// A place for a client that comes `now`, and who has to give his up for it; `None` when there is none.
    pub(super) fn take(&self, now: EngineTime, stays: bool) -> Option<(Place, Option<GivenUp>)> {
        let state = &mut *self.0.borrow_mut();
        let given_up = if state.taken.len() < MAX_SESSIONS || stays {
            None
        } else {
            Some(state.make_room(now)?)
        };
        let (number, leave) = (state.next, Bell::new());
        let guest = Rc::new(Guest { waits_since: Cell::new(None), stays, leave });
        state.next += 1;
        state.taken.insert(number, guest.clone());
        Some((Place { places: self.clone(), number, guest }, given_up))
    }
}

impl State {
    /// Has the client leave for which the engine has waited longest, if that is long enough.
    fn make_room(&mut self, now: EngineTime) -> Option<GivenUp> {
        let since = |guest: &Guest| guest.waits_since.get().filter(|_| !guest.stays);
        let waited = self.taken.iter().filter_map(|(number, guest)| Some((since(guest)?, *number)));
        let (since, number) = waited.min()?;
        let silent = now.since(since);
        if silent < PATIENCE {
            return None;
        }
        self.taken.remove(&number)?.leave.ring();
        self.given_up += 1;
        Some(GivenUp { silent, total: self.given_up })
    }
}

impl Place {
    /// The engine waits for the client from `now` on, unless it does already.
    pub(super) fn waits(&self, now: EngineTime) {
        let since = self.guest.waits_since.get();
        self.guest.waits_since.set(since.or(Some(now)));
    }

    /// Since when the engine waits for the client, if it does.
    pub(super) fn waits_since(&self) -> Option<EngineTime> {
        self.guest.waits_since.get()
    }

    /// The engine works for the client.
    pub(super) fn works(&self) {
        self.guest.waits_since.set(None);
    }

    /// Waits until the place is another's.
    pub(super) async fn lost(&self) {
        self.guest.leave.wait().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.borrow_mut().taken.remove(&self.number);
    }
}
