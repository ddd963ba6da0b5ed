/*
 * events.c - nonet events append: writing to event streams; and what the verbs of events share.
 *
 * DATA that is JSON is stored as JSON, other DATA as bytes. People are told where the event stands
 * ("order-42@3, position 1007"), or on stderr everything that is not as expected; --json prints the
 * answer of the node, also the one of a conflict. Exit 1 where nothing was appended.
 */
#include "cli/events.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/number.h"
#include "cli/http_call.h"
#include "cli/members.h"
#include "cli/message.h"
#include "cli/output.h"
#include "wire/url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* --- shared ------------------------------------------------------------------------------- */

int events_write_escaped(struct buf *path, slice text) {
    int failed = buf_reserve(path, text.len * 3);
    if (!failed)
        path->len += url_encode_value(text, path->ptr + path->len);
    return failed;
}

int events_write_stream(struct buf *path, const char *name) {
    int failed = buf_append(path, slice_lit("/v1/streams/"));
    return failed ? failed : events_write_escaped(path, slice_str(name));
}

static void print_for_people(json_value event) {
    uint64_t revision = 0, position = 0;
    slice type = member_text(event, "type"), tag;
    json_value data = json_member(event, slice_lit("data"));
    struct json_iterator tags = json_each(json_member(event, slice_lit("tags")));
    (void)!json_u64(json_member(event, slice_lit("revision")), &revision);
    (void)!json_u64(json_member(event, slice_lit("position")), &position);
    printf("%" PRIu64 " ", position);
    output_text(member_text(event, "stream"));
    printf("@%" PRIu64 " %.*s ", revision, slice_fmt(member_text(event, "time")));
    output_text(type);
    for (const char *before = " ["; json_next(&tags); before = " ") {
        fputs(before, stdout);
        if (json_string(tags.value, &tag) == 0)
            output_text(tag);
    }
    if (json_count(json_member(event, slice_lit("tags"))))
        putchar(']');
    putchar(' ');
    output_payload(json_type_of(data) == JSON_ABSENT ? member_text(event, "data_base64")
                                                     : json_source(data));
}

void events_print(json_value event, bool json) {
    if (json)
        printf("%.*s\n", slice_fmt(json_source(event)));
    else
        print_for_people(event);
}

/* A revision, or a word. */
static slice word_of(json_value v) {
    slice text;
    return json_string(v, &text) ? json_source(v) : text;
}

static void tell_expected(json_value violation) {
    json_value is = json_member(violation, slice_lit("actual"));
    slice detail = member_text(violation, "detail"), stream = member_text(violation, "stream");
    slice expected = word_of(json_member(violation, slice_lit("expected")));
    slice actual = word_of(is);
    fprintf(stderr, "  %.*s: expected %.*s, and %s%.*s%s%.*s\n", slice_fmt(stream),
            slice_fmt(expected),
            json_type_of(is) == JSON_NUMBER          ? "there is revision "
            : slice_equal(actual, slice_lit("none")) ? "there is "
                                                     : "it is ",
            slice_fmt(actual), detail.len ? "; " : "", slice_fmt(detail));
}

static int tell_conflict(json_value answer) {
    struct json_iterator i = json_each(json_member(answer, slice_lit("violations")));
    slice words = member_text(answer, "detail");
    cli_failed("%.*s", slice_fmt(words));
    while (json_next(&i)) {
        slice stream = member_text(i.value, "stream"), type = member_text(i.value, "type");
        if (json_string_is(json_member(i.value, slice_lit("check")), slice_lit("none")))
            fprintf(stderr, "  %.*s: %.*s, position %.*s\n", slice_fmt(stream), slice_fmt(type),
                    slice_fmt(json_source(json_member(i.value, slice_lit("position")))));
        else
            tell_expected(i.value);
    }
    return CLI_FAILED;
}

static int tell(const struct cli_call *call, unsigned status, slice answer,
                int (*print)(json_value answer)) {
    struct json_doc doc;
    int code;
    if (status != 409 && (status < 200 || status > 299))
        return admin_call_refused(status, answer);
    json_init(&doc);
    if (json_parse(&doc, answer)) {
        code = cli_failed("the node's answer is no JSON");
    } else if (cli_flag(call, "json")) {
        printf("%.*s\n", slice_fmt(answer));
        code = status == 409 ? CLI_FAILED : CLI_OK;
    } else {
        code = status == 409 ? tell_conflict(json_root(&doc)) : print(json_root(&doc));
    }
    json_free(&doc);
    return code;
}

int events_ask(const struct cli_call *call, uint64_t timeout_ns, const char *method,
               struct buf *path, slice body, int (*print)(json_value answer)) {
    struct admin_call admin = {.host = NULL};
    _cleanup_buf_ struct buf answer = buf_make(HTTP_CALL_BODY_MAX);
    unsigned status = 0;
    if (buf_append_byte(path, 0))
        return cli_misused(call, "what is asked for is too long");
    int code = admin_call_open(call, timeout_ns, &admin);
    if (code == CLI_OK)
        code = admin_call_request(&admin, method, path->ptr, body, &status, &answer);
    admin_call_close(&admin);
    return code == CLI_OK ? tell(call, status, buf_slice(&answer), print) : code;
}

/* --- append ------------------------------------------------------------------------------- */

