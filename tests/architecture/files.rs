//! How a file begins and how long it may get.

use tests::workspace;

/// A file above this wants a reason, and there is none yet.
const LINES_MAX: usize = 400;

#[test]
fn every_file_says_first_what_it_is_for() {
    for file in workspace::rust_files().unwrap() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with //!", file.display());
    }
}

#[test]
fn no_file_outgrows_a_reader() {
    for file in workspace::rust_files().unwrap() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines; above {LINES_MAX} split it by concern", file.display());
    }
}

#[test]
fn no_module_is_a_drawer() {
    for file in workspace::rust_files().unwrap() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let drawer = matches!(stem, "util" | "utils" | "common" | "helper" | "helpers" | "misc");
        assert!(!drawer, "{}: name it after its concern", file.display());
    }
}

#[test]
fn no_test_is_ignored() {
    // Written in two parts, so that this very file does not hold the attribute it forbids.
    let attribute = concat!("#[ign", "ore");
    for file in workspace::rust_files().unwrap() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(attribute), "{} ignores a test", file.display());
    }
}
