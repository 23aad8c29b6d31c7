/* Backups of a running server, and what becomes of them:  hot SCRATCH SOCKET DATADIR
 *
 * The server has the accounts keeper (password s3cret), who may back up, and poor, who may not.
 * Leaves in SCRATCH the data directories a, b and c, and the report of a as a.json. */
#define _POSIX_C_SOURCE 200809L
#include "../check.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

static const char *scratch, *server_socket, *datadir;
static int slow; /* every way through xbkit once, as it takes long */
static const unsigned char key[32] = "0123456789abcdef0123456789abcde";

static xbk_options *account(const char *user, const char *password)
{
    xbk_options *o = xbk_options_new();

    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_SOCKET, server_socket, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_USER, user, &err));
    EXPECT(XBK_OK, xbk_options_set_bytes(o, XBK_OPT_PASSWORD, password, strlen(password), &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_TMPDIR, scratch, &err));
    /* A lock that an earlier job kept would show soon. */
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_LOCK_WAIT_TIMEOUT, 5, &err));
    return o;
}

static xbk_options *keeper(void)
{
    return account("keeper", "s3cret");
}

static int32_t nowhere(void *user, const void *data, size_t len, size_t *written)
{
    (void)data;
    if (user != NULL)
        *(uint64_t *)user += len;
    *written = len;
    return 0;
}

/* What the log would show, if anything there could be a password. */
static int32_t no_secret(void *user, const xbk_event *event)
{
    const char *message = xbk_event_message(event);

    CHECK(message == NULL || strstr(message, "s3cret") == NULL);
    ++*(unsigned *)user;
    return 0;
}

static void logins(void)
{
    xbk_observer observer = XBK_OBSERVER_INIT;
    unsigned events = 0;
    uint64_t bytes = 0;
    xbk_error *refused = NULL;
    xbk_options *o = account("keeper", "wr0ng-s3cret");

    observer.on_event = no_secret;
    observer.user = &events;
    CHECK(xbk_backup_to_cb(o, nowhere, NULL, &observer, NULL, &refused) == XBK_E_AUTH);
    CHECK(strstr(xbk_error_line(refused), "keeper") != NULL);
    CHECK(strstr(xbk_error_line(refused), "s3cret") == NULL);
    CHECK(strstr(xbk_error_hint(refused), "s3cret") == NULL);
    xbk_error_free(refused);
    xbk_options_free(o);

    refused = NULL;
    o = account("poor", "s3cret");
    CHECK(xbk_backup_to_cb(o, nowhere, &bytes, NULL, NULL, &refused) == XBK_E_AUTH);
    CHECK(strstr(xbk_error_hint(refused), "GRANT RELOAD") != NULL && bytes == 0);
    xbk_error_free(refused);
    xbk_options_free(o);

    /* To stop what a replica applies takes more than the account may do. */
    refused = NULL;
    o = keeper();
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_SAFE_SLAVE_BACKUP_TIMEOUT, 5, &err));
    EXPECT(XBK_OK, xbk_options_set_bool(o, XBK_OPT_SAFE_SLAVE_BACKUP, 1, &err));
    CHECK(xbk_backup_to_cb(o, nowhere, &bytes, NULL, NULL, &refused) == XBK_E_AUTH);
    CHECK(strstr(xbk_error_hint(refused), "SLAVE") != NULL && bytes == 0);
    xbk_error_free(refused);
    xbk_options_free(o);

    o = keeper();
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_SOCKET, in(scratch, "no-socket"), &err));
    EXPECT(XBK_E_CONNECT, xbk_backup_to_cb(o, nowhere, NULL, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_SOCKET, server_socket, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DATADIR, scratch, &err));
    EXPECT(XBK_E_INVALID_ARGUMENT, xbk_backup_to_cb(o, nowhere, NULL, NULL, NULL, &err));
    xbk_options_free(o);
}

