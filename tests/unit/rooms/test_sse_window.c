/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rooms/gateway/sse_window.h"

/* Messages as server-sent events, and the window over the last of them. */

static struct buf out;

static const char *event(const char *subject, slice payload, uint64_t id) {
    struct sse_event e = {
        .subject = slice_str(subject), .payload = payload, .sequence = id, .has_id = id > 0};
    buf_free(&out);
    out = buf_make(4 * (size_t)SSE_EVENT_BYTES_MAX);
    assert_int_equal(sse_event_write(&out, &e), 0);
    return buf_text(&out);
}

static const char *text(const char *payload) {
    return event("a", slice_str(payload), 0);
}

/* --- an event ----------------------------------------------------------------------------------
 */

static void test_an_event_has_the_sequence_the_subject_and_the_payload(void **state) {
    (void)state;
    assert_string_equal(event("bid.new", slice_lit("{\"price\":7}"), 42),
                        "id: 42\nsubject: bid.new\ndata: {\"price\":7}\n\n");
    assert_string_equal(event("bid.new", slice_lit("x"), 0), "subject: bid.new\ndata: x\n\n");
    assert_string_equal(event("b", slice_lit("x"), UINT64_MAX),
                        "id: 18446744073709551615\nsubject: b\ndata: x\n\n");
}

static void test_every_line_of_the_payload_is_a_line_of_data(void **state) {
    (void)state;
    assert_string_equal(text("a\nb"), "subject: a\ndata: a\ndata: b\n\n");
    assert_string_equal(text("a\rb"), "subject: a\ndata: a\ndata: b\n\n");
    assert_string_equal(text("a\r\nb"), "subject: a\ndata: a\ndata: b\n\n");
    assert_string_equal(text("a\n\rb"), "subject: a\ndata: a\ndata: \ndata: b\n\n");
    assert_string_equal(text("a\n"), "subject: a\ndata: a\ndata: \n\n");
    assert_string_equal(text("\r\n"), "subject: a\ndata: \ndata: \n\n");
    assert_string_equal(text("\r"), "subject: a\ndata: \ndata: \n\n");
    assert_string_equal(text(" a: b"), "subject: a\ndata:  a: b\n\n");
    assert_string_equal(text("id: 9\n\nevent: evil"),
                        "subject: a\ndata: id: 9\ndata: \ndata: event: evil\n\n");
}

static void test_an_empty_payload_is_an_event_all_the_same(void **state) {
    (void)state;
    assert_string_equal(text(""), "subject: a\ndata: \n\n");
    assert_string_equal(event("a", (slice){0}, 0), "subject: a\ndata: \n\n");
}

static void test_what_is_not_utf8_is_a_data_url(void **state) {
    (void)state;
    assert_string_equal(event("a", slice_make("\x00\x01\xff", 3), 0),
                        "subject: a\ndata: data:application/octet-stream;base64,AAH/\n\n");
    assert_string_equal(text("\xc3\xa4\xe2\x82\xac"), "subject: a\ndata: \xc3\xa4\xe2\x82\xac\n\n");
    assert_string_equal(text("\xed\xa0\x80"),
                        "subject: a\ndata: data:application/octet-stream;base64,7aCA\n\n");
}

static void test_a_subject_stays_on_its_line(void **state) {
    (void)state;
    assert_string_equal(event("a\nid: 1", slice_lit("x"), 0), "subject: a%0Aid:%201\ndata: x\n\n");
    assert_string_equal(event("b\xff.\xc3\xa4", slice_lit("x"), 0),
                        "subject: b%FF.%C3%A4\ndata: x\n\n");
    assert_string_equal(event("\xc3\xa4.b", slice_lit("x"), 0), "subject: \xc3\xa4.b\ndata: x\n\n");
}

