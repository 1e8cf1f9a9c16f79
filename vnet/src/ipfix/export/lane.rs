//! The destinations of an exporter while it runs, and which of them a record takes.

use super::{
    destination::{Destination, Policy},
    rate::Bucket,
    stream::{Outlet, Stream},
    time::ExportTime,
    transport::{Outgoing, SendError, Session, Transport},
};

/// A destination, and how it fares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) destination: Destination,
    /// As its transport said when the pass began.
    pub(super) reachable: bool,
    /// Whether the last message failed.
    pub(super) failing: bool,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A record of a flow with this hash.
    Flow(u32),
    /// Anything else.
    Other,
}

impl Lane {
    pub(super) fn new(destination: Destination) -> Self {
        Self { destination, reachable: true, failing: false }
    }

    /// Hands a finished message over.
    pub(super) fn send(
        &mut self,
        outgoing: Outgoing<'_>,
        transport: &mut dyn Transport,
    ) -> Result<(), SendError> {
        let sent = match self.destination {
            Destination::Udp(exporter) => {
                transport.send(&Session { exporter, stream: outgoing.stream }, outgoing.message)
            }
            Destination::Reliable(id) => transport.queue(id, outgoing),
        };
        self.failing = sent.is_err();
        sent
    }
}

/// All ways out of an exporter, while something is sent.
pub(super) struct Ways<'a> {
    pub(super) lanes: &'a mut [Lane],
    pub(super) policy: Policy,
    bucket: &'a mut Bucket,
    pub(super) export_time: ExportTime,
    pub(super) transport: &'a mut dyn Transport,
    /// The first error since somebody took it from here, of those after which no lane was left that takes messages.
    failure: Option<SendError>,
}

impl<'a> Ways<'a> {
    pub(super) fn new(
        lanes: &'a mut [Lane],
        policy: Policy,
        bucket: &'a mut Bucket,
        export_time: ExportTime,
        transport: &'a mut dyn Transport,
    ) -> Self {
        Self { lanes, policy, bucket, export_time, transport, failure: None }
    }

    /// The same, for a while.
    pub(super) fn again(&mut self) -> Ways<'_> {
        Ways::new(self.lanes, self.policy, self.bucket, self.export_time, self.transport)
    }

    /// Lets `f` send through lane `at`.
    #[inline]
    pub(super) fn through<R>(&mut self, at: usize, f: impl FnOnce(&mut Outlet<'_>) -> R) -> R {
        let Self { lanes, bucket, transport, export_time, .. } = self;
        let lane = &mut lanes[at];
        let mut send = |outgoing: Outgoing<'_>| {
            bucket.take(outgoing.message.len());
            lane.send(outgoing, &mut **transport)
        };
        let mut outlet = Outlet { export_time: *export_time, send: &mut send, failure: None };
        let result = f(&mut outlet);
        if let Some(error) = outlet.failure
            && self.lanes.iter().all(|lane| lane.failing || !lane.reachable)
        {
            self.failure.get_or_insert(error);
        }
        result
    }

    /// Sends what is open of a stream, on every lane.
    pub(super) fn flush(&mut self, streams: &mut [Stream]) {
        for (at, stream) in streams.iter_mut().enumerate() {
            self.through(at, |outlet| stream.flush(outlet));
        }
    }

    /// Whether lane `at` takes `what`.
    #[inline]
    pub(super) fn takes(&self, at: usize, what: What) -> bool {
        takes(self.lanes, self.policy, at, what)
    }

    /// Whether the rate lets nothing more be sent now.
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.bucket.is_empty()
    }

    #[inline]
    pub(super) fn take_failure(&mut self) -> Option<SendError> {
        self.failure.take()
    }
}

/// Whether lane `at` takes `what`.
#[inline]
fn takes(lanes: &[Lane], policy: Policy, at: usize, what: What) -> bool {
    if lanes.len() == 1 {
        return true;
    }
    match (policy, what) {
        (Policy::Copy, _) | (Policy::Share, What::Other) => true,
        (Policy::Failover, _) => at == lanes.iter().position(|lane| lane.reachable).unwrap_or(0),
        (Policy::Share, What::Flow(hash)) => at == owner(lanes, hash),
    }
}

/// The lane that a flow belongs to: the one with the highest weight of those that can be reached (rendezvous hashing), so
/// that a lane that goes moves no flow of the others.
fn owner(lanes: &[Lane], hash: u32) -> usize {
    let any = lanes.iter().any(|lane| lane.reachable);
    let candidates = lanes.iter().enumerate().filter(|(_, lane)| lane.reachable || !any);
    candidates.map(|(at, _)| (weight(hash, at), at)).max().map_or(0, |(_, at)| at)
}

/// Mixes both well (the finalizer of SplitMix64).
fn weight(hash: u32, at: usize) -> u64 {
    let mut z = (u64::from(hash) << 32 | at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::export::ReliableId;

    fn lanes(reachable: &[bool]) -> Vec<Lane> {
        let lane = |(n, &reachable)| Lane {
            reachable,
            ..Lane::new(Destination::Reliable(ReliableId(n as u32)))
        };
        reachable.iter().enumerate().map(lane).collect()
    }

    fn taken(lanes: &[Lane], policy: Policy, what: What) -> Vec<usize> {
        (0..lanes.len()).filter(|&at| takes(lanes, policy, at, what)).collect()
    }

    #[test]
    fn failover_takes_the_first_that_can_be_reached() {
        let what = What::Flow(7);
        for (reachable, expected) in
            [([true, true, true], 0), ([false, true, true], 1), ([false, false, true], 2)]
        {
            assert_eq!(taken(&lanes(&reachable), Policy::Failover, what), [expected]);
        }
        assert_eq!(taken(&lanes(&[false, false]), Policy::Failover, what), [0]);
    }

    #[test]
    fn shares_are_even_and_a_lane_that_goes_moves_only_its_own_flows() {
        let (all, two) = (lanes(&[true, true, true]), lanes(&[true, false, true]));
        let mut counts = [0; 3];
        for hash in 0..30_000_u32 {
            let what = What::Flow(hash.wrapping_mul(0x9e37_79b9));
            let before = taken(&all, Policy::Share, what);
            let after = taken(&two, Policy::Share, what);
            counts[before[0]] += 1;
            assert!(before.len() == 1 && after.len() == 1 && after[0] != 1);
            assert!(before[0] == 1 || before == after);
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(taken(&all, Policy::Share, What::Other), [0, 1, 2]);
    }
}