static void options(void)
{
    xbk_options *o = xbk_options_new();

    /* Without a place it is a stopped server that is meant. */
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DATADIR, datadir, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_USER, "keeper", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "user is no option of backup",
            xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_USER, &err));
    REFUSES(XBK_E_LOCKED, "ibdata1", xbk_backup_to_cb(o, nowhere, NULL, NULL, NULL, &err));
    xbk_options_free(o);

    o = keeper();
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_UNDO_DIR, "undo", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "undo_dir is no option of server backup",
            xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_UNDO_DIR, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_HOST, "localhost", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "both socket and host", xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_HOST, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_PASSWORD_FILE, "/dev/null", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "both password", xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_PASSWORD_FILE, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_TLS_CERT, "cert", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "tls_key", xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_TLS_CERT, &err));
    EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_int(o, XBK_OPT_PORT, 65536, &err));
    EXPECT(XBK_OK, xbk_options_set_bytes(o, XBK_OPT_PASSWORD, "\xff", 1, &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "password is not UTF-8", xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    xbk_options_free(o);
}

struct stop {
    xbk_cancel *cancel;
    uint64_t at, bytes;
    int32_t with;
};

/* Ends the job, in one way or another, once so many bytes came. */
static int32_t stopping(void *user, const void *data, size_t len, size_t *written)
{
    struct stop *stop = user;

    stop->bytes += len;
    if (stop->bytes >= stop->at) {
        if (stop->cancel != NULL)
            CHECK(xbk_cancel_now(stop->cancel) == XBK_OK);
        if (stop->with != 0)
            return stop->with;
    }
    return nowhere(NULL, data, len, written);
}

static int32_t enough(void *user, const xbk_event *event)
{
    return xbk_event_kind(event) == XBK_EVENT_MEMBER && ++*(unsigned *)user > 3;
}

static void *cancel_soon(void *cancel)
{
    const struct timespec time = { 0, 400 * 1000 * 1000 };

    nanosleep(&time, NULL);
    CHECK(xbk_cancel_now(cancel) == XBK_OK);
    return NULL;
}

/* None of these may keep a lock: the last job would not get it. */
static void ends(void)
{
    static const struct { int32_t with; xbk_status status; } ways[] = {
        { -5, XBK_E_CALLBACK }, { ENOSPC, XBK_E_NO_SPACE }, { EPIPE, XBK_E_PIPE_CLOSED }, { EIO, XBK_E_SINK },
    };
    xbk_observer observer = XBK_OBSERVER_INIT;
    xbk_options *o = keeper();
    struct stop stop = { NULL, 3 << 20, 0, 0 };
    pthread_t thread;
    unsigned members = 0;
    size_t i;
    int pipes[2];

    for (i = 0; i < (slow ? 1 : sizeof ways / sizeof ways[0]); i++) {
        stop.bytes = 0;
        stop.with = ways[i].with;
        EXPECT(ways[i].status, xbk_backup_to_cb(o, stopping, &stop, NULL, NULL, &err));
    }
    stop.bytes = 0;
    stop.with = 0;
    EXPECT(XBK_OK, xbk_cancel_new(&stop.cancel, &err));
    observer.cancel = stop.cancel;
    EXPECT(XBK_E_CANCELLED, xbk_backup_to_cb(o, stopping, &stop, &observer, NULL, &err));
    xbk_cancel_free(stop.cancel);

    observer.cancel = NULL;
    observer.on_event = enough;
    observer.user = &members;
    EXPECT(XBK_E_CANCELLED, xbk_backup_to_cb(o, nowhere, NULL, &observer, NULL, &err));
    members = 0;
    EXPECT(XBK_E_CANCELLED, xbk_backup_to_dir(o, in(scratch, "none"), &observer, NULL, &err));
    CHECK(access(in(scratch, "none/ibdata1"), F_OK) != 0);

    /* A pipe that nobody reads, and another thread. */
    CHECK(pipe(pipes) == 0);
    observer.on_event = NULL;
    EXPECT(XBK_OK, xbk_cancel_new(&stop.cancel, &err));
    observer.cancel = stop.cancel;
    CHECK(pthread_create(&thread, NULL, cancel_soon, stop.cancel) == 0);
    EXPECT(XBK_E_CANCELLED, xbk_backup_to_fd(o, pipes[1], &observer, NULL, &err));
    CHECK(pthread_join(thread, NULL) == 0);
    xbk_cancel_free(stop.cancel);
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);

    if (!slow)
        EXPECT(XBK_OK, xbk_backup_to_cb(o, nowhere, NULL, NULL, NULL, &err));
    xbk_options_free(o);
}

