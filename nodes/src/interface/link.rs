//! Devices without a wire: their link is up while they are.

use vnet::{
    interface::{Duplex, Event, InterfaceTable, LinkState},
    plugin::Registrar,
    runtime::Main,
};

/// A link that nothing can cut.
pub(crate) const UP: LinkState = LinkState { up: true, speed: None, duplex: Duplex::Full };

/// Gives interfaces of `device_class` their link back when they are set up: the table takes it from every interface that
/// goes down.
pub(crate) fn follow_state(r: &mut Registrar, device_class: &'static str) {
    r.on_interface_event(move |main: &mut Main, event: &Event| {
        let Event::Admin { sw_if_index, up: true } = event else { return };
        let Ok(hardware) = main.interfaces().hardware_of(*sw_if_index) else { return };
        if hardware.device_class != device_class || hardware.sw_if_index != *sw_if_index {
            return;
        }
        let index = hardware.index;
        let changed =
            main.change_interfaces(|table: &mut InterfaceTable| table.set_link(index, UP));
        debug_assert!(changed.is_ok(), "the interface is there");
    });
}
