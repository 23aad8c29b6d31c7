/* xbkit: physical backups of MySQL and MariaDB as streams.
 *
 * This file is generated from bindings/c/src by `make header`. Do not edit it.
 *
 * Every job is one call:
 *
 *   xbk_options *o = xbk_options_new();
 *   xbk_options_set_str(o, XBK_OPT_TARGET_DIR, "/restore", NULL);
 *   xbk_error *err = NULL;
 *   xbk_status st = xbk_extract_from_fd(o, fd, NULL, NULL, &err);
 *   xbk_options_free(o);
 *   if (st < 0) { fprintf(stderr, "%s\n", xbk_error_line(err)); xbk_error_free(err); }
 *
 * xbk_create, xbk_backup: make a stream.    xbk_extract, xbk_list, xbk_verify: read one.
 * xbk_restore: from a stream to a data directory; xbk_prepare, xbk_put_back: the same in steps.
 * xbk_info: what backup a stream or a directory holds.    xbk_cat: one member of a stream.
 * xbk_writer, xbk_entry: make a stream of your own data.    xbk_reader, xbk_item: look into one.
 *
 * Conventions
 *   Results   A call that can fail returns xbk_status: XBK_OK, XBK_EOF, or an error below 0. Its last
 *             parameter may be NULL; else it receives an xbk_error, which you free.
 *   Outputs   Pointers that receive objects are set to NULL first, and to an object on success only.
 *   Ownership _new and _open give, _free takes (NULL is fine; anything else exactly once), _finish
 *             completes without freeing, xbk_entry_close() takes the entry even when it fails.
 *             const pointers that are returned belong to what they came from. Descriptors are
 *             borrowed and never closed.
 *   Strings   in and out end in NUL. Paths are bytes, not necessarily UTF-8; those from a stream may
 *             hold control bytes, so do not print them as they are: xbk_error_line() is escaped.
 *   NULL      where an object is needed gives XBK_E_INVALID_ARGUMENT, never a crash.
 *   Callbacks run on the thread that called xbkit. They must not throw or longjmp across it.
 *   Threads   Each type says what it allows. xbkit starts workers of its own with all signals blocked.
 *   Process   No call raises SIGPIPE, installs a signal handler, reads the environment, or changes
 *             the working directory, umask or locale. xbk_prepare() and xbk_restore() start a server
 *             as a child, which inherits the environment and is looked for in PATH, and wait for it.
 *             All descriptors are close-on-exec. In a forked child, handles of the parent give
 *             XBK_E_FORKED.
 *   ABI       Numbers and symbols are never reused; types but xbk_observer are opaque.
 */

#ifndef XBKIT_H
#define XBKIT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define XBK_MUST_USE __attribute__((warn_unused_result))
#else
#define XBK_MUST_USE
#endif

/** An xbk_observer that sees nothing, to begin with. */
#define XBK_OBSERVER_INIT { sizeof(xbk_observer), NULL, NULL, NULL }

/**
 * Text: "full", "incremental", "cold", "prepared" or "log-applied".
 */
#define XBK_INFO_KIND 1

/**
 * Text: how it names its files, "xtrabackup" or "mariadb_backup".
 */
#define XBK_INFO_NAMING 2

/**
 * Text: the server's version.
 */
#define XBK_INFO_SERVER_VERSION 3

/**
 * Text: the program that took the backup.
 */
#define XBK_INFO_TOOL_NAME 4

/**
 * Text: that program's version.
 */
#define XBK_INFO_TOOL_VERSION 5

/**
 * Text: when it began, "YYYY-MM-DD HH:MM:SS" in the zone of its machine.
 */
#define XBK_INFO_START_TIME 6

/**
 * Text: when it ended, likewise.
 */
#define XBK_INFO_END_TIME 7

/**
 * Text: the file of the position in the server's binary log.
 */
#define XBK_INFO_BINLOG_FILE 8

/**
 * Text: the GTID, or set of GTIDs, at that position.
 */
#define XBK_INFO_GTID 9

/**
 * Text: the UUID of the position in a Galera cluster.
 */
#define XBK_INFO_GALERA_UUID 10

/**
 * Text: the statements that make the restored server a replica of the same source.
 */
#define XBK_INFO_REPLICA_STATEMENTS 11

/**
 * Number: the LSN that the backup begins at; 0 for a full one.
 */
#define XBK_INFO_FROM_LSN 40

/**
 * Number: the LSN that an incremental backup on this one begins at.
 */
#define XBK_INFO_TO_LSN 41

/**
 * Number: the end of the copied redo.
 */
#define XBK_INFO_LAST_LSN 42

/**
 * Number: the offset in the binary log, in bytes.
 */
#define XBK_INFO_BINLOG_POSITION 43

/**
 * Number: the last transaction of the position in a Galera cluster.
 */
#define XBK_INFO_GALERA_SEQNO 44

/**
 * Number: InnoDB's page size, in bytes.
 */
#define XBK_INFO_PAGE_SIZE 45

/**
 * Number: members, where all of a stream was seen.
 */
#define XBK_INFO_MEMBERS 46

/**
 * Number: bytes of the members, where all of a stream was seen.
 */
#define XBK_INFO_PAYLOAD_BYTES 47

/**
 * Number, 1 or 0: whether members are compressed.
 */
#define XBK_INFO_COMPRESSED 48

/**
 * Number, 1 or 0: whether members are encrypted.
 */
#define XBK_INFO_ENCRYPTED 49

/**
 * Number, 1 or 0: whether the stream announces a manifest, or the directory holds one.
 */
#define XBK_INFO_MANIFEST 50

/**
 * Number, 1 or 0: whether the stream was proven complete; unknown if its contents were not read.
 */
#define XBK_INFO_PROVEN 51

/**
 * Number: how many things a backup of a whole server has that this lacks; xbk_info_json() names
 * them. Unknown if not all was seen.
 */
#define XBK_INFO_MISSING 52

/**
 * Kind of an item: a member begins.
 */
#define XBK_ITEM_OPEN 1

/**
 * Kind of an item: bytes of a member.
 */
#define XBK_ITEM_DATA 2

/**
 * Kind of an item: bytes of a member that are all zero and need no disk space.
 */
#define XBK_ITEM_HOLE 3

/**
 * Kind of an item: a member is complete. Bytes below its size that no item covered are zero.
 */
#define XBK_ITEM_CLOSE 4

/**
 * Kind of an item: a closed member gets another path (MariaDB).
 */
#define XBK_ITEM_RENAME 5

/**
 * Kind of an item: a closed member is taken back (MariaDB).
 */
#define XBK_ITEM_REMOVE 6

/**
 * Kind of an item: a directory (tar). It may be told more than once, before or after what is in it.
 */
#define XBK_ITEM_DIRECTORY 7

/**
 * Kind of an event: how far the job is; at most every 100 ms, and once at its end.
 */
#define XBK_EVENT_PROGRESS 1

/**
 * Kind of an event: a member was finished.
 */
#define XBK_EVENT_MEMBER 2

/**
 * Kind of an event: a sentence for a log.
 */
#define XBK_EVENT_LOG 3

/**
 * Kind of an event: a page of a tablespace is not what the server wrote.
 */
#define XBK_EVENT_BAD_PAGE 4

/**
 * Kind of an event: all pages of a tablespace were looked at.
 */
#define XBK_EVENT_FILE_CHECKED 5

/**
 * Level of a log event: worth knowing.
 */
#define XBK_LEVEL_INFO 1

/**
 * Level of a log event: the job goes on, but somebody should look.
 */
#define XBK_LEVEL_WARNING 2

/**
 * Worker threads that read or write files, 1 to 256; 1 if not set. int; create, backup, server
 * backup, extract, restore, check.
 */
#define XBK_OPT_PARALLEL 1

/**
 * Payload bytes of a chunk, 65536 to 67108864; 1048576 if not set. int; create, backup,
 * server backup, writer, convert.
 */
#define XBK_OPT_CHUNK_SIZE 2

/**
 * "mariadb" (if not set): holes travel as zeros; "percona": as sparse chunks, which mbstream
 * refuses. string; create, backup, server backup, writer.
 */
#define XBK_OPT_DIALECT 3

/**
 * End the stream in a manifest, by which it can be proven whole. bool, on if not set; create,
 * backup, server backup, writer, convert.
 */
#define XBK_OPT_MANIFEST 4

/**
 * The stream's format: "xbstream" (if not set), in which members interleave, or "tar", in which
 * they stand one behind the other. string; create, backup, server backup, writer, convert.
 */
#define XBK_OPT_FORMAT 10

/**
 * How many bytes the member will have, 0 to 281474976710656, not more and not fewer. A tar archive
 * needs it. int; entry.
 */
#define XBK_OPT_SIZE 11

/**
 * Compress each member by itself, as XtraBackup does: "quicklz", "lz4", "zstd" or "gzip"; a tar
 * archive is compressed as a whole. string; create, backup, server backup.
 */
#define XBK_OPT_COMPRESS 12

/**
 * Compression level of zstd, 1 to 19 (1 if not set), or gzip, 1 to 9 (6 if not set). int; create,
 * backup, server backup.
 */
#define XBK_OPT_COMPRESS_LEVEL 13

/**
 * Threads that compress, besides those that read, 1 to 256; 1 if not set. The stream is the same
 * for every number. int; create, backup, server backup.
 */
#define XBK_OPT_COMPRESS_THREADS 14

/**
 * Bytes that quicklz and lz4 compress on their own, 1024 to 67108864, for lz4 to 4194304; 65536 if
 * not set. int; create, backup, server backup.
 */
#define XBK_OPT_COMPRESS_CHUNK_SIZE 15

/**
 * Encrypt each member by itself with XBK_OPT_KEY, as XtraBackup does: "AES128", "AES192" or
 * "AES256"; a tar archive is encrypted as a whole. string; create, backup, server backup.
 */
#define XBK_OPT_ENCRYPT 16

/**
 * Threads that encrypt, besides those that read, 1 to 256; 1 if not set. int; create, backup,
 * server backup.
 */
#define XBK_OPT_ENCRYPT_THREADS 17

/**
 * Bytes that are encrypted on their own, 1024 to 67108864; 65536 if not set. int; create, backup,
 * server backup.
 */
#define XBK_OPT_ENCRYPT_CHUNK_SIZE 18

/**
 * The key's 16, 24 or 32 bytes; wiped when the options are freed. To list and to read items only
 * what is encrypted as a whole needs it, to verify also its pages. bytes; create, backup, server
 * backup, extract, list, verify, reader, info, cat, restore.
 */
#define XBK_OPT_KEY 19

/**
 * A regular file to stream; its path, relative and without "..", becomes its name. Each call adds
 * one. string; create.
 */
