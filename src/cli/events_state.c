/*
 * events_state.c - nonet events state: what an event stream adds up to, now or after any event.
 *
 * For people a line that says after which event, and the state over several lines; what its fold
 * could not apply goes to stderr. With --json the answer as it came, a line.
 */
#include "cli/events.h"

#include "cli/members.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

#define STATE_TIMEOUT_NS (30 * 1000000000ull) /* longer than the node takes for one */
#define PATH_BYTES_MAX (16u << 10)

/* As deep as the document, which its reader has bounded. */
static void write_value(json_value v, struct json_writer *w) {
    enum json_type type = json_type_of(v);
    struct json_iterator i = json_each(v);
    slice key;
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        json_write_raw(w, json_source(v));
        return;
    }
    if (type == JSON_OBJECT)
        json_write_object(w);
    else
        json_write_array(w);
    while (json_next(&i)) {
        if (type == JSON_OBJECT && json_string(i.key, &key) == 0)
            json_write_key_slice(w, key);
        write_value(i.value, w);
    }
    json_write_end(w);
}

static void tell_problems(json_value answer) {
    struct json_iterator i = json_each(json_member(answer, slice_lit("problems")));
    uint64_t count = member_number(answer, "problem_count"), told = 0;
    for (; json_next(&i); told++)
        fprintf(stderr, "nonet: revision %" PRIu64 ": %.*s\n", member_number(i.value, "revision"),
                slice_fmt(member_text(i.value, "problem")));
    if (count > told)
        fprintf(stderr, "nonet: and %" PRIu64 " more\n", count - told);
}

static int print_state(json_value answer) {
    _cleanup_buf_ struct buf text = buf_make(OUTPUT_JSON_MAX);
    struct json_writer w = json_writer_make(&text, true);
    json_value fold = json_member(answer, slice_lit("fold"));
    write_value(json_member(answer, slice_lit("state")), &w);
    if (json_write_finish(&w))
        return cli_failed("no memory for the state");
    output_text(member_text(answer, "stream"));
    printf("@%" PRIu64 ", position %" PRIu64 ", %.*s, fold ", member_number(answer, "revision"),
           member_number(answer, "position"), slice_fmt(member_text(answer, "time")));
    output_text(member_text(fold, "name"));
    printf(" version %" PRIu64, member_number(fold, "version"));
    if (member_number(answer, "from_revision"))
        printf(", of the events from revision %" PRIu64 " on",
               member_number(answer, "from_revision"));
    putchar('\n');
    output_payload(buf_slice(&text));
    tell_problems(answer);
    return CLI_OK;
}

static int write_path(const struct cli_call *call, struct buf *path) {
    const char *const options[] = {"at", "position"};
    int failed = events_write_stream(path, call->words[0]);
    if (!failed)
        failed = buf_append(path, slice_lit("/state"));
    for (size_t i = 0, written = 0; i < array_count(options) && !failed; i++) {
        const char *value = cli_value(call, options[i]);
        if (!value)
            continue;
        failed = buf_printf(path, "%c%s=", written++ ? '&' : '?', options[i]);
        if (!failed)
            failed = events_write_escaped(path, slice_str(value));
    }
    return failed;
}

int cli_events_state(const struct cli_call *call) {
    _cleanup_buf_ struct buf path = buf_make(PATH_BYTES_MAX);
    if (write_path(call, &path))
        return cli_misused(call, "what is asked for is too long");
    return events_ask(call, STATE_TIMEOUT_NS, "GET", &path, (slice){0}, print_state);
}
