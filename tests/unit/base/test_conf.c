#include "base/conf_read.h"

#include "base_test.h"

#include <stdio.h>

/* A table with a key of every type. */

struct inner {
    struct conf_item item;
    int64_t n;
    slice must;
};

struct choice {
    struct conf_item item;
    slice a, b;
    struct conf_array c, d;
};

struct all {
    struct conf_item item;
    bool yes;
    int64_t number, threads;
    uint64_t size, time;
    struct number_rate rate;
    slice text, secret, path;
    int word;
    struct conf_address address;
    struct conf_array list, inners, map, named;
    struct inner inner;
    struct choice choice;
    const struct conf_node *any;
};

static int judge_no_x(slice text, struct error *e) {
    return slice_find(text, 'x') < 0 ? 0 : error_set(e, -EINVAL, "holds an x");
}

static const char *const words[] = {"red", "green", NULL};

static const struct conf_key inner_keys[] = {
    {.name = "n",
     .type = CONF_INT,
     .offset = offsetof(struct inner, n),
     .fallback = "3",
     .max = 9,
     .doc = "a number"},
    {.name = "must",
     .type = CONF_STRING,
     .offset = offsetof(struct inner, must),
     .flags = CONF_REQUIRED,
     .doc = "what it must have"},
};
static const struct conf_table inner_table = {
    .name = "inner",
    .doc = "An inner",
    .keys = inner_keys,
    .count = 2,
    .size = sizeof(struct inner),
};

static const char *const with_b[] = {"b", NULL};
static const struct conf_key choice_keys[] = {
    {.name = "a", .type = CONF_STRING, .offset = offsetof(struct choice, a), .doc = "one"},
    {.name = "b", .type = CONF_STRING, .offset = offsetof(struct choice, b), .doc = "other"},
    {.name = "c",
     .type = CONF_LIST,
     .of = CONF_STRING,
     .offset = offsetof(struct choice, c),
     .flags = CONF_ALONE,
     .with = with_b,
     .example = "c: x",
     .doc = "more of b"},
    {.name = "d",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     .offset = offsetof(struct choice, d),
     .flags = CONF_ALONE,
     .table = &inner_table,
     .doc = "sections"},
};
static const struct conf_table choice_table = {
    .name = "choice",
    .doc = "A choice",
    .keys = choice_keys,
    .count = array_count(choice_keys),
    .size = sizeof(struct choice),
    .one_of = 2,
};

#define ALL(member) .offset = offsetof(struct all, member)
static const struct conf_key all_keys[] = {
    {.name = "yes", .type = CONF_BOOL, ALL(yes), .fallback = "true", .doc = "d"},
    {.name = "number", .type = CONF_INT, ALL(number), .doc = "d"},
    {.name = "threads",
     .type = CONF_INT,
     ALL(threads),
     .fallback = "auto",
     .zero_word = "auto",
     .min = 1,
     .max = 64,
     .doc = "d"},
    {.name = "size", .type = CONF_SIZE, ALL(size), .fallback = "1KB", .max = 4096, .doc = "d"},
    {.name = "time",
     .type = CONF_DURATION,
     ALL(time),
     .fallback = "2s",
     .min = 1000000,
     .doc = "d"},
    {.name = "rate", .type = CONF_RATE, ALL(rate), .doc = "d"},
    {.name = "text", .type = CONF_STRING, ALL(text), .max = 100, .judge = judge_no_x, .doc = "d"},
    {.name = "secret",
     .type = CONF_STRING,
     ALL(secret),
     .flags = CONF_SECRET,
     .max = 20,
     .doc = "d"},
    {.name = "path", .type = CONF_PATH, ALL(path), .doc = "d"},
    {.name = "word", .type = CONF_ENUM, ALL(word), .words = words, .fallback = "green", .doc = "d"},
    {.name = "address", .type = CONF_ADDRESS, ALL(address), .doc = "d"},
    {.name = "list",
     .type = CONF_LIST,
     .of = CONF_STRING,
     ALL(list),
     .max = 3,
     .judge = judge_no_x,
     .doc = "d"},
    {.name = "inners",
     .type = CONF_LIST,
     .of = CONF_SECTION,
     ALL(inners),
     .table = &inner_table,
     .doc = "d"},
    {.name = "map", .type = CONF_MAP, .of = CONF_STRING, ALL(map), .doc = "d"},
    {.name = "named",
     .type = CONF_MAP,
     .of = CONF_SECTION,
     ALL(named),
     .table = &inner_table,
     .doc = "d"},
    {.name = "inner",
     .type = CONF_SECTION,
     ALL(inner),
     .flags = CONF_MAY_BE_OFF,
     .table = &inner_table,
     .doc = "d"},
    {.name = "choice", .type = CONF_SECTION, ALL(choice), .table = &choice_table, .doc = "d"},
    {.name = "any", .type = CONF_ANY, ALL(any), .doc = "d"},
};
static const struct conf_table all_table = {
    .name = "all",
    .doc = "Everything",
    .keys = all_keys,
    .count = array_count(all_keys),
    .size = sizeof(struct all),
};