#define XBK_OPT_FILE 20

/**
 * The directory that files are named relative to; the working directory if not set. string;
 * create.
 */
#define XBK_OPT_BASE_DIR 21

/**
 * A file that changes while it is read: "refuse" (if not set) fails, "warn" goes on with a log
 * event. string; create.
 */
#define XBK_OPT_CHANGED 22

/**
 * The data directory. string; backup, of a stopped server, which needs it; server backup, which
 * fails if the server has another; restore and put back, which make it, new or empty, and need it.
 */
#define XBK_OPT_DATADIR 40

/**
 * Where the system tablespace is, if not in the data directory (innodb_data_home_dir). string;
 * Where the system tablespace is, if not in the data directory (innodb_data_home_dir). string;
 * backup, put back.
 */
#define XBK_OPT_DATA_HOME 41

/**
 * Where undo tablespaces are, if not in the data directory (innodb_undo_directory). string;
 * backup, put back.
 */
#define XBK_OPT_UNDO_DIR 42

/**
 * Where the redo log is, if not in the data directory (innodb_log_group_home_dir). string;
 * backup, put back.
 */
#define XBK_OPT_LOG_DIR 43

/**
 * Where Aria's log is, if not in the data directory (aria_log_dir_path). string;
 * backup, put back.
 */
#define XBK_OPT_ARIA_LOG_DIR 44

/**
 * A file of the system tablespace, as innodb_data_file_path names it, without its size; "ibdata1"
 * if not set. Each call adds one. string; backup.
 */
#define XBK_OPT_SYSTEM_FILE 45

/**
 * Report damaged pages of tablespaces, each by an event, and carry them, instead of failing at the
 * first; the backup of a running server then lists them in innodb_corrupted_pages. bool, off if not
 * set; backup, server backup.
 */
#define XBK_OPT_LOG_PAGE_CORRUPTION 46

/**
 * Where to extract to: a new or an empty directory, made if it is missing. string; extract, which
 * needs it.
 */
#define XBK_OPT_TARGET_DIR 60

/**
 * Write straight into the target, which exists and may hold other files; refuse files that exist,
 * and remove what was made on failure. bool, off if not set; extract.
 */
#define XBK_OPT_IN_PLACE 61

/**
 * Let the target hold files, and replace those that are in the stream, at the end. Not together
 * with XBK_OPT_IN_PLACE. bool, off if not set; extract.
 */
#define XBK_OPT_OVERWRITE 62

/**
 * Wait until everything is on disk before success is reported. bool, on if not set; extract.
 */
#define XBK_OPT_SYNC 63

/**
 * Extract only members that match: a name stands for itself or for all below that directory; the
 * wildcards ? [...] {a,b} and * match within a component, ** across. Each call adds one. string
 * (UTF-8); extract.
 */
#define XBK_OPT_MEMBER_PATTERN 64

/**
 * Decompress members that are compressed each by itself. bool, on if not set; extract.
 */
#define XBK_OPT_DECOMPRESS 65

/**
 * Decrypt members that are encrypted each by itself, with XBK_OPT_KEY. bool, on if not set;
 * extract.
 */
#define XBK_OPT_DECRYPT 66

/**
 * Threads that decrypt, decompress and write, if that is more than XBK_OPT_PARALLEL, 1 to 256; 1 if
 * not set. int; extract, restore.
 */
#define XBK_OPT_DECODE_THREADS 67

/**
 * Refuse a member that decodes to more bytes, 1 to 281474976710656, which it is if not set. int;
 * extract, restore.
 */
#define XBK_OPT_MAX_DECODED_SIZE 68

/**
 * Refuse a member that decodes to more than so many bytes for each stored one, from 64 MiB on and
 * zeros aside, 1 to 281474976710656; 2000 if not set. int; extract, restore.
 */
#define XBK_OPT_MAX_RATIO 69

/**
 * Let a sound stream pass that nothing proves to be complete. bool, off if not set; verify.
 */
#define XBK_OPT_ALLOW_UNPROVEN 80

/**
 * Refuse a stream that lacks what a backup of a whole server has. bool, off if not set; extract,
 * verify.
 */
#define XBK_OPT_REQUIRE_BACKUP 81

/**
 * Where members wait that must and do not fit into memory, in files without names; where a server
 * that recovers has its socket, so the path must be short then. "/tmp" if not set. string;
 * convert, cat, server backup, prepare, restore.
 */
#define XBK_OPT_TMPDIR 84

/**
 * Most bytes of members that may wait at once, 0 to 281474976710656; 68719476736 if not set. int;
 * Most bytes of members that may wait at once, 0 to 281474976710656; 68719476736 if not set. Of a
 * server backup, in each of its two spools, and 1099511627776 if not set. int; convert, cat,
 * server backup.
 */
#define XBK_OPT_MAX_SPOOL 85

/**
 * Let every member wait for the end, for streams that change members that ended. bool, off if not
 * set; convert.
 */
#define XBK_OPT_SPOOL_ALL 86

/**
 * Write the member as the stream stores it, and do not decode it. bool, off if not set; cat.
 */
#define XBK_OPT_RAW 87

/**
 * Check the pages of tablespaces, too. bool, off if not set; verify.
 */
#define XBK_OPT_PAGES 82

/**
 * Let a tar archive end without its two blocks of zeros, as some writers leave it; one that was
 * cut behind a member then passes for whole. bool, off if not set; extract, list, verify,
 * reader, cat, convert.
 */
#define XBK_OPT_ALLOW_MISSING_END 90

/**
 * A data directory or a file whose pages are checked. Each call adds one. string; check, which
 * needs it.
 */
#define XBK_OPT_PATH 100

/**
 * The Unix socket of a running server, which makes xbk_backup_to_fd() and its like back up that
 * server. string; server backup.
 */
#define XBK_OPT_SOCKET 120

/**
 * The host by which a running server is reached over TCP, which has the same effect. It is this
 * machine all the same, as files are read from disk. Not together with XBK_OPT_SOCKET. string
 * (UTF-8); server backup.
 */
#define XBK_OPT_HOST 121

/**
 * The port of the host, 1 to 65535; 3306 if not set. int; server backup.
 */
#define XBK_OPT_PORT 122

/**
 * The account; the server decides if none is given. string (UTF-8); server backup.
 */
#define XBK_OPT_USER 123

/**
 * The account's password, UTF-8. Kept out of messages and events, and wiped when the options are
 * freed; wipe your own copy, too. bytes; server backup.
 */
#define XBK_OPT_PASSWORD 124

/**
 * A file whose first line is the password; /dev/fd/N is a descriptor. Not together with
 * XBK_OPT_PASSWORD. string; server backup.
 */
#define XBK_OPT_PASSWORD_FILE 125

/**
 * An option file whose groups [client], [client-mariadb] and [xbkit] say what is not set: socket,
 * host, port, user, password, ssl-ca. It makes the backup one of a running server, too. string;
 * server backup.
 */
#define XBK_OPT_DEFAULTS_FILE 126

/**
 * Encrypt TCP connections, and check the server's certificate. bool, off if not set; server
 * backup.
 */
#define XBK_OPT_TLS 127

/**
 * A PEM file with the certificates of the authority to trust; implies XBK_OPT_TLS. string; server
 * backup.
 */
#define XBK_OPT_TLS_CA 128

/**
 * A PEM file with the certificate that the server is shown; needs XBK_OPT_TLS_KEY, and implies
 * XBK_OPT_TLS. string; server backup.
 */
#define XBK_OPT_TLS_CERT 129

/**
 * The key of that certificate, PEM. string; server backup.
 */
#define XBK_OPT_TLS_KEY 130

/**
 * Encrypt, but do not check who the server is. bool, off if not set; server backup.
 */
#define XBK_OPT_TLS_NO_VERIFY 131

/**
 * Read data files with so many bytes a second at most, 1 to 281474976710656. The redo log is never
 * slowed down. int; server backup.
 */
#define XBK_OPT_THROTTLE 140

/**
 * Seconds to wait for each lock, 1 to 31536000; 60 if not set. Others queue behind meanwhile. int;
 * server backup.
 */
#define XBK_OPT_LOCK_WAIT_TIMEOUT 141

/**
 * Keep what makes the restored server a replica of this one's primaries. bool, off if not set;
 * server backup.
 */
#define XBK_OPT_SLAVE_INFO 142

/**
 * Keep the server's place in its Galera cluster; fail if it is in none. bool, off if not set;
 * server backup.
 */
#define XBK_OPT_GALERA_INFO 143

/**
 * Of a replica, copy a moment at which it has no temporary tables of its primary's sessions, which a
 * backup does not carry. What it applies is stopped while locks are held, and started again. bool,
 * off if not set; server backup.
 */
#define XBK_OPT_SAFE_SLAVE_BACKUP 144

/**
 * Seconds to wait for that moment, 1 to 31536000; 300 if not set. int; server backup.
 */
#define XBK_OPT_SAFE_SLAVE_BACKUP_TIMEOUT 145

/**
 * The program of the server that recovers; if not set, mariadbd and mysqld are looked for in PATH
 * and the usual places. string; prepare, restore.
 */
#define XBK_OPT_SERVER_PROGRAM 160

/**
 * Bytes of that server's buffer pool, 5242880 to 281474976710656; 134217728 if not set. int;
 * prepare, restore.
 */
#define XBK_OPT_USE_MEMORY 161

/**
 * A further option for that server, such as "file_key_management_filename=/etc/keys". Each call
 * adds one. string (UTF-8); prepare, restore.
 */
#define XBK_OPT_SERVER_OPTION 162

/**
 * The user, by name, who gets the files. If not set, root gives them to the owner of the directory
 * if it was there, else to mysql. string (UTF-8); restore.
 */
#define XBK_OPT_OWNER 163

/**
 * Move files instead of copying them. bool, off if not set; put back.
 */
#define XBK_OPT_MOVE_FILES 164

/**
 * Let the data directory hold files; those of the backup may not be there all the same. bool, off
 * if not set; put back.
 */
#define XBK_OPT_NON_EMPTY 165

/**
 * Type of an option: on or off, by xbk_options_set_bool().
 */
#define XBK_TYPE_BOOL 1

/**
 * Type of an option: a number, by xbk_options_set_int().
 */
#define XBK_TYPE_INT 2

/**
 * Type of an option: a string, by xbk_options_set_str() or xbk_options_set_bytes().
 */
#define XBK_TYPE_STRING 3

/**
 * Type of an option: any bytes, by xbk_options_set_bytes().
 */
#define XBK_TYPE_BYTES 4

