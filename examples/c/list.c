/* Lists the members of a stream from standard input, with their sizes:  list < backup.xbstream */
#include <stdio.h>

#include "xbkit.h"

static int32_t on_event(void *user, const xbk_event *event)
{
    const char *c;

    (void)user;
    if (xbk_event_kind(event) != XBK_EVENT_MEMBER)
        return 0;
    printf("%12llu ", (unsigned long long)xbk_event_size(event));
    /* A name from a stream may hold anything; a terminal must not see its control bytes. */
    for (c = xbk_event_path(event); *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '\\')
            printf("\\x%02x", (unsigned)(unsigned char)*c);
        else
            putchar(*c);
    }
    putchar('\n');
    return ferror(stdout) ? 1 : 0; /* nobody listens: stop */
}

int main(void)
{
    xbk_observer observer = XBK_OBSERVER_INIT;
    xbk_report *report = NULL;
    xbk_error *err = NULL;

    observer.on_event = on_event;
    if (xbk_list_from_fd(NULL, 0, &observer, &report, &err) < 0) {
        fprintf(stderr, "list: %s\n", xbk_error_line(err));
        xbk_error_free(err);
        return 1;
    }
    printf("%12llu in %llu members\n", (unsigned long long)xbk_report_payload_bytes(report),
           (unsigned long long)xbk_report_members(report));
    xbk_report_free(report);
    return fflush(stdout) != 0;
}
