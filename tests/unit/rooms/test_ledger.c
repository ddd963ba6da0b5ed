#include "bus_kit.h"

#include "rooms/stream/ledger_call.h"

#include "base/number.h"

#include <stdlib.h> /* what is kept is not counted among the code's own allocations */

/* The ledger on the first shard, its server and the log on the last one. */

struct office {
    struct house *house;
    struct room_node node; /* without a logger */
    struct room_shard front, back;
    struct ledger *ledger;
    struct ledger_server *server;
};

static void office_rise(struct office *o) {
    struct house *house = o->house;
    house_streams(house);
    o->front = (struct room_shard){
        .node = &o->node, .loop = bus_loop(house->bus[0]), .bus = house->bus[0]};
    o->back = (struct room_shard){
        .loop = bus_loop(house_last(house)), .bus = house_last(house), .streams = house->streams};
    assert_int_equal(ledger_create(&o->front, &o->ledger), 0);
    assert_int_equal(ledger_server_create(&o->back, &o->server), 0);
}

static void office_open(struct office *o, unsigned shards) {
    *o = (struct office){.house = house_open(7, shards)};
    office_rise(o);
}

static void office_leave(struct office *o) {
    o->ledger = ledger_free(o->ledger);
    o->server = ledger_server_free(o->server);
}

static void office_close(struct office *o) {
    office_leave(o);
    house_close(o->house);
}

/* --- commits ---------------------------------------------------------------------------------- */

struct committed {
    unsigned called;
    struct error failed; /* code 0: on disk */
};

static void on_committed(void *self, const struct error *failed) {
    struct committed *c = self;
    c->called++;
    if (failed)
        c->failed = *failed;
}

static void commit(struct office *o, const char *subject, const char *const *payloads,
                   unsigned count, struct committed *c) {
    struct ledger_entry entries[8];
    struct ledger_commit *unused;
    for (unsigned i = 0; i < count; i++)
        entries[i] = (struct ledger_entry){slice_str(subject), slice_str(payloads[i])};
    *c = (struct committed){0};
    assert_int_equal(ledger_commit(o->ledger, entries, count, on_committed, c, &unused), 0);
    assert_int_equal(c->called, 0);
}

/* --- reads ------------------------------------------------------------------------------------ */

struct reader {
    struct ledger_read *read;
    unsigned pieces, ends, records, failed, inside;
    uint64_t last, bytes, position;
    bool paused, wrong;
    struct error why;
    char text[256]; /* subjects and payloads of the first ones */
};

static void on_piece(void *owner, const struct ledger_record *records, size_t count, uint64_t last,
                     bool at_end) {
    struct reader *r = owner;
    assert_int_equal(r->inside++, 0);
    r->pieces++;
    r->ends += at_end;
    for (size_t i = 0; i < count; i++) {
        r->wrong |= records[i].sequence <= r->last || records[i].sequence > last ||
                    records[i].position < r->position || !records[i].time_ns;
        r->last = records[i].sequence;
        r->position = records[i].position;
        r->records++;
        r->bytes += records[i].payload.len;
        size_t len = strlen(r->text);
        if (len < 100)
            snprintf(r->text + len, sizeof r->text - len, "%.*s=%.*s ",
                     slice_fmt(records[i].subject), slice_fmt(slice_take(records[i].payload, 20)));
    }
    r->wrong |= last < r->last;
    r->last = last;
    if (!r->paused)
        ledger_read_next(r->read);
    r->inside--;
}

static void on_failed(void *owner, const struct error *why) {
    struct reader *r = owner;
    r->failed++;
    r->why = *why;
}

static void read_from(struct office *o, struct reader *r, const char *stream, const char *subject,
                      uint64_t from) {
    *r = (struct reader){.paused = r->paused};
    struct ledger_read_options options = {.stream = slice_str(stream),
                                          .subject = slice_str(subject),
                                          .from = from,
                                          .piece = on_piece,
                                          .failed = on_failed,
                                          .owner = r};
    assert_int_equal(ledger_read(o->ledger, &options, &r->read), 0);
    assert_int_equal(r->pieces, 0);
}

static void until(struct office *o, const unsigned *counter, unsigned value) {
    for (unsigned i = 0; *counter < value; i++) {
        assert_true(i < 30000);
        house_run(o->house, 5 * SIM_MILLISECOND);
    }
}

static const char *const two[] = {"one", "two"};

