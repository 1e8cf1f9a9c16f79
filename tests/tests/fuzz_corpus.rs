//! Every fuzz body over its stored corpus, which holds an input for what each parser can meet and one for each bug found.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use peloton_tests::fuzz::BODIES;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz-corpus")
}

/// Files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_body_holds_over_its_corpus() {
    let mut failed = Vec::new();
    for (name, body) in BODIES {
        let inputs = files(&folder().join(name));
        assert!(!inputs.is_empty(), "no corpus for {name}");
        for path in &inputs {
            let data = fs::read(path).unwrap();
            if panic::catch_unwind(AssertUnwindSafe(|| body(&data))).is_err() {
                failed.push(path.clone());
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn empty_and_uniform_inputs_are_held_as_well() {
    for (_, body) in BODIES {
        body(&[]);
        for byte in [0, 0xff] {
            for length in [1, 17, 1000] {
                body(&vec![byte; length]);
            }
        }
    }
}

#[test]
fn corpus_bodies_and_targets_have_the_same_names() {
    let names: Vec<&str> = BODIES.iter().map(|(name, _)| *name).collect();
    let is_folder = |path: &PathBuf| path.is_dir();
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let folders: Vec<String> = files(&folder()).into_iter().filter(is_folder).map(name).collect();
    assert_eq!(folders, names);
    let targets = folder().join("../../fuzz/fuzz_targets");
    assert_eq!(files(&targets).into_iter().map(name).collect::<Vec<_>>(), names);
    let manifest = fs::read_to_string(targets.join("../Cargo.toml")).unwrap();
    for name in names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
