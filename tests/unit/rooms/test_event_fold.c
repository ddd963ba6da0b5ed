#include "rooms/events/fold.h"
#include "rooms/events/fold_config.h"
#include "rooms/events/fold_number.h"
#include "rooms/events/fold_tree.h"
#include "wire/json_write.h"

#include "section_kit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Folds: what the configuration says, and what events then add up to. Pure. Rules are given without
   what stands around them; JSON is written with ' for ". */

static const struct conf_key *const sections[] = {&events_key};

static void judge(const struct config *config, bool insecure, struct conf_errors *errors) {
    (void)insecure;
    events_judge(config_section(config, "events"), errors);
}

static struct config *load(const char *text, struct buf *out) {
    return section_load(sections, judge, text, out);
}

/* What is wrong with TEXT, without the hints. */
static void assert_refused(const char *text, const char *expected) {
    struct buf out _cleanup_buf_ = buf_make(1 << 20), lines _cleanup_buf_ = buf_make(1 << 20);
    assert_null(load(text, &out));
    for (slice rest = buf_slice(&out); rest.len;) {
        slice line = slice_cut(rest, '\n', &rest);
        if (!slice_starts_with(line, slice_lit("  hint: ")))
            assert_int_equal(buf_printf(&lines, "%.*s\n", slice_fmt(line)), 0);
    }
    assert_string_equal(buf_text(&lines), expected);
}

/* --- a fold that is fed ------------------------------------------------------------------- */

struct fed {
    struct folds *folds;
    struct fold_state *state;
    uint64_t revision;
    struct buf out;
};

static const struct hash_key hash_key;

static struct fed feed_yaml(const char *yaml) {
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    struct fed f = {.out = buf_make(8 << 20)};
    struct config *config = load(yaml, &out);
    struct error e = {0};
    if (!config)
        fail_msg("%s", buf_text(&out));
    assert_int_equal(folds_create(config_section(config, "events"), &f.folds, &e), 0);
    config_free(config); /* the folds are their own */
    assert_int_equal(fold_state_new(folds_find(f.folds, slice_lit("a")), hash_key, &f.state), 0);
    return f;
}

/* RULES of category a, in flow form. */
static struct fed feed(const char *rules) {
    char yaml[4096];
    snprintf(yaml, sizeof yaml, "events: {folds: {a: {%s}}}\n", rules);
    return feed_yaml(yaml);
}

static void quotes(char *text) {
    for (; *text; text++)
        if (*text == '\'')
            *text = '"';
}

static void put_all(struct fed *f, const char *type, slice data, const char *metadata) {
    char id[32];
    int len = snprintf(id, sizeof id, "id-%llu", (unsigned long long)f->revision);
    struct fold_event event = {.type = slice_str(type),
                               .id = slice_make(id, (size_t)len),
                               .time = slice_lit("2026-11-30T12:00:00Z"),
                               .stream = slice_lit("a-1"),
                               .revision = f->revision,
                               .position = f->revision + 100,
                               .data = data,
                               .metadata = slice_str(metadata)};
    assert_int_equal(fold_apply(f->state, &event), 0);
    f->revision++;
}

static void put(struct fed *f, const char *type, const char *data) {
    char text[4096] = "";
    snprintf(text, sizeof text, "%s", data);
    quotes(text);
    put_all(f, type, slice_str(text), "{\"actor\":\"ann\",\"deep\":{\"er\":[1, 2]}}");
}

static const char *text_of(struct fed *f) {
    struct json_writer w = json_writer_make(&f->out, false);
    buf_clear(&f->out);
    json_write_object(&w);
    assert_int_equal(fold_state_write(f->state, &w), 0);
    json_write_end(&w);
    assert_int_equal(json_write_finish(&w), 0);
    return buf_text(&f->out);
}

static void assert_state(struct fed *f, const char *expected) {
    char text[4096];
    snprintf(text, sizeof text, "{'state':%s}", expected);
    quotes(text);
    assert_string_equal(text_of(f), text);
    if (!strstr(text_of(f), "problems"))
        assert_int_equal(fold_state_size(f->state), strlen(text_of(f)) - strlen("{\"state\":}"));
}

static void end(struct fed *f) {
    fold_state_free(f->state);
    folds_unref(f->folds);
    buf_free(&f->out);
}

