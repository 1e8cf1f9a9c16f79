//! An interface table in which everything is found by looking at all of it.

use super::*;

/// An interface as the naive table has it; everything is found by looking at all of them.
#[derive(Clone, Debug)]
pub(super) struct Naive {
    pub(super) index: u32,
    pub(super) name: String,
    ethernet: bool,
    above: Option<(u32, u32, TagMatch)>,
    pub(super) up: bool,
    pub(super) addresses: Vec<InterfaceAddress>,
    link_local: bool,
    tables: [u32; 2],
    pub(super) donor: Option<u32>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct NaiveTable {
    pub(super) all: Vec<Naive>,
    /// Indices free for use, the one freed last at the end.
    free: Vec<u32>,
    used: u32,
}

impl NaiveTable {
    pub(super) fn new() -> Self {
        let mut table = Self::default();
        table.insert("local0".to_owned(), false, None);
        table
    }

    fn insert(&mut self, name: String, ethernet: bool, above: Option<(u32, u32, TagMatch)>) -> u32 {
        let index = self.free.pop().unwrap_or(self.used);
        self.used = self.used.max(index + 1);
        let (addresses, tables) = (Vec::new(), [0; 2]);
        let new = Naive {
            index,
            name,
            ethernet,
            above,
            up: false,
            addresses,
            link_local: false,
            tables,
            donor: None,
        };
        self.all.push(new);
        index
    }

    fn delete(&mut self, index: u32) {
        self.all.retain(|other| other.index != index);
        for other in &mut self.all {
            other.donor = other.donor.filter(|donor| *donor != index);
        }
        self.free.push(index);
    }

    fn get(&mut self, index: u32) -> Option<&mut Naive> {
        self.all.iter_mut().find(|other| other.index == index && index != 0)
    }

    fn taken(&self, name: &str) -> bool {
        self.all.iter().any(|other| other.name.replace('/', "_") == name.replace('/', "_"))
    }

    /// What the step does, or `None` when it is refused. Creations return their index.
    pub(super) fn run(&mut self, step: &Step) -> Option<Option<u32>> {
        match step {
            Step::CreateHardware(number) => {
                let name = name(*number);
                return (!self.taken(&name)).then(|| Some(self.insert(name, *number != 1, None)));
            }
            Step::CreateSub { on, id, tags } => {
                let above = self.get(*on)?.clone();
                let subs = self.all.iter().filter_map(|sub| sub.above).filter(|sub| sub.0 == *on);
                let blocked = { subs }.any(|(_, other, t)| other == *id || t.collides(tags));
                if above.above.is_some() || !above.ethernet || blocked {
                    return None;
                }
                let name = format!("{}.{id}", above.name);
                return Some(Some(self.insert(name, true, Some((*on, *id, *tags)))));
            }
            Step::DeleteHardware(i) => {
                if self.get(*i)?.above.is_some() {
                    return None;
                }
                let subs = self.all.iter().filter_map(|sub| Some((sub.above?, sub.index)));
                let mut subs: Vec<_> = subs.filter(|(above, _)| above.0 == *i).collect();
                subs.sort_by_key(|((_, id, _), _)| *id);
                for (_, sub) in subs.into_iter().rev() {
                    self.delete(sub);
                }
                self.delete(*i);
            }
            Step::DeleteSub(i) => {
                self.get(*i)?.above?;
                self.delete(*i);
            }
            Step::Rename(i, number) => {
                let (new, main) = (name(*number), self.get(*i)?.clone());
                if main.above.is_some() || (main.name != new && self.taken(&new)) {
                    return None;
                }
                for other in &mut self.all {
                    match other.above {
                        None if other.index == *i => other.name.clone_from(&new),
                        Some((above, id, _)) if above == *i => other.name = format!("{new}.{id}"),
                        _ => {}
                    }
                }
            }
            Step::Admin(i, up) => {
                let changed = self.get(*i)?.clone();
                let above = changed.above.and_then(|(above, ..)| self.get(above).map(|a| a.up));
                if *up && !changed.up && above == Some(false) {
                    return None;
                }
                self.get(*i)?.up = *up;
            }
            Step::AddAddress(i, address) => return self.add_address(*i, *address),
            Step::RemoveAddress(i, address) => {
                let changed = self.get(*i)?;
                let at = changed.addresses.iter().position(|held| held == address)?;
                changed.addresses.remove(at);
            }
            Step::Table(i, family, id) => {
                let lends = self.all.iter().any(|other| other.donor == Some(*i));
                let changed = self.get(*i)?;
                let table = &mut changed.tables[*family as usize];
                let held = changed.addresses.iter().any(|address| address.family() == *family);
                if *table != *id && (lends || held || changed.donor.is_some()) {
                    return None;
                }
                *table = *id;
            }
            Step::Unnumbered(i, donor) => return self.unnumber(*i, *donor),
            Step::Mtu(i, bytes) => {
                self.get(*i)?;
                return (*bytes <= 9000).then_some(None);
            }
        }
        Some(None)
    }

    fn add_address(&mut self, index: u32, new: InterfaceAddress) -> Option<Option<u32>> {
        let on = self.get(index)?.clone();
        let exact = on.above.is_none_or(|(_, _, tags)| routes(tags));
        if new.to_string().starts_with("fe80") {
            let fits = exact && new.length() == 128;
            self.get(index)?.link_local |= fits;
            return fits.then_some(None);
        }
        let table = |of: &Naive| of.tables[new.family() as usize];
        let clash = |other: &Naive, old: &InterfaceAddress| {
            let length = old.length().min(new.length());
            table(other) == table(&on)
                && same_network(*old, new, length)
                && !(other.index == index && old.length() == new.length() && *old != new)
        };
        let blocked = self.all.iter().any(|o| o.addresses.iter().any(|old| clash(o, old)));
        if !exact || on.donor.is_some() || blocked {
            return None;
        }
        self.get(index)?.addresses.push(new);
        Some(None)
    }

    fn unnumber(&mut self, index: u32, donor: Option<u32>) -> Option<Option<u32>> {
        let on = self.get(index)?.clone();
        let exact = |of: &Naive| of.above.is_none_or(|(_, _, tags)| routes(tags));
        if !exact(&on) {
            return None;
        }
        if let Some(donor) = donor.filter(|_| on.donor != donor) {
            let lends = self.all.iter().any(|other| other.donor == Some(index));
            let lender = self.get(donor)?;
            let able = exact(lender) && lender.donor.is_none() && lender.tables == on.tables;
            if !able || donor == index || !on.addresses.is_empty() || lends {
                return None;
            }
        }
        self.get(index)?.donor = donor;
        Some(None)
    }
}

/// Whether all frames of a sub-interface have the same tags, told from the words of its command.
fn routes(tags: TagMatch) -> bool {
    let words = tags.to_string();
    words == "untagged" || (words.ends_with("exact-match") && !words.contains("any"))
}

fn same_network(a: InterfaceAddress, b: InterfaceAddress, length: u8) -> bool {
    let bits = |address: InterfaceAddress| match address.address() {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let bit = |bytes: &[u8], n: u8| bytes[usize::from(n / 8)] >> (7 - n % 8) & 1;
    a.family() == b.family() && (0..length).all(|n| bit(&bits(a), n) == bit(&bits(b), n))
}