static int32_t into_file(void *user, const void *data, size_t len, size_t *written)
{
    *written = fwrite(data, 1, len > 100000 ? 100000 : len, user);
    return *written == 0 ? EIO : 0;
}

static int32_t out_of_file(void *user, void *buf, size_t len, size_t *got)
{
    *got = fread(buf, 1, len, user);
    return ferror((FILE *)user) ? EIO : 0;
}

static uint64_t number(const xbk_report *report, uint32_t field)
{
    uint64_t value = 0;

    CHECK(xbk_report_number(report, field, &value) == 1);
    return value;
}

static xbk_options *recovering(const char *name)
{
    xbk_options *o = xbk_options_new();

    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DATADIR, in(scratch, name), &err));
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_USE_MEMORY, 8 << 20, &err));
    return o;
}

/* Coded, through callbacks: a. */
static void through_callbacks(void)
{
    xbk_options *o = keeper();
    xbk_report *report = NULL;
    xbk_observer observer = XBK_OBSERVER_INIT;
    unsigned events = 0;
    const char *json;
    FILE *file = fopen(in(scratch, "a.xbs"), "w+b");

    CHECK(file != NULL);
    observer.on_event = no_secret;
    observer.user = &events;
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_PARALLEL, 2, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_COMPRESS, "zstd", &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_ENCRYPT, "AES256", &err));
    EXPECT(XBK_OK, xbk_options_set_bytes(o, XBK_OPT_KEY, key, sizeof key, &err));
    EXPECT(XBK_OK, xbk_backup_to_cb(o, into_file, file, &observer, &report, &err));
    xbk_options_free(o);
    CHECK(events > 10);
    CHECK(number(report, XBK_REPORT_LAST_LSN) >= number(report, XBK_REPORT_FROM_LSN));
    CHECK(number(report, XBK_REPORT_TO_LSN) >= number(report, XBK_REPORT_FROM_LSN));
    CHECK(number(report, XBK_REPORT_BLOCK_COMMIT_US) > 0);
    CHECK(number(report, XBK_REPORT_FLUSH_US) >= number(report, XBK_REPORT_BLOCK_DDL_US));
    CHECK(number(report, XBK_REPORT_BLOCK_DDL_US) >= number(report, XBK_REPORT_BLOCK_COMMIT_US));
    CHECK(number(report, XBK_REPORT_BINLOG_POSITION) > 0);
    CHECK(strstr(xbk_report_text(report, XBK_REPORT_BINLOG_FILE), "bin.") != NULL);
    CHECK(xbk_report_text(report, XBK_REPORT_GTID)[0] != '\0');
    CHECK(xbk_report_text(report, XBK_REPORT_SERVER_PROGRAM) == NULL);
    CHECK(xbk_report_number(report, XBK_REPORT_RECOVERED, NULL) == 0);
    CHECK(xbk_report_members(report) > 10);
    json = xbk_report_json(report);
    put_file(in(scratch, "a.json"), json, strlen(json));
    xbk_report_free(report);

    rewind(file);
    o = recovering("a");
    EXPECT(XBK_E_KEY, xbk_restore_from_cb(o, out_of_file, file, NULL, NULL, &err));
    rewind(file);
    EXPECT(XBK_OK, xbk_options_set_bytes(o, XBK_OPT_KEY, key, sizeof key, &err));
    EXPECT(XBK_OK, xbk_restore_from_cb(o, out_of_file, file, NULL, &report, &err));
    CHECK(number(report, XBK_REPORT_RECOVERED) == 1 && xbk_report_proven(report) == 1);
    xbk_report_free(report);
    xbk_options_free(o);
    CHECK(fclose(file) == 0);
}