/* Trees, as a loader would make them: all in line 1, the column given. */
#define PLACE(at)                                                                                  \
    { {"f", 1}, 1, (at) }
#define SCALAR(at, content)                                                                        \
    &(const struct conf_node) {                                                                    \
        CONF_NODE_SCALAR, true, PLACE(at), slice_lit(content), NULL, 0, false                      \
    }
#define QUOTED(at, content)                                                                        \
    &(const struct conf_node) {                                                                    \
        CONF_NODE_SCALAR, false, PLACE(at), slice_lit(content), NULL, 0, false                     \
    }
#define KEY(at, name, node)                                                                        \
    { slice_lit(name), PLACE(at), (node) }
#define ITEM(node)                                                                                 \
    { {"", 0}, PLACE(0), (node) }
#define ENTRIES(...)                                                                               \
    (const struct conf_entry[]) {                                                                  \
        __VA_ARGS__                                                                                \
    }
#define BRANCH(kind, at, ...)                                                                      \
    &(const struct conf_node) {                                                                    \
        kind, false, PLACE(at), {NULL, 0}, ENTRIES(__VA_ARGS__),                                   \
            sizeof(ENTRIES(__VA_ARGS__)) / sizeof(struct conf_entry), false                        \
    }
#define MAP(at, ...) BRANCH(CONF_NODE_MAP, at, __VA_ARGS__)
#define LIST(at, ...) BRANCH(CONF_NODE_LIST, at, __VA_ARGS__)

static int variable(void *argument, slice name, struct arena *arena, slice *ret_value) {
    (void)argument;
    if (slice_equal(name, slice_lit("PORT"))) {
        return arena_copy(arena, slice_lit("4333"), ret_value);
    }
    if (slice_equal(name, slice_lit("TRICK"))) {
        return arena_copy(arena, slice_lit("file:${PORT}"), ret_value);
    }
    return -ENOENT;
}

static int file(void *argument, slice path, struct arena *arena, slice *ret_content) {
    (void)argument;
    return slice_equal(path, slice_lit("key.4333"))
               ? arena_copy(arena, slice_lit("from file\r\n"), ret_content)
               : -EACCES;
}

struct run {
    struct arena arena;
    struct conf_errors errors;
    struct all all;
    int result;
};

/* Reads NODE into RUN, which end_run frees. */
static void start_run(struct run *run, const struct conf_node *node) {
    memset(run, 0, sizeof(*run));
    run->arena = arena_make(0, 1 << 20);
    struct conf_reader reader = {.arena = &run->arena,
                                 .lookup = {variable, file, NULL},
                                 .directory = slice_lit("app"),
                                 .errors = &run->errors};
    run->result = conf_apply(&reader, &all_table, node, &run->all);
}

static void end_run(struct run *run) {
    arena_free(&run->arena);
}

/* NODE must be refused with exactly the text EXPECTED. */
static void assert_refused(const struct conf_node *node, const char *expected) {
    static struct run run;
    struct buf text _cleanup_buf_ = buf_make(1 << 20);
    start_run(&run, node);
    assert_int_equal(run.result, -EINVAL);
    assert_int_equal(conf_errors_text(&run.errors, &text), 0);
    assert_string_equal(buf_text(&text), expected);
    end_run(&run);
}

