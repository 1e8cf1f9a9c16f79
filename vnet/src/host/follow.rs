//! The process that keeps interfaces in step with those of the host that they stand on.

use std::{rc::Rc, time::Duration};

use super::{Link, LinkEvent, LinkMonitor};
use crate::{
    interface::{LinkState, SwIfIndex},
    log::Level,
    process::{Cx, Events},
    runtime::Main,
};

/// How often what the kernel counts is asked for.
const PERIOD: Duration = Duration::from_secs(1);

/// An interface that stands on one of the host.
pub trait OnHost {
    /// The number of the host's interface.
    fn ifindex(&self) -> u32;

    /// The host's interface is like this now; `None` when it is gone.
    fn follow(&self, main: &mut Main, link: Option<Link>);

    /// Does what is to be done now and then: counts what was lost. What went wrong since the last call, for the log.
    fn keep(&self, main: &mut Main) -> Option<String>;
}

/// Follows the host's interfaces for those of a device class, as long as there are any. `ports` lists them; it gives nothing when
/// the engine is gone. `made` tells of new ones; `class` is what the log has what goes wrong under.
pub async fn follow<P: OnHost>(
    cx: Cx,
    class: &'static str,
    ports: impl Fn() -> Option<Vec<Rc<P>>>,
    mut made: Events<()>,
) {
    let log =
        |level, text| cx.with(|main| main.log().write(main.log().class(class, ""), level, text));
    while made.next().await.is_some() {
        let mut monitor = match LinkMonitor::new() {
            Ok(monitor) => monitor,
            Err(error) => {
                log(Level::Err, format!("the host's interfaces cannot be followed: {error}"));
                continue;
            }
        };
        // What happened between the making of the interface and now.
        let mut events = vec![LinkEvent::Missed];
        loop {
            let Some(all) = ports() else { return };
            if all.is_empty() {
                break;
            }
            for port in &all {
                let trouble = cx.with(|main| {
                    tell(main, &**port, &events);
                    port.keep(main)
                });
                if let Some(trouble) = trouble {
                    log(Level::Err, trouble);
                }
            }
            drop(all);
            events = cx.timeout(PERIOD, monitor.next(&cx)).await.unwrap_or_default();
        }
        while made.try_next().is_some() {}
    }
}

/// Does what changes of the host's interfaces ask for.
fn tell(main: &mut Main, port: &impl OnHost, events: &[LinkEvent]) {
    let ifindex = port.ifindex();
    for event in events {
        match event {
            LinkEvent::Changed(link) if link.index == ifindex => {
                port.follow(main, Some(link.clone()));
            }
            LinkEvent::Gone(index) if *index == ifindex => port.follow(main, None),
            LinkEvent::Missed => {
                if let Ok(link) = Link::numbered(ifindex) {
                    port.follow(main, link);
                }
            }
            _ => {}
        }
    }
}

/// The link of `interface`, and its MTU where that has changed, are as the host's are now.
pub fn set_link(main: &mut Main, interface: SwIfIndex, state: LinkState, mtu: Option<u32>) {
    main.change_interfaces(|table| {
        let Ok(hardware) = table.hardware_of(interface) else { return };
        let index = hardware.index;
        // Its link counts for nothing while it is down.
        if table.interface(interface).is_some_and(|known| known.admin_up) {
            let set = table.set_link(index, state);
            debug_assert!(set.is_ok(), "the interface is there");
        }
        if let Some(mtu) = mtu {
            let set = table.set_device_mtu(interface, mtu);
            debug_assert!(set.is_ok(), "no more than the device takes");
        }
    });
}
