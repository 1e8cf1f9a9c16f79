//! `ipfix-bridge-process`: asks for the addresses of targets, again where they could not be had, and once in a while where they could;
//! and sees to it that exporters measure while there is anybody to send to.

use std::time::Duration;

use vnet::{plugin::Registrar, process::Cx};

use crate::{IpfixBridge, exporter::warn};

/// Time between two looks at what is there.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two questions for a target of which no address is known, and of one of which it is.
const UNKNOWN: u32 = 10;
const KNOWN: u32 = 60;

/// Registers the process.
pub(crate) fn register(r: &mut Registrar, bridge: &IpfixBridge) {
    let of = bridge.clone();
    r.process("ipfix-bridge-process", |cx| run(cx, of));
}

async fn run(cx: Cx, bridge: IpfixBridge) {
    let mut looks = 0_u32;
    loop {
        // What is not configured needs no look.
        let is_idle = bridge.bridges().is_empty() && bridge.collector_sets().is_empty();
        let has_left = !cx.with(|main| bridge.let_go(main));
        let rung = if is_idle && has_left {
            bridge.bell().wait().await;
            true
        } else {
            cx.timeout(LOOK, bridge.bell().wait()).await.is_ok()
        };
        looks = if rung { 0 } else { looks.wrapping_add(1) };
        ask(&cx, &bridge, looks).await;
        cx.with(|main| bridge.revive(main));
    }
}

async fn ask(cx: &Cx, bridge: &IpfixBridge, looks: u32) {
    let mut asked = Vec::new();
    for (target, address) in bridge.names() {
        let every = if address.is_some() { KNOWN } else { UNKNOWN };
        // At once after a change, where it is not known.
        let is_due = looks.is_multiple_of(every) && (looks > 0 || address.is_none());
        if !is_due || asked.contains(&target) {
            continue;
        }
        asked.push(target.clone());
        let (resolver, of_thread) = (bridge.resolver(), target.clone());
        let answer = cx.blocking(move || of_thread.resolve(&resolver)).await;
        cx.with(|main| match answer {
            Ok(Ok(address)) => bridge.resolved(main, &target, address),
            Ok(Err(error)) => warn(main, &format!("target {target}: {error}")),
            // A panic was told by its hook.
            Err(_) => (),
        });
    }
}
