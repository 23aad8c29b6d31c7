//! What the tests of the C interface share: the header, the built library, compilers.

#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "tests start programs and read files")]

pub(crate) mod calls;
pub(crate) mod header;
pub(crate) mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's directory.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project")
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether a program is there; says so past the captured output if not. With
/// `XBK_REQUIRE_PEERS=1` a missing one is a failure.
#[track_caller]
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(program).is_file()) {
        return true;
    }
    let required = std::env::var_os("XBK_REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!required, "{program} is missing, and XBK_REQUIRE_PEERS=1 makes that a failure");
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {name}: {program} is missing\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    false
}

/// Runs a command to its end, and gives what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{out}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    out
}

/// Compiler flags under which our own C must be clean.
pub(crate) const STRICT_C: &[&str] =
    &["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Wshadow", "-Werror"];
pub(crate) const STRICT_CXX: &[&str] =
    &["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"];

/// The library, in two forms: the archive as cargo builds it, and what `link.sh` makes of it.
pub(crate) struct Library {
    dir: PathBuf,
    /// What rustc says the archive needs of the system.
    pub(crate) native: String,
}

impl Library {
    /// Builds `libxbkit.a`, and links `libxbkit.so` from it as `make install-lib` does; with
    /// `injecting`, the environment can name calls that panic.
    ///
    /// Unstripped and unoptimised, so that its debug assertions are on, too.
    pub(crate) fn build(injecting: bool) -> Self {
        let target = target_dir();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["rustc", "--offline", "--package", "xbkit-capi", "--lib"])
            .args(["--crate-type", "staticlib", "--target-dir"])
            .arg(&target)
            .current_dir(root());
        if injecting {
            cargo.args(["--features", "panic-injection"]);
        }
        cargo.args(["--", "--print", "native-static-libs"]);
        let output = cargo.output().expect("cargo");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{cargo:?}:\n{said}");
        let native = said
            .lines()
            .find_map(|line| line.split_once("native-static-libs: ").map(|(_, libs)| libs.trim()))
            .unwrap_or_else(|| panic!("rustc does not say what the archive needs:\n{said}"))
            .to_owned();
        // Away from where the next build with other features puts its own.
        let dir = target.join(if injecting { "capi-injecting" } else { "capi" });
        std::fs::create_dir_all(&dir).expect("a directory");
        let own = Self { dir, native };
        let _ = std::fs::remove_file(own.archive());
        std::fs::hard_link(target.join("debug/libxbkit.a"), own.archive()).expect("the archive");
        own.link();
        own
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.dir.join("libxbkit.a")
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.dir.join("libxbkit.so.0")
    }

    fn link(&self) {
        run(Command::new(root().join("bindings/c/link.sh"))
            .arg("--unstripped")
            .arg(self.archive())
            .arg(self.shared()));
    }
}

/// The target directory that this very test was built in.
fn target_dir() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    own.ancestors().nth(3).expect("a target directory").to_owned()
}
