#include "bus_kit.h"

#include "bus/stream_config.h"

/* StreamConfig in JSON: read, judged, written. */

struct reading {
    struct json_doc doc;
    struct arena arena;
    struct stream_config config;
    struct streams_error e;
    bool read;
    char text[65536];
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
    r.read = stream_config_read(json_root(&r.doc), &r.arena, &r.config, &r.e);
    return &r;
}

static void done(struct reading *r) {
    arena_free(&r->arena);
    json_free(&r->doc);
}

static unsigned judge(const char *json) {
    struct reading *r = read_json(json);
    unsigned code = 0;
    if (!r->read || !stream_config_judge(&r->config, &r->e)) {
        code = r->e.err_code;
        assert_true(code > 0 && r->e.description[0]);
    }
    done(r);
    return code;
}

static void test_what_is_missing_gets_defaults(void **state) {
    (void)state;
    struct reading *r = read_json("{'name':'S'}");
    assert_true(r->read && stream_config_judge(&r->config, &r->e));
    assert_int_equal(r->config.subject_count, 1);
    assert_slice(r->config.subjects[0], "S");
    assert_int_equal(r->config.messages_max, -1);
    assert_int_equal(r->config.consumers_max, -1);
    assert_int_equal(r->config.duplicate_window_ns, 120 * SIM_SECOND);
    assert_int_equal(r->config.discard, STREAM_DISCARD_OLD);
    assert_false(r->config.in_memory);
    done(r);
    r = read_json("{'name':'S','max_age':60000000000,'max_msgs':0}");
    assert_true(r->read && stream_config_judge(&r->config, &r->e));
    assert_int_equal(r->config.duplicate_window_ns, 60 * SIM_SECOND);
    assert_int_equal(r->config.messages_max, -1);
    done(r);
}

static void test_what_is_written_is_read_back_equal(void **state) {
    (void)state;
    static const char *const cases[] = {
        "{'name':'S'}",
        "{'name':'S','description':'a \\u00e4 b','subjects':['a.*','b.>'],'max_consumers':3,"
        "'max_msgs':4,'max_bytes':5000,'max_age':600000000000,'max_msgs_per_subject':6,"
        "'max_msg_size':700,'duplicate_window':8000000000,'discard':'new',"
        "'discard_new_per_subject':true,'storage':'memory','no_ack':true,'deny_delete':true,"
        "'deny_purge':true,'allow_direct':true,'num_replicas':1,'retention':'limits',"
        "'metadata':{'x':'y'}}",
        "{'name':'S','allow_rollup_hdrs':true,'mirror_direct':true}",
        "{'name':'S','sealed':true}",
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct reading *r = read_json(cases[i]);
        assert_true(r->read && stream_config_judge(&r->config, &r->e));
        struct arena arena = arena_make(0, 1u << 20), other = arena_make(0, 1u << 20);
        struct stream_config first, second;
        assert_int_equal(stream_config_copy(&r->config, &arena, &first), 0);
        struct buf out = buf_make(65536);
        struct json_writer w = json_writer_make(&out, false);
        stream_config_write(&w, &first);
        assert_int_equal(json_write_finish(&w), 0);
        done(r);
        struct json_doc doc;
        json_init(&doc);
        assert_int_equal(json_parse(&doc, buf_slice(&out)), 0);
        struct streams_error e;
        assert_true(stream_config_read(json_root(&doc), &other, &second, &e));
        assert_true(stream_config_equal(&first, &second));
        second.messages_max = 77;
        assert_false(stream_config_equal(&first, &second));
        json_free(&doc);
        arena_free(&arena);
        arena_free(&other);
        buf_free(&out);
    }
}

