/* Extracts a stream from standard input into a new directory:
 * extract DIR [PATTERN...] < backup.xbstream */
#include <stdio.h>

#include "xbkit.h"

/* One setter after the other; the first failure counts. */
static xbk_status configure(xbk_options *options, char **argv, xbk_error **err)
{
    xbk_status status = xbk_options_set_str(options, XBK_OPT_TARGET_DIR, argv[1], err);

    for (argv += 2; status == XBK_OK && *argv != NULL; argv++)
        status = xbk_options_set_str(options, XBK_OPT_MEMBER_PATTERN, *argv, err);
    return status;
}

int main(int argc, char **argv)
{
    xbk_options *options;
    xbk_report *report = NULL;
    xbk_error *err = NULL;
    xbk_status status;

    if (argc < 2) {
        fprintf(stderr, "usage: extract DIR [PATTERN...] < STREAM\n");
        return 2;
    }
    options = xbk_options_new();
    status = configure(options, argv, &err);
    if (status == XBK_OK)
        status = xbk_extract_from_fd(options, 0, NULL, &report, &err);
    xbk_options_free(options);
    if (status < 0) {
        uint64_t at;

        fprintf(stderr, "extract: %s (%s)\n", xbk_error_line(err), xbk_status_name(status));
        if (xbk_error_stream_offset(err, &at))
            fprintf(stderr, "the stream is sound up to byte %llu\n", (unsigned long long)at);
        xbk_error_free(err);
        return 1;
    }
    printf("%llu members extracted, %llu skipped\n",
           (unsigned long long)xbk_report_members(report),
           (unsigned long long)xbk_report_skipped(report));
    xbk_report_free(report);
    return 0;
}
