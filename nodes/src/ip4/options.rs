//! `ip4-options`: packets with options (RFC 791, section 3.1), what becomes of them by RFC 7126.
//!
//! | option | |
//! |---|---|
//! | loose and strict source routing | refused: senders are told (RFC 1812, section 5.2.4.1, source route failed) |
//! | router alert | passes: nothing here is to be alerted to in transit (RFC 6398, section 5) |
//! | record route, timestamp, others | pass as they are: where packets went is nobody's business, and a packet that asks does no harm |
//!
//! Options that contradict themselves end the packet, and the sender is told where (RFC 1122, section 3.2.2.5).

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{ArcIndex, Node, NodeCx, NodeSpec, Verdict},
    wire::ip4::Header,
};

use super::input::is_multicast;
use crate::{
    icmp::Report,
    ip::ArcStarts,
    trace::{Ip4Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip4-options`.
    pub(crate) enum Next {
        Drop => "ip4-drop",
        Lookup => "ip4-lookup",
        IcmpError => "ip4-icmp-error",
    }
}

vnet::node_errors! {
    /// Why packets end here.
    pub(crate) enum Error {
        Malformed => ("bad-option", "ip4 option contradicts itself", Error),
        SourceRoute => ("source-route", "ip4 source route refused", Error),
    }
}

const FIXED: usize = size_of::<Header>();
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;
const RECORD_ROUTE: u8 = 7;
const ROUTER_ALERT: u8 = 148;

/// The node.
pub(super) struct Options {
    unicast: ArcIndex,
    multicast: ArcIndex,
}

impl Options {
    pub(super) fn spec() -> NodeSpec {
        NodeSpec::internal("ip4-options", |at| Self {
            unicast: at.arc("ip4-unicast"),
            multicast: at.arc("ip4-multicast"),
        })
    }
}

/// Whether options let a packet go on.
///
/// # Errors
/// Why not, and where in them that is.
fn check(options: &[u8]) -> Result<(), (Error, usize)> {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        let length = match kind {
            END => return Ok(()),
            NO_OPERATION => {
                at += 1;
                continue;
            }
            _ => options.get(at + 1).map_or(0, |&length| usize::from(length)),
        };
        if length < 2 || at + length > options.len() {
            return Err((Error::Malformed, at + 1));
        }
        match kind {
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => return Err((Error::SourceRoute, at)),
            // Three octets and a pointer to one behind them; four.
            RECORD_ROUTE if length < 3 || options[at + 2] < 4 => {
                return Err((Error::Malformed, at + 2));
            }
            ROUTER_ALERT if length != 4 => return Err((Error::Malformed, at + 1)),
            _ => {}
        }
        at += length;
    }
    Ok(())
}

impl Node for Options {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each(frame, |cx, buffer| {
            let header = buffer.view::<Header>().map_or(0, Header::header_length);
            let Some(options) = buffer.current().get(FIXED..header) else {
                cx.error(buffer, Error::Malformed);
                return Next::Drop.into();
            };
            let Err((error, at)) = check(options) else {
                let starts = [self.unicast, self.multicast];
                return ArcStarts::new(cx, starts, buffer.rx, Next::Lookup)
                    .enter(buffer, is_multicast);
            };
            cx.error(buffer, error);
            match error {
                Error::Malformed => Report::erroneous4((FIXED + at) as u8),
                Error::SourceRoute => Report::SOURCE_ROUTE4,
            }
            .note(buffer);
            Next::IcmpError.into()
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_pass_or_end_by_what_they_are_and_where() {
        for passes in [
            &[][..],
            &[1, 1, 1, 1],
            &[0, 131, 9, 9],
            &[7, 7, 4, 0, 0, 0, 0, 0],
            &[68, 4, 5, 0],
            &[148, 4, 0, 0],
            &[222, 4, 1, 2],
        ] {
            assert_eq!(check(passes).map_err(|(_, at)| at), Ok(()), "{passes:?}");
        }
        for (options, error, at) in [
            (&[131, 3, 4, 0][..], Error::SourceRoute, 0),
            (&[1, 137, 3, 4], Error::SourceRoute, 1),
            (&[7, 1, 0, 0], Error::Malformed, 1),
            (&[7, 0, 0, 0], Error::Malformed, 1),
            (&[7, 3, 3, 0], Error::Malformed, 2),
            (&[7, 2, 0, 0], Error::Malformed, 2),
            (&[148, 3, 0, 0], Error::Malformed, 1),
            (&[1, 1, 1, 7], Error::Malformed, 4),
            (&[222, 5, 0, 0], Error::Malformed, 1),
        ] {
            assert_eq!(check(options), Err((error, at)), "{options:?}");
        }
    }
}
