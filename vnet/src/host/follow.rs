//! The process that keeps interfaces in step with those of the host that they stand on.

use std::{future::poll_fn, io, pin::pin, rc::Rc, task::Poll, time::Duration};

use super::{Link, LinkEvent, LinkMonitor, Namespace};
use crate::{
    interface::{LinkState, SwIfIndex},
    log::Level,
    process::{Cx, Events, Interest},
    runtime::Main,
};

/// How often what the kernel counts is asked for.
const PERIOD: Duration = Duration::from_secs(1);

/// An interface that stands on one of the host.
pub trait OnHost {
    /// The number of the host's interface.
    fn ifindex(&self) -> u32;

    /// The network namespace in which that is; `None` for the program's own.
    fn namespace(&self) -> Option<Namespace> {
        None
    }

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
    let complain = |text| {
        cx.with(|main| main.log().write(main.log().class(class, ""), Level::Err, text));
    };
    while made.next().await.is_some() {
        let (mut places, mut is_new) = (Places::default(), true);
        loop {
            while made.try_next().is_some() {
                is_new = true;
            }
            let Some(all) = ports() else { return };
            if all.is_empty() {
                break;
            }
            if let Err(error) = places.cover(&all, is_new) {
                complain(format!("the host's interfaces cannot be followed: {error}"));
            }
            places.tell(&cx, &all);
            all.iter().filter_map(|port| cx.with(|main| port.keep(main))).for_each(complain);
            drop(all);
            is_new = cx.timeout(PERIOD, places.change(&cx, &mut made)).await.unwrap_or(false);
        }
    }
}

/// The network namespaces in which followed interfaces are.
#[derive(Default)]
struct Places(Vec<Place>);

struct Place {
    namespace: Option<Namespace>,
    /// There, unless the kernel gave none, which the log has once.
    monitor: Option<LinkMonitor>,
    /// What happened here between the making of an interface and the last look is not known.
    is_new: bool,
}

impl Places {
    /// Listens where the ports are, and nowhere else. `is_new` when there are ports of which nothing is known.
    fn cover<P: OnHost>(&mut self, ports: &[Rc<P>], is_new: bool) -> io::Result<()> {
        let wanted: Vec<_> = ports.iter().map(|port| port.namespace()).collect();
        self.0.retain(|place| wanted.contains(&place.namespace));
        self.0.iter_mut().for_each(|place| place.is_new |= is_new);
        let mut result = Ok(());
        for namespace in wanted {
            if self.0.iter().any(|place| place.namespace == namespace) {
                continue;
            }
            let monitor = match &namespace {
                None => LinkMonitor::new(),
                Some(namespace) => namespace.run(LinkMonitor::new),
            };
            let monitor = monitor.map_err(|error| result = Err(error)).ok();
            self.0.push(Place { namespace, monitor, is_new: true });
        }
        result
    }

    /// Has ports follow what has happened until now.
    fn tell<P: OnHost>(&mut self, cx: &Cx, ports: &[Rc<P>]) {
        for Place { namespace, monitor, is_new } in &mut self.0 {
            let Some(monitor) = monitor else { continue };
            let here = || ports.iter().filter(|port| port.namespace() == *namespace);
            let mut events = monitor.take();
            if std::mem::take(is_new) || events.contains(&LinkEvent::Missed) {
                for port in here() {
                    // A question that the kernel does not take is asked again when something happens.
                    *is_new |= monitor.ask(port.ifindex()).is_err();
                }
                events.extend(monitor.take());
            }
            for event in &events {
                // One may have moved elsewhere by the last event.
                here().for_each(|port| cx.with(|main| tell(main, &**port, event)));
            }
        }
    }

    /// Waits for something to happen, or for another interface, which it says.
    async fn change(&self, cx: &Cx, made: &mut Events<()>) -> bool {
        let monitors = self.0.iter().filter_map(|place| place.monitor.as_ref());
        let mut monitors: Vec<_> =
            monitors.map(|monitor| Box::pin(cx.ready(monitor, Interest::Readable))).collect();
        let mut made = pin!(made.next());
        poll_fn(|context| {
            let is_made = made.as_mut().poll(context) == Poll::Ready(Some(()));
            let mut has_changed = false;
            // Each is asked, so that each wakes.
            for monitor in &mut monitors {
                has_changed |= monitor.as_mut().poll(context).is_ready();
            }
            if is_made || has_changed { Poll::Ready(is_made) } else { Poll::Pending }
        })
        .await
    }
}

/// Does what a change of the host's interfaces asks for.
fn tell(main: &mut Main, port: &impl OnHost, event: &LinkEvent) {
    let ifindex = port.ifindex();
    match event {
        LinkEvent::Changed(link) if link.index == ifindex => {
            port.follow(main, Some(link.clone()));
        }
        LinkEvent::Gone(index) if *index == ifindex => port.follow(main, None),
        _ => {}
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
