//! Flow records on the wire: which templates a meter needs, which one a record takes, and its octets.
//!
//! A [`Profile`] is a way of writing flow records. Everything else asks it for [`FlowTemplates`] and never which
//! profile it is.

mod framing;
#[cfg(test)]
mod golden;
mod layout;
mod rfc;
mod switched;
#[cfg(test)]
mod switched_tests;
mod vpp;

use smallvec::SmallVec;

use super::{
    export::ExportTime,
    fields::{Kinds, Steps},
    template::{FieldSpecifier, TemplateId},
};
use crate::flow::{Addresses, Config, FlowRecord, StartTime};
pub use crate::flow::{Families, RecordSet};
pub use framing::{Fill, Framing, Sequence};

/// A way of writing flow records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// RFC 7011 and the IANA registry to the letter: millisecond times, 64-bit delta counters, ICMP in templates of
    /// its own, and a reason for the end of each flow.
    #[default]
    Rfc,
    /// What VPP's flowprobe sends, octet by octet, for collectors and tools made for that.
    Vpp,
}

impl Profile {
    /// All, the default first.
    pub const ALL: [Self; 2] = [Self::Rfc, Self::Vpp];

    /// The word of commands and of the startup file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rfc => "rfc",
            Self::Vpp => "vpp",
        }
    }

    /// What a meter must do for records of this profile, where `config` is what was asked of it.
    ///
    /// VPP: a flow that lives on keeps its start, IP behind tags or labels is none, and VLANs tell no flows apart.
    #[must_use]
    pub fn metering(self, config: Config) -> Config {
        match self {
            Self::Rfc => config,
            Self::Vpp => Config {
                record: config.record - RecordSet::VLAN,
                start_time: StartTime::Flow,
                plain_ip: true,
                ..config
            },
        }
    }

    /// The templates of a meter that records `set` of packets of `families`.
    ///
    /// RFC: layer 2 is always in the template of packets without IP, since it is all that tells their flows apart. The VLAN
    /// is part of layer 2, and can be recorded without the rest of it.
    #[must_use]
    pub fn templates(self, set: RecordSet, families: Families) -> FlowTemplates {
        let shapes = Shape::ALL.into_iter().filter(|shape| families.contains(shape.family()));
        match self {
            Self::Rfc => rfc::templates(set, shapes),
            Self::Vpp => vpp::templates(set, shapes),
        }
    }
}

/// Kinds of records that can differ in their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    NonIp,
    Ip4,
    Ip4Icmp,
    Ip6,
    Ip6Icmp,
}

impl Shape {
    const COUNT: usize = 5;
    /// In the order in which template identifiers are given out: VPP's, with ICMP beside its family.
    const ALL: [Self; Self::COUNT] =
        [Self::NonIp, Self::Ip4, Self::Ip4Icmp, Self::Ip6, Self::Ip6Icmp];

    #[inline]
    fn of(record: &FlowRecord) -> Self {
        const ICMP: u8 = 1;
        const ICMP6: u8 = 58;
        match record.addresses {
            Addresses::None => Self::NonIp,
            Addresses::V4(..) if record.protocol == ICMP => Self::Ip4Icmp,
            Addresses::V4(..) => Self::Ip4,
            Addresses::V6(..) if record.protocol == ICMP6 => Self::Ip6Icmp,
            Addresses::V6(..) => Self::Ip6,
        }
    }

    fn family(self) -> Families {
        self.kind().families()
    }

    fn kind(self) -> Kinds {
        match self {
            Self::NonIp => Kinds::OTHER,
            Self::Ip4 => Kinds::IP4,
            Self::Ip4Icmp => Kinds::ICMP4,
            Self::Ip6 => Kinds::IP6,
            Self::Ip6Icmp => Kinds::ICMP6,
        }
    }
}

/// Position of a template among those of its meter: index into what [`FlowTemplates::encoders`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TemplateSlot(u8);

impl TemplateSlot {
    const NONE: Self = Self(u8::MAX);

    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The templates of one meter, compiled: which one a record takes, and how its octets are written.
#[derive(Clone, Debug)]
pub struct FlowTemplates {
    framing: Framing,
    encoders: Vec<FlowEncoder>,
    /// Which class a record is of: index into `slots`.
    classify: fn(&FlowRecord) -> usize,
    slots: SmallVec<[TemplateSlot; Shape::COUNT]>,
    /// Identifiers, where they are fixed.
    ids: Vec<TemplateId>,
    untold: Option<FlowEncoder>,
    has_details: bool,
}

impl FlowTemplates {
    fn new(framing: Framing) -> Self {
        Self {
            framing,
            encoders: Vec::new(),
            classify: |record| Shape::of(record) as usize,
            slots: [TemplateSlot::NONE; Shape::COUNT].into(),
            ids: Vec::new(),
            untold: None,
            has_details: false,
        }
    }

