/* What is written comes back, whatever the sink, the source and their counts. */
#include "check.h"

enum { SIZE_A = 3000000, SIZE_B = 70000, HOLE = 16384 };
static unsigned char a[SIZE_A], b[SIZE_B];

static void write_all(xbk_writer *writer)
{
    xbk_entry *ea = NULL, *eb = NULL, *ec = NULL;
    size_t at = 0;

    EXPECT(XBK_OK, xbk_writer_open(writer, "db/a.ibd", NULL, &ea, &err));
    EXPECT(XBK_OK, xbk_writer_open(writer, "./b", NULL, &eb, &err));
    EXPECT(XBK_OK, xbk_writer_open(writer, "empty", NULL, &ec, &err));
    EXPECT(XBK_OK, xbk_entry_write(eb, b, SIZE_B, &err));
    while (at < SIZE_A) {
        size_t len = at % 100000 + 1;

        if (len > SIZE_A - at)
            len = SIZE_A - at;
        EXPECT(XBK_OK, xbk_entry_write(ea, a + at, len, &err));
        at += len;
    }
    EXPECT(XBK_OK, xbk_entry_write(ea, NULL, 0, &err));
    EXPECT(XBK_OK, xbk_entry_hole(eb, HOLE, &err));
    EXPECT(XBK_OK, xbk_entry_write(eb, "end", 3, &err));
    EXPECT(XBK_OK, xbk_entry_close(eb, &err));
    EXPECT(XBK_OK, xbk_entry_close(ea, &err));
    EXPECT(XBK_OK, xbk_entry_close(ec, &err));
    EXPECT(XBK_OK, xbk_writer_finish(writer, &err));
    xbk_writer_free(writer);
}

static struct memory written_to_memory(const xbk_options *options, size_t most)
{
    struct memory m = { NULL, 0, 0, 0, 0 };
    xbk_writer *writer = NULL;

    m.most = most;
    EXPECT(XBK_OK, xbk_writer_new_cb(options, to_memory, &m, &writer, &err));
    write_all(writer);
    return m;
}

/* Bytes of both members as the reader gives them. */
static void read_back(xbk_reader *reader)
{
    static unsigned char got_a[SIZE_A], got_b[SIZE_B + HOLE + 3];
    const xbk_item *item;
    unsigned opened = 0, closed = 0;
    xbk_status status = XBK_OK;
    xbk_error *why = NULL;

    memset(got_a, 0, sizeof got_a);
    memset(got_b, 0, sizeof got_b);
    while ((status = xbk_reader_next(reader, &item, &why)) == XBK_OK) {
        const char *path = xbk_item_path(item);
        size_t len;
        uint64_t offset;
        const void *data = xbk_item_data(item, &len, &offset);

        CHECK(path != NULL && xbk_item_member(item) < 3);
        switch (xbk_item_kind(item)) {
        case XBK_ITEM_OPEN:
            opened++;
            CHECK(xbk_item_replaces(item) == 0 && data == NULL && len == 0);
            break;
        case XBK_ITEM_DATA:
            CHECK(data != NULL && len > 0 && xbk_item_size(item) == len);
            CHECK(xbk_item_offset(item) == offset);
            if (strcmp(path, "b") == 0) {
                CHECK(offset + len <= sizeof got_b);
                memcpy(got_b + offset, data, len);
            } else {
                CHECK(strcmp(path, "db/a.ibd") == 0 && offset + len <= sizeof got_a);
                memcpy(got_a + offset, data, len);
            }
            break;
        case XBK_ITEM_HOLE:
            CHECK(strcmp(path, "b") == 0 && xbk_item_size(item) == HOLE);
            CHECK(xbk_item_offset(item) == SIZE_B);
            break;
        case XBK_ITEM_CLOSE:
            closed++;
            if (strcmp(path, "b") == 0)
                CHECK(xbk_item_size(item) == SIZE_B + HOLE + 3);
            else if (strcmp(path, "empty") == 0)
                CHECK(xbk_item_size(item) == 0);
            else
                CHECK(xbk_item_size(item) == SIZE_A);
            break;
        default:
            CHECK(!"an unknown kind");
        }
    }
    if (why != NULL)
        fprintf(stderr, "%s\n", xbk_error_line(why));
    CHECK(status == XBK_EOF && why == NULL && item == NULL);
    CHECK(opened == 3 && closed == 3);
    CHECK(memcmp(got_a, a, SIZE_A) == 0);
    CHECK(memcmp(got_b, b, SIZE_B) == 0 && memcmp(got_b + SIZE_B + HOLE, "end", 3) == 0);
    EXPECT(XBK_EOF, xbk_reader_next(reader, &item, &err));
    CHECK(xbk_reader_is_proven(reader) == 1);
    xbk_reader_free(reader);
}