static void test_bad_ones_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *json;
        unsigned err_code;
    } cases[] = {
        {"{'name':'S'}", 0},
        {"{'name':''}", 10052},
        {"{}", 10052},
        {"{'name':'a.b'}", 10052},
        {"{'name':'a/b'}", 10052},
        {"{'name':'S','subjects':['a','b.*']}", 0},
        {"{'name':'S','subjects':['a.>','a.b']}", 10052},
        {"{'name':'S','subjects':['a..b']}", 10052},
        {"{'name':'S','subjects':['$JS.API.>']}", 10052},
        {"{'name':'S','subjects':['a','a']}", 10052},
        {"{'name':'S','subjects':['_NONET.a'],'no_ack':true}", 10052},
        {"{'name':'S','subjects':['$JS.API.a'],'no_ack':true}", 10052},
        {"{'name':'S','subjects':['>']}", 10052},
        {"{'name':'S','subjects':['>'],'no_ack':true}", 0},
        {"{'name':'S','subjects':['$JS.>']}", 10052},
        {"{'name':'S','subjects':['$JS.>','$SYS.>'],'no_ack':true}", 0},
        {"{'name':'S','subjects':['$JS.EVENT.>','$SYS.ACCOUNT.>']}", 0},
        {"{'name':'S','subjects':[1]}", 10025},
        {"{'name':'S','subjects':'a'}", 10025},
        {"{'name':'S','subjects':null}", 0},
        {"{'name':'S','max_age':1}", 10052},
        {"{'name':'S','max_age':-1}", 10052},
        {"{'name':'S','duplicate_window':-1}", 10052},
        {"{'name':'S','duplicate_window':99999999}", 10052},
        {"{'name':'S','max_age':1000000000,'duplicate_window':2000000000}", 10052},
        {"{'name':'S','num_replicas':3}", 10074},
        {"{'name':'S','num_replicas':6}", 10052},
        {"{'name':'S','num_replicas':-1}", 10133},
        {"{'name':'S','deny_purge':true,'allow_rollup_hdrs':true}", 10052},
        {"{'name':'S','storage':'paper'}", 10025},
        {"{'name':'S','discard':'x'}", 10025},
        {"{'name':'S','discard_new_per_subject':true}", 10052},
        {"{'name':'S','max_msgs':'x'}", 10025},
        {"{'name':'S','max_msgs':1.5}", 10025},
        {"{'name':'S','mirror':{'name':'T'}}", 10025},
        {"{'name':'S','mirror':null,'sources':[],'sealed':false,'republish':{},'placement':null}",
         0},
        {"{'name':'S','sources':[{'name':'T'}]}", 10025},
        {"{'name':'S','sealed':true}", 0},
        {"{'name':'S','compression':'none'}", 0},
        {"{'name':'S','compression':'s2'}", 10025},
        {"{'name':'S','unheard_of':1}", 10025},
    };
    for (unsigned i = 0; i < array_count(cases); i++)
        if (judge(cases[i].json) != cases[i].err_code)
            fail_msg("%s: %u", cases[i].json, judge(cases[i].json));
}

static void test_so_many_subjects_and_no_more(void **state) {
    (void)state;
    static char json[65536];
    for (unsigned count = STREAMS_SUBJECTS_MAX; count <= STREAMS_SUBJECTS_MAX + 1; count++) {
        size_t len = (size_t)snprintf(json, sizeof json, "{'name':'S','subjects':['s0'");
        for (unsigned i = 1; i < count; i++)
            len += (size_t)snprintf(json + len, sizeof json - len, ",'s%u'", i);
        snprintf(json + len, sizeof json - len, "]}");
        assert_int_equal(judge(json), count <= STREAMS_SUBJECTS_MAX ? 0 : 10052);
    }
}

static void test_limits_for_the_log_leave_out_what_discard_new_judges(void **state) {
    (void)state;
    struct reading *r = read_json("{'name':'S','max_msgs':5,'max_bytes':6,'max_age':700000000,"
                                  "'max_msgs_per_subject':8}");
    struct log_limits limits = stream_config_limits(&r->config);
    assert_int_equal(limits.messages_max, 5);
    assert_int_equal(limits.bytes_max, 6);
    assert_int_equal(limits.age_max_ns, 700000000);
    assert_int_equal(limits.messages_per_subject_max, 8);
    r->config.discard = STREAM_DISCARD_NEW;
    limits = stream_config_limits(&r->config);
    assert_int_equal(limits.messages_max, 0);
    assert_int_equal(limits.bytes_max, 0);
    assert_int_equal(limits.messages_per_subject_max, 8);
    r->config.discard_new_per_subject = true;
    assert_int_equal(stream_config_limits(&r->config).messages_per_subject_max, 0);
    done(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_missing_gets_defaults),
        cmocka_unit_test(test_what_is_written_is_read_back_equal),
        cmocka_unit_test(test_bad_ones_are_refused),
        cmocka_unit_test(test_so_many_subjects_and_no_more),
        cmocka_unit_test(test_limits_for_the_log_leave_out_what_discard_new_judges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
