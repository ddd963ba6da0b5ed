#include "wire/yaml.h"

#include "../base/base_test.h"

#include <stdio.h>

static void parse(const char *text, struct yaml *yaml) {
    struct error e = {0};
    int r = yaml_parse(slice_str(text), slice_lit("app.yaml"), yaml, &e);
    if (r < 0) {
        fail_msg("%s: %s", e.place, e.message);
    }
}

static void assert_refused(slice text, int code, const char *place, const char *message) {
    struct yaml yaml;
    struct error e = {0};
    assert_int_equal(yaml_parse(text, slice_lit("app.yaml"), &yaml, &e), code);
    assert_int_equal(e.code, code);
    assert_string_equal(e.place, place);
    if (!strstr(e.message, message)) {
        fail_msg("'%s' is not in '%s'", message, e.message);
    }
    assert_int_equal(yaml_parse(text, slice_lit("app.yaml"), &yaml, NULL), code);
}

#define assert_no_yaml(text, place, message)                                                       \
    assert_refused(slice_lit(text), -EINVAL, place, message)

static void assert_at(const struct yaml_node *node, unsigned line, unsigned column) {
    assert_non_null(node);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void every_node_knows_its_place(void **state) {
    (void)state;
    struct yaml yaml;
    parse("# auction\n"
          "streams:\n"
          "  BIDS: {subjects: [\"bid.>\", ü], max_age: 7d}\n"
          "services:\n"
          "  - command: >\n"
          "      node\n"
          "      ratings.js\n",
          &yaml);
    assert_at(yaml.root, 2, 1);
    const struct yaml_node *bids =
        yaml_member(yaml_member(yaml.root, slice_lit("streams")), slice_lit("BIDS"));
    assert_at(bids, 3, 9);
    const struct yaml_node *subjects = yaml_member(bids, slice_lit("subjects"));
    assert_at(subjects, 3, 20);
    assert_int_equal(subjects->type, YAML_SEQUENCE);
    assert_at(subjects->entries[0].value, 3, 21);
    assert_slice(subjects->entries[0].value->text, "bid.>");
    assert_false(subjects->entries[0].value->plain);
    assert_at(subjects->entries[1].value, 3, 30);
    assert_true(subjects->entries[1].value->plain);
    assert_int_equal(bids->entries[1].line, 3);
    assert_int_equal(bids->entries[1].column, 34);
    assert_slice(bids->entries[1].key, "max_age");
    const struct yaml_node *services = yaml_member(yaml.root, slice_lit("services"));
    assert_at(services, 5, 3);
    assert_slice(yaml_member(services->entries[0].value, slice_lit("command"))->text,
                 "node ratings.js\n");
    yaml_free(&yaml);
}

static void types_are_not_guessed(void **state) {
    (void)state;
    struct yaml yaml;
    parse("[1.10, yes, null, \"null\", 'it''s', 0o17]", &yaml);
    static const char *texts[] = {"1.10", "yes", "null", "null", "it's", "0o17"};
    assert_int_equal(yaml.root->count, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(slice_equal(yaml.root->entries[i].value->text, slice_str(texts[i])));
        assert_int_equal(yaml.root->entries[i].value->plain, i != 3 && i != 4);
    }
    yaml_free(&yaml);
}

static void an_absent_value_stands_at_its_key(void **state) {
    (void)state;
    struct yaml yaml;
    parse("a:\nb:\n  c:\n", &yaml);
    const struct yaml_node *a = yaml_member(yaml.root, slice_lit("a"));
    assert_at(a, 1, 1);
    assert_int_equal(a->type, YAML_SCALAR);
    assert_true(a->plain);
    assert_int_equal(a->text.len, 0);
    assert_at(yaml_member(yaml_member(yaml.root, slice_lit("b")), slice_lit("c")), 3, 3);
    yaml_free(&yaml);
}

static void an_empty_file_has_no_root(void **state) {
    (void)state;
    static const char *texts[] = {"", "\n", "# only words\n"};
    for (size_t i = 0; i < array_count(texts); i++) {
        struct yaml yaml;
        parse(texts[i], &yaml);
        assert_null(yaml.root);
        assert_null(yaml_member(yaml.root, slice_lit("a")));
        yaml_free(&yaml);
    }
}

static void an_alias_is_the_node_of_its_anchor(void **state) {
    (void)state;
    struct yaml yaml;
    parse("a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x\n", &yaml);
    assert_ptr_equal(yaml_member(yaml.root, slice_lit("a")),
                     yaml_member(yaml.root, slice_lit("b")));
    assert_slice(yaml_member(yaml.root, slice_lit("d"))->text, "2");
    assert_int_equal(yaml.root->weight, 7);
    yaml_free(&yaml);
}

static void ambiguous_files_are_refused(void **state) {
    (void)state;
    assert_no_yaml("a: 1\nb: 2\na: 3\n", "app.yaml:3:1", "given twice");
    assert_no_yaml("{a: 1, \"a\": 2}", "app.yaml:1:8", "given twice");
    assert_no_yaml("a: 1\n---\nb: 2\n", "app.yaml:2:1", "second document");
    assert_no_yaml("a: !!int 3\n", "app.yaml:1:10", "tags");
    assert_no_yaml("a: !x {b: 1}\n", "app.yaml:1:7", "tags");
    assert_no_yaml("? [a]\n: 1\n", "app.yaml:1:3", "a key must be text");
    assert_no_yaml("a: &x 1\n*x : 2\n", "app.yaml:2:1", "a key must be text");
    assert_no_yaml("&x a: 1\n", "app.yaml:1:4", "a key cannot have an anchor");
    assert_no_yaml("a: *x\n", "app.yaml:1:4", "no anchor before it");
    assert_no_yaml("a: &x [*x]\n", "app.yaml:1:8", "inside its own anchor");
    assert_no_yaml("a: \xff\n", "app.yaml:1:4", "not UTF-8");
    assert_refused(slice_lit("é: a\n\0"), -EINVAL, "app.yaml:2:1", "not UTF-8");
}

static void bad_syntax_is_refused_with_its_place(void **state) {
    (void)state;
    assert_no_yaml("a: [1, 2\n", "app.yaml:2:1", "flow sequence without a closing bracket");
    assert_no_yaml("a: 1\n b: 2\n", "app.yaml:1:4", "invalid multiline plain key");
    assert_no_yaml("a:\n\tb: 1\n", "app.yaml:2:1", "");
    assert_no_yaml("a: \"x\n", "app.yaml:1:5", "without closing quote");
    assert_no_yaml("a: }\n", "app.yaml:1:4", "");
}

static void large_mappings_are_checked_for_repeated_keys(void **state) {
    (void)state;
    char text[4000] = "";
    for (int i = 0; i < 200; i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "k%d: %d\n", i == 150 ? 3 : i, i);
    }
    assert_refused(slice_str(text), -EINVAL, "app.yaml:151:1", "given twice");
}

