#include "bus_kit.h"

#include "bus/stream_config.h"

/* ConsumerConfig in JSON: read, judged, written. */

struct reading {
    struct json_doc doc;
    struct arena arena;
    struct consumer_config config;
    struct streams_error e;
    bool read;
    char text[8192];
};

static struct reading *read_json(const char *json) {
    static struct reading r;
    memset(&r, 0, sizeof r);
    assert_true(strlen(json) < sizeof r.text);
    for (size_t i = 0; json[i]; i++)
        r.text[i] = json[i] == '\'' ? '"' : json[i];
    json_init(&r.doc);
    r.arena = arena_make(0, 1u << 20);
    assert_int_equal(json_parse(&r.doc, slice_str(r.text)), 0);
    r.read = consumer_config_read(json_root(&r.doc), &r.arena, &r.config, &r.e);
    return &r;
}

static void done(struct reading *r) {
    arena_free(&r->arena);
    json_free(&r->doc);
}

static struct stream_config stream_config_of(const char *a, const char *b) {
    struct stream_config config = {.name = slice_lit("S"), .subject_count = b ? 2 : 1};
    config.subjects[0] = slice_str(a);
    config.subjects[1] = slice_str(b);
    return config;
}

/* err_code of reading and judging, 0: fine. */
static unsigned judge(const char *json) {
    struct stream_config stream = stream_config_of("s.>", "t.a");
    struct reading *r = read_json(json);
    unsigned code = 0;
    if (!r->read || !consumer_config_judge(&r->config, &stream, &r->e)) {
        code = r->e.err_code;
        assert_true(code > 0 && r->e.code >= 400 && r->e.description[0]);
    }
    done(r);
    return code;
}

static void test_what_is_missing_gets_nats_servers_defaults(void **state) {
    (void)state;
    struct stream_config stream = stream_config_of("s.>", NULL);
    struct reading *r = read_json("{'durable_name':'D','ack_policy':'explicit'}");
    assert_true(r->read);
    assert_true(consumer_config_judge(&r->config, &stream, &r->e));
    assert_slice(r->config.name, "D");
    assert_true(r->config.durable);
    assert_int_equal(r->config.ack_wait_ns, 30 * SIM_SECOND);
    assert_int_equal(r->config.ack_pending_max, 1000);
    assert_int_equal(r->config.waiting_max, 512);
    assert_int_equal(r->config.deliver_max, -1);
    assert_int_equal(r->config.deliver, DELIVER_ALL);
    assert_int_equal(r->config.inactive_ns, 0);
    done(r);
    r = read_json("{'name':'E','backoff':[2000000000,5000000000],'ack_policy':'all'}");
    assert_true(r->read);
    assert_true(consumer_config_judge(&r->config, &stream, &r->e));
    assert_false(r->config.durable);
    assert_int_equal(r->config.ack_wait_ns, 2 * SIM_SECOND);
    assert_int_equal(r->config.inactive_ns, 5 * SIM_SECOND);
    done(r);
    r = read_json("{}");
    assert_true(consumer_config_judge(&r->config, &stream, &r->e));
    assert_int_equal(r->config.ack, ACK_NONE);
    assert_int_equal(r->config.ack_pending_max, 0);
    done(r);
}

static const char *const everything =
    "{'durable_name':'D','name':'D','description':'d','deliver_policy':'by_start_sequence',"
    "'opt_start_seq':18446744073709551615,'ack_policy':'explicit','ack_wait':7000000000,"
    "'max_deliver':9,'backoff':[7000000000,8],'filter_subjects':['s.x','s.y'],"
    "'replay_policy':'original','sample_freq':'50%',"
    "'max_waiting':5,'max_ack_pending':6,'headers_only':true,'max_batch':3,"
    "'max_expires':4000000000,'max_bytes':99,'inactive_threshold':12000000000,'num_replicas':0,"
    "'mem_storage':true,'metadata':{'a':'b','c':['d']},"
    "'pause_until':'2030-01-01T00:00:00Z'}";

static slice write_config(const struct consumer_config *config, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    consumer_config_write(&w, config);
    assert_int_equal(json_write_finish(&w), 0);
    return buf_slice(out);
}

