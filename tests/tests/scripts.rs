//! Scripts in VPP's command language, and what they print.
//!
//! `tests/scripts/NAME.exec` is run by `peloton exec`, and prints what is in `NAME.expected`. With `PELOTON_REWRITE=1` that is written
//! anew, to be read before it is committed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
};

use peloton_tests::program::{peloton, run};

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "exec")).collect();
    scripts.sort();
    scripts
}

/// What is wrong with what a script prints.
fn judge(script: &Path) -> Option<String> {
    let output = run(peloton().arg("exec").arg(script));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || !complaints.is_empty() {
        return Some(format!("{}: {complaints}", script.display()));
    }
    let expected = script.with_extension("expected");
    if env::var_os("PELOTON_REWRITE").is_some() {
        fs::write(&expected, &printed).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap_or_default();
    (printed != expected).then(|| format!("{} prints:\n{printed}", script.display()))
}

#[test]
fn every_script_prints_what_is_expected() {
    let scripts = scripts();
    assert!(scripts.len() >= 20, "they were not found");
    // Some wait for clocks.
    let wrong: Vec<String> = thread::scope(|scope| {
        let each: Vec<_> = scripts
            .chunks(6)
            .map(|some| {
                scope.spawn(move || some.iter().filter_map(|s| judge(s)).collect::<Vec<_>>())
            })
            .collect();
        each.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
