//! Regular files: facts, locks, holes, durability.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::cvt;

/// `fstat`.
pub(crate) fn stat(fd: BorrowedFd<'_>) -> io::Result<libc::stat> {
    // SAFETY: an all-zero `stat` is a valid value of a plain C struct.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is writable.
    cvt(unsafe { libc::fstat(fd.as_raw_fd(), &raw mut stat) })?;
    Ok(stat)
}

/// What tells a file or directory apart from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    /// When it was made, where the file system keeps that: ext4 gives the inode number of a
    /// removed file to the next one that is made.
    born: Option<SystemTime>,
}

impl Identity {
    pub(crate) fn of(meta: &Metadata) -> Self {
        Self { device: meta.dev(), inode: meta.ino(), born: meta.created().ok() }
    }
}

/// Facts of an open file that change when somebody writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// When the bytes were last written to, in seconds since 1970.
    pub(crate) fn modified_seconds(&self) -> i64 {
        self.modified.0
    }

    pub(crate) fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What shows that a name leads to the same file as before, and that nobody wrote to it.
#[cfg(feature = "server")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    fingerprint: Fingerprint,
}

#[cfg(feature = "server")]
impl Stamp {
    /// How long a file must have been left alone: its times are only so exact, and a second write in
    /// the same instant would not show.
    const SETTLED: u64 = 2;

    fn of(meta: &Metadata) -> Self {
        let (device, inode) = (meta.dev(), meta.ino());
        Self { device, inode, fingerprint: Fingerprint::of(meta) }
    }

    /// That of what `path` leads to.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|meta| Self::of(&meta))
    }

    /// Whether a later write would show for sure.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = u64::try_from(self.fingerprint.changed.0).unwrap_or(u64::MAX);
        changed.saturating_add(Self::SETTLED) < now.as_secs()
    }
}

/// The size of an open file, and its stamp if later writes would show in it.
#[cfg(feature = "server")]
pub(crate) fn size_and_stamp(file: &File) -> io::Result<(u64, Option<Stamp>)> {
    let meta = file.metadata()?;
    let stamp = Stamp::of(&meta);
    Ok((meta.len(), Some(stamp).filter(Stamp::is_settled)))
}

/// Facts of an open file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileFacts {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) is_regular: bool,
    /// Bytes that occupy disk space; less than the size where there are holes.
    pub(crate) allocated: u64,
}

/// Facts of an open file.
pub(crate) fn facts(fd: impl AsFd) -> io::Result<FileFacts> {
    let stat = stat(fd.as_fd())?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    Ok(FileFacts {
        fingerprint: Fingerprint {
            size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        },
        is_regular: stat.st_mode & libc::S_IFMT == libc::S_IFREG,
        allocated: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512),
    })
}

/// Opens a file for reading, named by the caller of the library: symlinks are followed.
///
/// `O_NONBLOCK` keeps the open from waiting if the name is a FIFO; it has no effect on files.
pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Takes a shared lock of the open file description on the whole file, without waiting.
///
/// InnoDB takes a POSIX write lock on each system tablespace file it opens, so this fails while
/// a server runs, and a server that starts meanwhile refuses to.
pub(crate) fn try_lock_shared(file: &File) -> io::Result<bool> {
    // SAFETY: an all-zero `flock` is a valid value of a plain C struct.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(libc::F_RDLCK).unwrap_or(0);
    lock.l_whence = 0; // SEEK_SET; start 0 and length 0 mean the whole file
    // SAFETY: `lock` is a valid flock for the time of the call.
    match cvt(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) }) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Tells the kernel that the file will be read once, from front to back.
pub(crate) fn advise_sequential(file: &File) {
    // SAFETY: no pointers are passed. Advice may be ignored.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_SEQUENTIAL) };
}

/// A stretch of a file: where data begins at or after an offset, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// The next stretch of data at or after `offset`; `None` when only a hole is left.
///
/// A file system that knows no holes reports the whole file as data.
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<Extent>> {
    let Some(start) = seek(file, offset, libc::SEEK_DATA)? else { return Ok(None) };
    let end = seek(file, start, libc::SEEK_HOLE)?.unwrap_or(start);
    Ok(Some(Extent { start, end }))
}

fn seek(file: &File, offset: u64, whence: libc::c_int) -> io::Result<Option<u64>> {
    let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: no pointers are passed. The file position is not used: all reads are positioned.
    let at = unsafe { libc::lseek(file.as_raw_fd(), offset, whence) };
    match u64::try_from(at) {
        Ok(at) => Ok(Some(at)),
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            error => Err(error),
        },
    }
}

