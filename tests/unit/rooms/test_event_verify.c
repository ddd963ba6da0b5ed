#include "event_kit.h"

#include "base/arena.h"
#include "bus/diversion.h"
#include "rooms/events/notes.h"

/* `verify` finds what somebody has done to the events behind the engine's back: the records of a
   house are put into another one's ES, but not all of them, or not as they were. */

#define RECORDS_MAX 64u

struct forgery {
    struct event_house *eh;
    struct arena arena;
    struct bus_message records[RECORDS_MAX];
    unsigned count;
};

/* Two event streams, "a-1" at the odd positions and "b-1" at the even ones, COUNT together, all
   as APPEND has it. */
static void collect_like(struct forgery *f, unsigned count, const char *append) {
    struct event_house *eh = event_house_open(1);
    f->arena = arena_make(0, 1u << 20);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(event_append(eh, i % 2 ? "b-1" : "a-1", append).status, 201);
    struct log_stream *es = stream_log(kit_find(eh->house, "ES"));
    for (uint64_t s = 1; s <= count; s++) {
        struct log_record record;
        struct bus_message *m = &f->records[f->count++];
        assert_int_equal(log_read(eh->house->log, es, s, &record), 0);
        assert_int_equal(arena_copy(&f->arena, record.subject, &m->subject), 0);
        assert_int_equal(arena_copy(&f->arena, record.headers, &m->headers), 0);
        assert_int_equal(arena_copy(&f->arena, record.payload, &m->payload), 0);
    }
    event_house_close(eh);
}

static void collect(struct forgery *f, unsigned count) {
    collect_like(f, count, "{'events':[{'type':'T','data':{'x':1}}]}");
}

static void on_stored(void *self, const struct streams_error *error) {
    assert_null(error);
    ++*(unsigned *)self;
}

/* Puts the records into a new house, and verifies: serving, and then its closed log, which must say
   the same. */
static struct event_verified judge(struct forgery *f) {
    unsigned stored = 0;
    uint64_t first;
    struct streams_error e;
    f->eh = event_house_bare(2);
    struct stream *es = kit_stream(f->eh->house, "{'name':'ES','subjects':['es.>']}");
    assert_non_null(es);
    assert_true(stream_append_all(es, f->records, f->count, on_stored, &stored, &first, &e));
    house_until(f->eh->house, &stored);
    event_house_serve(f->eh);
    struct event_verified v = event_verify(f->eh);
    assert_int_equal(v.failed, 0);
    assert_int_equal(v.report.events, f->count);
    struct event_verified closed =
        event_verify_closed(f->eh, f->count % 4 ? EVENT_KILL : EVENT_STOP);
    assert_int_equal(closed.failed, v.report.findings ? -EBADMSG : 0);
    assert_string_equal(closed.findings, v.findings);
    assert_memory_equal(&closed.report, &v.report, sizeof v.report);
    event_house_close(f->eh);
    arena_free(&f->arena);
    return v;
}

static void assert_found(struct forgery *f, const char *finding) {
    struct event_verified v = judge(f);
    assert_string_equal(v.findings, finding);
    assert_int_equal(v.report.findings, 1);
}

static void test_what_is_as_it_was_has_no_findings(void **state) {
    (void)state;
    struct forgery f = {0};
    collect(&f, 40);
    struct event_verified v = judge(&f);
    assert_string_equal(v.findings, "");
    assert_int_equal(v.report.findings, 0);
    assert_int_equal(v.report.streams, 2);
}

static void test_a_changed_payload(void **state) {
    (void)state;
    struct forgery f = {0};
    collect(&f, 20);
    f.records[4].payload = slice_lit("{\"x\":2}");
    assert_found(&f, "a-1@2 (position 5): the event, or the one before it, is not what was "
                     "appended\n");
}

/* A condition would pass over the event that the note knows nothing of. */
static void test_a_note_of_a_tag_that_tells_of_too_few(void **state) {
    (void)state;
    static const char *const notes[] = {"1 1", "2 1", "1 2", "x", NULL, "2 2", "9 9"};
    for (size_t i = 0; i < array_count(notes); i++) {
        struct event_house *eh = event_house_open(20);
        struct streams_error e;
        unsigned stored = 0;
        assert_int_equal(event_append(eh, "a-1",
                                      "{'events':[{'type':'T','tags':['s:1']},{'type':"
                                      "'T','tags':['s:1','u']}]}")
                             .status,
                         201);
        struct note note = {.subject = slice_lit("_NONET.es.tag.s%3A1"),
                            .text = notes[i] ? slice_str(notes[i]) : (slice){0},
                            .remove = !notes[i]};
        notes_add(eh->engine, &note);
        assert_true(notes_commit(eh->engine, on_stored, &stored, &e));
        house_until(eh->house, &stored);
        struct event_verified v = event_verify(eh);
        assert_string_equal(v.findings, i > 4 ? ""
                                              : "tag 's:1': 2 events have it, the last one at "
                                                "position 2, and its note tells of fewer: "
                                                "conditions may pass over some\n");
        struct event_verified closed = event_verify_closed(eh, i % 2 ? EVENT_KILL : EVENT_STOP);
        assert_string_equal(closed.findings, v.findings);
        event_house_close(eh);
    }
}