/* --- operators ---------------------------------------------------------------------------- */

static void merge_takes_the_members_of_the_data(void **state) {
    (void)state;
    struct fed f = feed("on: {Opened: {merge: .}, Named: {merge: .who}, Both: {merge: {x: .n, "
                        "y: {z: .missing, t: $type}}}, By: {merge: $metadata}}");
    put(&f, "Opened", "{ 'item' : 'tea' , 'price' : 10 }");
    assert_state(&f, "{'item':'tea','price':10}");
    put(&f, "Opened", "{'price':{'cents':[1 , 2]},'new':null}");
    assert_state(&f, "{'item':'tea','price':{'cents':[1,2]},'new':null}");
    put(&f, "Named", "{'who':{'name':'bob'}}");
    put(&f, "Named", "{}");
    assert_state(&f, "{'item':'tea','price':{'cents':[1,2]},'new':null,'name':'bob'}");
    put(&f, "Both", "{'n':1.50}");
    assert_state(&f, "{'item':'tea','price':{'cents':[1,2]},'new':null,'name':'bob','x':1.50,"
                     "'y':{'t':'Both'}}");
    put(&f, "By", "");
    assert_non_null(strstr(text_of(&f), "\"actor\":\"ann\",\"deep\":{\"er\":[1,2]}"));
    put(&f, "Opened", "[1]");
    assert_non_null(strstr(text_of(&f), "\"problems\":[{\"revision\":6,\"problem\":\"merge: the "
                                        "event has no object there\"}]"));
    end(&f);
}

static void set_takes_literals_members_and_words(void **state) {
    (void)state;
    struct fed f = feed("on: {E: {set: {a: .x, b.c: 7, d: [1, .x, .no], t: \"text\", n: null, "
                        "y: true, dot: ..x, cash: $$5, five: \"5\", w: {at: $time, r: $revision, "
                        "p: $position, i: $id, k: $type, s: $stream, by: $metadata.actor, "
                        "d: $metadata.deep.er}}}}");
    put(&f, "E", "{'x':{'y':'z'}}");
    assert_state(&f,
                 "{'a':{'y':'z'},'b':{'c':7},'d':[1,{'y':'z'},null],'t':'text','n':null,'y':true,"
                 "'dot':'.x','cash':'$5','five':'5','w':{'at':'2026-11-30T12:00:00Z','r':0,'p':100,"
                 "'i':'id-0','k':'E','s':'a-1','by':'ann','d':[1,2]}}");
    put(&f, "E", "{}"); /* what the event does not have stays as it is */
    assert_non_null(strstr(text_of(&f), "\"a\":{\"y\":\"z\"}"));
    assert_null(strstr(text_of(&f), "problems"));
    end(&f);
}

static void a_path_makes_its_objects_and_goes_by_value(void **state) {
    (void)state;
    struct fed f = feed("on: {B: {set: {\"bidders[.who].last\": .n}, inc: {\"[.who]\": 1}}, "
                        "R: {remove: [\"bidders[.who]\", none.there]}}");
    put(&f, "B", "{'who':'ann','n':1}");
    put(&f, "B", "{'who':'b.\\u00fc\\n','n':2}");
    put(&f, "B", "{'who':'ann','n':3}");
    put(&f, "B", "{'who':4,'n':true}");
    assert_state(&f, "{'bidders':{'ann':{'last':3},'b.\xc3\xbc\\n':{'last':2},'4':{'last':true}},"
                     "'ann':2,'b.\xc3\xbc\\n':1,'4':1}");
    put(&f, "R", "{'who':'ann'}");
    put(&f, "R", "{'who':'nobody'}");
    assert_state(&f, "{'bidders':{'b.\xc3\xbc\\n':{'last':2},'4':{'last':true}},'ann':2,"
                     "'b.\xc3\xbc\\n':1,'4':1}");
    put(&f, "R", "{}");
    assert_non_null(strstr(text_of(&f), "{\"revision\":6,\"problem\":\"remove bidders[.who]: the "
                                        "event has no text for the member in brackets\"}"));
    end(&f);
}

