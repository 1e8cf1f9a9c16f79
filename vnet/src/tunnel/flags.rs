//! What goes over from inner to outer headers, by VPP's names.

use core::fmt;

use bitflags::bitflags;

bitflags! {
    /// What goes over from the header inside to the one outside, and back. The congestion bits do so always, as RFC 6040 has it
    /// (normal mode), so that two of these are known and change nothing.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Flags: u8 {
        /// The outer packet is not to be fragmented when the inner one is not.
        const COPY_DF = 1 << 0;
        /// No outer packet is to be fragmented.
        const SET_DF = 1 << 1;
        /// The outer packet has the inner one's DSCP (RFC 2983, the uniform model); else it has 0 (the pipe model).
        const COPY_DSCP = 1 << 2;
        /// Always so.
        const COPY_ECN = 1 << 3;
        /// Always so.
        const DECAP_COPY_ECN = 1 << 4;
        /// The flow label of an outer IPv6 packet is of the inner packet's flow (RFC 6438).
        const INNER_HASH = 1 << 5;
        /// The outer packet begins with the inner one's TTL or hop limit.
        const COPY_HOP_LIMIT = 1 << 6;
        /// The outer IPv6 packet has the flow label of the inner one.
        const COPY_FLOW_LABEL = 1 << 7;
    }
}

impl Flags {
    /// Each flag with its word.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("encap-copy-df", Self::COPY_DF),
        ("encap-set-df", Self::SET_DF),
        ("encap-copy-dscp", Self::COPY_DSCP),
        ("encap-copy-ecn", Self::COPY_ECN),
        ("decap-copy-ecn", Self::DECAP_COPY_ECN),
        ("encap-inner-hash", Self::INNER_HASH),
        ("encap-copy-hop-limit", Self::COPY_HOP_LIMIT),
        ("encap-copy-flow-label", Self::COPY_FLOW_LABEL),
    ];
}

impl fmt::Display for Flags {
    /// As VPP shows them: `none`, or each word with a blank behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let set = Self::WORDS.iter().filter(|(_, flag)| self.contains(*flag));
        { set }.try_for_each(|(word, _)| write!(f, "{word} "))
    }
}
