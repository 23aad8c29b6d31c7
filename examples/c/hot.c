/* Backs up a running server, and makes a data directory of the backup:
 *
 *   hot backup SOCKET USER PASSWORD_FILE > backup.xbstream
 *   hot restore DATADIR < backup.xbstream
 *
 * The report of a backup goes to standard error, as JSON: LSNs, place in the binary log, how long
 * others waited. Ctrl-C ends it within 200 ms, and releases the server's locks. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

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
    if (xbk_event_kind(event) == XBK_EVENT_LOG)
        fprintf(stderr, "%s\n", xbk_event_message(event));
    return 0;
}

static xbk_status backup(xbk_options *options, char **args, const xbk_observer *observer, xbk_error **err)
{
    xbk_report *report = NULL;
    xbk_status status = xbk_options_set_str(options, XBK_OPT_SOCKET, args[0], err);

    if (status == XBK_OK)
        status = xbk_options_set_str(options, XBK_OPT_USER, args[1], err);
    if (status == XBK_OK)
        status = xbk_options_set_str(options, XBK_OPT_PASSWORD_FILE, args[2], err);
    if (status == XBK_OK)
        status = xbk_backup_to_fd(options, 1, observer, &report, err);
    if (status == XBK_OK)
        fprintf(stderr, "%s\n", xbk_report_json(report));
    xbk_report_free(report);
    return status;
}

static xbk_status restore(xbk_options *options, char **args, const xbk_observer *observer, xbk_error **err)
{
    xbk_status status = xbk_options_set_str(options, XBK_OPT_DATADIR, args[0], err);

    if (status == XBK_OK)
        status = xbk_restore_from_fd(options, 0, observer, NULL, err);
    return status;
}

int main(int argc, char **argv)
{
    xbk_observer observer = XBK_OBSERVER_INIT;
    xbk_error *err = NULL;
    xbk_options *options;
    xbk_status status;
    int backs_up = argc == 5 && strcmp(argv[1], "backup") == 0;

    if (!backs_up && (argc != 3 || strcmp(argv[1], "restore") != 0)) {
        fprintf(stderr, "usage: hot backup SOCKET USER PASSWORD_FILE > STREAM\n"
                        "       hot restore DATADIR < STREAM\n");
        return 2;
    }
    options = xbk_options_new();
    status = xbk_cancel_new(&cancel, &err);
    if (status == XBK_OK) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        observer.on_event = on_event;
        observer.cancel = cancel;
        status = (backs_up ? backup : restore)(options, argv + 2, &observer, &err);
    }
    if (status < 0) {
        fprintf(stderr, "hot: %s\n", xbk_error_line(err));
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
