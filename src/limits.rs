//! The one table of caps: what a stream may make xbkit accept, hold or create, and why.
//!
//! Every number that comes from a stream is compared with one of these before it is used.

/// Longest member path in an xbstream, in bytes.
///
/// `xbstream` 8.x, 2.x and `mbstream` 10.11 all refuse 512 and more ("path length (512) is too
/// large"), so a longer name could be written but read by nobody.
pub const XBSTREAM_PATH: usize = 511;

/// Longest member path in a tar archive, in bytes: `PATH_MAX` of Linux less the NUL.
pub const TAR_PATH: usize = 4095;

/// Most bytes of records or of a name for one member of a tar archive: 1 MiB.
///
/// They are held in memory before the member they are for. A name has 4 KiB at most, owners and
/// times a few hundred bytes; a sparse map of 40,000 entries has 1 MiB in GNU's versions 0.0 and
/// 0.1, which nothing has written by itself since 2006.
pub const TAR_EXTENSION: u64 = 1 << 20;

/// Most stretches of data in a sparse member of a tar archive: 4 Mi, 64 MiB of memory, grown as
/// the map arrives. A page-compressed table of 64 GiB has one for each page of 16 KiB.
pub const TAR_SPARSE_ENTRIES: usize = 1 << 22;

/// Most bytes of members that may wait at once in a conversion, or to be written by themselves,
/// unless asked otherwise: 64 GiB.
///
/// Whoever converts untrusted streams should not lose a file system to one of them.
pub const CONVERT_SPOOL: u64 = 64 << 30;

/// Longest single path component, in bytes: `NAME_MAX` of every Linux file system in use.
pub const PATH_COMPONENT: usize = 255;

/// Most entries in the map of one Percona sparse chunk.
///
/// Writers emit one entry per compressed page of a read buffer: 640 for the default 10 MiB of
/// 16 KiB pages, 262,144 for 1 GiB of 4 KiB pages. A million entries are 8 MiB of memory, which
/// grows as the bytes of the map arrive, never by its announced length.
pub const SPARSE_MAP_ENTRIES: u32 = 1 << 20;

/// Largest offset in a member, in bytes: 256 TiB, InnoDB's largest tablespace (2^32 pages of 64 KiB).
///
/// Without a cap a 40-byte sparse chunk could claim a file of 16 EiB.
pub const MEMBER_SIZE: u64 = 1 << 48;

/// Most members that may be open at once in a stream.
///
/// An open member costs its path and about 200 bytes; a million of them with 40-byte paths are
/// about 250 MB. Real backups hold `--parallel` files and the redo log open.
pub const OPEN_MEMBERS: usize = 1_000_000;

/// Most members that may be open at once in a stream with a manifest.
///
/// Each is hashed, and a BLAKE3 state has 2 KiB: 200 MB in all.
pub const HASHED_MEMBERS: usize = 100_000;

/// Payload bytes in a chunk that xbkit writes, unless asked otherwise: 1 MiB.
///
/// A multiple of every InnoDB page size, so that pages never straddle chunks and page 0 is whole
/// in the first one. The incumbents write 10 MiB; a chunk must be in memory before its checksum
/// can precede it, so ten times less memory per reader, and it stays in a core's cache.
pub const CHUNK_SIZE: usize = 1 << 20;

/// Smallest and largest chunk size that may be asked for, in bytes. 64 KiB is InnoDB's largest page.
pub const CHUNK_SIZE_RANGE: std::ops::RangeInclusive<usize> = (64 << 10)..=(64 << 20);

/// Bytes read from a source at once.
pub const READ_SIZE: usize = 1 << 20;

/// Longest `.isl` file, in bytes: it holds one path.
pub const LINK_FILE: usize = 4096 + 2;

/// Most damaged pages of a file that a job that makes a stream names; all are counted.
pub const LISTED_PAGES: usize = 10_000;

/// Most tablespaces whose pages are checked at once while a stream passes.
///
/// Each takes up to 256 KiB until its layout is known. Writers hold `--parallel` files open, 256 at
/// most; the pages of further ones are not checked, and counted so.
pub const AUDITED_MEMBERS: usize = 256;

/// Worker threads that may be asked for.
pub const PARALLEL_RANGE: std::ops::RangeInclusive<usize> = 1..=256;

/// Largest window of an outer zstd layer, as a power of two: 128 MiB, the `zstd` program's own
/// default. A frame that needs more is refused, since the window is allocated by its header.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// Largest block, in bytes, of a format whose blocks must be held in memory whole (qpress, LZ4,
/// xbcrypt): 64 MiB. `--compress-chunk-size` and `--encrypt-chunk-size` are 64 KiB by default.
/// Memory grows as a block's bytes come, never by its announced length.
pub const CODEC_BLOCK: usize = 64 << 20;

