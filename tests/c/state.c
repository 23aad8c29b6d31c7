/* Wrong calls, failing callbacks, calls from callbacks: refused, and nothing breaks. */
#include "check.h"

static unsigned char page[200000];

static xbk_writer *the_writer;
static xbk_entry *the_entry, *other_entry;
static xbk_reader *the_reader;
static int free_it;
static int32_t answer;
static unsigned calls;

/* Calls everything on its own stream, then takes the bytes. */
static int32_t reentering(void *user, const void *data, size_t len, size_t *written)
{
    xbk_entry *new_entry = (xbk_entry *)user;

    (void)data;
    calls++;
    REFUSES(XBK_E_INVALID_STATE, "callback", xbk_entry_write(the_entry, "x", 1, &err));
    REFUSES(XBK_E_INVALID_STATE, "callback", xbk_entry_write(other_entry, "x", 1, &err));
    REFUSES(XBK_E_INVALID_STATE, "callback", xbk_entry_hole(other_entry, 1, &err));
    REFUSES(XBK_E_INVALID_STATE, "callback",
            xbk_writer_open(the_writer, "new", NULL, &new_entry, &err));
    CHECK(new_entry == NULL);
    REFUSES(XBK_E_INVALID_STATE, "callback", xbk_writer_finish(the_writer, &err));
    *written = len;
    return 0;
}

static int32_t answering(void *user, const void *data, size_t len, size_t *written)
{
    (void)user, (void)data;
    calls++;
    *written = answer == 0 ? len + 1 : 0;
    return answer;
}

static int32_t taking_nothing(void *user, const void *data, size_t len, size_t *written)
{
    (void)user, (void)data, (void)len, (void)written;
    return 0;
}

static void open_two(xbk_write_fn write_fn)
{
    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, write_fn, NULL, &the_writer, &err));
    EXPECT(XBK_OK, xbk_writer_open(the_writer, "one", NULL, &the_entry, &err));
    EXPECT(XBK_OK, xbk_writer_open(the_writer, "two", NULL, &other_entry, &err));
    EXPECT(XBK_OK, xbk_entry_write(other_entry, page, sizeof page, &err));
}

static void reentry(void)
{
    calls = 0;
    open_two(reentering);
    EXPECT(XBK_OK, xbk_entry_write(the_entry, page, sizeof page, &err));
    EXPECT(XBK_OK, xbk_entry_close(the_entry, &err));
    CHECK(calls >= 2); /* a chunk's head and its payload */
    the_entry = NULL;
    xbk_writer_free(the_writer);
    /* Its writer is gone: the sink must not be called any more. */
    calls = 0;
    REFUSES(XBK_E_INVALID_STATE, "freed", xbk_entry_write(other_entry, page, 1, &err));
    REFUSES(XBK_E_INVALID_STATE, "freed", xbk_entry_close(other_entry, &err));
    CHECK(calls == 0);
}

static int32_t freeing(void *user, const void *data, size_t len, size_t *written)
{
    (void)user, (void)data;
    if (free_it) {
        free_it = 0;
        xbk_writer_free(the_writer);
        xbk_entry_free(other_entry);
    }
    *written = len;
    return 0;
}

/* Freed within its own callback: memory stays sound, and the stream has failed. */
static void freed_by_callback(void)
{
    open_two(freeing);
    EXPECT(XBK_OK, xbk_entry_write(the_entry, page, sizeof page, &err));
    free_it = 1;
    EXPECT(XBK_E_INVALID_STATE, xbk_entry_close(the_entry, &err));
    CHECK(free_it == 0);
}

static void failing(int32_t with, xbk_status status, int os_errno)
{
    xbk_error *why = NULL, *later = NULL;

    answer = with;
    open_two(answering);
    calls = 0;
    EXPECT(XBK_OK, xbk_entry_write(the_entry, page, sizeof page, &err));
    CHECK(calls == 0); /* no chunk was full yet */
    CHECK(xbk_entry_close(the_entry, &why) == status);
    if (calls != 1)
        fprintf(stderr, "%u calls\n", calls);
    CHECK(calls == 1);
    CHECK(xbk_error_os_errno(why) == os_errno);
    /* Poisoned: the same message again, and no call of the callback. */
    CHECK(xbk_entry_write(other_entry, page, 1, &later) == XBK_E_INVALID_STATE);
    CHECK(strstr(xbk_error_message(later), xbk_error_message(why)) != NULL);
    xbk_error_free(why);
    xbk_error_free(later);
    EXPECT(XBK_E_INVALID_STATE, xbk_writer_finish(the_writer, &err));
    EXPECT(XBK_E_INVALID_STATE, xbk_writer_open(the_writer, "x", NULL, &the_entry, &err));
    EXPECT(XBK_E_INVALID_STATE, xbk_entry_close(other_entry, &err));
    CHECK(calls == 1);
    xbk_writer_free(the_writer);
}

