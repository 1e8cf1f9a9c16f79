//! The interface table against two others: a naive one that is asked the same, and one that knows events only.

mod naive;

use naive::NaiveTable;

use super::*;
use crate::{
    counter::{Segment, ThreadIndex},
    fib::Family,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of the table. Names, ids and addresses are few, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    CreateHardware(u8),
    CreateSub { on: u32, id: u32, tags: TagMatch },
    DeleteHardware(u32),
    DeleteSub(u32),
    Rename(u32, u8),
    Admin(u32, bool),
    AddAddress(u32, InterfaceAddress),
    RemoveAddress(u32, InterfaceAddress),
    Table(u32, Family, u32),
    Unnumbered(u32, Option<u32>),
    Mtu(u32, u32),
}

fn index() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 12 => 1..5_u32, 1 => Just(5)]
}

fn tags() -> impl Strategy<Value = TagMatch> {
    let vlan = |n| VlanMatch::Id(VlanId::new(n).unwrap());
    let tagged = move |outer, inner, exact| TagMatch::Tagged {
        outer_type: TagType::Dot1q,
        outer,
        inner,
        exact,
    };
    prop_oneof![
        Just(TagMatch::Default),
        Just(TagMatch::Untagged),
        (1..3_u32, any::<bool>()).prop_map(move |(n, exact)| tagged(vlan(n), None, exact)),
        Just(tagged(vlan(1), Some(VlanMatch::Any), true)),
    ]
}

fn address() -> impl Strategy<Value = InterfaceAddress> {
    let texts = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1", "fe80::1"];
    (prop::sample::select(texts.to_vec()), prop::sample::select(vec![16, 24, 32]))
        .prop_map(|(text, length)| InterfaceAddress::new(text.parse().unwrap(), length).unwrap())
}

fn step() -> impl Strategy<Value = Step> {
    let family = prop_oneof![Just(Family::Ip4), Just(Family::Ip6)];
    prop_oneof![
        4 => (0..4_u8).prop_map(Step::CreateHardware),
        4 => (index(), 1..3_u32, tags()).prop_map(|(on, id, tags)| Step::CreateSub { on, id, tags }),
        1 => index().prop_map(Step::DeleteHardware),
        2 => index().prop_map(Step::DeleteSub),
        1 => (index(), 0..4_u8).prop_map(|(i, name)| Step::Rename(i, name)),
        4 => (index(), any::<bool>()).prop_map(|(i, up)| Step::Admin(i, up)),
        6 => (index(), address()).prop_map(|(i, a)| Step::AddAddress(i, a)),
        2 => (index(), address()).prop_map(|(i, a)| Step::RemoveAddress(i, a)),
        2 => (index(), family, 0..2_u32).prop_map(|(i, f, t)| Step::Table(i, f, t)),
        2 => (index(), prop::option::of(index())).prop_map(|(i, d)| Step::Unnumbered(i, d)),
        1 => (index(), 0..10_000_u32).prop_map(|(i, m)| Step::Mtu(i, m)),
    ]
}

fn name(number: u8) -> String {
    ["a", "b", "c/d", "c_d"][usize::from(number)].to_owned()
}

fn run(table: &mut InterfaceTable, step: &Step) -> Result<Option<SwIfIndex>, InterfaceError> {
    let sw = |index: &u32| SwIfIndex(*index);
    match step {
        Step::CreateHardware(number) => {
            let new = NewHardware {
                name: name(*number),
                device_class: "test",
                device_instance: u32::from(*number),
                mac: (*number != 1).then_some([2, 0, 0, 0, 0, *number]),
                max_frame_size: 9014,
                mtu: 9000,
                tx_next: 0,
            };
            return table.create_hardware(new).map(|(_, sw)| Some(sw));
        }
        Step::CreateSub { on, id, tags } => {
            return table.create_sub(sw(on), *id, *tags).map(Some);
        }
        Step::DeleteHardware(i) => table.delete_hardware(sw(i)),
        Step::DeleteSub(i) => table.delete_sub(sw(i)),
        Step::Rename(i, number) => table.rename(sw(i), &name(*number)),
        Step::Admin(i, up) => table.set_admin(sw(i), *up),
        Step::AddAddress(i, address) => table.add_address(sw(i), *address),
        Step::RemoveAddress(i, address) => table.remove_address(sw(i), *address),
        Step::Table(i, family, id) => {
            let binding = TableBinding { table_id: *id, fib_index: *id };
            table.set_table(sw(i), *family, binding)
        }
        Step::Unnumbered(i, donor) => table.set_unnumbered(sw(i), donor.map(SwIfIndex)),
        Step::Mtu(i, bytes) => table.set_mtu(sw(i), MtuKind::L3, *bytes),
    }?;
    Ok(None)
}

