//! The forms of the show commands, in VPP's columns.

use crate::{
    packets::{Ip4, frame},
    scene::Scene,
};

/// Of `count` packets that a router gets, the last has a destination without a route.
fn routed(count: usize) -> Scene {
    let scene = Scene::router();
    scene.lab.run("trace add pg-input 100");
    let to = |to: &str| frame(&[], &Ip4::udp("192.168.0.2", to).bytes());
    let mut frames = vec![to("10.0.0.1"); count - 1];
    frames.push(to("172.16.0.1"));
    scene.send("pg0", &frames);
    scene
}

#[test]
fn errors_are_shown_by_thread_with_their_numbers_and_at_level_two_those_that_are_zero() {
    let scene = routed(3);
    let brief = scene.lab.run("show errors");
    let header = "   Count                  Node                              Reason               Severity ";
    let row = "         1              ip4-drop                dropped by its route, or none      error  ";
    assert_eq!(brief, format!("{header}\n{row}\n"));
    assert_eq!(scene.lab.run("show node counters"), brief);
    let verbose = scene.lab.run("show errors verbose");
    let lines: Vec<_> = verbose.lines().collect();
    assert_eq!(lines.len(), 6, "{verbose}");
    assert_eq!((lines[0], lines[3]), ("Thread 0 (vpp_main):", "Total:"));
    assert_eq!(lines[1], format!("{header} Index"));
    assert!(lines[2].starts_with(row) && lines[2] == lines[5], "{verbose}");
    let all = scene.lab.run("show errors verbose 2");
    assert!(all.contains("         0           ethernet-input "), "{all}");
    let json: serde_json::Value =
        serde_json::from_str(&scene.lab.run("show errors verbose json")).unwrap();
    assert_eq!(json[0]["counters"][0]["count"], json[1]["total"][0]["count"]);
    scene.lab.run("clear errors");
    assert_eq!(scene.lab.run("show errors"), format!("{header}\n"));
}

#[test]
fn a_trace_names_hardware_and_adjacency_and_a_filter_keeps_the_first_of_its_packets() {
    let scene = routed(4);
    let traced = |line: &str| {
        scene.lab.run(line);
        scene.lab.run("show trace")
    };
    let all = traced("trace filter none");
    assert!(
        all.contains("ethernet-input\n  frame: flags 0x4, hw-if-index 1, sw-if-index 1\n"),
        "{all}"
    );
    let rewrite = scene.lab.run("show ip fib 10.0.0.1");
    let (_, adjacency) = rewrite.rsplit_once("[@5]: ").unwrap();
    let index = scene.lab.run("show ip fib 10.0.0.1 json");
    assert!(index.contains("ipv4 via 192.168.1.2 pg1: mtu:9000"), "{index}");
    let line = format!(" : {} flow hash: 0x00000000\n", adjacency.trim_end());
    assert!(all.contains(&line), "{line}{all}");
    let packets = |text: &str| text.matches("\nPacket ").count();
    let filters = [
        ("trace filter include ip4-rewrite 2", 2),
        ("trace filter include ip4-rewrite 9", 3),
        ("trace filter exclude ip4-rewrite", 1),
        ("trace filter include ip6-input", 0),
        ("trace filter none", 4),
    ];
    for (line, shown) in filters {
        assert_eq!(packets(&traced(line)), shown, "{line}");
    }
    assert!(scene.lab.run("show trace max 2").contains("To display more specify max."));
    assert!(scene.lab.refused("trace filter include ip4-rewrite 0").contains("`0'"));
    let title = "------------------- Start of thread 0 vpp_main -------------------\n";
    assert_eq!(traced("clear trace"), format!("{title}No packets in trace buffer\n"));
}