static void what_is_left_out_has_its_default(void **state) {
    (void)state;
    static struct run run;
    start_run(&run, NULL);
    assert_int_equal(run.result, 0);
    assert_true(run.all.yes);
    assert_int_equal(run.all.number, 0);
    assert_int_equal(run.all.threads, 0);
    assert_int_equal(run.all.size, 1024);
    assert_int_equal(run.all.time, 2000000000);
    assert_int_equal(run.all.rate.count, 0);
    assert_null(run.all.text.ptr);
    assert_int_equal(run.all.word, 1);
    assert_int_equal(run.all.address.text.len, 0);
    assert_null(run.all.list.items);
    assert_int_equal(run.all.inner.n, 3);
    assert_false(run.all.inner.item.given);
    assert_slice(run.all.inner.item.name, "inner");
    assert_null(run.all.any);
    end_run(&run);
}

static void every_type_is_read(void **state) {
    (void)state;
    static struct run run;
    start_run(
        &run,
        MAP(1, KEY(1, "yes", SCALAR(1, "false")), KEY(1, "number", SCALAR(1, "42")),
            KEY(1, "threads", SCALAR(1, "8")), KEY(1, "size", SCALAR(1, "4KB")),
            KEY(1, "time", SCALAR(1, "1m30s")), KEY(1, "rate", SCALAR(1, "6000/m")),
            KEY(1, "text", QUOTED(1, "")), KEY(1, "path", SCALAR(1, "a/b")),
            KEY(1, "word", SCALAR(1, "red")), KEY(1, "address", QUOTED(1, "[::1]:80")),
            KEY(1, "list", LIST(1, ITEM(SCALAR(1, "p")), ITEM(SCALAR(1, "7")))),
            KEY(1, "map", MAP(1, KEY(5, "k", SCALAR(1, "v")))),
            KEY(1, "named", MAP(1, KEY(9, "one", MAP(1, KEY(1, "must", SCALAR(1, "m")))))),
            KEY(1, "inners",
                LIST(1, ITEM(MAP(7, KEY(1, "must", SCALAR(1, "i")), KEY(1, "n", SCALAR(1, "9")))))),
            KEY(1, "choice", MAP(1, KEY(1, "b", SCALAR(1, "B")))),
            KEY(1, "any", LIST(33, ITEM(SCALAR(1, "z"))))));
    assert_int_equal(run.result, 0);
    struct all *all = &run.all;
    assert_false(all->yes);
    assert_int_equal(all->number, 42);
    assert_int_equal(all->threads, 8);
    assert_int_equal(all->size, 4096);
    assert_true(all->time == 90000000000);
    assert_int_equal(all->rate.count, 6000);
    assert_true(all->rate.period_ns == 60000000000);
    assert_non_null(all->text.ptr);
    assert_int_equal(all->text.len, 0);
    assert_string_equal(all->path.ptr, "app/a/b");
    assert_int_equal(all->word, 0);
    assert_slice(all->address.host, "::1");
    assert_string_equal(all->address.text.ptr, "[::1]:80");
    assert_int_equal(all->list.count, 2);
    assert_string_equal(((slice *)all->list.items)[1].ptr, "7");
    const struct conf_pair *pair = all->map.items;
    assert_slice(pair->item.name, "k");
    assert_int_equal(pair->item.place.column, 5);
    assert_slice(pair->text, "v");
    const struct inner *named = all->named.items;
    assert_slice(named->item.name, "one");
    assert_int_equal(named->item.place.column, 9);
    assert_true(named->item.given);
    assert_int_equal(named->n, 3);
    const struct inner *inner = all->inners.items;
    assert_int_equal(inner->item.name.len, 0);
    assert_int_equal(inner->item.place.column, 7);
    assert_int_equal(inner->n, 9);
    assert_slice(all->choice.b, "B");
    assert_int_equal(all->any->place.column, 33);
    end_run(&run);
}

static void nothing_and_off(void **state) {
    (void)state;
    static struct run run;
    start_run(&run, MAP(1, KEY(1, "list", SCALAR(1, "")), KEY(1, "map", SCALAR(1, "~")),
                        KEY(1, "inner", SCALAR(1, "off"))));
    assert_int_equal(run.result, 0);
    assert_non_null(run.all.list.items);
    assert_int_equal(run.all.list.count, 0);
    assert_non_null(run.all.map.items);
    assert_true(run.all.inner.item.off);
    end_run(&run);
    start_run(&run, SCALAR(1, "null"));
    assert_int_equal(run.result, 0);
    end_run(&run);
    assert_refused(MAP(1, KEY(1, "choice", SCALAR(3, "off"))),
                   "f:1:3: 'choice' in all must be a section\n  hint: write {key: value}\n");
    assert_refused(MAP(1, KEY(1, "number", SCALAR(3, "null")), KEY(9, "inner", SCALAR(10, ""))),
                   "f:1:3: 'number' in all has no value\n"
                   "  hint: write a whole number, or leave the key out\n"
                   "f:1:9: inner needs the key 'must'\n"
                   "  hint: what it must have\n");
}