static void inc_adds_exactly(void **state) {
    (void)state;
    struct fed f = feed("initial: {n: 9007199254740993, d: 0.1}, on: {E: {inc: {n: .n, d: .d, "
                        "made.here: 2}}}");
    put(&f, "E", "{'n':2,'d':0.20}");
    assert_state(&f, "{'n':9007199254740995,'d':0.30,'made':{'here':2}}");
    put(&f, "E", "{'n':-9007199254740996,'d':-0.5}");
    assert_state(&f, "{'n':-1,'d':-0.20,'made':{'here':4}}");
    end(&f);
}

static void append_makes_a_list_and_adds_to_it(void **state) {
    (void)state;
    struct fed f = feed("initial: {given: [1], nil: null, text: t}, on: {E: {append: {h: {who: .w, "
                        "n: .n}, given: .n, nil: .n, text: .n, deep.er: .n}}}");
    put(&f, "E", "{'w':'x','n':1}");
    put(&f, "E", "{'n':[ 2 ]}");
    put(&f, "E", "{}");
    assert_string_equal(
        text_of(&f),
        "{\"state\":{\"given\":[1,1,[2]],\"nil\":[1,[2]],\"text\":\"t\",\"h\":[{\"who\":\"x\","
        "\"n\":1},{\"n\":[2]},{}],\"deep\":{\"er\":[1,[2]]}},\"problems\":[{\"revision\":0,"
        "\"problem\":\"append text: the state has no list there\"},{\"revision\":1,\"problem\":"
        "\"append text: the state has no list there\"}]}");
    end(&f);
}

static void remove_and_clear(void **state) {
    (void)state;
    struct fed f = feed("initial: {bids: 0}, on: {O: {merge: .}, R: {remove: draft}, C: {clear: "
                        "true}, A: {clear: true, set: {again: true}}}");
    put(&f, "O", "{'draft':1,'kept':{'x':1}}");
    put(&f, "R", "");
    assert_state(&f, "{'bids':0,'kept':{'x':1}}");
    put(&f, "O", "{'draft':2}");
    assert_state(&f, "{'bids':0,'kept':{'x':1},'draft':2}");
    put(&f, "C", "");
    assert_state(&f, "{'bids':0}");
    put(&f, "A", "");
    assert_state(&f, "{'bids':0,'again':true}");
    end(&f);
}

static void operators_have_an_order(void **state) {
    (void)state;
    struct fed f = feed("on: {E: {remove: gone, append: {l: 1}, inc: {n: 1}, set: {n: 5, gone: 1}, "
                        "merge: .}}");
    put(&f, "E", "{'n':100,'l':[0]}");
    assert_state(&f, "{'n':6,'l':[0,1]}");
    end(&f);
}

static void a_type_without_a_rule_changes_nothing(void **state) {
    (void)state;
    struct fed f = feed("on: {E: {merge: .}}");
    put(&f, "F", "{'a':1}");
    assert_state(&f, "{}");
    end(&f);
}

static void without_a_fold_data_is_merged(void **state) {
    (void)state;
    struct fed f = feed_yaml("events: {}\n");
    put(&f, "A", "{'a':1,'b':{'c':1}}");
    put(&f, "B", "{'b':{'d':1}}");
    put(&f, "C", "[1,2]");
    put(&f, "D", "");
    assert_state(&f, "{'a':1,'b':{'d':1}}");
    assert_true(folds_find(f.folds, slice_lit("a")) == &fold_default);
    end(&f);
}

/* --- what cannot be applied --------------------------------------------------------------- */

static void what_cannot_be_applied_is_named_and_the_rest_is_applied(void **state) {
    (void)state;
    struct fed f = feed("initial: {t: x, l: [], o: {}}, on: {E: {set: {t.u: 1, ok: 1}, inc: {t: 1, "
                        "l: 1, o: 1, m: .t, ok: 1}}}");
    put(&f, "E", "{'t':'no number'}");
    assert_string_equal(
        text_of(&f), "{\"state\":{\"t\":\"x\",\"l\":[],\"o\":{},\"ok\":2},\"problems\":["
                     "{\"revision\":0,\"problem\":\"set t.u: member 1 of this path is no object\"},"
                     "{\"revision\":0,\"problem\":\"inc t: the state has no number there\"},"
                     "{\"revision\":0,\"problem\":\"inc l: the state has no number there\"},"
                     "{\"revision\":0,\"problem\":\"inc o: the state has no number there\"},"
                     "{\"revision\":0,\"problem\":\"inc m: the event has no number there\"}]}");
    for (unsigned i = 0; i < 4; i++)
        put(&f, "E", "{'t':'no number'}");
    assert_non_null(strstr(text_of(&f), "],\"problem_count\":25}"));
    assert_non_null(strstr(text_of(&f), "{\"revision\":3,\"problem\":\"set t.u"));
    assert_null(strstr(text_of(&f), "\"revision\":4"));
    end(&f);
}

