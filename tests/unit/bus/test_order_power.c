#include "bus_kit.h"

#include "base/number.h"
#include "base/random.h"
#include "wire/json.h"

/* Delivery in order per subject through power cuts, kills and stops, over many seeds. The oracle
   keeps of each subject the messages in order, and how far it has come:

       the last one delivered, L    may come again, in this life or the next
       the one behind L             only once L has been ended: acknowledged or terminated
       one before L                 only if it was terminated, so parked, and replayed; then, in
                                    this life, nothing else of the subject until it has been ended
       any other                    never

   At the end everything is acknowledged, and all that was confirmed to its publisher has come. */

#define MESSAGES_MAX 400u
#define SUBJECTS 6u
#define LIVES 4u

struct line {
    unsigned sequences[MESSAGES_MAX];
    unsigned count, last; /* last: place of L, counted from 1; 0: nothing has come */
    unsigned open;        /* sequence delivered in this life and not ended; 0 = none */
    bool last_ended;
};

struct trial {
    struct house *house;
    struct random random;
    struct catcher inbox, stored;
    struct line lines[SUBJECTS];
    bool terminated[MESSAGES_MAX], confirmed[MESSAGES_MAX], seen[MESSAGES_MAX];
    bool ended[MESSAGES_MAX]; /* in this life; what was on its way twice is no new delivery */
    unsigned inbox_at, stored_at, asked;
    bool draining;
};

static uint64_t below(struct trial *t, uint64_t bound) {
    return random_below(&t->random, bound);
}

static bool is_down(const struct trial *t) {
    return sim_host_down(t->house->host);
}

static void listen(struct trial *t) {
    catcher_open(&t->inbox, t->house->bus[0], "_INBOX.me", NULL);
    catcher_open(&t->stored, t->house->bus[0], "_INBOX.stored", NULL);
    t->inbox_at = t->stored_at = 0;
    memset(t->ended, 0, sizeof t->ended);
    for (unsigned i = 0; i < SUBJECTS; i++)
        t->lines[i].open = 0;
}

static void leave(struct trial *t) {
    catcher_close(&t->inbox);
    catcher_close(&t->stored);
}

static void hear_stored(struct trial *t, const struct bus_message *m) {
    struct json_doc doc;
    uint64_t sequence = 0;
    json_init(&doc);
    assert_int_equal(json_parse(&doc, m->payload), 0);
    if (json_type_of(json_member(json_root(&doc), slice_lit("error"))) == JSON_ABSENT) {
        assert_int_equal(json_u64(json_member(json_root(&doc), slice_lit("seq")), &sequence), 0);
        assert_true(sequence < MESSAGES_MAX);
        t->confirmed[sequence] = true;
    }
    json_free(&doc);
}

/* The place of SEQUENCE among its subject's, which are heard of in order. */
static unsigned place_of(struct line *line, unsigned sequence) {
    for (unsigned i = 0; i < line->count; i++)
        if (line->sequences[i] == sequence)
            return i + 1;
    return 0;
}

static void judge_order(struct trial *t, struct line *line, unsigned sequence) {
    unsigned place = place_of(line, sequence);
    if (line->open && line->open != sequence)
        fail_msg("%u comes while %u of its subject is in flight", sequence, line->open);
    line->open = t->ended[sequence] ? 0 : sequence;
    if (place && place < line->last) {
        if (!t->terminated[sequence])
            fail_msg("%u comes again behind %u", sequence, line->sequences[line->last - 1]);
        return;
    }
    if (place)
        return;
    if (line->count && line->sequences[line->count - 1] > sequence)
        fail_msg("%u was left out, and comes behind %u", sequence,
                 line->sequences[line->count - 1]);
    if (line->last && !line->last_ended)
        fail_msg("%u comes before %u was done", sequence, line->sequences[line->last - 1]);
    line->sequences[line->count++] = sequence;
    line->last = line->count;
    line->last_ended = false;
}

static void end(struct trial *t, struct line *line, unsigned index, const char *body) {
    unsigned sequence = (unsigned)kit_address(catcher_at(&t->inbox, index)).stream;
    line->open = 0;
    t->ended[sequence] = true;
    if (line->sequences[line->last - 1] == sequence)
        line->last_ended = true;
    if (strcmp(body, "+TERM") == 0)
        t->terminated[sequence] = true;
    kit_ack(&t->inbox, index, body, NULL);
}

static void treat(struct trial *t, struct line *line, unsigned index) {
    unsigned what = t->draining ? 9 : (unsigned)below(t, 10);
    if (what < 2)
        return;
    if (what < 4)
        kit_ack(&t->inbox, index, what == 2 ? "-NAK" : "+WPI", NULL);
    else
        end(t, line, index, what < 6 ? "+TERM" : "+ACK");
}

