//! Tunnels: what is inside on the interface of the tunnel, what is outside on those that its packets leave and come by.

use serde_json::Value;

use crate::scene::{IP4, Scene, UDP, is};

/// A tunnel to what was the next hop of all, and `more`.
fn scene(name: &str, create: &str, more: &str) -> Scene {
    let scene = Scene::new(name, "");
    scene.params("record l2 l3 l4");
    scene.lab.run(create);
    scene.lab.script(more);
    scene
}

/// The records of which `is` holds.
fn with(records: &[Value], is: impl Fn(&Value) -> bool) -> Vec<&Value> {
    records.iter().filter(|record| is(record)).collect()
}

#[test]
fn routed_packets_are_measured_inside_and_outside() {
    let create = "create ipip tunnel src 192.168.1.1 dst 192.168.1.2";
    let scene = scene(
        "tunnel-ipip",
        create,
        "set interface state ipip0 up
         set interface unnumbered ipip0 use pg0
         ip route add 10.0.0.0/16 via ipip0",
    );
    scene.feature("ipip0 ip4 tx");
    scene.feature("pg1 ip4 tx");
    scene.send(7, &format!("{IP4} {UDP}"));
    scene.feature("ipip0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let egress = |name: &str| scene.lab.engine.with(|main| main.interfaces().find(name)).unwrap().0;
    let of = |name: &str| with(&exported.records, is("egressInterface", egress(name)));
    let [inside, outside] = ["ipip0", "pg1"].map(of);
    assert_eq!((inside.len(), outside.len()), (1, 1), "{:?}", exported.records);
    for (record, addresses, protocol, octets) in [
        (inside[0], ["192.168.0.2", "10.0.0.1"], 17, 46),
        (outside[0], ["192.168.1.1", "192.168.1.2"], 4, 66),
    ] {
        assert_eq!(record["sourceIPv4Address"], addresses[0]);
        assert_eq!(record["destinationIPv4Address"], addresses[1]);
        assert_eq!(record["protocolIdentifier"], protocol);
        assert_eq!(record["octetDeltaCount"], 7 * octets);
        assert_eq!(record["packetDeltaCount"], 7);
    }
}

#[test]
fn bridged_frames_are_measured_inside_and_outside_with_their_tags() {
    let create = "create vxlan tunnel src 192.168.1.1 dst 192.168.1.2 vni 13";
    let scene = scene(
        "tunnel-vxlan",
        create,
        "set interface l2 bridge pg0 1\nset interface l2 bridge vxlan_tunnel0 1",
    );
    scene.feature("vxlan_tunnel0 l2 tx");
    scene.feature("pg1 ip4 tx");
    scene.send(5, "IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:09 vlan 77 UDP: 10.9.0.1 -> 10.9.0.2 UDP: 5 -> 6 incrementing 18");
    scene.feature("vxlan_tunnel0 l2 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let inside = with(&exported.records, is("destinationIPv4Address", "10.9.0.2"));
    let outside = with(&exported.records, is("destinationTransportPort", 4789));
    assert_eq!((inside.len(), outside.len()), (1, 1), "{:?}", exported.records);
    assert_eq!(inside[0]["sourceMacAddress"], "02:00:00:00:00:01");
    assert_eq!(inside[0]["packetDeltaCount"], 5);
    assert_eq!(outside[0]["destinationIPv4Address"], "192.168.1.2");
    // 46 octets of the packet, 18 of its link header, 36 of the tunnel's.
    assert_eq!(outside[0]["octetDeltaCount"], 5 * (46 + 18 + 36));
}

#[test]
fn what_comes_by_a_tunnel_is_measured_where_it_comes_in() {
    let create = "create gre tunnel src 192.168.0.1 dst 192.168.0.2";
    let scene = scene(
        "tunnel-gre",
        create,
        "set interface state gre0 up\nset interface unnumbered gre0 use pg1",
    );
    scene.feature("gre0 ip4 rx");
    scene.feature("pg0 ip4 rx");
    let ip4 = |length: u8, protocol: u8, ends: [[u8; 4]; 2]| {
        let mut header = vec![0x45, 0, 0, length, 0, 0, 0, 0, 64, protocol, 0, 0];
        header.extend(ends.concat());
        let sum = vnet::wire::checksum::of(&header).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
        header
    };
    let frame = [
        vec![2, 0xfe, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 8, 0],
        ip4(70, 47, [[192, 168, 0, 2], [192, 168, 0, 1]]),
        vec![0, 0, 8, 0],
        ip4(46, 17, [[192, 168, 100, 10], [10, 0, 0, 1]]),
        vec![3, 0xe8, 7, 0xd0, 0, 26, 0, 0],
        vec![7; 18],
    ]
    .concat();
    scene.replay(&[frame.clone(), frame.clone(), frame]);
    scene.feature("gre0 ip4 disable");
    scene.feature("pg0 ip4 disable");
    let exported = scene.exported();
    let [inside, outside] =
        [17, 47].map(|protocol| with(&exported.records, is("protocolIdentifier", protocol)));
    assert_eq!((inside.len(), outside.len()), (1, 1), "{:?}", exported.records);
    assert_eq!(inside[0]["sourceIPv4Address"], "192.168.100.10");
    assert_eq!(inside[0]["octetDeltaCount"], 3 * 46);
    assert_eq!(outside[0]["octetDeltaCount"], 3 * (46 + 24));
    let ingress = scene.lab.engine.with(|main| main.interfaces().find("gre0")).unwrap().0;
    assert_eq!(inside[0]["ingressInterface"], ingress);
    assert_eq!(scene.lab.error("gre4-input", "decapsulated"), 3);
}

/// Tunnels by what makes them, with their interface, their network and their key as records tell them.
const OVERLAYS: [(&str, &str, u64, u64); 6] = [
    // The first octet of the network says what kind it is of (IANA, layer2SegmentId): VXLAN, or NVGRE, whose network is in the upper
    // octets of the key (RFC 7637, section 3.2).
    ("vxlan tunnel src 192.168.1.1 dst 192.168.1.2 vni 4660", "vxlan_tunnel0", 1 << 56 | 0x1234, 0),
    (
        "gre tunnel src 192.168.1.1 dst 192.168.1.2 teb key 1193046",
        "gre0",
        2 << 56 | 0x1234,
        0x12_3456,
    ),
    ("gre tunnel src 192.168.1.1 dst 192.168.1.2 teb", "gre0", 0, 0),
    ("gre tunnel src 192.168.1.1 dst 192.168.1.2 key 1193046", "gre0", 0, 0x12_3456),
    // There is no number for Geneve, and IP in IP has no network.
    ("geneve tunnel local 192.168.1.1 remote 192.168.1.2 vni 4660", "geneve_tunnel0", 0, 0),
    ("ipip tunnel src 192.168.1.1 dst 192.168.1.2", "ipip0", 0, 0),
];

#[test]
fn tshark_reads_the_network_and_the_key_of_each_kind_of_tunnel() {
    for (n, (create, name, segment, key)) in OVERLAYS.into_iter().enumerate() {
        let scene = Scene::new(&format!("tunnel-segment{n}"), "");
        scene.lab.script(&format!(
            "ipfix template add overlay fields layer2SegmentId,greKey,egressInterface,packetDeltaCount
             create {create}
             set interface state {name} up"
        ));
        let is_bridged = create.contains("vni") || create.contains("teb");
        scene.lab.script(&match is_bridged {
            true => format!("set interface l2 bridge pg0 1\nset interface l2 bridge {name} 1"),
            false => format!(
                "set interface unnumbered {name} use pg0\nip route add 10.0.0.0/16 via {name}"
            ),
        });
        scene.params("template overlay");
        let variant = if is_bridged { "l2" } else { "ip4" };
        scene.feature(&format!("{name} {variant} tx"));
        let frame = match is_bridged {
            true => "IP4: 02:00:00:00:00:01 -> 02:00:00:00:00:09 UDP: 10.9.0.1 -> 10.9.0.2 UDP: 5 -> 6 incrementing 18".to_owned(),
            false => format!("{IP4} {UDP}"),
        };
        scene.send(5, &frame);
        scene.feature(&format!("{name} {variant} disable"));
        let exported = scene.exported();
        assert_eq!(exported.all("layer2SegmentId"), [segment], "{create}: {:?}", exported.records);
        assert_eq!(exported.all("greKey"), [key], "{create}");
        assert_eq!(exported.packet_sum(), 5);
        let fields = ["cflow.layer2_segment_id", "cflow.gre_key", "cflow.packets"];
        let decode = ["-d", "udp.port==4739,cflow"];
        let Some(rows) = peloton_tests::tshark(scene.capture(), &decode, &fields) else {
            return peloton_tests::program::not_run(
                "layer2SegmentId and greKey read by tshark",
                "tshark is missing",
            );
        };
        let row = rows.into_iter().find(|row| row.iter().all(|cell| !cell.is_empty()));
        let [segment, packets] = [segment.to_string(), "5".to_owned()];
        let row = row.unwrap_or_default();
        assert_eq!((&row[0], &row[2]), (&segment, &packets), "{create}");
        let read = row[1]
            .strip_prefix("0x")
            .map_or(row[1].parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
        assert_eq!(read, Some(key), "{create}: {row:?}");
    }
}
