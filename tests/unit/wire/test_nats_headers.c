#include "wire_test.h"

#include "base/check.h"
#include "base/mem.h"
#include "wire/nats_headers.h"

static void a_plain_block(void **state) {
    (void)state;
    struct nats_status status;
    struct nats_field field;
    slice block = slice_lit("NATS/1.0\r\nA: 1\r\nb-C:  2 3 \r\nA:4\r\n\r\n");
    assert_int_equal(nats_headers_parse(block, &status), 0);
    assert_int_equal(status.code, 0);
    assert_slice(status.description, "");
    slice cursor = status.fields;
    assert_true(nats_headers_next(&cursor, &field));
    assert_slice(field.key, "A");
    assert_slice(field.value, "1");
    assert_true(nats_headers_next(&cursor, &field));
    assert_slice(field.key, "b-C");
    assert_slice(field.value, "2 3");
    assert_true(nats_headers_next(&cursor, &field));
    assert_slice(field.key, "A");
    assert_slice(field.value, "4");
    assert_false(nats_headers_next(&cursor, &field));
    assert_false(nats_headers_next(&cursor, &field));
}

static void a_status_with_and_without_words(void **state) {
    (void)state;
    struct nats_status status;
    assert_int_equal(nats_headers_parse(slice_lit("NATS/1.0 503\r\n\r\n"), &status), 0);
    assert_int_equal(status.code, 503);
    assert_slice(status.description, "");
    assert_int_equal(
        nats_headers_parse(
            slice_lit("NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\n\r\n"), &status),
        0);
    assert_int_equal(status.code, 408);
    assert_slice(status.description, "Request Timeout");
    slice value;
    assert_true(nats_headers_get(status.fields, slice_lit("Nats-Pending-Messages"), &value));
    assert_slice(value, "1");
}

static void what_is_not_a_block(void **state) {
    (void)state;
    struct nats_status status = {.code = 7};
    static const char *const wrong[] = {"",
                                        "NATS/1.0",
                                        "NATS/2.0\r\n\r\n",
                                        "HTTP/1.1\r\n\r\n",
                                        "nats/1.0\r\n",
                                        "NATS/1.01\r\n\r\n",
                                        "NATS/1.0 5\r\n\r\n",
                                        "NATS/1.0 50x\r\n\r\n",
                                        "NATS/1.0 5033\r\n\r\n"};
    for (size_t i = 0; i < array_count(wrong); i++)
        assert_int_equal(nats_headers_parse(slice_str(wrong[i]), &status), -EBADMSG);
    assert_int_equal(status.code, 7);
}

static void lookup_minds_case_and_takes_the_first(void **state) {
    (void)state;
    slice block =
        slice_lit("NATS/1.0\r\nnats-msg-id: x\r\nNats-Msg-Id: y\r\nNats-Msg-Id: z\r\n\r\n");
    slice value = none;
    assert_true(nats_headers_get(block, slice_lit("Nats-Msg-Id"), &value));
    assert_slice(value, "y");
    assert_false(nats_headers_get(block, slice_lit("NATS-MSG-ID"), &value));
    assert_false(nats_headers_get(block, slice_lit("Nats-Msg"), &value));
    assert_false(nats_headers_get(none, slice_lit("X"), &value));
    assert_slice(value, "y");
}

static void a_key_inside_a_value_is_not_found(void **state) {
    (void)state;
    slice value;
    slice block = slice_lit("NATS/1.0\r\nX: Nats-Msg-Id: 1\r\n\r\nNats-Msg-Id: 2\r\n");
    assert_false(nats_headers_get(block, slice_lit("Nats-Msg-Id"), &value));
}

static void odd_lines_are_passed_over(void **state) {
    (void)state;
    struct nats_status status;
    struct nats_field field;
    slice block = slice_lit("NATS/1.0\r\nnonsense\r\n: v\r\nA:\r\nB: 1\n");
    assert_int_equal(nats_headers_parse(block, &status), 0);
    assert_true(nats_headers_next(&status.fields, &field));
    assert_slice(field.key, "A");
    assert_slice(field.value, "");
    assert_true(nats_headers_next(&status.fields, &field));
    assert_slice(field.key, "B");
    assert_slice(field.value, "1");
    assert_false(nats_headers_next(&status.fields, &field));
}

static void a_block_is_built(void **state) {
    (void)state;
    struct buf b = buf_make(4096);
    assert_int_equal(nats_headers_begin(&b, 0, none), 0);
    assert_int_equal(nats_headers_add(&b, slice_lit("A"), slice_lit("1")), 0);
    assert_int_equal(nats_headers_add(&b, slice_lit("B"), none), 0);
    assert_int_equal(nats_headers_add_u64(&b, slice_lit("C"), UINT64_MAX), 0);
    assert_int_equal(nats_headers_end(&b), 0);
    assert_slice(buf_slice(&b), "NATS/1.0\r\nA: 1\r\nB: \r\nC: 18446744073709551615\r\n\r\n");
    buf_clear(&b);
    assert_int_equal(nats_headers_begin(&b, 404, slice_lit("No Messages")), 0);
    assert_int_equal(nats_headers_end(&b), 0);
    assert_slice(buf_slice(&b), "NATS/1.0 404 No Messages\r\n\r\n");
    buf_clear(&b);
    assert_int_equal(nats_headers_begin(&b, 999, none), 0);
    assert_slice(buf_slice(&b), "NATS/1.0 999\r\n");
    buf_free(&b);
}

