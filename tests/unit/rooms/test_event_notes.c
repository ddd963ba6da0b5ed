#include "event_kit.h"

#include "rooms/events/notes.h"

/* Notes beside the events: in one commit with them, found again after every end, and nobody else's.
 */

struct reading {
    struct fetch fetch;
    const char *subject;
    unsigned done;
    int result;
    char text[64];
};

static void look(struct fetch *fetch) {
    struct reading *r = container_of(fetch, struct reading, fetch);
    struct log_record record;
    r->result = notes_read(&r->fetch, slice_str(r->subject), &record);
    if (r->result == -EINPROGRESS)
        return;
    r->done++;
    if (!r->result)
        snprintf(r->text, sizeof r->text, "%.*s", slice_fmt(record.payload));
}

/* What the note of SUBJECT says, waited for; "-": there is none. */
static const char *note_of(struct event_house *eh, const char *subject) {
    static struct reading r;
    r = (struct reading){.subject = subject};
    notes_know_stream(eh->engine);
    fetch_init(&r.fetch, eh->engine, look);
    look(&r.fetch);
    house_until(eh->house, &r.done);
    fetch_cancel(&r.fetch);
    assert_true(r.result == 0 || r.result == -ENOENT);
    assert_int_equal(notes_have(eh->engine, slice_str(subject)), r.result == 0);
    return r.result ? "-" : r.text;
}

static void on_done(void *self, const struct streams_error *error) {
    assert_null(error);
    ++*(unsigned *)self;
}

static void commit(struct event_house *eh, const char *subject, const char *text) {
    struct note note = {.subject = slice_str(subject), .remove = !text};
    struct streams_error e;
    unsigned done = 0;
    if (text)
        note.text = slice_str(text);
    notes_know_stream(eh->engine);
    notes_add(eh->engine, &note);
    assert_true(notes_commit(eh->engine, on_done, &done, &e));
    house_until(eh->house, &done);
}

static void append_one(struct event_house *eh) {
    assert_int_equal(event_append(eh, "a-1", "{'events':[{'type':'T'}]}").status, 201);
}

static uint64_t messages_of(struct event_house *eh, const char *stream) {
    return log_stream_staged(stream_log(kit_find(eh->house, stream))).messages;
}

static void test_the_newest_note_of_a_subject_is_found_after_every_end(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(1);
    append_one(eh);
    assert_true(notes_since(eh->engine) == 0);
    assert_string_equal(note_of(eh, "_NONET.es.life.a.1"), "-");
    commit(eh, "_NONET.es.life.a.1", "one");
    commit(eh, "_NONET.es.life.a.1", "two");
    commit(eh, "_NONET.es.life.a.2", "three");
    commit(eh, "_NONET.es.life.a.3", "gone");
    commit(eh, "_NONET.es.life.a.3", NULL);
    commit(eh, "_NONET.es.life.a.4", NULL); /* there was none: nothing to be removed */
    for (enum event_end end = EVENT_CUT; end <= EVENT_STOP; end++) {
        assert_string_equal(note_of(eh, "_NONET.es.life.a.1"), "two");
        assert_string_equal(note_of(eh, "_NONET.es.life.a.2"), "three");
        assert_string_equal(note_of(eh, "_NONET.es.life.a.3"), "-");
        assert_int_equal(messages_of(eh, "ES_NOTES"), 2);
        event_house_again(eh, end);
    }
    assert_string_equal(note_of(eh, "_NONET.es.life.a.1"), "two");
    event_house_close(eh);
}

static void test_a_note_is_in_the_commit_of_the_events(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(2);
    append_one(eh);
    struct note note = {.subject = slice_lit("_NONET.es.tag.x"), .text = slice_lit("2")};
    notes_add(eh->engine, &note); /* with whatever is appended next */
    append_one(eh);
    assert_true(list_empty(&eh->engine->notes_due));
    event_house_again(eh, EVENT_KILL);
    assert_string_equal(note_of(eh, "_NONET.es.tag.x"), "2");
    assert_int_equal(messages_of(eh, "ES"), 2);
    event_house_close(eh);
}

