//! `want_l2_macs_events`: one client is told of stations that were learned, have moved or are gone.

use core::time::Duration;
use std::{
    cell::RefCell,
    collections::HashMap,
    rc::{Rc, Weak},
};

use super::{
    l2_macs_event, l2fib_set_scan_delay, mac_entry, mac_event_action, want_l2_macs_events,
    want_l2_macs_events2,
};
use crate::{
    api::{ApiCx, Client, Subscribers},
    command::ApiError,
    interface::SwIfIndex,
    l2::{Domain, EntryFlags, Flush, L2, L2Error, MacKey},
    plugin::Registrar,
    process::{Bell, Cx},
    runtime::Main,
};

/// How long the client waits for news at most, in VPP's unit.
const DELAY_UNIT: Duration = Duration::from_millis(10);
/// Addresses that an event has for each that the client asks for.
const PER_EVENT: usize = 10;

/// Whoever wants to be told, and what it was told.
#[derive(Clone)]
struct Watch {
    l2: L2,
    state: Rc<RefCell<State>>,
    subscribers: Subscribers<l2_macs_event>,
    bell: Bell,
}

struct State {
    client: Weak<Client>,
    pid: u32,
    /// Addresses in an event at most.
    most: usize,
    delay: Duration,
    told: HashMap<MacKey, SwIfIndex>,
}

pub(super) fn register(registrar: &mut Registrar, l2: &L2) {
    let watch = Watch {
        l2: l2.clone(),
        state: Rc::new(RefCell::new(State {
            client: Weak::new(),
            pid: 0,
            most: 0,
            delay: DELAY_UNIT * 10,
            told: HashMap::new(),
        })),
        subscribers: Subscribers::default(),
        bell: Bell::new(),
    };
    let api = registrar.api();
    let of = watch.clone();
    api.call(move |cx, request: want_l2_macs_events| {
        if !request.enable_disable {
            return of.stop(cx);
        }
        of.check(request.pid)?;
        let may = 1..=Domain::LEARN_LIMIT;
        if request.scan_delay == 0 || !may.contains(&request.learn_limit) {
            return Err(ApiError::InvalidValue);
        }
        of.start(cx, request.pid, request.max_macs_in_event)?;
        of.set_delay(request.scan_delay.into());
        of.set_limit(cx, request.learn_limit);
        Ok(())
    });
    let of = watch.clone();
    api.call(move |cx, request: want_l2_macs_events2| {
        if !request.enable_disable {
            return of.stop(cx);
        }
        of.check(request.pid)?;
        of.start(cx, request.pid, request.max_macs_in_event)
    });
    let of = watch.clone();
    api.call(move |cx, request: l2fib_set_scan_delay| {
        if request.scan_delay == 0 {
            return Err(ApiError::InvalidValue);
        }
        of.set_delay(request.scan_delay);
        of.flush(cx).map_err(|_| ApiError::Unspecified)
    });
    registrar.process("l2fib-event-scanner-process", move |cx| watch.scan(cx));
}

impl Watch {
    /// Only one client is told at a time.
    fn check(&self, pid: u32) -> Result<(), ApiError> {
        let state = self.state.borrow();
        match state.client.strong_count() > 0 && state.pid != pid {
            true => Err(ApiError::L2MacsEventClientPresent),
            false => Ok(()),
        }
    }

    fn start(&self, cx: &ApiCx, pid: u32, max_macs: u8) -> Result<(), ApiError> {
        if max_macs == 0 {
            return Err(ApiError::InvalidValue);
        }
        self.forget();
        // It hears of each station anew.
        self.flush(cx).map_err(|_| ApiError::Unspecified)?;
        let mut state = self.state.borrow_mut();
        (state.client, state.pid) = (Rc::downgrade(cx.client()), pid);
        state.most = usize::from(max_macs) * PER_EVENT;
        self.subscribers.add(cx.client(), pid, ());
        self.bell.ring();
        Ok(())
    }

