/* Backs up the data directory of a stopped server:  backup DATADIR > backup.xbstream
 * Shows progress; Ctrl-C ends it within 200 ms, with a failure. */
#include <signal.h>
#include <stdio.h>

#include "xbkit.h"

static xbk_cancel *cancel;

static void on_signal(int number)
{
    (void)number;
    xbk_cancel_now(cancel); /* async-signal-safe */
}

static int32_t on_event(void *user, const xbk_event *event)
{
    (void)user;
    switch (xbk_event_kind(event)) {
    case XBK_EVENT_PROGRESS:
        fprintf(stderr, "\r%llu files, %llu MB", (unsigned long long)xbk_event_members(event),
                (unsigned long long)(xbk_event_stream_bytes(event) / 1000000));
        break;
    case XBK_EVENT_LOG:
        fprintf(stderr, "\n%s\n", xbk_event_message(event));
        break;
    default: /* later versions may tell more */
        break;
    }
    return 0;
}

int main(int argc, char **argv)
{
    xbk_observer observer = XBK_OBSERVER_INIT;
    xbk_error *err = NULL;
    xbk_options *options;
    xbk_status status;

    if (argc != 2) {
        fprintf(stderr, "usage: backup DATADIR > STREAM\n");
        return 2;
    }
    options = xbk_options_new();
    status = xbk_cancel_new(&cancel, &err);
    if (status == XBK_OK) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        observer.on_event = on_event;
        observer.cancel = cancel;
        status = xbk_options_set_str(options, XBK_OPT_DATADIR, argv[1], &err);
    }
    if (status == XBK_OK)
        status = xbk_backup_to_fd(options, 1, &observer, NULL, &err);
    fprintf(stderr, "\n");
    if (status < 0) {
        /* Whoever reads the stream must be told: it has no end mark. */
        fprintf(stderr, "backup: %s\n", xbk_error_line(err));
        if (xbk_error_hint(err) != NULL)
            fprintf(stderr, "hint: %s\n", xbk_error_hint(err));
        xbk_error_free(err);
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    xbk_cancel_free(cancel);
    xbk_options_free(options);
    return status < 0;
}
