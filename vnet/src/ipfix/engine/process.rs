//! `flow-report-process`: wakes for what is due, and for who asks.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::{Incomplete, Ipfix, state::Pass};
use crate::{
    process::{Bell, Cx, Events, Reply},
    runtime::EngineTime,
};

/// The longest wait while there is a collector.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Wait before messages that a socket did not take are offered again, and after a pass in which messages were lost.
const RETRY: Duration = Duration::from_millis(20);
/// A flush gives up on a socket that takes nothing for this long.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the process is told.
pub(super) enum Event {
    /// Something changed: run now.
    Run,
    /// Run, and answer when all of it has left.
    Flush(Reply<Result<(), Incomplete>>),
}

/// The process.
pub(super) async fn run(cx: Cx, ipfix: Ipfix, mut events: Events<Event>) {
    let bell = ipfix.bell();
    let mut not_before = EngineTime::default();
    loop {
        let mut flushes = Vec::new();
        match wait(&cx, &ipfix, &mut events, &bell, not_before).await {
            Wake::Event(event) => {
                ipfix.begin();
                collect(event, &mut flushes);
            }
            Wake::Due => ipfix.begin(),
            Wake::More => (),
            Wake::Retry => {
                ipfix.retry();
                continue;
            }
            Wake::End => return,
        }
        while let Some(event) = events.try_next() {
            collect(event, &mut flushes);
        }
        let done = if flushes.is_empty() {
            pass_until_done(&cx, &ipfix).await == 0
        } else {
            let done = flush(&cx, &ipfix).await;
            // Collectors may take their time; passes go on meanwhile.
            cx.executor().spawn(answer(cx.clone(), ipfix.clone(), flushes));
            done
        };
        not_before = if done { EngineTime::default() } else { cx.now().after(RETRY) };
    }
}

fn collect(event: Event, flushes: &mut Vec<Reply<Result<(), Incomplete>>>) {
    if let Event::Flush(reply) = event {
        flushes.push(reply);
    }
}

enum Wake {
    Event(Event),
    /// A time has come.
    Due,
    /// An outbox fills, or a report had more to say.
    More,
    /// The time after which a way out that was closed may be open again.
    Retry,
    /// Nobody is left who could ask for anything.
    End,
}

/// Waits for the first of: an event, the bell, the exporter's next deadline. While a socket is full, and after messages were
/// lost until `not_before`, only for events and the time to try again.
async fn wait(
    cx: &Cx,
    ipfix: &Ipfix,
    events: &mut Events<Event>,
    bell: &Bell,
    not_before: EngineTime,
) -> Wake {
    let now = cx.now();
    let is_waiting = ipfix.is_waiting();
    let is_open = now >= not_before && !is_waiting;
    if is_open && ipfix.has_more() {
        return Wake::More;
    }
    let limit = if is_open {
        let due = ipfix.next_due().map(|due| due.min(now.after(MAX_WAIT)));
        due.unwrap_or(EngineTime(u64::MAX))
    } else if is_waiting {
        not_before.max(now.after(RETRY))
    } else {
        not_before
    };
    let mut next = pin!(events.next());
    let mut rung = pin!(bell.wait());
    let first = poll_fn(|task| {
        if let Poll::Ready(event) = next.as_mut().poll(task) {
            return Poll::Ready(event.map_or(Wake::End, Wake::Event));
        }
        if is_open { rung.as_mut().poll(task).map(|()| Wake::More) } else { Poll::Pending }
    });
    match cx.until(limit, first).await {
        Ok(wake) => wake,
        Err(_) if is_open => Wake::Due,
        Err(_) => Wake::Retry,
    }
}

/// Runs passes until no report has more to say, a socket is full, or messages fail: this many. In between the packets of
/// each leave, so that there are buffers for the next.
async fn pass_until_done(cx: &Cx, ipfix: &Ipfix) -> u64 {
    loop {
        match cx.with(|main| ipfix.run(main)) {
            Pass::Failed(failed) => return failed,
            Pass::More if !ipfix.is_waiting() => cx.next_round().await,
            Pass::More | Pass::Done => return 0,
        }
    }
}

/// Answers flushes once collectors have what has left, or have had time enough.
async fn answer(cx: Cx, ipfix: Ipfix, flushes: Vec<Reply<Result<(), Incomplete>>>) {
    if let Some(wait) = ipfix.waiter() {
        // The collectors' time is not the engine's. A panic there was told by its hook.
        drop(cx.blocking(move || wait(PATIENCE)).await);
    }
    let left = ipfix.left();
    flushes.into_iter().for_each(|reply| reply.send(left.clone()));
}

/// Runs passes until everything has left, as far as can be told; whether no message failed and no socket was full.
async fn flush(cx: &Cx, ipfix: &Ipfix) -> bool {
    loop {
        let failed = pass_until_done(cx, ipfix).await;
        // The last packets are enqueued: they go their way before anybody hears that they have left.
        cx.next_round().await;
        let drained = drain(cx, ipfix).await;
        if failed == 0 && drained && ipfix.is_held_back() {
            let due = ipfix.next_due().unwrap_or_default();
            cx.sleep_until(due.max(cx.now().after(RETRY))).await;
        } else if failed > 0 || !drained || !ipfix.has_more() {
            return failed == 0 && drained;
        }
    }
}

/// Waits until the sockets have taken everything; whether they have in time.
async fn drain(cx: &Cx, ipfix: &Ipfix) -> bool {
    let end = cx.now().after(PATIENCE);
    while ipfix.is_waiting() {
        if cx.now() >= end {
            return false;
        }
        cx.sleep(RETRY).await;
        ipfix.retry();
    }
    true
}