static void test_what_is_written_is_what_was_read(void **state) {
    (void)state;
    static const char *const cases[] = {
        NULL,
        "{'durable_name':'D','name':'D','deliver_policy':'all','ack_policy':'none',"
        "'replay_policy':'instant','num_replicas':0}",
        "{'name':'E','deliver_policy':'by_start_time','opt_start_time':'2026-01-02T03:04:05.5Z',"
        "'ack_policy':'all','replay_policy':'instant','num_replicas':0}",
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        const char *json = cases[i] ? cases[i] : everything;
        struct reading *r = read_json(json);
        assert_true(r->read);
        struct buf out = buf_make(8192);
        slice written = write_config(&r->config, &out);
        assert_int_equal(written.len, strlen(r->text));
        assert_memory_equal(written.ptr, r->text, written.len);
        buf_free(&out);
        done(r);
    }
}

static void test_a_copy_is_equal_and_any_difference_is_seen(void **state) {
    (void)state;
    struct arena arena = arena_make(0, 1u << 20);
    struct consumer_config copy;
    struct reading *r = read_json(everything);
    assert_int_equal(consumer_config_copy(&r->config, &arena, &copy), 0);
    done(r);
    static const char *const changes[][2] = {
        {"'d'", "'e'"},
        {"7000000000,'max", "1,'max"},
        {"':9", "':8"},
        {",8]", ",9]"},
        {"s.x", "s.y"},
        {"':5", "':4"},
        {"':6", "':7"},
        {"only':true", "only':false"},
        {"batch':3", "batch':2"},
        {"4000000000", "5000000000"},
        {":99", ":98"},
        {"12000000000", "13000000000"},
        {"storage':true", "storage':false"},
        {"'b'", "'B'"},
    };
    for (unsigned i = 0; i <= array_count(changes); i++) {
        char json[2048];
        snprintf(json, sizeof json, "%s", everything);
        if (i < array_count(changes)) {
            char *at = strstr(json, changes[i][0]), rest[2048];
            assert_non_null(at);
            snprintf(rest, sizeof rest, "%s", at + strlen(changes[i][0]));
            snprintf(at, sizeof json - (size_t)(at - json), "%s%s", changes[i][1], rest);
        }
        r = read_json(json);
        assert_true(r->read);
        assert_int_equal(consumer_config_equal(&copy, &r->config), i == array_count(changes));
        done(r);
    }
    arena_free(&arena);
}

static void test_what_nats_server_refuses_is_refused_with_its_code(void **state) {
    (void)state;
    static const struct {
        const char *json;
        unsigned err_code;
    } cases[] = {
        {"{'durable_name':'D'}", 0},
        {"{'durable_name':'D','name':'E'}", 10132},
        {"{'durable_name':'a.b'}", 10103},
        {"{'name':'a b'}", 10103},
        {"{'filter_subject':'s.a'}", 0},
        {"{'filter_subject':'t.a'}", 0},
        {"{'filter_subject':'>'}", 0},
        {"{'filter_subject':'t.*'}", 0},
        {"{'filter_subject':'u.a'}", 0},
        {"{'filter_subject':'s..a'}", 10052},
        {"{'filter_subjects':['s.a']}", 0},
        {"{'filter_subjects':['s.a','s.b']}", 0},
        {"{'filter_subjects':['s.a','s..b']}", 10052},
        {"{'filter_subjects':['s.a','']}", 10139},
        {"{'filter_subjects':['s.a','s.a']}", 10138},
        {"{'filter_subjects':['s.*','s.a']}", 10138},
        {"{'filter_subjects':['s.a.*','s.*.b']}", 10138},
        {"{'filter_subjects':['s.a',5]}", 10025},
        {"{'filter_subject':'s.a','filter_subjects':['s.b']}", 10136},
        {"{'deliver_policy':'last_per_subject','filter_subjects':['s.*','t']}", 0},
        {"{'filter_subjects':[]}", 0},
        {"{'opt_start_seq':1}", 10094},
        {"{'deliver_policy':'last','opt_start_time':'2026-01-02T03:04:05Z'}", 10094},
        {"{'deliver_policy':'by_start_sequence'}", 10094},
        {"{'deliver_policy':'by_start_time'}", 10094},
        {"{'deliver_policy':'by_start_time','opt_start_time':'1970-01-01T00:00:00Z'}", 0},
        {"{'deliver_policy':'last_per_subject'}", 10094},
        {"{'deliver_policy':'last_per_subject','filter_subject':'s.*'}", 0},
        {"{'max_waiting':-1}", 10087},
        {"{'max_batch':-1}", 10114},
        {"{'max_expires':1000}", 10115},
        {"{'max_deliver':1,'backoff':[1,2]}", 10116},
        {"{'max_deliver':2,'backoff':[1,2]}", 0},
        {"{'num_replicas':3}", 10126},
        {"{'num_replicas':-1}", 10133},
        {"{'ack_wait':-1}", 10183},
        {"{'backoff':[-1]}", 10184},
        {"{'deliver_subject':'d.*'}", 10079},
        {"{'deliver_subject':'d..e'}", 10112},
        {"{'deliver_subject':'_NONET.x'}", 10112},
        {"{'deliver_subject':'s.x'}", 10081},
        {"{'deliver_subject':'d','max_waiting':1}", 10080},
        {"{'deliver_subject':'d','ack_policy':'none','max_ack_pending':1}", 10082},
        {"{'deliver_subject':'d','idle_heartbeat':99999999}", 10083},
        {"{'deliver_subject':'d','flow_control':true}", 10108},
        {"{'deliver_subject':'d','flow_control':true,'idle_heartbeat':100000000}", 0},
        {"{'rate_limit_bps':1}", 10086},
        {"{'idle_heartbeat':1}", 10088},
        {"{'flow_control':true}", 10089},
        {"{'deliver_policy':'some'}", 10025},
        {"{'ack_policy':'perhaps'}", 10025},
        {"{'replay_policy':'original'}", 0},
        {"{'replay_policy':'backwards'}", 10025},
        {"{'sample_freq':'30%'}", 0},
        {"{'sample_freq':'30'}", 0},
        {"{'sample_freq':'-1'}", 10095},
        {"{'sample_freq':'some'}", 10095},
        {"{'pause_until':'2030-01-01T00:00:00Z'}", 0},
        {"{'pause_until':'tomorrow'}", 10025},
        {"{'max_deliver':'x'}", 10025},
        {"{'headers_only':1}", 10025},
        {"{'opt_start_time':'yesterday'}", 10025},
        {"{'backoff':['x']}", 10025},
        {"{'backoff':5}", 10025},
    };
    for (unsigned i = 0; i < array_count(cases); i++)
        if (judge(cases[i].json) != cases[i].err_code)
            fail_msg("%s: %u", cases[i].json, judge(cases[i].json));
}

