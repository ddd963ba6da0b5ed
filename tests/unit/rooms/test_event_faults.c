#include "event_kit.h"

/* One life of event streams with each allocation failing once, in turn. No crash, no leak; who
   asked is answered once, with success or a refusal; what was answered 201 is there afterwards,
   what was refused is not, and `verify` finds nothing. */

#define ASKED 8u
#define DELETED 5u /* which of them is the deletion */
#define ONE "{\"appends\":[{\"stream\":\"a-1\",\"events\":[{\"type\":\"T\",\"id\":\"i\"}]}]}"

struct trial_life {
    struct event_house *eh;
    unsigned asked[ASKED];
    unsigned count;
};

static void on_page(void *self, const struct read_end *end) {
    assert_true(end->status == 200 || end->status == 404 || end->status == 503 ||
                end->status == 500);
    ++*(unsigned *)self;
}

static void on_progress(void *self, const struct error *finding) {
    (void)self;
    assert_null(finding);
}

static void on_verified(void *self, const struct events_report *report, int failed) {
    (void)report;
    assert_true(failed == 0 || failed == -ENOMEM);
    ++*(unsigned *)self;
}

static void act(struct trial_life *life) {
    struct event_house *eh = life->eh;
    unsigned pages = 0, verified = 0;
    life->asked[life->count++] = event_ask(eh, NULL, slice_lit(ONE));
    house_run(eh->house, SIM_SECOND);
    life->asked[life->count++] = event_ask(
        eh, NULL,
        slice_lit(
            "{\"appends\":[{\"stream\":\"a-1\",\"events\":[{\"type\":\"T\",\"tags\":[\"t\"]}]},"
            "{\"stream\":\"a-2\",\"expect\":\"none\",\"events\":[{\"type\":\"T\"}]}],"
            "\"checks\":[{\"stream\":\"a-3\",\"expect\":\"none\"}]}"));
    life->asked[life->count++] = event_ask(eh, NULL, slice_lit(ONE));
    life->asked[life->count++] =
        event_ask(eh, NULL,
                  slice_lit("{\"appends\":[{\"stream\":\"a-4\",\"events\":[{\"type\":\"T\","
                            "\"tags\":[\"t\",\"u\"]}]}]"
                            ",\"checks\":[{\"none\":[{\"types\":[\"U\"],\"tags\":[\"t\"]},{"
                            "\"tags\":[\"t\",\"u\"]}]},"
                            "{\"none\":{\"types\":[\"T\"]},\"after\":4}]}"));
    event_publish(eh, "es.a.1", NULL, "x"); /* may be lost on its way to the engine */
    house_run(eh->house, SIM_SECOND);
    struct read_options options = {.subject = slice_lit("es.a.1")};
    events_read(eh->engine, &options, on_page, &pages);
    options = (struct read_options){.backwards = true, .from = UINT64_MAX};
    events_read(eh->engine, &options, on_page, &pages);
    options.tags[options.tag_count++] = slice_lit("t");
    events_read(eh->engine, &options, on_page, &pages);
    bool begun = events_verify(eh->engine, on_progress, on_verified, &verified) == 0;
    house_run(eh->house, SIM_SECOND);
    assert_int_equal(pages, 3);
    assert_int_equal(verified, begun);
    struct life_change change = {.ask = LIFE_DELETE, .version = LIFE_ANY_VERSION};
    life->asked[life->count++] =
        event_ask(eh, NULL,
                  slice_lit("{\"appends\":[{\"stream\":\"a-5\",\"events\":[{\"type\":\"T\"},"
                            "{\"type\":\"T\"}]}]}"));
    life->asked[life->count++] = event_ask_life(eh, "a-5", &change, NULL, NULL);
    house_run(eh->house, 3 * SIM_SECOND); /* with the sweep */
}

static unsigned status_of(const struct trial_life *life, unsigned index) {
    struct event_answer answer = event_answer(life->eh, life->asked[index]);
    return answer.come ? answer.status : 0;
}

static unsigned count_of(struct event_house *eh, const char *subject) {
    struct event_page page =
        event_read_page(eh, &(struct read_options){.subject = slice_str(subject)});
    event_page_free(&page);
    return page.end.count;
}

static void assert_allowed(const struct trial_life *life, unsigned index, unsigned good) {
    struct event_answer answer = event_answer(life->eh, life->asked[index]);
    if (answer.come && answer.status != good && answer.status != 503 && answer.status != 429)
        fail_msg("append %u: %u %.*s", index, answer.status, slice_fmt(answer.body));
}

/* An answer may have been lost for want of memory, never been given wrongly. */
static bool live(unsigned long nth) {
    struct trial_life life = {.eh = event_house_open(nth)};
    unsigned long before = mem_attempts();
    mem_fail_at(nth, false);
    act(&life);
    bool past = mem_attempts() - before < nth;
    mem_fail_at(0, false);
    unsigned one = status_of(&life, 0), two = status_of(&life, 1), again = status_of(&life, 2);
    assert_allowed(&life, 0, 201);
    assert_allowed(&life, 1, 201);
    assert_allowed(&life, 2, again == 201 ? 201 : 200);
    assert_allowed(&life, 3, 201);
    assert_true(!past || (one == 201 && two == 201 && again == 200 && status_of(&life, 3) == 201));
    /* Stored, but there was no memory to say so: it is told apart by its words. */
    slice words = event_answer(life.eh, life.asked[1]).body;
    unsigned deleted = status_of(&life, DELETED);
    bool unsure = slice_find_slice(words, slice_lit("no memory for the answer")) >= 0;
    event_house_again(life.eh, EVENT_KILL);
    unsigned first = count_of(life.eh, "es.a.1"), second = count_of(life.eh, "es.a.2");
    assert_true(!past || deleted == 200);
    if (deleted == 200)
        assert_int_equal(count_of(life.eh, "es.a.5"), 0);
    if (one == 201)
        assert_true(first >= 1);
    if (two != 0 && !unsure)
        assert_int_equal(second, two == 201);
    assert_int_equal(event_verify(life.eh).report.findings, 0);
    event_house_close(life.eh);
    return past;
}

static void test_each_allocation_fails_once(void **state) {
    (void)state;
    unsigned long nth = 1;
    while (!live(nth))
        nth++;
    assert_true(nth > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
