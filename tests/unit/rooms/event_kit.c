/* event_kit.c - see event_kit.h. */
#include "event_kit.h"

#include "base/number.h"
#include "wire/nats_headers.h"

#include <stdlib.h> /* what is kept is not counted among the code's own allocations */

/* --- the house ----------------------------------------------------------------------------------
 */

void event_house_serve(struct event_house *eh) {
    struct bus *bus = house_last(eh->house);
    assert_int_equal(engine_create(bus_loop(bus), bus, eh->house->streams, NULL, &eh->engine), 0);
    catcher_open(&eh->answers, bus, "_E.*", NULL);
}

struct event_house *event_house_bare(uint64_t seed) {
    struct event_house *eh = calloc(1, sizeof *eh);
    assert_non_null(eh);
    eh->house = house_open(seed, 1);
    house_streams(eh->house);
    return eh;
}

struct event_house *event_house_open(uint64_t seed) {
    struct event_house *eh = event_house_bare(seed);
    event_house_serve(eh);
    return eh;
}

static void leave(struct event_house *eh) {
    if (!eh->engine)
        return;
    catcher_close(&eh->answers);
    engine_close(eh->engine);
    eh->engine = NULL;
}

static void end_life(struct event_house *eh, enum event_end end) {
    leave(eh);
    if (end == EVENT_CUT)
        house_cut(eh->house);
    else if (end == EVENT_KILL)
        house_kill(eh->house);
    else
        house_stop(eh->house);
}

void event_house_again(struct event_house *eh, enum event_end end) {
    end_life(eh, end);
    house_streams(eh->house);
    event_house_serve(eh);
}

void event_house_close(struct event_house *eh) {
    leave(eh);
    house_close(eh->house);
    free(eh);
}

/* --- appends ------------------------------------------------------------------------------------
 */

static unsigned next_reply(struct event_house *eh, char out[32]) {
    snprintf(out, 32, "_E.%u", eh->asked);
    return eh->asked++;
}

unsigned event_ask(struct event_house *eh, const char *stream, slice body) {
    struct buf subject = buf_make(8192), headers = buf_make(8192);
    char reply[32];
    unsigned number = next_reply(eh, reply);
    if (stream) {
        assert_int_equal(event_subject(slice_str(stream), &subject), 0);
        assert_int_equal(
            call_write_append(&(struct call_append){.subject = buf_slice(&subject)}, &headers), 0);
    }
    struct bus_message m = {.subject = slice_lit(CALL_APPEND),
                            .reply = slice_str(reply),
                            .headers = buf_slice(&headers),
                            .payload = body};
    bus_publish(house_last(eh->house), &m, NULL, NULL);
    buf_free(&subject);
    buf_free(&headers);
    return number;
}

unsigned event_publish(struct event_house *eh, const char *subject, const char *id,
                       const char *payload) {
    struct buf headers = buf_make(8192);
    char reply[32];
    unsigned number = next_reply(eh, reply);
    if (id) {
        assert_int_equal(nats_headers_begin(&headers, 0, (slice){0}), 0);
        assert_int_equal(nats_headers_add(&headers, slice_lit("ce-id"), slice_str(id)), 0);
        assert_int_equal(nats_headers_end(&headers), 0);
    }
    struct bus_message m = {.subject = slice_str(subject),
                            .reply = slice_str(reply),
                            .headers = buf_slice(&headers),
                            .payload = slice_str(payload)};
    bus_publish(house_last(eh->house), &m, NULL, NULL);
    buf_free(&headers);
    return number;
}

struct event_answer event_answer(const struct event_house *eh, unsigned number) {
    char subject[32];
    struct event_answer answer = {0};
    snprintf(subject, sizeof subject, "_E.%u", number);
    for (unsigned i = 0; i < eh->answers.count; i++) {
        const struct bus_message *m = catcher_at(&eh->answers, i);
        if (!slice_equal(m->subject, slice_str(subject)))
            continue;
        assert_false(answer.come); /* an append is answered once */
        answer = (struct event_answer){true, call_read_status(m), m->payload};
    }
    return answer;
}

static char *quoted(const char *json) {
    char *text = strdup(json);
    assert_non_null(text);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return text;
}