    /// Those of a switch, as Open vSwitch has them; of meters whose flows are told apart as a
    /// [`Switch`](crate::flow::Switch) does. `framing` is [`Framing::SWITCH`] or [`Framing::OVS`].
    #[must_use]
    pub fn of_switch(framing: Framing) -> Self {
        switched::templates(framing)
    }

    /// The identifier of the `index`-th template, where it is fixed.
    #[must_use]
    pub fn id(&self, index: usize) -> Option<TemplateId> {
        self.ids.get(index).copied()
    }

    /// Templates of fields that are chosen by the kind of flow; kinds with the same fields share one.
    pub(in crate::ipfix) fn by_kind(
        families: Families,
        encoder: impl Fn(Kinds) -> Option<FlowEncoder>,
    ) -> Self {
        let mut templates = Self { has_details: true, ..Self::new(Framing::RFC) };
        for shape in Shape::ALL.into_iter().filter(|shape| families.contains(shape.family())) {
            if let Some(encoder) = encoder(shape.kind()) {
                templates.share(shape, encoder);
            }
        }
        templates
    }

    /// Whether records can have details that a template asks for.
    #[must_use]
    pub fn has_details(&self) -> bool {
        self.has_details
    }

    /// How the records are put into messages.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// One encoder a template, in the order of their identifiers.
    #[must_use]
    pub fn encoders(&self) -> &[FlowEncoder] {
        &self.encoders
    }

    /// The template for this record; `None` when the meter was not asked for its family, or see [`Self::untold`].
    #[inline]
    #[must_use]
    pub fn select(&self, record: &FlowRecord) -> Option<(TemplateSlot, &FlowEncoder)> {
        let slot = *self.slots.get((self.classify)(record))?;
        Some((slot, self.encoders.get(slot.index())?))
    }

    /// How a record is written that is sent although no template describes it.
    #[must_use]
    pub fn untold(&self, record: &FlowRecord) -> Option<&FlowEncoder> {
        self.untold.as_ref().filter(|_| Shape::of(record) == Shape::NonIp)
    }

    /// Adds the encoder of a class. At most one a class.
    fn add(&mut self, class: usize, encoder: FlowEncoder) {
        self.slots[class] = TemplateSlot(self.encoders.len() as u8);
        self.encoders.push(encoder);
    }

    /// Has a shape take the template of another one.
    fn alias(&mut self, shape: Shape, other: Shape) {
        self.slots[shape as usize] = self.slots[other as usize];
    }

    /// Adds the encoder of a shape, or shares that of an earlier shape which has the same fields.
    fn share(&mut self, shape: Shape, encoder: FlowEncoder) {
        match self.encoders.iter().position(|e| e.fields == encoder.fields) {
            Some(same) => self.slots[shape as usize] = TemplateSlot(same as u8),
            None => self.add(shape as usize, encoder),
        }
    }
}

/// Writes records of one template. The fields are compiled in: nothing is looked up per record.
#[derive(Clone, Debug)]
pub struct FlowEncoder {
    fields: Vec<FieldSpecifier>,
    len: usize,
    encode: Encode,
}

#[derive(Clone, Debug)]
enum Encode {
    /// One straight piece of code.
    Straight(fn(&FlowRecord, &mut [u8])),
    /// Field by field.
    Steps(Steps),
    /// Blocks, and what tells times by those of messages.
    Switched(switched::Switched),
}

impl FlowEncoder {
    /// The fields of the template.
    #[must_use]
    pub fn fields(&self) -> &[FieldSpecifier] {
        &self.fields
    }

    /// Octets of a record, the least where it has texts.
    #[must_use]
    pub fn record_len(&self) -> usize {
        self.len
    }

    /// Octets of this record.
    #[inline]
    #[must_use]
    pub fn len_of(&self, record: &FlowRecord) -> usize {
        match &self.encode {
            Encode::Straight(_) => self.len,
            Encode::Steps(steps) => self.len + steps.texts_len(record),
            Encode::Switched(switched) => self.len + switched.more(record),
        }
    }

    /// Writes `record`; `out` has exactly [`Self::len_of`] octets, else nothing is written.
    #[inline]
    pub fn encode(&self, record: &FlowRecord, out: &mut [u8]) {
        match &self.encode {
            Encode::Straight(encode) => encode(record, out),
            Encode::Steps(steps) => steps.encode(record, out),
            Encode::Switched(switched) => {
                // As if it were sent as soon as it ended.
                let time = ExportTime::from(record.end).seconds(Framing::SWITCH);
                switched.encode(record, time, out);
            }
        }
    }