/* Where events have gone as well, a hole on the way would have been one of them. */
static void test_a_search_over_a_record_that_is_no_event_ends(void **state) {
    (void)state;
    struct forgery f = {0};
    struct streams_error e;
    struct event_page page;
    unsigned stored = 0;
    uint64_t first;
    collect(&f, 8);
    f.records[4].headers = (slice){0}; /* a-1@2, which is not on the path of a-1@3 */
    f.eh = event_house_bare(3);
    struct stream *es = kit_stream(f.eh->house, "{'name':'ES','subjects':['es.>']}");
    assert_true(stream_append_all(es, f.records, f.count, on_stored, &stored, &first, &e));
    house_until(f.eh->house, &stored);
    event_house_serve(f.eh);
    assert_int_equal(event_append(f.eh, "b-2", "{'events':[{'type':'T'}]}").status, 201);
    assert_int_equal(event_life(f.eh, "a-1", LIFE_LIMIT, NULL, "{'truncate_before':1}").status,
                     200);
    event_read_begin(
        f.eh, &(struct read_options){.subject = slice_lit("es.a.1"), .from_position = 2}, &page);
    house_run(f.eh->house, 5 * SIM_SECOND);
    assert_int_equal(page.come, 1);
    assert_int_equal(page.end.status, 500);
    event_page_free(&page);
    event_house_close(f.eh);
    arena_free(&f.arena);
}

static void test_a_changed_event_with_a_new_chain_of_its_own(void **state) {
    (void)state;
    struct forgery f = {0};
    struct buf headers = buf_make(8192);
    struct event event, before;
    collect(&f, 20);
    struct log_record record = {.subject = f.records[4].subject,
                                .headers = f.records[4].headers,
                                .payload = f.records[4].payload};
    struct log_record record_before = {.headers = f.records[2].headers};
    assert_int_equal(event_read(&record, &event), 0);
    assert_int_equal(event_read(&record_before, &before), 0);
    event.type = slice_lit("Paid");
    assert_int_equal(event_write(&event, record.subject, before.chain, &headers), 0);
    f.records[4].headers = buf_slice(&headers);
    assert_found(&f, "a-1@3 (position 7): the event, or the one before it, is not what was "
                     "appended\n");
    buf_free(&headers);
}

/* The last event, written anew: its chain holds, but it says TAGGED. */
static void forge_tagged(struct forgery *f, const char *tagged, struct buf *headers) {
    struct event event, before;
    collect_like(f, 20, "{'events':[{'type':'T','tags':['x','y','x']}]}");
    struct log_record record = {.subject = f->records[19].subject,
                                .headers = f->records[19].headers};
    struct log_record record_before = {.headers = f->records[17].headers};
    assert_int_equal(event_read(&record, &event), 0);
    assert_slice(event.tagged, "19,19,19");
    assert_int_equal(event_read(&record_before, &before), 0);
    event.tagged = slice_str(tagged);
    assert_int_equal(event_write(&event, record.subject, before.chain, headers), 0);
    f->records[19].headers = buf_slice(headers);
}

static void test_the_chains_of_tags(void **state) {
    (void)state;
    static const char *const wrong[] = {"18,19,18", "0,0,0",   "19,20,19",
                                        "19",       "19,x,19", "20,21,1"};
    struct forgery f;
    for (size_t i = 0; i < array_count(wrong); i++) {
        struct buf headers = buf_make(8192);
        f = (struct forgery){0};
        forge_tagged(&f, wrong[i], &headers);
        assert_found(&f, "b-1@9 (position 20): the event does not lead to the one before it with "
                         "one of its tags\n");
        buf_free(&headers);
    }
}

static void test_two_swapped_events(void **state) {
    (void)state;
    struct forgery f = {0};
    collect(&f, 20);
    struct bus_message one = f.records[4];
    f.records[4] = f.records[6];
    f.records[6] = one;
    struct event_verified v = judge(&f);
    assert_true(v.report.findings >= 2);
    assert_non_null(strstr(v.findings, "a-1@3 (position 5): events before this one are missing\n"));
    assert_non_null(
        strstr(v.findings, "a-1@2 (position 7): the event stands twice, or in the wrong place\n"));
}

static void test_an_event_that_stands_twice(void **state) {
    (void)state;
    struct forgery f = {0};
    collect(&f, 20);
    f.records[f.count++] = f.records[4];
    f.records[f.count++] = f.records[18];
    struct event_verified v = judge(&f);
    assert_string_equal(v.findings,
                        "a-1@2 (position 21): the event stands twice, or in the wrong place\n"
                        "a-1@9 (position 22): the event stands twice, or in the wrong place\n");
}