static void a_sum_beyond_64_bits_is_a_problem(void **state) {
    (void)state;
    struct fed f = feed("initial: {n: 9223372036854775806}, on: {E: {inc: {n: 1}}}");
    put(&f, "E", "");
    assert_state(&f, "{'n':9223372036854775807}");
    put(&f, "E", "");
    assert_string_equal(text_of(&f),
                        "{\"state\":{\"n\":9223372036854775807},\"problems\":[{\"revision\":1,"
                        "\"problem\":\"inc n: the sum is beyond 64 bits\"}]}");
    end(&f);
}

static void a_list_and_the_state_have_bounds(void **state) {
    (void)state;
    struct fed f = feed("on: {E: {append: {l: 1}}, T: {set: {\"m[.k]\": .v}}, L: {append: "
                        "{m.l: .v}}}");
    for (unsigned i = 0; i < FOLD_LIST_MAX + 1; i++)
        put(&f, "E", "");
    assert_int_equal(fold_state_size(f.state), strlen("{\"l\":[]}") + FOLD_LIST_MAX * 2 - 1);
    assert_non_null(strstr(text_of(&f), "append l: the list has 10000 elements"));
    char *text = mem_alloc(FOLD_BYTES_MAX + 64);
    size_t len = (size_t)snprintf(text, FOLD_BYTES_MAX, "{\"k\":\"k\",\"v\":\"");
    memset(text + len, 'x', FOLD_BYTES_MAX);
    memcpy(text + len + FOLD_BYTES_MAX, "\"}", 2);
    slice data = slice_make(text, len + FOLD_BYTES_MAX + 2);
    size_t before = fold_state_size(f.state);
    put_all(&f, "T", data, "");
    put_all(&f, "L", data, "");
    assert_int_equal(fold_state_size(f.state), before);
    assert_non_null(strstr(text_of(&f), "set m[.k]: the state would be larger than 1 MB"));
    assert_non_null(strstr(text_of(&f), "append m.l: the state would be larger than 1 MB"));
    /* As much as fits does: {"l":[...],"m":{"k":"xxx"}} */
    size_t room = FOLD_BYTES_MAX - before - strlen(",\"m\":{\"k\":\"\"}");
    memcpy(text + len + room, "\"}", 2);
    put_all(&f, "T", slice_make(text, len + room + 2), "");
    assert_int_equal(fold_state_size(f.state), FOLD_BYTES_MAX);
    mem_free(text);
    end(&f);
}

static void data_too_deep_or_broken_is_a_problem(void **state) {
    (void)state;
    struct fed f = feed("on: {E: {set: {a: .x}}}");
    char deep[256] = "{\"x\":", *at = deep + 5;
    for (unsigned i = 0; i < FOLD_DEPTH_MAX + 1; i++)
        *at++ = '[';
    for (unsigned i = 0; i < FOLD_DEPTH_MAX + 1; i++)
        *at++ = ']';
    *at = '}';
    put_all(&f, "E", slice_str(deep), "");
    put_all(&f, "E", slice_lit("{broken"), "");
    assert_string_equal(
        text_of(&f), "{\"state\":{},\"problems\":[{\"revision\":0,\"problem\":\"set a: the value "
                     "is nested deeper than 32\"},{\"revision\":1,\"problem\":\"set a: the "
                     "event's data or metadata is no JSON that can be read\"}]}");
    end(&f);
}

/* --- writing and going on ----------------------------------------------------------------- */