/**
 * Bit of xbk_option_jobs(): xbk_create_to_fd(), xbk_create_to_cb().
 */
#define XBK_JOB_CREATE 1

/**
 * Bit of xbk_option_jobs(): xbk_backup_to_fd(), xbk_backup_to_cb(), xbk_backup_to_dir(), of a
 * stopped server.
 */
#define XBK_JOB_BACKUP 2

/**
 * Bit of xbk_option_jobs(): xbk_extract_from_fd(), xbk_extract_from_cb().
 */
#define XBK_JOB_EXTRACT 4

/**
 * Bit of xbk_option_jobs(): xbk_list_from_fd(), xbk_list_from_cb().
 */
#define XBK_JOB_LIST 8

/**
 * Bit of xbk_option_jobs(): xbk_verify_from_fd(), xbk_verify_from_cb().
 */
#define XBK_JOB_VERIFY 16

/**
 * Bit of xbk_option_jobs(): xbk_writer_new_fd(), xbk_writer_new_cb().
 */
#define XBK_JOB_WRITER 32

/**
 * Bit of xbk_option_jobs(): xbk_writer_open().
 */
#define XBK_JOB_ENTRY 64

/**
 * Bit of xbk_option_jobs(): xbk_reader_new_fd(), xbk_reader_new_cb().
 */
#define XBK_JOB_READER 128

/**
 * Job: xbk_convert_fd() and xbk_convert_cb().
 */
#define XBK_JOB_CONVERT 256

/**
 * Bit of xbk_option_jobs(): xbk_info_from_fd(), xbk_info_from_cb(), xbk_info_from_dir().
 */
#define XBK_JOB_INFO 512

/**
 * Bit of xbk_option_jobs(): xbk_cat_fd_to_fd(), xbk_cat_cb_to_cb().
 */
#define XBK_JOB_CAT 1024

/**
 * Bit of xbk_option_jobs(): xbk_check().
 */
#define XBK_JOB_CHECK 2048

/**
 * Bit of xbk_option_jobs(): xbk_backup_to_fd(), xbk_backup_to_cb(), xbk_backup_to_dir(), of a
 * running server.
 */
#define XBK_JOB_SERVER_BACKUP 4096

/**
 * Bit of xbk_option_jobs(): xbk_prepare().
 */
#define XBK_JOB_PREPARE 8192

/**
 * Bit of xbk_option_jobs(): xbk_restore_from_fd(), xbk_restore_from_cb().
 */
#define XBK_JOB_RESTORE 16384

/**
 * Bit of xbk_option_jobs(): xbk_put_back().
 */
#define XBK_JOB_PUT_BACK 32768

/**
 * Text, server backup: the file of the position in the server's binary log, if it has one.
 */
#define XBK_REPORT_BINLOG_FILE 1

/**
 * Text, server backup: the GTID at that position; may be empty.
 */
#define XBK_REPORT_GTID 2

/**
 * Text, prepare: the program that recovered; none if the backup was prepared already.
 */
#define XBK_REPORT_SERVER_PROGRAM 3

/**
 * Text, prepare: errors that the server logged and that concern neither InnoDB nor Aria, a line
 * each.
 */
#define XBK_REPORT_WARNINGS 4

/**
 * Number, server backup: the offset in the binary log, in bytes.
 */
#define XBK_REPORT_BINLOG_POSITION 40

/**
 * Number, server backup: the LSN of the checkpoint that recovery begins with.
 */
#define XBK_REPORT_FROM_LSN 41

/**
 * Number, server backup: the LSN of the server's newest checkpoint at the end.
 */
#define XBK_REPORT_TO_LSN 42

/**
 * Number, server backup: the LSN at which the copied redo ends.
 */
#define XBK_REPORT_LAST_LSN 43

/**
 * Number, server backup: how long writes to tables without transactions waited, in microseconds.
 */
#define XBK_REPORT_FLUSH_US 44

/**
 * Number, server backup: how long DDL waited, in microseconds.
 */
#define XBK_REPORT_BLOCK_DDL_US 45

/**
 * Number, server backup: how long commits waited, in microseconds.
 */
#define XBK_REPORT_BLOCK_COMMIT_US 46

/**
 * Number, server backup: pages that the server was just writing, and that were read again.
 */
#define XBK_REPORT_TORN_PAGES 47

/**
 * Number, 1 or 0, restore: whether it was a hot backup, which a server recovered.
 */
#define XBK_REPORT_RECOVERED 48

/**
 * Major version of this header; compare with xbk_version_number().
 */
#define XBK_VERSION_MAJOR 0

/**
 * Minor version of this header.
 */
#define XBK_VERSION_MINOR 1

/**
 * Patch version of this header.
 */
#define XBK_VERSION_PATCH 0

/**
 * Version of this header as one number: major * 1000000 + minor * 1000 + patch.
 */
#define XBK_VERSION_NUMBER 1000

/**
 * Ends the jobs, readers and writers that it was given to. Once set it stays set.
 * Thread safety: any thread; xbk_cancel_now() is async-signal-safe too.
 */
typedef struct xbk_cancel xbk_cancel;

/**
 * One member of a stream that is written. Ended by xbk_entry_close(), or given up by
 * xbk_entry_free().
 * Thread safety: different entries of one writer may be used on different threads at once; one
 * entry, one thread at a time.
 */
typedef struct xbk_entry xbk_entry;

/**
 * What went wrong, and where. Made by the call that failed, owned by its caller, who frees it by
 * xbk_error_free(). Nothing in it changes.
 * Thread safety: may be read by several threads at once.
 */
typedef struct xbk_error xbk_error;

/**
 * Something that a running job tells. Valid during the callback alone.
 * Thread safety: only the thread of the callback.
 */
typedef struct xbk_event xbk_event;

/**
 * What is known of a backup. Given by xbk_info_from_fd() and its like, owned by the caller, who
 * frees it by xbk_info_free(). Nothing in it changes.
 * Thread safety: may be read by several threads at once.
 */
typedef struct xbk_info xbk_info;

/**
 * One thing that a stream says. Members interleave. It belongs to its reader, and is valid until
 * the next call of xbk_reader_next() or xbk_reader_free().
 * Thread safety: may be read by several threads at once, none of which calls for the reader.
 */
typedef struct xbk_item xbk_item;

/**
 * What xbkit knows about one option. Static: never freed.
 * Thread safety: any thread.
 */
typedef struct xbk_option xbk_option;

/**
 * What a job is told. Jobs, writers and readers copy what they need, so it may be changed, used
 * again or freed as soon as the call returns (or within its callbacks).
 * Thread safety: one thread at a time; it may move between threads.
 */
typedef struct xbk_options xbk_options;

/**
 * Reads a stream item by item, without extracting it. Outer gzip, zstd and lz4 layers come off.
 *
 *   1) xbk_reader_new_fd() or xbk_reader_new_cb()
 *   2) xbk_reader_next() until it gives XBK_EOF: only then the stream is whole
 *   3) xbk_reader_is_proven() says whether a manifest shows that nothing of it is missing
 *   4) xbk_reader_free()
 *
 * After any error the reader is poisoned: later calls give XBK_E_INVALID_STATE with the first
 * message. In a forked child every call gives XBK_E_FORKED, and xbk_reader_free() does nothing.
 * Memory: 1 MiB, the windows of outer layers, and about 200 bytes and twice the path for each
 * member that is open.
 * Thread safety: one thread at a time; it may move between threads.
 */
typedef struct xbk_reader xbk_reader;

/**
 * What a job did. Given by a job that succeeded, owned by its caller, who frees it by
 * xbk_report_free(). Nothing in it changes.
 * Thread safety: may be read by several threads at once.
 */
typedef struct xbk_report xbk_report;

/**
 * Writes a stream of several members, as many at once as you like:
 *
 *   1) xbk_writer_new_fd() or xbk_writer_new_cb()
 *   2) xbk_writer_open() for each member
 *   3) xbk_entry_write(), xbk_entry_hole(), in any order among the members
 *   4) xbk_entry_close() for each member
 *   5) xbk_writer_finish(), whose result says whether the stream is whole
 *   6) xbk_writer_free()
 *
 * After a failure of the output (XBK_E_SINK, XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE, XBK_E_CALLBACK,
 * XBK_E_CANCELLED ...) the writer is poisoned: later calls give XBK_E_INVALID_STATE with the first
 * message, and only xbk_entry_close(), xbk_entry_free() and xbk_writer_free() are useful. A stream
 * that was not finished is not whole: xbkit sees that by the missing manifest, other readers may
 * not, as xbstream has no end mark: tell them.
 * In a forked child every call gives XBK_E_FORKED, and the free functions do nothing.
 * Thread safety: one thread at a time; it may move between threads. Its entries: see xbk_entry.
 */
typedef struct xbk_writer xbk_writer;

/**
 * What every call that can fail returns: XBK_OK, XBK_EOF, or an error below 0.
 * Treat an error that this header does not name like any other.
 */
typedef int32_t xbk_status;

/**
 * Receives a job's events, on the thread that called the job. The job waits meanwhile, so return
 * soon. It must not throw or longjmp across xbkit. Ignore kinds that you do not know.
 * \param user   as given in the observer
 * \param event  valid during the call
 * \return 0 to go on; anything else cancels the job, which then fails with XBK_E_CANCELLED
 */
typedef int32_t (*xbk_event_fn)(void *user, const xbk_event *event);

/**
 * How to follow a job and to stop it. The only struct that callers make themselves: begin with
 * `xbk_observer obs = XBK_OBSERVER_INIT;` and set what you need. It is read when the job starts.
 * Later versions may add members; what an older caller does not have counts as 0, and a newer
 * caller's are refused if they are set, with XBK_E_UNSUPPORTED.
 * Thread safety: plain data of yours.
 */
typedef struct {
    /**
     * sizeof(xbk_observer), as your compiler saw it.
     */
    size_t struct_size;
    /**
     * Receives events; NULL for none.
     */
    xbk_event_fn on_event;
    /**
     * Handed to on_event.
     */
    void *user;
    /**
     * Ends the job when it is set; NULL for none.
     */
    const xbk_cancel *cancel;
} xbk_observer;

/**
 * Takes bytes of a stream. Called on the thread that called xbkit, one call at a time.
 * It may take fewer than len; the rest is offered again. It must not throw or longjmp across
 * xbkit, and what it calls on the same stream's handles fails with XBK_E_INVALID_STATE.
 * \param user     as given with the callback
 * \param data     the bytes; valid during the call
 * \param len      how many, at least 1
 * \param written  to be set to how many were taken, 1 to len; it is 0 at the start
 * \return 0; an errno, such as EPIPE or ENOSPC; or a negative number of yours, which gives
 *         XBK_E_CALLBACK. EINTR repeats the call. Block rather than return EAGAIN.
 */