static void test_commits_make_the_stream_and_are_read_back(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct office o;
        struct committed first, second;
        struct reader r = {0};
        office_open(&o, shards);
        commit(&o, "_NONET.sql.ddl", two, 2, &first);
        commit(&o, "_NONET.sql.table.5", two, 1, &second);
        until(&o, &second.called, 1);
        assert_int_equal(first.called, 1);
        assert_int_equal(first.failed.code + second.failed.code, 0);
        const uint64_t position = ledger_position(o.ledger);
        assert_true(position > 0);
        office_leave(&o);
        house_kill(o.house);
        office_rise(&o);
        read_from(&o, &r, LEDGER_STREAM, "", 0);
        until(&o, &r.ends, 1);
        assert_string_equal(r.text,
                            "_NONET.sql.ddl=one _NONET.sql.ddl=two _NONET.sql.table.5=one ");
        assert_false(r.wrong);
        assert_int_equal(r.position, position); /* of the last record */
        assert_slice(ledger_read_stream(r.read), "SQL");
        assert_int_equal(ledger_read_end(r.read), 3);
        commit(&o, "_NONET.sql.table.6", two, 2, &first);
        until(&o, &r.records, 5);
        assert_int_equal(r.last, 5);
        r.read = ledger_read_close(r.read);
        office_close(&o);
    }
}

static void test_a_reader_gets_what_its_filter_takes_from_memory_and_disk(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct office o;
        struct reader all = {0}, some = {0}, late = {0};
        office_open(&o, shards);
        assert_non_null(kit_stream(o.house, "{'name':'S','subjects':['a.*','b']}"));
        kit_fill(o.house, "a.x", 3000);
        kit_fill(o.house, "b", 1);
        kit_fill(o.house, "a.y", 3000);
        office_leave(&o);
        house_stop(o.house); /* all of it is on disk now */
        office_rise(&o);
        read_from(&o, &all, "", "a.*", 0);
        read_from(&o, &some, "S", "b", 0);
        read_from(&o, &late, "S", "", 6000);
        until(&o, &all.ends, 1);
        until(&o, &some.ends, 1);
        until(&o, &late.ends, 1);
        assert_int_equal(all.records, 6000);
        assert_int_equal(all.last, 6001);
        assert_int_equal(some.records, 1);
        assert_int_equal(some.last, 6001); /* nothing else is there */
        assert_int_equal(late.records, 2);
        assert_false(all.wrong || some.wrong || late.wrong);
        say(house_last(o.house), "b", "live");
        until(&o, &some.records, 2);
        assert_string_equal(some.text, "b=1 b=live ");
        house_run(o.house, 25 * SIM_SECOND); /* waits at the server end and begin again */
        say(house_last(o.house), "a.z", "live");
        until(&o, &all.records, 6001);
        house_run(o.house, 200 * SIM_MILLISECOND);
        assert_int_equal(some.last, 6003); /* it is told that it is up to date */
        assert_false(all.wrong || some.wrong);
        office_close(&o);
    }
}

static void test_pieces_come_when_they_are_wanted_and_are_bounded(void **state) {
    (void)state;
    struct office o;
    struct reader r = {.paused = true};
    office_open(&o, 2);
    assert_non_null(kit_stream(o.house, "{'name':'S','subjects':['s']}"));
    char *big = malloc(100001);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    for (unsigned i = 0; i < 20; i++) {
        say(house_last(o.house), "s", big);
        house_run(o.house, 50 * SIM_MILLISECOND);
    }
    read_from(&o, &r, "S", "s", 0);
    until(&o, &r.pieces, 1);
    house_run(o.house, SIM_SECOND);
    assert_int_equal(r.pieces, 1);
    assert_int_equal(r.records, 6); /* the first count of them that fills LEDGER_PIECE_BYTES */
    assert_int_equal(r.ends, 0);
    ledger_read_next(r.read);
    assert_int_equal(r.pieces, 1);
    until(&o, &r.pieces, 2);
    assert_int_equal(r.records, 12);
    r.paused = false;
    ledger_read_next(r.read);
    until(&o, &r.ends, 1);
    assert_int_equal(r.records, 20);
    assert_int_equal(r.bytes, 2000000);
    r.read = ledger_read_close(r.read);
    free(big);
    office_close(&o);
}

static void test_a_stream_that_goes_or_is_another_one_is_told(void **state) {
    (void)state;
    struct office o;
    struct reader none = {0}, gone = {0}, other = {.paused = true};
    office_open(&o, 2);
    read_from(&o, &none, "", "nowhere", 0);
    until(&o, &none.failed, 1);
    assert_int_equal(none.why.code, -ENOENT);
    assert_non_null(kit_stream(o.house, "{'name':'S','subjects':['s']}"));
    kit_fill(o.house, "s", 3);
    read_from(&o, &gone, "S", "", 0);
    read_from(&o, &other, "S", "", 0);
    until(&o, &gone.ends, 1);
    until(&o, &other.ends, 1);
    house_run(o.house, SIM_SECOND);
    assert_true(kit_delete_stream(o.house, "S"));
    until(&o, &gone.failed, 1);
    assert_int_equal(gone.why.code, -ENOENT);
    ledger_read_next(other.read);
    until(&o, &other.failed, 1);
    assert_non_null(kit_stream(o.house, "{'name':'S','subjects':['s']}"));
    struct reader again = {0};
    read_from(&o, &again, "S", "", 0);
    until(&o, &again.ends, 1);
    assert_int_equal(again.records, 0);
    office_close(&o);
}

