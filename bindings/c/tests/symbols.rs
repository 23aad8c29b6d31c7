//! What `libxbkit.so` exports is one list in five places, and what was released stays as it was.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "tests start programs and read files")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::header::{constants, functions};
use common::{Library, read, root, run};

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::build(false))
}

/// Symbols and the version that brought each, as `symbols.txt` has them.
fn listed() -> BTreeMap<String, String> {
    let text = read(root().join("bindings/c/symbols.txt"));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut found = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let ([name, since] | [name, since, _]) = words[..] else { panic!("symbols.txt: {line}") };
        let before = found.insert(name.to_owned(), since.to_owned());
        assert!(before.is_none(), "symbols.txt has {name} twice");
    }
    found
}

#[test]
fn header_and_list_agree_on_names_and_versions() {
    let listed = listed();
    let mut seen = BTreeMap::new();
    for function in functions(&common::header::text()) {
        let since = function.doc.split("Since: ").nth(1).expect(&function.name);
        let since = since.trim().trim_end_matches(['/', '*', '\n', ' ']).to_owned();
        seen.insert(function.name, since);
    }
    assert_eq!(seen, listed, "the header's functions and bindings/c/symbols.txt");
}

#[test]
fn map_and_list_agree_on_names_and_versions() {
    let text = read(root().join("bindings/c/libxbkit.map"));
    let (mut node, mut seen, mut bases) = (String::new(), BTreeMap::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_suffix(" {") {
            node = name.trim_start_matches("XBKIT_").to_owned();
        } else if let Some(base) = line.strip_prefix('}') {
            bases.push(base.trim().trim_end_matches(';').to_owned());
        } else if let Some(name) = line.strip_suffix(';').filter(|name| name.starts_with("xbk_")) {
            seen.insert(name.to_owned(), node.clone());
        }
    }
    assert_eq!(seen, listed(), "bindings/c/libxbkit.map and bindings/c/symbols.txt");
    assert!(bases.iter().skip(1).all(|base| base.starts_with("XBKIT_")), "{bases:?}");
}

#[test]
fn the_library_exports_the_list_and_nothing_else() {
    let dynamic = run(Command::new("nm")
        .args(["-D", "--defined-only", "--with-symbol-versions"])
        .arg(library().shared()));
    let mut seen = BTreeMap::new();
    for line in dynamic.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, kind, symbol] = words[..] else { panic!("nm: {line}") };
        if kind == "A" {
            continue; // the version node itself
        }
        let (name, version) = symbol.split_once("@@XBKIT_").unwrap_or((symbol, "none"));
        seen.insert(name.to_owned(), version.to_owned());
    }
    assert_eq!(seen, listed(), "nm -D and bindings/c/symbols.txt");
    let dynamic = run(Command::new("readelf").arg("-d").arg(library().shared()));
    assert!(dynamic.contains("Library soname: [libxbkit.so.0]"), "{dynamic}");
}

#[test]
fn the_system_libraries_are_those_that_rustc_names() {
    let text = read(root().join("bindings/c/native-libs.txt"));
    assert_eq!(
        text.trim(),
        library().native,
        "bindings/c/native-libs.txt, which link.sh and xbkit.pc use, is not what \
         `cargo rustc -p xbkit-capi --crate-type staticlib -- --print native-static-libs` says"
    );
}

/// Panics are contained by catching them; with `panic = "abort"` none could be.
#[test]
fn no_profile_aborts_on_panic() {
    let manifest = read(root().join("Cargo.toml"));
    assert!(
        !manifest.replace(' ', "").contains("panic=\"abort\""),
        "Cargo.toml sets panic = abort"
    );
}

const BASELINE: &str = "bindings/c/abi/libxbkit.so.0.abi";
const NUMBERS: &str = "bindings/c/abi/numbers.txt";
const WHAT_TO_DO: &str = "\
The interface differs from the one that programs in use were compiled for. What to do:
- Nothing was meant to change? Then take the change back.
- Only functions, constants or options were added, or xbk_observer grew at its end: run `make abi`,
  commit what it writes, and say \"ABI: added\" in CHANGELOG.md. New functions need a new node in
  bindings/c/libxbkit.map and a line in bindings/c/symbols.txt.
- A function, type or number was changed or removed: keep the old one and add a new one beside it.
  If that is impossible, the soname becomes libxbkit.so.1 (build.rs, link.sh, Makefile, here), the
  baseline is made anew, and CHANGELOG.md says \"ABI: broken\".";