typedef int32_t (*xbk_write_fn)(void *user, const void *data, size_t len, size_t *written);

/**
 * Gives bytes of a stream. Called on the thread that called xbkit, one call at a time.
 * It may give fewer than len. It must not throw or longjmp across xbkit, and what it calls on
 * the same stream's handles fails with XBK_E_INVALID_STATE.
 * \param user  as given with the callback
 * \param buf   where the bytes go
 * \param len   how many fit, at least 1
 * \param got   to be set to how many were given; it is 0 at the start, and 0 is the end
 * \return 0; an errno; or a negative number of yours, which gives XBK_E_CALLBACK.
 *         EINTR repeats the call. Block rather than return EAGAIN.
 */
typedef int32_t (*xbk_read_fn)(void *user, void *buf, size_t len, size_t *got);

/**
 * Done.
 */
#define XBK_OK 0

/**
 * The end of the stream, as it should be. Only from xbk_reader_next().
 */
#define XBK_EOF 1

/**
 * A bug in xbkit: a panic was caught. The object concerned is of no use any more.
 */
#define XBK_E_PANIC -1

/**
 * An argument or option is not acceptable; also NULL where an object is needed.
 */
#define XBK_E_INVALID_ARGUMENT -2

/**
 * The call does not fit the object's state: finished, failed before, or in use.
 */
#define XBK_E_INVALID_STATE -3

/**
 * Cancelled by an xbk_cancel, or by an observer.
 */
#define XBK_E_CANCELLED -4

/**
 * xbkit knows what was asked for, and does not do it; also an option number it does not know.
 */
#define XBK_E_UNSUPPORTED -6

/**
 * A callback returned a negative value; the message has it.
 */
#define XBK_E_CALLBACK -7

/**
 * The object was made by another process: this one is its forked child.
 */
#define XBK_E_FORKED -8

/**
 * A limit was exceeded.
 */
#define XBK_E_LIMIT -9

/**
 * Reading the input failed.
 */
#define XBK_E_SOURCE -20

/**
 * Writing the output failed.
 */
#define XBK_E_SINK -21

/**
 * The reader of the output is gone. Never comes with a SIGPIPE.
 */
#define XBK_E_PIPE_CLOSED -22

/**
 * The file system or device is full, or a quota is reached.
 */
#define XBK_E_NO_SPACE -23

/**
 * A file, directory, or wanted member does not exist.
 */
#define XBK_E_NOT_FOUND -24

/**
 * A file or member exists, and may not be replaced.
 */
#define XBK_E_EXISTS -25

/**
 * The operating system forbids it.
 */
#define XBK_E_PERMISSION -26

/**
 * A file changed while it was read.
 */
#define XBK_E_FILE_CHANGED -27

/**
 * A file is locked, so a server uses it.
 */
#define XBK_E_LOCKED -28

/**
 * The stream breaks the rules of its format.
 */
#define XBK_E_FORMAT -40

/**
 * The stream ends too early.
 */
#define XBK_E_TRUNCATED -41

/**
 * A checksum does not match its data.
 */
#define XBK_E_CHECKSUM -42

/**
 * A member's path is refused for safety.
 */
#define XBK_E_UNSAFE_PATH -43

/**
 * The stream is sound, but nothing proves that it is complete.
 */
#define XBK_E_UNPROVEN -44

/**
 * A backup lacks members that it must have.
 */
#define XBK_E_INCOMPLETE -45

/**
 * A compressed layer cannot be decoded.
 */
#define XBK_E_DECOMPRESS -61

/**
 * A key is missing, or cannot be one.
 */
#define XBK_E_KEY -62

/**
 * Encrypted data cannot be decrypted: the key is wrong, or the data were changed.
 */
#define XBK_E_DECRYPT -63

/**
 * The server cannot be reached, or the connection to it broke.
 */
#define XBK_E_CONNECT -80

/**
 * The server refuses the login, or the account lacks a privilege.
 */
#define XBK_E_AUTH -81

/**
 * The server answers a statement with an error.
 */
#define XBK_E_QUERY -82

/**
 * The server did not grant a lock in time.
 */
#define XBK_E_LOCK_WAIT -83

/**
 * The server did not recover a backup.
 */
#define XBK_E_RECOVERY -84

/**
 * A page of a tablespace does not match its checksum, however often it is read.
 */
#define XBK_E_PAGE_CORRUPT -100

/**
 * The server wrote over redo that was not copied yet.
 */
#define XBK_E_REDO_OVERRUN -101

/**
 * The redo log is of a format that is not known, or makes no sense.
 */