/* The newest record of SUBJECT is what FROM NEWEST gives, with what follows it. */
static void test_the_newest_of_a_subject_is_found_and_what_is_older_let_go(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct office o;
        struct committed c;
        struct reader newest = {0}, none = {0}, all = {0};
        office_open(&o, shards);
        for (unsigned i = 0; i < 3; i++) {
            commit(&o, "_NONET.sql.a", two, 2, &c);
            until(&o, &c.called, 1);
            assert_int_equal(ledger_committed(o.ledger), 1 + 3 * i);
            commit(&o, "_NONET.sql.b", two, 1, &c);
            until(&o, &c.called, 1);
            assert_int_equal(ledger_committed(o.ledger), 3 + 3 * i);
        }
        struct ledger_read_options options = {.stream = slice_lit(LEDGER_STREAM),
                                              .subject = slice_lit("_NONET.sql.a"),
                                              .newest = true,
                                              .piece = on_piece,
                                              .failed = on_failed,
                                              .owner = &newest};
        assert_int_equal(ledger_read(o.ledger, &options, &newest.read), 0);
        until(&o, &newest.ends, 1);
        assert_string_equal(newest.text, "_NONET.sql.a=two ");
        options.subject = slice_lit("_NONET.sql.c");
        options.owner = &none;
        assert_int_equal(ledger_read(o.ledger, &options, &none.read), 0);
        until(&o, &none.ends, 1);
        assert_int_equal(none.records, 0);
        assert_int_equal(none.last, 9);
        ledger_trim(o.ledger, 8);
        ledger_trim(o.ledger, 5); /* was let go with what is older than 8 */
        house_run(o.house, SIM_SECOND);
        read_from(&o, &all, LEDGER_STREAM, "", 0);
        until(&o, &all.ends, 1);
        assert_string_equal(all.text, "_NONET.sql.a=two _NONET.sql.b=one ");
        assert_int_equal(all.last, 9);
        office_close(&o);
    }
}

struct found {
    unsigned called;
    uint64_t last;
    int failed;
    char name[32];
};

static void on_found(void *self, slice name, uint64_t last, const struct error *failed) {
    struct found *f = self;
    f->called++;
    f->last = last;
    f->failed = failed ? failed->code : 0;
    snprintf(f->name, sizeof f->name, "%.*s", slice_fmt(name));
}

static void test_a_stream_is_found_by_what_it_captures(void **state) {
    (void)state;
    struct office o;
    struct found whole = {0}, part = {0}, named = {0}, none = {0}, cancelled = {0};
    office_open(&o, 2);
    assert_non_null(kit_stream(o.house, "{'name':'A','subjects':['x.a']}"));
    assert_non_null(kit_stream(o.house, "{'name':'B','subjects':['y.>','z']}"));
    kit_fill(o.house, "z", 2);
    ledger_find(o.ledger, (slice){0}, slice_lit("y.q.*"), on_found, &whole);
    ledger_find(o.ledger, (slice){0}, slice_lit("x.*"), on_found, &part);
    ledger_find(o.ledger, slice_lit("B"), (slice){0}, on_found, &named);
    ledger_find(o.ledger, (slice){0}, slice_lit("q"), on_found, &none);
    ledger_find(o.ledger, slice_lit("B"), (slice){0}, on_found, &cancelled);
    ledger_find_cancel(o.ledger, &cancelled);
    assert_int_equal(whole.called + part.called + named.called + none.called, 0);
    until(&o, &none.called, 1);
    assert_string_equal(whole.name, "B");
    assert_string_equal(part.name, "A");
    assert_string_equal(named.name, "B");
    assert_int_equal(named.last, 2);
    assert_int_equal(none.failed, -ENOENT);
    assert_int_equal(cancelled.called, 0);
    office_close(&o);
}

static void test_a_foreign_stream_of_its_name_refuses_commits(void **state) {
    (void)state;
    struct office o;
    struct committed c;
    office_open(&o, 1);
    assert_non_null(kit_stream(o.house, "{'name':'SQL','subjects':['mine']}"));
    commit(&o, "_NONET.sql.ddl", two, 2, &c);
    until(&o, &c.called, 1);
    assert_true(c.failed.code < 0);
    assert_string_equal(c.failed.message, "stream SQL is not SQL's own: delete it");
    assert_true(kit_delete_stream(o.house, "SQL"));
    commit(&o, "_NONET.sql.ddl", two, 2, &c);
    until(&o, &c.called, 1);
    assert_int_equal(c.failed.code, 0);
    office_close(&o);
}

