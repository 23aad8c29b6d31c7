/* Streams files to standard output:  create DIR FILE... > files.xbstream */
#include <stdio.h>

#include "xbkit.h"

static int fail(xbk_error *err)
{
    fprintf(stderr, "create: %s\n", xbk_error_line(err));
    if (xbk_error_hint(err) != NULL)
        fprintf(stderr, "hint: %s\n", xbk_error_hint(err));
    xbk_error_free(err);
    return 1;
}

static int create(xbk_options *options, char **files)
{
    xbk_error *err = NULL;
    xbk_report *report = NULL;

    for (; *files != NULL; files++)
        if (xbk_options_set_str(options, XBK_OPT_FILE, *files, &err) < 0)
            return fail(err);
    if (xbk_options_set_int(options, XBK_OPT_PARALLEL, 2, &err) < 0)
        return fail(err);
    /* Descriptor 1 is standard output. The stream is whole only if this gives XBK_OK. */
    if (xbk_create_to_fd(options, 1, NULL, &report, &err) < 0)
        return fail(err);
    fprintf(stderr, "%llu members, %llu bytes\n",
            (unsigned long long)xbk_report_members(report),
            (unsigned long long)xbk_report_payload_bytes(report));
    xbk_report_free(report);
    return 0;
}

int main(int argc, char **argv)
{
    xbk_error *err = NULL;
    xbk_options *options;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: create DIR FILE... > STREAM\n");
        return 2;
    }
    options = xbk_options_new();
    if (xbk_options_set_str(options, XBK_OPT_BASE_DIR, argv[1], &err) < 0)
        status = fail(err);
    else
        status = create(options, argv + 2);
    xbk_options_free(options);
    return status;
}
