//! `show tap`.

use std::{os::fd::AsRawFd, rc::Rc};

use serde_json::{Value, json};
use vnet::{
    command::{Cell, Record},
    interface::SwIfIndex,
    runtime::Main,
    wire::ethernet::MacAddress,
};

use crate::{error::TapError, host::Offload, interfaces::Taps, port::Port};

/// All interfaces, or one, in VPP's manner.
pub(crate) fn show(main: &Main, taps: &Taps, only: Option<SwIfIndex>) -> Result<Record, TapError> {
    let is_asked = |port: &Rc<Port>| only.is_none_or(|only| only == port.sw_if_index.get());
    let mut shown: Vec<_> = taps.all().into_iter().filter(is_asked).collect();
    if let (Some(only), []) = (only, shown.as_slice()) {
        return Err(TapError::NotTap(main.interface_name(only)));
    }
    shown.sort_by_key(|port| port.id);
    let mut record = Record::new();
    for port in &shown {
        record = lines(main, port).into_iter().fold(record, Record::line);
    }
    let json: Vec<_> = shown.iter().map(|port| fields(main, port)).collect();
    Ok(record.field("interfaces", Cell::shown("", json)))
}

fn mac(octets: Option<[u8; 6]>) -> String {
    octets.map_or_else(|| "none".to_owned(), |mac| MacAddress(mac).to_string())
}

fn own_mac(main: &Main, port: &Port) -> Option<[u8; 6]> {
    main.interfaces().hardware_interface(port.hw_if_index.get())?.mac
}

fn is_up(main: &Main, port: &Port) -> bool {
    main.interfaces().interface(port.sw_if_index.get()).is_some_and(|sw| sw.admin_up)
}

fn lines(main: &Main, port: &Port) -> Vec<String> {
    let (host, link, up) = (&*port.host, port.link(), is_up(main, port));
    let name = main.interface_name(port.sw_if_index.get());
    let fds: Vec<_> = host.queues.iter().map(|file| file.as_raw_fd().to_string()).collect();
    let mut lines = vec![
        format!("Interface: {name} (ifindex {})", port.hw_if_index.get()),
        format!(
            "  name \"{}\"{}",
            link.name,
            if host.is_gone() { " deleted by the host" } else { "" }
        ),
        format!("  host-ns \"{}\"", port.namespace_name().as_deref().unwrap_or("(nil)")),
        format!("  host-mtu-size \"{}\"", link.mtu),
        format!("  host-mac-addr: {}", mac(link.mac)),
        format!("  tap-fds: {}", fds.join(" ")),
        format!("  gso-enabled {}", u8::from(host.offload == Offload::Gso)),
        format!("  csum-enabled {}", u8::from(host.offload != Offload::None)),
        format!("  Mac Address: {}", mac(own_mac(main, port))),
        format!("  Device instance: {}", port.id),
        format!("  flags 0x{:x}", u8::from(up)),
    ];
    if up {
        lines.push("    admin-up (0)".to_owned());
    }
    lines.push(format!("  Number of queues {}", host.queues.len()));
    lines
}

fn fields(main: &Main, port: &Port) -> Value {
    let (host, link) = (&*port.host, port.link());
    json!({
        "interface": main.interface_name(port.sw_if_index.get()),
        "id": port.id,
        "kind": host.kind.word(),
        "host_name": link.name,
        "host_namespace": port.namespace_name(),
        "host_mtu": link.mtu,
        "host_mac": link.mac.map(|mac| MacAddress(mac).to_string()),
        "host_deleted": host.is_gone(),
        "host_up": link.up && !host.is_gone(),
        "gso": host.offload == Offload::Gso,
        "checksum_offload": host.offload != Offload::None,
        "mac": own_mac(main, port).map(|mac| MacAddress(mac).to_string()),
        "admin_up": is_up(main, port),
        "queues": host.queues.len(),
    })
}