/// An interface as somebody knows it who has heard of it in events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    name: String,
    up: bool,
    addresses: BTreeSet<InterfaceAddress>,
    link_local: Option<std::net::Ipv6Addr>,
    tables: BTreeMap<Family, u32>,
    donor: Option<SwIfIndex>,
}

/// Follows events, and complains when one makes no sense.
fn hear(heard: &mut BTreeMap<SwIfIndex, Heard>, event: &Event) {
    fn on<'a>(heard: &'a mut BTreeMap<SwIfIndex, Heard>, index: &SwIfIndex) -> &'a mut Heard {
        heard.get_mut(index).expect("an event of an interface that is there")
    }
    match event {
        Event::Added { sw_if_index, name } => {
            let new = Heard { name: name.clone(), ..Heard::default() };
            assert_eq!(heard.insert(*sw_if_index, new), None);
        }
        Event::Deleted { sw_if_index, name } => {
            let gone = heard.remove(sw_if_index).expect("a known interface");
            let nothing_left = Heard { name: name.clone(), ..Heard::default() };
            assert_eq!(gone, nothing_left, "what it had went before it");
        }
        Event::Renamed { sw_if_index, old, new } => {
            let changed = on(heard, sw_if_index);
            assert_eq!(changed.name, *old);
            changed.name.clone_from(new);
        }
        Event::Admin { sw_if_index, up } => {
            assert_ne!(on(heard, sw_if_index).up, *up);
            on(heard, sw_if_index).up = *up;
        }
        Event::AddressAdded { sw_if_index, address, table } => {
            let changed = on(heard, sw_if_index);
            let known = changed.tables.get(&address.family()).copied().unwrap_or(0);
            assert_eq!(known, table.table_id);
            assert!(changed.addresses.insert(*address));
        }
        Event::AddressRemoved { sw_if_index, address, .. } => {
            assert!(on(heard, sw_if_index).addresses.remove(address));
        }
        Event::LinkLocal { sw_if_index, address } => on(heard, sw_if_index).link_local = *address,
        Event::Table { sw_if_index, family, table } => {
            let tables = &mut on(heard, sw_if_index).tables;
            match table.table_id {
                0 => tables.remove(family),
                id => tables.insert(*family, id),
            };
        }
        Event::Unnumbered { sw_if_index, donor } => on(heard, sw_if_index).donor = *donor,
        _ => {}
    }
}