#define XBK_E_REDO_FORMAT -102

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Streams the data of a server to a descriptor.
 *
 * Of a stopped server, its data directory XBK_OPT_DATADIR, under a lock that keeps a server from
 * starting.
 *
 * Of a running one (MariaDB 10.8 or later, on this machine), if XBK_OPT_SOCKET, XBK_OPT_HOST or
 * XBK_OPT_DEFAULTS_FILE is set: what it would have left had it crashed at the reported position, so a
 * server must recover it: xbk_prepare(), xbk_restore_from_fd(). Others wait for it only in its
 * last stages, whose lengths are reported; a descriptor that stalls holds no lock. However the job
 * ends, all locks are released at once. The account needs RELOAD, with a binary log BINLOG MONITOR,
 * and with XBK_OPT_SLAVE_INFO SLAVE MONITOR.
 *
 * Blocks until the last byte is written. After a failure the stream is unfinished, and its reader
 * must be told: xbkit sees it by the missing manifest, others may not.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptor keeps its flags, a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE, and stays open.
 * \param options   of a stopped server XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
 *                  ARIA_LOG_DIR, SYSTEM_FILE.
 *                  Of a running one XBK_OPT_SOCKET, HOST or DEFAULTS_FILE; also PORT, USER, PASSWORD,
 *                  PASSWORD_FILE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NO_VERIFY, DATADIR, TMPDIR,
 *                  MAX_SPOOL, THROTTLE, LOCK_WAIT_TIMEOUT, SLAVE_INFO, GALERA_INFO,
 *                  SAFE_SLAVE_BACKUP, SAFE_SLAVE_BACKUP_TIMEOUT.
 *                  Of both PARALLEL, CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, LOG_PAGE_CORRUPTION,
 *                  COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS, COMPRESS_CHUNK_SIZE, ENCRYPT,
 *                  ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
 * \param fd        where the stream goes; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options, or a data directory that is not the server's;
 *         XBK_E_LOCKED if a server uses the directory; XBK_E_NOT_FOUND if it is none of a server;
 *         XBK_E_FILE_CHANGED, XBK_E_PERMISSION, XBK_E_SOURCE, XBK_E_PAGE_CORRUPT with the file;
 *         XBK_E_CONNECT if the server cannot be reached, or the connection broke; XBK_E_AUTH if it
 *         refuses the login, or the account lacks a privilege, which the hint names;
 *         XBK_E_LOCK_WAIT; XBK_E_QUERY; XBK_E_REDO_OVERRUN if the server wrote over redo that was
 *         not read yet; XBK_E_REDO_FORMAT, XBK_E_UNSUPPORTED for a server that is not understood;
 *         XBK_E_SINK, XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE of the output; XBK_E_LIMIT for a full spool;
 *         XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_backup_to_fd(const xbk_options *options,
                            int fd,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * The same with a callback that takes the stream, on this thread, with user. A callback that
 * stalls holds no lock of the server.
 * \param options   of a stopped server XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
 *                  ARIA_LOG_DIR, SYSTEM_FILE.
 *                  Of a running one XBK_OPT_SOCKET, HOST or DEFAULTS_FILE; also PORT, USER, PASSWORD,
 *                  PASSWORD_FILE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NO_VERIFY, DATADIR, TMPDIR,
 *                  MAX_SPOOL, THROTTLE, LOCK_WAIT_TIMEOUT, SLAVE_INFO, GALERA_INFO,
 *                  SAFE_SLAVE_BACKUP, SAFE_SLAVE_BACKUP_TIMEOUT.
 *                  Of both PARALLEL, CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, LOG_PAGE_CORRUPTION,
 *                  COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS, COMPRESS_CHUNK_SIZE, ENCRYPT,
 *                  ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
 * \param write_fn  must not be NULL
 * \param user      handed to write_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_backup_to_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_backup_to_cb(const xbk_options *options,
                            xbk_write_fn write_fn,
                            void *user,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * The same into a directory, whose files are stored as the members of an xbstream would be:
 * compressed and encrypted, if that is asked for. If the job fails, none is left there.
 * \param options   of a stopped server XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
 *                  ARIA_LOG_DIR, SYSTEM_FILE.
 *                  Of a running one XBK_OPT_SOCKET, HOST or DEFAULTS_FILE; also PORT, USER, PASSWORD,
 *                  PASSWORD_FILE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NO_VERIFY, DATADIR, TMPDIR,
 *                  MAX_SPOOL, THROTTLE, LOCK_WAIT_TIMEOUT, SLAVE_INFO, GALERA_INFO,
 *                  SAFE_SLAVE_BACKUP, SAFE_SLAVE_BACKUP_TIMEOUT.
 *                  Of both PARALLEL, CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, LOG_PAGE_CORRUPTION,
 *                  COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS, COMPRESS_CHUNK_SIZE, ENCRYPT,
 *                  ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
 * \param dir       a new or empty directory, made if it is missing; must not be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_backup_to_fd(); XBK_E_EXISTS if the directory is not empty; XBK_E_SINK and its like
 *         with the file that could not be written
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_backup_to_dir(const xbk_options *options,
                             const char *dir,
                             const xbk_observer *observer,
                             xbk_report **report,
                             xbk_error **err);

/**
 * Makes a cancel object that is not set. It holds one descriptor (close-on-exec).
 * \param cancel  receives the object; free it by xbk_cancel_free()
 * \param err     may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_SOURCE if the process has no descriptor left
 * Thread safety: any thread. Since: 0.1
 */
XBK_MUST_USE xbk_status xbk_cancel_new(xbk_cancel **cancel, xbk_error **err);

/**
 * Cancels: what it was given to ends within 200 ms with XBK_E_CANCELLED, but for the time that a
 * callback of yours takes. It takes no lock, allocates nothing and keeps errno, so a signal
 * handler may call it.
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for NULL; XBK_E_FORKED in a forked child, which cannot
 *         cancel its parent's jobs
 * Thread safety: any thread, and signal handlers. Since: 0.1
 */
xbk_status xbk_cancel_now(const xbk_cancel *cancel);

/**
 * Whether it was set.
 * \param cancel  may be NULL, which gives 0
 * \return 1 or 0
 * Thread safety: any thread, and signal handlers. Since: 0.1
 */
int32_t xbk_cancel_is_set(const xbk_cancel *cancel);

/**
 * Frees a cancel object. Jobs that it was given to keep what they need of it; a signal handler
 * that may still use it must be gone.
 * \param cancel  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use it. Since: 0.1
 */
void xbk_cancel_free(xbk_cancel *cancel);

/**
 * Writes the bytes of one member of a stream, and reads and verifies the stream to its end. A
 * member that is compressed or encrypted by itself is decoded, with XBK_OPT_KEY, unless XBK_OPT_RAW is
 * set. Up to 16 MiB are written only when all is well; a larger member may be
 * written before the stream turns out to be damaged, so its bytes are not to be used unless the
 * result is XBK_OK. A member that may still change waits in XBK_OPT_TMPDIR.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptors keep their flags, and stay open.
 * \param options   may be NULL; XBK_OPT_TMPDIR, XBK_OPT_MAX_SPOOL, XBK_OPT_RAW,
 *                  XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY
 * \param in_fd     where the stream comes from; borrowed
 * \param member    the member's path in the stream, with or without suffixes; must not be NULL
 * \param out_fd    where its bytes go; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free();
 *                  its payload bytes are the member's
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_NOT_FOUND if there is no such member; XBK_E_INVALID_ARGUMENT for options;
 *         XBK_E_UNSAFE_PATH for a path that no member can have; XBK_E_FORMAT, XBK_E_TRUNCATED,
 *         XBK_E_CHECKSUM, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset; XBK_E_LIMIT or
 *         XBK_E_UNSUPPORTED if the stream changes the member too late; XBK_E_SOURCE, XBK_E_SINK,
 *         XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_cat_fd_to_fd(const xbk_options *options,
                            int in_fd,
                            const char *member,
                            int out_fd,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * The same with callbacks that give the stream and take the member's bytes, on this thread.
 * \param options     may be NULL; XBK_OPT_TMPDIR, XBK_OPT_MAX_SPOOL, XBK_OPT_RAW,
 *                    XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY
 * \param read_fn     must not be NULL
 * \param read_user   handed to read_fn; may be NULL
 * \param member      the member's path in the stream; must not be NULL
 * \param write_fn    must not be NULL
 * \param write_user  handed to write_fn; may be NULL
 * \param observer    may be NULL
 * \param report      may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err         may be NULL; set only when the result is < 0
 * \return as xbk_cat_fd_to_fd(); XBK_E_CALLBACK if a callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_cat_cb_to_cb(const xbk_options *options,
                            xbk_read_fn read_fn,
                            void *read_user,
                            const char *member,
                            xbk_write_fn write_fn,
                            void *write_user,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * Checks every page of the tablespaces below XBK_OPT_PATH: of a stopped server, or of an
 * extracted backup. Each damaged page is an XBK_EVENT_BAD_PAGE, each file an
 * XBK_EVENT_FILE_CHECKED; a file that cannot be read is a log event, and the job fails at its
 * end. Locks that keep a server from starting are held meanwhile.
 * \param options   must not be NULL; XBK_OPT_PATH, XBK_OPT_PARALLEL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK if every page that can be checked is right; XBK_E_PAGE_CORRUPT if one is not, or
 *         is missing; XBK_E_LOCKED if a server uses a file; XBK_E_FILE_CHANGED; XBK_E_NOT_FOUND if
 *         there is no such path, or no tablespace below it; XBK_E_INVALID_ARGUMENT for options;
 *         XBK_E_SOURCE; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_check(const xbk_options *options,
                     const xbk_observer *observer,
                     xbk_report **report,
                     xbk_error **err);

/**
 * Reads a stream from one descriptor, and writes it to another in the format XBK_OPT_FORMAT says,
 * with a manifest of its own. Outer gzip, zstd and lz4 layers come off. Members of an xbstream that
 * becomes a tar archive wait for their ends in memory, then below XBK_OPT_TMPDIR. The new stream
 * ends only if the old one does; after a failure its reader must be told.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; both keep their flags, and stay open.
 * \param options   may be NULL; XBK_OPT_FORMAT, CHUNK_SIZE, MANIFEST, TMPDIR, MAX_SPOOL, SPOOL_ALL,
 *                  ALLOW_MISSING_END
 * \param in_fd     where the stream comes from; borrowed
 * \param out_fd    where the new one goes; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED,
 *         XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset;
 *         XBK_E_UNSUPPORTED for a stream that changes members that ended; XBK_E_SOURCE; XBK_E_SINK,
 *         XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE of the output or the spool; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_convert_fd(const xbk_options *options,
                          int in_fd,
                          int out_fd,
                          const xbk_observer *observer,
                          xbk_report **report,
                          xbk_error **err);

/**
 * The same with callbacks, which run on this thread, each with a user of its own.
 * \param options   may be NULL; as for xbk_convert_fd()
 * \param read_fn   gives the stream; must not be NULL
 * \param read_user handed to read_fn; may be NULL
 * \param write_fn  takes the new one; must not be NULL
 * \param write_user handed to write_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_convert_fd(); XBK_E_CALLBACK if a callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_convert_cb(const xbk_options *options,
                          xbk_read_fn read_fn,
                          void *read_user,
                          xbk_write_fn write_fn,
                          void *write_user,
                          const xbk_observer *observer,
                          xbk_report **report,
                          xbk_error **err);

/**
 * Streams files, XBK_OPT_FILE, to a descriptor. With XBK_OPT_PARALLEL above 1 members interleave.
 * Blocks until the last byte is written. After a failure the stream is unfinished, and its reader
 * must be told: xbkit sees it by the missing manifest, others may not.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptor keeps its flags, a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE, and stays open.
 * \param options   XBK_OPT_FILE at least once; also BASE_DIR, CHANGED, PARALLEL, CHUNK_SIZE,
 *                  DIALECT, FORMAT, MANIFEST, COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS,
 *                  COMPRESS_CHUNK_SIZE, ENCRYPT, ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
 * \param fd        where the stream goes; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_NOT_FOUND, XBK_E_PERMISSION,
 *         XBK_E_FILE_CHANGED, XBK_E_SOURCE with the file; XBK_E_SINK, XBK_E_PIPE_CLOSED,
 *         XBK_E_NO_SPACE of the output; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_create_to_fd(const xbk_options *options,
                            int fd,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * The same with a callback that takes the stream, on this thread, with user.
 * \param options   XBK_OPT_FILE at least once; also BASE_DIR, CHANGED, PARALLEL, CHUNK_SIZE,
 *                  DIALECT, FORMAT, MANIFEST, COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS,
 *                  COMPRESS_CHUNK_SIZE, ENCRYPT, ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
 * \param write_fn  must not be NULL
 * \param user      handed to write_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_create_to_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_create_to_cb(const xbk_options *options,
                            xbk_write_fn write_fn,
                            void *user,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * Appends len bytes to an open entry.
 * Blocks until the output has taken what fills a chunk; short writes go on where they stopped. At
 * most one chunk for each entry is held in memory.
 * \param data  may be NULL when len is 0
 * \param len   bytes
 * \param err   may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_LIMIT beyond 256 TiB; XBK_E_INVALID_STATE after an earlier failure; XBK_E_SINK,
 *         XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE, XBK_E_CALLBACK, XBK_E_CANCELLED: then the writer is poisoned,
 *         and only xbk_entry_close(), xbk_entry_free() and xbk_writer_free() are useful
 * Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_entry_write(xbk_entry *entry,
                           const void *data,
                           size_t len,
                           xbk_error **err);

/**
 * Appends len zero bytes. With XBK_OPT_DIALECT "percona" they take no room in the stream.
 * \param len  bytes
 * \param err  may be NULL; set only when the result is < 0
 * \return as xbk_entry_write()
 * Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
 */
XBK_MUST_USE xbk_status xbk_entry_hole(xbk_entry *entry, uint64_t len, xbk_error **err);

/**
 * Ends the member, and takes the entry: it is freed even when this fails.
 * \param err  may be NULL; set only when the result is < 0
 * \return as xbk_entry_write()
 * Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
 */
XBK_MUST_USE xbk_status xbk_entry_close(xbk_entry *entry, xbk_error **err);

/**
 * Gives an entry up without ending its member: the stream cannot be finished any more, and the
 * writer is poisoned. For a program whose own data failed half way.
 * \param entry  may be NULL; otherwise exactly once, and not after xbk_entry_close()
 * Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
 */
void xbk_entry_free(xbk_entry *entry);

/**
 * The status that the failed call returned.
 * \param err  may be NULL, which gives XBK_OK
 * Thread safety: any thread. Since: 0.1
 */
xbk_status xbk_error_code(const xbk_error *err);

/**
 * What went wrong and why, as one line: lower case, no full stop, without file and offsets.
 * \param err  may be NULL, which gives ""
 * \return a UTF-8 string of err; never NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_error_message(const xbk_error *err);

/**
 * Everything as one line fit for a terminal: the file (its control bytes escaped), the message,
 * the offsets and the cause. The hint is apart.
 * \param err  may be NULL, which gives ""
 * \return a UTF-8 string of err; never NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_error_line(const xbk_error *err);

/**
 * The file or stream member concerned: its bytes as they are, so escape them before they reach
 * a terminal, or print xbk_error_line(). A path from a stream that has a NUL in it ends there.
 * \param err  may be NULL, which gives NULL
 * \return a string of err, or NULL if no file is concerned
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_error_path(const xbk_error *err);

/**
 * What to do next, where xbkit knows.
 * \param err  may be NULL, which gives NULL
 * \return a UTF-8 string of err, or NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_error_hint(const xbk_error *err);

/**
 * The errno of the operating system, or of your callback.
 * \param err  may be NULL, which gives 0
 * \return the number, or 0 if there was none
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_error_os_errno(const xbk_error *err);

/**
 * Where in the stream, in bytes from its beginning, inside outer compression layers.
 * \param err     may be NULL, which gives 0
 * \param offset  set if the result is 1; may be NULL
 * \return 1 if the place is known, else 0
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_error_stream_offset(const xbk_error *err, uint64_t *offset);

/**
 * Where in the file or member, in bytes from its beginning.
 * \param err     may be NULL, which gives 0
 * \param offset  set if the result is 1; may be NULL
 * \return 1 if the place is known, else 0
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_error_file_offset(const xbk_error *err, uint64_t *offset);

/**
 * Frees an error.
 * \param err  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use it. Since: 0.1
 */
void xbk_error_free(xbk_error *err);

/**
 * Extracts a stream into a directory, XBK_OPT_TARGET_DIR, to its end. Outer gzip, zstd and lz4
 * layers come off. XBK_OK means that every byte was checked, written, and (unless XBK_OPT_SYNC is
 * off) is on disk; after a failure nothing is left that could be taken for a whole backup.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptor keeps its flags, and stays open.
 * \param options   XBK_OPT_TARGET_DIR; also IN_PLACE, OVERWRITE, SYNC, MEMBER_PATTERN, PARALLEL,
 *                  REQUIRE_BACKUP, ALLOW_MISSING_END, KEY, DECOMPRESS, DECRYPT,
 *                  DECODE_THREADS, MAX_DECODED_SIZE, MAX_RATIO
 * \param fd        where the stream comes from; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED,
 *         XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset;
 *         XBK_E_EXISTS, XBK_E_PERMISSION, XBK_E_NO_SPACE of the target; XBK_E_NOT_FOUND if a
 *         pattern matches no member; XBK_E_INCOMPLETE by XBK_OPT_REQUIRE_BACKUP; XBK_E_SOURCE;
 *         XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_extract_from_fd(const xbk_options *options,
                               int fd,
                               const xbk_observer *observer,
                               xbk_report **report,
                               xbk_error **err);

/**
 * The same with a callback that gives the stream, on this thread, with user.
 * \param options   XBK_OPT_TARGET_DIR; also IN_PLACE, OVERWRITE, SYNC, MEMBER_PATTERN, PARALLEL,
 *                  REQUIRE_BACKUP, ALLOW_MISSING_END, KEY, DECOMPRESS, DECRYPT,
 *                  DECODE_THREADS, MAX_DECODED_SIZE, MAX_RATIO
 * \param read_fn  must not be NULL
 * \param user      handed to read_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_extract_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_extract_from_cb(const xbk_options *options,
                               xbk_read_fn read_fn,
                               void *user,
                               const xbk_observer *observer,
                               xbk_report **report,
                               xbk_error **err);

/**
 * Says what backup a stream holds. Of a regular file without compression around it, from the
 * descriptor's position on, headers and a few small members are read and all else is passed over,
 * and the position stays. Anything else is read and verified to its end, a stream without a
 * manifest only until nothing more can be learned. What is missing is unknown and no error.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptor keeps its flags, and stays open.
 * \param options   may be NULL; XBK_OPT_KEY
 * \param fd        where the stream comes from; borrowed
 * \param observer  may be NULL
 * \param info      must not be NULL; free it by xbk_info_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED,
 *         XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset,
 *         or with the member's name for one that should say something and is malformed;
 *         XBK_E_SOURCE; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_info_from_fd(const xbk_options *options,
                            int fd,
                            const xbk_observer *observer,
                            xbk_info **info,
                            xbk_error **err);

/**
 * The same with a callback that gives the stream, on this thread, with user. It may be called no
 * more before the stream's end.
 * \param options   may be NULL; XBK_OPT_KEY
 * \param read_fn   must not be NULL
 * \param user      handed to read_fn; may be NULL
 * \param observer  may be NULL
 * \param info      must not be NULL; free it by xbk_info_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_info_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_info_from_cb(const xbk_options *options,
                            xbk_read_fn read_fn,
                            void *user,
                            const xbk_observer *observer,
                            xbk_info **info,
                            xbk_error **err);

/**
 * Says what backup a directory holds: one that was extracted, or a server's data directory.
 * \param options  may be NULL; XBK_OPT_KEY
 * \param dir      must not be NULL
 * \param info     must not be NULL; free it by xbk_info_free()
 * \param err      may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_INVALID_STATE if an extraction into
 *         it did not finish; XBK_E_NOT_FOUND, XBK_E_PERMISSION, XBK_E_SOURCE; XBK_E_FORMAT,
 *         XBK_E_UNSUPPORTED, XBK_E_LIMIT with the file that is malformed; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_info_from_dir(const xbk_options *options,
                             const char *dir,
                             xbk_info **info,
                             xbk_error **err);

/**
 * A text of what is known.
 * \param info   may be NULL, which gives NULL
 * \param field  XBK_INFO_KIND to XBK_INFO_REPLICA_STATEMENTS
 * \return a UTF-8 string of info, which may hold line feeds; NULL if it is unknown, or the field
 *         is none or no text
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_info_text(const xbk_info *info, uint32_t field);

/**
 * A number of what is known.
 * \param info    may be NULL, which gives 0
 * \param field   XBK_INFO_FROM_LSN to XBK_INFO_MISSING
 * \param number  set if the result is 1; may be NULL
 * \return 1 if it is known; 0 if not, or if the field is none or no number
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_info_number(const xbk_info *info, uint32_t field, uint64_t *number);

/**
 * All that is known, as one JSON object whose keys the documentation of the Rust library lists;
 * null for what is unknown. Further keys may come.
 * \param info  may be NULL, which gives NULL
 * \return a UTF-8 string of info
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_info_json(const xbk_info *info);

/**
 * Frees what is known.
 * \param info  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use it. Since: 0.1
 */
void xbk_info_free(xbk_info *info);

/**
 * What kind of item it is.
 * \param item  may be NULL, which gives 0
 * \return XBK_ITEM_OPEN, XBK_ITEM_DATA, XBK_ITEM_HOLE, XBK_ITEM_CLOSE, XBK_ITEM_RENAME,
 *         XBK_ITEM_REMOVE or XBK_ITEM_DIRECTORY
 * Thread safety: as xbk_item. Since: 0.1
 */
uint32_t xbk_item_kind(const xbk_item *item);

/**
 * The member's number in its stream, in order of appearance from 0.
 * \param item  may be NULL, which gives UINT64_MAX
 * \return the number; UINT64_MAX for rename, remove and directory, which go by path
 * Thread safety: as xbk_item. Since: 0.1
 */
uint64_t xbk_item_member(const xbk_item *item);

/**
 * The member's path, its bytes as they are: relative, without ".." and empty components.
 * \param item  may be NULL, which gives NULL
 * \return a string that lives as long as the item; of a rename, the path so far
 * Thread safety: as xbk_item. Since: 0.1
 */
const char *xbk_item_path(const xbk_item *item);

/**
 * Rename: the path from now on.
 * \param item  may be NULL, which gives NULL
 * \return a string that lives as long as the item; NULL for other kinds
 * Thread safety: as xbk_item. Since: 0.1
 */
const char *xbk_item_new_path(const xbk_item *item);

/**
 * Open, rename: whether it replaces a closed member of that path (MariaDB).
 * \param item  may be NULL, which gives 0
 * \return 1 or 0
 * Thread safety: as xbk_item. Since: 0.1
 */
int32_t xbk_item_replaces(const xbk_item *item);

/**
 * Data, hole: where the bytes belong, from the member's beginning.
 * \param item  may be NULL, which gives 0
 * \return bytes; 0 for other kinds
 * Thread safety: as xbk_item. Since: 0.1
 */
uint64_t xbk_item_offset(const xbk_item *item);

/**
 * Data, hole: how many bytes. Close: the member's size, holes included.
 * \param item  may be NULL, which gives 0
 * \return bytes; 0 for other kinds
 * Thread safety: as xbk_item. Since: 0.1
 */
uint64_t xbk_item_size(const xbk_item *item);

/**
 * Data: the bytes, without a copy. They are provisional: the checksum over them is compared at the
 * end of their chunk, so trust them once their member was closed.
 * \param item    may be NULL, which gives NULL
 * \param len     receives how many there are, 0 for other kinds; may be NULL
 * \param offset  receives where they belong, from the member's beginning; may be NULL
 * \return the bytes, which live as long as the item; NULL for other kinds
 * Thread safety: as xbk_item. Since: 0.1
 */
const void *xbk_item_data(const xbk_item *item, size_t *len, uint64_t *offset);

/**
 * Reads a stream to its end, and gives an XBK_EVENT_MEMBER for each member when it ends. Structure
 * and checksums are checked on the way. Outer gzip, zstd and lz4 layers come off.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptor keeps its flags, and stays open.
 * \param options   may be NULL; XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY, and the cancel
 *                  object
 * \param fd        where the stream comes from; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED,
 *         XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset;
 *         XBK_E_SOURCE; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_list_from_fd(const xbk_options *options,
                            int fd,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * The same with a callback that gives the stream, on this thread, with user.
 * \param options   may be NULL; XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY, and the cancel
 *                  object
 * \param read_fn  must not be NULL
 * \param user      handed to read_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_list_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_list_from_cb(const xbk_options *options,
                            xbk_read_fn read_fn,
                            void *user,
                            const xbk_observer *observer,
                            xbk_report **report,
                            xbk_error **err);

/**
 * What kind of event it is.
 * \param event  may be NULL, which gives 0
 * \return XBK_EVENT_PROGRESS, XBK_EVENT_MEMBER, XBK_EVENT_LOG, XBK_EVENT_BAD_PAGE,
 *         XBK_EVENT_FILE_CHECKED, or one of a later version
 * Thread safety: the callback's thread. Since: 0.1
 */
uint32_t xbk_event_kind(const xbk_event *event);

/**
 * Progress: stream bytes written or read so far, as they pass the descriptor or callback.
 * \param event  may be NULL, which gives 0
 * \return bytes; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_stream_bytes(const xbk_event *event);

/**
 * Progress: stream bytes expected in all.
 * \param event  may be NULL, which gives UINT64_MAX
 * \return bytes; UINT64_MAX if that is not known, and for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_total_bytes(const xbk_event *event);

/**
 * Progress: members finished so far.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_members(const xbk_event *event);

/**
 * Member: its path in the stream, its bytes as they are. Bad page and file checked: the file or
 * member.
 * \param event  may be NULL, which gives NULL
 * \return a string that lives as long as the event; NULL for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
const char *xbk_event_path(const xbk_event *event);

/**
 * Member: its size in bytes, holes included.
 * \param event  may be NULL, which gives 0
 * \return bytes; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_size(const xbk_event *event);

/**
 * Log: how much it matters.
 * \param event  may be NULL, which gives 0
 * \return XBK_LEVEL_INFO or XBK_LEVEL_WARNING; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint32_t xbk_event_level(const xbk_event *event);

/**
 * Log: the sentence, lower case, without full stop. Bad page: place, fault, and both checksums.
 * \param event  may be NULL, which gives NULL
 * \return a UTF-8 string that lives as long as the event; NULL for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
const char *xbk_event_message(const xbk_event *event);

/**
 * Bad page: its place in the file, in pages from 0.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_page(const xbk_event *event);

/**
 * Bad page: where in the file it begins, in bytes.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_offset(const xbk_event *event);

/**
 * File checked: its pages.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_pages(const xbk_event *event);

/**
 * File checked: pages that are not what the server wrote.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_damaged_pages(const xbk_event *event);

/**
 * File checked: pages that are not there, of those that its first one says there are.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_missing_pages(const xbk_event *event);

/**
 * File checked: pages that nothing can tell whether they are right.
 * \param event  may be NULL, which gives 0
 * \return a number; 0 for other kinds
 * Thread safety: the callback's thread. Since: 0.1
 */
uint64_t xbk_event_unchecked_pages(const xbk_event *event);

/**
 * Makes options of which none is set.
 * \return the options; free them by xbk_options_free(). NULL only after a bug in xbkit
 * Thread safety: any thread. Since: 0.1
 */
XBK_MUST_USE xbk_options *xbk_options_new(void);

/**
 * Sets an option of type XBK_TYPE_BOOL.
 * \param value  0 is off, anything else on
 * \param err    may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_UNSUPPORTED for an option that this version does not know;
 *         XBK_E_INVALID_ARGUMENT for an option of another type
 * Thread safety: one thread at a time for these options. Since: 0.1
 */
xbk_status xbk_options_set_bool(xbk_options *options, uint32_t id, int32_t value, xbk_error **err);

/**
 * Sets an option of type XBK_TYPE_INT.
 * \param value  in the option's unit and range; see xbk_option_min() and xbk_option_max()
 * \param err    may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_UNSUPPORTED for an option that this version does not know;
 *         XBK_E_INVALID_ARGUMENT for an option of another type or a value out of range
 * Thread safety: one thread at a time for these options. Since: 0.1
 */
xbk_status xbk_options_set_int(xbk_options *options, uint32_t id, int64_t value, xbk_error **err);

/**
 * Sets an option of type XBK_TYPE_STRING, or adds a value to one that is repeatable.
 * \param value  a path (bytes, not necessarily UTF-8, relative to the working directory of the
 *               job's start) or a word; copied
 * \param err    may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_UNSUPPORTED for an option that this version does not know;
 *         XBK_E_INVALID_ARGUMENT for an option of another type, an empty value, or one that the
 *         option does not take
 * Thread safety: one thread at a time for these options. Since: 0.1
 */
xbk_status xbk_options_set_str(xbk_options *options,
                               uint32_t id,
                               const char *value,
                               xbk_error **err);

/**
 * Sets an option of type XBK_TYPE_BYTES or XBK_TYPE_STRING by pointer and length, or adds a value
 * to one that is repeatable.
 * \param data  copied; may be NULL when len is 0
 * \param len   bytes; a string has no NUL within them
 * \param err   may be NULL; set only when the result is < 0
 * \return as xbk_options_set_str()
 * Thread safety: one thread at a time for these options. Since: 0.1
 */
xbk_status xbk_options_set_bytes(xbk_options *options,
                                 uint32_t id,
                                 const void *data,
                                 size_t len,
                                 xbk_error **err);

/**
 * Makes what is made with these options end when the cancel object is set. This is how readers
 * and writers are cancelled; jobs have xbk_observer for it too, and refuse both at once.
 * \param cancel  may be NULL, which takes an earlier one away
 * \param err     may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_FORKED for a cancel object of the parent process
 * Thread safety: one thread at a time for these options. Since: 0.1
 */
xbk_status xbk_options_set_cancel(xbk_options *options, const xbk_cancel *cancel, xbk_error **err);

/**
 * Takes all values of an option away, so that its default counts again.
 * \param err  may be NULL; set only when the result is < 0
 * \return XBK_OK, also if it was not set; XBK_E_UNSUPPORTED for an option that this version does
 *         not know
 * Thread safety: one thread at a time for these options. Since: 0.1
 */
xbk_status xbk_options_unset(xbk_options *options, uint32_t id, xbk_error **err);

/**
 * Frees options.
 * \param options  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use them. Since: 0.1
 */
void xbk_options_free(xbk_options *options);

/**
 * How many options this version knows.
 * Thread safety: any thread. Since: 0.1
 */
size_t xbk_option_count(void);

/**
 * One of the options that this version knows.
 * \param index  0 to xbk_option_count() - 1; the order is that of their numbers
 * \return the option, which lives as long as the library; NULL beyond the last
 * Thread safety: any thread. Since: 0.1
 */
const xbk_option *xbk_option_info(size_t index);

/**
 * Its number: one of XBK_OPT_...
 * \param option  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint32_t xbk_option_id(const xbk_option *option);

/**
 * Its name, such as "chunk_size": XBK_OPT_ in lower case, and the keyword in other languages.
 * \param option  may be NULL, which gives NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_option_name(const xbk_option *option);

/**
 * The type of its value: one of XBK_TYPE_...
 * \param option  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint32_t xbk_option_type(const xbk_option *option);

/**
 * What a number counts or a string is: "threads", "bytes", "path", "pattern", or "".
 * \param option  may be NULL, which gives NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_option_unit(const xbk_option *option);

/**
 * The smallest number it may be.
 * \param option  may be NULL, which gives 0
 * \return in its unit; 0 if it is no number
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_option_min(const xbk_option *option);

/**
 * The largest number it may be.
 * \param option  may be NULL, which gives 0
 * \return in its unit; 0 if it is no number
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_option_max(const xbk_option *option);

/**
 * The words that a string may be, with commas between them.
 * \param option  may be NULL, which gives NULL
 * \return "" if it may be any
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_option_choices(const xbk_option *option);

/**
 * The value that counts if it is not set, as text.
 * \param option  may be NULL, which gives NULL
 * \return "" if there is none; a bool's is "0" or "1"
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_option_default(const xbk_option *option);

/**
 * Whether setting it again adds a value rather than replaces the first.
 * \param option  may be NULL, which gives 0
 * \return 1 or 0
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_option_repeatable(const xbk_option *option);

/**
 * The jobs that take it: a sum of XBK_JOB_... Others refuse options in which it is set, with
 * XBK_E_INVALID_ARGUMENT.
 * \param option  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint32_t xbk_option_jobs(const xbk_option *option);

/**
 * What it does, as one sentence.
 * \param option  may be NULL, which gives NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_option_doc(const xbk_option *option);

/**
 * The first version that has it, such as "0.1".
 * \param option  may be NULL, which gives NULL
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_option_since(const xbk_option *option);

/**
 * Prepares the directory that a backup of a running server was extracted to: applies what DDL did
 * meanwhile, and runs a server of the backup's version privately on it, as a child process, until it
 * has recovered and shut down. It takes full backups of mariabackup, too. A run that failed or was
 * killed can be repeated; a directory that is prepared already is left as it is.
 * \param options   may be NULL; XBK_OPT_SERVER_PROGRAM, USE_MEMORY, SERVER_OPTION, TMPDIR
 * \param dir       must not be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_NOT_FOUND if the directory is missing or holds no backup, or no fitting
 *         server is there; XBK_E_INVALID_STATE if an extraction into it did not finish;
 *         XBK_E_RECOVERY if the server did not recover it; XBK_E_UNSUPPORTED for an incremental
 *         backup; XBK_E_LOCKED if another process works on it; XBK_E_INVALID_ARGUMENT for options;
 *         XBK_E_SOURCE, XBK_E_SINK; XBK_E_CANCELLED, when the server has ended
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_prepare(const xbk_options *options,
                       const char *dir,
                       const xbk_observer *observer,
                       xbk_report **report,
                       xbk_error **err);

/**
 * Copies or moves a prepared backup into a data directory, XBK_OPT_DATADIR, which is new or empty,
 * and gives the files to the server's user if root calls. Files of a copy that fails are removed
 * again; what was moved stays where it is.
 * \param options   must not be NULL; XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
 *                  ARIA_LOG_DIR, MOVE_FILES, NON_EMPTY
 * \param dir       the backup; must not be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_STATE if the backup is not prepared; XBK_E_EXISTS if a directory is
 *         not empty, or a file is there; XBK_E_INVALID_ARGUMENT for options; XBK_E_NOT_FOUND,
 *         XBK_E_SOURCE, XBK_E_SINK, XBK_E_NO_SPACE with the file; XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_put_back(const xbk_options *options,
                        const char *dir,
                        const xbk_observer *observer,
                        xbk_report **report,
                        xbk_error **err);

/**
 * Makes a reader from a descriptor, and blocks for the first bytes of the stream.
 * Pipes and sockets are never blocked in for long, so a cancel takes at most 200 ms; the
 * descriptor keeps its flags.
 * \param options  may be NULL; XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY, and the cancel object
 * \param fd       where the stream comes from; borrowed until xbk_reader_free(), never closed
 * \param reader   receives the reader; free it by xbk_reader_free()
 * \param err      may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT; XBK_E_SOURCE; XBK_E_DECOMPRESS; XBK_E_CANCELLED
 * Thread safety: any thread. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_reader_new_fd(const xbk_options *options,
                             int fd,
                             xbk_reader **reader,
                             xbk_error **err);

/**
 * Makes a reader from a callback, which runs on the thread that calls xbk_reader_next(), and is
 * called here for the first bytes of the stream.
 * \param options  may be NULL; XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY, and the cancel object, which is looked at
 *                 between callbacks
 * \param read_fn  must not be NULL
 * \param user     handed to read_fn; may be NULL
 * \param reader   receives the reader; free it by xbk_reader_free()
 * \param err      may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT; XBK_E_SOURCE; XBK_E_CALLBACK; XBK_E_DECOMPRESS;
 *         XBK_E_CANCELLED
 * Thread safety: any thread. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_reader_new_cb(const xbk_options *options,
                             xbk_read_fn read_fn,
                             void *user,
                             xbk_reader **reader,
                             xbk_error **err);

/**
 * Moves on to the next item. Blocks for its bytes.
 * \param item  receives the item, which belongs to the reader and is valid until the next call;
 *              NULL unless the result is XBK_OK
 * \param err   may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_EOF at the proper end of the stream, then always; XBK_E_FORMAT,
 *         XBK_E_TRUNCATED, XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_LIMIT, XBK_E_DECOMPRESS with the
 *         stream offset; XBK_E_SOURCE; XBK_E_CALLBACK; XBK_E_CANCELLED: then the reader is
 *         poisoned; XBK_E_INVALID_STATE afterwards
 * Thread safety: one thread at a time for this reader. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_reader_next(xbk_reader *reader,
                           const xbk_item **item,
                           xbk_error **err);

/**
 * Whether the stream was proven to be complete and unchanged, by a manifest in it. One without is
 * sound when it was read to XBK_EOF, but nothing shows that no member was lost behind it.
 * \param reader  may be NULL, which gives 0
 * \return 1 if it was; 0 until xbk_reader_next() gave XBK_EOF, and for streams without a manifest
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_reader_is_proven(const xbk_reader *reader);

/**
 * Frees a reader and its item. The descriptor stays open.
 * \param reader  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use it. Since: 0.1
 */
void xbk_reader_free(xbk_reader *reader);

/**
 * Members written to the stream, extracted, seen, or put back; the manifest is not counted.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_members(const xbk_report *report);

/**
 * Members that no pattern asked for; they were verified all the same. 0 except for extraction.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_skipped(const xbk_report *report);

/**
 * Bytes of the members, holes included.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_payload_bytes(const xbk_report *report);

/**
 * Bytes of the stream as they passed the descriptor or callback: compressed, if there was an
 * outer layer around what was read.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_stream_bytes(const xbk_report *report);

/**
 * Whether the stream was proven to be complete and unchanged, which needs a manifest in it.
 * \param report  may be NULL, which gives 0
 * \return 1 or 0; 0 for create and backup
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_report_proven(const xbk_report *report);

/**
 * What kind of backup the stream holds, as far as its members tell: "full", "incremental", "cold",
 * "prepared" or "log-applied".
 * \param report  may be NULL, which gives NULL
 * \return a string of report, or NULL if that is unknown, and for create, backup and cat
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_report_backup(const xbk_report *report);

/**
 * Pages of tablespaces that were looked at: by a check, by a backup, and by a verification with
 * XBK_OPT_PAGES.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_pages(const xbk_report *report);

/**
 * Those of them that are not what the server wrote: of a backup with XBK_OPT_LOG_PAGE_CORRUPTION,
 * as other jobs fail then.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_damaged_pages(const xbk_report *report);

/**
 * Those of them that nothing can tell whether they are right: encrypted by MySQL, without
 * checksum, compressed by older MariaDB, in the doublewrite buffer. A backup of a running server
 * reads them twice, until they are alike.
 * \param report  may be NULL, which gives 0
 * Thread safety: any thread. Since: 0.1
 */
uint64_t xbk_report_unchecked_pages(const xbk_report *report);

/**
 * A text that only some jobs report.
 * \param report  may be NULL, which gives NULL
 * \param field   XBK_REPORT_BINLOG_FILE to XBK_REPORT_WARNINGS
 * \return a UTF-8 string of report, or bytes for a path; NULL if the job did not report it, or the
 *         field is none or no text
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_report_text(const xbk_report *report, uint32_t field);

/**
 * A number that only some jobs report.
 * \param report  may be NULL, which gives 0
 * \param field   XBK_REPORT_BINLOG_POSITION to XBK_REPORT_RECOVERED
 * \param number  set if the result is 1; may be NULL
 * \return 1 if the job reported it; 0 if not, or if the field is none or no number
 * Thread safety: any thread. Since: 0.1
 */
int32_t xbk_report_number(const xbk_report *report, uint32_t field, uint64_t *number);

/**
 * The whole report as one JSON object. Its keys are what follows xbk_report_ in the names of
 * the functions, and XBK_REPORT_, in lower case, in those of the fields that the job reported.
 * Further keys may come.
 * \param report  may be NULL, which gives NULL
 * \return a UTF-8 string of report
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_report_json(const xbk_report *report);

/**
 * Frees a report.
 * \param report  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use it. Since: 0.1
 */
void xbk_report_free(xbk_report *report);

/**
 * Makes a data directory, XBK_OPT_DATADIR, of the stream of a backup that can be read from a
 * descriptor: extracts it, has a server recover what a backup of a running one holds, as
 * xbk_prepare() does, and gives the files to the server's user. The directory is new or empty. If
 * the job fails behind the extraction, xbk_prepare() can be tried on the directory again.
 * \param options   XBK_OPT_DATADIR; also OWNER, PARALLEL, KEY, DECODE_THREADS, MAX_DECODED_SIZE,
 *                  MAX_RATIO, SERVER_PROGRAM, USE_MEMORY, SERVER_OPTION, TMPDIR
 * \param fd        where the stream comes from; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_extract_from_fd() and xbk_prepare()
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_restore_from_fd(const xbk_options *options,
                               int fd,
                               const xbk_observer *observer,
                               xbk_report **report,
                               xbk_error **err);

/**
 * The same with a callback that gives the stream, on this thread, with user.
 * \param options   XBK_OPT_DATADIR; also OWNER, PARALLEL, KEY, DECODE_THREADS, MAX_DECODED_SIZE,
 *                  MAX_RATIO, SERVER_PROGRAM, USE_MEMORY, SERVER_OPTION, TMPDIR
 * \param read_fn   must not be NULL
 * \param user      handed to read_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_restore_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_restore_from_cb(const xbk_options *options,
                               xbk_read_fn read_fn,
                               void *user,
                               const xbk_observer *observer,
                               xbk_report **report,
                               xbk_error **err);

/**
 * The name of a status, such as "XBK_E_TRUNCATED".
 * \return a static string; "unknown" for a number that this version does not know
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_status_name(xbk_status status);

/**
 * Reads a stream to its end and checks that it is whole, without any disk. An xbstream has no end
 * mark, so XBK_OK means that a manifest in the stream proves it complete and unchanged;
 * XBK_OPT_ALLOW_UNPROVEN lets a sound one without manifest pass, and xbk_report_proven() tells.
 * Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
 * 200 ms; the descriptor keeps its flags, and stays open.
 * \param options   may be NULL; XBK_OPT_ALLOW_UNPROVEN, XBK_OPT_ALLOW_MISSING_END,
 *                  XBK_OPT_KEY, XBK_OPT_REQUIRE_BACKUP
 * \param fd        where the stream comes from; borrowed
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_UNPROVEN for a stream that is sound but not proven;
 *         XBK_E_INCOMPLETE by XBK_OPT_REQUIRE_BACKUP;
 *         XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED, XBK_E_CHECKSUM,
 *         XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset; XBK_E_SOURCE;
 *         XBK_E_CANCELLED
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_verify_from_fd(const xbk_options *options,
                              int fd,
                              const xbk_observer *observer,
                              xbk_report **report,
                              xbk_error **err);

/**
 * The same with a callback that gives the stream, on this thread, with user.
 * \param options   may be NULL; XBK_OPT_ALLOW_UNPROVEN, XBK_OPT_ALLOW_MISSING_END,
 *                  XBK_OPT_KEY, XBK_OPT_REQUIRE_BACKUP
 * \param read_fn  must not be NULL
 * \param user      handed to read_fn; may be NULL
 * \param observer  may be NULL
 * \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return as xbk_verify_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
 * Thread safety: any thread; several jobs may run at once. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_verify_from_cb(const xbk_options *options,
                              xbk_read_fn read_fn,
                              void *user,
                              const xbk_observer *observer,
                              xbk_report **report,
                              xbk_error **err);

/**
 * The version of the library that runs, such as "0.1.0".
 * \return a static string
 * Thread safety: any thread. Since: 0.1
 */
const char *xbk_version(void);

/**
 * The version of the library that runs, as XBK_VERSION_NUMBER is made.
 * \return major * 1000000 + minor * 1000 + patch
 * Thread safety: any thread. Since: 0.1
 */
uint32_t xbk_version_number(void);

/**
 * Makes a writer to a descriptor. Nothing is written before a chunk is full.
 * Pipes and sockets are never blocked in for long, so a cancel takes at most 200 ms; the
 * descriptor keeps its flags, and a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE.
 * \param options  may be NULL; XBK_OPT_CHUNK_SIZE, XBK_OPT_DIALECT, XBK_OPT_FORMAT,
 *                 XBK_OPT_MANIFEST, and the cancel
 *                 object
 * \param fd       where the stream goes; borrowed until xbk_writer_free(), never closed
 * \param writer   receives the writer; free it by xbk_writer_free()
 * \param err      may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT; XBK_E_SINK for a descriptor that is not open
 * Thread safety: any thread. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_writer_new_fd(const xbk_options *options,
                             int fd,
                             xbk_writer **writer,
                             xbk_error **err);

/**
 * Makes a writer to a callback, which runs on the thread that calls for an entry or the writer,
 * one call at a time.
 * \param options   may be NULL; XBK_OPT_CHUNK_SIZE, XBK_OPT_DIALECT, XBK_OPT_FORMAT,
 *                 XBK_OPT_MANIFEST, and the cancel
 *                  object, which is looked at between callbacks
 * \param write_fn  must not be NULL
 * \param user      handed to write_fn; may be NULL
 * \param writer    receives the writer; free it by xbk_writer_free()
 * \param err       may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_ARGUMENT
 * Thread safety: any thread. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_writer_new_cb(const xbk_options *options,
                             xbk_write_fn write_fn,
                             void *user,
                             xbk_writer **writer,
                             xbk_error **err);

/**
 * Begins a member. In an xbstream that writes nothing yet, and holds no other member up; a tar
 * archive takes one member at a time, and needs its size.
 * \param path     its path in the stream: relative, without "..", at most 511 bytes (4095 in a tar
 *                 archive), and none that the stream has already; copied
 * \param options  may be NULL; XBK_OPT_SIZE
 * \param entry    receives the entry; end it by xbk_entry_close() or xbk_entry_free()
 * \param err      may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_UNSAFE_PATH, XBK_E_INVALID_ARGUMENT, XBK_E_EXISTS, XBK_E_LIMIT, which leave
 *         the writer as it was; XBK_E_INVALID_STATE after a failure, xbk_writer_finish(),
 *         or while another entry of a tar archive is open
 * Thread safety: one thread at a time for this writer. Since: 0.1
 */
XBK_MUST_USE
xbk_status xbk_writer_open(xbk_writer *writer,
                           const char *path,
                           const xbk_options *options,
                           xbk_entry **entry,
                           xbk_error **err);

/**
 * Ends the stream. Only XBK_OK means that it is whole and that the output took all of it.
 * Does not free the writer.
 * \param err  may be NULL; set only when the result is < 0
 * \return XBK_OK; XBK_E_INVALID_STATE while entries are open (close them, and call again), after an
 *         entry was freed without being closed, after a failure, or when it was finished before
 * Thread safety: one thread at a time for this writer. Since: 0.1
 */
XBK_MUST_USE xbk_status xbk_writer_finish(xbk_writer *writer, xbk_error **err);

/**
 * Frees a writer; entries that are still open fail from then on, and are freed by themselves.
 * Without xbk_writer_finish() before, the stream is not whole. The descriptor stays open.
 * \param writer  may be NULL; otherwise exactly once
 * Thread safety: no other thread may still use it or one of its entries, but to free it.
 * Since: 0.1
 */
void xbk_writer_free(xbk_writer *writer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* XBKIT_H */
