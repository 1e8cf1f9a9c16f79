//! VPP's own clients, as they come from PyPI, at the socket of the real program: vpp_papi, vppcfg, and with scapy what VPP's test
//! of flowprobe does. The scripts are in `tests/papi`.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use peloton_tests::program::{self, Running, Scratch};

/// Starts the program as VPP's test harness does, and waits for its socket, which must be there within a second.
fn engine(scratch: &Scratch) -> Running {
    let path = |name| scratch.path(name).display().to_string();
    let mut command = program::peloton();
    let stanzas = [
        format!("unix {{ nodaemon full-coredump coredump-size unlimited runtime-dir {}", path("")),
        format!("cli-listen {} }}", path("cli.sock")),
        "api-trace { on } api-segment { prefix papi } physmem { max-size 32m }".to_owned(),
        format!("statseg {{ socket-name {} }}", path("stats.sock")),
        format!("punt {{ socket {} }}", path("punt.sock")),
        format!("socksvr {{ socket-name {} }}", path("api.sock")),
        "plugins { plugin dpdk_plugin.so { disable } plugin default { enable } }".to_owned(),
        "flowprobe { profile vpp }".to_owned(),
    ];
    let words = stanzas.iter().flat_map(|stanza| stanza.split_whitespace());
    let begin = Instant::now();
    let running = Running::start(command.args(words));
    while !scratch.path("api.sock").exists() {
        assert!(begin.elapsed() < Duration::from_secs(1), "no socket after a second");
        thread::sleep(Duration::from_millis(5));
    }
    running
}

/// Runs a script; it ends the engine itself, or leaves that to this.
fn run(script: &str) {
    let test = format!("papi-{script}");
    let Some(mut python) = program::papi(&test) else { return };
    let scratch = Scratch::new(&test);
    let mut engine = engine(&scratch);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("papi");
    python
        .arg(folder.join(format!("{script}.py")))
        .arg(scratch.path("api.sock"))
        .arg(engine.child().id().to_string())
        .arg(scratch.path(""))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = program::run(&mut python);
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    let ended = end(engine);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}\nthe engine says: {ended}");
}

/// The engine ends within two seconds of being told to, with or without clients; what it said.
fn end(mut engine: Running) -> String {
    if engine.child().try_wait().expect("a child can be waited for").is_none() {
        engine.signal("TERM");
    }
    let begin = Instant::now();
    let output = engine.finish();
    assert!(begin.elapsed() < Duration::from_secs(2), "it takes its time to end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "the engine ended with {}: {said}", output.status);
    said
}

#[test]
fn vpp_papi_calls_every_message_with_good_and_with_bad_arguments() {
    run("messages");
}

#[test]
fn events_come_to_the_callbacks_of_vpp_papi() {
    run("events");
}

#[test]
fn clients_that_misbehave_hurt_themselves_alone() {
    run("faults");
}

#[test]
fn punted_packets_come_to_clients_and_what_these_send_is_forwarded() {
    run("punt");
}

#[test]
fn flowprobe_does_what_vpps_test_of_it_asks_for() {
    run("flowprobe");
}

#[test]
fn offloads_do_what_vpps_tests_of_them_ask_for() {
    run("offloads");
}

#[test]
fn what_vppcfg_plans_is_done_and_then_it_plans_nothing() {
    run("config");
}
