//! A plugin in a crate outside of this workspace, as `docs/PLUGINS.md` has it: its files, its input, its output.

use std::{env, fs, io::Write, process::Command};

use peloton_tests::program::{Running, Scratch, workspace};

/// The first block of the document behind `text`.
fn block_behind<'d>(document: &'d str, text: &str) -> &'d str {
    let (_, behind) = document.split_once(text).unwrap_or_else(|| panic!("no {text}"));
    let (_, block) = behind.split_once("```").unwrap();
    let (_, block) = block.split_once('\n').unwrap();
    block.split("```").next().unwrap()
}

#[test]
fn a_crate_outside_the_workspace_builds_an_engine_with_a_plugin_of_its_own() {
    let workspace = workspace();
    let document = fs::read_to_string(workspace.join("docs/PLUGINS.md")).unwrap();
    let scratch = Scratch::new("outside_plugin");
    fs::create_dir(scratch.path("src")).unwrap();
    let manifest = block_behind(&document, "`Cargo.toml`:");
    assert_eq!(manifest.matches("\"../peloton/").count(), 2);
    let manifest = manifest.replace("../peloton/", &format!("{}/", workspace.display()));
    // Whatever lies above the folder.
    fs::write(scratch.path("Cargo.toml"), manifest + "\n[workspace]\n").unwrap();
    fs::write(scratch.path("src/main.rs"), block_behind(&document, "`src/main.rs`:")).unwrap();
    // The versions that the workspace was built with are there without a network.
    fs::copy(workspace.join("Cargo.lock"), scratch.path("Cargo.lock")).unwrap();

    // What it depends on is built once and kept, beside what this test was built with.
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap().join("outside-plugin");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--manifest-path"])
        .arg(scratch.path("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")])
        .status();
    assert!(built.unwrap().success());

    let mut program = Running::start(&mut Command::new(target.join("debug/neighbours-only")));
    let input = block_behind(&document, "with these lines as input:");
    program.child().stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = program.finish();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<_> = printed.lines().map(str::trim_end).collect();
    let shown: Vec<_> = block_behind(&document, "prints this").lines().collect();
    assert_eq!(printed, shown);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "neighbours only: feature `neighbours-only' is not enabled on the arc `ip4-unicast' of that interface\n"
    );
}