struct event_answer event_append(struct event_house *eh, const char *stream, const char *json) {
    char *text = quoted(json);
    catcher_clear(&eh->answers);
    unsigned number = event_ask(eh, stream, slice_str(text));
    free(text);
    catcher_wait(eh->house, &eh->answers, 1);
    return event_answer(eh, number);
}

unsigned event_ask_life(struct event_house *eh, const char *stream,
                        const struct life_change *change, const char *expect, const char *limits) {
    char rooms[2][8192]; /* no memory that could fail */
    struct buf subject = {.ptr = rooms[0], .cap = sizeof rooms[0], .max = sizeof rooms[0]};
    struct buf headers = {.ptr = rooms[1], .cap = sizeof rooms[1], .max = sizeof rooms[1]};
    char reply[32], *text = quoted(limits ? limits : "");
    unsigned number = next_reply(eh, reply);
    assert_int_equal(event_subject(slice_str(stream), &subject), 0);
    assert_int_equal(life_change_write(change, buf_slice(&subject),
                                       expect ? slice_str(expect) : (slice){0}, &headers),
                     0);
    struct bus_message m = {.subject = slice_lit(CALL_LIFE),
                            .reply = slice_str(reply),
                            .headers = buf_slice(&headers),
                            .payload = slice_str(text)};
    bus_publish(house_last(eh->house), &m, NULL, NULL);
    free(text);
    return number;
}

struct event_answer event_life(struct event_house *eh, const char *stream, enum life_ask ask,
                               const char *expect, const char *limits) {
    struct life_change change = {.ask = ask, .version = LIFE_ANY_VERSION};
    catcher_clear(&eh->answers);
    unsigned number = event_ask_life(eh, stream, &change, expect, limits);
    catcher_wait(eh->house, &eh->answers, 1);
    return event_answer(eh, number);
}

/* --- reads --------------------------------------------------------------------------------------
 */

static void on_page(void *self, const struct read_end *end) {
    struct event_page *page = self;
    page->come++;
    page->end = *end;
    page->text = malloc(end->lines.len + 1);
    assert_non_null(page->text);
    if (end->lines.len)
        memcpy(page->text, end->lines.ptr, end->lines.len);
    page->end.lines = slice_make(page->text, end->lines.len);
    snprintf(page->detail, sizeof page->detail, "%s", end->detail ? end->detail : "");
}

void event_read_begin(struct event_house *eh, const struct read_options *options,
                      struct event_page *page) {
    *page = (struct event_page){0};
    events_read(eh->engine, options, on_page, page);
}

struct event_page event_read_page(struct event_house *eh, const struct read_options *options) {
    struct event_page page;
    event_read_begin(eh, options, &page);
    house_until(eh->house, &page.come);
    assert_int_equal(page.come, 1);
    return page;
}

void event_page_free(struct event_page *page) {
    free(page->text);
    page->text = NULL;
}

/* --- verifying ----------------------------------------------------------------------------------
 */

static void on_finding(void *self, const struct error *finding) {
    struct event_verified *v = self;
    char text[1024];
    if (!finding)
        return;
    error_text(finding, text, sizeof text);
    size_t len = strlen(v->findings);
    snprintf(v->findings + len, sizeof v->findings - len, "%s\n", text);
}

static void on_verified(void *self, const struct events_report *report, int failed) {
    struct event_verified *v = self;
    v->come++;
    v->report = *report;
    v->failed = failed;
}

struct event_verified event_verify(struct event_house *eh) {
    struct event_verified v = {0};
    assert_int_equal(events_verify(eh->engine, on_finding, on_verified, &v), 0);
    house_until(eh->house, &v.come);
    assert_int_equal(v.come, 1);
    return v;
}

struct event_verified event_verify_closed(struct event_house *eh, enum event_end end) {
    struct event_verified v = {0};
    struct error error = {0};
    end_life(eh, end);
    v.failed = events_verify_closed(eh->house->host, "log", on_finding, &v, &v.report, &error);
    if (error.code)
        print_error("%s: %s\n", error.place, error.message);
    v.come++;
    return v;
}