    /// The same for a message whose header has this export time.
    #[inline]
    pub fn encode_at(&self, record: &FlowRecord, time: u32, out: &mut [u8]) {
        match &self.encode {
            Encode::Switched(switched) => switched.encode(record, time, out),
            _ => self.encode(record, out),
        }
    }

    /// Of fields that a user chose.
    pub(in crate::ipfix) fn of_steps(fields: Vec<FieldSpecifier>, steps: Steps) -> Self {
        let len = fields.iter().map(|field| field.min_len()).sum();
        Self { fields, len, encode: Encode::Steps(steps) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::tests::sample;

    fn lens(set: RecordSet, families: Families) -> Vec<usize> {
        Profile::Rfc
            .templates(set, families)
            .encoders()
            .iter()
            .map(FlowEncoder::record_len)
            .collect()
    }

    #[test]
    fn templates_have_the_documented_lengths() {
        let (l2, l3, l4) = (RecordSet::L2, RecordSet::L3, RecordSet::L4);
        for (set, ip4, ip6) in [
            (RecordSet::empty(), vec![42], vec![42]),
            (l2, vec![58], vec![58]),
            (l3, vec![51], vec![75]),
            (l4, vec![49, 45], vec![49, 45]),
            (l2 | l3, vec![67], vec![91]),
            (l2 | l4, vec![65, 61], vec![65, 61]),
            (l3 | l4, vec![57, 53], vec![81, 77]),
            (l2 | l3 | l4, vec![73, 69], vec![97, 93]),
        ] {
            assert_eq!(lens(set, Families::IP4), ip4, "{set:?}");
            assert_eq!(lens(set, Families::IP6), ip6, "{set:?}");
            assert_eq!(lens(set, Families::OTHER), [58], "{set:?}");
        }
        assert_eq!(lens(RecordSet::all(), Families::all()), [58, 73, 69, 97, 93]);
        assert_eq!(lens(l3 | l4 | RecordSet::VLAN, Families::IP4), [59, 55]);
        assert_eq!(lens(l2 | l3 | l4, Families::IP4), lens(RecordSet::all(), Families::IP4));
    }

    #[test]
    fn lengths_of_fields_add_up_to_the_record() {
        for set in 0..16 {
            let templates =
                Profile::Rfc.templates(RecordSet::from_bits_truncate(set), Families::all());
            for encoder in templates.encoders() {
                let sum: usize = encoder.fields().iter().map(|f| f.min_len()).sum();
                assert_eq!(sum, encoder.record_len());
            }
        }
    }

    #[test]
    fn a_record_takes_the_template_of_its_family() {
        let templates = Profile::Rfc.templates(RecordSet::all(), Families::all());
        for (slot, record) in sample::one_of_each_shape().iter().enumerate() {
            assert_eq!(templates.select(record).unwrap().0.index(), slot);
        }
        let only_ip4 = Profile::Rfc.templates(RecordSet::all(), Families::IP4);
        let selected: Vec<Option<usize>> = sample::one_of_each_shape()
            .iter()
            .map(|r| only_ip4.select(r).map(|(slot, _)| slot.index()))
            .collect();
        assert_eq!(selected, [None, Some(0), Some(1), None, None]);
    }

    #[test]
    fn icmp_has_a_template_of_its_own_only_with_layer_4() {
        let templates = Profile::Rfc.templates(RecordSet::L3, Families::IP4);
        let [_, tcp, icmp, ..] = sample::one_of_each_shape();
        let slot = |r| templates.select(r).unwrap().0;
        assert_eq!(slot(&tcp), slot(&icmp));
    }

    #[test]
    fn a_record_is_written_big_endian_in_field_order() {
        let [_, tcp, ..] = sample::one_of_each_shape();
        let templates = Profile::Rfc.templates(RecordSet::all(), Families::IP4);
        let (_, encoder) = templates.select(&tcp).unwrap();
        let mut octets = vec![0; encoder.record_len()];
        encoder.encode(&tcp, &mut octets);
        let expected = [
            &[0, 0, 0, 1][..],                                  // ingressInterface
            &[0, 0, 0, 0],                                      // egressInterface: unknown
            &[0],                                               // flowDirection
            &[0, 0, 0, 0, 0, 0, 0, 10],                         // packetDeltaCount
            &1_700_000_000_123_u64.to_be_bytes(),               // flowStartMilliseconds
            &1_700_000_060_456_u64.to_be_bytes(),               // flowEndMilliseconds
            &[3],                                               // flowEndReason
            &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0, 42], // MACs, ethernetType, vlanId
            &[192, 0, 2, 1, 198, 51, 100, 2, 6],                // addresses, protocol
            &[0, 0, 0, 1, 0, 0, 0, 0],                          // octetDeltaCount
            &[0xc0, 0, 0, 80, 0, 0x1b],                         // ports, tcpControlBits
        ]
        .concat();
        assert_eq!(octets, expected);
    }
}
