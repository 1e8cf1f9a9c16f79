//! `ping` and `traceroute`, a plugin.
//!
//! | file | idea |
//! |---|---|
//! | `mailbox` | from what comes back to the command that waits for it |
//! | `node` | `ip4-icmp-echo-reply`, `ip6-icmp-echo-reply` and the nodes that take errors |
//! | `probe` | an echo request, on its way |
//! | `echo`, `route` | the two commands |
//! | `api` | requests for clients of the binary API |

pub mod api;
mod echo;
mod mailbox;
mod node;
mod probe;
mod route;

use vnet::plugin::{Plugin, Registrar};

use mailbox::Mailboxes;

/// The plugin.
#[must_use]
pub fn plugin() -> Plugin {
    let register = |r: &mut Registrar| {
        let mailboxes = Mailboxes::new(r);
        node::register(r, &mailboxes);
        echo::register(r, &mailboxes);
        route::register(r, &mailboxes);
        api::register(r.api(), &mailboxes);
        Ok(())
    };
    Plugin::new("ping", env!("CARGO_PKG_VERSION"), "Ping and traceroute", register)
        .load_after("nodes")
}