static void values_are_held_against_their_type_and_range(void **state) {
    (void)state;
    assert_refused(
        MAP(1, KEY(1, "yes", SCALAR(1, "maybe")), KEY(1, "number", SCALAR(2, "-1")),
            KEY(1, "threads", SCALAR(3, "0")), KEY(1, "size", SCALAR(4, "5KB")),
            KEY(1, "time", SCALAR(5, "1us")), KEY(1, "rate", SCALAR(6, "0/s")),
            KEY(1, "text", SCALAR(7, "mix")), KEY(1, "word", SCALAR(8, "gren")),
            KEY(1, "address", SCALAR(9, "host:99999")), KEY(1, "path", QUOTED(10, "")),
            KEY(1, "number", SCALAR(11, "99999999999999999999"))),
        "f:1:1: 'yes' in all is not a boolean: 'maybe'\n  hint: write true or false\n"
        "f:1:2: 'number' in all is outside its range\n  hint: write 0 or more\n"
        "f:1:3: 'threads' in all is outside its range\n  hint: write 1 to 64, or auto\n"
        "f:1:4: 'size' in all is outside its range\n  hint: write at most 4KB\n"
        "f:1:5: 'time' in all is outside its range\n  hint: write at least 1ms\n"
        "f:1:6: 'rate' in all is out of range for a rate: '0/s'\n"
        "  hint: write a rate such as 100/s or 6000/m\n"
        "f:1:7: 'text' in all holds an x\n"
        "f:1:8: 'word' in all is not one of its words\n  hint: did you mean 'green'?\n"
        "f:1:9: 'address' in all is not an address: 'host:99999'\n"
        "  hint: write HOST:PORT, [IPV6]:PORT, or a port alone on 127.0.0.1\n"
        "f:1:10: 'path' in all is not a path: ''\n  hint: write a path\n"
        "f:1:11: 'number' in all is out of range for a whole number: '99999999999999999999'\n"
        "  hint: write a whole number\n");
}

static void shapes_are_checked(void **state) {
    (void)state;
    assert_refused(
        MAP(1, KEY(1, "text", LIST(1, ITEM(SCALAR(1, "a")))), KEY(1, "list", SCALAR(2, "a")),
            KEY(1, "map", LIST(3, ITEM(SCALAR(1, "a")))),
            KEY(1, "list",
                LIST(4, ITEM(SCALAR(1, "a")), ITEM(SCALAR(1, "a")), ITEM(SCALAR(1, "a")),
                     ITEM(SCALAR(1, "a")))),
            KEY(1, "list", LIST(5, ITEM(SCALAR(6, "x")), ITEM(MAP(7, KEY(1, "a", NULL))))),
            KEY(1, "inners", LIST(8, ITEM(SCALAR(9, "a"))))),
        "f:1:1: 'text' in all takes one value, not a list or a map\n  hint: write text\n"
        "f:1:2: 'list' in all must be a list\n  hint: write [a, b]\n"
        "f:1:3: 'map' in all must be a map\n  hint: write {name: …}\n"
        "f:1:4: 'list' in all holds 4 items\n  hint: 0 to 3 are allowed\n"
        "f:1:6: 'list' in all holds an x\n"
        "f:1:7: 'list' in all takes one value, not a list or a map\n  hint: write text\n"
        "f:1:9: 'inners' in all must be a section\n  hint: write {key: value}\n");
    assert_refused(LIST(2, ITEM(SCALAR(1, "a"))),
                   "f:1:2: all must be a map of keys\n  hint: write `key: value`\n");
}

