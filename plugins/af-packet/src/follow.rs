//! The process that keeps host interfaces in step with the host.

use std::{io, time::Duration};

use vnet::{
    host::{LinkEvent, LinkMonitor},
    log::Level,
    process::{Cx, Events},
};

use crate::HostInterfaces;

/// How often losses are counted.
const PERIOD: Duration = Duration::from_secs(1);

/// Follows the host's interfaces, as long as there are any here; `interfaces` gives nothing when the engine is gone.
pub(crate) async fn follow(
    cx: Cx,
    interfaces: impl Fn() -> Option<HostInterfaces>,
    mut made: Events<()>,
) {
    while made.next().await.is_some() {
        let mut monitor = match LinkMonitor::new() {
            Ok(monitor) => monitor,
            Err(error) => {
                complain(&cx, &error);
                continue;
            }
        };
        // What happened between the making of the interface and now.
        let mut events = vec![LinkEvent::Missed];
        loop {
            let Some(interfaces) = interfaces() else { return };
            cx.with(|main| {
                interfaces.follow(main, &events);
                interfaces.keep(main);
            });
            if interfaces.is_empty() {
                break;
            }
            drop(interfaces);
            events = cx.timeout(PERIOD, monitor.next(&cx)).await.unwrap_or_default();
        }
        while made.try_next().is_some() {}
    }
}

fn complain(cx: &Cx, error: &io::Error) {
    let text = format!("the host's interfaces cannot be followed: {error}");
    cx.with(|main| main.log().write(main.log().class("af_packet", ""), Level::Err, text));
}
