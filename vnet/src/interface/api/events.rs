//! `want_interface_events`: who wants to be told of interfaces that go up and down, come and go.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{sw_interface_event, want_interface_events};
use crate::{
    api::{Subscribers, interface_types::if_status_flags},
    command::ApiError,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    process::{Bell, Cx},
    runtime::Main,
};

/// What happened to interfaces since clients were told last.
#[derive(Clone, Default)]
struct Changes {
    by_interface: Rc<RefCell<BTreeMap<SwIfIndex, Change>>>,
    bell: Bell,
}

/// What happened to one. As in VPP the flags are those that were set, and not the state; what followed upon each other within
/// a round is one event. A link that is up with its interface was so before here, and comes up then in VPP.
#[derive(Clone, Copy, Default)]
struct Change {
    admin_up: bool,
    link_up: bool,
    deleted: bool,
}

pub(super) fn register(registrar: &mut Registrar) {
    let subscribers = Subscribers::<sw_interface_event>::default();
    let wanted = subscribers.clone();
    registrar.api().call(move |cx, request: want_interface_events| {
        let (client, on) = (cx.client(), request.enable_disable != 0);
        // As in VPP, asking twice is an error that changes nothing.
        match (on, wanted.has(client, &())) {
            (true, false) => wanted.add(client, request.pid, ()),
            (false, true) => drop(wanted.remove(client, &())),
            _ => return Err(ApiError::InvalidRegistration),
        }
        Ok(())
    });
    let changes = Changes::default();
    let (followed, listened) = (changes.clone(), subscribers.clone());
    registrar.on_interface_event(move |main, event| {
        if !listened.is_empty() {
            followed.note(main, event);
        }
    });
    registrar.process("vpe-link-state-process", move |cx| tell(cx, changes, subscribers));
}

impl Changes {
    fn note(&self, main: &Main, event: &Event) {
        let Some((interface, change)) = change(main, event) else { return };
        let mut changes = self.by_interface.borrow_mut();
        let known = changes.entry(interface).or_default();
        *known = Change {
            admin_up: known.admin_up | change.admin_up,
            link_up: known.link_up | change.link_up,
            deleted: known.deleted | change.deleted,
        };
        self.bell.ring();
    }
}

fn change(main: &Main, event: &Event) -> Option<(SwIfIndex, Change)> {
    let none = Change::default();
    match *event {
        Event::Added { sw_if_index, .. } => Some((sw_if_index, none)),
        Event::Deleted { sw_if_index, .. } => Some((sw_if_index, Change { deleted: true, ..none })),
        Event::Admin { sw_if_index, up } => {
            let hardware = main.interfaces().hardware_of(sw_if_index);
            let carries = hardware.is_ok_and(|hw| hw.sw_if_index == sw_if_index && hw.link.up);
            Some((sw_if_index, Change { admin_up: up, link_up: up && carries, ..none }))
        }
        Event::Link { hw_if_index, link } => {
            let hardware = main.interfaces().hardware_interface(hw_if_index)?;
            Some((hardware.sw_if_index, Change { link_up: link.up, ..none }))
        }
        _ => None,
    }
}

async fn tell(cx: Cx, changes: Changes, subscribers: Subscribers<sw_interface_event>) {
    loop {
        changes.bell.wait().await;
        let happened = changes.by_interface.take();
        for (interface, Change { admin_up, link_up, deleted }) in happened {
            let flags = if_status_flags::IF_STATUS_API_FLAG_ADMIN_UP.when(admin_up)
                | if_status_flags::IF_STATUS_API_FLAG_LINK_UP.when(link_up);
            subscribers
                .send(|()| Some(sw_interface_event { sw_if_index: interface.0, flags, deleted }));
        }
        // What happens next is the next event.
        cx.next_round().await;
    }
}
