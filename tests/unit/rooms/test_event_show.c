/*
 * test_event_show.c - what the judge of ES shows of its records as rows of a table: each event that
 * is there with its place, nothing of what is gone, also where that has to be looked up on disk.
 */
#include "event_kit.h"

#include "bus/diversion.h"

#include <errno.h>

/* The documents of all records of ES, one a line; "-" for one that is gone. */
static void show_all(struct event_house *eh, struct buf *out) {
    struct stream *es = kit_find(eh->house, "ES");
    uint64_t last = log_stream_state(stream_log(es)).last_sequence;
    void *held = NULL;
    buf_clear(out);
    for (uint64_t s = 1; s <= last; s++) {
        struct log_record record;
        int result;
        if (log_read(eh->house->log, stream_log(es), s, &record)) /* swept */
            continue;
        while ((result = stream_show_row(es, &record, &held, out)) == -EAGAIN) {
            house_run(eh->house, SIM_MILLISECOND);
            assert_int_equal(log_read(eh->house->log, stream_log(es), s, &record), 0);
        }
        if (result)
            assert_int_equal(buf_append(out, slice_lit("-\n")), 0);
        assert_true(result == 0 || result == 1);
    }
    streams_show_row_end(eh->house->streams, held);
}

/* How often TEXT stands in OUT. */
static unsigned count(const struct buf *out, const char *text) {
    slice rest = buf_slice(out);
    unsigned found = 0;
    for (ptrdiff_t at; (at = slice_find_slice(rest, slice_str(text))) >= 0; found++)
        rest = slice_skip(rest, (size_t)at + 1);
    return found;
}

static void test_events_are_shown_until_they_are_gone(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(3);
    _cleanup_buf_ struct buf out = buf_make(1u << 20);
    for (unsigned i = 0; i < 4; i++) {
        const char *one = "{'events':[{'type':'T','data':{'x':1},'tags':['k:1']}]}";
        assert_int_equal(event_append(eh, "a.b-1", one).status, 201);
        assert_int_equal(event_append(eh, "c", one).status, 201);
    }
    show_all(eh, &out);
    assert_int_equal(count(&out, "{\"category\":\"a.b\",\"stream\":\"a.b-1\",\"revision\":"), 4);
    assert_int_equal(count(&out, "{\"category\":\"c\",\"stream\":\"c\",\"revision\":"), 4);
    assert_int_equal(count(&out, "\"revision\":3,\"position\":8,"), 1);
    assert_int_equal(count(&out, "\"tags\":[\"k:1\"],\"data\":{\"x\":1}"), 8);
    assert_int_equal(event_life(eh, "c", LIFE_LIMIT, NULL, "{'max_count':1}").status, 200);
    assert_int_equal(event_life(eh, "a.b-1", LIFE_TOMBSTONE, NULL, NULL).status, 200);
    show_all(eh, &out);
    assert_int_equal(count(&out, "\"category\""), 1);
    assert_int_equal(count(&out, "\"revision\":3,\"position\":8,"), 1);
    event_house_again(eh, EVENT_KILL); /* nothing of it is in memory now */
    show_all(eh, &out);
    assert_int_equal(count(&out, "\"category\""), 1);
    event_house_close(eh);
}

static void test_other_streams_have_no_judge(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(3);
    struct stream *s = kit_stream(eh->house, "{'name':'S','subjects':['s']}");
    const struct log_record record = {.subject = slice_lit("s")};
    void *held = NULL;
    _cleanup_buf_ struct buf out = buf_make(1u << 20);
    assert_int_equal(stream_show_row(s, &record, &held, &out), -ENOTSUP);
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_shown_until_they_are_gone),
        cmocka_unit_test(test_other_streams_have_no_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