/// Smallest and largest block or chunk size of a codec that may be asked for, in bytes. XtraBackup
/// takes 1 KiB at least.
pub const CODEC_BLOCK_RANGE: std::ops::RangeInclusive<usize> = (1 << 10)..=CODEC_BLOCK;

/// Plain bytes of a block, and bytes of an encrypted chunk, unless asked otherwise: XtraBackup's.
pub const CODEC_BLOCK_DEFAULT: usize = 64 << 10;

/// Zstandard levels that may be asked for. Those above 19 need more memory than readers expect.
pub const ZSTD_LEVEL: std::ops::RangeInclusive<usize> = 1..=19;

/// Gzip levels that may be asked for.
pub const GZIP_LEVEL: std::ops::RangeInclusive<usize> = 1..=9;

/// Most plain bytes for a stored byte of a member that is decoded, zeros aside.
///
/// A page of InnoDB holds its own number and checksum, so real tablespaces never come near:
/// 16 KiB of which 16 bytes are its own are 1024:1. Zstandard can pack 32768:1, and two layers
/// their product.
pub const RATIO: u64 = 2000;

/// Plain bytes that are not zero, up to which the ratio does not matter: 64 MiB.
pub const RATIO_FREE: u64 = 64 << 20;

/// Plain bytes that are compressed and encrypted at once: 1 MiB. A frame or gzip member for each
/// costs them 25 bytes, and pieces on different threads become the same bytes as on one.
pub const ENCODE_PIECE: usize = 1 << 20;

/// Longest name of a file in a qpress archive, in bytes: longer than any file system takes.
pub const QPRESS_NAME: usize = 4096;

/// Most outer compression layers that are peeled off a stream (`.xbs.gz.zst` has two).
pub const OUTER_LAYERS: usize = 4;

/// Largest metadata file of a backup that is read, in bytes: 4 MiB.
///
/// All but two are some hundred bytes. A set of GTIDs has about 50 for each server that ever wrote,
/// and `xtrabackup_tablespaces` about 100 for each tablespace outside the data directory.
pub const METADATA_FILE: usize = 4 << 20;

/// Most names in the root of a backup that are remembered to see what it lacks: real ones have
/// some fifty. Those that a backup must have are remembered however many others there are.
pub const ROOT_NAMES: usize = 4096;

/// Most bytes of a member that wait in memory until the stream they came from is verified: 16 MiB,
/// which is every metadata file and the manifest of a backup of 100,000 tables.
pub const CAT_MEMORY: usize = 16 << 20;

/// Longest line of a manifest, in bytes: the longest path has 4,095 bytes, each of which JSON may
/// write in six.
pub const MANIFEST_LINE: usize = 64 << 10;

/// Seconds that a hot backup may wait for a lock: what `MariaDB` takes for `lock_wait_timeout`.
pub const LOCK_WAIT_RANGE: std::ops::RangeInclusive<u64> = 1..=31_536_000;

/// Bytes of the buffer pool of a server that recovers a backup. Less than 5 MiB `MariaDB` does not
/// take.
pub const RECOVERY_MEMORY: std::ops::RangeInclusive<u64> = (5 << 20)..=MEMBER_SIZE;

/// Most bytes in each spool of a hot backup, unless asked otherwise: 1 TiB, which is to say that
/// the free space of the spool's directory is the limit.
#[cfg(feature = "server")]
pub const MAX_SPOOL: u64 = 1 << 40;

/// How long a hot backup waits for a lock, unless asked otherwise. Others queue behind it.
#[cfg(feature = "server")]
pub const LOCK_WAIT: std::time::Duration = std::time::Duration::from_mins(1);

/// How long a hot backup waits for a replica to be without temporary tables, unless asked
/// otherwise: as long as `mariabackup` does.
#[cfg(feature = "server")]
pub const SAFE_SLAVE_WAIT: std::time::Duration = std::time::Duration::from_mins(5);

/// Checks a number of threads.
pub(crate) fn check_parallel(threads: usize) -> crate::error::Result<()> {
    check_range("parallel", threads, &PARALLEL_RANGE)
}

/// Checks a chunk size.
pub(crate) fn check_chunk_size(bytes: usize) -> crate::error::Result<()> {
    check_range("chunk size", bytes, &CHUNK_SIZE_RANGE)
}

pub(crate) fn check_range(
    what: &str,
    value: usize,
    range: &std::ops::RangeInclusive<usize>,
) -> crate::error::Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(crate::error::Error::new(
        crate::error::ErrorKind::InvalidArgument,
        format!("{what} {value} is not between {} and {}", range.start(), range.end()),
    ))
}