static void a_block_is_gone_on_with(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"NATS/1.0 503 x\r\nA:1\r\nodd\r\n\r\n", "NATS/1.0 503 x\r\nA:1\r\nodd\r\n"},
        {"NATS/1.0\r\n\r\n", "NATS/1.0\r\n"},
        {"", "NATS/1.0\r\n"},
        {"no block", "NATS/1.0\r\n"},
        {"NATS/1.0\r\nA:1\nodd\r\na b: 2\r\nB: 3\r\nC: 4", "NATS/1.0\r\nA: 1\r\nB: 3\r\n"},
    };
    struct buf b = buf_make(4096);
    for (size_t i = 0; i < array_count(cases); i++) {
        buf_clear(&b);
        assert_int_equal(nats_headers_begin_with(&b, slice_str(cases[i][0])), 0);
        assert_true(slice_equal(buf_slice(&b), slice_str(cases[i][1])));
    }
    buf_free(&b);
    b = buf_make(14);
    assert_int_equal(nats_headers_begin_with(&b, slice_str(cases[4][0])), -ENOBUFS);
    buf_free(&b);
}

static void what_would_break_a_block_is_refused(void **state) {
    (void)state;
    struct buf b = buf_make(4096);
    static const char *const keys[] = {"", "a b", "a:b", "a\r\nb", "a\tb", "\xc3\xa9"};
    for (size_t i = 0; i < array_count(keys); i++)
        assert_int_equal(nats_headers_add(&b, slice_str(keys[i]), slice_lit("v")), -EINVAL);
    assert_int_equal(nats_headers_add(&b, slice_lit("A"), slice_lit("b\rc")), -EINVAL);
    assert_int_equal(nats_headers_add(&b, slice_lit("A"), slice_lit("b\nc")), -EINVAL);
    assert_int_equal(nats_headers_add(&b, slice_lit("A"), slice_lit("\r")), -EINVAL);
    assert_int_equal(nats_headers_add(&b, slice_lit("A"), slice_lit("\n")), -EINVAL);
    assert_int_equal(nats_headers_begin(&b, 1000, none), -EINVAL);
    assert_int_equal(nats_headers_begin(&b, 100, slice_lit("a\r\nb")), -EINVAL);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void a_field_is_taken_out(void **state) {
    (void)state;
    struct buf b = buf_make(4096);
    slice block = slice_lit("NATS/1.0 200 x\r\nA: 1\r\nAB: 2\r\nA: 3\r\nodd\r\n\r\n");
    assert_int_equal(nats_headers_copy_without(&b, block, slice_lit("A")), 0);
    assert_slice(buf_slice(&b), "NATS/1.0 200 x\r\nAB: 2\r\nodd\r\n\r\n");
    buf_clear(&b);
    assert_int_equal(nats_headers_copy_without(&b, block, slice_lit("Z")), 0);
    assert_true(slice_equal(buf_slice(&b), block));
    assert_int_equal(nats_headers_copy_without(&b, slice_lit("x"), slice_lit("A")), -EBADMSG);
    buf_free(&b);
}

static void no_room_and_no_memory(void **state) {
    (void)state;
    struct buf b = buf_make(8);
    assert_int_equal(nats_headers_begin(&b, 0, none), -ENOBUFS);
    assert_int_equal(nats_headers_add(&b, slice_lit("Key"), slice_lit("value")), -ENOBUFS);
    assert_int_equal(nats_headers_copy_without(&b, slice_lit("NATS/1.0\r\n\r\n"), none), -ENOBUFS);
    assert_int_equal(b.len, 0);
    buf_free(&b);
    struct buf c = buf_make(4096);
    mem_fail_at(1, false);
    int r = nats_headers_begin(&c, 0, none);
    mem_fail_at(0, false);
    assert_int_equal(r, -ENOMEM);
    buf_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_block),
        cmocka_unit_test(a_status_with_and_without_words),
        cmocka_unit_test(what_is_not_a_block),
        cmocka_unit_test(lookup_minds_case_and_takes_the_first),
        cmocka_unit_test(a_key_inside_a_value_is_not_found),
        cmocka_unit_test(odd_lines_are_passed_over),
        cmocka_unit_test(a_block_is_built),
        cmocka_unit_test(a_block_is_gone_on_with),
        cmocka_unit_test(what_would_break_a_block_is_refused),
        cmocka_unit_test(a_field_is_taken_out),
        cmocka_unit_test(no_room_and_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
