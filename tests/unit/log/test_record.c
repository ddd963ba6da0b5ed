/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/record.h"

static struct record message(void) {
    return (struct record){
        .kind = RECORD_MESSAGE,
        .id = 7,
        .sequence = 0x1122334455667788,
        .position = 42,
        .time_ns = -5,
        .subject = slice_lit("bid.new"),
        .headers = slice_lit("NATS/1.0\r\nA: b\r\n\r\n"),
        .payload = slice_lit("{\"price\": 100}"),
    };
}

static void assert_same(const struct record *a, const struct record *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->time_ns, b->time_ns);
    assert_true(slice_equal(a->subject, b->subject));
    assert_true(slice_equal(a->headers, b->headers));
    assert_true(slice_equal(a->payload, b->payload));
}

static void test_a_message_comes_back_as_it_was(void **state) {
    (void)state;
    struct record in = message(), out;
    char bytes[256];
    record_encode(&in, bytes);
    assert_int_equal(record_size(&in), 48 + 7 + 18 + 14 + 1);
    assert_int_equal(record_decode(slice_make(bytes, record_size(&in)), true, &out), 0);
    assert_same(&in, &out);
    assert_int_equal(record_at_length(bytes), record_size(&in));
    assert_int_equal(record_at_sequence(bytes), in.sequence);
    assert_int_equal(record_at_position(bytes), 42);
    assert_int_equal(record_at_time_ns(bytes), -5);
    assert_true(slice_equal(record_at_subject(bytes), in.subject));
}

static void test_every_kind_and_every_padding_comes_back(void **state) {
    (void)state;
    for (uint8_t kind = RECORD_MESSAGE; kind <= RECORD_ERASE; kind++)
        for (size_t len = 0; len <= 17; len++) {
            struct record in = message(), out;
            char bytes[256];
            in.kind = kind;
            in.flags = RECORD_FLAG_IN_MEMORY;
            in.payload = slice_take(slice_lit("0123456789abcdefg"), len);
            memset(bytes, 0x55, sizeof bytes);
            record_encode(&in, bytes);
            size_t size = record_size(&in);
            assert_int_equal(size % 8, 0);
            assert_int_equal(bytes[size], 0x55);
            assert_int_equal(record_decode(slice_make(bytes, sizeof bytes), true, &out), 0);
            assert_same(&in, &out);
        }
}

static void test_the_empty_record_is_a_head(void **state) {
    (void)state;
    struct record in = {.kind = RECORD_TRIM, .id = 3, .sequence = 9}, out;
    char bytes[RECORD_HEAD_SIZE];
    record_encode(&in, bytes);
    assert_int_equal(record_decode(slice_make(bytes, sizeof bytes), true, &out), 0);
    assert_same(&in, &out);
}

static void test_the_bytes_are_the_documented_ones(void **state) {
    (void)state;
    struct record in = message();
    char bytes[256];
    record_encode(&in, bytes);
    static const unsigned char head[] = {
        7,    0,    0,  0, 7, 0, 1,  0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22,
        0x11, 42,   0,  0, 0, 0, 0,  0, 0,    0xfb, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 18, 0, 0, 0, 14, 0, 0,    0,    'b',  'i',  'd'};
    assert_int_equal(record_get_u32(bytes), 88);
    assert_int_equal(record_get_u32(bytes + 4), crc32c_update(0, bytes + 8, 80));
    assert_memory_equal(bytes + 8, head, sizeof head);
    assert_int_equal(bytes[87], 0);
}

static void test_each_flipped_bit_is_found(void **state) {
    (void)state;
    struct record in = message(), out;
    char bytes[256];
    record_encode(&in, bytes);
    size_t size = record_size(&in);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(record_decode(slice_make(bytes, sizeof bytes), true, &out), -EBADMSG);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(record_decode(slice_make(bytes, size), true, &out), 0);
}

static void test_a_record_cut_short_is_refused(void **state) {
    (void)state;
    struct record in = message(), out;
    size_t size = record_size(&in);
    for (size_t len = 0; len < size; len++) {
        char whole[256];
        record_encode(&in, whole);
        char *bytes = mem_copy(whole, len); /* so that a sanitizer sees a read behind it */
        assert_int_equal(record_decode(slice_make(bytes, len), false, &out), -EBADMSG);
        mem_free(bytes);
    }
}