static void test_text_of_nothing_but_lines_is_not_blown_up(void **state) {
    (void)state;
    size_t len = SSE_EVENT_BYTES_MAX / 4;
    char *lines = mem_alloc(len);
    assert_non_null(lines);
    memset(lines, '\n', len);
    const char *got = event("a", slice_make(lines, len), 7);
    assert_true(out.len < len * 2);
    assert_memory_equal(got, "id: 7\nsubject: a\ndata: data:application/octet-stream;base64,CgoK",
                        62);
    mem_free(lines);
}

static void test_what_is_too_large_is_told_as_dropped(void **state) {
    (void)state;
    size_t len = SSE_EVENT_BYTES_MAX;
    char *bytes = mem_alloc(len);
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    assert_string_equal(event("a", slice_make(bytes, len), 7),
                        "id: 7\nevent: nonet.dropped\ndata: {\"messages\":1}\n\n");
    mem_free(bytes);
}

static void test_notices(void **state) {
    (void)state;
    char room[SSE_NOTICE_BYTES_MAX];
    slice gap = sse_gap(room, UINT64_MAX, UINT64_MAX);
    assert_true(gap.len < SSE_NOTICE_BYTES_MAX);
    gap = sse_gap(room, 4, 9);
    room[gap.len] = '\0';
    assert_string_equal(room, "event: nonet.gap\ndata: {\"after\":4,\"first\":9}\n\n");
    slice dropped = sse_dropped(room, 17);
    room[dropped.len] = '\0';
    assert_string_equal(room, "event: nonet.dropped\ndata: {\"messages\":17}\n\n");
}

/* --- a window ----------------------------------------------------------------------------------
 */

static void add(struct sse_window *w, uint64_t sequence, size_t keep) {
    struct sse_event e = {.subject = slice_lit("a.b"),
                          .payload = slice_lit("xxxxxxxxxx"),
                          .sequence = sequence,
                          .has_id = true};
    sse_window_add(w, &e, keep);
}

static void assert_run(const struct sse_window *w, uint64_t from, size_t max, const char *expected,
                       uint64_t next) {
    uint32_t index = sse_window_find(w, from), end;
    slice run = sse_window_run(w, index, max, &end);
    assert_int_equal(run.len, strlen(expected));
    assert_memory_equal(run.ptr, expected, run.len);
    assert_int_equal(end == w->count ? w->next : w->entries[end].sequence, next);
}

#define E(n) "id: " #n "\nsubject: a.b\ndata: xxxxxxxxxx\n\n"

static void test_any_run_of_events_is_one_slice(void **state) {
    (void)state;
    struct sse_window w = sse_window_make(10);
    assert_true(sse_window_empty(&w));
    assert_int_equal(sse_window_find(&w, 3), w.count);
    add(&w, 11, SIZE_MAX);
    add(&w, 12, SIZE_MAX);
    add(&w, 15, SIZE_MAX);
    assert_int_equal(w.base, 10);
    assert_int_equal(w.next, 16);
    assert_run(&w, 10, SIZE_MAX, E(11) E(12) E(15), 16);
    assert_run(&w, 12, SIZE_MAX, E(12) E(15), 16);
    assert_run(&w, 13, SIZE_MAX, E(15), 16);
    assert_int_equal(sse_window_find(&w, 16), w.count);
    assert_int_equal(sse_window_find(&w, 99), w.count);
    assert_run(&w, 10, 2 * strlen(E(11)), E(11) E(12), 15);
    assert_run(&w, 10, 2 * strlen(E(11)) - 1, E(11), 12);
    assert_run(&w, 10, 1, E(11), 12);
    slice subject = sse_window_subject(&w, sse_window_find(&w, 15));
    assert_int_equal(subject.len, 3);
    assert_memory_equal(subject.ptr, "a.b", 3);
    sse_window_free(&w);
}