static void keys_are_held_against_the_table(void **state) {
    (void)state;
    assert_refused(
        MAP(1, KEY(2, "tiem", SCALAR(3, "1s")), KEY(4, "colour", SCALAR(5, "red")),
            KEY(6, "named", MAP(7, KEY(8, "X", MAP(9, KEY(10, "mst", SCALAR(1, "")))))),
            KEY(11, "choice", MAP(12, KEY(1, "a", SCALAR(1, "1")), KEY(1, "b", SCALAR(1, "2"))))),
        "f:1:2: unknown key 'tiem' in all\n  hint: did you mean 'time'?\n"
        "f:1:4: unknown key 'colour' in all\n"
        "f:1:8: inner X needs the key 'must'\n  hint: what it must have\n"
        "f:1:10: unknown key 'mst' in inner X\n  hint: did you mean 'must'?\n"
        "f:1:11: choice needs exactly one of: a, b\n");
    assert_refused(
        MAP(1, KEY(2, "choice", MAP(3, KEY(4, "a", SCALAR(1, "1")), KEY(5, "c", SCALAR(1, "2"))))),
        "f:1:2: 'c' in choice goes only with: b\n  hint: take it out, or write it "
        "there\n");
}

static void an_element_may_stand_alone(void **state) {
    (void)state;
    static struct run run;
    start_run(&run, MAP(1, KEY(2, "choice",
                               MAP(3, KEY(4, "b", SCALAR(1, "1")), KEY(5, "c", SCALAR(1, "x")),
                                   KEY(6, "d", MAP(7, KEY(8, "must", SCALAR(9, "y"))))))));
    assert_int_equal(run.result, 0);
    assert_int_equal(run.all.choice.c.count, 1);
    assert_slice(((slice *)run.all.choice.c.items)[0], "x");
    assert_int_equal(run.all.choice.d.count, 1);
    assert_slice(((struct inner *)run.all.choice.d.items)[0].must, "y");
    end_run(&run);
    assert_refused(MAP(1, KEY(2, "choice",
                              MAP(3, KEY(4, "b", SCALAR(1, "1")),
                                  KEY(5, "c", MAP(6, KEY(7, "z", SCALAR(8, "x"))))))),
                   "f:1:6: 'c' in choice must be a list\n  hint: write [a, b]\n");
}

static void the_place_of_each_value_is_known(void **state) {
    (void)state;
    static struct run run;
    start_run(&run,
              MAP(1, KEY(2, "number", SCALAR(3, "7")),
                  KEY(4, "list", LIST(5, ITEM(SCALAR(6, "1")), ITEM(SCALAR(7, "2")))),
                  KEY(8, "map", MAP(9, KEY(10, "a", SCALAR(11, "x")))),
                  KEY(12, "choice",
                      MAP(13, KEY(14, "b", SCALAR(15, "1")), KEY(16, "c", SCALAR(17, "x"))))));
    const struct conf_item *all = &run.all.item, *choice = &run.all.choice.item;
    assert_int_equal(conf_place_of(all, "number", 0).column, 3);
    assert_int_equal(conf_place_of(all, "list", 1).column, 7);
    assert_int_equal(conf_place_of(all, "list", SIZE_MAX).column, 5);
    assert_int_equal(conf_place_of(all, "map", 0).column, 10);
    assert_int_equal(conf_place_of(choice, "c", 0).column, 17);
    assert_int_equal(conf_place_of(choice, "a", 0).column, choice->place.column);
    assert_int_equal(conf_place_of(&run.all.inner.item, "n", 0).column, 1);
    end_run(&run);
}

static void references_are_replaced(void **state) {
    (void)state;
    static struct run run;
    start_run(&run, MAP(1, KEY(1, "address", SCALAR(1, "localhost:${PORT}")),
                        KEY(1, "text", SCALAR(1, "$${PORT} $5 ${PORT}${PORT}$")),
                        KEY(1, "number", SCALAR(1, "${PORT}")),
                        KEY(1, "secret", SCALAR(1, "file:key.${PORT}")),
                        KEY(1, "list", LIST(1, ITEM(SCALAR(1, "file:a"))))));
    assert_int_equal(run.result, 0);
    assert_int_equal(run.all.address.port, 4333);
    assert_slice(run.all.text, "${PORT} $5 43334333$");
    assert_int_equal(run.all.number, 4333);
    assert_slice(run.all.secret, "from file");
    assert_slice(((slice *)run.all.list.items)[0], "file:a");
    end_run(&run);
}

static void what_a_variable_holds_is_not_followed(void **state) {
    (void)state;
    static struct run run;
    start_run(&run, MAP(1, KEY(1, "secret", SCALAR(1, "${TRICK}"))));
    assert_int_equal(run.result, 0);
    assert_slice(run.all.secret, "file:${PORT}");
    end_run(&run);
}

