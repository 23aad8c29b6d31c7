//! C programs made from the header: every function called with NULL in each pointer slot, and
//! every function called while it panics.

use std::fmt::Write as _;

use super::header::Function;

/// What surrounds the calls: a good value for each type.
const WORLD: &str = r#"/* Made from include/xbkit.h by the tests. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

struct world {
    xbk_options *options;
    xbk_cancel *cancel;
    xbk_writer *writer;
    xbk_entry *entry;
    xbk_reader *reader;
    xbk_report *report;
    xbk_info *info;
    xbk_error *error;
    xbk_observer observer;
    const xbk_item *item;
    struct memory sink, source;
    int fd;
    size_t size;
    uint64_t number;
};

static struct memory stream;
static unsigned calls;

static int32_t any_sink(void *user, const void *data, size_t len, size_t *written)
{
    *written = len;
    return user != NULL ? to_memory(user, data, len, (*written = 0, written)) : 0;
}

static int32_t any_source(void *user, void *buf, size_t len, size_t *got)
{
    return user != NULL ? from_memory(user, buf, len, got) : 0;
}

static void make(struct world *w)
{
    xbk_observer observer = XBK_OBSERVER_INIT;

    memset(w, 0, sizeof *w);
    w->observer = observer;
    w->options = xbk_options_new();
    w->source = stream;
    w->fd = open("/dev/null", O_RDWR);
    CHECK(w->fd >= 0);
    EXPECT(XBK_OK, xbk_cancel_new(&w->cancel, &err));
    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &w->sink, &w->writer, &err));
    EXPECT(XBK_OK, xbk_writer_open(w->writer, "open", NULL, &w->entry, &err));
    EXPECT(XBK_OK, xbk_list_from_cb(NULL, from_memory, &w->source, NULL, &w->report, &err));
    w->source.at = 0;
    EXPECT(XBK_OK, xbk_info_from_cb(NULL, from_memory, &w->source, NULL, &w->info, &err));
    w->source.at = 0;
    EXPECT(XBK_OK, xbk_reader_new_cb(NULL, from_memory, &w->source, &w->reader, &err));
    EXPECT(XBK_OK, xbk_reader_next(w->reader, &w->item, &err));
    CHECK(xbk_list_from_fd(NULL, -1, NULL, NULL, &w->error) == XBK_E_INVALID_ARGUMENT);
}

static void unmake(struct world *w)
{
    xbk_options_free(w->options);
    xbk_cancel_free(w->cancel);
    xbk_entry_free(w->entry);
    xbk_writer_free(w->writer);
    xbk_reader_free(w->reader);
    xbk_report_free(w->report);
    xbk_info_free(w->info);
    xbk_error_free(w->error);
    free(w->sink.bytes);
    CHECK(close(w->fd) == 0);
    calls++;
}

static void make_stream(void)
{
    xbk_writer *writer = NULL;
    xbk_entry *entry = NULL;

    EXPECT(XBK_OK, xbk_writer_new_cb(NULL, to_memory, &stream, &writer, &err));
    EXPECT(XBK_OK, xbk_writer_open(writer, "name", NULL, &entry, &err));
    EXPECT(XBK_OK, xbk_entry_write(entry, "data", 4, &err));
    EXPECT(XBK_OK, xbk_entry_close(entry, &err));
    EXPECT(XBK_OK, xbk_writer_finish(writer, &err));
    xbk_writer_free(writer);
}
"#;

/// A value of a parameter's type that the function takes.
fn good(kind: &str, name: &str) -> String {
    match kind {
        "const char *" => "\"name\"".to_owned(),
        "const void *" => "\"x\"".to_owned(),
        "void *" => "user".to_owned(),
        "size_t" | "uint32_t" | "int32_t" | "int64_t" | "uint64_t" | "xbk_status" => "1".to_owned(),
        "int" => "w.fd".to_owned(),
        "size_t *" => "&w.size".to_owned(),
        "uint64_t *" => "&w.number".to_owned(),
        "xbk_error **" => "&err".to_owned(),
        "const xbk_item **" => "&w.item".to_owned(),
        "xbk_write_fn" => "any_sink".to_owned(),
        "xbk_read_fn" => "any_source".to_owned(),
        "const xbk_observer *" => "&w.observer".to_owned(),
        // Only callbacks are given one.
        "const xbk_event *" => "NULL".to_owned(),
        "const xbk_option *" => "xbk_option_info(0)".to_owned(),
        out if out.ends_with("**") => format!("&out_{name}"),
        object => {
            let object = object.trim_start_matches("const ").trim_end_matches([' ', '*']);
            format!("w.{}", object.trim_start_matches("xbk_"))
        }
    }
}

/// Whether NULL can stand there.
fn is_pointer(kind: &str) -> bool {
    kind.ends_with('*') || kind.ends_with("_fn")
}