/// Writes back everything cached for the file system behind `fd`, and waits.
///
/// Since Linux 5.8 this reports write-back errors met since `fd` was opened.
pub(crate) fn sync_filesystem(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    cvt(unsafe { libc::syncfs(fd.as_raw_fd()) }).map(drop)
}

/// Bytes between a regular file's position and its end; `None` for what is no regular file.
pub(crate) fn remaining(fd: BorrowedFd<'_>) -> Option<u64> {
    let stat = stat(fd).ok()?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return None;
    }
    // SAFETY: no pointers are passed, and the position is not moved.
    let at = unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_CUR) };
    u64::try_from(stat.st_size.checked_sub(at)?).ok()
}

/// Facts of the file a name leads to; `None` if it leads nowhere.
pub(crate) fn fingerprint_of(path: &Path) -> Option<Fingerprint> {
    std::fs::metadata(path).ok().map(|meta| Fingerprint::of(&meta))
}

/// Whether a name leads to a regular file that everybody may write to.
#[cfg(feature = "server")]
pub(crate) fn is_world_writable(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path)?;
    Ok(found.is_file() && found.permissions().mode() & 0o002 != 0)
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_small(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    open_read(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("longer than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Reads the first bytes of a file, up to `len`, without leaving copies of them behind.
pub(crate) fn read_head(path: &Path, len: usize) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::with_capacity(len);
    open_read(path)?.take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A regular file behind a descriptor, to be read by offset alone, and the descriptor's position.
/// `None` for what is no regular file.
pub(crate) fn by_offset(fd: BorrowedFd<'_>) -> io::Result<Option<(File, u64)>> {
    if stat(fd)?.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Ok(None);
    }
    // SAFETY: no pointers are passed, and the position is not moved.
    let at = unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_CUR) };
    let at = u64::try_from(at).map_err(|_| io::Error::last_os_error())?;
    Ok(Some((File::from(fd.try_clone_to_owned()?), at)))
}

/// A file without a name in `dir`, readable and writable, gone when it is closed.
pub(crate) fn nameless(dir: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.read(true).write(true).mode(0o600);
    match options.clone().custom_flags(libc::O_TMPFILE).open(dir) {
        // The file system does not know such files (NFS), or the kernel does not.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT)
            ) =>
        {
            use std::sync::atomic::AtomicU32;
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let path = dir.join(format!(".xbkit-spool-{}-{number}", std::process::id()));
            let file = options.create_new(true).custom_flags(libc::O_NOFOLLOW).open(&path)?;
            std::fs::remove_file(&path)?;
            Ok(file)
        }
        result => result,
    }
}

/// Makes a log for a program to write to, or empties one; never through a symlink.
#[cfg(feature = "server")]
pub(crate) fn create_log(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.create(true).append(true).mode(0o640).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    file.set_len(0)?;
    Ok(file)
}

/// Bytes that an unprivileged user may still write to the file system behind `fd`.
pub(crate) fn free_space(fd: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: an all-zero `statvfs` is a valid value of a plain C struct.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is writable.
    cvt(unsafe { libc::fstatvfs(fd.as_raw_fd(), &raw mut stat) })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether an open file still has a name.
#[cfg(feature = "server")]
pub(crate) fn has_name(file: &File) -> io::Result<bool> {
    Ok(stat(file.as_fd())?.st_nlink != 0)
}

/// Opens a file for reads that bypass the page cache; `None` where the file system cannot.
#[cfg(feature = "server")]
pub(crate) fn open_direct(path: &Path) -> io::Result<Option<File>> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_DIRECT | libc::O_NONBLOCK | libc::O_NOCTTY;
    match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks for the first bytes of a file to be in the page cache soon.
#[cfg(feature = "server")]
pub(crate) fn want_begin(path: &Path, len: u64) {
    let (Ok(file), Ok(len)) = (open_read(path), libc::off_t::try_from(len)) else { return };
    // SAFETY: no pointers are passed. Advice may be ignored.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, len, libc::POSIX_FADV_WILLNEED) };
}

/// Forgets what the page cache holds of a stretch of a file.
#[cfg(feature = "server")]
pub(crate) fn dont_need(file: &File, offset: u64, len: u64) {
    let (Ok(offset), Ok(len)) = (libc::off_t::try_from(offset), libc::off_t::try_from(len)) else {
        return;
    };
    // SAFETY: no pointers are passed. Advice may be ignored.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), offset, len, libc::POSIX_FADV_DONTNEED) };
}
