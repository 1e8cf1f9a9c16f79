//! The systemd unit of the documents: what it leaves the engine is enough.

use std::{fs, path::Path, process::Command};

use peloton_tests::{
    net::Net,
    program::{Scratch, has, run},
};

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words of `setpriv` that leave a program the capabilities of a unit.
fn privileges(unit: &str) -> String {
    let line = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let ambient = format!("AmbientCapabilities={line}");
    assert!(unit.lines().any(|line| line == ambient), "{ambient}");
    let words = line.split_whitespace().map(|word| word.strip_prefix("CAP_").unwrap());
    let set = words.fold("-all".to_owned(), |set, word| set + ",+" + &word.to_lowercase());
    format!("setpriv --inh-caps={set} --bounding-set={set}")
}

#[test]
fn a_router_works_with_the_capabilities_of_its_unit() {
    const TEST: &str = "a router with the capabilities of its unit";
    let by = privileges(&example("peloton.service"));
    for net in [Net::new(TEST, &["setpriv"]), Net::xdp(1, TEST, &["setpriv"])] {
        let Some(mut net) = net else { return };
        net.write("", "", "", "");
        net.launch_by(&by);
        assert_eq!(net.ping("-i 0.01 10.2.0.2", 5), 5);
        net.adds_up();
        assert!(net.ctl("create tap").contains("tap0"));
    }
}

#[test]
fn units_are_what_systemd_understands() {
    const TEST: &str = "units as systemd understands them";
    if !has(TEST, &["systemd-analyze"]) {
        return;
    }
    let folder = Scratch::new("units");
    for name in ["peloton.service", "peloton-probe@.service"] {
        // The program is not installed here.
        let unit = example(name).replace("/usr/local/bin/peloton", "/bin/true");
        let path = folder.path(&name.replace('@', "@eth0"));
        fs::write(&path, unit).unwrap();
        let verified =
            run(Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path));
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && said.is_empty(), "{name}: {said}");
    }
}