fn as_heard(interface: &SwInterface) -> Heard {
    let families = [Family::Ip4, Family::Ip6];
    let tables = families.map(|family| (family, interface.table(family).table_id));
    Heard {
        name: interface.name.clone(),
        up: interface.admin_up,
        addresses: interface.addresses.iter().copied().collect(),
        link_local: interface.link_local,
        tables: tables.into_iter().filter(|(_, id)| *id != 0).collect(),
        donor: interface.unnumbered,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_table_does_what_a_naive_one_does_and_events_tell_all_of_it(
        steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut table = InterfaceTable::new();
        let mut naive = NaiveTable::new();
        let mut heard = BTreeMap::new();
        table.take_events().iter().for_each(|event| hear(&mut heard, event));
        // Without these two, most steps would meet nothing.
        let first = [Step::CreateHardware(0), Step::CreateHardware(2)];
        for step in first.into_iter().chain(steps) {
            let done = run(&mut table, &step);
            if let Err(error) = &done {
                prop_assert!(error.api_number() < 0);
            }
            let done = done.ok().map(|index| index.map(|index| index.0));
            prop_assert_eq!(done, naive.run(&step), "{:?}", step);
            let events = table.take_events();
            prop_assert!(done.is_some() || events.is_empty(), "a refused step did something");
            events.iter().for_each(|event| hear(&mut heard, event));

            let now: BTreeMap<_, _> = table.interfaces().map(|i| (i.index, as_heard(i))).collect();
            prop_assert_eq!(&now, &heard, "{:?}", &step);
            prop_assert_eq!(now.len(), naive.all.len());
            for other in &naive.all {
                let same = table.interface(SwIfIndex(other.index)).unwrap();
                prop_assert_eq!(&same.name, &other.name);
                prop_assert_eq!(table.find(&other.name).unwrap(), same.index);
                prop_assert_eq!((same.admin_up, &same.addresses), (other.up, &other.addresses));
                prop_assert_eq!(same.unnumbered, other.donor.map(SwIfIndex));
            }
        }
    }
}

fn port(name: &str) -> NewHardware {
    NewHardware {
        name: name.to_owned(),
        device_class: "test",
        device_instance: 0,
        mac: Some([2, 0, 0, 0, 0, 1]),
        max_frame_size: 9216,
        mtu: 9000,
        tx_next: 5,
    }
}

#[test]
fn local0_is_always_there_and_nothing_changes_it() {
    let mut table = InterfaceTable::new();
    let local0 = table.find("local0").unwrap();
    assert_eq!(local0, SwIfIndex::LOCAL0);
    let before = format!("{:?}", table.interface(local0));
    let _: Vec<Event> = table.take_events();
    let address = InterfaceAddress::new("192.0.2.1".parse().unwrap(), 24).unwrap();
    let refused = [
        table.set_admin(local0, true),
        table.delete_hardware(local0),
        table.rename(local0, "x"),
        table.add_address(local0, address),
        table.set_tag(local0, "x"),
        table.set_mac(local0, [2; 6]),
        table.set_mtu(local0, MtuKind::L3, 0),
        table.set_link(HwIfIndex(0), LinkState { up: true, ..LinkState::DOWN }),
    ];
    assert!(refused.iter().all(|r| matches!(r, Err(InterfaceError::Local0))));
    assert_eq!(format!("{:?}", table.interface(local0)), before);
    assert_eq!(table.take_events(), []);
}

#[test]
fn names_are_found_whole_and_errors_speak_vpps_numbers() {
    let mut table = InterfaceTable::new();
    let (_, eth) = table.create_hardware(port("eth0/1")).unwrap();
    assert_eq!(table.find("eth0/1").unwrap(), eth);
    for wrong in ["eth0", "eth0/", "eth0_1", ""] {
        let error = table.find(wrong).unwrap_err();
        assert_eq!(error.api_number(), -2);
    }
    let taken = table.create_hardware(port("eth0_1")).unwrap_err();
    assert_eq!(
        (taken.to_string().as_str(), taken.api_number()),
        ("there is an interface eth0/1 already", -79)
    );
    for bad in ["", "a b", "a\u{e9}", "x\n", &"n".repeat(64)] {
        assert!(matches!(table.create_hardware(port(bad)), Err(InterfaceError::BadName { .. })));
    }
    let vlan = TagMatch::exact_dot1q(VlanId::new(100).unwrap());
    let sub = table.create_sub(eth, 1, vlan).unwrap();
    let used = table.create_sub(eth, 2, vlan).unwrap_err();
    assert_eq!(used.to_string(), "dot1q 100 exact-match is already in use by eth0/1.1");
    assert_eq!(used.api_number(), -56);
    let down = table.set_admin(sub, true).unwrap_err();
    assert_eq!(down.to_string(), "super-interface eth0/1 must be up");
    assert!(VlanId::new(0).is_err() && VlanId::new(4096).is_err());
    let reversed = VlanMatch::Range(VlanId::new(9).unwrap(), VlanId::new(8).unwrap());
    let tags = TagMatch::Tagged {
        outer_type: TagType::Dot1ad,
        outer: reversed,
        inner: None,
        exact: false,
    };
    assert_eq!(table.create_sub(eth, 3, tags).unwrap_err().api_number(), -55);
    let mac = table.set_mac(sub, [1, 0, 0x5e, 0, 0, 1]).unwrap_err();
    assert!(matches!(mac, InterfaceError::MacNotUnicast));
}

#[test]
fn an_mtu_that_is_not_set_is_that_of_the_interface_above() {
    let mut table = InterfaceTable::new();
    let (_, eth) = table.create_hardware(NewHardware { mtu: 0, ..port("eth") }).unwrap();
    let vlan = TagMatch::exact_dot1q(VlanId::new(5).unwrap());
    let sub = table.create_sub(eth, 5, vlan).unwrap();
    let mtu = |table: &InterfaceTable| {
        [MtuKind::L3, MtuKind::Ip6].map(|kind| table.effective_mtu(sub, kind).unwrap())
    };
    assert_eq!(mtu(&table), [9202; 2], "the device's own");
    table.set_mtu(eth, MtuKind::L3, 1500).unwrap();
    table.set_mtu(eth, MtuKind::Ip6, 1280).unwrap();
    assert_eq!(mtu(&table), [1500, 1280]);
    table.set_mtu(sub, MtuKind::L3, 1400).unwrap();
    assert_eq!(mtu(&table), [1400; 2]);
    let error = table.set_mtu(sub, MtuKind::L3, 9203).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth takes packets of at most 9202 bytes, not of 9203".replace("eth", "eth.5")
    );
}

