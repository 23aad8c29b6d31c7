/* Prints one member of a stream from standard input:  reader MEMBER < backup.xbstream
 * Members interleave, so items of others come between its own. */
#include <stdio.h>
#include <string.h>

#include "xbkit.h"

/* Writes a member's bytes in order; 0 once that is not possible. */
static int print(const xbk_item *item, uint64_t *expected)
{
    size_t len;
    uint64_t offset;
    const void *data = xbk_item_data(item, &len, &offset);

    if (offset < *expected)
        return 0; /* MariaDB's streams may write a place again */
    for (; *expected < offset; ++*expected)
        putchar(0);
    *expected += len;
    return fwrite(data, 1, len, stdout) == len;
}

int main(int argc, char **argv)
{
    xbk_reader *reader = NULL;
    const xbk_item *item;
    xbk_error *err = NULL;
    xbk_status status;
    uint64_t expected = 0;
    int found = 0, printed = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: reader MEMBER < STREAM\n");
        return 2;
    }
    status = xbk_reader_new_fd(NULL, 0, &reader, &err);
    while (status == XBK_OK && printed
           && (status = xbk_reader_next(reader, &item, &err)) == XBK_OK) {
        const char *path = xbk_item_path(item);

        if (path == NULL || strcmp(path, argv[1]) != 0)
            continue;
        switch (xbk_item_kind(item)) {
        case XBK_ITEM_DATA:
            printed = print(item, &expected);
            break;
        case XBK_ITEM_CLOSE:
            for (; expected < xbk_item_size(item); expected++)
                putchar(0);
            found = 1;
            break;
        default:
            break;
        }
    }
    xbk_reader_free(reader);
    if (status < 0) {
        /* What was printed is not to be trusted. */
        fprintf(stderr, "reader: %s\n", xbk_error_line(err));
        xbk_error_free(err);
        return 1;
    }
    if (!found)
        fprintf(stderr, "reader: no such member\n");
    return !found || !printed || fflush(stdout) != 0;
}