static void bad_references_are_refused(void **state) {
    (void)state;
    assert_refused(
        MAP(1, KEY(1, "text", SCALAR(1, "${NONE}")), KEY(1, "text", SCALAR(2, "a${")),
            KEY(1, "text", SCALAR(3, "${}")), KEY(1, "text", SCALAR(4, "${A-B}")),
            KEY(1, "secret", SCALAR(5, "file:/none"))),
        "f:1:1: 'text' in all needs the environment variable NONE, which is not set\n"
        "  hint: set it before nonet starts, or write the value itself\n"
        "f:1:2: 'text' in all has a '${' that is no reference\n"
        "  hint: write ${NAME} for an environment variable, or $${ for a plain ${\n"
        "f:1:3: 'text' in all has a '${' that is no reference\n"
        "  hint: write ${NAME} for an environment variable, or $${ for a plain ${\n"
        "f:1:4: 'text' in all has a '${' that is no reference\n"
        "  hint: write ${NAME} for an environment variable, or $${ for a plain ${\n"
        "f:1:5: 'secret' in all cannot be read from the file '/none': Permission denied\n");
}

static void a_value_has_a_bounded_size_and_number_of_references(void **state) {
    (void)state;
    static char text[CONF_VALUE_MAX + 2];
    memset(text, 'a', sizeof(text));
    const struct conf_node big = {
        CONF_NODE_SCALAR, true, PLACE(4), {text, CONF_VALUE_MAX + 1}, NULL, 0, false};
    assert_refused(MAP(1, KEY(1, "text", &big)),
                   "f:1:4: 'text' in all is too long once its references are replaced: at most "
                   "65536\n");
    size_t len = 0;
    for (unsigned i = 0; i <= CONF_REFERENCES_MAX; i++) {
        memcpy(text + len, "${PORT}", 7);
        len += 7;
    }
    const struct conf_node many = {CONF_NODE_SCALAR, true, PLACE(4), {text, len}, NULL, 0, false};
    assert_refused(MAP(1, KEY(1, "text", &many)),
                   "f:1:4: 'text' in all is too long once its references are replaced: at most "
                   "65536\n");
}

static void a_secret_is_never_shown(void **state) {
    (void)state;
    assert_refused(MAP(1, KEY(1, "secret", SCALAR(1, "this is far too long for it"))),
                   "f:1:1: 'secret' in all is outside its range\n  hint: write at most 20\n");
}

static void errors_beyond_the_bound_are_counted(void **state) {
    (void)state;
    struct conf_errors *errors = mem_zalloc(1, sizeof(*errors));
    struct buf text _cleanup_buf_ = buf_make(1 << 20);
    assert_non_null(errors);
    for (uint32_t i = 0; i < CONF_ERRORS_MAX + 5; i++) {
        struct conf_place place = {slice_lit("f"), 1000 - i, 1};
        conf_errors_note(errors, place, NULL, "error %u", i);
    }
    assert_int_equal(errors->count, CONF_ERRORS_MAX);
    assert_int_equal(errors->more, 5);
    assert_string_equal(errors->items[0].message, "error 36");
    assert_string_equal(errors->items[CONF_ERRORS_MAX - 1].message, "error 5");
    assert_int_equal(conf_errors_text(errors, &text), 0);
    assert_non_null(strstr(buf_text(&text), "\nand 5 more\n"));
    mem_free(errors);
}

