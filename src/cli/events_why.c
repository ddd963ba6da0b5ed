/*
 * events_why.c - nonet events why STREAM@REVISION: what the event follows from, and what from it.
 *
 *     correlation visit-9
 *       click-7
 *         order-50@0 2026-11-30T19:50:00Z Placed by ann
 *     >     order-50@1 2026-11-30T19:50:01Z Paid by till: card
 *             stock-7@3 2026-11-30T19:50:02Z Taken
 *
 * The first of the tree is what its first event names as its cause and is no event: a command.
 * --json prints the answer of GET /v1/streams/STREAM/why as it is.
 */
#include "base/number.h"
#include "cli/events.h"
#include "cli/members.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

static bool flag_of(json_value v, const char *key) {
    bool flag = false;
    (void)!json_bool(json_member(v, slice_str(key)), &flag);
    return flag;
}

static void print_words(const char *before, slice words) {
    if (!words.len)
        return;
    fputs(before, stdout);
    output_text(words);
}

static void print_node(json_value node, unsigned below) {
    json_value event = json_member(node, slice_lit("event"));
    unsigned indent = 2 * ((unsigned)member_number(node, "depth") + below);
    printf("%s%*s", flag_of(node, "asked") ? "> " : "  ", (int)indent, "");
    output_text(member_text(event, "stream"));
    printf("@%" PRIu64 " %.*s ", member_number(event, "revision"),
           slice_fmt(member_text(event, "time")));
    output_text(member_text(event, "type"));
    print_words(" by ", member_text(event, "actor"));
    print_words(": ", member_text(event, "reason"));
    putchar('\n');
}

static int print_tree(json_value root) {
    struct json_iterator i = json_each(json_member(root, slice_lit("events")));
    slice command = member_text(root, "command"), correlation = member_text(root, "correlation");
    uint64_t others = member_number(root, "others");
    if (correlation.len) {
        print_words("correlation ", correlation);
        putchar('\n');
    }
    if (command.len) {
        print_words("  ", command);
        putchar('\n');
    }
    while (json_next(&i))
        print_node(i.value, command.len > 0);
    if (others)
        printf("%" PRIu64 " other event%s of the correlation\n", others, others == 1 ? "" : "s");
    if (!flag_of(root, "complete"))
        puts("older events of the correlation were not looked at");
    return CLI_OK;
}

/* "order-50@1": the name may hold an '@' itself. Without one the stream's last event is meant. */
static int write_path(const struct cli_call *call, struct buf *path) {
    slice word = slice_str(call->words[0]);
    size_t at = word.len;
    uint64_t revision = 0;
    while (at > 0 && word.ptr[at - 1] != '@')
        at--;
    if (at && number_parse_u64(slice_skip(word, at), &revision))
        return cli_misused(call, "%s: STREAM@REVISION is wanted", call->words[0]);
    int failed = buf_append(path, slice_lit("/v1/streams/"));
    if (!failed)
        failed = events_write_escaped(path, at ? slice_take(word, at - 1) : word);
    if (!failed)
        failed = buf_append(path, slice_lit("/why"));
    if (!failed && at)
        failed = buf_printf(path, "?revision=%" PRIu64, revision);
    return failed ? cli_misused(call, "the name of the event stream is too long") : CLI_OK;
}

int cli_events_why(const struct cli_call *call) {
    _cleanup_buf_ struct buf path = buf_make(16u << 10);
    int code = write_path(call, &path);
    return code == CLI_OK
               ? events_ask(call, EVENTS_TIMEOUT_NS, "GET", &path, (slice){0}, print_tree)
               : code;
}