static void test_an_event_that_is_left_out(void **state) {
    (void)state;
    struct forgery f = {0}, other = {0};
    collect(&f, 20);
    collect(&other, 1);
    f.records[4] = other.records[0]; /* another stream's first event in its place */
    f.records[4].subject = slice_lit("es.c.1");
    struct event_verified v = judge(&f);
    assert_string_equal(v.findings,
                        "c-1@0 (position 5): the event, or the one before it, is not what was "
                        "appended\n"
                        "a-1@3 (position 7): events before this one are missing\n");
    arena_free(&other.arena);
}

static void test_the_end_that_is_cut_off_is_not_found_but_told_by_the_count(void **state) {
    (void)state;
    struct forgery f = {0};
    collect(&f, 20);
    f.count = 18;
    struct event_verified v = judge(&f);
    assert_int_equal(v.report.findings, 0);
    assert_int_equal(v.report.events, 18);
}

static void test_a_record_that_is_no_event(void **state) {
    (void)state;
    struct forgery f = {0};
    collect(&f, 4);
    f.records[f.count++] = (struct bus_message){.subject = slice_lit("es.a.1")};
    assert_found(&f, "a-1@0 (position 5): the record is no event\n");
}

static void on_progress(void *self, const struct error *finding) {
    (void)self;
    (void)finding;
}

static void on_done(void *self, const struct events_report *report, int failed) {
    (void)report;
    assert_int_equal(failed, 0);
    ++*(unsigned *)self;
}

static void test_one_verification_at_a_time(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(3);
    unsigned done = 0;
    assert_int_equal(event_append(eh, "a-1", "{'events':[{'type':'T'}]}").status, 201);
    assert_int_equal(events_verify(eh->engine, on_progress, on_done, &done), 0);
    assert_int_equal(events_verify(eh->engine, on_progress, on_done, &done), -EBUSY);
    house_until(eh->house, &done);
    assert_int_equal(event_verify(eh).report.events, 1);
    event_house_close(eh);
}

/* What the disk has spoilt is a finding, too, and it is named by its position. */
static void test_a_record_that_cannot_be_read(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(4);
    char path[] = "log/segments/00000001.seg", byte;
    struct io_file *file;
    uint64_t size;
    size_t got;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(
            event_append(eh, "a-1", "{'events':[{'type':'T','data':\"spoil me\"}]}").status, 201);
    struct event_verified v = event_verify_closed(eh, EVENT_STOP);
    assert_int_equal(v.failed, 0);
    assert_int_equal(v.report.events, 10);
    assert_int_equal(io_file_open(eh->house->host, path, IO_FILE_WRITE, &file), 0);
    assert_int_equal(io_file_size(file, &size), 0);
    _cleanup_mem_ char *all = mem_alloc(size);
    assert_int_equal(io_file_read(file, all, size, 0, &got), 0);
    slice rest = slice_make(all, got);
    for (unsigned i = 0; i < 4; i++) /* the fourth event's payload */
        rest = slice_skip(rest, (size_t)slice_find_slice(rest, slice_lit("spoil me")) + 1);
    byte = 'S';
    assert_int_equal(io_file_write(file, &byte, 1, (uint64_t)(rest.ptr - 1 - all)), 0);
    assert_int_equal(io_file_sync(file), 0);
    io_file_close(file);
    house_streams(eh->house);
    event_house_serve(eh);
    struct event_verified serving = event_verify(eh);
    assert_string_equal(serving.findings,
                        "position 4 of ES cannot be read (`nonet log verify` says more)\n"
                        "a-1@4 (position 5): events before this one are missing\n");
    v = event_verify_closed(eh, EVENT_STOP);
    assert_int_equal(v.failed, -EBADMSG);
    assert_string_equal(v.findings, serving.findings);
    event_house_close(eh);
}

static void test_a_log_without_events_and_no_log(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(5);
    struct event_verified v = event_verify_closed(eh, EVENT_STOP);
    struct error error = {0};
    assert_int_equal(v.failed, 0);
    assert_int_equal(v.report.events, 0);
    assert_int_equal(
        events_verify_closed(eh->house->host, "nowhere", on_progress, NULL, &v.report, &error),
        -ENOENT);
    assert_string_equal(error.message, "there is no log: No such file or directory");
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_note_of_a_tag_that_tells_of_too_few),
        cmocka_unit_test(test_a_search_over_a_record_that_is_no_event_ends),
        cmocka_unit_test(test_what_is_as_it_was_has_no_findings),
        cmocka_unit_test(test_a_changed_payload),
        cmocka_unit_test(test_a_changed_event_with_a_new_chain_of_its_own),
        cmocka_unit_test(test_the_chains_of_tags),
        cmocka_unit_test(test_two_swapped_events),
        cmocka_unit_test(test_an_event_that_stands_twice),
        cmocka_unit_test(test_an_event_that_is_left_out),
        cmocka_unit_test(test_the_end_that_is_cut_off_is_not_found_but_told_by_the_count),
        cmocka_unit_test(test_a_record_that_is_no_event),
        cmocka_unit_test(test_one_verification_at_a_time),
        cmocka_unit_test(test_a_record_that_cannot_be_read),
        cmocka_unit_test(test_a_log_without_events_and_no_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