static int32_t count_members(void *user, const xbk_event *event)
{
    if (xbk_event_kind(event) == XBK_EVENT_MEMBER) {
        CHECK(xbk_event_path(event) != NULL && xbk_event_message(event) == NULL);
        ++*(unsigned *)user;
    }
    if (xbk_event_kind(event) == XBK_EVENT_PROGRESS)
        CHECK(xbk_event_path(event) == NULL);
    return 0;
}

static void jobs(const char *dir, struct memory stream)
{
    static unsigned char got[SIZE_A + 1];
    xbk_observer observer = XBK_OBSERVER_INIT;
    xbk_options *o = xbk_options_new();
    xbk_report *report = NULL;
    unsigned members = 0;
    struct memory again = { NULL, 0, 0, 0, 0 }, fewer = { NULL, 0, 0, 0, 0 };
    struct memory bare = { NULL, 0, 0, 0, 0 };
    xbk_options *unproven = xbk_options_new();
    int fd;

    put_file(in(dir, "stream"), stream.bytes, stream.len);
    observer.on_event = count_members;
    observer.user = &members;
    stream.most = 777;
    EXPECT(XBK_OK, xbk_list_from_cb(NULL, from_memory, &stream, &observer, &report, &err));
    CHECK(members == 3 && xbk_report_members(report) == 3);
    CHECK(xbk_report_stream_bytes(report) == stream.len && xbk_report_proven(report));
    CHECK(xbk_report_payload_bytes(report) == SIZE_A + SIZE_B + HOLE + 3);
    xbk_report_free(report);

    stream.at = 0;
    EXPECT(XBK_OK, xbk_verify_from_cb(NULL, from_memory, &stream, NULL, NULL, &err));
    stream.at = 0;
    stream.len -= 20; /* the end of its manifest */
    REFUSES(XBK_E_TRUNCATED, "", xbk_verify_from_cb(NULL, from_memory, &stream, NULL, NULL, &err));
    stream.len += 20;

    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_TARGET_DIR, in(dir, "out"), &err));
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_PARALLEL, 3, &err));
    stream.at = 0;
    EXPECT(XBK_OK, xbk_extract_from_cb(o, from_memory, &stream, NULL, NULL, &err));
    CHECK(get_file(in(dir, "out/db/a.ibd"), got, sizeof got) == SIZE_A);
    CHECK(memcmp(got, a, SIZE_A) == 0);
    CHECK(get_file(in(dir, "out/b"), got, sizeof got) == SIZE_B + HOLE + 3);
    CHECK(memcmp(got, b, SIZE_B) == 0);
    /* A second time into the same place is refused, and says where. */
    fd = open(in(dir, "stream"), O_RDONLY);
    CHECK(fd >= 0);
    REFUSES(XBK_E_EXISTS, "out", xbk_extract_from_fd(o, fd, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_set_bool(o, XBK_OPT_OVERWRITE, 1, &err));
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_MEMBER_PATTERN, "db", &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_MEMBER_PATTERN, "e*", &err));
    EXPECT(XBK_OK, xbk_extract_from_fd(o, fd, NULL, &report, &err));
    CHECK(xbk_report_members(report) == 2 && xbk_report_skipped(report) == 1);
    CHECK(xbk_report_proven(report) == 1);
    xbk_report_free(report);
    CHECK(close(fd) == 0); /* it was borrowed */
    xbk_options_free(o);

    o = xbk_options_new();
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_BASE_DIR, in(dir, "out"), &err));
    EXPECT(XBK_OK, xbk_options_set_bytes(o, XBK_OPT_FILE, "db/a.ibdX", 8, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_FILE, "b", &err));
    EXPECT(XBK_OK, xbk_create_to_cb(o, to_memory, &again, NULL, &report, &err));
    CHECK(xbk_report_members(report) == 2 && xbk_report_stream_bytes(report) == again.len);
    xbk_report_free(report);
    report = NULL;
    EXPECT(XBK_OK, xbk_options_set_bool(o, XBK_OPT_MANIFEST, 0, &err));
    EXPECT(XBK_OK, xbk_create_to_cb(o, to_memory, &bare, NULL, NULL, &err));
    CHECK(bare.len < again.len);
    EXPECT(XBK_E_UNPROVEN, xbk_verify_from_cb(NULL, from_memory, &bare, NULL, &report, &err));
    CHECK(report == NULL);
    bare.at = 0;
    EXPECT(XBK_OK, xbk_options_set_bool(unproven, XBK_OPT_ALLOW_UNPROVEN, 1, &err));
    EXPECT(XBK_OK, xbk_verify_from_cb(unproven, from_memory, &bare, NULL, NULL, &err));
    xbk_options_free(unproven);
    free(bare.bytes);
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_MANIFEST, &err));
    fewer.most = 4099;
    EXPECT(XBK_OK, xbk_create_to_cb(o, to_memory, &fewer, NULL, NULL, &err));
    CHECK(again.len == fewer.len && memcmp(again.bytes, fewer.bytes, again.len) == 0);
    xbk_options_free(o);
    free(again.bytes);
    free(fewer.bytes);
}

