//! Sockets of clients: datagrams of a Unix socket with punted packets in them, and packets of clients' in those that come back.
//!
//! `punt { socket PATH }` of the startup file says where the engine's own socket is. A client binds one, and says which packets it wants
//! there (`punt socket register`). In front of each packet, and of the link header that it came in with, is a *descriptor*, in the
//! octet order of the machine: the number of the interface, and what is to be done (0 with what is punted).

mod clients;
mod commands;
mod rx;
mod tx;

use std::{cell::RefCell, os::unix::net::UnixDatagram, path::PathBuf, rc::Rc, sync::Arc};

use vnet::{
    fib::Family,
    host::local_socket::{self, ListenError},
    plugin::{Registrar, Stanza},
};

pub(super) use clients::Clients;

use super::order::{Orders, What};

/// Octets of a descriptor: the number of an interface, and an action.
const DESCRIPTOR: usize = 8;
/// The version of it.
pub(super) const VERSION: u32 = 1;
/// Permissions of the socket's file.
const MODE: u32 = 0o660;

/// What the startup file says: the path of the engine's socket.
pub(crate) type Settings = Rc<RefCell<Option<PathBuf>>>;

/// The stanza `punt`, which leaves what it is told in `settings`.
pub(crate) fn stanza(settings: &Settings) -> Stanza {
    let settings = settings.clone();
    Stanza::new("punt").value("socket", "a path", move |value| {
        *settings.borrow_mut() = Some(PathBuf::from(value));
        !value.is_empty()
    })
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[error("punt: socket {}: {error}", path.display())]
struct SocketError {
    path: PathBuf,
    error: ListenError,
}

/// The node that sends packets of a kind to clients.
pub(super) const fn node(family: Family, what: What) -> &'static str {
    match (family, what) {
        (Family::Ip4, What::Protocol(_)) => "ip4-proto-punt-socket",
        (Family::Ip4, _) => "ip4-udp-punt-socket",
        (Family::Ip6, What::Protocol(_)) => "ip6-proto-punt-socket",
        (Family::Ip6, _) => "ip6-udp-punt-socket",
    }
}

/// Registers nodes and commands, and the socket if there is to be one.
pub(super) fn register(r: &mut Registrar, orders: &Orders, clients: &Clients, settings: &Settings) {
    tx::specs(r, clients).into_iter().for_each(|spec| r.node(spec));
    r.node(rx::spec(r.interface_views()));
    commands::commands(orders).into_iter().for_each(|command| r.command(command));
    let Some(path) = settings.borrow().clone() else { return };
    let path = r.runtime_dir().join(path);
    let opened: Rc<RefCell<Option<(Arc<UnixDatagram>, local_socket::SocketFile)>>> = Rc::default();
    let (made, clients) = (opened.clone(), clients.clone());
    r.on_start(move |main| {
        let (socket, file) = local_socket::receive(&path, MODE)
            .map_err(|error| SocketError { path: path.clone(), error })?;
        let socket = Arc::new(socket);
        clients.open(main, path, socket.clone());
        *made.borrow_mut() = Some((socket, file));
        Ok(())
    });
    r.process("punt-socket-rx-process", move |cx| async move {
        let Some((socket, _file)) = opened.take() else { return };
        rx::serve(cx, &socket).await;
    });
}
