#include "bus_kit.h"

#include "base/buf.h"
#include "wire/json.h"

/* Streams: what is captured, judged, acknowledged; create, update, delete, get, purge. */

static const unsigned shard_counts[] = {1, 2, 4};

static struct house *open_house(unsigned shards, const char *config) {
    struct house *house = house_open(31, shards);
    house_streams(house);
    if (config && !kit_stream(house, config))
        fail_msg("%s", kit_error.description);
    return house;
}

struct ack {
    uint64_t seq, err_code;
    bool duplicate;
};

static struct ack read_ack(const struct bus_message *m) {
    struct json_doc doc;
    struct ack ack = {0};
    json_init(&doc);
    assert_int_equal(json_parse(&doc, m->payload), 0);
    json_value root = json_root(&doc);
    assert_int_equal(json_u64(json_member(root, slice_lit("seq")), &ack.seq), 0);
    if (json_bool(json_member(root, slice_lit("duplicate")), &ack.duplicate))
        ack.duplicate = false;
    json_value error = json_member(root, slice_lit("error"));
    if (json_u64(json_member(error, slice_lit("err_code")), &ack.err_code))
        ack.err_code = 0;
    json_free(&doc);
    return ack;
}

/* Publishes with headers ("Key: value\r\n" ...) and waits for the acknowledgement. */
static struct ack put(struct house *house, const char *subject, const char *headers,
                      const char *payload) {
    struct catcher acks;
    struct buf block = buf_make(65536);
    catcher_open(&acks, house_last(house), "_INBOX.put", NULL);
    if (headers[0])
        assert_int_equal(buf_printf(&block, "NATS/1.0\r\n%s\r\n", headers), 0);
    struct bus_message m = {.subject = slice_str(subject),
                            .reply = slice_lit("_INBOX.put"),
                            .headers = buf_slice(&block),
                            .payload = slice_str(payload)};
    assert_int_equal(bus_publish(house_last(house), &m, NULL, NULL), 1);
    catcher_wait(house, &acks, 1);
    struct ack ack = read_ack(catcher_at(&acks, 0));
    buf_free(&block);
    catcher_close(&acks);
    return ack;
}

static struct log_stream_state state_of(struct house *house) {
    return log_stream_state(stream_log(kit_find(house, "S")));
}

/* --- capture ------------------------------------------------------------------------------------
 */

static void test_an_acknowledgement_comes_when_the_message_is_on_disk(void **state) {
    (void)state;
    for (unsigned n = 0; n < array_count(shard_counts); n++) {
        struct house *house = open_house(shard_counts[n], "{'name':'S','subjects':['s.>','t']}");
        struct catcher acks, live;
        catcher_open(&acks, house->bus[0], "_INBOX.ack", NULL);
        catcher_open(&live, house->bus[0], "s.a", NULL);
        house_run(house, 20 * SIM_MILLISECOND);
        assert_true(ask(house->bus[0], "s.a", "_INBOX.ack", "hello") > 0);
        assert_int_equal(acks.count, 0);
        catcher_wait(house, &acks, 1);
        assert_slice(catcher_at(&acks, 0)->payload, "{\"stream\":\"S\",\"seq\":1}");
        assert_int_equal(live.count, 1);
        ask(house->bus[0], "t", "_INBOX.ack", "x");
        ask(house->bus[0], "t", NULL, "no answer wanted");
        ask(house->bus[0], "t", "_INBOX.ack", "x");
        catcher_wait(house, &acks, 3);
        assert_int_equal(read_ack(catcher_at(&acks, 2)).seq, 4);
        catcher_close(&acks);
        catcher_close(&live);
        house_kill(house);
        house_streams(house);
        assert_int_equal(state_of(house).messages, 4);
        house_close(house);
    }
}

/* For messages that a stream has got already, when plain subscribers are to hear of them. */
static void test_what_has_the_streams_as_its_origin_is_not_captured(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s.>']}");
    struct catcher live;
    catcher_open(&live, house->bus[0], "s.a", NULL);
    struct bus_message message = {.subject = slice_lit("s.a"), .payload = slice_lit("x")};
    assert_int_equal(bus_publish(house->bus[0], &message, house->streams, NULL), 1);
    assert_int_equal(live.count, 1);
    assert_int_equal(bus_publish(house->bus[0], &message, NULL, NULL), 2);
    house_run(house, SIM_SECOND);
    assert_int_equal(live.count, 2);
    assert_int_equal(state_of(house).messages, 1);
    catcher_close(&live);
    house_close(house);
}

