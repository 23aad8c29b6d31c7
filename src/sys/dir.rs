//! Directory handles, and opening names beneath one without ever passing through a symlink.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::{Fingerprint, Identity};
use super::{cvt, file};

/// Set once the kernel refused `openat2` (before Linux 5.6, or under a filter such as valgrind's).
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

/// What a name beneath a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryType {
    File,
    Directory,
    Symlink,
    Other,
}

/// An open directory.
///
/// Paths given to its methods are relative, and were checked by the caller to hold no empty,
/// `.` or `..` component and no NUL.
#[derive(Debug)]
pub(crate) struct Dir(OwnedFd);

impl Dir {
    /// Opens a directory that the user named; symlinks in that name are the user's own.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = c_string(path.as_os_str().as_bytes())?;
        open_at(libc::AT_FDCWD, &path, libc::O_RDONLY | libc::O_DIRECTORY, 0).map(Self)
    }

    /// Another handle of the same directory.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Creates a file that must not exist yet, for writing, beneath this directory.
    pub(crate) fn create_new(&self, path: &[u8], mode: u32) -> io::Result<File> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOCTTY;
        self.open_beneath(path, flags, mode).map(File::from)
    }

    /// Opens an existing file beneath this directory for writing.
    pub(crate) fn open_write(&self, path: &[u8]) -> io::Result<File> {
        self.open_beneath(path, libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK, 0)
            .map(File::from)
    }

    /// Opens a directory beneath this one.
    pub(crate) fn open_dir(&self, path: &[u8]) -> io::Result<Self> {
        self.open_beneath(path, libc::O_RDONLY | libc::O_DIRECTORY, 0).map(Self)
    }

    /// `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, or the same by hand.
    fn open_beneath(&self, path: &[u8], flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
        if !NO_OPENAT2.load(Ordering::Relaxed) {
            match self.openat2(path, flags, mode) {
                // EPERM is what container filters answer for a call they do not know.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    NO_OPENAT2.store(true, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        self.walk(path, flags, mode)
    }

    fn openat2(&self, path: &[u8], flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
        let path = c_string(path)?;
        // SAFETY: an all-zero `open_how` is a valid value of a plain C struct.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        // Without O_NOFOLLOW: RESOLVE_NO_SYMLINKS says more, and answers ELOOP for a symlink where
        // O_NOFOLLOW with O_PATH or O_DIRECTORY would answer ENOTDIR.
        how.flags = u64::try_from(flags | libc::O_CLOEXEC).unwrap_or(0);
        how.mode = u64::from(mode);
        how.resolve =
            libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
        loop {
            // SAFETY: `path` and `how` live through the call, and `how` has the size given.
            let fd = unsafe {
                libc::syscall(
                    libc::SYS_openat2,
                    self.0.as_raw_fd(),
                    path.as_ptr(),
                    &raw const how,
                    size_of::<libc::open_how>(),
                )
            };
            if let Ok(fd @ 0..) = RawFd::try_from(fd) {
                // SAFETY: the call above just gave us this descriptor, and nobody else has it.
                return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
            }
            match io::Error::last_os_error() {
                // EAGAIN: a rename elsewhere raced with the look-up; the kernel asks to repeat it.
                error if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) => {}
                error => return Err(error),
            }
        }
    }

    /// Opens one component after the other, each without following a symlink.
    fn walk(&self, path: &[u8], flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
        let (parents, name) = split(path);
        let mut parent: Option<OwnedFd> = None;
        for component in parents.split(|byte| *byte == b'/').filter(|c| !c.is_empty()) {
            let at = parent.as_ref().map_or(self.0.as_raw_fd(), AsRawFd::as_raw_fd);
            let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
            parent = Some(open_at(at, &c_string(component)?, flags, 0)?);
        }
        let at = parent.as_ref().map_or(self.0.as_raw_fd(), AsRawFd::as_raw_fd);
        open_at(at, &c_string(name)?, flags | libc::O_NOFOLLOW, mode)
    }

    /// Reads a file beneath this directory, of at most `limit` bytes.
    #[cfg(feature = "server")]
    pub(crate) fn read_small(&self, path: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read_begin(path, limit + 1)?;
        if bytes.len() > limit {
            let message = format!("longer than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(bytes)
    }

    /// Reads the first `limit` bytes of a file beneath this directory, or all it has.
    #[cfg(feature = "server")]
    pub(crate) fn read_begin(&self, path: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        use std::io::Read;
        let flags = libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK;
        let file = File::from(self.open_beneath(path, flags, 0)?);
        let mut bytes = Vec::new();
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Opens a file beneath this directory for reading.
    pub(crate) fn open_read(&self, path: &[u8]) -> io::Result<File> {
        self.open_beneath(path, libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK, 0)
            .map(File::from)
    }

    /// Gives a file or directory beneath this one an owner, where one is given, and a mode.
    #[cfg(feature = "server")]
    pub(crate) fn give(&self, path: &[u8], owner: Option<Owner>, mode: u32) -> io::Result<()> {
        self.with_parent(path, |at, name| {
            if let Some(owner) = owner {
                // SAFETY: `name` is NUL-terminated and lives through the call.
                cvt(unsafe {
                    libc::fchownat(
                        at,
                        name.as_ptr(),
                        owner.user,
                        owner.group,
                        libc::AT_SYMLINK_NOFOLLOW,
                    )
                })?;
            }
            // SAFETY: as above. The caller looked: it is no symlink, and nobody else writes here.
            cvt(unsafe { libc::fchmodat(at, name.as_ptr(), mode, 0) }).map(drop)
        })
    }

    /// Gives the directory itself an owner, where one is given, and a mode.
    #[cfg(feature = "server")]
    pub(crate) fn give_self(&self, owner: Option<Owner>, mode: u32) -> io::Result<()> {
        if let Some(owner) = owner {
            // SAFETY: no pointers are passed.
            cvt(unsafe { libc::fchown(self.0.as_raw_fd(), owner.user, owner.group) })?;
        }
        // SAFETY: no pointers are passed.
        cvt(unsafe { libc::fchmod(self.0.as_raw_fd(), mode) }).map(drop)
    }

    /// Who owns the directory.
    #[cfg(feature = "server")]
    pub(crate) fn owner(&self) -> io::Result<Owner> {
        let stat = file::stat(self.0.as_fd())?;
        Ok(Owner { user: stat.st_uid, group: stat.st_gid })
    }

    /// Makes one directory beneath this one.
    pub(crate) fn make_dir(&self, path: &[u8], mode: u32) -> io::Result<()> {
        self.with_parent(path, |at, name| {
            // SAFETY: `name` is NUL-terminated and lives through the call.
            cvt(unsafe { libc::mkdirat(at, name.as_ptr(), mode) }).map(drop)
        })
    }

    /// Removes a file beneath this directory.
    pub(crate) fn remove_file(&self, path: &[u8]) -> io::Result<()> {
        self.unlink(path, 0)
    }

    /// Removes an empty directory beneath this one.
    pub(crate) fn remove_dir(&self, path: &[u8]) -> io::Result<()> {
        self.unlink(path, libc::AT_REMOVEDIR)
    }

    fn unlink(&self, path: &[u8], flags: libc::c_int) -> io::Result<()> {
        self.with_parent(path, |at, name| {
            // SAFETY: `name` is NUL-terminated and lives through the call.
            cvt(unsafe { libc::unlinkat(at, name.as_ptr(), flags) }).map(drop)
        })
    }

    /// Renames `from` beneath this directory to `to` beneath another; with `replace` unset an
    /// existing `to` is an error (`EEXIST`), decided by the kernel in one step.
    pub(crate) fn rename(
        &self,
        from: &[u8],
        to_dir: &Self,
        to: &[u8],
        replace: bool,
    ) -> io::Result<()> {
        self.with_parent(from, |from_at, from_name| {
            to_dir.with_parent(to, |to_at, to_name| {
                let flags = if replace { 0 } else { libc::RENAME_NOREPLACE };
                // SAFETY: both names are NUL-terminated and live through the call.
                let renamed = cvt(unsafe {
                    libc::renameat2(from_at, from_name.as_ptr(), to_at, to_name.as_ptr(), flags)
                });
                match renamed {
                    // The file system cannot do RENAME_NOREPLACE: look first, then rename.
                    Err(error) if !replace && error.raw_os_error() == Some(libc::EINVAL) => {
                        if exists_at(to_at, to_name)? {
                            return Err(io::Error::from_raw_os_error(libc::EEXIST));
                        }
                        // SAFETY: as above.
                        cvt(unsafe {
                            libc::renameat(from_at, from_name.as_ptr(), to_at, to_name.as_ptr())
                        })
                        .map(drop)
                    }
                    result => result.map(drop),
                }
            })
        })
    }

    /// What `path` is, a symlink being a symlink; `None` if there is nothing.
    pub(crate) fn entry_type(&self, path: &[u8]) -> io::Result<Option<EntryType>> {
        let result = self.with_parent(path, |at, name| {
            // SAFETY: an all-zero `stat` is a valid value of a plain C struct.
            let mut stat: libc::stat = unsafe { std::mem::zeroed() };
            // SAFETY: `name` is NUL-terminated, `stat` is writable, and both live through the call.
            cvt(unsafe {
                libc::fstatat(at, name.as_ptr(), &raw mut stat, libc::AT_SYMLINK_NOFOLLOW)
            })?;
            Ok(match stat.st_mode & libc::S_IFMT {
                libc::S_IFREG => EntryType::File,
                libc::S_IFDIR => EntryType::Directory,
                libc::S_IFLNK => EntryType::Symlink,
                _ => EntryType::Other,
            })
        });
        match result {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Names in this directory, without `.` and `..`, in no order.
    pub(crate) fn entries(&self) -> io::Result<Vec<OsString>> {
        // A second open file description, so that two listings do not share a position.
        let again = open_at(self.0.as_raw_fd(), c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        let fd = again.as_raw_fd();
        // SAFETY: `fd` is an open directory; on success the stream owns it.
        let stream = unsafe { libc::fdopendir(fd) };
        if stream.is_null() {
            return Err(io::Error::last_os_error());
        }
        std::mem::forget(again);
        let mut names = Vec::new();
        loop {
            // SAFETY: errno is this thread's own.
            unsafe { *libc::__errno_location() = 0 };
            // SAFETY: `stream` is open, and only this function uses it.
            let entry = unsafe { libc::readdir(stream) };
            if entry.is_null() {
                break;
            }
            // SAFETY: readdir returned an entry, whose name is NUL-terminated and valid until
            // the next call on this stream.
            let name = unsafe { std::ffi::CStr::from_ptr((*entry).d_name.as_ptr()) }.to_bytes();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name.to_vec()));
            }
        }
        let error = io::Error::last_os_error();
        // SAFETY: `stream` is open and not used after this.
        unsafe { libc::closedir(stream) };
        if error.raw_os_error() == Some(0) { Ok(names) } else { Err(error) }
    }

    /// Takes an exclusive lock on the directory without waiting; `false` if another has it.
    pub(crate) fn try_lock(&self) -> io::Result<bool> {
        // SAFETY: no pointers are passed.
        match cvt(unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EWOULDBLOCK) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the directory's own entries durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        // SAFETY: no pointers are passed.
        cvt(unsafe { libc::fsync(self.0.as_raw_fd()) }).map(drop)
    }

    /// Makes everything on the directory's file system durable.
    pub(crate) fn sync_filesystem(&self) -> io::Result<()> {
        file::sync_filesystem(self.0.as_fd())
    }

    /// Calls `body` with the parent of `path` and the last component.
    fn with_parent<T>(
        &self,
        path: &[u8],
        body: impl FnOnce(RawFd, &CString) -> io::Result<T>,
    ) -> io::Result<T> {
        let (parents, name) = split(path);
        let name = c_string(name)?;
        if parents.is_empty() {
            return body(self.0.as_raw_fd(), &name);
        }
        let parent = self.open_beneath(parents, libc::O_PATH | libc::O_DIRECTORY, 0)?;
        body(parent.as_raw_fd(), &name)
    }
}

/// A user and a group, by number.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

#[cfg(feature = "server")]
impl Owner {
    /// The user of this name and their own group; `None` if there is none.
    pub(crate) fn of_user(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        let mut buffer = vec![0; 16 << 10];
        // SAFETY: an all-zero `passwd` is a valid value of a plain C struct.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers are valid for the time of the call, and the buffer has its length.
        let result = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        (result == 0 && !found.is_null())
            .then_some(Self { user: entry.pw_uid, group: entry.pw_gid })
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A path's directories and its last component.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => {
            let (parents, rest) = path.split_at(slash);
            (parents, rest.get(1..).unwrap_or_default())
        }
        None => (&[], path),
    }
}

fn c_string(bytes: &[u8]) -> io::Result<CString> {
    Ok(CString::new(bytes)?)
}

fn open_at(at: RawFd, path: &std::ffi::CStr, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    loop {
        // SAFETY: `path` is NUL-terminated and lives through the call.
        match cvt(unsafe { libc::openat(at, path.as_ptr(), flags | libc::O_CLOEXEC, mode) }) {
            // SAFETY: the call just gave us this descriptor, and nobody else has it.
            Ok(fd) => return Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn exists_at(at: RawFd, name: &std::ffi::CStr) -> io::Result<bool> {
    // SAFETY: `name` is NUL-terminated and lives through the call.
    match cvt(unsafe { libc::faccessat(at, name.as_ptr(), libc::F_OK, libc::AT_SYMLINK_NOFOLLOW) })
    {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a new directory in `beneath` that only this user may enter, and gives its path.
#[cfg(feature = "server")]
pub(crate) fn make_unique(beneath: &Path, prefix: &str) -> io::Result<std::path::PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let mut number = std::process::id();
    loop {
        let path = beneath.join(format!("{prefix}{number:x}"));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number = number.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            }
            result => return result.map(|()| path),
        }
    }
}

/// Removes a directory that this process made, and what programs left in it.
#[cfg(feature = "server")]
pub(crate) fn remove_flat(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
}

/// Makes a directory the user named, and its parents.
pub(crate) fn make_all(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// A directory entry met while walking a tree that the user named.
#[derive(Debug)]
pub(crate) struct WalkEntry {
    pub(crate) name: OsString,
    pub(crate) kind: WalkKind,
}

/// What an entry is, symlinks resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkKind {
    File {
        facts: Fingerprint,
    },
    Directory {
        identity: Identity,
    },
    Socket,
    /// A symlink to nowhere.
    Dangling,
    /// A FIFO or a device.
    Other,
}

/// What the user's `path` leads to.
pub(crate) fn kind_of(path: &Path) -> io::Result<WalkKind> {
    use std::os::unix::fs::FileTypeExt;
    Ok(match std::fs::metadata(path)? {
        meta if meta.is_file() => WalkKind::File { facts: Fingerprint::of(&meta) },
        meta if meta.is_dir() => WalkKind::Directory { identity: Identity::of(&meta) },
        meta if meta.file_type().is_socket() => WalkKind::Socket,
        _ => WalkKind::Other,
    })
}

/// The entries of a directory the user named, sorted by name.
pub(crate) fn list_resolved(path: &Path) -> io::Result<Vec<WalkEntry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = match kind_of(&entry.path()) {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::NotFound => WalkKind::Dangling,
            Err(error) => return Err(error),
        };
        entries.push(WalkEntry { name: entry.file_name(), kind });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// What an entry is, symlinks resolved, without a look at its facts.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    /// A symlink to nowhere.
    Dangling,
    /// Something else, or gone meanwhile.
    Other,
}

/// The entries of a directory the user named, sorted by name. Each is looked at only if it is a
/// symlink, or its directory does not tell what it is.
#[cfg(feature = "server")]
pub(crate) fn list_kinds(path: &Path) -> io::Result<Vec<(OsString, EntryKind)>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = match entry.file_type() {
            Ok(told) if told.is_file() => EntryKind::File,
            Ok(told) if told.is_dir() => EntryKind::Directory,
            Ok(told) if told.is_symlink() => match kind_of(&entry.path()) {
                Ok(WalkKind::File { .. }) => EntryKind::File,
                Ok(WalkKind::Directory { .. }) => EntryKind::Directory,
                Err(error) if error.kind() == io::ErrorKind::NotFound => EntryKind::Dangling,
                Ok(_) => EntryKind::Other,
                Err(error) => return Err(error),
            },
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => EntryKind::Other,
        };
        entries.push((entry.file_name(), kind));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

/// Whether a name leads to anything.
pub(crate) fn exists(path: &Path) -> bool {
    std::fs::metadata(path).is_ok()
}

/// Whether a directory is another or lies in it. False if either leads nowhere.
pub(crate) fn is_within(dir: &Path, outer: &Path) -> bool {
    match (std::fs::canonicalize(dir), std::fs::canonicalize(outer)) {
        (Ok(dir), Ok(outer)) => dir.starts_with(outer),
        _ => false,
    }
}

/// Whether two names lead to one file or directory. False if either leads nowhere.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let identity = |path| std::fs::metadata(path).map(|meta| Identity::of(&meta));
    matches!((identity(a), identity(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    /// The walk that stands in for `openat2` refuses the same symlinks.
    #[test]
    fn the_walk_never_follows_a_symlink() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(scratch.path().join("in/a/b")).unwrap();
        std::fs::create_dir(scratch.path().join("out")).unwrap();
        std::os::unix::fs::symlink("../out", scratch.path().join("in/link")).unwrap();
        std::os::unix::fs::symlink("../../out/file", scratch.path().join("in/a/last")).unwrap();
        let dir = Dir::open(&scratch.path().join("in")).unwrap();
        let create = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        let in_link = dir.make_dir(b"link/x", 0o700).unwrap_err();
        assert_eq!(in_link.raw_os_error(), Some(libc::ELOOP));
        for open in [Dir::openat2, Dir::walk] {
            assert!(open(&dir, b"link/x", create, 0o600).is_err());
            assert!(open(&dir, b"a/last", create, 0o600).is_err());
            assert!(open(&dir, b"a/b/ok", create, 0o600).is_ok());
            dir.remove_file(b"a/b/ok").unwrap();
        }
        assert_eq!(std::fs::read_dir(scratch.path().join("out")).unwrap().count(), 0);
    }

    #[test]
    fn a_rename_does_not_replace_unless_asked() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.create_new(b"a", 0o600).unwrap();
        dir.create_new(b"b", 0o600).unwrap();
        let refused = dir.rename(b"a", &dir, b"b", false).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EEXIST));
        dir.rename(b"a", &dir, b"b", true).unwrap();
        assert_eq!(dir.entries().unwrap(), vec![OsStr::new("b").to_owned()]);
    }
}
