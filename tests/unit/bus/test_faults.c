#include "bus_kit.h"

#include "base/number.h"
#include "bus/stream_config.h"
#include "wire/json.h"

/* One life of streams and consumers, with each allocation and each io call failing once, in turn.
   No crash, no leak; whoever asked is answered once; and after a restart whatever was confirmed
   holds: a message that was acknowledged to its publisher is there, one whose acknowledgement was
   confirmed does not come again. */

#define MESSAGES 12u

struct life {
    struct house *house;
    struct catcher inbox, stored, confirmed;
    bool stored_at[MESSAGES * 4 + 1], confirmed_at[MESSAGES * 4 + 1];
    unsigned asked, answered;
    unsigned long nth;
};

static void on_stream(void *self, struct stream *stream, const struct streams_error *error) {
    (void)stream;
    (void)error;
    ((struct life *)self)->answered++;
}

static void on_consumer(void *self, struct consumer *consumer, const struct streams_error *error) {
    (void)consumer;
    (void)error;
    ((struct life *)self)->answered++;
}

static void on_purged(void *self, uint64_t purged, const struct streams_error *error) {
    (void)purged;
    (void)error;
    ((struct life *)self)->answered++;
}

static void on_got(void *self, const struct log_record *record, const struct streams_error *error) {
    (void)record;
    (void)error;
    ((struct life *)self)->answered++;
}

static struct stream_config stream_config_s(void) {
    struct stream_config config = {.name = slice_lit("S"),
                                   .subject_count = 1,
                                   .consumers_max = -1,
                                   .messages_max = -1,
                                   .bytes_max = -1,
                                   .messages_per_subject_max = -1,
                                   .message_bytes_max = -1};
    config.subjects[0] = slice_lit("s.>");
    return config;
}

static void create(struct life *life) {
    struct stream_config config = stream_config_s();
    struct consumer_config consumer = {
        .name = slice_lit("C"), .durable = true, .ack = ACK_EXPLICIT, .ack_wait_ns = SIM_SECOND};
    life->asked++;
    stream_create(life->house->streams, &config, on_stream, life);
    house_run(life->house, 50 * SIM_MILLISECOND);
    struct stream *stream = kit_find(life->house, "S");
    if (!stream)
        return;
    life->asked++;
    consumer_create(stream, &consumer, on_consumer, life);
    consumer.name = slice_lit("L");
    consumer.deliver = DELIVER_LAST_PER_SUBJECT;
    consumer.filter = slice_lit("s.*");
    life->asked++;
    consumer_create(stream, &consumer, on_consumer, life);
    consumer.name = slice_lit("O");
    consumer.deliver = DELIVER_ALL;
    consumer.filter = (slice){0};
    consumer.metadata = slice_lit("{\"nonet.ordered\":\"subject\",\"nonet.park\":\"true\"}");
    life->asked++;
    consumer_create(stream, &consumer, on_consumer, life);
    house_run(life->house, 50 * SIM_MILLISECOND);
}

static void hear(struct life *life) {
    for (unsigned i = 0; i < life->stored.count; i++) {
        struct json_doc doc;
        uint64_t sequence = 0;
        json_init(&doc);
        assert_int_equal(json_parse(&doc, catcher_at(&life->stored, i)->payload), 0);
        json_value error = json_member(json_root(&doc), slice_lit("error"));
        bool fine = json_type_of(error) == JSON_ABSENT &&
                    json_u64(json_member(json_root(&doc), slice_lit("seq")), &sequence) == 0;
        json_free(&doc);
        if (fine)
            life->stored_at[sequence] = true;
    }
    for (unsigned i = 0; i < life->confirmed.count; i++) {
        slice number = slice_skip(catcher_at(&life->confirmed, i)->subject, strlen("_C."));
        uint64_t sequence;
        assert_int_equal(number_parse_u64(number, &sequence), 0);
        life->confirmed_at[sequence] = true;
    }
}

/* Of each subject one message at a time, of which every other one is parked, and replayed. */
static void consume_in_order(struct life *life) {
    struct house *house = life->house;
    struct consumer *o = kit_find_consumer(house, "S", "O");
    struct consumer_parked parked;
    if (!o)
        return;
    kit_pull(o, "_INBOX.ordered", MESSAGES, 100 * SIM_MILLISECOND);
    for (unsigned round = 0; round < 4; round++) {
        unsigned from = life->inbox.count;
        house_run(house, 10 * SIM_MILLISECOND);
        for (unsigned i = from; i < life->inbox.count; i++)
            if (slice_starts_with(catcher_at(&life->inbox, i)->reply, slice_lit("$JS.ACK.S.O.")))
                kit_ack(&life->inbox, i, round % 2 ? "+TERM" : "+ACK", NULL);
        o = kit_find_consumer(house, "S", "O");
        if (o && consumer_parked_next(o, 0, &parked))
            (void)!consumer_parked_replay(o, parked.sequence);
    }
}