/* Into a directory, in steps, by the option file: b. */
static void in_steps(void)
{
    xbk_options *o = xbk_options_new(), *r;
    xbk_report *report = NULL;
    char text[4096];

    CHECK(snprintf(text, sizeof text, "[client]\nuser=keeper\npassword=\"s3cret\"\nsocket=%s\n",
                   server_socket) < (int)sizeof text);
    put_file(in(scratch, "my.cnf"), text, strlen(text));
    CHECK(chmod(in(scratch, "my.cnf"), 0600) == 0);
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DEFAULTS_FILE, in(scratch, "my.cnf"), &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DATADIR, datadir, &err));
    EXPECT(XBK_OK, xbk_backup_to_dir(o, in(scratch, "backup"), NULL, &report, &err));
    CHECK(xbk_report_members(report) > 10);
    xbk_report_free(report);
    if (!slow)
        EXPECT(XBK_E_EXISTS, xbk_backup_to_dir(o, in(scratch, "backup"), NULL, NULL, &err));
    xbk_options_free(o);

    r = xbk_options_new();
    EXPECT(XBK_OK, xbk_options_set_str(r, XBK_OPT_DATADIR, in(scratch, "b"), &err));
    EXPECT(XBK_E_INVALID_STATE, xbk_put_back(r, in(scratch, "backup"), NULL, NULL, &err));
    EXPECT(XBK_E_INVALID_ARGUMENT, xbk_prepare(r, in(scratch, "backup"), NULL, NULL, &err));
    xbk_options_free(r);

    o = xbk_options_new();
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_SERVER_PROGRAM, "/bin/false", &err));
    EXPECT(XBK_E_NOT_FOUND, xbk_prepare(o, in(scratch, "backup"), NULL, NULL, &err));
    xbk_options_free(o);
    EXPECT(XBK_E_NOT_FOUND, xbk_prepare(NULL, in(scratch, "no-backup"), NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_prepare(NULL, in(scratch, "backup"), NULL, &report, &err));
    CHECK(strstr(xbk_report_text(report, XBK_REPORT_SERVER_PROGRAM), "mariadbd") != NULL);
    xbk_report_free(report);
    EXPECT(XBK_OK, xbk_prepare(NULL, in(scratch, "backup"), NULL, &report, &err));
    CHECK(xbk_report_text(report, XBK_REPORT_SERVER_PROGRAM) == NULL);
    xbk_report_free(report);

    o = xbk_options_new();
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DATADIR, in(scratch, "b"), &err));
    EXPECT(XBK_OK, xbk_put_back(o, in(scratch, "backup"), NULL, &report, &err));
    CHECK(xbk_report_members(report) > 10);
    xbk_report_free(report);
    EXPECT(XBK_E_EXISTS, xbk_put_back(o, in(scratch, "backup"), NULL, NULL, &err));
    xbk_options_free(o);
}

/* As tar through descriptors, the password in a file: c. */
static void as_tar(void)
{
    xbk_options *o = keeper();
    int fd = open(in(scratch, "c.tar"), O_RDWR | O_CREAT | O_EXCL, 0600);

    CHECK(fd >= 0);
    put_file(in(scratch, "pw"), "s3cret\n", 7);
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_PASSWORD, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_PASSWORD_FILE, in(scratch, "pw"), &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_FORMAT, "tar", &err));
    EXPECT(XBK_OK, xbk_backup_to_fd(o, fd, NULL, NULL, &err));
    xbk_options_free(o);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    o = recovering("c");
    EXPECT(XBK_OK, xbk_options_set_int(o, XBK_OPT_PARALLEL, 2, &err));
    EXPECT(XBK_OK, xbk_restore_from_fd(o, fd, NULL, NULL, &err));
    xbk_options_free(o);
    CHECK(close(fd) == 0);
}

struct killing {
    pid_t pid;
    uint64_t bytes;
};

static int32_t kills(void *user, const void *data, size_t len, size_t *written)
{
    struct killing *killing = user;

    killing->bytes += len;
    if (killing->bytes > 3 << 20 && killing->pid != 0) {
        CHECK(kill(killing->pid, SIGKILL) == 0);
        killing->pid = 0;
    }
    return nowhere(NULL, data, len, written);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4 || argc == 5);
    scratch = argv[1];
    server_socket = argv[2];
    datadir = argv[3];
    if (argc == 5) {
        /* The last thing that the server lives to see. */
        struct killing killing = { 0, 0 };
        xbk_options *o = keeper();

        killing.pid = (pid_t)atol(argv[4]);
        EXPECT(XBK_E_CONNECT, xbk_backup_to_cb(o, kills, &killing, NULL, NULL, &err));
        xbk_options_free(o);
        return 0;
    }
    slow = getenv("XBK_TEST_SLOW") != NULL;
    logins();
    options();
    ends();
    through_callbacks();
    in_steps();
    as_tar();
    return 0;
}