static bool write_expect(const struct cli_call *call, struct json_writer *w) {
    const char *expect = cli_value(call, "expect");
    uint64_t revision;
    if (!expect)
        return true;
    json_write_key(w, "expect");
    if (strcmp(expect, "any") == 0 || strcmp(expect, "none") == 0 ||
        strcmp(expect, "exists") == 0 || strcmp(expect, "deleted") == 0)
        json_write_text(w, expect);
    else if (number_parse_u64(slice_str(expect), &revision) == 0)
        json_write_u64(w, revision);
    else
        return cli_misused(call, "--expect %s: any, none, exists, deleted or a revision", expect) ==
               CLI_OK;
    return true;
}

static bool write_metadata(const struct cli_call *call, struct json_writer *w) {
    const char *metadata = cli_value(call, "metadata");
    struct json_doc doc;
    if (!metadata)
        return true;
    json_init(&doc);
    bool fits =
        json_parse(&doc, slice_str(metadata)) == 0 && json_type_of(json_root(&doc)) == JSON_OBJECT;
    json_free(&doc);
    if (!fits)
        return cli_misused(call, "--metadata: an object of JSON is wanted") == CLI_OK;
    json_write_key(w, "metadata");
    json_write_raw(w, slice_str(metadata));
    return true;
}

static void write_data(slice data, struct json_writer *w) {
    struct json_doc doc;
    json_init(&doc);
    bool is_json = json_parse(&doc, data) == 0;
    json_free(&doc);
    if (is_json) {
        json_write_key(w, "data");
        json_write_raw(w, data);
    } else if (data.len) {
        char *text = mem_alloc(base64_encoded_len(BASE64_STANDARD, data.len));
        if (text) {
            json_write_key(w, "data_base64");
            json_write_string(w, slice_make(text, base64_encode(BASE64_STANDARD, data, text)));
        } else {
            w->error = -ENOMEM;
        }
        mem_free(text);
    }
}

static void write_texts(const char *key, const char *const *texts, unsigned count,
                        struct json_writer *w) {
    if (!count)
        return;
    json_write_key(w, key);
    json_write_array(w);
    for (unsigned i = 0; i < count; i++)
        json_write_text(w, texts[i]);
    json_write_end(w);
}

/* A condition by type and tag, where one is given. */
static bool write_checks(const struct cli_call *call, struct json_writer *w) {
    const char *types[CLI_REPEATS_MAX], *tags[CLI_REPEATS_MAX];
    unsigned type_count = cli_values(call, "unless-type", types);
    unsigned tag_count = cli_values(call, "unless-tag", tags);
    const char *after = cli_value(call, "after");
    uint64_t position = 0;
    if (after && number_parse_u64(slice_str(after), &position))
        return cli_misused(call, "--after %s: a position is wanted", after) == CLI_OK;
    if (!type_count && !tag_count && !after)
        return true;
    json_write_key(w, "checks");
    json_write_array(w);
    json_write_object(w);
    json_write_key(w, "none");
    json_write_object(w);
    write_texts("types", types, type_count, w);
    write_texts("tags", tags, tag_count, w);
    json_write_end(w);
    if (after) {
        json_write_key(w, "after");
        json_write_u64(w, position);
    }
    json_write_end(w);
    json_write_end(w);
    return true;
}

/* CLI_OK, or an exit code after a complaint. */
static int write_append(const struct cli_call *call, slice data, struct buf *body) {
    struct json_writer w = json_writer_make(body, false);
    const char *tags[CLI_REPEATS_MAX];
    unsigned tag_count = cli_values(call, "tag", tags);
    json_write_object(&w);
    if (!write_expect(call, &w) || !write_checks(call, &w))
        return CLI_USAGE;
    json_write_key(&w, "events");
    json_write_array(&w);
    json_write_object(&w);
    json_write_key(&w, "type");
    json_write_text(&w, call->words[1]);
    if (cli_value(call, "id")) {
        json_write_key(&w, "id");
        json_write_text(&w, cli_value(call, "id"));
    }
    write_texts("tags", tags, tag_count, &w);
    if (!write_metadata(call, &w))
        return CLI_USAGE;
    write_data(data, &w);
    json_write_end(&w);
    json_write_end(&w);
    json_write_end(&w);
    return json_write_finish(&w) ? cli_failed("no memory for the event") : CLI_OK;
}

static int tell_stored(json_value answer) {
    uint64_t first = 0, position = 0;
    bool duplicate = false;
    bool known = json_u64(json_member(answer, slice_lit("first")), &first) == 0;
    (void)!json_u64(json_member(answer, slice_lit("position")), &position);
    (void)!json_bool(json_member(answer, slice_lit("duplicate")), &duplicate);
    output_text(member_text(answer, "stream"));
    if (known)
        printf("@%" PRIu64 ", position %" PRIu64 "%s\n", first, position,
               duplicate ? " (it had been appended before)" : "");
    else
        puts(": it had been appended before, and is gone");
    return CLI_OK;
}

int cli_events_append(const struct cli_call *call) {
    struct message message;
    _cleanup_buf_ struct buf path = buf_make(16u << 10), body = buf_make(2 * MESSAGE_DATA_MAX);
    int code = message_read(call, call->word_count > 2 ? call->words[2] : NULL, &message);
    if (code == CLI_OK)
        code = write_append(call, message.payload, &body);
    message_free(&message);
    if (code == CLI_OK && events_write_stream(&path, call->words[0]))
        code = cli_misused(call, "the name of the event stream is too long");
    if (code == CLI_OK)
        code = events_ask(call, EVENTS_TIMEOUT_NS, "POST", &path, buf_slice(&body), tell_stored);
    return code;
}
