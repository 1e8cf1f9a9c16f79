//! The messages of `ping.api`: requests sent for a client, which is told at the end how many were answered.

use std::{net::IpAddr, rc::Rc, sync::Arc, time::Duration};

use vnet::{
    api::{Api, ApiCx, Client, Retval, ip_types::address},
    command::ApiError,
    process::Cx,
};

use super::{
    echo::{SIZE, TTL, complaint},
    mailbox::{Mailbox, Mailboxes},
    probe::{Probe, Way},
};

vnet::api! {
    /// The file `ping.api`.
    file PING = "ping", [0, 1, 0], 0x5b568e46;
    call want_ping_finished_events = 0xe79ee58b { address: address, repeat: u32 = 1, interval: f64 = 1.0 }
        -> want_ping_finished_events_reply = 0xe8d4e804 {}
        events [ping_finished_event];
    message ping_finished_event = 0x397ccf72 { client_index: u32, request_count: u32, reply_count: u32 };
}

/// Whether a client is still there is looked at so often.
const SLICE: Duration = Duration::from_secs(1);
/// Clients' requests that are under way at once.
const MOST_AT_ONCE: usize = 256;

pub(super) fn register(api: &mut Api, mailboxes: &Mailboxes) {
    api.file(&PING);
    let mailboxes = mailboxes.clone();
    api.call(move |cx, request: want_ping_finished_events| begin(cx, &mailboxes, &request));
}

/// Begins to send what is asked for. The reply goes first.
fn begin(
    cx: &ApiCx,
    mailboxes: &Mailboxes,
    request: &want_ping_finished_events,
) -> Result<(), Retval> {
    let destination = IpAddr::try_from(&request.address)?;
    let interval =
        Duration::try_from_secs_f64(request.interval).map_err(|_| ApiError::InvalidValue)?;
    if cx.with(|main| mailboxes.len(main)) >= MOST_AT_ONCE {
        return Err(ApiError::LimitExceeded.into());
    }
    let wanted = Wanted { destination, repeat: request.repeat, interval };
    let (of_task, client) = (Cx::clone(cx), Rc::downgrade(cx.client()));
    let mailbox = cx.with(|main| mailboxes.add(main));
    cx.executor().spawn(async move {
        let is_there = || client.strong_count() > 0;
        let (request_count, reply_count) = run(&of_task, mailbox, wanted, is_there).await;
        if let Some(client) = client.upgrade() {
            let client_index = Client::index(&client);
            client.send(&[], &ping_finished_event { client_index, request_count, reply_count });
        }
    });
    Ok(())
}

/// What a client wants sent.
#[derive(Clone, Copy)]
struct Wanted {
    destination: IpAddr,
    repeat: u32,
    interval: Duration,
}

/// Sends requests, each followed by a whole interval in which answers are waited for, as in VPP; how many left and how many
/// were answered. Ends early when nobody is there any more whom that interests, or where there is no way to the destination.
async fn run(
    cx: &Cx,
    (identifier, mailbox): (u16, Arc<Mailbox>),
    wanted: Wanted,
    is_there: impl Fn() -> bool,
) -> (u32, u32) {
    let (mut sent, mut answered) = (0, 0);
    for sequence in 1..=wanted.repeat {
        // The reply has been put down by then, and packets move between requests, however short the interval is.
        cx.next_round().await;
        let leaves = cx.with(|main| {
            let way = Way::find(main, wanted.destination, 0, None).ok()?;
            let probe = Probe { identifier, sequence: sequence as u16, ttl: TTL, size: SIZE };
            way.send(main, probe).ok()
        });
        if leaves.is_none() || !is_there() {
            break;
        }
        sent += 1;
        let until = cx.now().after(wanted.interval);
        while cx.now() < until && is_there() {
            let slice = until.min(cx.now().after(SLICE));
            if let Ok(answer) = cx.until(slice, mailbox.next()).await {
                answered += u32::from(complaint(&answer).is_none());
            }
        }
    }
    (sent, answered)
}
