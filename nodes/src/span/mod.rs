//! SPAN: copies of what an interface receives or sends go out of another one.
//!
//! `span-input` is a feature of `device-input`, `span-output` one of `interface-output`, so that packets which nobody mirrors are
//! not looked at.

mod commands;
mod node;
mod table;

use vnet::{
    graph::FeatureSpec,
    interface::Event,
    plugin::{Command, Registrar},
};

pub use table::{Direction, Span, SpanError};

/// The arcs and the nodes, received packets first.
const PLACES: [(&str, &str); 2] =
    [("device-input", "span-input"), ("interface-output", "span-output")];

/// Registers the nodes, their features and their commands.
pub(crate) fn register(r: &mut Registrar) {
    let span = Span::new(r.shared(table::Mirrors::default()));
    for (place, (arc, name)) in PLACES.into_iter().enumerate() {
        r.node(node::Mirror::spec(name, place, span.clone()));
        // What is mirrored is what came and what leaves, whoever else has an eye on it.
        let feature = FeatureSpec::new(arc, name).before_optional("worker-handoff");
        r.feature(match place {
            0 => feature.before_optional("flowprobe-input-l2").before_optional("sink"),
            _ => feature.before_optional("flowprobe-output-l2"),
        });
    }
    let gone = span.clone();
    r.on_interface_event(move |main, event| {
        if let Event::Deleted { sw_if_index, .. } = event {
            gone.forget(main, *sw_if_index);
        }
    });
    let commands: [Command; 2] = commands::commands(&span);
    commands.into_iter().for_each(|command| r.command(command));
}
