//! Who wants which packets at which socket.

use std::{
    collections::BTreeMap,
    os::unix::net::{SocketAddr, UnixDatagram},
    path::{Path, PathBuf},
    sync::Arc,
};

use vnet::{
    fib::Family,
    plugin::Registrar,
    runtime::{Dispatching, Main, Shared},
};

use crate::punt::order::{PuntError, What};

/// What nodes read.
#[derive(Default)]
pub(super) struct Table {
    /// The engine's own socket, by which packets are sent, and where it is.
    pub(super) own: Option<(PathBuf, Arc<UnixDatagram>)>,
    clients: BTreeMap<(Family, What), SocketAddr>,
}

impl Table {
    /// The socket of whoever wants such packets.
    pub(super) fn client(&self, family: Family, what: What) -> Option<&SocketAddr> {
        self.clients.get(&(family, what))
    }
}

/// The clients. Clones are the same.
#[derive(Clone)]
pub(in crate::punt) struct Clients(Shared<Table>);

impl Clients {
    /// Without any yet.
    pub(in crate::punt) fn new(r: &Registrar) -> Self {
        Self(r.shared(Table::default()))
    }

    pub(super) fn open(&self, main: &mut Main, path: PathBuf, socket: Arc<UnixDatagram>) {
        self.0.write(main.held_mut()).own = Some((path, socket));
    }

    pub(super) fn read<'t>(&'t self, token: Dispatching<'t>) -> &'t Table {
        self.0.read(token)
    }

    /// Where the engine's own socket is.
    pub(in crate::punt) fn own_path(&self, main: &Main) -> Option<PathBuf> {
        self.0.view(main.held()).own.as_ref().map(|(path, _)| path.clone())
    }

    /// Has packets sent to a client's socket.
    pub(in crate::punt) fn set(
        &self,
        main: &mut Main,
        of: (Family, What),
        path: &Path,
    ) -> Result<(), PuntError> {
        let bad = || PuntError::Path(path.to_owned());
        let own = self.own_path(main).ok_or(PuntError::NoSocket)?;
        if own == path || path.as_os_str().is_empty() {
            return Err(bad());
        }
        let address = SocketAddr::from_pathname(path).map_err(|_| bad())?;
        self.0.write(main.held_mut()).clients.insert(of, address);
        Ok(())
    }

    /// Has packets sent there no more.
    pub(in crate::punt) fn remove(&self, main: &mut Main, of: (Family, What)) {
        self.0.write(main.held_mut()).clients.remove(&of);
    }
}
