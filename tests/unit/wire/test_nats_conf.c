#include "wire/nats_conf.h"

#include "wire_test.h"

#include <string.h>

/* Files and variables that the tests know: {name, content}, ended by NULL. */
static const char *const files[][2] = {
    {"etc/tls.conf", "cert_file: a.pem\nkey_file: $KEY"},
    {"etc/sub/inner.conf", "include '../tls.conf'"},
    {"etc/sub/../tls.conf", "cert_file: a.pem"},
    {"etc/self.conf", "include self.conf"},
    {"etc/broken.conf", "fine: 1\nwrong: [1 2]\n"},
    {NULL, NULL},
};
static const char *const variables[][2] = {
    {"PORT", "4333"},     {"NAME", "two words"},       {"LIST", "[a, b]"},
    {"BROKEN", "[a, "},   {"HASH", "$2a$11$abc"},      {"SELF", "$SELF"},
    {"KEY", "'key.pem'"}, {"BLOCK", "{deep: {a: 1}}"}, {NULL, NULL},
};

static int look_up(const char *const (*pairs)[2], slice name, struct arena *arena, slice *ret) {
    for (size_t i = 0; pairs[i][0]; i++)
        if (slice_equal(name, slice_str(pairs[i][0])))
            return arena_copy(arena, slice_str(pairs[i][1]), ret);
    return -ENOENT;
}

static int load(void *self, slice path, struct arena *arena, slice *ret_text) {
    (void)self;
    return look_up(files, path, arena, ret_text);
}

static int variable(void *self, slice name, struct arena *arena, slice *ret_value) {
    (void)self;
    return look_up(variables, name, arena, ret_value);
}

static int parse_text(slice text, struct nats_conf *conf, struct error *e) {
    struct nats_conf_source source = {
        .text = text, .name = slice_lit("etc/nats.conf"), .load = load, .variable = variable};
    return nats_conf_parse(&source, conf, e);
}

static void parse(const char *text, struct nats_conf *conf) {
    struct error e = {0};
    if (parse_text(slice_str(text), conf, &e))
        fail_msg("%s: %s", e.place, e.message);
}

static const struct nats_conf_entry *entry_of(const struct nats_conf_node *node, const char *key) {
    assert_int_equal(node->type, NATS_CONF_MAP);
    for (uint32_t i = 0; i < node->count; i++)
        if (slice_equal(node->entries[i].key, slice_str(key)))
            return &node->entries[i];
    fail_msg("there is no key '%s'", key);
    return NULL;
}

static const struct nats_conf_node *at(const struct nats_conf_node *node, const char *key) {
    return entry_of(node, key)->value;
}

static void assert_number(const struct nats_conf_node *node, int64_t number) {
    assert_int_equal(node->type, NATS_CONF_NUMBER);
    assert_int_equal(node->number, number);
}

static void assert_text(const struct nats_conf_node *node, const char *text) {
    assert_int_equal(node->type, NATS_CONF_TEXT);
    if (!slice_equal(node->text, slice_str(text)))
        fail_msg("'%.*s' is not '%s'", slice_fmt(node->text), text);
}

static void assert_refused(const char *text, int code, const char *place, const char *message) {
    struct nats_conf conf;
    struct error e = {0};
    assert_int_equal(parse_text(slice_str(text), &conf, &e), code);
    assert_string_equal(e.place, place);
    if (!strstr(e.message, message))
        fail_msg("'%s' is not in '%s'", message, e.message);
    assert_int_equal(parse_text(slice_str(text), &conf, NULL), code);
}

static void a_key_is_followed_by_a_colon_an_equals_sign_or_a_blank(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("a: 1\nb = 2\nc 3\nd:4;e=5, f 6 # seven\ng: 7 // eight\n\"h i\": 8\nj\n{k: 9}\nl{m 10}",
          &conf);
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h i"};
    for (int64_t i = 0; i < 8; i++)
        assert_number(at(conf.root, keys[i]), i + 1);
    assert_number(at(at(conf.root, "j"), "k"), 9);
    assert_number(at(at(conf.root, "l"), "m"), 10);
    nats_conf_free(&conf);
}

static void json_is_a_configuration(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("{\"port\": 4222, \"tls\": {\"verify\": true}, \"list\": [1, \"a\", {}]}\n", &conf);
    assert_number(at(conf.root, "port"), 4222);
    assert_int_equal(at(at(conf.root, "tls"), "verify")->type, NATS_CONF_BOOL);
    assert_int_equal(at(conf.root, "list")->count, 3);
    nats_conf_free(&conf);
}

