/* tar: written with sizes, read with directories, converted there and back. */
#include "check.h"

enum { SIZE = 300000 };
static unsigned char data[SIZE];

static const xbk_options *with(uint32_t id, const char *value, xbk_options *o)
{
    EXPECT(XBK_OK, xbk_options_set_str(o, id, value, &err));
    return o;
}

static void add(xbk_writer *writer, const char *path, size_t size)
{
    xbk_options *o = xbk_options_new();
    xbk_entry *entry = NULL, *other = NULL;

    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_SIZE, (int64_t)size, &err));
    EXPECT(XBK_OK, xbk_writer_open(writer, path, o, &entry, &err));
    REFUSES(XBK_E_INVALID_STATE, "one member at a time",
            xbk_writer_open(writer, "other", o, &other, &err));
    EXPECT(XBK_OK, xbk_entry_write(entry, data, size, &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "more than were told", xbk_entry_hole(entry, 1, &err));
    EXPECT(XBK_OK, xbk_entry_close(entry, &err));
    xbk_options_free(o);
}

static struct memory convert(struct memory from, const char *format)
{
    struct memory to = { NULL, 0, 0, 0, 0 };
    xbk_options *o = xbk_options_new();
    xbk_report *report = NULL;

    from.at = 0;
    from.most = 4000;
    to.most = 5000;
    EXPECT(XBK_OK, xbk_convert_cb(with(XBK_OPT_FORMAT, format, o), from_memory, &from, to_memory,
                                  &to, NULL, &report, &err));
    CHECK(xbk_report_members(report) == 2 && xbk_report_proven(report));
    CHECK(xbk_report_payload_bytes(report) == SIZE && xbk_report_stream_bytes(report) == to.len);
    xbk_report_free(report);
    xbk_options_free(o);
    return to;
}

/* A directory is an item, and an end that is missing is taken only if that is said. */
static void foreign(void)
{
    static unsigned char archive[2048];
    struct memory m = { archive, 512, 0, 0, 0 };
    xbk_options *o = xbk_options_new();
    xbk_reader *reader = NULL;
    const xbk_item *item = NULL;
    unsigned sum = 0, i;

    memcpy(archive, "db/", 3);
    memcpy(archive + 124, "00000000000", 11);
    memset(archive + 148, ' ', 8);
    archive[156] = '5';
    memcpy(archive + 257, "ustar\00000", 8);
    for (i = 0; i < 512; i++)
        sum += archive[i];
    CHECK(snprintf((char *)archive + 148, 8, "%06o", sum) == 6);
    EXPECT(XBK_OK, xbk_options_set_bool(o, XBK_OPT_ALLOW_MISSING_END, 1, &err));
    EXPECT(XBK_OK, xbk_reader_new_cb(o, from_memory, &m, &reader, &err));
    EXPECT(XBK_OK, xbk_reader_next(reader, &item, &err));
    CHECK(xbk_item_kind(item) == XBK_ITEM_DIRECTORY && strcmp(xbk_item_path(item), "db") == 0);
    CHECK(xbk_item_member(item) == UINT64_MAX);
    EXPECT(XBK_EOF, xbk_reader_next(reader, &item, &err));
    xbk_reader_free(reader);
    m.at = 0;
    REFUSES(XBK_E_TRUNCATED, "two blocks of zeros",
            xbk_list_from_cb(NULL, from_memory, &m, NULL, NULL, &err));
    xbk_options_free(o);
}

int main(int argc, char **argv)
{
    struct memory tar = { NULL, 0, 0, 0, 0 }, stream, again;
    static unsigned char got[SIZE + 1];
    xbk_options *o = xbk_options_new();
    xbk_writer *writer = NULL;
    xbk_entry *entry = NULL;
    int from, to;

    CHECK(argc == 2);
    fill(data, SIZE, 1);
    EXPECT(XBK_OK, xbk_writer_new_cb(with(XBK_OPT_FORMAT, "tar", o), to_memory, &tar, &writer, &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "size before its bytes",
            xbk_writer_open(writer, "db/a.ibd", NULL, &entry, &err));
    add(writer, "db/a.ibd", SIZE);
    add(writer, "empty", 0);
    EXPECT(XBK_OK, xbk_writer_finish(writer, &err));
    xbk_writer_free(writer);
    CHECK(tar.len % 512 == 0 && memcmp(tar.bytes + 257, "ustar", 5) == 0);

    stream = convert(tar, "xbstream");
    CHECK(memcmp(stream.bytes, "XBSTCK01", 8) == 0);
    again = convert(stream, "tar");
    CHECK(again.len == tar.len && memcmp(again.bytes, tar.bytes, tar.len) == 0);

    put_file(in(argv[1], "f.tar"), tar.bytes, tar.len);
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_TARGET_DIR, in(argv[1], "out"), &err));
    xbk_options_free(o);
    o = xbk_options_new();
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_TARGET_DIR, in(argv[1], "out"), &err));
    from = open(in(argv[1], "f.tar"), O_RDONLY);
    CHECK(from >= 0);
    EXPECT(XBK_OK, xbk_extract_from_fd(o, from, NULL, NULL, &err));
    CHECK(get_file(in(argv[1], "out/db/a.ibd"), got, sizeof got) == SIZE);
    CHECK(memcmp(got, data, SIZE) == 0);
    CHECK(lseek(from, 0, SEEK_SET) == 0);
    to = open(in(argv[1], "f.xbstream"), O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(to >= 0);
    EXPECT(XBK_OK, xbk_convert_fd(NULL, from, to, NULL, NULL, &err));
    CHECK(close(from) == 0 && close(to) == 0);
    xbk_options_free(o);
    foreign();
    free(tar.bytes);
    free(stream.bytes);
    free(again.bytes);
    return 0;
}
