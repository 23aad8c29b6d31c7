//! Programs that are run: with nothing on their standard input, and ended when this process ends.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::cvt;

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program(Child);

impl Program {
    /// Starts a program, found by `PATH` if its name has no slash, in `dir`. What it says goes to
    /// `log`. A Ctrl-C on the terminal does not reach it.
    pub(crate) fn start(
        name: &OsStr,
        args: &[OsString],
        dir: &Path,
        log: &File,
    ) -> io::Result<Self> {
        let mut command = Command::new(name);
        command
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0);
        // SAFETY: prctl is async-signal-safe, takes no pointers here, and touches nothing of the
        // parent.
        unsafe {
            command.pre_exec(|| {
                // If this process is killed, the server ends, and cleanly.
                cvt(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM)).map(drop)
            });
        }
        command.spawn().map(Self)
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        if let Ok(pid) = libc::pid_t::try_from(self.0.id()) {
            // SAFETY: no pointers are passed. The child was not waited for, so the number is its.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// What a program that ends by itself soon writes to standard output.
pub(crate) fn output_of(name: &OsStr, args: &[&str], patience: Duration) -> io::Result<String> {
    let mut child = Command::new(name)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let begin = Instant::now();
    while child.try_wait()?.is_none() {
        if begin.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The directories of `PATH`, each once; those that depend on where the process is are left out.
#[expect(
    clippy::disallowed_methods,
    reason = "starting a program by its name reads it all the same"
)]
pub(crate) fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in std::env::split_paths(&path) {
        if dir.is_absolute() && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

/// Whether this process may do anything to anyone's files.
pub(crate) fn is_root() -> bool {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