static void test_a_duplicate_id_is_answered_and_not_stored(void **state) {
    (void)state;
    struct house *house =
        open_house(1, "{'name':'S','subjects':['s'],'duplicate_window':2000000000}");
    assert_int_equal(put(house, "s", "Nats-Msg-Id: a\r\n", "1").seq, 1);
    assert_int_equal(put(house, "s", "Nats-Msg-Id: b\r\n", "2").seq, 2);
    struct ack again = put(house, "s", "Nats-Msg-Id: a\r\n", "1");
    assert_int_equal(again.seq, 1);
    assert_true(again.duplicate);
    house_stop(house); /* the window is in the log */
    house_streams(house);
    again = put(house, "s", "Nats-Msg-Id: b\r\n", "2");
    assert_int_equal(again.seq, 2);
    assert_true(again.duplicate);
    house_run(house, 3 * SIM_SECOND);
    again = put(house, "s", "Nats-Msg-Id: a\r\n", "1");
    assert_int_equal(again.seq, 3);
    assert_false(again.duplicate);
    assert_int_equal(state_of(house).messages, 3);
    house_close(house);
}

static void test_of_repeated_headers_the_first_counts(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    assert_int_equal(put(house, "s", "Nats-Msg-Id: a\r\nNats-Msg-Id: b\r\n", "").seq, 1);
    for (unsigned restart = 0; restart < 2; restart++) {
        assert_true(put(house, "s", "Nats-Msg-Id: a\r\n", "").duplicate);
        assert_false(put(house, "s", "Nats-Msg-Id:\r\nNats-Msg-Id: a\r\n", "").duplicate);
        house_stop(house); /* the ids are read back from the log */
        house_streams(house);
    }
    assert_false(put(house, "s", "Nats-Msg-Id: b\r\n", "").duplicate); /* 4 */
    static const struct {
        const char *headers;
        unsigned err_code;
    } cases[] = {
        {"Nats-Expected-Stream: T\r\nNats-Expected-Stream: S\r\n", 10060},
        {"Nats-Expected-Last-Msg-Id: x\r\nNats-Expected-Last-Msg-Id: b\r\n", 10070},
        {"Nats-Expected-Last-Sequence: 9\r\nNats-Expected-Last-Sequence: 4\r\n", 10071},
        {"Nats-Expected-Last-Sequence: four\r\nNats-Expected-Last-Sequence: 4\r\n", 10003},
        {"Nats-Expected-Last-Subject-Sequence: 9\r\nNats-Expected-Last-Subject-Sequence: 4\r\n",
         10071},
        {"Nats-Rollup: sub\r\nNats-Rollup:\r\n", 10111},
        {"Nats-Expected-Last-Sequence: 4\r\nNats-Expected-Last-Sequence: 9\r\n", 0}, /* 5 */
        {"Nats-Expected-Last-Sequence: 5\r\nNats-Expected-Last-Sequence: six\r\n", 0},
    };
    for (unsigned i = 0; i < array_count(cases); i++)
        assert_int_equal(put(house, "s", cases[i].headers, "").err_code, cases[i].err_code);
    house_close(house);
}

/* "duplicate" too is a promise: it is not given before the original is on disk. */
static void test_a_duplicate_is_answered_behind_the_original(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    struct catcher acks;
    catcher_open(&acks, house->bus[0], "_INBOX.*", NULL);
    struct bus_message m = {.subject = slice_lit("s"),
                            .reply = slice_lit("_INBOX.1"),
                            .headers = slice_lit("NATS/1.0\r\nNats-Msg-Id: a\r\n\r\n")};
    bus_publish(house->bus[0], &m, NULL, NULL);
    m.reply = slice_lit("_INBOX.2");
    bus_publish(house->bus[0], &m, NULL, NULL);
    catcher_wait(house, &acks, 2);
    assert_slice(catcher_at(&acks, 0)->subject, "_INBOX.1");
    assert_slice(catcher_at(&acks, 1)->subject, "_INBOX.2");
    assert_true(read_ack(catcher_at(&acks, 1)).duplicate);
    catcher_close(&acks);
    house_close(house);
}