static void addresses(void **state) {
    (void)state;
    _cleanup_arena_ struct arena arena = arena_make(0, 1 << 20);
    struct conf_address a;
    static const struct {
        const char *text, *whole, *host;
        unsigned port;
    } good[] = {{"127.0.0.1:4222", "127.0.0.1:4222", "127.0.0.1", 4222},
                {"0", "127.0.0.1:0", "127.0.0.1", 0},
                {"[fe80::1]:65535", "[fe80::1]:65535", "fe80::1", 65535},
                {"shop.example:080", "shop.example:80", "shop.example", 80}};
    for (size_t i = 0; i < array_count(good); i++) {
        assert_int_equal(conf_parse_address(&arena, slice_str(good[i].text), &a), 0);
        assert_string_equal(a.text.ptr, good[i].whole);
        assert_true(slice_equal(a.host, slice_str(good[i].host)));
        assert_int_equal(a.port, good[i].port);
    }
    static const char *bad[] = {"",           ":80",    "a:",    "a:b",     "a:65536",
                                "::1:80",     "[a]:80", "[::1]", "[::1:80", "a b:1",
                                "http://a:1", "a@b:1",  "[]:1",  "a:-1",    "[::1]x:1"};
    for (size_t i = 0; i < array_count(bad); i++) {
        if (conf_parse_address(&arena, slice_str(bad[i]), &a) != -EINVAL) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void a_table_writes_its_schema(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    assert_int_equal(conf_write_schema(&inner_table, &out), 0);
    assert_non_null(strstr(
        buf_text(&out),
        "\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
        "\"n\":{\"description\":\"a number\",\"default\":\"3\",\"anyOf\":[{\"type\":\"integer\","
        "\"minimum\":0,\"maximum\":9},{\"$ref\":\"#/$defs/reference\"}]},"
        "\"must\":{\"description\":\"what it must have\",\"anyOf\":[{\"type\":[\"string\","
        "\"number\"]},{\"$ref\":\"#/$defs/reference\"}]}},\"required\":[\"must\"]}\n"));
    out.len = 0;
    assert_int_equal(conf_write_schema(&all_table, &out), 0);
    assert_non_null(strstr(buf_text(&out),
                           "\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}],"
                           "\"dependentSchemas\":{\"c\":{\"anyOf\":[{\"required\":[\"b\"]}]}}"));
    struct buf small _cleanup_buf_ = buf_make(out.len - 1);
    assert_int_equal(conf_write_schema(&all_table, &small), -ENOBUFS);
}

static void a_table_writes_its_reference(void **state) {
    (void)state;
    struct buf out _cleanup_buf_ = buf_make(1 << 20);
    assert_int_equal(conf_write_reference(&all_table, NULL, &out), 0);
    const char *text = buf_text(&out);
    assert_non_null(
        strstr(text, "| `threads` | whole number |  | `auto` | 1 to 64, or auto | d |"));
    assert_non_null(
        strstr(text, "| `size` | size | bytes; KB MB GB TB | `1KB` | at most 4KB | d |"));
    assert_non_null(strstr(text, "| `secret` | text |  |  | at most 20 | d (secret) |"));
    assert_non_null(strstr(text, "| `word` | `red`, `green` |  | `green` |  | d |"));
    assert_non_null(strstr(text, "\n## named.NAME\n\nAn inner.\n"));
    assert_non_null(strstr(text, "| `c` | list of text |  |  |  | more of b; with `b` | `c: x` |"));
    assert_non_null(strstr(text, "\n## choice\n\nA choice. Exactly one of the first 2 keys.\n"));
    buf_clear(&out);
    assert_int_equal(conf_write_reference(&all_table, "named", &out), 0);
    assert_true(slice_starts_with(buf_slice(&out), slice_lit("\n## named\n\nAn inner.\n")));
    assert_null(strstr(buf_text(&out), "threads"));
    assert_int_equal(conf_write_reference(&all_table, "number", &out), -ENOENT);
}

static bool apply_once(void) {
    static struct run run;
    start_run(&run,
              MAP(1, KEY(1, "address", SCALAR(1, "localhost:${PORT}")),
                  KEY(1, "secret", SCALAR(1, "file:key.${PORT}")),
                  KEY(1, "named", MAP(1, KEY(9, "one", MAP(1, KEY(1, "must", SCALAR(1, "m"))))))));
    assert_true(run.result == 0 || run.result == -ENOMEM);
    assert_int_equal(run.errors.count, 0);
    end_run(&run);
    return run.result == 0;
}

static void without_memory_reading_ends(void **state) {
    (void)state;
    fail_each_allocation(apply_once);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(nothing_and_off),
        cmocka_unit_test(values_are_held_against_their_type_and_range),
        cmocka_unit_test(shapes_are_checked),
        cmocka_unit_test(keys_are_held_against_the_table),
        cmocka_unit_test(an_element_may_stand_alone),
        cmocka_unit_test(the_place_of_each_value_is_known),
        cmocka_unit_test(references_are_replaced),
        cmocka_unit_test(what_a_variable_holds_is_not_followed),
        cmocka_unit_test(bad_references_are_refused),
        cmocka_unit_test(a_value_has_a_bounded_size_and_number_of_references),
        cmocka_unit_test(a_secret_is_never_shown),
        cmocka_unit_test(errors_beyond_the_bound_are_counted),
        cmocka_unit_test(addresses),
        cmocka_unit_test(a_table_writes_its_schema),
        cmocka_unit_test(a_table_writes_its_reference),
        cmocka_unit_test(without_memory_reading_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
