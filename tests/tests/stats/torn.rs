//! Readers that read while interfaces come and go and workers count find whole vectors.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    engine::{Sharing, stream},
    reader::{Entry, Everything, Reader},
};

/// Interfaces appear, are renamed and go, in an order in which numbers are used again by others.
const CHANGES: &str = "create loopback interface
create sub-interfaces pg0 7
create loopback interface
set interface name loop0 loop/x
delete sub-interface pg0.7
create loopback interface
delete loopback interface intfc loop/x
delete loopback interface intfc loop1
create sub-interfaces pg0 7
delete sub-interface pg0.7
delete loopback interface intfc loop0
";

/// How long everybody goes on.
const TIME: Duration = Duration::from_secs(4);

fn is_of_interfaces(name: &str) -> bool {
    name.starts_with("/if/") || name.starts_with("/interfaces/")
}

/// What must hold at every moment: who has a name has all links, these lead to its own elements, all rows of a vector are as long
/// as each other, and packets of 100 octets have as many.
fn check(all: &Everything) {
    let Entry::Names(names) = &all["/if/names"].1 else { panic!("{:?}", all["/if/names"]) };
    let mut links = 0;
    for (path, (number, entry)) in all {
        let Some(counter) = path.strip_prefix("/if/").filter(|name| *name != "names") else {
            continue;
        };
        let lengths: Vec<usize> = match entry {
            Entry::Simple(rows) => rows.iter().map(Vec::len).collect(),
            Entry::Combined(rows) => rows.iter().map(Vec::len).collect(),
            other => panic!("{path}: {other:?}"),
        };
        assert!(lengths.iter().all(|&len| len == lengths[0] && len >= names.len()), "{path}");
        for (index, name) in names.iter().enumerate() {
            let name = name.as_ref().unwrap_or_else(|| panic!("{index} has no name: {names:?}"));
            if name == "deleted" {
                continue;
            }
            let link = format!("/interfaces/{}/{counter}", name.replace('/', "_"));
            let (_, leads) = all.get(&link).unwrap_or_else(|| panic!("{link} is not there"));
            assert_eq!(*leads, Entry::Link(*number, index as u32), "{link}");
            links += 1;
        }
    }
    let present = all.keys().filter(|path| path.starts_with("/interfaces/")).count();
    assert_eq!(links, present, "links of nobody");
    let Entry::Combined(rows) = &all["/if/rx"].1 else { panic!("/if/rx") };
    assert!(rows.iter().all(|row| row[1][1].is_multiple_of(100)), "{rows:?}");
}

#[test]
fn no_reader_finds_half_a_change_while_interfaces_come_and_go_and_workers_count() {
    let mut engine = Sharing::start("stats-torn", "update-interval 0.02", "cpu { workers 2 }");
    for worker in 0..2 {
        engine.script(&stream(&format!("s{worker}"), "rate 2e4", "10.0.0.1", worker));
    }
    let reader = Reader::of(engine.pid());
    let seconds = TIME.as_secs().to_string();
    let theirs = engine.papi("stats::torn", "churn.py", &[Path::new(&seconds)]);
    let done = AtomicBool::new(false);
    let (reads, again, changes) = thread::scope(|scope| {
        let ours = scope.spawn(|| {
            let (mut reads, mut again) = (0, 0);
            while !done.load(Ordering::Acquire) {
                let (all, retries) = reader.read(is_of_interfaces);
                check(&all);
                (reads, again) = (reads + 1, again + retries);
            }
            (reads, again)
        });
        let (start, mut changes) = (Instant::now(), 0);
        while start.elapsed() < TIME + Duration::from_secs(1) {
            engine.script(CHANGES);
            changes += 1;
            // A reader that takes longer than the time between two changes would read for ever.
            thread::sleep(Duration::from_millis(40));
        }
        done.store(true, Ordering::Release);
        let (reads, again) = ours.join().unwrap();
        (reads, again, changes)
    });
    eprintln!("{reads} reads, {again} begun again, {changes} rounds of changes");
    assert!(reads > 5 && changes > 5, "{reads} reads, {changes} rounds of changes");
    let Some(theirs) = theirs else { return };
    let output = theirs.finish();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    eprintln!("vpp_papi: {told}");
    assert!(told["rounds"].as_u64().unwrap() > 5 && told["epochs"].as_u64().unwrap() > 2, "{told}");
    assert!(told["received"].as_u64().unwrap() > 0);
}