static void test_expectations_are_judged_and_ids_come_first(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s.*']}");
    assert_int_equal(
        put(house, "s.a", "Nats-Expected-Last-Sequence: 0\r\nNats-Msg-Id: x\r\n", "").seq, 1);
    static const struct {
        const char *headers;
        unsigned err_code;
    } cases[] = {
        {"Nats-Expected-Stream: S\r\n", 0}, /* 2 */
        {"Nats-Expected-Stream: T\r\n", 10060},
        {"Nats-Expected-Last-Sequence: 1\r\n", 10071},
        {"Nats-Expected-Last-Sequence: 2\r\n", 0}, /* 3 */
        {"Nats-Expected-Last-Subject-Sequence: 1\r\n", 10071},
        {"Nats-Expected-Last-Subject-Sequence: 3\r\n", 0}, /* 4 */
        {"Nats-Expected-Last-Msg-Id: x\r\n", 10070},
        {"Nats-Msg-Id: y\r\n", 0},               /* 5 */
        {"Nats-Expected-Last-Msg-Id: y\r\n", 0}, /* 6 */
        {"Nats-Expected-Last-Sequence: six\r\n", 10003},
        {"Nats-Rollup: all\r\n", 10111},
    };
    for (unsigned i = 0; i < array_count(cases); i++)
        assert_int_equal(put(house, "s.a", cases[i].headers, "").err_code, cases[i].err_code);
    /* A retry of what was accepted succeeds, whatever has happened since. */
    struct ack retry =
        put(house, "s.a", "Nats-Msg-Id: x\r\nNats-Expected-Last-Sequence: 0\r\n", "");
    assert_true(retry.duplicate);
    assert_int_equal(retry.seq, 1);
    assert_int_equal(put(house, "s.b", "Nats-Expected-Last-Subject-Sequence: 0\r\n", "").seq, 7);
    house_close(house);
}

static void test_limits_drop_the_oldest_or_refuse_the_newest(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s'],'max_msgs':3}");
    kit_fill(house, "s", 10);
    assert_int_equal(state_of(house).messages, 3);
    assert_int_equal(state_of(house).first_sequence, 8);
    house_close(house);
    house = open_house(1, "{'name':'S','subjects':['s.*'],'max_msgs':3,'discard':'new',"
                          "'max_msg_size':5}");
    kit_fill(house, "s.a", 3);
    assert_int_equal(put(house, "s.a", "", "x").err_code, 10077);
    assert_int_equal(put(house, "s.a", "", "too long").err_code, 10054);
    assert_int_equal(state_of(house).messages, 3);
    house_close(house);
    house = open_house(1, "{'name':'S','subjects':['s.*'],'max_msgs_per_subject':1,"
                          "'discard':'new','discard_new_per_subject':true}");
    kit_fill(house, "s.a", 1);
    assert_int_equal(put(house, "s.a", "", "x").err_code, 10077);
    assert_int_equal(put(house, "s.b", "", "x").err_code, 0);
    house_close(house);
    house = open_house(1, "{'name':'S','subjects':['s.*'],'max_msgs_per_subject':2}");
    kit_fill(house, "s.a", 5);
    kit_fill(house, "s.b", 5);
    assert_int_equal(state_of(house).messages, 4);
    house_close(house);
    house = open_house(1, "{'name':'S','subjects':['s'],'max_age':1000000000}");
    kit_fill(house, "s", 5);
    house_run(house, 3 * SIM_SECOND);
    assert_int_equal(state_of(house).messages, 0);
    house_close(house);
}

static int refuse_odd(void *self, struct log_batch *batch, const struct bus_message *message,
                      uint64_t sequence, struct streams_error *ret_error) {
    (void)batch;
    unsigned *seen = self;
    ++*seen;
    if (message->payload.len % 2 == 0)
        return 0;
    streams_fail(ret_error, 400, 10003, "odd at %llu", (unsigned long long)sequence);
    return -EPERM;
}

static void test_a_participant_sees_each_message_and_may_refuse_it(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    unsigned seen = 0;
    struct stream_participant participant = {refuse_odd, &seen};
    assert_int_equal(bus_on_append(kit_find(house, "S"), &participant), 0);
    assert_int_equal(put(house, "s", "", "even").seq, 1);
    assert_int_equal(put(house, "s", "", "odd").err_code, 10003);
    assert_int_equal(put(house, "s", "", "even").seq, 2);
    assert_int_equal(seen, 3);
    for (unsigned i = 1; i < STREAM_PARTICIPANTS_MAX; i++)
        assert_int_equal(bus_on_append(kit_find(house, "S"), &participant), 0);
    assert_int_equal(bus_on_append(kit_find(house, "S"), &participant), -ENOBUFS);
    house_close(house);
}

