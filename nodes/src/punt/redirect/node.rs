//! The nodes.

use core::fmt;

use vnet::{
    buffer::{Buffer, BufferFlags},
    error::ErrorIndex,
    fib::{Dpo, DpoKind, ForwardingReader, LoadBalanceIndex},
    graph::{Map, NodeSpec, PacketCx, Slot},
    trace::{TraceCx, TraceRecord},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ip::{Decision, Family, decision};

vnet::node_errors! {
    /// What is counted, and why punted packets end here.
    pub(super) enum Error named by text {
        Redirected => ("redirected", "punted packets redirected", Info),
        Drop => ("drop", "punt redirect drop", Error, Unroutable),
    }
}

/// The node of a family.
pub(super) fn spec<F: Family>(reader: ForwardingReader) -> NodeSpec {
    let (_, name) = super::names(F::FAMILY);
    NodeSpec::map(name, move |_| Redirect::<F> {
        reader: reader.clone(),
        of: core::marker::PhantomData,
    })
}

struct Redirect<F> {
    reader: ForwardingReader,
    of: core::marker::PhantomData<fn() -> F>,
}

impl<F: Family> Redirect<F> {
    /// What becomes of a packet that goes by a word.
    fn dpo(&self, buffer: &mut Buffer, word: LoadBalanceIndex) -> Dpo {
        let dpo = self.reader.load_balance(word);
        if dpo.kind() != DpoKind::Multi {
            return dpo;
        }
        buffer.flow_hash = F::flow(buffer).hash();
        self.reader.bucket(dpo, buffer.flow_hash)
    }
}

impl<F: Family> Map for Redirect<F> {
    type Error = Error;
    type Next = F::LookupNext;
    type Trace = Trace;

    fn map(
        &mut self,
        cx: &mut PacketCx<'_, F::LookupNext, Error>,
        buffer: &mut Buffer,
    ) -> Slot<F::LookupNext> {
        let word = self.reader.punt_redirect(buffer.rx, F::FAMILY);
        if word == LoadBalanceIndex::NONE {
            return cx.next_feature(buffer);
        }
        let dpo = self.dpo(buffer, word);
        let way = decision(dpo);
        if !matches!(
            way,
            Decision::Rewrite | Decision::Midchain | Decision::Unresolved | Decision::Glean
        ) {
            // To the next hop of a recursive path there is no way, or none that leads on from here.
            cx.error(buffer, Error::Drop);
            return F::lookup_next(Decision::Drop);
        }
        // It is not routed, so that its TTL stays; but one that comes by again ages, and does not go round for ever.
        if buffer.flags().contains(BufferFlags::REDIRECTED) {
            buffer.clear_flags(BufferFlags::LOCALLY_ORIGINATED);
        } else {
            buffer.set_flags(BufferFlags::LOCALLY_ORIGINATED | BufferFlags::REDIRECTED);
        }
        buffer.error = ErrorIndex::NONE;
        buffer.adjacency = dpo.index();
        cx.count(Error::Redirected, 1);
        F::lookup_next(way)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { word: self.reader.punt_redirect(buffer.rx, F::FAMILY).0 }
    }
}

/// What is recorded of a traced packet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Trace {
    word: u32,
}

impl TraceRecord for Trace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        match LoadBalanceIndex(self.word) {
            LoadBalanceIndex::NONE => f.write_str("ignore"),
            word => write!(f, "via redirect:{word}"),
        }
    }
}
