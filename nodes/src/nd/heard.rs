//! What other routers advertise, for clients that want to know. A router itself does not follow it.

use std::{
    net::Ipv6Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arrayvec::ArrayVec;
use vnet::{
    api::{Retval, Subscribers},
    buffer::Buffer,
    command::ApiError,
    fib::IpPrefix,
    interface::SwIfIndex,
    plugin::Registrar,
    process::{Cx, Mailbox},
    wire::{
        ip6::Header,
        nd::{PrefixOption, RouterAdvertisement, option},
    },
};
use zerocopy::FromBytes;

use super::{
    api::{ip6_ra_event, ip6_ra_prefix_info, want_ip6_ra_events},
    message::message,
};

/// Advertisements that wait for the process at most.
const ROOM: usize = 64;
/// Prefixes of an advertisement that are told.
const PREFIXES: usize = 16;

/// An advertisement of another router.
pub(super) struct Advertised {
    interface: SwIfIndex,
    router: Ipv6Addr,
    fixed: RouterAdvertisement,
    prefixes: ArrayVec<PrefixOption, PREFIXES>,
}

/// The way of advertisements to the main thread, while somebody wants to know.
#[derive(Clone)]
pub(super) struct Listeners {
    wanted: Arc<AtomicBool>,
    heard: Mailbox<Advertised>,
}

impl Listeners {
    /// Tells of an advertisement whose checks it has passed; `false` when there was no room.
    pub(super) fn tell(
        &self,
        interface: SwIfIndex,
        (router, fixed): (Ipv6Addr, RouterAdvertisement),
        buffer: &Buffer,
    ) -> bool {
        if !self.wanted.load(Ordering::Relaxed) {
            return true;
        }
        let prefixes = prefixes(buffer).unwrap_or_default();
        self.heard.put(Advertised { interface, router, fixed, prefixes })
    }
}

/// The prefixes of an advertisement whose options have right lengths.
fn prefixes(buffer: &Buffer) -> Option<ArrayVec<PrefixOption, PREFIXES>> {
    let ip = *buffer.view::<Header>()?;
    let message = message(buffer, &ip).ok()?;
    let (_, mut options) = RouterAdvertisement::ref_from_prefix(message).ok()?;
    let mut prefixes = ArrayVec::new();
    while let &[kind, units, ..] = options {
        let (one, rest) = options.split_at_checked(8 * usize::from(units.max(1)))?;
        if kind == option::PREFIX
            && let Ok(prefix) = PrefixOption::read_from_bytes(one)
        {
            // What is too much is not told.
            let _ = prefixes.try_push(prefix);
        }
        options = rest;
    }
    Some(prefixes)
}

/// Registers process and message.
pub(super) fn register(r: &mut Registrar) -> Listeners {
    let listeners = Listeners { wanted: Arc::default(), heard: Mailbox::new(ROOM) };
    let told = Subscribers::<ip6_ra_event>::default();
    let (wanted, of_call) = (listeners.wanted.clone(), told.clone());
    r.api().call(move |cx, request: want_ip6_ra_events| {
        let has = of_call.has(cx.client(), &());
        match (request.enable, has) {
            (true, false) => of_call.add(cx.client(), request.pid, ()),
            (false, true) => drop(of_call.remove(cx.client(), &())),
            _ => return Err(Retval::from(ApiError::InvalidRegistration)),
        }
        wanted.store(!of_call.is_empty(), Ordering::Relaxed);
        Ok(())
    });
    let of_process = listeners.clone();
    r.process("ip6-ra-event-process", move |cx| tell(cx, of_process, told));
    listeners
}

async fn tell(_: Cx, Listeners { wanted, heard }: Listeners, told: Subscribers<ip6_ra_event>) {
    loop {
        heard.wait().await;
        while let Some(advertised) = heard.take() {
            told.send(|()| Some(event(&advertised)));
        }
        wanted.store(!told.is_empty(), Ordering::Relaxed);
    }
}

fn event(advertised: &Advertised) -> ip6_ra_event {
    let Advertised { interface, router, fixed, prefixes } = advertised;
    // A prefix longer than an address is none.
    let info = |of: &PrefixOption| {
        let prefix = IpPrefix::new(Ipv6Addr::from(of.prefix).into(), of.prefix_length).ok()?;
        Some(ip6_ra_prefix_info {
            prefix: prefix.into(),
            flags: of.flags,
            valid_time: of.valid.get(),
            preferred_time: of.preferred.get(),
        })
    };
    ip6_ra_event {
        sw_if_index: interface.0,
        router_addr: router.octets(),
        current_hop_limit: fixed.hop_limit,
        flags: fixed.flags,
        router_lifetime_in_sec: fixed.lifetime.get(),
        neighbor_reachable_time_in_msec: fixed.reachable_time.get(),
        time_in_msec_between_retransmitted_neighbor_solicitations: fixed.retransmit_time.get(),
        prefixes: prefixes.iter().filter_map(info).collect(),
    }
}