#[test]
fn features_are_listed_in_order_and_numbered_when_asked() {
    let scene = Scene::router();
    let brief = scene.lab.run("show features");
    assert!(brief.starts_with("Available feature paths\nerror-drop:\ndevice-input:\n"), "{brief}");
    let part = "\nip4-unicast:\n  ip4-not-enabled\n  ip4-flow-classify\n  ip4-inacl\n  ip4-rx-urpf-loose\n  ip4-rx-urpf-strict\n  ip4-sv-reassembly-feature\n  ip4-full-reassembly-feature\nip4-multicast:\n";
    assert!(brief.contains(part), "{brief}");
    let verbose = scene.lab.run("show features verbose");
    let part = "\nip4-unicast:\n  [ 0]: ip4-not-enabled\n  [ 1]: ip4-flow-classify\n  [ 2]: ip4-inacl\n  [ 3]: ip4-rx-urpf-loose\n  [ 4]: ip4-rx-urpf-strict\n  [ 5]: ip4-sv-reassembly-feature\n  [ 6]: ip4-full-reassembly-feature\n  [end]: ip4-lookup\n";
    assert!(verbose.contains(part), "{verbose}");
    let one = scene.lab.run("show interface features pg0");
    assert!(one.starts_with("Feature paths configured on pg0...\n\n"), "{one}");
    assert!(one.contains("\n\nip4-unicast:\n  none configured\n"), "{one}");
    let all = scene.lab.run("show interface feat verbose");
    assert_eq!(all.matches("Feature paths configured on ").count(), 3, "{all}");
    let part = "\nip4-unicast:\n  [ 0]: ip4-not-enabled\n  [end]: ip4-lookup\n";
    assert!(all.contains(part), "local0 has no address: {all}");
}

#[test]
fn the_cost_of_nodes_is_shown_in_clocks_and_at_most() {
    let scene = routed(9);
    let clocks = scene.lab.run("show runtime");
    let columns = "Calls          Vectors        Suspends      Packet-Clocks   Vectors/Call  \n";
    assert!(clocks.contains(columns), "{clocks}");
    // A virtual clock has no speed.
    let refused = scene.lab.refused("show runtime time");
    assert!(refused.contains("the speed of the cycle counter is not known"), "{refused}");
    assert!(
        !clocks.contains("ip6-lookup")
            && scene.lab.run("show runtime verbose").contains("ip6-lookup")
    );
    let max = scene.lab.run("show runtime max");
    assert!(max.contains(
        "Max Node Clocks  Vectors at Max    Max Clocks      Avg Clocks   Avg Vectors/Call\n"
    ));
    assert_eq!(scene.lab.run("show runtime summary").lines().count(), 2);
}

#[test]
fn the_program_its_threads_and_its_tables_tell_what_they_are() {
    let scene = Scene::router();
    let version = scene.lab.run("show version");
    assert!(version.starts_with("peloton v"), "{version}");
    let verbose = scene.lab.run("show version verbose cmdline");
    let pid =
        format!("Current PID:              {}\nCommand line arguments:\n  ", std::process::id());
    assert!(
        verbose.starts_with("Version:                  v") && verbose.contains(&pid),
        "{verbose}"
    );
    let threads = scene.lab.run("show threads");
    let columns = "ID     Name                Type        LWP     Sched Policy (Priority)  lcore  Core   Socket State     \n";
    assert!(threads.starts_with(columns), "{threads}");
    assert!(threads.contains(&format!("{:<8}other (0) ", std::process::id())), "{threads}");
    let memory = scene.lab.run("show ip fib memory");
    assert!(memory.contains("\nipv4-VRF:0 ") && memory.contains("\ntotal "), "{memory}");
    assert_eq!(scene.lab.run("show ip fib mtrie"), memory);
    let list = scene.lab.run("show cli");
    assert!(list.contains("\nclear interfaces\n  Count interfaces from zero.\n"), "{list}");
}

#[test]
fn malformed_frames_are_counted_as_received_in_error() {
    let scene = Scene::router();
    let mut llc = frame(&[], &[0; 40]);
    llc[12..14].copy_from_slice(&1000_u16.to_be_bytes());
    let good = frame(&[], &Ip4::udp("192.168.0.2", "10.0.0.1").bytes());
    scene.send("pg0", &[good[..13].to_vec(), llc, good]);
    assert_eq!(scene.counter("pg0", "rx-error"), 2);
    assert_eq!((scene.counter("pg0", "rx packets"), scene.counter("pg0", "drops")), (3, 2));
    let shown = scene.lab.run("show interface pg0");
    assert!(shown.contains("rx-error                       2\n"), "{shown}");
    scene.assert_nothing_is_lost();
}
