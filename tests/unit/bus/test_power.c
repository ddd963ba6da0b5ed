#include "bus_kit.h"

#include "base/number.h"
#include "base/random.h"
#include "wire/json.h"

/* Consumers through power cuts, kills and stops: whatever was confirmed holds, over many seeds. The
   oracle knows of each message whether its publish was confirmed, and what became of it:

       confirmed done (acknowledged or terminated, with an answer)   never delivered again
       never touched                                                 delivered in every life
       anything else                                                 may come, or not

   Each life ends by a cut at some step of the disk, a kill or a stop. Only what was heard while the
   machine was up counts. */

#define MESSAGES_MAX 600u
#define LIVES 4u

enum fate { UNKNOWN, UNTOUCHED, TOUCHED, CONFIRMED };

struct trial {
    struct house *house;
    struct random random;
    struct catcher inbox, stored, answers;
    uint64_t asked[MESSAGES_MAX]; /* by the number in the answer's subject */
    unsigned asked_count;
    enum fate fates[MESSAGES_MAX]; /* by stream sequence */
    bool seen[MESSAGES_MAX];       /* in this life */
    uint64_t last;
    unsigned inbox_at, stored_at, answers_at;
    bool ack_all;
};

static bool is_down(const struct trial *t) {
    return sim_host_down(t->house->host);
}

static uint64_t below(struct trial *t, uint64_t bound) {
    return random_below(&t->random, bound);
}

static void listen(struct trial *t) {
    catcher_open(&t->inbox, t->house->bus[0], "_INBOX.me", NULL);
    catcher_open(&t->stored, t->house->bus[0], "_INBOX.stored", NULL);
    catcher_open(&t->answers, t->house->bus[0], "_INBOX.acks.*", NULL);
    t->inbox_at = t->stored_at = t->answers_at = 0;
    memset(t->seen, 0, sizeof t->seen);
}

static void leave(struct trial *t) {
    catcher_close(&t->inbox);
    catcher_close(&t->stored);
    catcher_close(&t->answers);
}

/* --- what is heard ------------------------------------------------------------------------------
 */

static void hear_stored(struct trial *t, const struct bus_message *m) {
    struct json_doc doc;
    uint64_t sequence = 0;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, m->payload), 0);
    bool failed = json_type_of(json_member(json_root(&doc), slice_lit("error"))) != JSON_ABSENT;
    assert_int_equal(json_u64(json_member(json_root(&doc), slice_lit("seq")), &sequence), 0);
    json_free(&doc);
    if (failed)
        return;
    assert_true(sequence > 0 && sequence < MESSAGES_MAX);
    if (t->fates[sequence] == UNKNOWN)
        t->fates[sequence] = UNTOUCHED;
    if (sequence > t->last)
        t->last = sequence;
}

static void hear_answer(struct trial *t, const struct bus_message *m) {
    uint64_t number;
    assert_int_equal(number_parse_u64(slice_skip(m->subject, strlen("_INBOX.acks.")), &number), 0);
    assert_true(number < t->asked_count);
    uint64_t sequence = t->asked[number];
    for (uint64_t s = t->ack_all ? 1 : sequence; s <= sequence; s++)
        t->fates[s] = CONFIRMED;
}

/* Acknowledges somehow, or not at all. */
static void treat(struct trial *t, unsigned index) {
    static const char *const bodies[] = {"", "+ACK", "+TERM"};
    uint64_t sequence = kit_address(catcher_at(&t->inbox, index)).stream;
    unsigned what = (unsigned)below(t, 10);
    if (what < 3)
        return;
    if (what == 3) {
        kit_ack(&t->inbox, index, below(t, 2) ? "-NAK" : "+WPI", NULL);
        return;
    }
    if (t->fates[sequence] != CONFIRMED)
        t->fates[sequence] = TOUCHED;
    for (uint64_t s = 1; t->ack_all && s < sequence; s++)
        if (t->fates[s] != CONFIRMED)
            t->fates[s] = TOUCHED;
    if (what < 6 || t->asked_count == MESSAGES_MAX) {
        kit_ack(&t->inbox, index, bodies[below(t, t->ack_all ? 2 : 3)], NULL);
        return;
    }
    char reply[64];
    snprintf(reply, sizeof reply, "_INBOX.acks.%u", t->asked_count);
    t->asked[t->asked_count++] = sequence;
    kit_ack(&t->inbox, index, bodies[below(t, t->ack_all ? 2 : 3)], reply);
}