static void test_what_this_server_does_not_do_is_refused_by_name_unless_it_is_empty(void **state) {
    (void)state;
    static const char *const refused[][2] = {
        {"direct", "true"},
        {"priority_groups", "['a']"},
        {"priority_policy", "'overflow'"},
        {"what_is_this", "5"},
    };
    static const char *const empty[] = {"null", "''", "0", "false", "[]", "{}", "'none'"};
    char json[256];
    for (unsigned i = 0; i < array_count(refused); i++) {
        snprintf(json, sizeof json, "{'%s':%s}", refused[i][0], refused[i][1]);
        struct reading *r = read_json(json);
        assert_false(r->read);
        assert_non_null(strstr(r->e.description, refused[i][0]));
        done(r);
        for (unsigned n = 0; n < array_count(empty); n++) {
            snprintf(json, sizeof json, "{'%s':%s}", refused[i][0], empty[n]);
            assert_int_equal(judge(json), 0);
        }
    }
}

static void test_each_failed_allocation_is_an_answer(void **state) {
    (void)state;
    bool read = false;
    unsigned refused = 0;
    for (unsigned long nth = 1; !read; nth++) {
        struct reading *r = read_json("{}");
        struct json_doc doc;
        json_init(&doc);
        char text[2048];
        for (size_t i = 0; i <= strlen(everything); i++)
            text[i] = everything[i] == '\'' ? '"' : everything[i];
        assert_int_equal(json_parse(&doc, slice_str(text)), 0);
        mem_fail_at(nth, false);
        read = consumer_config_read(json_root(&doc), &r->arena, &r->config, &r->e);
        mem_fail_at(0, false);
        if (!read) {
            assert_int_equal(r->e.err_code, 10023);
            refused++;
        }
        json_free(&doc);
        done(r);
        assert_true(nth < 100);
    }
    assert_true(refused > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missing_gets_nats_servers_defaults),
        cmocka_unit_test(test_what_is_written_is_what_was_read),
        cmocka_unit_test(test_a_copy_is_equal_and_any_difference_is_seen),
        cmocka_unit_test(test_what_nats_server_refuses_is_refused_with_its_code),
        cmocka_unit_test(test_what_this_server_does_not_do_is_refused_by_name_unless_it_is_empty),
        cmocka_unit_test(test_each_failed_allocation_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