    fn stop(&self, cx: &ApiCx) -> Result<(), ApiError> {
        self.forget();
        self.set_limit(cx, Domain::LEARN_LIMIT);
        Ok(())
    }

    /// Who asks for events says how many stations there may be, as with VPP.
    fn set_limit(&self, cx: &ApiCx, limit: u32) {
        cx.with(|main| self.l2.set_total_learn_limit(main, limit));
    }

    fn forget(&self) {
        let mut state = self.state.borrow_mut();
        if let Some(client) = state.client.upgrade() {
            self.subscribers.remove(&client, &());
        }
        (state.client, state.told) = (Weak::new(), HashMap::new());
    }

    fn set_delay(&self, delay: u16) {
        self.state.borrow_mut().delay = DELAY_UNIT * delay.into();
    }

    fn flush(&self, cx: &Cx) -> Result<(), L2Error> {
        cx.with(|main| self.l2.flush(main, Flush::All))
    }

    /// Whether somebody is there to be told.
    fn is_watched(&self) -> bool {
        self.state.borrow().client.strong_count() > 0
    }

    /// The process: it looks at the table in slices, between which packets flow on the main thread, too.
    async fn scan(self, cx: Cx) {
        loop {
            if !self.is_watched() {
                self.forget();
                self.bell.wait().await;
                continue;
            }
            let mut from = Some(0);
            while let Some(at) = from {
                from = cx.with(|main| self.look(main, at));
                cx.yield_now().await;
            }
            self.look_for_gone(&cx).await;
            let delay = self.state.borrow().delay;
            cx.sleep(delay).await;
        }
    }

    /// Tells of new and moved ones of a slice; where the next one begins.
    fn look(&self, main: &Main, from: usize) -> Option<usize> {
        let layer2 = self.l2.view(main);
        let (entries, next) = layer2.macs().slice(from);
        let learned = entries.filter(|(key, entry)| {
            entry.flags().contains(EntryFlags::LEARNED) && layer2.holds(key.domain(), *entry)
        });
        let news = {
            let told = &mut self.state.borrow_mut().told;
            let news = learned.filter_map(|(key, entry)| {
                let action = match told.insert(key, entry.port()) {
                    Some(before) if before == entry.port() => return None,
                    Some(_) => mac_event_action::MAC_EVENT_ACTION_API_MOVE,
                    None => mac_event_action::MAC_EVENT_ACTION_API_ADD,
                };
                Some(news_of(key, entry.port(), action))
            });
            news.collect::<Vec<_>>()
        };
        self.tell(&news);
        next
    }

    /// Tells of those that are there no more.
    async fn look_for_gone(&self, cx: &Cx) {
        let known: Vec<MacKey> = self.state.borrow().told.keys().copied().collect();
        for some in known.chunks(4096) {
            let news = cx.with(|main| {
                let layer2 = self.l2.view(main);
                let is_there = |key: &MacKey| {
                    let known = layer2.macs().find(*key);
                    known.is_some_and(|known| layer2.holds(key.domain(), known.entry))
                };
                let gone = some.iter().filter(|key| !is_there(key));
                let told = &mut self.state.borrow_mut().told;
                let gone = gone.filter_map(|key| Some((*key, told.remove(key)?)));
                let deleted = mac_event_action::MAC_EVENT_ACTION_API_DELETE;
                gone.map(|(key, port)| news_of(key, port, deleted)).collect::<Vec<_>>()
            });
            self.tell(&news);
            cx.yield_now().await;
        }
    }

    fn tell(&self, news: &[mac_entry]) {
        let most = self.state.borrow().most.max(1);
        for news in news.chunks(most) {
            self.subscribers.send(|()| Some(l2_macs_event { mac: news.to_vec() }));
        }
    }
}

fn news_of(key: MacKey, port: SwIfIndex, action: mac_event_action) -> mac_entry {
    mac_entry { sw_if_index: port.0, mac_addr: key.mac(), action, flags: 0 }
}
