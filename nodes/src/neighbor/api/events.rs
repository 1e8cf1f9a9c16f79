//! Who is told of neighbours that come, change and go.

use std::net::IpAddr;

use vnet::{
    api::{ApiCx, Retval, Subscribers, ip_types::address},
    interface::SwIfIndex,
    neighbor::{Neighbor, NeighborKey},
    plugin::Registrar,
};

use super::{
    ip_neighbor_event, ip_neighbor_event_flags, ip_neighbor_event_v2,
    neighbors::{check_interface, told},
    want_ip_neighbor_events, want_ip_neighbor_events_v2,
};

/// Whom a client is told of; none is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interest {
    address: Option<IpAddr>,
    interface: Option<SwIfIndex>,
}

impl Interest {
    /// An address of zeros, and as an index all ones, or 0 as VPP has it, stand for all.
    fn of(cx: &ApiCx, ip: &address, sw_if_index: u32) -> Result<Self, Retval> {
        let address = Some(IpAddr::try_from(ip)?).filter(|address| !address.is_unspecified());
        let interface = Some(SwIfIndex(sw_if_index));
        let interface = interface.filter(|index| !matches!(index.0, 0 | u32::MAX));
        if let Some(interface) = interface {
            cx.with(|main| check_interface(main, interface))?;
        }
        Ok(Self { address, interface })
    }

    fn is_in(&self, key: NeighborKey) -> bool {
        self.address.is_none_or(|address| address == key.address)
            && self.interface.is_none_or(|interface| interface == key.interface)
    }
}

pub(super) fn register(r: &mut Registrar) {
    let first = Subscribers::<ip_neighbor_event, Interest>::default();
    let second = Subscribers::<ip_neighbor_event_v2, Interest>::default();
    let (of_first, of_second) = (first.clone(), second.clone());
    r.on_start(move |main| {
        main.forwarding_mut().on_neighbor(move |key, neighbor, is_there| {
            tell(&first, &second, key, neighbor, is_there);
        });
        Ok(())
    });
    let api = r.api();
    api.call(move |cx, request: want_ip_neighbor_events| {
        let interest = Interest::of(cx, &request.ip, request.sw_if_index)?;
        match request.enable {
            true => of_first.add(cx.client(), request.pid, interest),
            false => drop(of_first.remove(cx.client(), &interest)),
        }
        Ok::<_, Retval>(())
    });
    api.call(move |cx, request: want_ip_neighbor_events_v2| {
        let interest = Interest::of(cx, &request.ip, request.sw_if_index)?;
        match request.enable {
            true => of_second.add(cx.client(), request.pid, interest),
            false => drop(of_second.remove(cx.client(), &interest)),
        }
        Ok::<_, Retval>(())
    });
}

/// The first kind of event does not say whether the neighbour is there, and comes for both, as in VPP.
fn tell(
    first: &Subscribers<ip_neighbor_event, Interest>,
    second: &Subscribers<ip_neighbor_event_v2, Interest>,
    key: NeighborKey,
    neighbor: &Neighbor,
    is_there: bool,
) {
    if first.is_empty() && second.is_empty() {
        return;
    }
    let neighbor = told(key, neighbor);
    let flags = match is_there {
        true => ip_neighbor_event_flags::IP_NEIGHBOR_API_EVENT_FLAG_ADDED,
        false => ip_neighbor_event_flags::IP_NEIGHBOR_API_EVENT_FLAG_REMOVED,
    };
    first.send(|interest| {
        interest.is_in(key).then(|| ip_neighbor_event { neighbor: neighbor.clone() })
    });
    second.send(|interest| {
        interest.is_in(key).then(|| ip_neighbor_event_v2 { flags, neighbor: neighbor.clone() })
    });
}
