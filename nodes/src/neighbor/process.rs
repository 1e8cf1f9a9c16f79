//! What the main thread does for neighbours: it learns, calls the threads that wait, and asks those that grow old.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use vnet::{
    fib::Family,
    interface::SwIfIndex,
    log::Level,
    neighbor::{Learnt, NeighborKey},
    process::{Bell, Cx, Mailbox},
    runtime::{EngineTime, Main, Shared},
    wire::ethernet::MacAddress,
};

use super::{
    frame,
    links::Links,
    news::{Era, News, Whom},
    output,
    resolver::{INTERVAL, REQUESTS},
    waiting,
};

/// How often threads are called that ask for somebody.
const TICK: Duration = Duration::from_millis(200);
/// Letters that are read before packets have their turn again.
const LETTERS: usize = 256;
/// Neighbours that are asked whether they are still there, in one second.
const PROBES: usize = 512;

/// What the processes have in common.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) news: Mailbox<News>,
    pub(crate) era: Era,
    /// Threads that ask for somebody.
    pub(crate) busy: Arc<AtomicUsize>,
    pub(crate) links: Shared<Links>,
    /// Wake the processes that ask those that grow old, by family.
    pub(crate) ages: [Bell; 2],
    /// Who reads what is not about neighbours.
    pub(crate) others: Readers,
    /// Neighbours that threads have asked for, and until when an answer is expected.
    pub(crate) asked: Rc<RefCell<BTreeMap<NeighborKey, EngineTime>>>,
}

/// Those that read letters.
pub(crate) type Readers = Rc<RefCell<Vec<Box<dyn Fn(&mut Main, News)>>>>;

/// An answer is expected until the next request, and a little longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Neighbours that answers are expected from at most.
const EXPECTED: usize = 8192;

/// `ip-neighbor-process`: reads what nodes have heard, and calls the threads.
pub(crate) async fn learn(cx: Cx, office: Office) {
    let interrupts = cx.with(|main| {
        let node = main.graph().find(waiting::NODE);
        node.map(|node| main.interrupts(node)).unwrap_or_default()
    });
    loop {
        match office.busy.load(Ordering::Acquire) {
            0 => office.news.wait().await,
            // Whether the time is over or somebody has rung, the threads are called.
            _ => {
                let _: Result<(), _> = cx.timeout(TICK, office.news.wait()).await;
            }
        }
        let read = cx.with(|main| {
            let letters = core::iter::from_fn(|| office.news.take()).take(LETTERS);
            letters.map(|letter| office.read(main, letter)).count()
        });
        interrupts.iter().for_each(vnet::runtime::Interrupt::set);
        if read == LETTERS {
            office.news.ring();
            cx.next_round().await;
        }
    }
}

impl Office {
    fn read(&self, main: &mut Main, letter: News) {
        match letter {
            News::Heard { key, mac, whom } if self.believes(main, key, mac, whom) => {
                self.write(main, key, mac);
            }
            News::Heard { .. } => {}
            News::Asked(key) => self.expect(key, main.clock().now()),
            other => self.others.borrow().iter().for_each(|reader| reader(main, other)),
        }
    }

    /// A thread has asked for a neighbour.
    fn expect(&self, key: NeighborKey, now: EngineTime) {
        let mut asked = self.asked.borrow_mut();
        if asked.len() >= EXPECTED {
            asked.retain(|_, until| *until > now);
        }
        if asked.len() < EXPECTED {
            let before = asked.insert(key, now.after(PATIENCE));
            if before.is_none_or(|until| until < now) {
                self.era.begin();
            }
        }
    }

    fn believes(&self, main: &Main, key: NeighborKey, mac: MacAddress, whom: Whom) -> bool {
        // The interface may have changed since.
        let is_there = self.links.view(main.held()).get(key.interface).is_some_and(|link| link.up);
        let known = main.forwarding().neighbor(key.interface, key.address);
        is_there
            && match (whom, known) {
                (Whom::Anybody, _) | (Whom::Known, Some(_)) => true,
                (Whom::Known, None) => false,
                (Whom::Asked { overrides }, Some(known)) => overrides || known.mac == mac.0,
                (Whom::Asked { .. }, None) => {
                    let until = self.asked.borrow_mut().remove(&key);
                    until.is_some_and(|until| main.clock().now() < until)
                }
            }
    }

