//! What a traced packet leaves.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet::trace::{TraceCx, TraceRecord};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::key::{IP4_WORDS, Layer4, VALID};

/// The action of packets of sessions, as VPP counts on from those of rules.
pub(crate) const OF_SESSION: u32 = 3;

/// What became of a packet. Numbers that are not there are all ones.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Note {
    pub(crate) context: u32,
    pub(crate) interface: u32,
    pub(crate) acl: u32,
    pub(crate) rule: u32,
    pub(crate) action: u32,
}

/// That, and the packet's key.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Trace {
    key: [u64; 5],
    note: Note,
    words: u32,
}

impl Trace {
    pub(crate) fn new<const N: usize>(note: &Note, words: &[u64; N]) -> Self {
        let mut key = [0; 5];
        key.iter_mut().zip(words).for_each(|(to, word)| *to = *word);
        Self { key, note: *note, words: N as u32 }
    }

    fn addresses(&self) -> (&'static str, IpAddr, IpAddr) {
        let [a, b, c, d, _] = self.key;
        if self.words == IP4_WORDS as u32 {
            let address = |word: u64| Ipv4Addr::from(word as u32).into();
            return ("ip4", address(a >> 32), address(a));
        }
        let address =
            |high: u64, low: u64| Ipv6Addr::from(u128::from(high) << 64 | u128::from(low)).into();
        ("ip6", address(a, b), address(c, d))
    }
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Note { context, interface, acl, rule, action } = self.note;
        let signed = u32::cast_signed;
        let (context, acl, rule) = (signed(context), signed(acl), signed(rule));
        writeln!(
            f,
            "acl-plugin: lc_index: {context}, sw_if_index {interface}, action: {action}, match: acl {acl} rule {rule}"
        )?;
        let (family, source, destination) = self.addresses();
        let word = self.key[(self.words as usize).clamp(1, self.key.len()) - 1];
        let (fields, valid) = (Layer4(word), word & VALID != 0);
        let valid = if valid { "valid" } else { "invalid" };
        write!(
            f,
            "  l3 {family} {source} -> {destination} l4 proto {} port {} -> {} ({valid}) tcp flags {:02x}",
            fields.protocol(),
            fields.source(),
            fields.destination(),
            fields.flags()
        )
    }
}