static void test_the_oldest_are_dropped_and_the_base_says_so(void **state) {
    (void)state;
    struct sse_window w = sse_window_make(1);
    size_t size = strlen(E(10));
    for (uint64_t i = 10; i < 100; i++) {
        add(&w, i, 3 * size);
        uint64_t oldest = i < 12 ? 10 : i - 2;
        assert_int_equal(w.count - w.first, i < 12 ? i - 9 : 3);
        assert_int_equal(w.base, oldest == 10 ? 1 : oldest);
        assert_int_equal(w.entries[w.first].sequence, oldest);
        uint32_t end;
        slice run = sse_window_run(&w, w.first, SIZE_MAX, &end);
        assert_int_equal(run.len, (w.count - w.first) * size);
        assert_memory_equal(run.ptr, "id: ", 4);
    }
    assert_run(&w, 1, SIZE_MAX, E(97) E(98) E(99), 100);
    assert_true(w.bytes.len <= 8 * size); /* room is used again */
    sse_window_free(&w);
}

static void test_one_event_is_always_kept(void **state) {
    (void)state;
    struct sse_window w = sse_window_make(1);
    add(&w, 10, 1);
    add(&w, 11, 1);
    assert_run(&w, 1, SIZE_MAX, E(11), 12);
    assert_int_equal(w.base, 11);
    sse_window_free(&w);
}

static void test_there_are_never_too_many(void **state) {
    (void)state;
    struct sse_window w = sse_window_make(1);
    for (uint64_t i = 1; i <= SSE_WINDOW_EVENTS_MAX * 3; i++)
        add(&w, i, SIZE_MAX);
    assert_int_equal(w.count - w.first, SSE_WINDOW_EVENTS_MAX);
    assert_int_equal(w.base, SSE_WINDOW_EVENTS_MAX * 2 + 1);
    assert_true(w.room <= SSE_WINDOW_EVENTS_MAX * 4);
    sse_window_free(&w);
}

static void test_a_restart_forgets_all(void **state) {
    (void)state;
    struct sse_window w = sse_window_make(1);
    add(&w, 10, SIZE_MAX);
    sse_window_restart(&w, 20);
    assert_true(sse_window_empty(&w));
    assert_int_equal(w.base, 20);
    assert_int_equal(w.next, 20);
    add(&w, 21, SIZE_MAX);
    assert_run(&w, 20, SIZE_MAX, E(21), 22);
    sse_window_free(&w);
}

static void test_a_subject_that_is_told_otherwise_is_not_shown_as_it_was(void **state) {
    (void)state;
    struct sse_window w = sse_window_make(1);
    struct sse_event e = {
        .subject = slice_lit("a b"), .payload = slice_lit("x"), .sequence = 1, .has_id = true};
    sse_window_add(&w, &e, SIZE_MAX);
    e = (struct sse_event){.subject = slice_lit("a\n"), .payload = slice_lit("x"), .sequence = 2};
    sse_window_add(&w, &e, SIZE_MAX);
    assert_int_equal(sse_window_subject(&w, 0).len, 3);
    assert_int_equal(sse_window_subject(&w, 1).len, 0);
    sse_window_free(&w);
}

static int tear_down(void **state) {
    (void)state;
    buf_free(&out);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_has_the_sequence_the_subject_and_the_payload),
        cmocka_unit_test(test_every_line_of_the_payload_is_a_line_of_data),
        cmocka_unit_test(test_an_empty_payload_is_an_event_all_the_same),
        cmocka_unit_test(test_what_is_not_utf8_is_a_data_url),
        cmocka_unit_test(test_a_subject_stays_on_its_line),
        cmocka_unit_test(test_text_of_nothing_but_lines_is_not_blown_up),
        cmocka_unit_test(test_what_is_too_large_is_told_as_dropped),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_any_run_of_events_is_one_slice),
        cmocka_unit_test(test_the_oldest_are_dropped_and_the_base_says_so),
        cmocka_unit_test(test_one_event_is_always_kept),
        cmocka_unit_test(test_there_are_never_too_many),
        cmocka_unit_test(test_a_restart_forgets_all),
        cmocka_unit_test(test_a_subject_that_is_told_otherwise_is_not_shown_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
