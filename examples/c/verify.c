/* Verifies a stream from standard input, without any disk:  verify [--allow-unproven] < STREAM */
#include <stdio.h>
#include <string.h>

#include "xbkit.h"

int main(int argc, char **argv)
{
    int allow = argc == 2 && strcmp(argv[1], "--allow-unproven") == 0;
    xbk_options *options;
    xbk_report *report = NULL;
    xbk_error *err = NULL;
    xbk_status status;

    if (argc > 2 || (argc == 2 && !allow)) {
        fprintf(stderr, "usage: verify [--allow-unproven] < STREAM\n");
        return 2;
    }
    options = xbk_options_new();
    status = xbk_options_set_bool(options, XBK_OPT_ALLOW_UNPROVEN, allow, &err);
    if (status == XBK_OK)
        status = xbk_verify_from_fd(options, 0, NULL, &report, &err);
    xbk_options_free(options);
    if (status < 0) {
        fprintf(stderr, "verify: %s\n", xbk_error_line(err));
        if (status == XBK_E_UNPROVEN)
            fprintf(stderr, "verify: it is sound as far as it goes\n");
        xbk_error_free(err);
        return 1;
    }
    printf("%llu members: %s\n", (unsigned long long)xbk_report_members(report),
           xbk_report_proven(report) ? "proven complete" : "sound");
    xbk_report_free(report);
    return 0;
}
