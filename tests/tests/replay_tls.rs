//! `peloton replay --collector tls:...`, judged by OpenSSL's server.

use std::{
    fs,
    process::{Command, Output},
};

use peloton_tests::{
    program::{Scratch, has, peloton, run, wait_for},
    replay::captures,
    tls::{certificates, serve},
};

fn replay(folder: &Scratch, port: u16, options: &[(&str, &str)], more: &[&str]) -> Output {
    let capture = captures().into_iter().find(|path| path.ends_with("demo.pcap")).unwrap();
    let mut command = peloton();
    command.args(["replay", "--top", "0", "--collector", &format!("tls:127.0.0.1:{port}")]);
    for (option, file) in options {
        command.arg(option).arg(folder.path(file));
    }
    run(command.args(more).arg(capture))
}

const CA: (&str, &str) = ("--tls-ca", "ca.pem");
const OWN: [(&str, &str); 2] = [("--tls-cert", "client.pem"), ("--tls-key", "client.key")];

#[test]
fn a_collector_over_tls_gets_every_record() {
    if !has("replay to a collector over TLS", &["openssl", "ipfixDump"]) {
        return;
    }
    let folder = Scratch::new("replay-tls");
    certificates(&folder);
    for name in [&[][..], &["--tls-name", "collector.example"]] {
        let server = serve(&folder);
        let output = replay(&folder, server.port, &[CA, OWN[0], OWN[1]], name);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let dumped = || {
            let mut dump = Command::new("timeout");
            dump.args(["20", "ipfixDump", "--stats", "--in"]).arg(folder.path("got"));
            String::from_utf8_lossy(&run(&mut dump).stdout).into_owned()
        };
        wait_for("openssl has written all", || dumped().contains(" 273 Data Records"));
    }
}

#[test]
fn a_collector_that_is_not_who_it_should_be_gets_nothing() {
    if !has("replay to a collector with another certificate", &["openssl"]) {
        return;
    }
    let folder = Scratch::new("replay-tls-wrong");
    certificates(&folder);
    let server = serve(&folder);
    let other = ("--tls-ca", "other.pem");
    for (options, more, error) in [
        (&[other, OWN[0], OWN[1]][..], &[][..], "UnknownIssuer"),
        (&[CA, OWN[0], OWN[1]], &["--tls-name", "elsewhere.example"], "not valid for name"),
        // Without a certificate of our own.
        (&[CA], &[], "alert"),
    ] {
        let output = replay(&folder, server.port, options, more);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(error), "{error}: {told}");
        assert_eq!(output.status.code(), Some(1), "{told}");
    }
    assert_eq!(fs::read(folder.path("got")).unwrap(), b"");
}