/// A block that calls `function`, with NULL in the slot `null`; `check` looks at `got` and `err`.
fn call(function: &Function, null: Option<usize>, check: &str) -> String {
    let mut block =
        String::from("    {\n        struct world w;\n        xbk_error *err = NULL;\n");
    let mut args = Vec::new();
    let mut after = String::new();
    for (at, (kind, name)) in function.params.iter().enumerate() {
        let value = if null == Some(at) { "NULL".to_owned() } else { good(kind, name) };
        if value.starts_with("&out_") {
            let object = kind.trim_end_matches([' ', '*']);
            let _ = writeln!(block, "        {object} *out_{name} = NULL;");
            let _ = writeln!(after, "        {object}_free(out_{name});");
        }
        if value == "user" {
            let writes = function.params.iter().any(|(kind, _)| kind == "xbk_write_fn");
            let is_sink = writes && name != "read_user";
            args.push(format!("&w.{}", if is_sink { "sink" } else { "source" }));
        } else {
            args.push(value);
        }
    }
    let takes = function.name.ends_with("_free") || function.name == "xbk_entry_close";
    if let (true, Some(first)) = (takes && null != Some(0) && check != PANICKED, args.first()) {
        let _ = writeln!(after, "        {first} = NULL;");
    }
    let name = &function.name;
    let args = args.join(", ");
    block.push_str("        make(&w);\n        w.source.at = 0;\n");
    if function.result == "xbk_status" {
        let _ = writeln!(block, "        xbk_status got = {name}({args});\n        (void)got;");
    } else if let Some(object) = name.strip_suffix("_new") {
        let _ = writeln!(block, "        {object}_free({name}({args}));");
    } else {
        let _ = writeln!(block, "        (void){name}({args});");
    }
    let _ =
        writeln!(block, "{check}        xbk_error_free(err);\n{after}        unmake(&w);\n    }}");
    block
}

/// Calls with a NULL in each pointer slot, and how many there are.
pub(crate) fn nulls(functions: &[Function]) -> (String, usize) {
    let (mut body, mut count) = (String::new(), 0);
    for function in functions {
        for (at, (kind, name)) in function.params.iter().enumerate() {
            if !is_pointer(kind) {
                continue;
            }
            count += 1;
            let can_say = function.result == "xbk_status"
                && function.params.iter().any(|(kind, _)| kind == "xbk_error **");
            let check = if function.may_be_null(name) && name != "data" {
                // Whatever it says, it is not that.
                "        CHECK(strstr(xbk_error_message(err), \"is NULL\") == NULL);\n".to_owned()
            } else if can_say {
                format!(
                    "        if (got != XBK_E_INVALID_ARGUMENT\n            || \
                     strcmp(xbk_error_message(err), \"{name} is NULL\") != 0) {{\n            \
                     fprintf(stderr, \"{0} with {name} NULL: %s %s\\n\", xbk_status_name(got), \
                     xbk_error_line(err));\n            return 1;\n        }}\n",
                    function.name
                )
            } else {
                String::new()
            };
            body.push_str(&call(function, Some(at), &check));
        }
    }
    (program(&body, count), count)
}

const PANICKED: &str = "        CHECK(unsetenv(\"XBK_TEST_PANIC_AT\") == 0);\n";

/// Calls each of which panics inside.
pub(crate) fn panics(functions: &[Function]) -> (String, usize) {
    let mut body = String::new();
    for function in functions {
        let name = &function.name;
        let block = call(function, None, PANICKED);
        let arm = format!(
            "        w.source.at = 0;\n        CHECK(setenv(\"XBK_TEST_PANIC_AT\", \"{name}\", 1) == 0);\n"
        );
        let mut block = block.replacen("        w.source.at = 0;\n", &arm, 1);
        if function.result == "xbk_status" && name != "xbk_error_code" {
            let mut check = format!("{PANICKED}        CHECK(got == XBK_E_PANIC);\n");
            if function.params.iter().any(|(kind, _)| kind == "xbk_error **") {
                let _ = write!(
                    check,
                    "        CHECK(strstr(xbk_error_message(err), \"{name} panicked\") != NULL);\n        \
                     CHECK(strstr(xbk_error_message(err), \"injected, at \") != NULL);\n        \
                     CHECK(strstr(xbk_error_message(err), \"guard.rs:\") != NULL);\n"
                );
            }
            block = block.replacen(PANICKED, &check, 1);
        }
        body.push_str(&block);
    }
    (program(&body, functions.len()), functions.len())
}

fn program(body: &str, count: usize) -> String {
    format!(
        "{WORLD}\nint main(void)\n{{\n    make_stream();\n{body}    CHECK(calls == {count});\n    \
         free(stream.bytes);\n    return 0;\n}}\n"
    )
}