int main(int argc, char **argv)
{
    xbk_options *sparse = xbk_options_new();
    struct memory whole, shorts, holes;
    xbk_writer *writer = NULL;
    xbk_reader *reader = NULL;
    static unsigned char file[SIZE_A + SIZE_B + HOLE + 10000];
    int fd;

    CHECK(argc == 2);
    fill(a, SIZE_A, 1);
    fill(b, SIZE_B, 2);
    whole = written_to_memory(NULL, 0);
    shorts = written_to_memory(NULL, 10007);
    CHECK(whole.len == shorts.len && memcmp(whole.bytes, shorts.bytes, whole.len) == 0);

    fd = open(in(argv[1], "file"), O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    EXPECT(XBK_OK, xbk_writer_new_fd(NULL, fd, &writer, &err));
    write_all(writer);
    CHECK(get_file(in(argv[1], "file"), file, sizeof file) == whole.len);
    CHECK(memcmp(file, whole.bytes, whole.len) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    EXPECT(XBK_OK, xbk_reader_new_fd(NULL, fd, &reader, &err));
    read_back(reader);
    CHECK(close(fd) == 0);

    EXPECT(XBK_OK, xbk_reader_new_cb(NULL, from_memory, &whole, &reader, &err));
    read_back(reader);
    shorts.most = 501;
    EXPECT(XBK_OK, xbk_reader_new_cb(NULL, from_memory, &shorts, &reader, &err));
    read_back(reader);

    EXPECT(XBK_OK, xbk_options_set_str(sparse, XBK_OPT_DIALECT, "percona", &err));
    EXPECT(XBK_OK, xbk_options_set_int(sparse, XBK_OPT_CHUNK_SIZE, 65536, &err));
    holes = written_to_memory(sparse, 0);
    EXPECT(XBK_OK, xbk_reader_new_cb(NULL, from_memory, &holes, &reader, &err));
    read_back(reader);
    xbk_options_free(sparse);

    whole.at = 0;
    jobs(argv[1], whole);
    free(whole.bytes);
    free(shorts.bytes);
    free(holes.bytes);
    return 0;
}
