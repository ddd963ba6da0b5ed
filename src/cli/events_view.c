/*
 * events_view.c - nonet events read, nonet events tail: events as they are, and as they come.
 *
 * Both go from page to page, so an event stream of any length is printed in the memory of a page.
 * `read` ends with the stream or --limit; `tail` asks with `wait` and goes on until it is stopped.
 * Without --from, `tail` begins behind what is there. Output: events_print.
 */
#include "cli/events.h"

#include "cli/http_call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define PAGE_EVENTS 200u
#define TAIL_WAIT "30s"
#define TAIL_WAIT_NS (30 * 1000000000ull)
#define PATH_BYTES_MAX (64u << 10)

struct view {
    const struct cli_call *call;
    struct admin_call admin;
    const char *stream; /* NULL: all events */
    bool json, backwards, waits;
    bool has_from;
    uint64_t from, left; /* LEFT: events to print, UINT64_MAX = all */
    struct buf path, answer;
    struct json_doc doc;
};

static bool take_answer(struct view *v, int *code) {
    buf_clear(&v->answer);
    *code = admin_call_ask(&v->admin, "GET", v->path.ptr, (slice){0}, &v->answer);
    if (*code == CLI_OK && json_parse(&v->doc, buf_slice(&v->answer)))
        *code = cli_failed("the node's answer is no page of events");
    return *code == CLI_OK;
}

/* --- what is asked for -------------------------------------------------------------------- */

static int begin_path(struct view *v) {
    buf_clear(&v->path);
    return v->stream ? events_write_stream(&v->path, v->stream)
                     : buf_append(&v->path, slice_lit("/v1/events"));
}

static int add_option(struct view *v, const char *name) {
    const char *value = cli_value(v->call, name);
    if (!value)
        return 0;
    int failed = buf_printf(&v->path, "&%s=", name);
    for (slice rest = slice_str(value); rest.ptr && !failed;) {
        slice more = {0};
        failed = events_write_escaped(&v->path, slice_cut(rest, ',', &more));
        if (!failed && more.ptr)
            failed = buf_append_byte(&v->path, ','); /* between words it is the list's own */
        rest = more;
    }
    return failed;
}

static int write_path(struct view *v) {
    uint64_t limit = v->left < PAGE_EVENTS ? v->left : PAGE_EVENTS;
    int failed = begin_path(v);
    if (!failed)
        failed = buf_printf(&v->path, "?limit=%" PRIu64, limit);
    if (!failed && v->backwards)
        failed = buf_append(&v->path, slice_lit("&direction=backwards"));
    if (!failed && v->has_from)
        failed = buf_printf(&v->path, "&from=%" PRIu64, v->from);
    if (!failed && v->waits)
        failed = buf_append(&v->path, slice_lit("&wait=" TAIL_WAIT));
    static const char *const passed_on[] = {"category", "types", "tags"};
    for (size_t i = 0; i < array_count(passed_on) && !failed; i++)
        failed = add_option(v, passed_on[i]);
    return failed ? failed : buf_append_byte(&v->path, 0);
}

/* --- pages -------------------------------------------------------------------------------- */

static int print_page(struct view *v, bool *ret_more) {
    int code;
    uint64_t last = 0;
    if (write_path(v))
        return cli_misused(v->call, "what is asked for is too long");
    if (!take_answer(v, &code))
        return code;
    json_value root = json_root(&v->doc);
    struct json_iterator i = json_each(json_member(root, slice_lit("events")));
    while (json_next(&i)) {
        events_print(i.value, v->json);
        v->left -= v->left != UINT64_MAX;
    }
    *ret_more = json_u64(json_member(root, slice_lit("next")), &v->from) == 0;
    /* A stream's last page says where it ends; what comes then stands behind that. */
    if (!*ret_more && json_u64(json_member(root, slice_lit("last")), &last) == 0 &&
        last + 1 > v->from)
        v->from = last + 1;
    v->has_from = true;
    return CLI_OK;
}

/* Behind the last event that there is. */
static int begin_at_end(struct view *v) {
    int code;
    uint64_t last = 0;
    int failed = begin_path(v);
    if (!failed)
        failed = buf_append(&v->path, slice_make("?direction=backwards&limit=1", 29));
    if (failed)
        return cli_misused(v->call, "the name of the event stream is too long");
    if (!take_answer(v, &code))
        return code;
    (void)!json_u64(json_member(json_root(&v->doc), slice_lit("last")), &last);
    v->from = last + 1;
    v->has_from = true;
    return CLI_OK;
}

static int run(struct view *v) {
    bool more = true;
    int code = admin_call_open(v->call, EVENTS_TIMEOUT_NS, &v->admin);
    v->path = buf_make(PATH_BYTES_MAX);
    v->answer = buf_make(HTTP_CALL_BODY_MAX);
    json_init(&v->doc);
    v->doc.nodes_max = JSON_NODES_MAX;
    if (v->waits)
        v->admin.timeout_ns += TAIL_WAIT_NS;
    if (code == CLI_OK && v->waits && !v->has_from)
        code = begin_at_end(v);
    while (code == CLI_OK && (more || v->waits) && v->left > 0) {
        code = print_page(v, &more);
        if (fflush(stdout)) /* whoever read has gone */
            break;
    }
    admin_call_close(&v->admin);
    buf_free(&v->path);
    buf_free(&v->answer);
    json_free(&v->doc);
    return code;
}

int cli_events_read(const struct cli_call *call) {
    struct view v = {.call = call,
                     .stream = call->words[0],
                     .json = cli_flag(call, "json"),
                     .backwards = cli_flag(call, "backwards"),
                     .has_from = cli_value(call, "from") != NULL};
    if (!cli_number_within(call, "from", 0, 0, INT64_MAX, &v.from) ||
        !cli_number_within(call, "limit", UINT64_MAX, 1, UINT64_MAX, &v.left))
        return CLI_USAGE;
    return run(&v);
}

int cli_events_tail(const struct cli_call *call) {
    struct view v = {.call = call,
                     .stream = call->word_count ? call->words[0] : NULL,
                     .json = cli_flag(call, "json"),
                     .waits = true,
                     .left = UINT64_MAX,
                     .has_from = cli_value(call, "from") != NULL};
    if (v.stream && cli_value(call, "category"))
        return cli_misused(call, "an event stream has one category: leave out --category");
    if (!cli_number_within(call, "from", 0, 0, INT64_MAX, &v.from))
        return CLI_USAGE;
    return run(&v);
}
