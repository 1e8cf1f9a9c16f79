//! Whatever is typed is answered: no command, with whatever behind it, stops the engine or leaves a line half applied.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use peloton_tests::{
    hostile::{Choose, Lines, Places, Scene, all_commands, damaged},
    program::Scratch,
    random::Random,
};

/// Lines of each command by its grammar, and as many damaged ones.
const LINES: usize = 120;

/// Things to read that are no scripts and no captures.
fn odd_files(folder: &Scratch) -> Vec<String> {
    let path = |name: &str| folder.path(name).display().to_string();
    let script = path("script");
    fs::write(&script, "echo a\nshow version\n").unwrap();
    let looped = path("looped");
    fs::write(&looped, format!("exec {looped}\n")).unwrap();
    let garbage = path("garbage");
    fs::write(&garbage, (0..=255).collect::<Vec<u8>>()).unwrap();
    let empty = path("empty");
    fs::write(&empty, "").unwrap();
    let fifo = path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let zero = "/dev/zero".to_owned();
    let demo =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/raw.pcap").display().to_string();
    vec![
        script,
        looped,
        garbage,
        empty,
        fifo,
        zero,
        "/dev/null".to_owned(),
        "/dev/full".to_owned(),
        "/proc/self/mem".to_owned(),
        "/".to_owned(),
        demo,
    ]
}

#[test]
fn every_command_answers_whatever_stands_behind_its_words() {
    let scratch = Scratch::new("hostile_commands");
    let files = odd_files(&scratch);
    // What is damaged may name files without a folder.
    std::env::set_current_dir(scratch.path("")).unwrap();
    let places = Places { folder: &scratch.path(""), files: &files };
    let mut random = Random::new(std::env::var("SEED").map_or(0x5eed, |s| s.parse().unwrap()));
    let only = std::env::var("ONLY").ok();
    let mut slowest: BTreeMap<Duration, String> = BTreeMap::new();
    for (path, syntax) in all_commands() {
        if only.as_ref().is_some_and(|only| !path.contains(only.as_str())) {
            continue;
        }
        let start = Instant::now();
        let lines = Lines::new(&syntax);
        let mut scene = Scene::new();
        for line in lines.oddities(&places, &mut random) {
            scene.type_line(line.as_bytes());
        }
        scene.look();
        let mut scene = Scene::new();
        for _ in 0..std::env::var("LINES").map_or(LINES, |s| s.parse().unwrap()) {
            let line = lines.line(&places, &mut random);
            scene.type_line(line.as_bytes());
            scene.type_line(&damaged(&line, &mut random));
            if random.once_in(20) {
                scene.look();
            }
        }
        scene.look();
        slowest.insert(start.elapsed(), path.clone());
        println!("{path}: {:?}", start.elapsed());
    }
}

#[test]
fn commands_in_any_order_leave_the_engine_whole() {
    let scratch = Scratch::new("any_order");
    let files = odd_files(&scratch);
    std::env::set_current_dir(scratch.path("")).unwrap();
    let places = Places { folder: &scratch.path(""), files: &files };
    let commands: Vec<Lines> = all_commands()
        .iter()
        .filter(|(path, _)| !path.starts_with("show ") && !path.starts_with("q"))
        .map(|(_, syntax)| Lines::new(syntax))
        .collect();
    for seed in 1..=std::env::var("SEEDS").map_or(20, |s| s.parse().unwrap()) {
        let mut random = Random::new(seed);
        let mut scene = Scene::new();
        println!("seed {seed}");
        for _ in 0..200 {
            let line = random.one(&commands).line(&places, &mut random);
            scene.type_line(line.as_bytes());
        }
        scene.look();
    }
}
