//! C programs: compiled with all warnings as errors, and run so that a fault in them fails.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::{Library, STRICT_C, root, run};

pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::build(true))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Archive,
    Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    Sanitizers,
    Valgrind,
}

/// Compiles a C source with all warnings as errors.
pub(crate) fn compile(source: &Path, output: &Path, form: Form, under: Under) {
    let root = root();
    let mut gcc = Command::new("gcc");
    gcc.args(STRICT_C)
        // What C99 leaves to POSIX: pipes, signals, threads.
        .args(["-D_POSIX_C_SOURCE=200809L", "-g", "-O1", "-pthread", "-I"])
        .arg(root.join("include"))
        .arg("-I")
        .arg(root.join("tests/c"));
    if under == Under::Sanitizers {
        gcc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    }
    gcc.arg("-o").arg(output).arg(source);
    match form {
        Form::Archive => gcc.arg(library().archive()).args(library().native.split_whitespace()),
        Form::Shared => {
            gcc.arg(library().shared()).arg(format!("-Wl,-rpath,{}", library().dir().display()))
        }
    };
    run(&mut gcc);
    if under == Under::Sanitizers {
        let symbols = run(Command::new("nm").arg(output));
        assert!(symbols.contains("__asan_init"), "{}: not sanitized", output.display());
    }
}

/// The command that runs a program so that a fault in it fails.
pub(crate) fn command(program: &Path, under: Under) -> Command {
    match under {
        Under::Sanitizers => {
            let mut command = Command::new(program);
            command.env("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99");
            command
        }
        Under::Valgrind => {
            let mut command = Command::new("valgrind");
            command
                .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
                .args(["--errors-for-leak-kinds=definite", "--track-fds=no", "--fair-sched=try"])
                .arg(program)
                .env("XBK_TEST_SLOW", "1");
            command
        }
    }
}
