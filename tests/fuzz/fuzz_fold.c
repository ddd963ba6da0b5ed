/*
 * fuzz_fold.c - what strangers make of a state: types and data of events, against folds that use
 * every operator. Each line of the input is one event: TYPE DATA. The first one's first byte says
 * which fold.
 *
 * Properties: nothing that comes stops a fold; a state is JSON, as long as it says; a state that
 * has been written and read goes on to the same bytes as one that has not.
 */
#include "rooms/events/fold.h"
#include "rooms/events/fold_config.h"
#include "wire/json_write.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The configuration's tree by hand: base has no YAML. */
#define SCALAR(text_) (&(const struct conf_node){.plain = true, .text = slice_lit(text_)})
#define ENTRY(key_, value_)                                                                        \
    { .key = slice_lit(key_), .value = (value_) }
#define MAP(...)                                                                                   \
    (&(const struct conf_node){.type = CONF_NODE_MAP,                                              \
                               .entries = (const struct conf_entry[]){__VA_ARGS__},                \
                               .count = sizeof((const struct conf_entry[]){__VA_ARGS__}) /         \
                                        sizeof(struct conf_entry)})

static struct folds *the_folds(void) {
    static struct folds *folds;
    struct error e = {0};
    struct fold_rule_config rules[] = {
        {.item.name = slice_lit("M"), .merge = SCALAR(".")},
        {.item.name = slice_lit("S"),
         .set = MAP(ENTRY("a", SCALAR(".x")), ENTRY("m[.k].at", SCALAR(".")),
                    ENTRY("w", MAP(ENTRY("t", SCALAR("$type")), ENTRY("x", SCALAR(".x.y")))))},
        {.item.name = slice_lit("I"),
         .inc = MAP(ENTRY("n", SCALAR(".x")), ENTRY("[.k]", SCALAR("0.5")))},
        {.item.name = slice_lit("A"),
         .append = MAP(ENTRY("l", SCALAR(".x")), ENTRY("m[.k].l", SCALAR(".")))},
        {.item.name = slice_lit("R"), .remove = SCALAR("m[.k]"), .merge = SCALAR(".x")},
        {.item.name = slice_lit("C"), .clear = true},
    };
    struct fold_config fold = {.item.name = slice_lit("a"),
                               .version = 1,
                               .initial = MAP(ENTRY("n", SCALAR("1"))),
                               .on = {rules, array_count(rules)}};
    struct events_config config = {.folds = {&fold, 1}};
    if (!folds)
        check(folds_create(&config, &folds, &e) == 0);
    return folds;
}

static void write_state(const struct fold_state *state, struct buf *out) {
    struct json_writer w = json_writer_make(out, false);
    buf_clear(out);
    json_write_object(&w);
    check(fold_state_write(state, &w) == 0);
    json_write_end(&w);
    check(json_write_finish(&w) == 0);
}

static struct fold_state *new_state(const struct fold *fold) {
    static const struct hash_key hash_key;
    struct fold_state *state = NULL;
    check(fold_state_new(fold, hash_key, &state) == 0);
    return state;
}

/* STATE through its text. */
static struct fold_state *again(struct fold_state *state, const struct fold *fold) {
    struct buf text = buf_make(8u << 20);
    struct fold_state *next = new_state(fold);
    struct json_doc doc;
    json_init(&doc);
    write_state(state, &text);
    check(json_parse(&doc, buf_slice(&text)) == 0);
    slice body = json_source(json_member(json_root(&doc), slice_lit("state")));
    check(body.len == fold_state_size(state));
    check(fold_state_read(next, json_root(&doc)) == 0);
    json_free(&doc);
    buf_free(&text);
    fold_state_free(state);
    return next;
}

/* A fold that says PATH: VALUE in each operator that has both, against an event. */
static void try_rule(slice path, slice value) {
    const struct conf_node right = {.plain = true, .text = value};
    const struct conf_entry entry = {.key = path, .value = &right};
    const struct conf_node map = {.type = CONF_NODE_MAP, .entries = &entry, .count = 1};
    const struct conf_node left = {.plain = true, .text = path};
    struct fold_rule_config rule = {.item.name = slice_lit("E"),
                                    .set = &map,
                                    .inc = &map,
                                    .append = &map,
                                    .remove = &left,
                                    .merge = &map};
    struct fold_config config = {
        .item.name = slice_lit("a"), .version = 1, .initial = &map, .on = {&rule, 1}};
    struct conf_errors *errors = mem_zalloc(1, sizeof *errors);
    struct arena arena = arena_make(0, (size_t)64 << 20);
    struct fold fold;
    int failed = fold_compile(&config, &arena, errors, &fold);
    check(failed == 0 || (failed == -EINVAL && errors->count && errors->items[0].message[0]));
    check(failed || !errors->count);
    if (!failed) {
        struct fold_event event = {.type = slice_lit("E"),
                                   .id = slice_lit("i"),
                                   .data = slice_lit("{\"a\":{\"b\":[1]},\"c\":2,\"k\":\"x\"}"),
                                   .metadata = slice_lit("{\"actor\":\"me\"}")};
        struct fold_state *state = new_state(&fold);
        check(fold_apply(state, &event) == 0 && fold_apply(state, &event) == 0);
        fold_state_free(again(state, &fold));
        fold_free(&fold);
    }
    arena_free(&arena);
    mem_free(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    slice rest = slice_make(data, size);
    const struct fold *fold =
        folds_find(the_folds(), size && data[0] == 'D' ? slice_lit("none") : slice_lit("a"));
    struct fold_state *straight = new_state(fold), *kept = new_state(fold);
    struct buf one = buf_make(8u << 20), other = buf_make(8u << 20);
    uint64_t revision = 0;
    while (rest.len) {
        slice line = slice_cut(rest, '\n', &rest), body;
        slice type = slice_cut(line, ' ', &body);
        if (utf8_valid(line)) /* as every file of YAML */
            try_rule(type, body);
        struct fold_event event = {.type = type,
                                   .id = slice_lit("i"),
                                   .time = slice_lit("2026-11-30T12:00:00Z"),
                                   .stream = slice_lit("a-1"),
                                   .revision = revision,
                                   .position = revision + 1,
                                   .data = body};
        check(fold_apply(straight, &event) == 0 && fold_apply(kept, &event) == 0);
        if (++revision % 3 == 0)
            kept = again(kept, fold);
    }
    write_state(straight, &one);
    write_state(kept, &other);
    check(slice_equal(buf_slice(&one), buf_slice(&other)));
    fold_state_free(straight);
    fold_state_free(kept);
    buf_free(&one);
    buf_free(&other);
    return 0;
}