static void test_over_the_hard_mark_publishes_are_refused_and_publishers_told(void **state) {
    (void)state;
    struct house *house = house_open(33, 2);
    house->journal_file_bytes = 64u << 10;
    house_streams(house);
    assert_non_null(kit_stream(house, "{'name':'S','subjects':['s']}"));
    struct catcher acks;
    catcher_open(&acks, house_last(house), "_INBOX.ack", NULL);
    static char large[4097];
    memset(large, 'x', sizeof large - 1);
    unsigned refused = 0;
    for (unsigned i = 0; i < 200; i++)
        ask(house_last(house), "s", "_INBOX.ack", large);
    assert_true(bus_full(house_last(house)));
    catcher_wait(house, &acks, 200);
    for (unsigned i = 0; i < 200; i++)
        refused += read_ack(catcher_at(&acks, i)).err_code == 10167;
    assert_true(refused > 0 && refused < 200);
    house_run(house, SIM_SECOND);
    assert_false(bus_full(house_last(house)));
    assert_false(bus_full(house->bus[0]));
    assert_int_equal(state_of(house).messages, 200 - refused);
    catcher_close(&acks);
    house_close(house);
}

/* --- create, update, delete
 * ----------------------------------------------------------------------- */

static void test_streams_are_created_once_and_survive(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    struct stream *s = kit_find(house, "S");
    assert_ptr_equal(kit_stream(house, "{'name':'S','subjects':['s']}"), s);
    assert_null(kit_stream(house, "{'name':'S','subjects':['x']}"));
    assert_int_equal(kit_error.err_code, 10058);
    assert_null(kit_stream(house, "{'name':'T','subjects':['>']}"));
    assert_int_equal(kit_error.err_code, 10052);
    assert_null(kit_stream(house, "{'name':'T','subjects':['*']}"));
    assert_int_equal(kit_error.err_code, 10065);
    assert_non_null(kit_stream(house, "{'name':'B','subjects':['b'],'description':'d'}"));
    assert_non_null(kit_stream(house, "{'name':'A','subjects':['a']}"));
    int64_t created = stream_created_ns(kit_find(house, "B"));
    house_kill(house);
    house_streams(house);
    static const char *const sorted[] = {"A", "B", "S"};
    struct stream *at = NULL;
    for (unsigned i = 0; i < 3; i++) {
        at = stream_next(house->streams, at ? stream_config(at)->name : (slice){0});
        assert_slice(stream_config(at)->name, sorted[i]);
    }
    assert_null(stream_next(house->streams, stream_config(at)->name));
    assert_slice(stream_config(kit_find(house, "B"))->description, "d");
    assert_int_equal(stream_created_ns(kit_find(house, "B")), created);
    assert_int_equal(put(house, "b", "", "").seq, 1);
    house_close(house);
}

static void test_an_update_changes_what_is_captured(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s.a'],'max_msgs':100}");
    assert_null(kit_update(house, "{'name':'T','subjects':['t']}"));
    assert_int_equal(kit_error.err_code, 10059);
    kit_fill(house, "s.a", 5);
    assert_non_null(kit_consumer(house, "S", "{'durable_name':'C'}"));
    assert_ptr_equal(kit_update(house, "{'name':'S','subjects':['s.b'],'max_msgs':2}"),
                     kit_find(house, "S"));
    assert_int_equal(say(house->bus[0], "s.a", ""), 0);
    assert_int_equal(say(house->bus[0], "s.b", ""), 1);
    house_run(house, SIM_SECOND);
    assert_int_equal(state_of(house).messages, 2);
    assert_non_null(kit_find_consumer(house, "S", "C"));
    assert_null(kit_update(house, "{'name':'S','subjects':['s.b'],'storage':'memory'}"));
    assert_int_equal(kit_error.err_code, 10052);
    house_stop(house);
    house_streams(house);
    assert_slice(stream_config(kit_find(house, "S"))->subjects[0], "s.b");
    assert_int_equal(say(house->bus[0], "s.a", ""), 0);
    house_close(house);
}

