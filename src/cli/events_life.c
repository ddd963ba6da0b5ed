/*
 * events_life.c - nonet events limits, nonet events delete: what an event stream keeps.
 *
 *     order-42: alive, revisions 6 to 9, at most 4 events, none older than 90d
 *     order-42: deleted, 4 events
 *
 * --json prints the answer of the node, also the one of a conflict. Exit 1 where nothing was
 * changed, though it should have been.
 */
#include "cli/events.h"
#include "cli/members.h"
#include "cli/output.h"
#include "wire/json_write.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH_MAX_BYTES (16u << 10)

static bool number_of(json_value v, const char *key, uint64_t *number) {
    return json_u64(json_member(v, slice_str(key)), number) == 0;
}

/* "alive, revisions 6 to 9", and the limits. */
static void print_life(json_value answer) {
    json_value limits = json_member(answer, slice_lit("limits"));
    uint64_t first = 0, last = 0, number;
    slice age = member_text(limits, "max_age");
    printf("%.*s", slice_fmt(member_text(answer, "state")));
    if (number_of(answer, "first", &first) && number_of(answer, "last", &last))
        printf(", revisions %" PRIu64 " to %" PRIu64, first, last);
    if (number_of(limits, "max_count", &number))
        printf(", at most %" PRIu64 " events", number);
    if (age.len)
        printf(", none older than %.*s", slice_fmt(age));
    if (number_of(limits, "truncate_before", &number))
        printf(", truncated before %" PRIu64, number);
}

static int print_answer(json_value answer) {
    uint64_t events;
    bool dry = false;
    char text[32];
    (void)!json_bool(json_member(answer, slice_lit("dry_run")), &dry);
    output_text(member_text(answer, "stream"));
    fputs(": ", stdout);
    if (!number_of(answer, "events", &events)) {
        print_life(answer);
    } else if (dry) {
        slice age = member_text(answer, "limits.max_age");
        printf("%s events would go", output_count(events, text));
        /* How many these are nobody has counted; a deletion takes them all. */
        if (age.len && slice_equal(member_text(answer, "state"), slice_lit("alive")))
            printf(", and those older than %.*s", slice_fmt(age));
        fputs("; then it is ", stdout);
        print_life(answer);
    } else {
        print_life(answer);
        printf("; %s events are gone", output_count(events, text));
    }
    putchar('\n');
    return CLI_OK;
}

/* QUERY: behind the name of the event stream. */
static int ask(const struct cli_call *call, const char *method, slice query, slice body) {
    _cleanup_buf_ struct buf path = buf_make(PATH_MAX_BYTES);
    if (events_write_stream(&path, call->words[0]) || buf_append(&path, query))
        return cli_misused(call, "the name of the event stream is too long");
    return events_ask(call, EVENTS_TIMEOUT_NS, method, &path, body, print_answer);
}

int cli_events_delete(const struct cli_call *call) {
    const char *expect = cli_value(call, "expect");
    _cleanup_buf_ struct buf query = buf_make(PATH_MAX_BYTES);
    int failed = buf_printf(&query, "?permanent=%d&dry_run=%d", cli_flag(call, "permanent"),
                            cli_flag(call, "dry-run"));
    if (!failed && expect)
        failed = buf_append(&query, slice_lit("&expect="));
    if (!failed && expect)
        failed = events_write_escaped(&query, slice_str(expect));
    if (failed)
        return cli_misused(call, "--expect: exists, or the last event's revision");
    return ask(call, "DELETE", buf_slice(&query), (slice){0});
}

/* The limits that are given; *RET_ANY: there are some, or there shall be none. */
static int write_limits(const struct cli_call *call, struct buf *body, bool *ret_any) {
    const char *age = cli_value(call, "max-age");
    struct json_writer w = json_writer_make(body, false);
    uint64_t count, before;
    if (!cli_number_within(call, "max-count", 0, 1, INT64_MAX, &count) ||
        !cli_number_within(call, "truncate-before", 0, 0, INT64_MAX, &before))
        return CLI_USAGE;
    bool given = cli_value(call, "max-count") || cli_value(call, "truncate-before") || age;
    if (given && cli_flag(call, "none"))
        return cli_misused(call, "--none: there are limits");
    json_write_object(&w);
    if (cli_value(call, "max-count"))
        json_put_u64(&w, "max_count", count);
    if (age)
        json_put_text(&w, "max_age", age);
    if (cli_value(call, "truncate-before"))
        json_put_u64(&w, "truncate_before", before);
    json_write_end(&w);
    *ret_any = given || cli_flag(call, "none");
    return json_write_finish(&w) ? cli_failed("no memory") : CLI_OK;
}

int cli_events_limits(const struct cli_call *call) {
    _cleanup_buf_ struct buf body = buf_make(PATH_MAX_BYTES);
    bool any = false;
    int code = write_limits(call, &body, &any);
    if (code != CLI_OK)
        return code;
    if (!any && cli_flag(call, "dry-run"))
        return cli_misused(call, "--dry-run: of which limits?");
    if (!any)
        return ask(call, "GET", slice_lit("/limits"), (slice){0});
    return ask(call, "PUT",
               cli_flag(call, "dry-run") ? slice_lit("/limits?dry_run=1") : slice_lit("/limits"),
               buf_slice(&body));
}
