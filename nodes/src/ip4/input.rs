//! `ip4-input`: is this a packet that may be forwarded (RFC 1812, section 5.2.2)?

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{ArcIndex, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    wire::{checksum, ip4::Header},
};

use crate::{
    ip::ArcStarts,
    ip4::Error,
    trace::{Ip4Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip4-input`.
    pub(crate) enum Next {
        Drop => "error-drop",
        Lookup => "ip4-lookup",
        Options => "ip4-options",
    }
}

/// The node; one instance checks header checksums, the other trusts the device.
pub(crate) struct Input {
    unicast: ArcIndex,
    multicast: ArcIndex,
    verify_checksum: bool,
}

impl Input {
    /// Registration of `ip4-input` and `ip4-input-no-checksum`.
    pub(crate) fn specs() -> [NodeSpec; 2] {
        let spec = |name, verify_checksum| {
            NodeSpec::internal(name, move |at| Self {
                unicast: at.arc("ip4-unicast"),
                multicast: at.arc("ip4-multicast"),
                verify_checksum,
            })
        };
        let plain = spec("ip4-input", true);
        [plain, spec("ip4-input-no-checksum", false).sibling_of("ip4-input")]
    }

    /// Whether a packet without options is as it should be. `length` is at least that of its header.
    #[inline(always)]
    fn is_plain<const VERIFY: bool>(ip: &Header, length: usize) -> bool {
        const HEADER: u32 = size_of::<Header>() as u32;
        let payload = u32::from(ip.total_length.get()).wrapping_sub(HEADER);
        // Less than a header wraps around to more than any length.
        payload <= (length as u32).wrapping_sub(HEADER)
            && ip.version_ihl == Header::VERSION_IHL
            && ip.ttl > 0
            && !ip.has_offset_one()
            && (!VERIFY || checksum::is_ip4_header_intact(ip))
    }

    #[inline(always)]
    fn map<const VERIFY: bool>(
        cx: &PacketCx<'_, Next, Error>,
        starts: ArcStarts<Next>,
        buffer: &mut Buffer,
    ) -> Slot<Next> {
        buffer.l3_offset = buffer.current_data();
        let length = buffer.length_in_chain();
        let is_plain =
            buffer.view::<Header>().is_some_and(|ip| Self::is_plain::<VERIFY>(ip, length));
        if !is_plain {
            return match check(buffer, VERIFY) {
                Ok(()) => Next::Options.into(),
                Err(error) => {
                    cx.error(buffer, error);
                    Next::Drop.into()
                }
            };
        }
        starts.enter(buffer, is_multicast)
    }

    fn run<const VERIFY: bool>(
        &self,
        cx: &mut NodeCx<'_, Next, Error>,
        frame: &mut Frame,
    ) -> Verdict<Next> {
        cx.each_run(
            frame,
            |_, buffer| buffer.rx,
            |cx, rx| ArcStarts::new(cx, [self.unicast, self.multicast], rx, Next::Lookup),
            |cx, starts, buffer| Self::map::<VERIFY>(cx, *starts, buffer),
            |cx, rx, _, packets| cx.state().interfaces.ip4.add(rx.0, packets as u64),
        )
    }
}

pub(super) fn is_multicast(buffer: &Buffer) -> bool {
    buffer.view::<Header>().is_some_and(|ip| ip.destination[0] & 0xf0 == 0xe0)
}

/// What is wrong with a packet that did not pass the quick test, which packets with options never do.
#[cold]
fn check(buffer: &Buffer, verify_checksum: bool) -> Result<(), Error> {
    let Some(ip) = buffer.view::<Header>() else { return Err(Error::TooShort) };
    let length = buffer.length_in_chain();
    if ip.version() != 4 {
        return Err(Error::Version);
    }
    let total = ip.total_length.get() as usize;
    let header = ip.header_length();
    if header < size_of::<Header>() || total < header {
        return Err(Error::TooShort);
    }
    if total > length {
        return Err(Error::BadLength);
    }
    let Some(bytes) = buffer.current().get(..header) else {
        return Err(Error::BadLength);
    };
    if verify_checksum && checksum::of(bytes) != 0 {
        return Err(Error::BadChecksum);
    }
    if ip.has_offset_one() {
        return Err(Error::FragmentOffsetOne);
    }
    if ip.ttl == 0 {
        return Err(Error::TimeExpired);
    }
    Ok(())
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        if self.verify_checksum {
            self.run::<true>(cx, frame)
        } else {
            self.run::<false>(cx, frame)
        }
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}