static void what_was_written_and_read_goes_on_as_if_it_had_not_been(void **state) {
    (void)state;
    static const char rules[] =
        "initial: {l: []}, on: {E: {set: {\"m[.k]\": .v}, inc: {\"n[.k]\": .v, t: .v}, append: {l: "
        "{k: .k}}}, R: {remove: \"m[.k]\"}}";
    struct fed f = feed(rules), g = feed(rules);
    for (unsigned i = 0; i < 200; i++) {
        char data[128];
        snprintf(data, sizeof data, "{'k':'\\u00e4%u\\t','v':%s}", i * 7 % 5,
                 i % 3   ? "0.10"
                 : i % 2 ? "'x'"
                         : "12");
        const char *type = i % 11 == 10 ? "R" : "E";
        put(&f, type, data);
        put(&g, type, data);
        if (i % 13 == 0) { /* g goes through its text */
            struct json_doc doc;
            const char *written = text_of(&g);
            char *text = mem_copy(written, g.out.len);
            json_init(&doc);
            assert_int_equal(json_parse(&doc, slice_str(text)), 0);
            fold_state_free(g.state);
            assert_int_equal(
                fold_state_new(folds_find(g.folds, slice_lit("a")), hash_key, &g.state), 0);
            assert_int_equal(fold_state_read(g.state, json_root(&doc)), 0);
            json_free(&doc);
            mem_free(text);
        }
        assert_int_equal(fold_state_size(f.state), fold_state_size(g.state));
        const char *written = text_of(&f);
        char *one = mem_copy(written, f.out.len);
        assert_string_equal(one, text_of(&g));
        mem_free(one);
    }
    end(&f);
    end(&g);
}

static void what_is_no_state_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"{}", "{'state':[]}", "{'state':{},'problems':[1]}",
                                      "{'state':{},'problems':[{'revision':-1,'problem':''}]}"};
    for (size_t i = 0; i < array_count(bad); i++) {
        struct fed f = feed("on: {E: {merge: .}}");
        struct json_doc doc;
        char text[128];
        snprintf(text, sizeof text, "%s", bad[i]);
        quotes(text);
        json_init(&doc);
        assert_int_equal(json_parse(&doc, slice_str(text)), 0);
        assert_int_equal(fold_state_read(f.state, json_root(&doc)), -EINVAL);
        json_free(&doc);
        end(&f);
    }
}

/* --- numbers ------------------------------------------------------------------------------ */

static void assert_sum(const char *a, const char *b, const char *expected) {
    struct buf out _cleanup_buf_ = buf_make(256);
    int failed = fold_number_add(slice_str(a), slice_str(b), &out);
    if (!expected) {
        assert_int_equal(failed, -ERANGE);
        return;
    }
    assert_int_equal(failed, 0);
    assert_string_equal(buf_text(&out), expected);
}

static void sums_are_exact_where_they_can_be(void **state) {
    (void)state;
    assert_sum("1", "2", "3");
    assert_sum("-0", "0", "0");
    assert_sum("0.1", "0.2", "0.3");
    assert_sum("0.10", "0.200", "0.300");
    assert_sum("-0.05", "0.01", "-0.04");
    assert_sum("1.005", "-1.005", "0.000");
    assert_sum("100", "0.01", "100.01");
    assert_sum("9223372036854775807", "-9223372036854775808", "-1");
    assert_sum("-9223372036854775807", "-1", "-9223372036854775808");
    assert_sum("9223372036854775807", "1", NULL);
    assert_sum("-9223372036854775808", "-1", NULL);
    assert_sum("9223372036854775808", "-1", NULL); /* beyond 64 bits already */
    assert_sum("92233720368547758.07", "0.01", "9.223372036854776e+16");
    assert_sum("1e3", "1", "1001");
    assert_sum("1e308", "1e308", NULL);
    assert_sum("0.0000000000000000001", "1", "1");
}

/* --- the configuration -------------------------------------------------------------------- */

