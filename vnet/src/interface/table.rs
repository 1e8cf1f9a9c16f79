//! The table: who is there, and how they come and go.

use super::{
    Event, HwIfIndex, HwInterface, InterfaceError, LinkState, Mtu, NewHardware, Offloads,
    OutputTags, Overlay, SubInterface, SwIfIndex, SwInterface, SwKind, TableBinding, TagMatch,
    TagTable,
    address::ConnectedPrefixes,
    pool::Pool,
    replace::Stale,
    tags::{Candidate, MainInterface},
};
use crate::counter::segment_name;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Bytes of a name at most, as VPP's API has it.
const NAME_BYTES: usize = 63;
/// The one interface that every table has.
const LOCAL0: &str = "local0";

/// All interfaces of an engine.
///
/// Lookups borrow; changes say why they were refused, and leave [`Event`]s to be drained by
/// [`take_events`](Self::take_events).
#[derive(Debug)]
pub struct InterfaceTable {
    pub(super) hardware: Pool<HwInterface>,
    pub(super) software: Pool<SwInterface>,
    /// By the name as the stats segment has it, so that two names never become one there.
    by_name: HashMap<String, SwIfIndex>,
    pub(super) connected: ConnectedPrefixes,
    pub(super) stale: Stale,
    pub(super) events: Vec<Event>,
}

impl InterfaceTable {
    /// A table with `local0` alone.
    #[must_use]
    pub fn new() -> Self {
        let mut table = Self {
            hardware: Pool::new(),
            software: Pool::new(),
            by_name: HashMap::new(),
            connected: ConnectedPrefixes::default(),
            stale: Stale::new(),
            events: Vec::new(),
        };
        table.insert_hardware(NewHardware {
            name: LOCAL0.to_owned(),
            device_class: "local",
            device_instance: 0,
            mac: None,
            max_frame_size: 0,
            mtu: 0,
            tx_next: 0,
        });
        table
    }

    /// Adds a hardware interface and its main software interface, down and without a link.
    pub fn create_hardware(
        &mut self,
        new: NewHardware,
    ) -> Result<(HwIfIndex, SwIfIndex), InterfaceError> {
        self.check_new_name(&new.name)?;
        let most = new.max_frame_size.saturating_sub(HwInterface::FRAME_OVERHEAD);
        if new.mtu > most {
            return Err(InterfaceError::Mtu { name: new.name, bytes: new.mtu, most });
        }
        if new.mac.is_some_and(|mac| !is_unicast(mac)) {
            return Err(InterfaceError::MacNotUnicast);
        }
        Ok(self.insert_hardware(new))
    }

    /// Deletes a hardware interface with its software interface, sub-interfaces first.
    pub fn delete_hardware(&mut self, interface: SwIfIndex) -> Result<(), InterfaceError> {
        let hw_if_index = self.main_interface(interface)?.hw_if_index;
        let subs = self.hardware_of(interface)?.subs.values().copied().collect::<Vec<_>>();
        for sub in subs.into_iter().rev() {
            self.remove_software(sub);
        }
        self.remove_software(interface);
        self.hardware.remove(hw_if_index.0);
        Ok(())
    }

