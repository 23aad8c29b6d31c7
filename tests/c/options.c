/* Options and observers: enumerable, checked where they are set, refused where they do not fit. */
#include "check.h"

static int32_t stop(void *user, const xbk_event *event)
{
    (void)user, (void)event;
    return 1;
}

static void enumeration(void)
{
    size_t i, n = xbk_option_count();
    uint32_t last = 0;

    CHECK(n > 10 && xbk_option_info(n) == NULL && xbk_option_info(SIZE_MAX) == NULL);
    for (i = 0; i < n; i++) {
        const xbk_option *option = xbk_option_info(i);
        xbk_options *o = xbk_options_new();
        uint32_t id = xbk_option_id(option);

        CHECK(id > last && xbk_option_jobs(option) != 0);
        last = id;
        CHECK(strlen(xbk_option_name(option)) > 1 && strlen(xbk_option_doc(option)) > 10);
        CHECK(strncmp(xbk_option_since(option), "0.", 2) == 0);
        CHECK(xbk_option_unit(option) != NULL && xbk_option_choices(option) != NULL);
        switch (xbk_option_type(option)) {
        case XBK_TYPE_BOOL:
            EXPECT(XBK_OK, xbk_options_set_bool(o, id, 1, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_str(o, id, "1", &err));
            break;
        case XBK_TYPE_INT:
            EXPECT(XBK_OK, xbk_options_set_int(o, id, (int64_t)xbk_option_min(option), &err));
            EXPECT(XBK_OK, xbk_options_set_int(o, id, (int64_t)xbk_option_max(option), &err));
            REFUSES(XBK_E_INVALID_ARGUMENT, xbk_option_name(option),
                    xbk_options_set_int(o, id, (int64_t)xbk_option_max(option) + 1, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_int(o, id, -1, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_bool(o, id, 1, &err));
            break;
        case XBK_TYPE_BYTES: /* a key */
            EXPECT(XBK_OK, xbk_options_set_bytes(o, id, "0123456\0" "9abcdef", 16, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_bytes(o, id, NULL, 1, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_int(o, id, 1, &err));
            break;
        default:
            CHECK(xbk_option_type(option) == XBK_TYPE_STRING);
            if (xbk_option_default(option)[0] != '\0')
                EXPECT(XBK_OK, xbk_options_set_str(o, id, xbk_option_default(option), &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_str(o, id, "", &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_bytes(o, id, "a\0b", 3, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_bytes(o, id, NULL, 1, &err));
            EXPECT(XBK_E_INVALID_ARGUMENT, xbk_options_set_int(o, id, 1, &err));
            if (xbk_option_choices(option)[0] != '\0')
                REFUSES(XBK_E_INVALID_ARGUMENT, "none of",
                        xbk_options_set_str(o, id, "no such word", &err));
        }
        EXPECT(XBK_OK, xbk_options_unset(o, id, &err));
        xbk_options_free(o);
    }
}

static void refused(void)
{
    xbk_options *o = xbk_options_new();

    /* The test for a feature at run time. */
    EXPECT(XBK_E_UNSUPPORTED, xbk_options_set_int(o, 999999, 1, &err));
    EXPECT(XBK_E_UNSUPPORTED, xbk_options_set_str(o, 0, "x", &err));
    EXPECT(XBK_E_UNSUPPORTED, xbk_options_unset(o, 999999, &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "malformed",
            xbk_options_set_str(o, XBK_OPT_MEMBER_PATTERN, "[", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "UTF-8",
            xbk_options_set_str(o, XBK_OPT_MEMBER_PATTERN, "\xff", &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "target_dir", xbk_extract_from_fd(o, 0, NULL, NULL, &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "datadir", xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_set_bool(o, XBK_OPT_OVERWRITE, 1, &err));
    REFUSES(XBK_E_INVALID_ARGUMENT, "overwrite is no option of list",
            xbk_list_from_fd(o, 0, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_unset(o, XBK_OPT_OVERWRITE, &err));
    EXPECT(XBK_OK, xbk_options_set_str(o, XBK_OPT_DATADIR, "/nonexistent", &err));
    EXPECT(XBK_E_NOT_FOUND, xbk_backup_to_fd(o, 1, NULL, NULL, &err));
    xbk_options_free(o);
}

static void observers(void)
{
    struct {
        xbk_observer observer;
        size_t later;
    } newer;
    xbk_observer observer = XBK_OBSERVER_INIT;
    xbk_cancel *cancel = NULL;
    xbk_options *o = xbk_options_new();
    struct memory m = { NULL, 0, 0, 0, 0 };
    xbk_writer *w = NULL;
    xbk_entry *e = NULL;

    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &m, &w, &err));
    EXPECT(XBK_OK, xbk_writer_open(w, "a", NULL, &e, &err));
    EXPECT(XBK_OK, xbk_entry_close(e, &err));
    EXPECT(XBK_OK, xbk_writer_finish(w, &err));
    xbk_writer_free(w);

    EXPECT(XBK_OK, xbk_list_from_cb(NULL, from_memory, &m, &observer, NULL, &err));
    m.at = 0;
    observer.on_event = stop;
    EXPECT(XBK_E_CANCELLED, xbk_list_from_cb(NULL, from_memory, &m, &observer, NULL, &err));
    /* A shorter struct, of an older caller: what it lacks is 0. */
    m.at = 0;
    observer.struct_size = sizeof(size_t);
    EXPECT(XBK_OK, xbk_list_from_cb(NULL, from_memory, &m, &observer, NULL, &err));
    observer.struct_size = 0;
    EXPECT(XBK_E_INVALID_ARGUMENT,
           xbk_list_from_cb(NULL, from_memory, &m, &observer, NULL, &err));
    observer.struct_size = SIZE_MAX;
    EXPECT(XBK_E_INVALID_ARGUMENT,
           xbk_list_from_cb(NULL, from_memory, &m, &observer, NULL, &err));
    /* A longer one, of a newer caller: fine while it does not ask for what we do not know. */
    memset(&newer, 0, sizeof newer);
    newer.observer.struct_size = sizeof newer;
    m.at = 0;
    EXPECT(XBK_OK, xbk_list_from_cb(NULL, from_memory, &m, &newer.observer, NULL, &err));
    newer.later = 1;
    EXPECT(XBK_E_UNSUPPORTED,
           xbk_list_from_cb(NULL, from_memory, &m, &newer.observer, NULL, &err));

    EXPECT(XBK_OK, xbk_cancel_new(&cancel, &err));
    EXPECT(XBK_OK, xbk_options_set_cancel(o, cancel, &err));
    memset(&newer, 0, sizeof newer);
    newer.observer.struct_size = sizeof newer.observer;
    newer.observer.cancel = cancel;
    REFUSES(XBK_E_INVALID_ARGUMENT, "both",
            xbk_list_from_cb(o, from_memory, &m, &newer.observer, NULL, &err));
    CHECK(xbk_cancel_is_set(cancel) == 0 && xbk_cancel_now(cancel) == XBK_OK);
    CHECK(xbk_cancel_is_set(cancel) == 1);
    m.at = 0;
    EXPECT(XBK_E_CANCELLED, xbk_list_from_cb(o, from_memory, &m, NULL, NULL, &err));
    xbk_cancel_free(cancel); /* the options keep what they need */
    EXPECT(XBK_E_CANCELLED, xbk_list_from_cb(o, from_memory, &m, NULL, NULL, &err));
    EXPECT(XBK_OK, xbk_options_set_cancel(o, NULL, &err));
    EXPECT(XBK_OK, xbk_list_from_cb(o, from_memory, &m, NULL, NULL, &err));
    xbk_options_free(o);
    free(m.bytes);
}

int main(void)
{
    char version[32];

    CHECK(xbk_version_number() == XBK_VERSION_NUMBER);
    snprintf(version, sizeof version, "%d.%d.%d", XBK_VERSION_MAJOR, XBK_VERSION_MINOR,
             XBK_VERSION_PATCH);
    CHECK(strcmp(xbk_version(), version) == 0);
    CHECK(strcmp(xbk_status_name(XBK_E_TRUNCATED), "XBK_E_TRUNCATED") == 0);
    CHECK(strcmp(xbk_status_name(-1234), "unknown") == 0);
    enumeration();
    refused();
    observers();
    return 0;
}
