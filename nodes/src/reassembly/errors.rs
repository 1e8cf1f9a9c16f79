//! What the nodes of reassembly count.

vnet::node_errors! {
    /// Why fragments end, in VPP's words where it has them, and what became of the others.
    pub(crate) enum Error {
        Duplicate => ("reass-duplicate-fragment", "duplicate/overlapping fragments", Error),
        Overlap => ("reass-overlapping-fragment", "fragments of a datagram whose fragments contradict each other", Error),
        Limit => ("reass-limit-reached", "drops due to concurrent reassemblies limit", Error),
        TooLong => ("reass-fragment-chain-too-long", "fragment chain too long (drop)", Error),
        TooBig => ("reass-too-big", "fragments of a datagram of more than 65535 octets", Error),
        NoBuffer => ("reass-no-buf", "out of buffers (drop)", Error),
        Malformed => ("reass-malformed-packet", "malformed packets", Error),
        InvalidLength => ("reass-invalid-frag-len", "invalid fragment length", Error),
        NoUpperLayer => ("reass-no-upper-layer", "first fragment ends before the upper layer", Error),
        Timeout => ("reass-timeout", "fragments dropped due to reassembly timeout", Error),
        Reset => ("reass-reset", "fragments dropped since the settings changed", Error),
        Success => ("reass-success", "successful reassemblies", Info),
        Reassembled => ("reass-fragments-reassembled", "fragments reassembled", Info),
    }
}