static void depth_is_bounded(void **state) {
    (void)state;
    char text[YAML_DEPTH_MAX + 2];
    memset(text, '[', sizeof(text));
    assert_refused(slice_make(text, sizeof(text)), -E2BIG, "app.yaml:1:33", "too deeply");
}

static void a_billion_laughs_are_not_heard(void **state) {
    (void)state;
    char text[2000] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; i++) {
        size_t len = strlen(text);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s*a%d", j ? "," : "", i - 1);
        }
        snprintf(text + len, sizeof(text) - len, "]\n");
    }
    struct yaml yaml;
    struct error e;
    assert_int_equal(yaml_parse(slice_str(text), slice_lit("app.yaml"), &yaml, &e), -E2BIG);
    assert_non_null(strstr(e.message, "once aliases are expanded"));
}

static void too_much_is_refused(void **state) {
    (void)state;
    char *text = mem_alloc(YAML_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, '\n', YAML_TEXT_MAX + 1);
    assert_refused(slice_make(text, YAML_TEXT_MAX + 1), -E2BIG, "app.yaml:1:1", "too large");
    text[0] = '[';
    for (size_t i = 1; i < 4 * YAML_NODES_MAX; i++) {
        text[i] = i % 2 ? 'x' : ',';
    }
    struct yaml yaml;
    assert_int_equal(yaml_parse(slice_make(text, 4 * YAML_NODES_MAX), slice_lit(""), &yaml, NULL),
                     -E2BIG);
    mem_free(text);
}

static bool parse_once(void) {
    struct yaml yaml;
    struct error e;
    int r = yaml_parse(slice_lit("a: &x {k: [1, 2]}\nb: *x\n"), slice_lit(""), &yaml, &e);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0) {
        yaml_free(&yaml);
    }
    return r == 0;
}

static void without_memory_the_file_is_refused(void **state) {
    (void)state;
    fail_each_allocation(parse_once);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_its_place),
        cmocka_unit_test(types_are_not_guessed),
        cmocka_unit_test(an_absent_value_stands_at_its_key),
        cmocka_unit_test(an_empty_file_has_no_root),
        cmocka_unit_test(an_alias_is_the_node_of_its_anchor),
        cmocka_unit_test(ambiguous_files_are_refused),
        cmocka_unit_test(bad_syntax_is_refused_with_its_place),
        cmocka_unit_test(large_mappings_are_checked_for_repeated_keys),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_billion_laughs_are_not_heard),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(without_memory_the_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