static void test_a_deleted_stream_is_gone_with_its_messages(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    kit_fill(house, "s", 5);
    assert_true(kit_delete_stream(house, "S"));
    assert_false(kit_delete_stream(house, "S"));
    assert_int_equal(kit_error.err_code, 10059);
    assert_int_equal(say(house->bus[0], "s", ""), 0);
    assert_non_null(kit_stream(house, "{'name':'S','subjects':['s']}"));
    assert_int_equal(put(house, "s", "", "").seq, 1);
    house_stop(house);
    house_streams(house);
    assert_int_equal(state_of(house).messages, 1);
    house_close(house);
}

static void test_a_name_finds_its_own_stream_whichever_were_found_before(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    const char *const names[] = {"S", "T", "U", "none"};
    const struct stream *streams[] = {kit_find(house, "S"),
                                      kit_stream(house, "{'name':'T','subjects':['t']}"),
                                      kit_stream(house, "{'name':'U','subjects':['u']}"), NULL};
    for (unsigned i = 0; i < 4 * 4 * 4; i++) {
        assert_ptr_equal(kit_find(house, names[i / 16]), streams[i / 16]);
        assert_ptr_equal(kit_find(house, names[i / 4 % 4]), streams[i / 4 % 4]);
        assert_ptr_equal(kit_find(house, names[i % 4]), streams[i % 4]);
    }
    assert_non_null(kit_find(house, "T"));
    assert_non_null(kit_find(house, "U"));
    assert_true(kit_delete_stream(house, "T"));
    assert_null(kit_find(house, "T"));
    assert_non_null(kit_find(house, "U"));
    house_close(house);
}

static void test_streams_in_memory_are_gone_after_a_restart(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s'],'storage':'memory'}");
    kit_fill(house, "s", 5);
    assert_int_equal(put(house, "s", "Nats-Msg-Id: a\r\n", "").seq, 6);
    assert_true(put(house, "s", "Nats-Msg-Id: a\r\n", "").duplicate);
    assert_int_equal(state_of(house).messages, 6);
    house_stop(house);
    house_streams(house);
    assert_null(kit_find(house, "S"));
    house_close(house);
}

/* --- reading
 * -------------------------------------------------------------------------------------- */

struct got {
    unsigned come;
    uint64_t sequence;
    unsigned err_code;
};

static void on_got(void *self, const struct log_record *record, const struct streams_error *error) {
    struct got *got = self;
    got->come++;
    got->sequence = record ? record->sequence : 0;
    got->err_code = error ? error->err_code : 0;
}

static struct got get(struct house *house, uint64_t sequence, const char *subject) {
    struct got got = {0};
    stream_get(kit_find(house, "S"), sequence, slice_str(subject), on_got, &got);
    house_until(house, &got.come);
    assert_int_equal(got.come, 1);
    return got;
}

static void test_messages_are_got_by_sequence_and_by_subject(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s.*']}");
    for (unsigned i = 0; i < 40; i++)
        kit_fill(house, i % 4 ? "s.a" : "s.b", 1);
    for (unsigned life = 0; life < 2; life++) { /* in memory, then from disk */
        assert_int_equal(get(house, 3, NULL).sequence, 3);
        assert_int_equal(get(house, 0, "s.b").sequence, 37);
        assert_int_equal(get(house, 6, "s.b").sequence, 9);
        assert_int_equal(get(house, 38, "s.b").err_code, 10037);
        assert_int_equal(get(house, 0, "s.c").err_code, 10037);
        assert_int_equal(get(house, 99, NULL).err_code, 10037);
        house_stop(house);
        house_streams(house);
    }
    house_close(house);
}

struct purged {
    unsigned come;
    uint64_t count;
    unsigned err_code;
};

static void on_purged(void *self, uint64_t count, const struct streams_error *error) {
    struct purged *purged = self;
    purged->come++;
    purged->count = count;
    purged->err_code = error ? error->err_code : 0;
}

static struct purged purge(struct house *house, const char *filter, uint64_t before,
                           uint64_t keep) {
    struct purged purged = {0};
    stream_purge(kit_find(house, "S"), slice_str(filter), before, keep, on_purged, &purged);
    house_until(house, &purged.come);
    assert_int_equal(purged.come, 1);
    return purged;
}

