//! `want_l2_arp_term_events`: clients are told who asks in bridge domains that answer themselves.

use core::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::sync::Arc;

use vnet::{
    api::Subscribers,
    command::ApiError,
    interface::SwIfIndex,
    l2::api::{l2_arp_term_event, want_l2_arp_term_events},
    plugin::Registrar,
    process::{Cx, Mailbox},
    runtime::EngineTime,
};

/// Questions that can wait until clients are told.
const ROOM: usize = 1024;
/// As in VPP, who asks the same again within that time is told of once.
const QUIET: Duration = Duration::from_secs(10);

/// Who asked, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) ip: IpAddr,
    pub(super) mac: [u8; 6],
    pub(super) interface: SwIfIndex,
}

/// From nodes to those who want to know. Clones are the same.
#[derive(Clone)]
pub(super) struct Asking {
    is_wanted: Arc<AtomicBool>,
    letters: Mailbox<Asked>,
}

impl Asking {
    pub(super) fn register(r: &mut Registrar) -> Self {
        let asking = Self { is_wanted: Arc::default(), letters: Mailbox::new(ROOM) };
        let subscribers = Subscribers::<l2_arp_term_event>::default();
        let (of, wanted) = (asking.clone(), subscribers.clone());
        r.api().call(move |cx, request: want_l2_arp_term_events| {
            let client = cx.client();
            // As in VPP, asking twice is an error that changes nothing.
            match (request.enable, wanted.has(client, &())) {
                (true, false) => wanted.add(client, request.pid, ()),
                (false, true) => drop(wanted.remove(client, &())),
                _ => return Err(ApiError::InvalidRegistration),
            }
            of.is_wanted.store(!wanted.is_empty(), Ordering::Relaxed);
            Ok(())
        });
        let told = asking.clone();
        r.process("l2-arp-term-publisher", move |cx| told.tell(cx, subscribers));
        asking
    }

    /// For nodes: whether somebody wants to know.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// For nodes: somebody has asked. `false` when there was no room to say so.
    pub(super) fn put(&self, asked: Asked) -> bool {
        self.letters.put(asked)
    }

    async fn tell(self, cx: Cx, subscribers: Subscribers<l2_arp_term_event>) {
        let mut last: Option<(Asked, EngineTime)> = None;
        loop {
            self.letters.wait().await;
            while let Some(asked) = self.letters.take() {
                let now = cx.now();
                let again =
                    last.is_some_and(|(before, at)| before == asked && now.since(at) < QUIET);
                if again {
                    continue;
                }
                last = Some((asked, now));
                subscribers.send(|()| {
                    let Asked { ip, mac, interface } = asked;
                    Some(l2_arp_term_event { ip: ip.into(), sw_if_index: interface.0, mac })
                });
            }
            // Clients that are gone want nothing any more.
            self.is_wanted.store(!subscribers.is_empty(), Ordering::Relaxed);
        }
    }
}
