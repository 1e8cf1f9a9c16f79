//! Counters of interfaces.

use super::{Event, SwIfIndex};
use crate::counter::{
    Combined, CombinedWriter, Count, CounterError, NameVector, Segment, Simple, SimpleWriter,
    ThreadIndex, segment_name,
};

/// Interfaces that have room in the counters.
const CAPACITY: usize = 1 << 16;

macro_rules! interface_counters {
    (
        combined { $($(#[$combined_doc:meta])* $combined:ident: $combined_name:literal,)* }
        simple { $($(#[$simple_doc:meta])* $simple:ident: $simple_name:literal,)* }
    ) => {
        /// The counters of all interfaces, under VPP's names: `/if/rx`, ... and for every interface
        /// `/interfaces/<name>/rx`, ... ('/' in names becomes '_').
        #[derive(Clone, Debug)]
        pub struct InterfaceCounters {
            $($(#[$combined_doc])* pub $combined: Combined,)*
            $($(#[$simple_doc])* pub $simple: Simple,)*
            names: NameVector,
        }

        /// One thread's writers of all interface counters; elements are numbered by [`SwIfIndex`].
        #[derive(Debug)]
        pub struct InterfaceWriters {
            $($(#[$combined_doc])* pub $combined: CombinedWriter,)*
            $($(#[$simple_doc])* pub $simple: SimpleWriter,)*
        }

        /// The names behind `/if/`.
        const NAMES: &[&str] = &[$($combined_name,)* $($simple_name,)*];

        impl InterfaceCounters {
            /// Registers the counters.
            pub fn new(segment: &mut Segment) -> Result<Self, CounterError> {
                Ok(Self {
                    $($combined: segment.combined(concat!("/if/", $combined_name), CAPACITY)?,)*
                    $($simple: segment.simple(concat!("/if/", $simple_name), CAPACITY)?,)*
                    names: segment.names("/if/names", CAPACITY)?,
                })
            }

            /// Takes a thread's writers.
            pub fn writers(&self, thread: ThreadIndex) -> Result<InterfaceWriters, CounterError> {
                Ok(InterfaceWriters {
                    $($combined: self.$combined.writer(thread)?,)*
                    $($simple: self.$simple.writer(thread)?,)*
                })
            }

            /// The counters with packets and bytes, by name.
            pub fn combined(&self) -> impl Iterator<Item = (&'static str, &Combined)> {
                [$(($combined_name, &self.$combined),)*].into_iter()
            }

            /// The counters with one number, by name.
            pub fn simple(&self) -> impl Iterator<Item = (&'static str, &Simple)> {
                [$(($simple_name, &self.$simple),)*].into_iter()
            }
        }
    };
}

interface_counters! {
    combined {
        /// Received.
        rx: "rx",
        /// Received, to a unicast address.
        rx_unicast: "rx-unicast",
        /// Received, to a multicast address.
        rx_multicast: "rx-multicast",
        /// Received, to the broadcast address.
        rx_broadcast: "rx-broadcast",
        /// Sent.
        tx: "tx",
        /// Sent, to a unicast address.
        tx_unicast: "tx-unicast",
        /// Sent, to a multicast address.
        tx_multicast: "tx-multicast",
        /// Sent, to the broadcast address.
        tx_broadcast: "tx-broadcast",
    }
    simple {
        /// Received and dropped.
        drops: "drops",
        /// Received and punted.
        punt: "punt",
        /// Received IPv4 packets.
        ip4: "ip4",
        /// Received IPv6 packets.
        ip6: "ip6",
        /// Not received for want of buffers.
        rx_no_buf: "rx-no-buf",
        /// Not received: the device had no room.
        rx_miss: "rx-miss",
        /// Received in error.
        rx_error: "rx-error",
        /// Not sent.
        tx_error: "tx-error",
        /// Received MPLS packets.
        mpls: "mpls",
    }
}

impl InterfaceCounters {
    /// Does what an event asks for: counters appear, go and change their name with their interface.
    pub fn follow(&self, segment: &mut Segment, event: &Event) -> Result<(), CounterError> {
        match event {
            Event::Added { sw_if_index, name } => self.add(segment, *sw_if_index, name),
            Event::Deleted { sw_if_index, name } => self.remove(segment, *sw_if_index, name),
            Event::Renamed { sw_if_index, old, new } => {
                self.rename(segment, *sw_if_index, old, new)
            }
            _ => Ok(()),
        }
    }

    /// Makes the counters of a new interface, all of them 0, whoever had the index before.
    fn add(
        &self,
        segment: &mut Segment,
        interface: SwIfIndex,
        name: &str,
    ) -> Result<(), CounterError> {
        segment.together(|segment| {
            let (index, len) = (interface.0, interface.0 as usize + 1);
            for (_, counter) in self.combined() {
                counter.validate(len)?;
                counter.zero(index);
            }
            for (_, counter) in self.simple() {
                counter.validate(len)?;
                counter.zero(index);
            }
            segment.set_name(&self.names, index, name)?;
            link_all(segment, name, index)
        })
    }

    /// Forgets the names of an interface that is gone, as far as it has any.
    fn remove(
        &self,
        segment: &mut Segment,
        interface: SwIfIndex,
        name: &str,
    ) -> Result<(), CounterError> {
        segment.together(|segment| {
            segment.set_name(&self.names, interface.0, "deleted")?;
            for path in paths(name).filter(|path| segment.contains(path)).collect::<Vec<_>>() {
                segment.remove(&path)?;
            }
            Ok(())
        })
    }

    /// Gives an interface's counters another name.
    fn rename(
        &self,
        segment: &mut Segment,
        interface: SwIfIndex,
        old: &str,
        new: &str,
    ) -> Result<(), CounterError> {
        segment.together(|segment| {
            segment.set_name(&self.names, interface.0, new)?;
            for (old, new) in paths(old).zip(paths(new)) {
                segment.rename(&old, &new)?;
            }
            Ok(())
        })
    }

    /// Sets all counters of all interfaces to 0, while no thread counts.
    pub(crate) fn zero(&self) {
        self.combined().for_each(|(_, counter)| counter.zero_all());
        self.simple().for_each(|(_, counter)| counter.zero_all());
    }

    /// The same of one interface.
    pub(crate) fn zero_of(&self, interface: SwIfIndex) {
        self.combined().for_each(|(_, counter)| counter.zero(interface.0));
        self.simple().for_each(|(_, counter)| counter.zero(interface.0));
    }

    /// What `show interface` lists for an interface, in its order: name and number, those that are not 0.
    #[must_use]
    pub fn of(&self, interface: SwIfIndex) -> Vec<(String, u64)> {
        let mut lines = Vec::new();
        for (name, counter) in self.combined() {
            let Count { packets, bytes } = counter.sum(interface.0);
            if packets != 0 {
                lines.push((format!("{name} packets"), packets));
                lines.push((format!("{name} bytes"), bytes));
            }
        }
        let simple = self.simple().map(|(name, counter)| (name, counter.sum(interface.0)));
        lines.extend(simple.filter(|(_, n)| *n != 0).map(|(name, n)| (name.to_owned(), n)));
        lines
    }
}

/// Links all counters of an interface, or none.
fn link_all(segment: &mut Segment, name: &str, index: u32) -> Result<(), CounterError> {
    for (done, (path, counter)) in paths(name).zip(NAMES).enumerate() {
        if let Err(error) = segment.link(&path, &format!("/if/{counter}"), index) {
            for path in paths(name).take(done) {
                segment.remove(&path)?;
            }
            return Err(error);
        }
    }
    Ok(())
}

fn paths(name: &str) -> impl Iterator<Item = String> {
    let name = segment_name(name);
    NAMES.iter().map(move |counter| format!("/interfaces/{name}/{counter}"))
}
