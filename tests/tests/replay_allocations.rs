//! Replaying allocates nothing a packet: counted by the allocator.

use core::{ops::ControlFlow, time::Duration};
use std::io;

use nodes::capture::{Progress, Reader};
use peloton::{
    records::top::TopFlows,
    replay::run::{Replay, Sink},
};
use peloton_tests::{allocations, replay::Endless};
use vnet::{
    flow::{Config, Families, FlowRecord, RecordSet},
    ipfix::{
        file::{FileWriter, FlowFile},
        json,
        profile::Profile,
        time::Precision,
    },
};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// What a run's outputs do with records, and the allocations from packet to packet.
struct Measured {
    json: Vec<u8>,
    file: FlowFile<io::Sink>,
    top: TopFlows,
    set: RecordSet,
    records: u64,
    /// Packets and allocations after the first hundred thousand packets, and at the latest round.
    warm: Option<(u64, u64)>,
    last: (u64, u64),
}

impl Sink for Measured {
    fn record(&mut self, record: &FlowRecord, precision: Precision) {
        self.records += 1;
        self.json.clear();
        json::write_flow(&mut self.json, record, self.set, precision);
        self.file.write(record, 0).unwrap();
        self.top.record(record);
    }

    fn round(&mut self, progress: &Progress) -> ControlFlow<()> {
        self.last = (progress.packets, allocations::made());
        if progress.packets >= 100_000 && self.warm.is_none() {
            self.warm = Some(self.last);
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn no_packet_and_no_record_costs_an_allocation() {
    let set = RecordSet::L3 | RecordSet::L4 | RecordSet::VLAN;
    let families = Families::IP4 | Families::IP6;
    let config = Config {
        // A record of each flow every 20,000 packets.
        active: Duration::from_millis(20),
        max_flows: 4096,
        ..Config::new(families, set)
    };
    let templates = Profile::Rfc.templates(set, families);
    let mut measured = Measured {
        json: Vec::with_capacity(4096),
        file: FlowFile::new(FileWriter::new(io::sink(), "sink"), templates, 1, 0).unwrap(),
        top: TopFlows::new(10, &config),
        set,
        records: 0,
        warm: None,
        last: (0, 0),
    };
    let mut replay = Replay::new(config, 256, None).unwrap();
    let reader = Reader::from_stream("packets", Endless::new(1000, 1_000_000)).unwrap();
    replay.read(reader, &mut measured).unwrap();
    let (packets, allocations) = measured.warm.unwrap();
    let (last_packet, last_allocation) = measured.last;
    assert!(last_packet - packets >= 850_000 && measured.records > 40_000, "{}", measured.records);
    assert_eq!(last_allocation - allocations, 0);
}
