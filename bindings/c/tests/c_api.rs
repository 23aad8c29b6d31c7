//! The C interface from C: `tests/c`, programs made from the header, and `examples/c`, against
//! both libraries, under the sanitizers and under valgrind.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "tests start programs and read files")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::program::{Form, Under, command, compile};
use common::{calls, header, run};

fn sources() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(common::root().join("tests/c")).expect("tests/c") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "c") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    found.sort();
    assert!(found.len() >= 6, "{} programs in tests/c", found.len());
    found
}

fn run_all(under: Under) {
    if !common::has("gcc") || (under == Under::Valgrind && !common::has("valgrind")) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for form in [Form::Archive, Form::Shared] {
        for (name, source) in sources() {
            let program = dir.path().join(&name);
            compile(&source, &program, form, under);
            let scratch = dir.path().join(format!("{name}-{form:?}"));
            std::fs::create_dir(&scratch).expect("a directory");
            run(command(&program, under).arg(&scratch));
        }
    }
}

#[test]
fn c_programs_run_clean_under_sanitizers() {
    run_all(Under::Sanitizers);
}

#[test]
fn c_programs_run_clean_under_valgrind() {
    run_all(Under::Valgrind);
}

fn run_generated(name: &str, code: &str) {
    if !common::has("gcc") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join(format!("{name}.c"));
    std::fs::write(&source, code).expect("a source");
    for form in [Form::Archive, Form::Shared] {
        let program = dir.path().join(name);
        compile(&source, &program, form, Under::Sanitizers);
        run(&mut command(&program, Under::Sanitizers));
    }
}

#[test]
fn null_in_each_pointer_slot_is_an_error_and_never_a_crash() {
    let (code, slots) = calls::nulls(&header::functions(&header::text()));
    assert!(slots > 120, "only {slots} pointer slots found");
    run_generated("null", &code);
}

#[test]
fn a_panic_in_any_call_stays_inside() {
    let (code, calls) = calls::panics(&header::functions(&header::text()));
    assert!(calls > 60, "only {calls} functions found");
    run_generated("panic", &code);
}

/// The examples, compiled: their directory.
fn examples(form: Form) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["backup", "create", "extract", "list", "reader", "verify", "writer"] {
        let source = common::root().join(format!("examples/c/{name}.c"));
        compile(&source, &dir.path().join(name), form, Under::Sanitizers);
    }
    dir
}

/// Runs an example with input and output as files; gives its status and what it said.
fn example(
    dir: &Path,
    name: &str,
    args: &[&str],
    input: Option<&Path>,
    output: Option<&Path>,
) -> (i32, String) {
    let open = |path: &Path| std::fs::File::open(path).expect("an input");
    let mut command = command(&dir.join(name), Under::Sanitizers);
    command.args(args).current_dir(dir);
    command.stdin(input.map_or_else(Stdio::null, |path| open(path).into()));
    if let Some(path) = output {
        command.stdout(std::fs::File::create(path).expect("an output"));
    }
    let done = command.output().expect("the example starts");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    (done.status.code().unwrap_or(-1), said)
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, bytes).expect("a file");
}

#[test]
fn examples_do_their_jobs_and_agree_with_mbstream() {
    if !common::has("gcc") {
        return;
    }
    let pages: Vec<u8> = (0..1_500_000_u32).map(|n| (n ^ (n >> 9)).to_le_bytes()[0]).collect();
    for form in [Form::Archive, Form::Shared] {
        let built = examples(form);
        let dir = built.path();
        let at = |name: &str| dir.join(name);
        put(&at("in/db/t.ibd"), &pages);
        put(&at("in/empty"), b"");
        let stream = at("stream");

        let (status, said) =
            example(dir, "create", &["in", "db/t.ibd", "empty"], None, Some(&stream));
        assert_eq!((status, said.as_str()), (0, "2 members, 1500000 bytes\n"));
        let (status, said) = example(dir, "list", &[], Some(&stream), None);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("     1500000 db/t.ibd\n"), "{said}");
        let (status, said) = example(dir, "verify", &[], Some(&stream), None);
        assert_eq!((status, said.as_str()), (0, "2 members: proven complete\n"));
        let member = at("member");
        let (status, said) = example(dir, "reader", &["db/t.ibd"], Some(&stream), Some(&member));
        assert_eq!(status, 0, "{said}");
        assert!(std::fs::read(&member).expect("the member") == pages);
        let (status, _) = example(dir, "reader", &["nothing"], Some(&stream), None);
        assert_eq!(status, 1);
        let (status, said) = example(dir, "extract", &["out"], Some(&stream), None);
        assert_eq!((status, said.as_str()), (0, "2 members extracted, 0 skipped\n"));
        assert!(std::fs::read(at("out/db/t.ibd")).expect("the member") == pages);

        // What is cut is refused, with the place, and leaves nothing.
        let cut = at("cut");
        let whole = std::fs::read(&stream).expect("the stream");
        put(&cut, &whole[..whole.len() / 2]);
        let (status, said) = example(dir, "extract", &["none"], Some(&cut), None);
        assert!(status == 1 && said.contains("XBK_E_TRUNCATED"), "{status} {said}");
        assert!(!at("none/db").exists());

        let rows = at("rows");
        let (status, said) = example(dir, "writer", &["rows"], None, None);
        assert_eq!(status, 0, "{said}");
        // Pages that were never written: a backup checks what it carries.
        let unwritten = vec![0; pages.len()];
        put(&at("data/ibdata1"), &unwritten);
        put(&at("data/ib_logfile0"), &unwritten[..4096]);
        put(&at("data/db/x.frm"), b"x");
        let (status, said) = example(dir, "backup", &["data"], None, Some(&at("backup.xbs")));
        assert_eq!(status, 0, "{said}");
        let (status, said) = example(dir, "backup", &["in"], None, Some(&at("no.xbs")));
        assert!(status == 1 && said.contains("backup: "), "{status} {said}");

        if !common::has("mbstream") {
            continue;
        }
        for stream in [&stream, &rows, &at("backup.xbs")] {
            let into = stream.with_extension("mb");
            std::fs::create_dir(&into).expect("a directory");
            run(Command::new("mbstream")
                .args(["-x", "-C"])
                .arg(&into)
                .stdin(std::fs::File::open(stream).expect("the stream")));
        }
        assert!(std::fs::read(at("stream.mb/db/t.ibd")).expect("mbstream's") == pages);
        assert!(std::fs::read(at("stream.mb/empty")).expect("mbstream's").is_empty());
        assert!(std::fs::read(at("backup.mb/ibdata1")).expect("mbstream's") == unwritten);
        let odd = std::fs::read(at("rows.mb/shop/odd.txt")).expect("mbstream's");
        let lines: Vec<String> = (1..1000).step_by(2).map(|n| format!("row {n}\n")).collect();
        let expected = lines.concat();
        assert!(odd.starts_with(expected.as_bytes()) && odd.len() == expected.len() + 16384);
        // And the other way.
        let theirs = at("theirs");
        run(Command::new("mbstream")
            .args(["-c", "db/t.ibd", "empty"])
            .current_dir(at("in"))
            .stdout(std::fs::File::create(&theirs).expect("an output")));
        let (status, said) = example(dir, "extract", &["out2", "db"], Some(&theirs), None);
        assert_eq!((status, said.as_str()), (0, "1 members extracted, 1 skipped\n"));
        assert!(std::fs::read(at("out2/db/t.ibd")).expect("the member") == pages);
    }
}
