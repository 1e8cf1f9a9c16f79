//! SPAN: copies of what an interface receives or sends go out of another one.
//!
//! Either of all packets of a device, by features of `device-input` and `interface-output`; or of the frames that an interface
//! bridges, by features of the arcs of layer 2, which know sub-interfaces. Packets which nobody mirrors are not looked at.

pub mod api;
mod commands;
mod node;
mod table;

use vnet::{
    graph::FeatureSpec,
    interface::Event,
    plugin::{Command, Registrar},
};

pub use table::{Direction, Layer, Mirroring, Span, SpanError};

use table::Place;

/// Registers the nodes, their features and their commands.
pub(crate) fn register(r: &mut Registrar) {
    let span = Span::new(r.shared(table::Mirrors::default()));
    for place in Place::ALL {
        r.node(node::Mirror::spec(place, span.clone()));
        for &arc in place.arcs() {
            let feature = FeatureSpec::new(arc, place.node());
            // What is mirrored is what came and what leaves, whoever else has an eye on it.
            r.feature(match arc {
                "device-input" => feature
                    .before_optional("worker-handoff")
                    .before_optional("flowprobe-input-l2")
                    .before_optional("sink"),
                "interface-output" => feature.before_optional("flowprobe-output-l2"),
                _ => feature,
            });
        }
    }
    let gone = span.clone();
    r.on_interface_event(move |main, event| {
        if let Event::Deleted { sw_if_index, .. } = event {
            gone.forget(main, *sw_if_index);
        }
    });
    let commands: [Command; 2] = commands::commands(&span);
    commands.into_iter().for_each(|command| r.command(command));
    api::register(r.api(), &span);
}
