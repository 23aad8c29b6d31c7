/* Writes a stream of the program's own data to a file, two members at once:  writer FILE
 * The callback shows how a stream can go anywhere; for a descriptor, xbk_writer_new_fd() is less
 * work and can be cancelled while it waits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "xbkit.h"

static int32_t to_file(void *user, const void *data, size_t len, size_t *written)
{
    *written = fwrite(data, 1, len, user);
    return *written > 0 ? 0 : errno != 0 ? errno : EIO;
}

/* Rows go to two tables in turn; each has its own entry. */
static xbk_status write_rows(xbk_entry *a, xbk_entry *b, xbk_error **err)
{
    xbk_status status = XBK_OK;
    char row[64];
    int i;

    for (i = 0; status == XBK_OK && i < 1000; i++) {
        snprintf(row, sizeof row, "row %d\n", i);
        status = xbk_entry_write(i % 2 ? a : b, row, strlen(row), err);
    }
    if (status == XBK_OK)
        status = xbk_entry_hole(a, 16384, err);
    return status;
}

static xbk_status write_stream(xbk_writer *writer, xbk_error **err)
{
    xbk_entry *a = NULL, *b = NULL;
    xbk_status status = xbk_writer_open(writer, "shop/odd.txt", NULL, &a, err);

    if (status == XBK_OK)
        status = xbk_writer_open(writer, "shop/even.txt", NULL, &b, err);
    if (status == XBK_OK)
        status = write_rows(a, b, err);
    /* Only whole members are closed: close takes the entry, whatever it returns. */
    if (status == XBK_OK) {
        status = xbk_entry_close(a, err);
        a = NULL;
    }
    if (status == XBK_OK) {
        status = xbk_entry_close(b, err);
        b = NULL;
    }
    xbk_entry_free(a);
    xbk_entry_free(b);
    return status == XBK_OK ? xbk_writer_finish(writer, err) : status;
}

int main(int argc, char **argv)
{
    xbk_writer *writer = NULL;
    xbk_error *err = NULL;
    xbk_status status;
    FILE *file;
    int bad;

    if (argc != 2) {
        fprintf(stderr, "usage: writer FILE\n");
        return 2;
    }
    file = fopen(argv[1], "wb");
    if (file == NULL) {
        perror(argv[1]);
        return 1;
    }
    status = xbk_writer_new_cb(NULL, to_file, file, &writer, &err);
    if (status == XBK_OK)
        status = write_stream(writer, &err);
    xbk_writer_free(writer);
    bad = fclose(file) != 0;
    if (bad)
        perror(argv[1]);
    if (status < 0) {
        fprintf(stderr, "writer: %s\n", xbk_error_line(err));
        xbk_error_free(err);
    }
    if (bad || status < 0)
        remove(argv[1]); /* nothing in it says that it is not whole */
    return bad || status < 0;
}