static void test_notes_are_the_engines_alone(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(3);
    append_one(eh);
    commit(eh, "_NONET.es.life.a.1", "one");
    say(house_last(eh->house), "_NONET.es.life.a.1", "forged");
    say(house_last(eh->house), "ES_NOTES", "forged");
    house_run(eh->house, SIM_SECOND);
    assert_int_equal(messages_of(eh, "ES_NOTES"), 1);
    assert_false(kit_delete_stream(eh->house, "ES_NOTES"));
    assert_null(kit_update(eh->house, "{'name':'ES_NOTES','subjects':['a'],'max_age':1000000000}"));
    assert_string_equal(kit_error.description, "stream ES_NOTES belongs to stream ES, and goes "
                                               "with it");
    assert_string_equal(note_of(eh, "_NONET.es.life.a.1"), "one");
    event_house_close(eh);
}

static void test_notes_go_with_their_events(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(4);
    append_one(eh);
    commit(eh, "_NONET.es.life.a.1", "one");
    assert_true(kit_delete_stream(eh->house, "ES"));
    event_house_again(eh, EVENT_KILL);
    assert_null(stream_find(eh->house->streams, slice_lit("ES_NOTES")));
    append_one(eh);
    assert_string_equal(note_of(eh, "_NONET.es.life.a.1"), "-");
    event_house_close(eh);
}

static void test_notes_know_which_events_are_older(void **state) {
    (void)state;
    struct event_house *eh = event_house_bare(5);
    assert_non_null(kit_stream(eh->house, "{'name':'ES','subjects':['es.>']}"));
    kit_fill(eh->house, "es.a.1", 3);
    event_house_serve(eh);
    assert_int_equal(event_append(eh, "b-1", "{'events':[{'type':'T'}]}").status, 201);
    assert_true(notes_since(eh->engine) == 3);
    event_house_again(eh, EVENT_KILL);
    notes_know_stream(eh->engine);
    assert_true(notes_since(eh->engine) == 3);
    event_house_close(eh);
}

static void test_another_ones_stream_of_that_name_is_named(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(6);
    assert_non_null(kit_stream(eh->house, "{'name':'ES_NOTES','subjects':['mine']}"));
    struct event_answer answer = event_append(eh, "a-1", "{'events':[{'type':'T'}]}");
    assert_int_equal(answer.status, 503);
    assert_true(slice_find_slice(answer.body, slice_lit("ES_NOTES")) > 0);
    assert_true(kit_delete_stream(eh->house, "ES_NOTES"));
    append_one(eh);
    event_house_close(eh);
}

static void test_the_end_may_come_while_the_streams_are_made(void **state) {
    (void)state;
    struct event_house *eh = event_house_open(7);
    sim_disk_slow(eh->house->host, 100000);
    unsigned number = event_ask(eh, "a-1", slice_lit("{\"events\":[{\"type\":\"T\"}]}"));
    house_run(eh->house, SIM_SECOND / 100);
    assert_true(eh->engine->creating);
    assert_false(event_answer(eh, number).come);
    sim_disk_slow(eh->house->host, 1);
    event_house_again(eh, EVENT_STOP);
    append_one(eh);
    event_house_close(eh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_note_of_a_subject_is_found_after_every_end),
        cmocka_unit_test(test_a_note_is_in_the_commit_of_the_events),
        cmocka_unit_test(test_notes_are_the_engines_alone),
        cmocka_unit_test(test_notes_go_with_their_events),
        cmocka_unit_test(test_notes_know_which_events_are_older),
        cmocka_unit_test(test_another_ones_stream_of_that_name_is_named),
        cmocka_unit_test(test_the_end_may_come_while_the_streams_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
