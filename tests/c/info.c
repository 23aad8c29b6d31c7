/* What backup a stream or a directory holds, and one member of it. */
#include "check.h"

static const char checkpoints[] = "backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 44420\n"
                                  "last_lsn = 48272\nrecover_binlog_info = 0\n";
static const char position[] = "bin.000007\t4783308\t0-7-15\n";

static void member(xbk_writer *writer, const char *name, const void *bytes, size_t len)
{
    xbk_entry *entry = NULL;

    EXPECT(XBK_OK, xbk_writer_open(writer, name, NULL, &entry, &err));
    EXPECT(XBK_OK, xbk_entry_write(entry, bytes, len, &err));
    EXPECT(XBK_OK, xbk_entry_close(entry, &err));
}

static struct memory backup(void)
{
    struct memory m = { NULL, 0, 0, 0, 0 };
    xbk_writer *writer = NULL;

    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &m, &writer, &err));
    member(writer, "ibdata1.zst", "system", 6);
    member(writer, "mariadb_backup_checkpoints", checkpoints, sizeof checkpoints - 1);
    member(writer, "mariadb_backup_binlog_info", position, sizeof position - 1);
    EXPECT(XBK_OK, xbk_writer_finish(writer, &err));
    xbk_writer_free(writer);
    return m;
}

static void check_info(const xbk_info *info, int is_stream)
{
    uint64_t number = 7;

    CHECK(strcmp(xbk_info_text(info, XBK_INFO_KIND), "full") == 0);
    CHECK(strcmp(xbk_info_text(info, XBK_INFO_NAMING), "mariadb_backup") == 0);
    CHECK(strcmp(xbk_info_text(info, XBK_INFO_BINLOG_FILE), "bin.000007") == 0);
    CHECK(strcmp(xbk_info_text(info, XBK_INFO_GTID), "0-7-15") == 0);
    CHECK(xbk_info_text(info, XBK_INFO_SERVER_VERSION) == NULL);
    CHECK(xbk_info_text(info, XBK_INFO_TO_LSN) == NULL && xbk_info_text(info, 999) == NULL);
    CHECK(xbk_info_number(info, XBK_INFO_PAGE_SIZE, &number) == 0 && number == 7);
    CHECK(xbk_info_number(info, XBK_INFO_TO_LSN, &number) == 1 && number == 44420);
    CHECK(xbk_info_number(info, XBK_INFO_LAST_LSN, NULL) == 1);
    CHECK(xbk_info_number(info, XBK_INFO_BINLOG_POSITION, &number) == 1 && number == 4783308);
    CHECK(xbk_info_number(info, XBK_INFO_COMPRESSED, &number) == 1 && number == 1);
    CHECK(xbk_info_number(info, XBK_INFO_ENCRYPTED, &number) == 1 && number == 0);
    CHECK(xbk_info_number(info, XBK_INFO_MISSING, &number) == 1 && number > 0);
    CHECK(xbk_info_number(info, XBK_INFO_MEMBERS, &number) == is_stream);
    CHECK(strstr(xbk_info_json(info), "\"to_lsn\":44420") != NULL);
}

