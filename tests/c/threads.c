/* Threads write different entries of one writer at once; the sink runs one call at a time. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 4, ENTRIES = 3, SIZE = 700000 };

static xbk_entry *entries[THREADS][ENTRIES];
static unsigned char data[SIZE];
static struct memory stream;
static int inside;

static int32_t sink(void *user, const void *bytes, size_t len, size_t *written)
{
    int32_t result;

    CHECK(inside++ == 0);
    result = to_memory(user, bytes, len, written);
    CHECK(--inside == 0);
    return result;
}

static void *work(void *number)
{
    xbk_entry **mine = entries[(size_t)number];
    size_t at, len;
    int i;

    for (at = 0; at < SIZE; at += len) {
        len = SIZE - at < 50000 ? SIZE - at : 50000;
        for (i = 0; i < ENTRIES; i++)
            EXPECT(XBK_OK, xbk_entry_write(mine[i], data + at, len, &err));
    }
    for (i = 0; i < ENTRIES; i++)
        EXPECT(XBK_OK, xbk_entry_close(mine[i], &err));
    return NULL;
}

int main(void)
{
    xbk_options *o = xbk_options_new();
    xbk_writer *w = NULL;
    xbk_report *report = NULL;
    pthread_t threads[THREADS];
    size_t t;
    int i;

    fill(data, SIZE, 4);
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_CHUNK_SIZE, 65536, &err));
    EXPECT(XBK_OK, xbk_writer_new_cb(o, sink, &stream, &w, &err));
    xbk_options_free(o);
    for (t = 0; t < THREADS; t++)
        for (i = 0; i < ENTRIES; i++) {
            char name[32];

            snprintf(name, sizeof name, "thread%d/entry%d", (int)t, i);
            EXPECT(XBK_OK, xbk_writer_open(w, name, NULL, &entries[t][i], &err));
        }
    for (t = 0; t < THREADS; t++)
        CHECK(pthread_create(&threads[t], NULL, work, (void *)t) == 0);
    for (t = 0; t < THREADS; t++)
        CHECK(pthread_join(threads[t], NULL) == 0);
    EXPECT(XBK_OK, xbk_writer_finish(w, &err));
    xbk_writer_free(w);
    /* Every chunk in it has its checksum looked at. */
    EXPECT(XBK_OK, xbk_list_from_cb(NULL, from_memory, &stream, NULL, &report, &err));
    CHECK(xbk_report_members(report) == THREADS * ENTRIES);
    CHECK(xbk_report_payload_bytes(report) == (uint64_t)THREADS * ENTRIES * SIZE);
    xbk_report_free(report);
    free(stream.bytes);
    return 0;
}