/// The description of a library that has the header's functions and types, unstripped.
///
/// Not of our own library: its debugging information is Rust's, where the opaque types are open and
/// every change inside looks like one of the interface. The header is made from the sources and
/// the symbols are compared above, so this is what a C compiler takes the interface for.
fn describe(header: &str, dir: &Path) -> PathBuf {
    let mut code = String::from("#include \"xbkit.h\"\n");
    for function in functions(header) {
        let params: Vec<String> =
            function.params.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        let params = if params.is_empty() { "void".to_owned() } else { params.join(", ") };
        let _ = writeln!(
            code,
            "{} {}({params}) {{ __builtin_trap(); }}",
            function.result, function.name
        );
    }
    std::fs::create_dir_all(dir).expect("a directory");
    std::fs::write(dir.join("xbkit.h"), header).expect("the header");
    std::fs::write(dir.join("stub.c"), code).expect("a source");
    run(Command::new("gcc")
        .current_dir(dir)
        .args(["-g", "-fPIC", "-shared", "-w", "-I.", "-o", "libxbkit.so.0", "stub.c"])
        .args(["-Wl,-soname,libxbkit.so.0"])
        .arg(format!("-Wl,--version-script={}", root().join("bindings/c/libxbkit.map").display())));
    run(Command::new("abidw")
        .current_dir(dir)
        .args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"])
        .args(["--type-id-style", "hash", "--out-file", "abi.xml", "libxbkit.so.0"]));
    dir.join("abi.xml")
}

/// What `abidiff` says about two descriptions; `None` if nothing differs.
fn difference(before: &Path, after: &Path) -> Option<String> {
    let output = Command::new("abidiff").arg(before).arg(after).output().expect("abidiff");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => None,
        // Bits: 1 and 2, it could not compare; 4, something changed; 8, incompatibly.
        Some(4 | 8 | 12) => Some(said),
        _ => panic!("abidiff: {}: {said}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// The baseline is of one machine; the interface has nothing in it that differs on others.
fn has_abigail() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return false;
    }
    common::has("gcc") && common::has("abidw") && common::has("abidiff")
}

/// `make abi` sets `XBK_WRITE_ABI` and thereby writes the baseline.
#[test]
fn the_interface_is_the_one_that_was_released() {
    if !has_abigail() {
        return;
    }
    let header = common::header::text();
    let dir = tempfile::tempdir().expect("a directory");
    let now = describe(&header, dir.path());
    let mut numbers = String::new();
    for (name, value) in constants(&header) {
        if !name.starts_with("XBK_VERSION_") {
            let _ = writeln!(numbers, "{name} {value}");
        }
    }
    if std::env::var_os("XBK_WRITE_ABI").is_some() {
        std::fs::create_dir_all(root().join("bindings/c/abi")).expect("a directory");
        std::fs::copy(&now, root().join(BASELINE)).expect("the baseline");
        std::fs::write(root().join(NUMBERS), &numbers).expect("the numbers");
    }
    if let Some(said) = difference(&root().join(BASELINE), &now) {
        panic!("{said}\n{WHAT_TO_DO}");
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (lines(&read(root().join(NUMBERS))), lines(&numbers));
    assert!(
        before == after,
        "numbers gone: {:?}, numbers new: {:?}\n{WHAT_TO_DO}",
        before.difference(&after).collect::<Vec<_>>(),
        after.difference(&before).collect::<Vec<_>>()
    );
}

/// A gate that cannot close is none.
#[test]
fn changes_of_the_interface_are_noticed() {
    if !has_abigail() {
        return;
    }
    let header = common::header::text();
    let dir = tempfile::tempdir().expect("a directory");
    let before = describe(&header, &dir.path().join("before"));
    assert_eq!(difference(&before, &describe(&header, &dir.path().join("same"))), None);
    for (number, (from, to)) in [
        ("uint64_t xbk_report_members(const xbk_report *report);", ""),
        (
            "xbk_entry_hole(xbk_entry *entry, uint64_t len,",
            "xbk_entry_hole(xbk_entry *entry, uint32_t len,",
        ),
        (
            "    const xbk_cancel *cancel;\n} xbk_observer;",
            "    const xbk_cancel *cancel;\n    int more;\n} xbk_observer;",
        ),
        ("typedef int32_t xbk_status;", "typedef int64_t xbk_status;"),
        ("const char *xbk_version(void);", "const char *xbk_version(int which);"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(header.contains(from), "the header has no longer {from:?}");
        let changed = header.replace(from, to);
        let after = describe(&changed, &dir.path().join(number.to_string()));
        assert!(difference(&before, &after).is_some(), "{from:?} to {to:?} was not noticed");
    }
}