static void every_mistake_has_its_place(void **state) {
    (void)state;
    assert_refused("events:\n"
                   "  folds:\n"
                   "    a-b: {on: {E: {merge: .}}}\n"
                   "    order:\n"
                   "      initial: {at: $time}\n"
                   "      on:\n"
                   "        None: {}\n"
                   "        E:\n"
                   "          merge: 5\n"
                   "          set: {a..b: 1, c: $nothing, d: .5, \"e[x]\": 1}\n"
                   "          inc: {n: \"1\", m: {}}\n"
                   "          append: [1]\n"
                   "          remove: {x: 1}\n"
                   "          clear: perhaps\n"
                   "          put: {}\n",
                   "f:3:5: no event stream is of category 'a-b'\n"
                   "f:5:16: initial: there is no event yet to take it from\n"
                   "f:7:9: rule None: it changes nothing\n"
                   "f:9:18: rule E: merge wants an object\n"
                   "f:10:17: rule E: 'a..b' has a member without a name\n"
                   "f:10:29: rule E: '$nothing' is no expression\n"
                   "f:10:42: rule E: '.5' looks like a number, and is a member of the data here\n"
                   "f:10:46: rule E: 'e[x]' has no expression in its brackets\n"
                   "f:11:20: rule E: inc adds a number\n"
                   "f:11:28: rule E: inc adds a number\n"
                   "f:12:19: rule E: a map of members is wanted\n"
                   "f:13:20: rule E: remove wants a list of members\n"
                   "f:14:18: 'clear' in rule E is not a boolean: 'perhaps'\n"
                   "f:15:11: unknown key 'put' in rule E\n");
}

/* {"v":"xxx"}: every state would begin with it. */
static void an_initial_state_is_at_most_as_large_as_a_state(void **state) {
    (void)state;
    _cleanup_buf_ struct buf yaml = buf_make(2 * FOLD_BYTES_MAX);
    size_t room = FOLD_BYTES_MAX - strlen("{\"v\":\"\"}");
    assert_int_equal(buf_printf(&yaml, "events: {folds: {a: {on: {E: {merge: .}}, initial: {v: \""),
                     0);
    size_t at = yaml.len;
    assert_int_equal(buf_reserve(&yaml, FOLD_BYTES_MAX + 64), 0);
    memset(yaml.ptr + at, 'x', room);
    yaml.len = at + room;
    assert_int_equal(buf_append(&yaml, slice_lit("\"}}}}\n")), 0);
    struct fed f = feed_yaml(buf_text(&yaml));
    assert_int_equal(fold_state_size(f.state), FOLD_BYTES_MAX);
    end(&f);
    yaml.len = at + room;
    assert_int_equal(buf_append(&yaml, slice_lit("x\"}}}}\n")), 0);
    assert_refused(buf_text(&yaml), "f:1:52: initial: it is larger than the 1 MB of a state\n");
}

static void the_digest_is_of_what_is_written(void **state) {
    (void)state;
    struct fed f = feed("on: {E: {set: {a: 1}}}"), g = feed("on: {E: {set: {a: \"1\"}}}"),
               h = feed("on:  {E: {set:  {a: 1}}}");
    const char *digest = folds_find(f.folds, slice_lit("a"))->digest;
    assert_int_equal(strlen(digest), FOLD_DIGEST_CHARS);
    assert_string_not_equal(digest, folds_find(g.folds, slice_lit("a"))->digest);
    assert_string_equal(digest, folds_find(h.folds, slice_lit("a"))->digest);
    end(&f);
    end(&g);
    end(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_takes_the_members_of_the_data),
        cmocka_unit_test(set_takes_literals_members_and_words),
        cmocka_unit_test(a_path_makes_its_objects_and_goes_by_value),
        cmocka_unit_test(inc_adds_exactly),
        cmocka_unit_test(append_makes_a_list_and_adds_to_it),
        cmocka_unit_test(remove_and_clear),
        cmocka_unit_test(operators_have_an_order),
        cmocka_unit_test(a_type_without_a_rule_changes_nothing),
        cmocka_unit_test(without_a_fold_data_is_merged),
        cmocka_unit_test(what_cannot_be_applied_is_named_and_the_rest_is_applied),
        cmocka_unit_test(a_sum_beyond_64_bits_is_a_problem),
        cmocka_unit_test(a_list_and_the_state_have_bounds),
        cmocka_unit_test(data_too_deep_or_broken_is_a_problem),
        cmocka_unit_test(what_was_written_and_read_goes_on_as_if_it_had_not_been),
        cmocka_unit_test(what_is_no_state_is_refused),
        cmocka_unit_test(sums_are_exact_where_they_can_be),
        cmocka_unit_test(every_mistake_has_its_place),
        cmocka_unit_test(an_initial_state_is_at_most_as_large_as_a_state),
        cmocka_unit_test(the_digest_is_of_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
