#include "bus_kit.h"

#include "rooms/stream/changelog_server.h"

/* The changelogs' end on the stream shard: the test asks from the first shard, by the call's bytes.
 */

struct office {
    struct house *house;
    struct room_shard back;
    struct changelog_server *server;
    struct catcher answers, heard;
};

static void office_rise(struct office *o) {
    struct house *house = o->house;
    house_streams(house);
    o->back = (struct room_shard){
        .loop = bus_loop(house_last(house)), .bus = house_last(house), .streams = house->streams};
    assert_int_equal(changelog_server_create(&o->back, &o->server), 0);
    catcher_open(&o->answers, house->bus[0], "_NONET.answers", "");
    catcher_open(&o->heard, house->bus[0], "view.>", "");
    house_run(house, 10 * SIM_MILLISECOND);
}

static void office_open(struct office *o, unsigned shards) {
    *o = (struct office){.house = house_open(19, shards)};
    office_rise(o);
}

static void office_leave(struct office *o) {
    catcher_close(&o->answers);
    catcher_close(&o->heard);
    o->server = changelog_server_free(o->server);
}

static void office_close(struct office *o) {
    office_leave(o);
    house_close(o->house);
}

/* Asks for COUNT messages "1", "2", … of view.a to be told to the stream made at EXPECTED_NS. */
static void tell(struct office *o, int64_t expected_ns, unsigned count) {
    const slice subject = slice_lit("view.a");
    const struct tell_ask head = {
        .expected_ns = expected_ns, .subject_len = (uint32_t)subject.len, .count = count};
    struct buf body = buf_make(4096);
    assert_int_equal(buf_append(&body, slice_make(&head, sizeof head)), 0);
    assert_int_equal(buf_append(&body, subject), 0);
    for (unsigned i = 1; i <= count; i++) {
        const struct tell_item item = {.payload_len = 1, .ends_step = i == count};
        assert_int_equal(buf_append(&body, slice_make(&item, sizeof item)), 0);
        assert_int_equal(buf_append_byte(&body, (char)('0' + i)), 0);
    }
    const struct bus_message message = {.subject = slice_lit(TELL_CALL),
                                        .reply = slice_lit("_NONET.answers"),
                                        .payload = buf_slice(&body)};
    assert_int_equal(bus_publish(o->house->bus[0], &message, NULL, NULL), 1);
    buf_free(&body);
}

static struct tell_answer answer(struct office *o, unsigned index) {
    struct tell_answer head;
    catcher_wait(o->house, &o->answers, index + 1);
    const struct bus_message *message = catcher_at(&o->answers, index);
    assert_true(message->payload.len >= sizeof head);
    memcpy(&head, message->payload.ptr, sizeof head);
    return head;
}

static uint64_t last_sequence(const struct stream *s) {
    return log_stream_state(stream_log(s)).last_sequence;
}

static void what_nobody_captures_is_published(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct office o;
        office_open(&o, shards);
        tell(&o, 0, 0);
        assert_int_equal(answer(&o, 0).created_ns, 0);
        tell(&o, 0, 2);
        assert_int_equal(answer(&o, 1).failed, 0);
        catcher_wait(o.house, &o.heard, 2);
        assert_slice(catcher_at(&o.heard, 1)->payload, "2");
        assert_slice(catcher_at(&o.heard, 1)->subject, "view.a");
        tell(&o, 4711, 1); /* a stream that is not there any more */
        assert_int_equal(answer(&o, 2).failed, -ESTALE);
        house_run(o.house, 10 * SIM_MILLISECOND);
        assert_int_equal(o.heard.count, 2);
        office_close(&o);
    }
}

static void what_a_stream_captures_is_stored_once_and_then_heard(void **state) {
    (void)state;
    for (unsigned shards = 1; shards <= 2; shards++) {
        struct office o;
        office_open(&o, shards);
        struct stream *s = kit_stream(o.house, "{'name':'V','subjects':['view.*']}");
        assert_non_null(s);
        tell(&o, 0, 1); /* it was not known */
        struct tell_answer a = answer(&o, 0);
        assert_int_equal(a.failed, -ESTALE);
        assert_int_equal(a.created_ns, stream_created_ns(s));
        assert_int_equal(a.text_len, 1);
        tell(&o, a.created_ns, 3);
        tell(&o, 0, 0); /* answered behind it */
        assert_int_equal(answer(&o, 1).failed, 0);
        assert_int_equal(answer(&o, 2).created_ns, a.created_ns);
        assert_int_equal(last_sequence(s), 3);
        catcher_wait(o.house, &o.heard, 3);
        house_run(o.house, 50 * SIM_MILLISECOND);
        assert_int_equal(o.heard.count, 3);
        assert_int_equal(last_sequence(s), 3);
        office_leave(&o);
        house_cut(o.house); /* what was answered is there */
        office_rise(&o);
        assert_int_equal(last_sequence(kit_find(o.house, "V")), 3);
        office_close(&o);
    }
}

static void a_stream_whose_limits_refuse_says_so(void **state) {
    (void)state;
    static const char *const streams[] = {
        "{'name':'V','subjects':['view.*'],'discard':'new','max_msgs':2}",
        "{'name':'V','subjects':['view.*'],'discard':'new','max_bytes':10}",
    };
    for (unsigned i = 0; i < array_count(streams); i++) {
        struct office o;
        office_open(&o, 1);
        struct stream *s = kit_stream(o.house, streams[i]);
        assert_non_null(s);
        tell(&o, stream_created_ns(s), 3);
        struct tell_answer a = answer(&o, 0);
        assert_int_equal(a.failed, -EIO);
        assert_true(a.text_len > 0);
        assert_int_equal(o.heard.count, 0);
        office_close(&o);
    }
}

static void the_server_may_go_before_the_disk_answers(void **state) {
    (void)state;
    struct office o;
    office_open(&o, 1);
    struct stream *s = kit_stream(o.house, "{'name':'V','subjects':['view.*']}");
    for (unsigned i = 0; i < 4; i++)
        tell(&o, stream_created_ns(s), 2);
    office_close(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_captures_is_published),
        cmocka_unit_test(what_a_stream_captures_is_stored_once_and_then_heard),
        cmocka_unit_test(a_stream_whose_limits_refuse_says_so),
        cmocka_unit_test(the_server_may_go_before_the_disk_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
