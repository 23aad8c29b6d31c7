/* Broken pipes without a signal, forked children, descriptors: a good guest in the process. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static volatile sig_atomic_t signals;

static void on_sigpipe(int number)
{
    (void)number;
    signals++;
}

static void broken(int fd)
{
    static unsigned char page[100000];
    xbk_writer *w = NULL;
    xbk_entry *e = NULL;

    EXPECT(XBK_OK, xbk_writer_new_fd(NULL, fd, &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "a", NULL, &e, &err));
    EXPECT(XBK_OK, xbk_entry_write(e, page, sizeof page, &err));
    EXPECT(XBK_E_PIPE_CLOSED, xbk_entry_close(e, &err));
    EXPECT(XBK_E_INVALID_STATE, xbk_writer_finish(w, &err));
    xbk_writer_free(w);
    CHECK(signals == 0);
}

static void sigpipe(void)
{
    struct sigaction action, after;
    sigset_t mask, pending;
    int ends[2];

    memset(&action, 0, sizeof action);
    action.sa_handler = on_sigpipe;
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    broken(ends[1]);
    CHECK(close(ends[1]) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && close(ends[0]) == 0);
    broken(ends[1]);
    CHECK(close(ends[1]) == 0);
    /* Handler and mask are the caller's, and nothing is left pending. */
    CHECK(sigaction(SIGPIPE, NULL, &after) == 0 && after.sa_handler == on_sigpipe);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGPIPE));
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
}

static void child(xbk_writer *w, xbk_entry *e, xbk_reader *r, xbk_cancel *c, xbk_options *o)
{
    const xbk_item *item = NULL;
    xbk_entry *new_entry = NULL;
    xbk_observer observer = XBK_OBSERVER_INIT;

    EXPECT(XBK_E_FORKED, xbk_entry_write(e, "x", 1, &err));
    EXPECT(XBK_E_FORKED, xbk_entry_hole(e, 1, &err));
    EXPECT(XBK_E_FORKED, xbk_writer_open(w, "x", NULL, &new_entry, &err));
    EXPECT(XBK_E_FORKED, xbk_writer_finish(w, &err));
    EXPECT(XBK_E_FORKED, xbk_reader_next(r, &item, &err));
    EXPECT(XBK_E_FORKED, xbk_list_from_fd(o, 0, NULL, NULL, &err));
    EXPECT(XBK_E_FORKED, xbk_options_set_cancel(o, c, &err));
    observer.cancel = c;
    EXPECT(XBK_E_FORKED, xbk_list_from_fd(NULL, 0, &observer, NULL, &err));
    CHECK(xbk_cancel_now(c) == XBK_E_FORKED);
    EXPECT(XBK_E_FORKED, xbk_entry_close(e, &err));
    xbk_writer_free(w);
    xbk_reader_free(r);
    xbk_cancel_free(c);
    xbk_options_free(o);
    _exit(0);
}

static int count_fds(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void forked(const char *dir)
{
    struct memory m = { NULL, 0, 0, 0, 0 };
    const xbk_item *item = NULL;
    xbk_options *o = xbk_options_new();
    /* Not on the stack, so that the child's, which it cannot free, are no leaks. */
    static xbk_writer *w;
    static xbk_entry *e;
    static xbk_reader *r;
    static xbk_cancel *c;
    int ends[2], fd, status = -1, before = count_fds();
    pid_t pid;

    EXPECT(XBK_OK, xbk_cancel_new(&c, &err));
    EXPECT(XBK_OK, xbk_options_set_cancel(o, c, &err));
    fd = open(in(dir, "forked"), O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && pipe(ends) == 0);
    EXPECT(XBK_OK, xbk_writer_new_fd(o, fd, &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "a", NULL, &e, &err));
    EXPECT(XBK_OK, xbk_entry_write(e, "one", 3, &err));
    CHECK(write(ends[1], "XBSTCK01\0E\1\0\0\0z", 15) == 15);
    EXPECT(XBK_OK, xbk_reader_new_fd(NULL, ends[0], &r, &err));
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        child(w, e, r, c, o);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent's go on as if nothing had been. */
    CHECK(xbk_cancel_is_set(c) == 0);
    EXPECT(XBK_OK, xbk_entry_write(e, "two", 3, &err));
    EXPECT(XBK_OK, xbk_entry_close(e, &err));
    EXPECT(XBK_OK, xbk_writer_finish(w, &err));
    xbk_writer_free(w);
    EXPECT(XBK_OK, xbk_reader_next(r, &item, &err));
    CHECK(strcmp(xbk_item_path(item), "z") == 0);
    xbk_reader_free(r);
    xbk_options_free(o);
    xbk_cancel_free(c);
    CHECK(close(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
    CHECK(count_fds() == before);
    free(m.bytes);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    sigpipe();
    forked(argv[1]);
    return 0;
}
