/* What the C tests share. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xbkit.h"

#define CHECK(what)                                                                   \
    do {                                                                              \
        if (!(what)) {                                                                \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what);      \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* The call gives this status; its error, if any, says so and is freed. */
#define EXPECT(status, call)                                                          \
    do {                                                                              \
        xbk_error *err = NULL;                                                        \
        xbk_status got_ = (call);                                                     \
        if (got_ != (status)) {                                                       \
            fprintf(stderr, "%s:%d: %s gives %s, not %s: %s\n", __FILE__, __LINE__,   \
                    #call, xbk_status_name(got_), xbk_status_name(status),            \
                    xbk_error_line(err));                                             \
            exit(1);                                                                  \
        }                                                                             \
        CHECK(got_ < 0 ? xbk_error_code(err) == got_ : err == NULL);                  \
        xbk_error_free(err);                                                          \
    } while (0)

/* The call fails with a message that has these words in it. */
#define REFUSES(status, words, call)                                                  \
    do {                                                                              \
        xbk_error *err = NULL;                                                        \
        xbk_status got_ = (call);                                                     \
        if (got_ != (status) || strstr(xbk_error_line(err), words) == NULL) {         \
            fprintf(stderr, "%s:%d: %s gives %s: %s\n", __FILE__, __LINE__, #call,    \
                    xbk_status_name(got_), xbk_error_line(err));                      \
            exit(1);                                                                  \
        }                                                                             \
        xbk_error_free(err);                                                          \
    } while (0)

/* A stream in memory. */
struct memory {
    unsigned char *bytes;
    size_t len, at;
    size_t most; /* bytes of a call; 0 for all */
    unsigned calls;
};

static inline int32_t to_memory(void *user, const void *data, size_t len, size_t *written)
{
    struct memory *m = user;

    CHECK(len > 0 && *written == 0);
    if (m->most != 0 && len > m->most)
        len = 1 + m->calls % m->most;
    if (m->most != 0 && ++m->calls % 3 == 0)
        return EINTR;
    m->bytes = realloc(m->bytes, m->len + len);
    CHECK(m->bytes != NULL);
    memcpy(m->bytes + m->len, data, len);
    m->len += len;
    *written = len;
    return 0;
}

static inline int32_t from_memory(void *user, void *buf, size_t len, size_t *got)
{
    struct memory *m = user;

    CHECK(len > 0 && *got == 0);
    if (m->most != 0 && ++m->calls % 3 == 0)
        return EINTR;
    if (m->most != 0 && len > m->most)
        len = 1 + m->calls % m->most;
    if (len > m->len - m->at)
        len = m->len - m->at;
    if (len > 0)
        memcpy(buf, m->bytes + m->at, len);
    m->at += len;
    *got = len;
    return 0;
}

/* Bytes that depend on their place and a seed. */
static inline void fill(unsigned char *bytes, size_t len, unsigned seed)
{
    size_t i;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        bytes[i] = (unsigned char)(seed >> 16);
    }
}

/* A path in the scratch directory. */
static inline const char *in(const char *dir, const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];

    CHECK(snprintf(path, sizeof paths[0], "%s/%s", dir, name) < (int)sizeof paths[0]);
    return path;
}

static inline void put_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL);
    CHECK(fwrite(bytes, 1, len, file) == len);
    CHECK(fclose(file) == 0);
}

static inline size_t get_file(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    CHECK(file != NULL);
    len = fread(bytes, 1, room, file);
    CHECK(fclose(file) == 0);
    return len;
}

#endif
