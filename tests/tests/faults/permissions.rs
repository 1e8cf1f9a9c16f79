//! What the process may not do: the error names the capability, or what else to do.

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use peloton_tests::{
    net::Net,
    program::{Scratch, has, peloton, run, wait_for},
};

/// Runs commands in an engine in the namespace `r`, without a capability.
fn exec(net: &Net, without: &str, commands: &str) -> Output {
    let program = peloton().get_program().to_string_lossy().into_owned();
    let script = net.path("commands");
    fs::write(&script, format!("{commands}\n")).unwrap();
    let without = format!("setpriv --bounding-set -{without} --inh-caps -{without}");
    net.run("r", &format!("{without} {program} exec {}", script.display()))
}

#[test]
fn a_command_that_may_not_is_told_which_capability_it_lacks() {
    let test = "missing capabilities";
    let Some(net) = Net::new(test, &["setpriv"]) else { return };
    let tun = std::path::Path::new("/dev/net/tun").exists();
    if !tun {
        peloton_tests::program::not_run(test, "there is no /dev/net/tun");
    }
    let ns = net.name("a");
    for (without, command, expected) in [
        ("net_raw", "create host-interface name ra", "cannot open a packet socket: "),
        ("net_raw", "create host-interface name ra", "(CAP_NET_RAW is needed)"),
        ("net_admin", "create tap", "CAP_NET_ADMIN"),
        ("sys_admin", &format!("create tap host-ns {ns}"), "CAP_SYS_ADMIN"),
    ] {
        if command.contains("tap") && !tun {
            continue;
        }
        let output = exec(&net, without, command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "without {without}, {command}: {said}");
        assert!(said.contains(expected), "without {without}, {command}: {said}");
        assert!(said.contains("Operation not permitted"), "{said}");
    }
}

#[test]
fn an_interface_of_the_host_that_cannot_be_set_up_stays_down_and_the_capability_is_named() {
    let Some(mut net) = Net::new("missing CAP_NET_ADMIN", &["setpriv"]) else { return };
    for end in ["a", "b"] {
        net.ip_in("r", &format!("link set r{end} up"));
    }
    net.write("", "", "", "");
    net.launch_by("setpriv --bounding-set -net_admin --inh-caps -net_admin");
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
    net.ctl("set interface state host-rb down");
    net.ip_in("r", "link set rb down");
    let refused = net.refused("set interface state host-rb up");
    let error = "set interface state: host-rb stays down: host interface `rb': cannot set the host's interface up: \
                 Operation not permitted (os error 1) (CAP_NET_ADMIN is needed)";
    assert!(refused.contains(error), "{refused}");
    // Nothing is half done: it is down, to the user and to those that have packets for it.
    let state = |net: &Net| {
        let shown: serde_json::Value =
            serde_json::from_str(&net.ctl("show interface host-rb json")).unwrap();
        shown["interfaces"][0]["admin_up"].as_bool().unwrap_or_else(|| panic!("{shown}"))
    };
    assert!(!state(&net) && !net.is_up("b"));
    assert_eq!(net.ping("-w 1 10.2.0.2", 1), 0);
    // What needs no help works.
    net.ip_in("r", "link set rb up");
    net.ctl("set interface state host-rb up");
    assert!(state(&net));
    wait_for("the link", || net.is_up("b"));
    assert_eq!(net.ping("-i 0.01 10.2.0.2", 3), 3);
}

#[test]
fn files_and_cores_that_the_process_may_not_have_are_named_with_what_to_do() {
    let test = "paths without permission";
    if !has(test, &["setpriv"]) {
        return;
    }
    let folder = Scratch::new("no-permission");
    let closed = folder.path("closed");
    fs::create_dir_all(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let open = folder.path("cli.sock");
    let (closed, open) = (closed.display(), open.display());
    for (startup, expected) in [
        (
            format!("unix {{ nodaemon cli-listen {closed}/cli.sock }}"),
            vec![
                format!("control socket {closed}/cli.sock: Permission denied"),
                "CAP_DAC_OVERRIDE".to_owned(),
            ],
        ),
        (
            format!("unix {{ nodaemon cli-listen {open} pidfile {closed}/pid }}"),
            vec![format!("pidfile {closed}/pid: Permission denied"), "CAP_DAC_OVERRIDE".to_owned()],
        ),
        (
            format!("unix {{ nodaemon cli-listen {open} log {closed}/log }}"),
            vec![format!("log {closed}/log: Permission denied"), "CAP_DAC_OVERRIDE".to_owned()],
        ),
        (
            format!("unix {{ nodaemon cli-listen {open} }} cpu {{ main-core 1000 }}"),
            vec![
                "main-core 1000: there is no such core, or this process may not run there"
                    .to_owned(),
            ],
        ),
        (
            format!("unix {{ nodaemon cli-listen {open} }} cpu {{ corelist-workers 1000 }}"),
            vec!["1000".to_owned(), "there is no such core".to_owned()],
        ),
    ] {
        let conf = folder.path("startup.conf");
        fs::write(&conf, &startup).unwrap();
        let program = peloton();
        let mut command = std::process::Command::new("setpriv");
        command.args(["--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]);
        let output = run(command.arg(program.get_program()).arg("-c").arg(conf));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{startup}: {said}");
        for expected in expected {
            assert!(said.contains(&expected), "{startup}: {expected}: {said}");
        }
    }
}
