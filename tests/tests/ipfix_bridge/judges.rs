//! nfcapd, nfdump and tshark as collectors.

use std::{
    fs,
    net::UdpSocket,
    path::PathBuf,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use peloton_tests::{program::not_run, tshark};

use super::scene::{Scene, udp};

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("peloton-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("flows")).unwrap();
        Self(path)
    }

    fn flows(&self) -> PathBuf {
        self.0.join("flows")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// nfcapd at a port; `None` where it is not installed.
fn nfcapd(folder: &Folder, port: u16) -> Option<Child> {
    let log = fs::File::create(folder.0.join("log")).unwrap();
    let child = Command::new("nfcapd")
        .args(["-b", "127.0.0.1", "-p", &port.to_string(), "-S", "0", "-t", "300", "-l"])
        .arg(folder.flows())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let Ok(child) = child else {
        not_run("nfcapd_takes_the_records_of_two_domains_without_complaint", "nfcapd is missing");
        return None;
    };
    let end = Instant::now() + Duration::from_secs(10);
    // It is there when its port is taken.
    while UdpSocket::bind(("127.0.0.1", port)).is_ok() && Instant::now() < end {
        thread::sleep(Duration::from_millis(20));
    }
    Some(child)
}

/// Ends it by its own signal, so that it writes its file.
fn end(mut child: Child) {
    let term = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(term.unwrap().success());
    child.wait().unwrap();
}

#[test]
fn nfcapd_takes_the_records_of_two_domains_without_complaint() {
    let (folder, port) = (Folder::new("ovs-nfcapd"), free_port());
    let Some(collector) = nfcapd(&folder, port) else { return };
    let scene = Scene::new();
    scene.lab.script(
        "create packet-generator interface pg3
         set interface state pg3 up
         set interface l2 bridge pg3 20",
    );
    for (id, domain) in [(10, 1), (20, 2)] {
        scene.lab.run(&format!(
            "ipfix bridge {id} targets 127.0.0.1:{port} sampling 1 enable-output-sampling false \
             obs_domain_id {domain} cache_max_flows 1000 cache_active_timeout 60"
        ));
    }
    let frames: Vec<_> = (0..50).map(|n| udp([1000 + n, 53], 100)).collect();
    for _ in 0..4 {
        scene.send(&frames);
        scene.send_by("pg3", &frames);
        scene.wait(61);
        scene.lab.run("ipfix flush");
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(500));
    end(collector);
    let log = fs::read_to_string(folder.0.join("log")).unwrap();
    assert!(log.contains("Sequence Errors: 0, Bad Packets: 0"), "{log}");
    for word in ["ERROR", "error:", "rror while", "unknown"] {
        assert!(!log.contains(word), "{log}");
    }
    let mut nfdump = Command::new("nfdump");
    let Ok(output) = nfdump.arg("-R").arg(folder.flows()).args(["-o", "json"]).output() else {
        return not_run(
            "nfcapd_takes_the_records_of_two_domains_without_complaint",
            "nfdump is missing",
        );
    };
    let flows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let flows = flows.as_array().unwrap();
    let sum = |key: &str| flows.iter().map(|f| f[key].as_u64().unwrap_or(0)).sum::<u64>();
    assert_eq!((flows.len(), sum("in_packets"), sum("in_bytes")), (400, 400, 400 * 86));
}

#[test]
fn tshark_reads_every_record_without_complaint() {
    for profile in ["rfc", "ovs"] {
        let folder = Folder::new(&format!("ovs-tshark-{profile}"));
        let scene = Scene::new();
        scene.measure_input(&format!("cache_max_flows 0 obs_domain_id 7 profile {profile}"));
        let mut tagged = udp([5, 6], 100);
        tagged.splice(12..12, [0x81, 0, 0x60, 9]);
        let mut arp = udp([1, 2], 60);
        arp[12..14].copy_from_slice(&[8, 6]);
        scene.send(&[udp([1, 53], 100), tagged, arp]);
        scene.lab.run("ipfix flush");
        let messages = scene.collector.messages();
        let capture = folder.0.join("messages.pcap");
        fs::write(&capture, packets(&messages)).unwrap();
        let fields = [
            "cflow.template_id",
            "cflow.packets",
            "cflow.octets",
            "cflow.flowset_id",
            "cflow.vlanid",
            "_ws.expert.message",
        ];
        let Some(rows) = tshark(&capture, &["-d", "udp.port==4739,cflow"], &fields) else {
            return not_run("tshark_reads_every_record_without_complaint", "tshark is missing");
        };
        let complaints: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.get(5))
            .map(String::as_str)
            .filter(|c| !c.is_empty())
            .collect();
        // The first number of profile ovs is 1, and a data message is one more: as with Open vSwitch.
        assert!(complaints.is_empty(), "{profile}: {complaints:?}");
        let all = |column: usize| -> Vec<String> {
            rows.iter()
                .filter_map(|row| row.get(column))
                .flat_map(|cell| cell.split(',').map(str::to_owned))
                .filter(|cell| !cell.is_empty())
                .collect()
        };
        assert_eq!(all(1), ["1", "1", "1"], "{profile}");
        assert_eq!(all(2), ["86", "86"], "{profile}");
        assert_eq!(all(4).first().map(String::as_str), Some("9"), "{profile}");
    }
}

/// UDP packets with these messages, for tshark.
fn packets(messages: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let frames: Vec<Vec<u8>> = messages
        .iter()
        .map(|(port, message)| {
            let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
            frame.extend((28 + message.len() as u16).to_be_bytes());
            frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
            frame.extend(port.to_be_bytes());
            frame.extend(4739_u16.to_be_bytes());
            frame.extend((8 + message.len() as u16).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(message);
            frame
        })
        .collect();
    super::scene::capture(&frames)
}
