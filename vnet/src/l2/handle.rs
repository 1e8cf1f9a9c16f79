//! Layer 2 of an engine: what changes it, and what nodes read.

use super::{BdId, BdIndex, Domain, L2Error, Layer2, Mode, Port, Role, Switching};
use crate::{
    interface::SwIfIndex,
    plugin::Registrar,
    process::Bell,
    runtime::{Dispatching, Main, Shared},
};

/// Layer 2 of an engine. Clones are the same.
#[derive(Clone)]
pub struct L2 {
    state: Shared<Layer2>,
    pub(super) bell: Bell,
}

/// What a domain is to be like that is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDomain {
    /// What it does, as far as it differs from [`Switching::DEFAULT`]: each with whether it does.
    pub switching: Vec<(Switching, bool)>,
    /// Minutes until stations are forgotten, 0 for never.
    pub mac_age: u8,
    /// The operator's note.
    pub tag: String,
}

impl L2 {
    /// Layer 2 with its commands and its process.
    pub fn register(r: &mut Registrar) -> Self {
        let bell = Bell::new();
        let l2 = Self { state: r.shared(Layer2::new(bell.clone())), bell };
        let scanned = l2.clone();
        r.process("l2fib-mac-age-scanner-process", move |cx| super::scan::scan(cx, scanned));
        let followed = l2.clone();
        r.on_interface_event(move |main, event| followed.follow(main, event));
        super::commands::commands(&l2).into_iter().for_each(|command| r.command(command));
        super::api::register(r, &l2);
        r.provide(l2.clone());
        l2
    }

    /// For nodes.
    #[inline]
    #[must_use]
    pub fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a Layer2 {
        self.state.read(token)
    }

    /// For the main thread, which looks.
    #[must_use]
    pub fn view<'a>(&'a self, main: &'a Main) -> &'a Layer2 {
        self.state.view(main.held())
    }

    /// For the main thread, which changes it.
    pub(super) fn write<'a>(&'a self, main: &'a mut Main) -> &'a mut Layer2 {
        self.state.write(main.held_mut())
    }

    /// What an interface does at layer 2, in VPP's words; `None` where it routes and is no BVI.
    #[must_use]
    pub fn describe(&self, main: &Main, interface: SwIfIndex) -> Option<String> {
        let port = self.view(main).port(interface);
        match port.mode {
            Mode::Routed => None,
            Mode::Connected(peer) => Some(format!("xconnect {}", main.interface_name(peer))),
            Mode::Bridged(index) => {
                let id = self.view(main).domain(index)?.id;
                let bvi = if port.role == Role::Bvi { " bvi" } else { "" };
                Some(format!("bridge bd-id {id} idx {} shg {}{bvi}", index.0, port.shg))
            }
        }
    }

    /// The index of the domain `id`.
    ///
    /// # Errors
    /// When there is none.
    pub fn index(&self, main: &Main, id: BdId) -> Result<BdIndex, L2Error> {
        let found = self.view(main).domains().find(|(_, domain)| domain.id == id);
        found.map(|(index, _)| index).ok_or(L2Error::NoSuchDomain(id))
    }

    /// Makes a domain.
    ///
    /// # Errors
    /// When there is one of that number, or there are too many.
    pub fn create_domain(
        &self,
        main: &mut Main,
        id: BdId,
        new: &NewDomain,
    ) -> Result<BdIndex, L2Error> {
        if self.index(main, id).is_ok() {
            return Err(L2Error::DomainExists(id));
        }
        let domains = &self.view(main).domains;
        let at = (1..).find(|at| domains.get(*at).is_none_or(Option::is_none)).unwrap_or(1);
        // The key of the MAC table has 16 bits, of which all ones are none.
        let index = u16::try_from(at).ok().filter(|index| *index < u16::MAX);
        let index = BdIndex(index.ok_or(L2Error::TooManyDomains)?);
        let layer2 = self.write(main);
        let mut domain = Domain::new(id, layer2.default_learn_limit);
        new.switching.iter().for_each(|(what, on)| domain.switching.set(*what, *on));
        (domain.mac_age, domain.tag) = (new.mac_age, new.tag.clone());
        match layer2.domains.get_mut(at) {
            Some(hole) => *hole = Some(domain),
            None => layer2.domains.push(Some(domain)),
        }
        Ok(index)
    }

    /// Takes a domain away, in which no interfaces are.
    ///
    /// # Errors
    /// When there is no such domain, or interfaces are in it.
    pub fn delete_domain(&self, main: &mut Main, id: BdId) -> Result<(), L2Error> {
        let index = self.index(main, id)?;
        let members = self.view(main).domain(index).map_or(0, |d| d.interfaces().count());
        if members > 0 {
            return Err(L2Error::DomainInUse { id, members });
        }
        // Another one may have its index next.
        self.purge(main, |key, _| key.domain() == index);
        self.write(main).domains[usize::from(index.0)] = None;
        Ok(())
    }

    /// Changes a domain.
    ///
    /// # Errors
    /// When there is none.
    pub fn change_domain(
        &self,
        main: &mut Main,
        id: BdId,
        change: impl FnOnce(&mut Domain),
    ) -> Result<(), L2Error> {
        let index = self.index(main, id)?;
        if let Some(domain) = self.write(main).domain_mut(index) {
            change(domain);
        }
        Ok(())
    }

    /// Most addresses that domains learn which are made from now on.
    pub fn set_default_learn_limit(&self, main: &mut Main, limit: u32) {
        self.write(main).default_learn_limit = limit;
    }

    /// How many addresses all domains learn at most; those that are known stay.
    pub fn set_total_learn_limit(&self, main: &mut Main, limit: u32) {
        self.write(main).total_learn_limit = limit;
    }

    /// Changes what is done to the frames of an interface that is bridged or connected.
    ///
    /// # Errors
    /// When it is not.
    pub fn change_port(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        change: impl FnOnce(&mut Port),
    ) -> Result<(), L2Error> {
        if self.view(main).port(interface).mode == Mode::Routed {
            return Err(L2Error::NotLayer2(main.interface_name(interface)));
        }
        change(self.write(main).port_mut(interface));
        Ok(())
    }
}

impl Layer2 {
    pub(super) fn domain_mut(&mut self, index: BdIndex) -> Option<&mut Domain> {
        self.domains.get_mut(usize::from(index.0))?.as_mut()
    }

    pub(super) fn port_mut(&mut self, interface: SwIfIndex) -> &mut Port {
        let at = interface.0 as usize;
        if self.ports.len() <= at {
            self.ports.resize(at + 1, Port::ROUTED);
        }
        &mut self.ports[at]
    }
}