static void publish_and_consume(struct life *life) {
    struct house *house = life->house;
    for (unsigned i = 0; i < MESSAGES; i++)
        ask(house->bus[0], i % 2 ? "s.a" : "s.b", "_STORED", "payload");
    house_run(house, 50 * SIM_MILLISECOND);
    struct consumer *c = kit_find_consumer(house, "S", "C");
    struct consumer *l = kit_find_consumer(house, "S", "L");
    if (l)
        kit_pull(l, "_INBOX.last", 5, 20 * SIM_MILLISECOND);
    if (!c)
        return;
    consume_in_order(life);
    kit_pull(c, "_INBOX.me", MESSAGES, 100 * SIM_MILLISECOND);
    house_run(house, 50 * SIM_MILLISECOND);
    for (unsigned i = 0; i < life->inbox.count; i++) {
        const struct bus_message *m = catcher_at(&life->inbox, i);
        char reply[32];
        if (!slice_starts_with(m->reply, slice_lit("$JS.ACK.S.C.")))
            continue;
        uint64_t sequence = kit_address(m).stream;
        snprintf(reply, sizeof reply, "_C.%u", (unsigned)sequence);
        if (sequence % 3 == 0)
            kit_ack(&life->inbox, i, "-NAK", NULL);
        else if (sequence % 3 == 1)
            kit_ack(&life->inbox, i, "+ACK", reply);
        consumer_info(c);
    }
    house_run(house, 50 * SIM_MILLISECOND);
}

static void change(struct life *life) {
    struct house *house = life->house;
    struct stream *stream = kit_find(house, "S");
    if (!stream)
        return;
    struct stream_config config = stream_config_s();
    config.description = slice_lit("changed");
    life->asked += 4;
    stream_update(house->streams, &config, on_stream, life);
    stream_get(stream, 2, (slice){0}, on_got, life);
    stream_delete_message(stream, 5, true, on_stream, life);
    stream_purge(stream, slice_lit("s.x"), 0, 0, on_purged, life);
    struct consumer *l = kit_find_consumer(house, "S", "L");
    if (l) {
        life->asked++;
        consumer_delete(l, on_consumer, life);
    }
    log_checkpoint(house->log, NULL, NULL);
    house_run(house, 100 * SIM_MILLISECOND);
}

static void listen(struct life *life) {
    static const char *const subjects[] = {"_INBOX.*", "_STORED", "_C.*"};
    struct catcher *catchers[] = {&life->inbox, &life->stored, &life->confirmed};
    for (unsigned i = 0; i < array_count(subjects); i++)
        catcher_open(catchers[i], life->house->bus[0], subjects[i], NULL);
    house_run(life->house, 50 * SIM_MILLISECOND);
}

static void leave(struct life *life) {
    catcher_close(&life->inbox);
    catcher_close(&life->stored);
    catcher_close(&life->confirmed);
}

static void judge(struct life *life) {
    struct house *house = life->house;
    assert_int_equal(life->asked, life->answered);
    house_kill(house);
    house_streams(house);
    struct stream *stream = kit_find(house, "S");
    for (uint64_t s = 1; s <= MESSAGES * 4; s++)
        if (life->stored_at[s]) {
            assert_non_null(stream);
            struct log_record record;
            int failed = log_read(house->log, stream_log(stream), s, &record);
            if (failed && failed != -EINPROGRESS && s != 5) /* deleted, perhaps */
                fail_msg("attempt %lu: message %u is lost: %d", life->nth, (unsigned)s, failed);
        }
    struct consumer *c = stream ? kit_find_consumer(house, "S", "C") : NULL;
    if (c) {
        struct catcher inbox;
        catcher_open(&inbox, house->bus[0], "_INBOX.me", NULL);
        for (unsigned i = 0; i < 2; i++) {
            kit_pull(c, "_INBOX.me", 100, 1500 * SIM_MILLISECOND);
            house_run(house, 1500 * SIM_MILLISECOND);
        }
        for (unsigned i = 0; i < inbox.count; i++)
            if (catcher_at(&inbox, i)->reply.len &&
                life->confirmed_at[kit_address(catcher_at(&inbox, i)).stream])
                fail_msg("attempt %lu: message %u was done, and comes again", life->nth,
                         (unsigned)kit_address(catcher_at(&inbox, i)).stream);
        catcher_close(&inbox);
    }
    for (uint64_t s = 1; s <= MESSAGES * 4; s++)
        assert_true(!life->confirmed_at[s] || c);
    house_close(house);
}

enum kind { MEMORY, IO };

/* One life with the NTH attempt failing. Whether it was reached. */
static bool run(enum kind kind, unsigned long nth) {
    static struct life life;
    memset(&life, 0, sizeof life);
    life.nth = nth;
    struct house *house = life.house = house_open(41, 2);
    listen(&life);
    unsigned long before = kind == MEMORY ? mem_attempts() : sim_io_attempts(house->sim);
    if (kind == MEMORY)
        mem_fail_at(nth, false);
    else
        sim_fail_io_at(house->sim, nth, false);
    if (house_try_streams(house) == 0) {
        create(&life);
        publish_and_consume(&life);
        change(&life);
        publish_and_consume(&life);
    }
    unsigned long made = (kind == MEMORY ? mem_attempts() : sim_io_attempts(house->sim)) - before;
    mem_fail_at(0, false);
    sim_fail_io_at(house->sim, 0, false);
    house_run(house, 200 * SIM_MILLISECOND);
    hear(&life);
    leave(&life);
    judge(&life);
    return made >= nth;
}

static void test_each_failed_allocation(void **state) {
    (void)state;
    unsigned long nth = 1;
    while (run(MEMORY, nth))
        nth++;
    print_message("%lu allocations failed in turn\n", nth);
    assert_true(nth > 200);
}

static void test_each_failed_io_call(void **state) {
    (void)state;
    unsigned long nth = 1;
    while (run(IO, nth))
        nth++;
    print_message("%lu io calls failed in turn\n", nth);
    assert_true(nth > 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_failed_allocation),
        cmocka_unit_test(test_each_failed_io_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