/* What has come before the power failed has come; only, nobody answers it any more. */
static void hear(struct trial *t) {
    for (; t->stored_at < t->stored.count; t->stored_at++)
        hear_stored(t, catcher_at(&t->stored, t->stored_at));
    for (; t->inbox_at < t->inbox.count; t->inbox_at++) {
        const struct bus_message *m = catcher_at(&t->inbox, t->inbox_at);
        if (!m->reply.len)
            continue; /* a status */
        struct line *line = &t->lines[m->subject.ptr[2] - 'a'];
        unsigned sequence = (unsigned)kit_address(m).stream;
        assert_true(sequence < MESSAGES_MAX);
        judge_order(t, line, sequence);
        t->seen[sequence] = true;
        if (!is_down(t))
            treat(t, line, t->inbox_at);
    }
}

/* --- lives --------------------------------------------------------------------------------------
 */

static void publish(struct trial *t) {
    char subject[] = "s.a";
    if (t->asked + 1 >= MESSAGES_MAX - 1)
        return;
    uint64_t which = below(t, SUBJECTS * 2);
    subject[2] = (char)('a' + (which < SUBJECTS ? which : 0)); /* half of them to one subject */
    t->asked++;
    ask(t->house->bus[0], subject, "_INBOX.stored", "x");
}

static void replay_some(struct trial *t, struct consumer *c) {
    struct consumer_parked parked;
    if (consumer_parked_next(c, below(t, t->asked + 1), &parked))
        assert_int_equal(consumer_parked_replay(c, parked.sequence), 0);
}

static void act(struct trial *t) {
    struct consumer *c = kit_find_consumer(t->house, "S", "C");
    unsigned what = (unsigned)below(t, 12);
    if (what < 5)
        publish(t);
    else if (what < 7)
        kit_pull(c, "_INBOX.me", 1 + (unsigned)below(t, 10), SIM_SECOND);
    else if (what == 7)
        replay_some(t, c);
    else if (what == 8 && below(t, 10) == 0)
        log_checkpoint(t->house->log, NULL, NULL);
    else
        house_run(t->house, below(t, 20) * SIM_MILLISECOND);
    hear(t);
}

static void end_life(struct trial *t) {
    leave(t);
    if (is_down(t) || below(t, 3) == 0)
        house_cut(t->house);
    else if (below(t, 2))
        house_kill(t->house);
    else
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

/* Everything is acknowledged until nothing comes any more. */
static void drain(struct trial *t) {
    house_streams(t->house);
    listen(t);
    t->draining = true;
    struct consumer *c = kit_find_consumer(t->house, "S", "C");
    for (unsigned i = 0; i < MESSAGES_MAX; i++) {
        struct consumer_info info = consumer_info(c);
        if (!info.pending && !info.ack_pending)
            break;
        kit_pull(c, "_INBOX.me", MESSAGES_MAX, SIM_SECOND);
        house_run(t->house, 100 * SIM_MILLISECOND);
        hear(t);
    }
    for (unsigned s = 1; s < MESSAGES_MAX; s++)
        if (t->confirmed[s] && !t->seen[s])
            fail_msg("message %u does not come", s);
    leave(t);
}

static void run_trial(uint64_t seed, unsigned shards) {
    static struct trial trial;
    struct trial *t = &trial;
    memset(t, 0, sizeof *t);
    t->random = random_make(seed);
    t->house = house_open(seed, shards);
    t->house->journal_file_bytes = 64u << 10;
    house_streams(t->house);
    assert_non_null(kit_stream(t->house, seed % 3 ? "{'name':'S','subjects':['s.>']}"
                                                  : "{'name':'S','subjects':['s.>'],"
                                                    "'retention':'workqueue'}"));
    assert_non_null(kit_consumer(t->house, "S",
                                 "{'durable_name':'C','ack_policy':'explicit',"
                                 "'ack_wait':1000000000,'metadata':{'nonet.park':'true',"
                                 "'nonet.ordered':'subject'}}"));
    house_stop(t->house);
    for (unsigned i = 0; i < LIVES; i++)
        live(t);
    drain(t);
    house_close(t->house);
}

static void test_order_holds_through_power_cuts_kills_and_stops(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        run_trial(seed, seed % 4 ? 1 : 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_holds_through_power_cuts_kills_and_stops),
    };
    return cmocka_run_group_tests_name("bus_order_power", tests, NULL, NULL);
}