static void infos(struct memory *stream, const char *dir)
{
    xbk_info *info = NULL;
    xbk_options *options = xbk_options_new();
    int fd;

    stream->at = 0;
    EXPECT(XBK_OK, xbk_info_from_cb(NULL, from_memory, stream, NULL, &info, &err));
    check_info(info, 1);
    xbk_info_free(info);

    put_file(in(dir, "stream"), stream->bytes, stream->len);
    fd = open(in(dir, "stream"), O_RDONLY);
    CHECK(fd >= 0);
    EXPECT(XBK_OK, xbk_info_from_fd(NULL, fd, NULL, &info, &err));
    check_info(info, 1);
    CHECK(lseek(fd, 0, SEEK_CUR) == 0);
    xbk_info_free(info);

    EXPECT(XBK_OK, xbk_options_set_str(options, XBK_OPT_TARGET_DIR, in(dir, "out"), &err));
    EXPECT(XBK_OK, xbk_options_set_bool(options, XBK_OPT_SYNC, 0, &err));
    EXPECT(XBK_OK, xbk_extract_from_fd(options, fd, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_info_from_dir(NULL, in(dir, "out"), &info, &err));
    check_info(info, 0);
    xbk_info_free(info);
    EXPECT(XBK_E_NOT_FOUND, xbk_info_from_dir(NULL, in(dir, "nowhere"), &info, &err));
    CHECK(info == NULL);
    REFUSES(XBK_E_INVALID_ARGUMENT, "target_dir is no option of info",
            xbk_info_from_dir(options, dir, &info, &err));
    CHECK(close(fd) == 0);
    xbk_options_free(options);
}

static void required(struct memory *stream)
{
    xbk_options *options = xbk_options_new();
    xbk_report *report = NULL;

    stream->at = 0;
    EXPECT(XBK_OK, xbk_verify_from_cb(NULL, from_memory, stream, NULL, &report, &err));
    CHECK(strcmp(xbk_report_backup(report), "full") == 0);
    xbk_report_free(report);
    EXPECT(XBK_OK, xbk_options_set_bool(options, XBK_OPT_REQUIRE_BACKUP, 1, &err));
    stream->at = 0;
    REFUSES(XBK_E_INCOMPLETE, "backup-my.cnf",
            xbk_verify_from_cb(options, from_memory, stream, NULL, &report, &err));
    CHECK(report == NULL && xbk_report_backup(NULL) == NULL);
    xbk_options_free(options);
}

static void cats(struct memory *stream, const char *dir)
{
    struct memory out = { NULL, 0, 0, 0, 0 };
    xbk_options *options = xbk_options_new();
    xbk_report *report = NULL;
    unsigned char back[64];
    int in_fd, out_fd;

    EXPECT(XBK_OK, xbk_options_set_str(options, XBK_OPT_TMPDIR, dir, &err));
    EXPECT(XBK_OK, xbk_options_set_int(options, XBK_OPT_MAX_SPOOL, 1 << 20, &err));
    stream->at = 0;
    EXPECT(XBK_OK, xbk_cat_cb_to_cb(options, from_memory, stream, "mariadb_backup_binlog_info",
                                    to_memory, &out, NULL, &report, &err));
    CHECK(out.len == sizeof position - 1 && memcmp(out.bytes, position, out.len) == 0);
    CHECK(xbk_report_payload_bytes(report) == out.len && xbk_report_members(report) == 1);
    CHECK(xbk_report_stream_bytes(report) == stream->len && xbk_report_proven(report) == 1);
    xbk_report_free(report);

    out.len = 0;
    stream->at = 0;
    EXPECT(XBK_E_NOT_FOUND, xbk_cat_cb_to_cb(NULL, from_memory, stream, "ibdata1", to_memory,
                                             &out, NULL, &report, &err));
    stream->at = 0;
    stream->bytes[40] ^= 1;
    CHECK(xbk_cat_cb_to_cb(NULL, from_memory, stream, "mariadb_backup_binlog_info", to_memory,
                           &out, NULL, &report, NULL) < 0);
    stream->bytes[40] ^= 1;
    CHECK(out.len == 0 && report == NULL);
    EXPECT(XBK_E_UNSAFE_PATH, xbk_cat_cb_to_cb(NULL, from_memory, stream, "../x", to_memory,
                                               &out, NULL, NULL, &err));

    in_fd = open(in(dir, "stream"), O_RDONLY);
    out_fd = open(in(dir, "member"), O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(in_fd >= 0 && out_fd >= 0);
    EXPECT(XBK_OK, xbk_cat_fd_to_fd(NULL, in_fd, "ibdata1.zst", out_fd, NULL, NULL, &err));
    CHECK(close(in_fd) == 0 && close(out_fd) == 0);
    CHECK(get_file(in(dir, "member"), back, sizeof back) == 6 && memcmp(back, "system", 6) == 0);
    xbk_options_free(options);
    free(out.bytes);
}

int main(int argc, char **argv)
{
    struct memory stream = backup();

    CHECK(argc == 2);
    infos(&stream, argv[1]);
    required(&stream);
    cats(&stream, argv[1]);
    free(stream.bytes);
    return 0;
}
