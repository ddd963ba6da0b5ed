/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/journal_format.h"
#include "log/record.h"

static const struct journal_header a_header = {
    .log_id = 0x1234567890abcdef, .number = 12, .bytes = 65536};

static void test_a_file_header_comes_back(void **state) {
    (void)state;
    char sector[JOURNAL_SECTOR];
    struct journal_header header;
    journal_header_encode(&a_header, sector);
    assert_int_equal(journal_header_decode(sector, &header), 0);
    assert_int_equal(header.log_id, a_header.log_id);
    assert_int_equal(header.number, 12);
    assert_int_equal(header.bytes, 65536);
}

static void test_each_flipped_bit_of_a_file_header_is_found(void **state) {
    (void)state;
    char sector[JOURNAL_SECTOR];
    struct journal_header header;
    journal_header_encode(&a_header, sector);
    for (size_t bit = 0; bit < sizeof sector * 8; bit++) {
        sector[bit / 8] = (char)(sector[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(journal_header_decode(sector, &header), -EBADMSG);
        sector[bit / 8] = (char)(sector[bit / 8] ^ 1 << bit % 8);
    }
}

static void seal_header(char *sector) {
    record_put_u32(sector + 8, crc32c_update(0, sector + 12, JOURNAL_SECTOR - 12));
}

static void test_a_newer_version_and_nonsense_are_told_apart(void **state) {
    (void)state;
    char sector[JOURNAL_SECTOR];
    struct journal_header header;
    journal_header_encode(&a_header, sector);
    record_put_u32(sector + 12, JOURNAL_VERSION + 1);
    seal_header(sector);
    assert_int_equal(journal_header_decode(sector, &header), -ENOTSUP);
    static const struct journal_header bad[] = {
        {.log_id = 1, .number = 0, .bytes = 65536},
        {.log_id = 1, .number = 1, .bytes = 65537},
        {.log_id = 1, .number = 1, .bytes = 4096},
    };
    for (size_t i = 0; i < array_count(bad); i++) {
        journal_header_encode(&bad[i], sector);
        assert_int_equal(journal_header_decode(sector, &header), -EBADMSG);
    }
}

/* A group of two batches, the second of SECOND bytes of records. */
static struct journal_group make_group(char *bytes, size_t second) {
    struct journal_group group = {
        .log_id = 77,
        .file = 3,
        .offset = 8192,
        .number = 9,
        .first_position = 100,
        .last_position = 102,
        .previous_file = 3,
        .previous_offset = 4096,
        .batches = 2,
    };
    char *at = bytes + JOURNAL_GROUP_HEADER;
    struct record record = {.kind = RECORD_TRIM, .id = 1, .sequence = 5, .position = 100};
    journal_batch_encode(100, 1, record_size(&record), at);
    record_encode(&record, at + JOURNAL_BATCH_HEADER);
    at += JOURNAL_BATCH_HEADER + record_size(&record);
    journal_batch_encode(102, 0, second, at);
    memset(at + JOURNAL_BATCH_HEADER, 'x', second);
    at += JOURNAL_BATCH_HEADER + second;
    group.used = (uint32_t)(at - bytes);
    group.length = (uint32_t)journal_round_up(group.used);
    journal_group_encode(&group, bytes);
    return group;
}

static void test_a_group_comes_back(void **state) {
    (void)state;
    char bytes[3 * JOURNAL_SECTOR];
    memset(bytes, 'z', sizeof bytes);
    struct journal_group in = make_group(bytes, 4096), out;
    assert_int_equal(in.length, 2 * JOURNAL_SECTOR);
    assert_true(journal_group_peek(bytes, 77, 3, 8192, sizeof bytes, &out));
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(journal_group_check(slice_make(bytes, out.length), &out), 0);
    assert_int_equal(journal_group_validate(slice_make(bytes, out.length), &out), 0);
    slice rest = slice_make(bytes + JOURNAL_GROUP_HEADER, out.used - JOURNAL_GROUP_HEADER);
    struct journal_batch batch;
    assert_int_equal(journal_batch_next(&rest, &batch), 0);
    assert_int_equal(batch.position, 100);
    assert_int_equal(batch.changes, 1);
    assert_int_equal(batch.records.len, RECORD_HEAD_SIZE);
    assert_int_equal(journal_batch_next(&rest, &batch), 0);
    assert_int_equal(batch.position, 102);
    assert_int_equal(batch.records.len, 4096);
    assert_int_equal(journal_batch_next(&rest, &batch), -ENOENT);
    for (size_t i = out.used; i < out.length; i++)
        assert_int_equal(bytes[i], 0);
    assert_int_equal(bytes[out.length], 'z');
}

static void test_a_group_of_elsewhere_is_not_looked_at(void **state) {
    (void)state;
    char bytes[JOURNAL_SECTOR];
    struct journal_group out;
    make_group(bytes, 64);
    assert_true(journal_group_peek(bytes, 77, 3, 8192, JOURNAL_SECTOR, &out));
    assert_false(journal_group_peek(bytes, 78, 3, 8192, JOURNAL_SECTOR, &out));
    assert_false(journal_group_peek(bytes, 77, 4, 8192, JOURNAL_SECTOR, &out));
    assert_false(journal_group_peek(bytes, 77, 3, 4096, JOURNAL_SECTOR, &out));
    assert_false(journal_group_peek(bytes, 77, 3, 8192, JOURNAL_SECTOR - 1, &out));
}

static void test_each_flipped_bit_of_a_group_is_found(void **state) {
    (void)state;
    char bytes[2 * JOURNAL_SECTOR];
    struct journal_group out;
    make_group(bytes, 4096);
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        if (journal_group_peek(bytes, 77, 3, 8192, sizeof bytes, &out))
            assert_int_equal(journal_group_check(slice_make(bytes, out.length), &out), -EBADMSG);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_a_group_that_contradicts_itself_is_refused(void **state) {
    (void)state;
    char bytes[JOURNAL_SECTOR];
    struct journal_group good = make_group(bytes, 64), bad;
    slice all = slice_make(bytes, good.length);
    assert_int_equal(journal_group_validate(all, &good), 0);
    bad = good, bad.batches = 3;
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad = good, bad.last_position = 101; /* a batch behind the last */
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad = good, bad.first_position = 101; /* ... before the first */
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad = good, bad.number = 0;
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad = good, bad.flags = JOURNAL_GROUP_SEAL; /* a seal with batches */
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad = good, bad.flags = 2;
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad = good, bad.used = JOURNAL_GROUP_HEADER, bad.batches = 0; /* empty and no seal */
    assert_int_equal(journal_group_validate(all, &bad), -EBADMSG);
    bad.flags = JOURNAL_GROUP_SEAL;
    assert_int_equal(journal_group_validate(all, &bad), 0);
    /* Positions that do not rise. */
    record_put_u64(bytes + JOURNAL_GROUP_HEADER + JOURNAL_BATCH_HEADER + RECORD_HEAD_SIZE + 8, 100);
    assert_int_equal(journal_group_validate(all, &good), -EBADMSG);
}

static void test_batches_are_judged_before_they_are_used(void **state) {
    (void)state;
    char bytes[64] = {0};
    struct journal_batch batch;
    for (size_t len = 1; len < JOURNAL_BATCH_HEADER; len++) {
        slice rest = slice_make(bytes, len);
        assert_int_equal(journal_batch_next(&rest, &batch), -EBADMSG);
    }
    static const struct {
        uint32_t length, changes;
        int answer;
    } cases[] = {
        {0, 0, -EBADMSG},
        {8, 0, -EBADMSG},
        {20, 0, -EBADMSG},
        {72, 0, -EBADMSG},
        {UINT32_MAX, 0, -EBADMSG},
        {16, 0, 0},
        {64, 0, 0},
        {64, LOG_BATCH_CHANGES_MAX, 0},
        {64, LOG_BATCH_CHANGES_MAX + 1, -EBADMSG},
    };
    for (size_t i = 0; i < array_count(cases); i++) {
        slice rest = slice_make(bytes, sizeof bytes);
        record_put_u32(bytes, cases[i].length);
        record_put_u32(bytes + 4, cases[i].changes);
        assert_int_equal(journal_batch_next(&rest, &batch), cases[i].answer);
        assert_int_equal(rest.len, cases[i].answer ? 64 : 64 - cases[i].length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_header_comes_back),
        cmocka_unit_test(test_each_flipped_bit_of_a_file_header_is_found),
        cmocka_unit_test(test_a_newer_version_and_nonsense_are_told_apart),
        cmocka_unit_test(test_a_group_comes_back),
        cmocka_unit_test(test_a_group_of_elsewhere_is_not_looked_at),
        cmocka_unit_test(test_each_flipped_bit_of_a_group_is_found),
        cmocka_unit_test(test_a_group_that_contradicts_itself_is_refused),
        cmocka_unit_test(test_batches_are_judged_before_they_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