    /// Adds a sub-interface `<super>.<id>` of an Ethernet interface, down.
    pub fn create_sub(
        &mut self,
        super_if: SwIfIndex,
        id: u32,
        tags: TagMatch,
    ) -> Result<SwIfIndex, InterfaceError> {
        self.check_sub(super_if, id, tags)?;
        let main = self.main_interface(super_if)?;
        let (name, hw_if_index) = (format!("{}.{id}", main.name), main.hw_if_index);
        let kind = SwKind::Sub(SubInterface { super_if, id, tags });
        let sub = self.insert_software(name, kind, hw_if_index, Mtu::of_packets(0));
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            hardware.subs.insert(id, sub);
        }
        self.tags_changed(hw_if_index);
        Ok(sub)
    }

    /// What [`create_sub`](Self::create_sub) would refuse.
    pub fn check_sub(
        &self,
        super_if: SwIfIndex,
        id: u32,
        tags: TagMatch,
    ) -> Result<(), InterfaceError> {
        let main = self.main_interface(super_if)?;
        let hardware = self.hardware_of(super_if)?;
        if !hardware.is_ethernet() {
            return Err(InterfaceError::NotEthernet { name: main.name.clone() });
        }
        if hardware.subs.contains_key(&id) {
            return Err(InterfaceError::SubInterfaceExists { name: main.name.clone(), id });
        }
        tags.check()?;
        let subs = hardware.subs.values().filter_map(|sub| self.interface(*sub));
        let claims = |sub: &&SwInterface| sub.sub().is_some_and(|sub| sub.tags.collides(&tags));
        if let Some(by) = { subs }.find(claims) {
            return Err(InterfaceError::TagsInUse { tags, by: by.name.clone() });
        }
        self.check_new_name(&format!("{}.{id}", main.name))
    }

    /// Deletes a sub-interface.
    pub fn delete_sub(&mut self, interface: SwIfIndex) -> Result<(), InterfaceError> {
        let sub = self.known(interface)?;
        let hw_if_index = sub.hw_if_index;
        let Some(SubInterface { id, .. }) = sub.sub().copied() else {
            return Err(InterfaceError::NotASubInterface { name: sub.name.clone() });
        };
        let before = self.takes_all(hw_if_index);
        self.remove_software(interface);
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            hardware.subs.remove(&id);
        }
        self.tags_changed(hw_if_index);
        self.tell_promiscuous(hw_if_index, before);
        Ok(())
    }

    /// Renames a hardware interface, and with it its sub-interfaces.
    pub fn rename(&mut self, interface: SwIfIndex, new: &str) -> Result<(), InterfaceError> {
        let main = self.main_interface(interface)?;
        if main.name == new {
            return Ok(());
        }
        let hardware = self.hardware_of(interface)?;
        let subs: Vec<_> = hardware.subs.iter().map(|(id, sub)| (*id, *sub)).collect();
        let hw_if_index = hardware.index;
        self.check_new_name(new)?;
        for (id, _) in &subs {
            self.check_new_name(&format!("{new}.{id}"))?;
        }
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            new.clone_into(&mut hardware.name);
        }
        self.give_name(interface, new.to_owned());
        for (id, sub) in subs {
            self.give_name(sub, format!("{new}.{id}"));
        }
        Ok(())
    }

    /// Says of which overlay network an interface is.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn set_overlay(
        &mut self,
        interface: SwIfIndex,
        overlay: Overlay,
    ) -> Result<(), InterfaceError> {
        self.changeable(interface)?.overlay = overlay;
        Ok(())
    }

    /// An interface by its index.
    #[must_use]
    pub fn interface(&self, interface: SwIfIndex) -> Option<&SwInterface> {
        self.software.at(interface.0)
    }

    /// An interface by its whole name.
    pub fn find(&self, name: &str) -> Result<SwIfIndex, InterfaceError> {
        let unknown = || InterfaceError::UnknownName { name: name.to_owned() };
        let index = *self.by_name.get(&segment_name(name)).ok_or_else(unknown)?;
        let found = self.interface(index).is_some_and(|interface| interface.name == name);
        if found { Ok(index) } else { Err(unknown()) }
    }

    /// A hardware interface by its index.
    #[must_use]
    pub fn hardware_interface(&self, index: HwIfIndex) -> Option<&HwInterface> {
        self.hardware.at(index.0)
    }

    /// The hardware interface that carries an interface.
    pub fn hardware_of(&self, interface: SwIfIndex) -> Result<&HwInterface, InterfaceError> {
        let hw_if_index = self.known(interface)?.hw_if_index;
        let unknown = InterfaceError::NoSuchInterface { sw_if_index: interface };
        self.hardware.at(hw_if_index.0).ok_or(unknown)
    }

    /// All software interfaces by index.
    pub fn interfaces(&self) -> impl Iterator<Item = &SwInterface> {
        self.software.iter()
    }

    /// All hardware interfaces by index.
    pub fn hardware_interfaces(&self) -> impl Iterator<Item = &HwInterface> {
        self.hardware.iter()
    }

    /// What happened since the last call, in order.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The VLAN tags of what an interface sends. Without one certain set of them it can only receive: addresses, next
    /// hops and neighbours on it are refused.
    pub fn output_tags(&self, interface: SwIfIndex) -> Result<OutputTags, InterfaceError> {
        let on = self.known(interface)?;
        let Some(SubInterface { tags, .. }) = on.sub().copied() else {
            return Ok(OutputTags::Untagged);
        };
        let refused = || InterfaceError::NoOutputTags { name: on.name.clone(), tags };
        tags.output_tags().ok_or_else(refused)
    }

    /// The tags that an Ethernet interface takes, for workers. It is built when it is asked for after a change, which
    /// an [`Event::Tags`] announces.
    pub fn tag_table(&mut self, index: HwIfIndex) -> Option<Arc<TagTable>> {
        let hardware = self.hardware.at(index.0)?;
        if let Some(tags) = &hardware.tags {
            return Some(Arc::clone(tags));
        }
        let main = self.interface(hardware.sw_if_index)?;
        let candidate = |sub: &SwIfIndex| {
            let sub = self.interface(*sub)?;
            let up = sub.admin_up && main.admin_up;
            Some(Candidate { tags: sub.sub()?.tags, interface: sub.index, up })
        };
        let subs = hardware.subs.values().filter_map(candidate).collect();
        let own = MainInterface { index: main.index, up: main.admin_up, layer2: main.layer2 };
        let tags = Arc::new(TagTable::build(own, subs));
        self.hardware.at_mut(index.0)?.tags = Some(Arc::clone(&tags));
        Some(tags)
    }

    /// An interface that exists.
    pub(super) fn known(&self, interface: SwIfIndex) -> Result<&SwInterface, InterfaceError> {
        let unknown = InterfaceError::NoSuchInterface { sw_if_index: interface };
        self.interface(interface).ok_or(unknown)
    }

    /// An interface that exists and is not `local0`.
    pub(super) fn changeable(
        &mut self,
        interface: SwIfIndex,
    ) -> Result<&mut SwInterface, InterfaceError> {
        if interface == SwIfIndex::LOCAL0 {
            return Err(InterfaceError::Local0);
        }
        let unknown = InterfaceError::NoSuchInterface { sw_if_index: interface };
        self.software.at_mut(interface.0).ok_or(unknown)
    }

    /// The main interface of some hardware, and not `local0`.
    pub(super) fn main_interface(
        &self,
        interface: SwIfIndex,
    ) -> Result<&SwInterface, InterfaceError> {
        let main = self.known(interface)?;
        if interface == SwIfIndex::LOCAL0 {
            return Err(InterfaceError::Local0);
        }
        match main.kind {
            SwKind::Hardware => Ok(main),
            SwKind::Sub(_) => Err(InterfaceError::NotHardware { name: main.name.clone() }),
        }
    }

    /// Forgets an outdated tag table and says so.
    pub(super) fn tags_changed(&mut self, hw_if_index: HwIfIndex) {
        if let Some(hardware) = self.hardware.at_mut(hw_if_index.0) {
            hardware.tags = None;
            self.events.push(Event::Tags { hw_if_index });
        }
    }

    fn insert_hardware(&mut self, new: NewHardware) -> (HwIfIndex, SwIfIndex) {
        let hw_if_index = HwIfIndex(self.hardware.next_index());
        let mtu = Mtu::of_packets(new.mtu);
        let sw_if_index =
            self.insert_software(new.name.clone(), SwKind::Hardware, hw_if_index, mtu);
        self.hardware.insert(HwInterface {
            index: hw_if_index,
            sw_if_index,
            device_name: new.name.clone(),
            name: new.name,
            device_class: new.device_class,
            device_instance: new.device_instance,
            mac: new.mac,
            link: LinkState::DOWN,
            max_frame_size: new.max_frame_size,
            link_mtu: new.mtu,
            promiscuous: false,
            offloads: Offloads::default(),
            tx_next: new.tx_next,
            subs: BTreeMap::new(),
            tags: None,
        });
        self.tags_changed(hw_if_index);
        (hw_if_index, sw_if_index)
    }

    fn insert_software(
        &mut self,
        name: String,
        kind: SwKind,
        hw_if_index: HwIfIndex,
        mtu: Mtu,
    ) -> SwIfIndex {
        let index = SwIfIndex(self.software.next_index());
        self.by_name.insert(segment_name(&name), index);
        self.events.push(Event::Added { sw_if_index: index, name: name.clone() });
        self.software.insert(SwInterface {
            index,
            name,
            kind,
            hw_if_index,
            admin_up: false,
            punt: false,
            layer2: false,
            mtu,
            addresses: Vec::new(),
            link_local: None,
            tentative: Vec::new(),
            ip4_table: TableBinding::DEFAULT,
            ip6_table: TableBinding::DEFAULT,
            unnumbered: None,
            tag: String::new(),
            overlay: Overlay::default(),
        });
        index
    }

    /// Removes an interface after everything that it has.
    fn remove_software(&mut self, index: SwIfIndex) {
        self.strip_addressing(index);
        let Some(gone) = self.software.remove(index.0) else { return };
        if gone.admin_up {
            self.events.push(Event::Admin { sw_if_index: index, up: false });
        }
        self.by_name.remove(&segment_name(&gone.name));
        self.events.push(Event::Deleted { sw_if_index: index, name: gone.name });
    }

    fn give_name(&mut self, index: SwIfIndex, new: String) {
        let Some(interface) = self.software.at_mut(index.0) else { return };
        let old = std::mem::replace(&mut interface.name, new.clone());
        self.by_name.remove(&segment_name(&old));
        self.by_name.insert(segment_name(&new), index);
        self.events.push(Event::Renamed { sw_if_index: index, old, new });
    }

    /// Refuses names that cannot be, and names that an interface has.
    fn check_new_name(&self, name: &str) -> Result<(), InterfaceError> {
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || name.len() > NAME_BYTES || !visible {
            return Err(InterfaceError::BadName { name: name.to_owned() });
        }
        match self.by_name.get(&segment_name(name)).and_then(|index| self.interface(*index)) {
            Some(taken) => Err(InterfaceError::NameTaken { name: taken.name.clone() }),
            None => Ok(()),
        }
    }
}

impl Default for InterfaceTable {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) fn is_unicast(mac: [u8; 6]) -> bool {
    mac[0] & 1 == 0 && mac != [0; 6]
}
