//! Jobs in a process of their own: under limits, as another user, or to be killed.
//!
//! A test binary that uses this has an ignored test `child_process`, which runs what the
//! environment variable `XBK_CHILD` says, and does nothing without it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output};

use super::peers;

const ARGUMENTS: [&str; 5] =
    ["--exact", "child_process", "--ignored", "--nocapture", "--test-threads=1"];

/// This test binary as a process of its own that does `job`.
pub(crate) fn child(job: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test's own path"));
    command.args(ARGUMENTS).env("XBK_CHILD", job);
    command
}

/// The same, started by a shell that does `setup` first, such as `ulimit -n 256`.
pub(crate) fn child_after(setup: &str, job: &str) -> Command {
    let inner = child(job);
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("{setup} && exec \"$0\" \"$@\""));
    command.arg(inner.get_program()).args(inner.get_args()).env("XBK_CHILD", job);
    command
}

/// The same with mounts of its own, made by `setup` and gone with the process. `None`, after saying
/// so, where that is not allowed.
pub(crate) fn child_with_mounts(setup: &str, job: &str) -> Option<Command> {
    let is_root = am_root();
    let mut unshare = Command::new("unshare");
    unshare.args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
    let mut attempt = Command::new("unshare");
    attempt.args(unshare.get_args()).args(["mount", "-t", "tmpfs", "none", "/mnt"]);
    if !attempt.output().is_ok_and(|output| output.status.success()) {
        peers::missing("the right to mount a file system in a namespace");
        return None;
    }
    let inner = child_after(setup, job);
    unshare.arg(inner.get_program()).args(inner.get_args()).env("XBK_CHILD", job);
    Some(unshare)
}

#[expect(clippy::disallowed_methods, reason = "the kernel tells it in a file")]
pub(crate) fn am_root() -> bool {
    std::fs::metadata("/proc/self").expect("facts of this process").uid() == 0
}

/// The same without the rights of root, from a copy of the binary in `dir`, which is opened to
/// all. `None`, after saying so, if nobody else can run anything there.
#[expect(clippy::disallowed_methods, reason = "the test prepares its own directory")]
pub(crate) fn child_without_rights(dir: &Path, job: &str) -> Option<Command> {
    let mut command = child(job);
    if !am_root() {
        return Some(command);
    }
    let copy = dir.join("test-binary");
    std::fs::copy(command.get_program(), &copy).expect("a copy of the test binary");
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).expect("an open directory");
    let nobody = 65534;
    let can_run = Command::new(&copy).arg("--list").uid(nobody).gid(nobody).output();
    if !can_run.is_ok_and(|output| output.status.success()) {
        peers::missing("a temporary directory that other users can reach");
        return None;
    }
    command = Command::new(copy);
    command.args(ARGUMENTS).env("XBK_CHILD", job).uid(nobody).gid(nobody);
    Some(command)
}

/// What a child is to do; `None` if this is no child.
#[expect(clippy::disallowed_methods, reason = "the environment tells a child what to do")]
pub(crate) fn job() -> Option<String> {
    std::env::var("XBK_CHILD").ok()
}

/// A value that the parent put into the environment.
#[expect(clippy::disallowed_methods, reason = "the environment tells a child what to do")]
pub(crate) fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not given"))
}

/// Tells the parent something.
#[expect(clippy::print_stdout, reason = "this is how a child answers")]
pub(crate) fn tell(name: &str, value: impl std::fmt::Display) {
    println!("\nCHILD {name}={value}");
}

/// What a child told under `name`.
#[track_caller]
pub(crate) fn told(output: &Output, name: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let prefix = format!("CHILD {name}=");
    let value = text.lines().find_map(|line| line.strip_prefix(&prefix));
    value.unwrap_or_else(|| panic!("no {name} from the child: {output:?}")).to_owned()
}

/// Runs a child to its end, which must be a good one.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Output {
    let output = command.output().expect("the child starts");
    assert!(output.status.success(), "the child fails: {output:?}");
    output
}

/// The most memory that this process ever had resident, in bytes.
#[expect(clippy::disallowed_methods, reason = "the kernel tells it in a file")]
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("facts of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// Kills a child when the test ends, however it does.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
