//! Records of layers with both directions of a flow (RFC 5103): the fields of the profile `rfc`, and the reverse ones of what is
//! counted.
//!
//! Both directions of a flow pass an interface, one of them on receipt and one on sending, or both on receipt where it hears a
//! link. So such flows are those of an interface, and not of two: a meter is shown the interface at which a packet was observed
//! as [`Observed::rx`](crate::flow::Observed), whichever way it went. A record has it as that by which the initiator's packets
//! came, or left.

use super::{Field, FieldList, Kinds, Role, Value, table::plain};
use crate::{
    flow::{Config, Direction, Families, FlowRecord, Keys, RecordSet, Selection},
    interface::SwIfIndex,
    ipfix::profile::{FlowEncoder, FlowTemplates},
};

/// The fields of records with both directions.
#[derive(Clone, Debug)]
pub struct BiflowFields {
    ip: FieldList,
    /// Of frames without IP.
    frames: FieldList,
}

/// What records of every flow begin with, behind their interfaces.
const COMMON: &str = "biflowDirection,packetDeltaCount,reversePacketDeltaCount,flowStartMilliseconds,flowEndMilliseconds,\
                      reverseFlowStartMilliseconds,reverseFlowEndMilliseconds,flowEndReason";
const LINK: &str = "sourceMacAddress,destinationMacAddress,ethernetType,vlanId";
const FRAME_OCTETS: &str = "layer2OctetDeltaCount,reverseLayer2OctetDeltaCount";
const NETWORK: &str = "sourceIPv4Address,destinationIPv4Address,sourceIPv6Address,destinationIPv6Address,protocolIdentifier,\
                       octetDeltaCount,reverseOctetDeltaCount";
const TRANSPORT: &str = "sourceTransportPort,destinationTransportPort,tcpControlBits,reverseTcpControlBits,\
                         icmpTypeCodeIPv4,icmpTypeCodeIPv6";

/// Where the initiator's packets were seen.
static POINT: [Field; 3] = [
    point("ingressInterface", |record| interface(record, Direction::Ingress)),
    point("egressInterface", |record| interface(record, Direction::Egress)),
    point("flowDirection", |record| record.direction as u64),
];

impl BiflowFields {
    /// Of these layers; `None` without layer 3, since both ends of a flow must be known.
    #[must_use]
    pub fn new(set: RecordSet) -> Option<Self> {
        if !set.contains(RecordSet::L3) {
            return None;
        }
        let blocks = |blocks: &[(bool, &str)]| {
            let given = blocks.iter().filter(|(given, _)| *given).map(|(_, words)| *words);
            let list = FieldList::read(&given.collect::<Vec<_>>().join(","));
            list.ok().map(|list| list.behind(&POINT))
        };
        let (l2, l4) = (set.contains(RecordSet::L2), set.contains(RecordSet::L4));
        let ip = [(true, COMMON), (l2, LINK), (true, NETWORK), (l4, TRANSPORT)];
        let frames = [(true, COMMON), (true, LINK), (true, FRAME_OCTETS)];
        Some(Self { ip: blocks(&ip)?, frames: blocks(&frames)? })
    }

    /// What a meter must do for such records, where `config` is what was asked of it otherwise.
    #[must_use]
    pub fn metering(&self, config: Config) -> Config {
        let (ip, frames) = (self.ip.selection(), self.frames.selection());
        let observed = |keys: Keys| keys | Keys::INGRESS;
        let selection = Selection {
            ip4: observed(ip.ip4),
            ip6: observed(ip.ip6),
            other: observed(frames.other),
            ..ip
        };
        Config { selection: Some(selection), ..config }
    }

    /// The templates of a meter of `families`, compiled.
    #[must_use]
    pub fn templates(&self, families: Families) -> FlowTemplates {
        FlowTemplates::by_kind(families, |kinds| self.encoder(kinds))
    }

    fn encoder(&self, kinds: Kinds) -> Option<FlowEncoder> {
        if kinds == Kinds::OTHER { self.frames.encoder(kinds) } else { self.ip.encoder(kinds) }
    }
}

const fn point(name: &'static str, value: fn(&FlowRecord) -> u64) -> Field {
    let field = plain(name, Role::Derived, Kinds::all(), Value::Number(value));
    Field { needs_biflow: true, ..field }
}

/// That at which the flow was observed, if the initiator's packets go this way there; else 0, for none.
fn interface(record: &FlowRecord, direction: Direction) -> u64 {
    let is_known = record.direction == direction && record.ingress != SwIfIndex::NONE;
    if is_known { record.ingress.0.into() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::{elements::Registry, template::FieldSpecifier};

    fn names(set: RecordSet, families: Families) -> Vec<Vec<String>> {
        let templates = BiflowFields::new(set).unwrap().templates(families);
        let name =
            |field: &FieldSpecifier| Registry::new().resolve(field.element).name.into_owned();
        templates.encoders().iter().map(|e| e.fields().iter().map(name).collect()).collect()
    }

    /// By hand: RFC 5103 section 5 (each counter and time has a reverse one), and what layers have in the profile `rfc`.
    #[test]
    fn records_have_each_count_twice_and_each_end_once() {
        let all = names(RecordSet::L3 | RecordSet::L4, Families::IP4);
        let common = "ingressInterface egressInterface flowDirection biflowDirection packetDeltaCount \
                      reversePacketDeltaCount flowStartMilliseconds flowEndMilliseconds reverseFlowStartMilliseconds \
                      reverseFlowEndMilliseconds flowEndReason sourceIPv4Address destinationIPv4Address \
                      protocolIdentifier octetDeltaCount reverseOctetDeltaCount";
        let tcp =
            "sourceTransportPort destinationTransportPort tcpControlBits reverseTcpControlBits";
        let split = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            all,
            [
                [split(common), split(tcp)].concat(),
                [split(common), split("icmpTypeCodeIPv4")].concat()
            ]
        );
        let frames = names(RecordSet::L3, Families::OTHER);
        assert!(frames[0].ends_with(&split("layer2OctetDeltaCount reverseLayer2OctetDeltaCount")));
    }

    #[test]
    fn both_ends_of_a_flow_must_be_recorded() {
        assert!(BiflowFields::new(RecordSet::L2 | RecordSet::L4).is_none());
    }
}