static void a_bare_word_is_a_boolean_a_number_or_text(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("yes: On\nno: FALSE\nn: -12\nk: 2k\nkb: 2KB\nmi: 3mib\ng: 1G\nf: 0.5\nip: 10.0.0.1\n"
          "s: 10s\nm: 2m\nurl: nats://a:4222\nhash: $2a$11$x\nd: $\nesc: a\\x41b\nword: a#b",
          &conf);
    assert_int_equal(at(conf.root, "yes")->number, 1);
    assert_int_equal(at(conf.root, "no")->type, NATS_CONF_BOOL);
    assert_int_equal(at(conf.root, "no")->number, 0);
    assert_number(at(conf.root, "n"), -12);
    assert_number(at(conf.root, "k"), 2000);
    assert_number(at(conf.root, "kb"), 2048);
    assert_number(at(conf.root, "mi"), 3 << 20);
    assert_number(at(conf.root, "g"), 1000000000);
    assert_number(at(conf.root, "m"), 2000000);
    assert_int_equal(at(conf.root, "f")->type, NATS_CONF_FRACTION);
    assert_slice(at(conf.root, "f")->text, "0.5");
    assert_text(at(conf.root, "ip"), "10.0.0.1");
    assert_text(at(conf.root, "s"), "10s");
    assert_text(at(conf.root, "url"), "nats://a:4222");
    assert_text(at(conf.root, "hash"), "$2a$11$x");
    assert_text(at(conf.root, "d"), "$");
    assert_text(at(conf.root, "esc"), "aAb");
    assert_text(at(conf.root, "word"), "a#b");
    nats_conf_free(&conf);
}

static void quoted_text_is_text(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("a: \"true\"\nb: '12'\nc: \"\\t\\\"\\x41\\\\\"\nd: 'a\\qb'\ne: \"$PORT # {\"\n"
          "f: (\nfirst\n ) no end\n)\ng: \"two\nlines\"",
          &conf);
    assert_text(at(conf.root, "a"), "true");
    assert_text(at(conf.root, "b"), "12");
    assert_text(at(conf.root, "c"), "\t\"A\\");
    assert_text(at(conf.root, "d"), "a\\qb");
    assert_text(at(conf.root, "e"), "$PORT # {");
    assert_text(at(conf.root, "f"), "\nfirst\n ) no end\n");
    assert_text(at(conf.root, "g"), "two\nlines");
    nats_conf_free(&conf);
}

static void a_variable_is_a_key_of_the_blocks_around_it_or_of_the_environment(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("PORT: 1\nUSERS: [{user: a}]\nblock { PORT: 2\n inner { p: $PORT } }\np: $PORT\n"
          "users: $USERS\nname: $NAME\nlist: $LIST\nbroken: $BROKEN\nhash: $HASH\nself: $SELF\n"
          "deep: $BLOCK\n",
          &conf);
    assert_number(at(at(at(conf.root, "block"), "inner"), "p"), 2);
    assert_number(at(conf.root, "p"), 1);
    assert_true(entry_of(conf.root, "PORT")->is_variable);
    assert_false(entry_of(conf.root, "p")->is_variable);
    assert_int_equal(at(conf.root, "p")->place.line, 5);
    assert_text(at(at(conf.root, "users")->entries[0].value, "user"), "a");
    assert_text(at(conf.root, "name"), "two words");
    assert_int_equal(at(conf.root, "list")->count, 2);
    assert_text(at(conf.root, "broken"), "[a, ");
    assert_text(at(conf.root, "hash"), "$2a$11$abc");
    assert_text(at(conf.root, "self"), "$SELF");
    assert_number(at(at(at(conf.root, "deep"), "deep"), "a"), 1);
    nats_conf_free(&conf);
    parse("p: $PORT", &conf);
    assert_number(at(conf.root, "p"), 4333);
    nats_conf_free(&conf);
    assert_refused("a: 1\np: $NOBODY", -EINVAL, "etc/nats.conf:2:4", "'NOBODY'");
}

static void of_a_key_given_twice_the_last_counts(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("port: 1\nPORT: 3\nport: 2", &conf);
    assert_int_equal(conf.root->count, 2);
    assert_number(at(conf.root, "port"), 2);
    assert_number(at(conf.root, "PORT"), 3);
    nats_conf_free(&conf);
}

static void an_include_stands_for_what_is_in_its_file(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("KEY: k.pem\ntls {\n include tls.conf\n}\nother { include 'sub/inner.conf' }\n", &conf);
    assert_text(at(at(conf.root, "tls"), "key_file"), "k.pem");
    assert_slice(entry_of(at(conf.root, "tls"), "key_file")->place.file, "etc/tls.conf");
    assert_int_equal(entry_of(at(conf.root, "tls"), "key_file")->place.line, 2);
    assert_text(at(at(conf.root, "other"), "cert_file"), "a.pem");
    nats_conf_free(&conf);
    assert_refused("a: 1\n include nope.conf", -ENOENT, "etc/nats.conf:2:2", "etc/nope.conf");
    assert_refused("include self.conf", -E2BIG, "etc/self.conf:1:1", "within each other");
    assert_refused("include broken.conf", -EINVAL, "etc/broken.conf:2:11", "'2' stands behind");
}