    fn write(&self, main: &mut Main, key: NeighborKey, mac: MacAddress) {
        let NeighborKey { interface, address } = key;
        let now = main.clock().now();
        match main.forwarding_mut().learn_neighbor(interface, address, mac.0, now) {
            Ok(Learnt::New) => self.ages[Family::of(address) as usize].ring(),
            Ok(Learnt::Changed | Learnt::Known) => {}
            Ok(Learnt::Full) => {
                let class = main.log().class("ip-neighbor", "learn");
                let text = format!("no room for {address}: `set ip neighbor-config' has the limit");
                main.log().write(class, Level::Notice, text);
            }
            Err(error) => {
                let class = main.log().class("ip-neighbor", "learn");
                main.log().write(class, Level::Err, error);
            }
        }
    }
}

/// `ip4-neighbor-age-process`, `ip6-neighbor-age-process`: asks neighbours of a family that were not heard of for as long as the
/// operator says, and forgets those that do not answer.
pub(crate) async fn grow_old(cx: Cx, office: Office, family: Family) {
    let bell = &office.ages[family as usize];
    let mut asked = BTreeMap::new();
    loop {
        match cx.with(|main| office.ask_the_old(main, family, &mut asked)) {
            None => bell.wait().await,
            // A change of the configuration is looked at at once.
            Some(next) => {
                let left = next.since(cx.now());
                let _: Result<(), _> = cx.timeout(left, bell.wait()).await;
            }
        }
    }
}

/// How often neighbours were asked, and when they are to be asked again.
type Asked = BTreeMap<NeighborKey, (u8, EngineTime)>;

impl Office {
    /// Asks those that are due; when to do so again.
    fn ask_the_old(
        &self,
        main: &mut Main,
        family: Family,
        asked: &mut Asked,
    ) -> Option<EngineTime> {
        let age = main.forwarding().neighbor_config(family).age;
        if age == 0 {
            asked.clear();
            return None;
        }
        let (now, age) = (main.clock().now(), Duration::from_secs(age.into()));
        let oldest = main.forwarding().oldest_neighbors(family);
        let due = oldest.take_while(|(heard, _)| heard.after(age) <= now).take(PROBES);
        let due: Vec<NeighborKey> = due.map(|(_, key)| key).collect();
        asked.retain(|key, _| due.contains(key));
        for &key in &due {
            let (times, again) = asked.entry(key).or_insert((0, now));
            if now < *again {
                continue;
            }
            if *times == REQUESTS {
                asked.remove(&key);
                // It was there a moment ago.
                let _: Result<(), _> =
                    main.forwarding_mut().delete_neighbor(key.interface, key.address);
                continue;
            }
            *times += 1;
            *again = now.after(INTERVAL);
            self.probe(main, key);
        }
        let next = main.forwarding().oldest_neighbors(family).next();
        let first = next.map(|(heard, _)| heard.after(age));
        first.map(|at| at.max(asked.values().map(|(_, again)| *again).min().unwrap_or(now)))
    }

    /// Asks a neighbour whether it is still there.
    fn probe(&self, main: &mut Main, key: NeighborKey) {
        let Some(known) = main.forwarding().neighbor(key.interface, key.address) else { return };
        let to = Some(MacAddress(known.mac));
        let link = self.links.view(main.held()).get(key.interface).filter(|link| link.up);
        if let Some(frame) = link.and_then(|link| frame::request(link, key.address, to)) {
            send(main, key.interface, &frame);
        }
    }
}

/// Sends a frame of the main thread's own.
pub(crate) fn send(main: &mut Main, interface: SwIfIndex, frame: &[u8]) {
    if let Some(output) = main.graph().find(output::NODE) {
        // Without a buffer it is not sent, which the pool counts; what must not be lost is sent again.
        let _: Option<bool> =
            main.frame_to(output).push(|buffer| frame::fill(buffer, interface, frame));
    }
}
