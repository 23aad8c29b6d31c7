//! Programs and files that a test needs and a machine may lack.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says that something is missing, past the capture of test output, so that a skipped test is
/// seen. With `XBK_REQUIRE_PEERS=1` it is a failure.
#[expect(clippy::disallowed_methods, reason = "the environment configures the tests")]
#[track_caller]
pub(crate) fn missing(what: &str) {
    let required = std::env::var_os("XBK_REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!required, "{what} is missing, and XBK_REQUIRE_PEERS=1 makes that a failure");
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {name}: {what} is missing\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The path of a program, or `None` after saying so: then the test returns.
#[expect(clippy::disallowed_methods, reason = "the test looks for a program")]
#[track_caller]
pub(crate) fn peer(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| {
        std::fs::metadata(file)
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    });
    if found.is_none() {
        missing(program);
    }
    found
}

/// Whether a peer's extractor says that it took the stream. `dir` is made for what it extracts.
#[expect(clippy::disallowed_methods, reason = "the peer needs a directory and its input")]
pub(crate) fn extracts(program: &Path, stream: &[u8], dir: &Path) -> bool {
    std::fs::create_dir(dir).expect("a directory for the peer");
    let mut child = Command::new(program)
        .arg("-x")
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the peer starts");
    // It may stop reading early; that is its verdict, not our failure.
    let _ = child.stdin.take().expect("a pipe").write_all(stream);
    child.wait().expect("the peer ends").success()
}