static void test_the_ledger_waits_for_its_server(void **state) {
    (void)state;
    struct office o;
    struct committed c;
    struct reader r = {0};
    office_open(&o, 2);
    o.server = ledger_server_free(o.server);
    commit(&o, "_NONET.sql.ddl", two, 2, &c);
    read_from(&o, &r, LEDGER_STREAM, "", 0);
    house_run(o.house, 100 * SIM_MILLISECOND);
    assert_int_equal(c.called + r.failed + r.pieces, 0);
    assert_int_equal(ledger_server_create(&o.back, &o.server), 0);
    until(&o, &c.called, 1);
    assert_int_equal(c.failed.code, 0);
    office_close(&o);
}

/* Whatever allocation fails: who asked is told once, or the call says so. */
/* A server that keeps a commit to itself. */
struct slow_server {
    char reply[128];
    size_t reply_len;
    unsigned commits;
};

static void on_held_commit(void *owner, struct bus_subscription *subscription,
                           const struct bus_message *message) {
    struct slow_server *s = owner;
    (void)subscription;
    assert_true(message->reply.len <= sizeof s->reply);
    memcpy(s->reply, message->reply.ptr, message->reply.len);
    s->reply_len = message->reply.len;
    s->commits++;
}

/* Whoever gave it up would write behind it as if it were not there. */
static void test_a_commit_waits_for_its_answer_however_long(void **state) {
    (void)state;
    static const struct bus_receiver receiver = {on_held_commit};
    struct office o;
    struct committed c;
    struct slow_server slow = {.commits = 0};
    struct bus_subscription *subscription;
    office_open(&o, 2);
    o.server = ledger_server_free(o.server);
    assert_int_equal(bus_subscribe(o.back.bus, slice_str(LEDGER_CALL_COMMIT), (slice){0}, &receiver,
                                   &slow, NULL, &subscription),
                     0);
    commit(&o, "_NONET.sql.ddl", two, 1, &c);
    until(&o, &slow.commits, 1);
    for (unsigned minute = 0; minute < 30; minute++)
        house_run(o.house, 60 * SIM_SECOND);
    assert_int_equal(c.called, 0);
    assert_int_equal(slow.commits, 1);
    const struct ledger_answer answer = {.last = 1, .position = 77};
    const struct bus_message message = {.subject = slice_make(slow.reply, slow.reply_len),
                                        .payload = slice_make(&answer, sizeof answer)};
    bus_publish(o.back.bus, &message, NULL, NULL);
    until(&o, &c.called, 1);
    assert_int_equal(c.failed.code, 0);
    assert_int_equal(ledger_position(o.ledger), 77);
    bus_unsubscribe(o.back.bus, subscription);
    office_close(&o);
}

static void test_without_memory_commits_end_once(void **state) {
    (void)state;
    for (unsigned at = 1; at < 60; at++) {
        struct office o;
        struct committed c = {0};
        struct ledger_commit *unused;
        struct ledger_entry entry = {slice_lit("_NONET.sql.ddl"), slice_lit("x")};
        office_open(&o, 1);
        commit(&o, "_NONET.sql.ddl", two, 2, &c);
        until(&o, &c.called, 1);
        c = (struct committed){0};
        mem_fail_at(at, false);
        int failed = ledger_commit(o.ledger, &entry, 1, on_committed, &c, &unused);
        if (!failed)
            until(&o, &c.called, 1);
        mem_fail_at(0, false);
        assert_int_equal(c.called, failed ? 0 : 1);
        office_close(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits_make_the_stream_and_are_read_back),
        cmocka_unit_test(test_a_reader_gets_what_its_filter_takes_from_memory_and_disk),
        cmocka_unit_test(test_pieces_come_when_they_are_wanted_and_are_bounded),
        cmocka_unit_test(test_a_stream_that_goes_or_is_another_one_is_told),
        cmocka_unit_test(test_the_newest_of_a_subject_is_found_and_what_is_older_let_go),
        cmocka_unit_test(test_a_stream_is_found_by_what_it_captures),
        cmocka_unit_test(test_a_foreign_stream_of_its_name_refuses_commits),
        cmocka_unit_test(test_the_ledger_waits_for_its_server),
        cmocka_unit_test(test_a_commit_waits_for_its_answer_however_long),
        cmocka_unit_test(test_without_memory_commits_end_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