static void hear_message(struct trial *t, unsigned index, bool treated) {
    const struct bus_message *m = catcher_at(&t->inbox, index);
    if (!m->reply.len)
        return; /* a status */
    uint64_t sequence = kit_address(m).stream;
    assert_true(sequence < MESSAGES_MAX);
    if (t->fates[sequence] == CONFIRMED)
        fail_msg("message %llu was done, and comes again", (unsigned long long)sequence);
    t->seen[sequence] = true;
    if (treated)
        treat(t, index);
}

static void hear(struct trial *t, bool treated) {
    if (is_down(t))
        return;
    for (; t->stored_at < t->stored.count; t->stored_at++)
        hear_stored(t, catcher_at(&t->stored, t->stored_at));
    for (; t->answers_at < t->answers.count; t->answers_at++)
        hear_answer(t, catcher_at(&t->answers, t->answers_at));
    for (; t->inbox_at < t->inbox.count; t->inbox_at++)
        hear_message(t, t->inbox_at, treated);
}

/* --- lives --------------------------------------------------------------------------------------
 */

static void act(struct trial *t) {
    struct consumer *c = kit_find_consumer(t->house, "S", "C");
    unsigned what = (unsigned)below(t, 10);
    if (what < 5 && t->stored.count + t->last < MESSAGES_MAX / 2)
        ask(t->house->bus[0], below(t, 3) ? "s.a" : "s.b", "_INBOX.stored", "x");
    else if (what < 7)
        kit_pull(c, "_INBOX.me", 1 + (unsigned)below(t, 20), SIM_SECOND);
    else if (what == 7 && below(t, 20) == 0)
        log_checkpoint(t->house->log, NULL, NULL);
    else
        house_run(t->house, below(t, 20) * SIM_MILLISECOND);
    hear(t, true);
}

static void end_life(struct trial *t) {
    leave(t);
    if (is_down(t)) {
        house_cut(t->house);
        return;
    }
    switch (below(t, 3)) {
    case 0:
        house_cut(t->house);
        return;
    case 1:
        house_kill(t->house);
        return;
    default:
        house_stop(t->house);
    }
}

/* Everything that may come comes: nothing that was confirmed, and all that was never touched. */
static void judge(struct trial *t) {
    house_streams(t->house);
    listen(t);
    struct consumer *c = kit_find_consumer(t->house, "S", "C");
    assert_non_null(c);
    for (unsigned i = 0; i < 4; i++) {
        kit_pull(c, "_INBOX.me", MESSAGES_MAX, 2 * SIM_SECOND);
        house_run(t->house, 2 * SIM_SECOND);
        hear(t, false);
    }
    for (uint64_t s = 1; s <= t->last; s++)
        if (t->fates[s] == UNTOUCHED && !t->seen[s])
            fail_msg("message %llu was never done, and does not come", (unsigned long long)s);
    leave(t);
    house_stop(t->house);
}

static void live(struct trial *t) {
    house_streams(t->house);
    listen(t);
    if (below(t, 3))
        sim_cut_at(t->house->host, 1 + below(t, 150));
    unsigned actions = 20 + (unsigned)below(t, 150);
    for (unsigned i = 0; i < actions && !is_down(t); i++)
        act(t);
    sim_cut_at(t->house->host, 0);
    end_life(t);
}

static void run_trial(uint64_t seed, const char *consumer, bool ack_all) {
    static struct trial trial;
    struct trial *t = &trial;
    memset(t, 0, sizeof *t);
    t->random = random_make(seed);
    t->ack_all = ack_all;
    t->house = house_open(seed, 1);
    t->house->journal_file_bytes = 64u << 10;
    house_streams(t->house);
    assert_non_null(kit_stream(t->house, "{'name':'S','subjects':['s.>']}"));
    assert_non_null(kit_consumer(t->house, "S", consumer));
    house_stop(t->house);
    for (unsigned i = 0; i < LIVES; i++) {
        live(t);
        judge(t);
    }
    house_close(t->house);
}

static void test_explicit_acknowledgements_hold_through_power_cuts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_trial(seed,
                  "{'durable_name':'C','ack_policy':'explicit','ack_wait':1000000000,"
                  "'max_ack_pending':-1}",
                  false);
}

static void test_acknowledgements_of_all_hold_through_power_cuts(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 200; seed++)
        run_trial(seed,
                  "{'durable_name':'C','ack_policy':'all','ack_wait':1000000000,"
                  "'max_ack_pending':-1}",
                  true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explicit_acknowledgements_hold_through_power_cuts),
        cmocka_unit_test(test_acknowledgements_of_all_hold_through_power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
