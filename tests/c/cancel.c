/* A signal handler ends jobs, readers and writers that wait for a stalled pipe, within 200 ms. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static xbk_cancel *cancel;
static struct timespec when;
static double allowed = 0.2;

static void on_alarm(int number)
{
    (void)number;
    clock_gettime(CLOCK_MONOTONIC, &when);
    xbk_cancel_now(cancel);
}

static void alarm_in_100_ms(void)
{
    struct itimerval timer;

    memset(&timer, 0, sizeof timer);
    timer.it_value.tv_usec = 100000;
    when.tv_sec = 0;
    EXPECT(XBK_OK, xbk_cancel_new(&cancel, &err));
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void ended(void)
{
    struct timespec now;
    double took;

    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(when.tv_sec != 0);
    took = (double)(now.tv_sec - when.tv_sec) + (double)(now.tv_nsec - when.tv_nsec) / 1e9;
    if (took > allowed)
        fprintf(stderr, "it took %.3f s\n", took);
    CHECK(took <= allowed);
    xbk_cancel_free(cancel);
}

int main(int argc, char **argv)
{
    xbk_observer observer = XBK_OBSERVER_INIT;
    struct sigaction action;
    xbk_options *o = xbk_options_new(), *job = xbk_options_new();
    xbk_reader *r = NULL;
    xbk_writer *w = NULL;
    xbk_entry *e = NULL;
    xbk_status status = XBK_OK;
    static unsigned char bytes[1 << 20];
    xbk_error *why = NULL;
    int in_pipe[2], out_pipe[2], flags;

    CHECK(argc >= 2);
    if (getenv("XBK_TEST_SLOW") != NULL)
        allowed = 2.0; /* under valgrind, which runs some 30 times slower */
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(pipe(in_pipe) == 0 && pipe(out_pipe) == 0);
    flags = fcntl(out_pipe[1], F_GETFL);

    alarm_in_100_ms(); /* nothing ever comes */
    observer.cancel = cancel;
    EXPECT(XBK_E_CANCELLED, xbk_list_from_fd(NULL, in_pipe[0], &observer, NULL, &err));
    ended();

    alarm_in_100_ms();
    observer.cancel = cancel;
    EXPECT(XBK_OK, xbk_options_set_str(job, XBK_OPT_TARGET_DIR, in(argv[1], "out"), &err));
    EXPECT(XBK_E_CANCELLED, xbk_extract_from_fd(job, in_pipe[0], &observer, NULL, &err));
    ended();
    CHECK(access(in(argv[1], "out/.xbkit-partial"), F_OK) != 0);
    xbk_options_free(job);

    alarm_in_100_ms();
    EXPECT(XBK_OK, xbk_options_set_cancel(o, cancel, &err));
    EXPECT(XBK_E_CANCELLED, xbk_reader_new_fd(o, in_pipe[0], &r, &err));
    CHECK(r == NULL);
    ended();

    alarm_in_100_ms(); /* nobody reads */
    EXPECT(XBK_OK, xbk_options_set_cancel(o, cancel, &err));
    EXPECT(XBK_OK, xbk_writer_new_fd(o, out_pipe[1], &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "endless", NULL, &e, &err));
    while (status == XBK_OK)
        status = xbk_entry_write(e, bytes, sizeof bytes, &why);
    CHECK(status == XBK_E_CANCELLED && xbk_error_code(why) == XBK_E_CANCELLED);
    xbk_error_free(why);
    ended();
    EXPECT(XBK_E_INVALID_STATE, xbk_entry_close(e, &err));
    xbk_writer_free(w);

    memset(bytes, 7, sizeof bytes);
    put_file(in(argv[1], "big"), bytes, sizeof bytes);
    put_file(in(argv[1], "big2"), bytes, sizeof bytes);
    job = xbk_options_new();
    EXPECT(XBK_OK, xbk_options_set_str(job, XBK_OPT_BASE_DIR, argv[1], &err));
    EXPECT(XBK_OK, xbk_options_set_str(job, XBK_OPT_FILE, "big", &err));
    EXPECT(XBK_OK, xbk_options_set_str(job, XBK_OPT_FILE, "big2", &err));
    EXPECT(XBK_OK, xbk_options_set_int(job, XBK_OPT_PARALLEL, 2, &err));
    alarm_in_100_ms();
    observer.cancel = cancel;
    EXPECT(XBK_E_CANCELLED, xbk_create_to_fd(job, out_pipe[1], &observer, NULL, &err));
    ended();
    CHECK(fcntl(out_pipe[1], F_GETFL) == flags); /* borrowed: its flags are the caller's */
    xbk_options_free(job);
    xbk_options_free(o);
    return 0;
}