static void test_purges_take_what_they_say(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s.*']}");
    for (unsigned i = 0; i < 30; i++) {
        kit_fill(house, "s.a", 1);
        kit_fill(house, "s.b", 1);
    }
    assert_int_equal(purge(house, "s.a", 0, 25).count, 5);
    assert_int_equal(purge(house, "s.b", 11, 0).count, 5);
    assert_int_equal(state_of(house).messages, 50);
    assert_int_equal(purge(house, NULL, 21, 0).count, 10);
    assert_int_equal(purge(house, NULL, 0, 7).count, 33);
    assert_int_equal(state_of(house).messages, 7);
    assert_int_equal(purge(house, NULL, 5, 5).err_code, 10003);
    assert_int_equal(purge(house, NULL, 0, 0).count, 7);
    assert_int_equal(put(house, "s.a", "", "").seq, 61);
    house_stop(house);
    house_streams(house);
    assert_int_equal(state_of(house).messages, 1);
    house_close(house);
}

static void on_deleted(void *self, struct stream *stream, const struct streams_error *error) {
    (void)stream;
    struct purged *purged = self;
    purged->come++;
    purged->err_code = error ? error->err_code : 0;
}

static unsigned delete_message(struct house *house, uint64_t sequence) {
    struct purged purged = {0};
    stream_delete_message(kit_find(house, "S"), sequence, false, on_deleted, &purged);
    house_until(house, &purged.come);
    return purged.err_code;
}

static void test_single_messages_are_deleted_where_that_is_allowed(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    kit_fill(house, "s", 5);
    assert_int_equal(delete_message(house, 3), 0);
    assert_int_equal(delete_message(house, 3), 10043);
    assert_int_equal(delete_message(house, 9), 10043);
    assert_int_equal(get(house, 3, NULL).err_code, 10037);
    assert_int_equal(state_of(house).deleted, 1);
    assert_non_null(kit_update(house, "{'name':'S','subjects':['s'],'deny_delete':true,"
                                      "'deny_purge':true}"));
    assert_int_equal(delete_message(house, 2), 10057);
    assert_int_equal(purge(house, NULL, 0, 0).err_code, 10110);
    assert_null(kit_update(house, "{'name':'S','subjects':['s']}"));
    house_close(house);
}

/* --- the end
 * -------------------------------------------------------------------------------------- */

static void test_whoever_waits_is_told_that_the_node_stops(void **state) {
    (void)state;
    struct house *house = open_house(1, "{'name':'S','subjects':['s']}");
    kit_fill(house, "s", 500);
    struct purged deleted = {0}, purged = {0};
    stream_delete_message(kit_find(house, "S"), 3, true, on_deleted, &deleted);
    stream_purge(kit_find(house, "S"), slice_lit("s"), 0, 1, on_purged, &purged);
    streams_stop(house->streams);
    assert_int_equal(deleted.come, 1);
    assert_int_equal(deleted.err_code, 10008);
    assert_int_equal(purged.come, 1);
    assert_int_equal(purged.err_code, 10008);
    house_kill(house);
    assert_int_equal(deleted.come + purged.come, 2);
    house_close(house);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_acknowledgement_comes_when_the_message_is_on_disk),
        cmocka_unit_test(test_what_has_the_streams_as_its_origin_is_not_captured),
        cmocka_unit_test(test_a_duplicate_id_is_answered_and_not_stored),
        cmocka_unit_test(test_of_repeated_headers_the_first_counts),
        cmocka_unit_test(test_a_duplicate_is_answered_behind_the_original),
        cmocka_unit_test(test_expectations_are_judged_and_ids_come_first),
        cmocka_unit_test(test_limits_drop_the_oldest_or_refuse_the_newest),
        cmocka_unit_test(test_a_participant_sees_each_message_and_may_refuse_it),
        cmocka_unit_test(test_over_the_hard_mark_publishes_are_refused_and_publishers_told),
        cmocka_unit_test(test_streams_are_created_once_and_survive),
        cmocka_unit_test(test_an_update_changes_what_is_captured),
        cmocka_unit_test(test_a_deleted_stream_is_gone_with_its_messages),
        cmocka_unit_test(test_a_name_finds_its_own_stream_whichever_were_found_before),
        cmocka_unit_test(test_streams_in_memory_are_gone_after_a_restart),
        cmocka_unit_test(test_messages_are_got_by_sequence_and_by_subject),
        cmocka_unit_test(test_purges_take_what_they_say),
        cmocka_unit_test(test_single_messages_are_deleted_where_that_is_allowed),
        cmocka_unit_test(test_whoever_waits_is_told_that_the_node_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