static void test_lengths_are_judged_without_a_crc_too(void **state) {
    (void)state;
    struct record in = message(), out;
    char bytes[256];
    static const size_t fields[] = {0, 12, 40, 44};
    for (size_t i = 0; i < array_count(fields); i++)
        for (unsigned bit = 0; bit < (fields[i] == 12 ? 16 : 32); bit++) {
            record_encode(&in, bytes);
            char *at = bytes + fields[i] + bit / 8;
            *at = (char)(*at ^ 1 << bit % 8);
            int failed = record_decode(slice_make(bytes, sizeof bytes), false, &out);
            /* Few bits of an inner length fall into the padding: 87 bytes of 88. */
            if (failed == 0)
                assert_true(i > 0 && record_size(&out) == record_size(&in));
            else
                assert_int_equal(failed, -EBADMSG);
        }
}

static void test_an_unknown_kind_is_a_newer_format(void **state) {
    (void)state;
    struct record in = message(), out;
    char bytes[256];
    for (unsigned kind = 0; kind < 256; kind++) {
        if (kind >= RECORD_MESSAGE && kind <= RECORD_ERASE)
            continue;
        record_encode(&in, bytes);
        bytes[14] = (char)kind;
        slice whole = slice_make(bytes, record_size(&in));
        assert_int_equal(record_decode(whole, false, &out), -ENOTSUP);
        assert_int_equal(record_decode(whole, true, &out), -EBADMSG);
        record_put_u32(bytes + 4, crc32c_update(0, bytes + 8, whole.len - 8));
        assert_int_equal(record_decode(whole, true, &out), -ENOTSUP);
    }
}

static void test_bounds_are_part_of_the_format(void **state) {
    (void)state;
    static const char zeros[LOG_SUBJECT_MAX + 1];
    struct record in = message(), out;
    in.subject = slice_make(zeros, LOG_SUBJECT_MAX + 1);
    assert_false(record_fits(&in));
    in.subject.len = LOG_SUBJECT_MAX;
    assert_true(record_fits(&in));
    in.headers = slice_make(zeros, 10);
    in.payload = slice_make(zeros, LOG_MESSAGE_MAX - 9); /* only measured */
    assert_false(record_fits(&in));
    in.payload.len = LOG_MESSAGE_MAX - 10;
    assert_true(record_fits(&in));
    assert_true(record_size(&in) <= RECORD_SIZE_MAX);
    /* A record whose lengths agree but pass the bound is refused before anything is read. */
    char *huge = mem_zalloc(1, LOG_MESSAGE_MAX + 8192);
    assert_non_null(huge);
    record_put_u32(huge, (uint32_t)record_size_of(0, 0, LOG_MESSAGE_MAX + 1));
    huge[14] = RECORD_MESSAGE;
    record_put_u32(huge + 44, LOG_MESSAGE_MAX + 1);
    assert_int_equal(record_decode(slice_make(huge, LOG_MESSAGE_MAX + 8192), false, &out),
                     -EBADMSG);
    mem_free(huge);
}

static void test_limits_travel_as_headers(void **state) {
    (void)state;
    struct log_limits in = {1, 2, 3, UINT64_MAX}, out;
    char bytes[RECORD_LIMITS_SIZE];
    record_put_limits(&in, bytes);
    assert_int_equal(record_get_limits(slice_make(bytes, sizeof bytes), &out), 0);
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(record_get_limits(slice_make(bytes, sizeof bytes - 1), &out), -EBADMSG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_comes_back_as_it_was),
        cmocka_unit_test(test_every_kind_and_every_padding_comes_back),
        cmocka_unit_test(test_the_empty_record_is_a_head),
        cmocka_unit_test(test_the_bytes_are_the_documented_ones),
        cmocka_unit_test(test_each_flipped_bit_is_found),
        cmocka_unit_test(test_a_record_cut_short_is_refused),
        cmocka_unit_test(test_lengths_are_judged_without_a_crc_too),
        cmocka_unit_test(test_an_unknown_kind_is_a_newer_format),
        cmocka_unit_test(test_bounds_are_part_of_the_format),
        cmocka_unit_test(test_limits_travel_as_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
