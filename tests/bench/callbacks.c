/* The jobs through callbacks, for bindings.py:
 *   callbacks create DIR FILE... > STREAM        callbacks extract DIR < STREAM */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xbkit.h"

static int32_t write_out(void *user, const void *data, size_t len, size_t *written)
{
    ssize_t done = write(*(const int *)user, data, len);

    if (done < 0)
        return errno;
    *written = (size_t)done;
    return 0;
}

static int32_t read_in(void *user, void *buf, size_t len, size_t *got)
{
    ssize_t done = read(*(const int *)user, buf, len);

    if (done < 0)
        return errno;
    *got = (size_t)done;
    return 0;
}

static int report(xbk_status status, xbk_error *err)
{
    if (status >= 0)
        return 0;
    fprintf(stderr, "callbacks: %s\n", xbk_error_line(err));
    xbk_error_free(err);
    return 1;
}

static int create(xbk_options *options, char **argv)
{
    int out = STDOUT_FILENO;
    xbk_error *err = NULL;
    xbk_status status = xbk_options_set_str(options, XBK_OPT_BASE_DIR, argv[2], &err);

    for (argv += 3; status == XBK_OK && *argv != NULL; argv++)
        status = xbk_options_set_str(options, XBK_OPT_FILE, *argv, &err);
    if (status == XBK_OK)
        status = xbk_create_to_cb(options, write_out, &out, NULL, NULL, &err);
    return report(status, err);
}

static int extract(xbk_options *options, char **argv)
{
    int in = STDIN_FILENO;
    xbk_error *err = NULL;
    xbk_status status = xbk_options_set_str(options, XBK_OPT_TARGET_DIR, argv[2], &err);

    if (status == XBK_OK)
        status = xbk_extract_from_cb(options, read_in, &in, NULL, NULL, &err);
    return report(status, err);
}

int main(int argc, char **argv)
{
    xbk_options *options = xbk_options_new();
    int status = 2;

    if (argc > 3 && strcmp(argv[1], "create") == 0)
        status = create(options, argv);
    else if (argc == 3 && strcmp(argv[1], "extract") == 0)
        status = extract(options, argv);
    else
        fprintf(stderr, "usage: callbacks create DIR FILE... | callbacks extract DIR\n");
    xbk_options_free(options);
    return status;
}