static void order(void)
{
    struct memory m = { NULL, 0, 0, 0, 0 };
    xbk_writer *w = NULL;
    xbk_entry *e = NULL, *same = (xbk_entry *)&m;

    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &m, &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "a", NULL, &e, &err));
    /* Mistakes leave the writer as it was. */
    EXPECT(XBK_E_EXISTS, xbk_writer_open(w, "a", NULL, &same, &err));
    CHECK(same == NULL);
    EXPECT(XBK_E_UNSAFE_PATH, xbk_writer_open(w, "../a", NULL, &same, &err));
    EXPECT(XBK_E_UNSAFE_PATH, xbk_writer_open(w, "/a", NULL, &same, &err));
    EXPECT(XBK_E_UNSAFE_PATH, xbk_writer_open(w, "", NULL, &same, &err));
    EXPECT(XBK_E_LIMIT, xbk_entry_hole(e, UINT64_MAX, &err));
    REFUSES(XBK_E_INVALID_STATE, "not closed", xbk_writer_finish(w, &err));
    EXPECT(XBK_OK, xbk_entry_write(e, "abc", 3, &err));
    EXPECT(XBK_OK, xbk_entry_close(e, &err));
    EXPECT(XBK_OK, xbk_writer_finish(w, &err));
    EXPECT(XBK_E_INVALID_STATE, xbk_writer_finish(w, &err));
    EXPECT(XBK_E_INVALID_STATE, xbk_writer_open(w, "b", NULL, &e, &err));
    xbk_writer_free(w);

    /* An entry that was given up cannot be forgotten. */
    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &m, &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "a", NULL, &e, &err));
    xbk_entry_free(e);
    REFUSES(XBK_E_INVALID_STATE, "without being closed", xbk_writer_finish(w, &err));
    xbk_writer_free(w);
    free(m.bytes);
}

static int32_t reading_itself(void *user, void *buf, size_t len, size_t *got)
{
    const xbk_item *item = (const xbk_item *)user;

    if (the_reader != NULL) {
        calls++;
        REFUSES(XBK_E_INVALID_STATE, "callback", xbk_reader_next(the_reader, &item, &err));
        CHECK(item == NULL);
    }
    return from_memory(user, buf, len, got);
}

static int32_t claiming(void *user, void *buf, size_t len, size_t *got)
{
    (void)user, (void)buf;
    *got = answer == 0 ? len + 1 : 0;
    return answer;
}

static void reader(void)
{
    struct memory m = { NULL, 0, 0, 0, 0 };
    const xbk_item *item = NULL;
    xbk_reader *none = (xbk_reader *)&m;
    xbk_entry *e = NULL;
    xbk_writer *w = NULL;
    uint64_t at = 0;
    xbk_error *why = NULL;

    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &m, &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "a", NULL, &e, &err));
    EXPECT(XBK_OK, xbk_entry_write(e, page, sizeof page, &err));
    EXPECT(XBK_OK, xbk_entry_close(e, &err));
    EXPECT(XBK_OK, xbk_writer_finish(w, &err));
    xbk_writer_free(w);

    m.most = 5000;
    the_reader = NULL;
    calls = 0;
    EXPECT(XBK_OK, xbk_reader_new_cb(NULL, reading_itself, &m, &the_reader, &err));
    while (xbk_reader_next(the_reader, &item, NULL) == XBK_OK)
        ;
    CHECK(calls > 10);
    EXPECT(XBK_EOF, xbk_reader_next(the_reader, &item, &err));
    xbk_reader_free(the_reader);

    /* Damage is told with its place, and then the reader stays failed. */
    m.bytes[m.len / 2] ^= 1;
    m.at = 0;
    m.most = 0;
    EXPECT(XBK_OK, xbk_reader_new_cb(NULL, from_memory, &m, &the_reader, &err));
    while (xbk_reader_next(the_reader, &item, &why) == XBK_OK)
        ;
    CHECK(xbk_error_code(why) == XBK_E_CHECKSUM && xbk_error_stream_offset(why, &at) == 1);
    CHECK(xbk_error_stream_offset(why, NULL) == 1 && at == 0);
    CHECK(strcmp(xbk_error_path(why), "a") == 0);
    CHECK(xbk_error_file_offset(NULL, &at) == 0 && xbk_error_os_errno(why) == 0);
    CHECK(item == NULL);
    REFUSES(XBK_E_INVALID_STATE, xbk_error_message(why), xbk_reader_next(the_reader, &item, &err));
    xbk_error_free(why);
    xbk_reader_free(the_reader);

    answer = 0;
    REFUSES(XBK_E_SOURCE, "claims", xbk_reader_new_cb(NULL, claiming, NULL, &none, &err));
    CHECK(none == NULL);
    answer = -77;
    REFUSES(XBK_E_CALLBACK, "-77", xbk_reader_new_cb(NULL, claiming, NULL, &none, &err));
    answer = EACCES;
    EXPECT(XBK_E_PERMISSION, xbk_reader_new_cb(NULL, claiming, NULL, &none, &err));
    answer = -5;
    REFUSES(XBK_E_CALLBACK, "-5", xbk_list_from_cb(NULL, claiming, NULL, NULL, NULL, &err));
    answer = EIO;
    EXPECT(XBK_E_SOURCE, xbk_list_from_cb(NULL, claiming, NULL, NULL, NULL, &err));
    free(m.bytes);
}

int main(void)
{
    xbk_writer *w = NULL;

    fill(page, sizeof page, 3);
    reentry();
    freed_by_callback();
    failing(-42, XBK_E_CALLBACK, 0);
    failing(EPIPE, XBK_E_PIPE_CLOSED, EPIPE);
    failing(ENOSPC, XBK_E_NO_SPACE, ENOSPC);
    failing(EIO, XBK_E_SINK, EIO);
    failing(0, XBK_E_SINK, 0); /* claims more than there was */
    open_two(taking_nothing);
    EXPECT(XBK_E_SINK, xbk_entry_close(the_entry, &err));
    xbk_entry_free(other_entry);
    xbk_writer_free(the_writer);
    order();
    reader();
    EXPECT(XBK_E_INVALID_ARGUMENT, xbk_writer_new_fd(NULL, -1, &w, &err));
    EXPECT(XBK_E_SINK, xbk_writer_new_fd(NULL, 1000, &w, &err));
    CHECK(w == NULL);
    return 0;
}