#[test]
fn hardware_takes_all_frames_while_an_interface_on_it_is_bridged() {
    let mut table = InterfaceTable::new();
    let (hw_if_index, eth) = table.create_hardware(port("eth")).unwrap();
    let sub = table.create_sub(eth, 5, TagMatch::Default).unwrap();
    let told = |table: &mut InterfaceTable| -> Vec<bool> {
        let on = |event: &Event| match event {
            Event::Promiscuous { hw_if_index: hw, on } if *hw == hw_if_index => Some(*on),
            _ => None,
        };
        table.take_events().iter().filter_map(on).collect()
    };
    table.set_layer2(sub, true).unwrap();
    assert_eq!(told(&mut table), [true]);
    table.set_promiscuous(eth, true).unwrap();
    table.set_layer2(eth, true).unwrap();
    table.set_layer2(sub, false).unwrap();
    table.set_promiscuous(eth, false).unwrap();
    assert_eq!(told(&mut table), [false; 0], "somebody wants it all the time");
    table.set_layer2(eth, false).unwrap();
    assert_eq!(told(&mut table), [false]);
    table.set_layer2(sub, true).unwrap();
    table.delete_sub(sub).unwrap();
    assert_eq!(told(&mut table), [true, false]);
    let (_, tunnel) = table.create_hardware(NewHardware { mac: None, ..port("tun") }).unwrap();
    let refused = table.set_layer2(tunnel, true).unwrap_err();
    assert_eq!(refused.to_string(), "tun is not an Ethernet interface");
    assert!(table.set_layer2(SwIfIndex::LOCAL0, true).is_err());
}

#[test]
fn tag_tables_follow_sub_interfaces_and_their_state() {
    let mut table = InterfaceTable::new();
    let (hw, eth) = table.create_hardware(port("eth")).unwrap();
    let vlan = TagMatch::exact_dot1q(VlanId::new(5).unwrap());
    let frame = Tags { count: 1, outer_type: TagType::Dot1q, outer: 5, inner: 0 };
    let look = |table: &mut InterfaceTable| table.tag_table(hw).unwrap().lookup(frame);
    assert_eq!(look(&mut table), TagTarget::Unknown);
    let sub = table.create_sub(eth, 5, vlan).unwrap();
    assert_eq!(look(&mut table), TagTarget::Down(sub));
    table.set_admin(eth, true).unwrap();
    table.set_admin(sub, true).unwrap();
    assert_eq!(look(&mut table), TagTarget::Up(sub));
    table.set_admin(eth, false).unwrap();
    assert_eq!(look(&mut table), TagTarget::Down(sub), "nothing is up below what is down");
    let _: Vec<Event> = table.take_events();
    table.delete_sub(sub).unwrap();
    assert!(table.take_events().contains(&Event::Tags { hw_if_index: hw }));
    assert_eq!(look(&mut table), TagTarget::Unknown);
}

#[test]
fn counters_follow_their_interface_through_deletion_and_renaming() {
    let mut segment = Segment::with_size(1, 64 << 20).unwrap();
    let counters = InterfaceCounters::new(&mut segment).unwrap();
    let writers = counters.writers(ThreadIndex::MAIN).unwrap();
    let mut table = InterfaceTable::new();
    let mut follow = |table: &mut InterfaceTable| {
        for event in table.take_events() {
            counters.follow(&mut segment, &event).unwrap();
        }
        let there = ["/interfaces/eth0_1/rx", "/interfaces/wan/tx-error", "/interfaces/wan.5/rx"];
        there.map(|path| segment.contains(path))
    };
    let (_, eth) = table.create_hardware(port("eth0/1")).unwrap();
    table.create_sub(eth, 5, TagMatch::Default).unwrap();
    assert_eq!(follow(&mut table), [true, false, false]);
    writers.rx.add(eth.0, 1, 60);
    table.rename(eth, "wan").unwrap();
    assert_eq!(follow(&mut table), [false, true, true]);
    assert_eq!(counters.of(eth), [("rx packets".to_owned(), 1), ("rx bytes".to_owned(), 60)]);
    table.delete_hardware(eth).unwrap();
    assert_eq!(follow(&mut table), [false; 3]);
    let (_, next) = table.create_hardware(port("eth0/1")).unwrap();
    assert_eq!(follow(&mut table), [true, false, false]);
    assert_eq!((next, counters.of(next)), (eth, Vec::new()), "a used index counts from zero");
}