static void an_array_is_separated_by_commas_or_line_ends(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("a: [1, 2\n 3 # four\n\n {b: 4}, \"5\"]\nb: []", &conf);
    assert_int_equal(at(conf.root, "a")->count, 5);
    assert_number(at(conf.root, "a")->entries[2].value, 3);
    assert_int_equal(at(conf.root, "b")->count, 0);
    nats_conf_free(&conf);
    assert_refused("a: [1 2]", -EINVAL, "etc/nats.conf:1:7", "'2' stands behind an element");
    assert_refused("a: [{} {}]", -EINVAL, "etc/nats.conf:1:8", "behind an element");
}

static void every_entry_knows_its_place(void **state) {
    (void)state;
    struct nats_conf conf;
    parse("# first\nport: 4222\n  tls {\n    verify: true\n  }\n", &conf);
    const struct nats_conf_entry *verify = entry_of(at(conf.root, "tls"), "verify");
    assert_slice(verify->place.file, "etc/nats.conf");
    assert_int_equal(verify->place.line, 4);
    assert_int_equal(verify->place.column, 5);
    assert_int_equal(verify->value->place.column, 13);
    nats_conf_free(&conf);
}

static void what_is_written_wrong_is_refused_with_its_place(void **state) {
    (void)state;
    assert_refused("port", -EINVAL, "etc/nats.conf:1:1", "'port' has no value");
    assert_refused("port:\n 4222", -EINVAL, "etc/nats.conf:1:1", "'port' has no value");
    assert_refused("a {b: }", -EINVAL, "etc/nats.conf:1:4", "'b' has no value");
    assert_refused("port: 4222 debug: true", -EINVAL, "etc/nats.conf:1:12", "'d' stands behind");
    assert_refused("port: 4222}", -EINVAL, "etc/nats.conf:1:11", "a key is missing");
    assert_refused("a {\n b: 1\n", -EINVAL, "etc/nats.conf:1:3", "never closed");
    assert_refused("{a: 1", -EINVAL, "etc/nats.conf:1:1", "never closed");
    assert_refused("{a: 1} b", -EINVAL, "etc/nats.conf:1:8", "behind the last");
    assert_refused("a: [1,\n", -EINVAL, "etc/nats.conf:1:4", "never closed");
    assert_refused("a: \"b", -EINVAL, "etc/nats.conf:1:4", "never closed");
    assert_refused("a: (b", -EINVAL, "etc/nats.conf:1:4", "never closed");
    assert_refused("a: \"\\q\"", -EINVAL, "etc/nats.conf:1:4", "\\q");
    assert_refused("a: 99999999999e", -EINVAL, "etc/nats.conf:1:4", "64 bits");
    assert_refused(": 1", -EINVAL, "etc/nats.conf:1:1", "a key is missing");
}

static void depth_keys_and_values_have_bounds(void **state) {
    (void)state;
    struct nats_conf conf;
    char text[NATS_CONF_DEPTH_MAX + 8] = "a: ";
    memset(text + 3, '[', NATS_CONF_DEPTH_MAX + 1);
    struct error e;
    assert_int_equal(parse_text(slice_make(text, NATS_CONF_DEPTH_MAX + 4), &conf, &e), -E2BIG);
    struct buf many = buf_make(1 << 20);
    for (int i = 0; i <= (int)NATS_CONF_KEYS_MAX; i++)
        assert_int_equal(buf_printf(&many, "k%d: 1\n", i), 0);
    assert_int_equal(parse_text(buf_slice(&many), &conf, &e), -E2BIG);
    buf_clear(&many);
    assert_int_equal(buf_printf(&many, "v0: [1,1,1,1,1,1,1,1,1,1]\n"), 0);
    for (int i = 1; i < 8; i++) /* ten times as many values with each line */
        assert_int_equal(buf_printf(&many, "v%d: [$v%d,$v%d,$v%d,$v%d,$v%d,$v%d,$v%d,$v%d,$v%d]\n",
                                    i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
                                    i - 1),
                         0);
    assert_int_equal(parse_text(buf_slice(&many), &conf, &e), -E2BIG);
    buf_free(&many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_followed_by_a_colon_an_equals_sign_or_a_blank),
        cmocka_unit_test(json_is_a_configuration),
        cmocka_unit_test(a_bare_word_is_a_boolean_a_number_or_text),
        cmocka_unit_test(quoted_text_is_text),
        cmocka_unit_test(a_variable_is_a_key_of_the_blocks_around_it_or_of_the_environment),
        cmocka_unit_test(of_a_key_given_twice_the_last_counts),
        cmocka_unit_test(an_include_stands_for_what_is_in_its_file),
        cmocka_unit_test(an_array_is_separated_by_commas_or_line_ends),
        cmocka_unit_test(every_entry_knows_its_place),
        cmocka_unit_test(what_is_written_wrong_is_refused_with_its_place),
        cmocka_unit_test(depth_keys_and_values_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
