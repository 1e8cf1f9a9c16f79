//! `interface-output-offload`: does what a device cannot be left to do: makes checksums, and cuts large packets into those that
//! they stand for. `interface-output` sends packets here, and gets them back when nothing is left to do.

use vnet::{
    buffer::{Buffer, BufferFlags, Gso},
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, Slot, Verdict},
    interface::InterfaceViews,
    runtime::Shared,
    wire::{gso::Segments, link::LinkType, walk},
};

use crate::segments::finish_checksum;

vnet::next_nodes! {
    /// Where packets go from here.
    pub(crate) enum Next {
        Output => "interface-output",
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What is counted.
    pub(crate) enum Error {
        NoBuffer => ("no-buffer", "no buffers for the segments of a packet", Error),
        BadOffload => ("bad-offload", "offload that contradicts its packet", Error),
        Checksums => ("checksums", "checksums made", Info),
        Segments => ("segments", "segments made of large packets", Info),
    }
}

vnet::trace_record! {
    /// What is recorded of a traced packet. One that is cut goes on as the first of those that it stands for.
    pub(crate) struct Trace { checksum_offset: u32, gso_size: u32, length: u32, packets: u32 } =>
    "checksum-offset {checksum_offset} gso-size {gso_size} length {length} packets {packets}"
}

/// Its name.
pub(super) const OFFLOAD: &str = "interface-output-offload";

/// The node.
struct Offload {
    views: Shared<InterfaceViews>,
    /// The octets of the packet that is being cut.
    whole: Vec<u8>,
}

pub(super) fn spec(views: Shared<InterfaceViews>) -> NodeSpec {
    NodeSpec::internal(OFFLOAD, move |_| Offload { views: views.clone(), whole: Vec::new() })
}

type Cx<'a> = NodeCx<'a, Next, Error>;

impl Offload {
    /// Where the packet goes; it goes nowhere when others went in its place.
    fn finish(&mut self, cx: &mut Cx<'_>, buffer: &mut Buffer) -> Option<Slot<Next>> {
        if buffer.flags().contains(BufferFlags::TRACED) {
            cx.leave_trace(buffer, &self.trace(buffer));
        }
        let done = match buffer.offload().map(|offload| offload.gso) {
            None => Ok(true),
            Some(Gso::None) => make_checksum(cx, buffer).map(|()| true),
            Some(_) => self.cut(cx, buffer).map(|()| false),
        };
        match done {
            Ok(stays) => stays.then(|| Next::Output.into()),
            Err(error) => {
                cx.state_ref().interfaces.tx_error.add(buffer.tx.0, 1);
                cx.error(buffer, error);
                Some(Next::Drop.into())
            }
        }
    }

    /// Sends the packets for which `buffer` stands.
    fn cut(&mut self, cx: &mut Cx<'_>, buffer: &Buffer) -> Result<(), Error> {
        let ethernet = self.views.read(cx.token()).get(buffer.tx).is_some_and(|v| v.ethernet);
        let link = if ethernet { LinkType::Ethernet } else { LinkType::Raw };
        let network = walk::link(buffer.current(), link).map_err(|_| Error::BadOffload)?.payload;
        let segments = Segments::of(buffer, network).ok_or(Error::BadOffload)?;
        self.whole.clear();
        cx.for_each_segment(buffer, |bytes| self.whole.extend_from_slice(bytes));
        let count = segments.count();
        for i in 0..count {
            let fill = |cx: &mut Cx<'_>, new: &mut Buffer| {
                segment(cx, &self.whole, buffer, &segments, i, new).is_some()
            };
            if !cx.emit(Next::Output.into(), fill) {
                let left = (count - i) as u64;
                cx.count(Error::NoBuffer, left);
                cx.state_ref().interfaces.tx_error.add(buffer.tx.0, left);
                break;
            }
            cx.count(Error::Segments, 1);
        }
        Ok(())
    }
}

/// Builds the `i`-th of the packets for which `from` stands.
fn segment(
    cx: &mut Cx<'_>,
    whole: &[u8],
    from: &Buffer,
    segments: &Segments<'_>,
    i: usize,
    new: &mut Buffer,
) -> Option<()> {
    let payload = whole.get(segments.payload(i))?;
    segments.write(i, new.extend(segments.headers())?);
    if !cx.append_chain(new, payload) {
        return None;
    }
    new.describe_as(from);
    if i == 0 {
        new.trace_as(from);
    }
    new.wire_length = new.length_in_chain() as u32;
    new.offload = segments.checksum_only(new.current_data());
    new.set_flags(BufferFlags::OFFLOAD);
    make_checksum(cx, new).ok()
}

/// Makes the checksum that is still to be made; then nothing is left to do.
fn make_checksum(cx: &mut Cx<'_>, buffer: &mut Buffer) -> Result<(), Error> {
    if buffer.offload().is_some() {
        finish_checksum(cx, buffer).ok_or(Error::BadOffload)?;
        cx.count(Error::Checksums, 1);
    }
    Ok(())
}

impl Node for Offload {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut Cx<'_>, frame: &mut Frame) -> Verdict<Next> {
        cx.each_in_order(frame, |cx, buffer| self.finish(cx, buffer))
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        let offload = buffer.offload();
        Trace {
            checksum_offset: offload.map_or(0, |o| o.checksum_offset.into()),
            gso_size: offload.map_or(0, |o| o.gso_size.into()),
            length: buffer.length_in_chain() as u32,
            packets: buffer.on_wire().packets,
        }
    }
}
