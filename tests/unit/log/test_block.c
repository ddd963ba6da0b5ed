#include "log_kit.h"

#include "log/segment.h"

/* Blocks: finding records, growing, bits, the header, and what is saved from damage. */

#define STREAM_ID 7u

static struct log_stream owner; /* blocks only keep its address here */

static uint32_t put(struct block *block, uint64_t sequence, size_t payload) {
    char bytes[4096];
    memset(bytes, (int)(sequence & 0x7f), sizeof bytes);
    struct record record = {.kind = RECORD_MESSAGE,
                            .id = STREAM_ID,
                            .sequence = sequence,
                            .position = sequence * 10,
                            .time_ns = (int64_t)sequence * 100,
                            .subject = slice_lit("s.x"),
                            .payload = slice_make(bytes, payload)};
    uint32_t size = (uint32_t)record_size(&record);
    assert_int_equal(block_grow(block, block->length, size), 0);
    record_encode(&record, block->bytes + block->length);
    block_append(block, size, sequence, record.time_ns);
    return size;
}

static struct block *make(uint64_t first, unsigned count, size_t payload) {
    struct block *block = block_new(&owner, first, 1);
    assert_non_null(block);
    for (unsigned i = 0; i < count; i++)
        put(block, first + i, payload + i % 5);
    return block;
}

static void test_every_record_is_found(void **state) {
    (void)state;
    struct block *block = make(1000, 300, 100);
    assert_int_equal(block->count, 300);
    assert_int_equal(block->first, 1000);
    assert_int_equal(block->last, 1299);
    assert_int_equal(block->first_time, 100000);
    assert_int_equal(block->last_time, 129900);
    uint32_t expected = 0;
    for (uint64_t s = 1000; s < 1300; s++) {
        assert_int_equal(block_find(block, s), expected);
        assert_int_equal(block_find_from(block, s), expected);
        expected += record_at_length(block->bytes + expected);
    }
    assert_int_equal(expected, block->length);
    assert_int_equal(block_find(block, 999), BLOCK_NONE);
    assert_int_equal(block_find(block, 1300), BLOCK_NONE);
    assert_int_equal(block_find_from(block, 1300), block->length);
    assert_int_equal(block_find_from(block, 1), 0);
    block_free(block);
}

static void test_a_block_with_gaps_finds_what_it_has(void **state) {
    (void)state;
    struct block *full = make(1, 200, 50);
    struct block *block = block_new(&owner, 1, full->length);
    for (uint32_t at = 0; at < full->length; at += record_at_length(full->bytes + at)) {
        if (record_at_sequence(full->bytes + at) % 3 != 0)
            continue;
        uint32_t size = record_at_length(full->bytes + at);
        memcpy(block->bytes + block->length, full->bytes + at, size);
        block->length += size;
    }
    block->last = 200;
    block_index(block);
    assert_int_equal(block->count, 66);
    for (uint64_t s = 1; s <= 200; s++) {
        uint32_t at = block_find(block, s);
        assert_int_equal(at != BLOCK_NONE, s % 3 == 0);
        at = block_find_from(block, s);
        uint64_t next = (s + 2) / 3 * 3;
        if (next <= 198)
            assert_int_equal(record_at_sequence(block->bytes + at), next);
        else
            assert_int_equal(at, block->length);
    }
    block_free(full);
    block_free(block);
}

static void test_growing_keeps_what_lies_behind_the_length(void **state) {
    (void)state;
    struct block *block = make(1, 3, 10);
    uint32_t used = block->length + 8;
    memcpy(block->bytes + block->length, "staged!!", 8);
    assert_int_equal(block_grow(block, used, 60000), 0);
    assert_memory_equal(block->bytes + block->length, "staged!!", 8);
    assert_true(block->capacity >= used + 60000);
    assert_int_equal(block_find(block, 2), record_at_length(block->bytes));
    block_free(block);
}

static void test_bytes_being_written_are_left_to_the_writer(void **state) {
    (void)state;
    struct block *block = make(1, 3, 10);
    struct segment_write write = {.block = block, .bytes = block->bytes};
    block->write = &write;
    assert_int_equal(block_grow(block, block->length, 5000), 0);
    assert_true(write.owned);
    assert_ptr_not_equal(write.bytes, block->bytes);
    assert_memory_equal(write.bytes, block->bytes, block->length);
    block_free(block);
    assert_null(write.block);
    mem_free((void *)(uintptr_t)write.bytes);
}

static void test_the_dead_are_told_from_the_living(void **state) {
    (void)state;
    struct block *block = block_new(&owner, 100, 1);
    block->last = 99 + BLOCK_RECORDS_MAX;
    assert_int_equal(block_count_from(block, 1), BLOCK_RECORDS_MAX);
    block->dead = mem_zalloc(1, sizeof(struct block_bits));
    for (uint64_t s = 100; s <= block->last; s += 3)
        block_mark(block->dead, block, s);
    for (uint64_t from = 90; from <= block->last + 1; from += 7) {
        uint32_t expected = 0;
        for (uint64_t s = from < 100 ? 100 : from; s <= block->last; s++) {
            assert_int_equal(block_dead(block, s), (s - 100) % 3 == 0);
            expected += (s - 100) % 3 != 0;
        }
        assert_int_equal(block_count_from(block, from), expected);
    }
    assert_false(block_lost(block, 100));
    block_free(block);
}

static void test_a_map_says_which_sequences_a_block_holds(void **state) {
    (void)state;
    static const uint32_t deltas[] = {0, 3, 1000, 5000000, 5000001};
    struct block *block = block_new(&owner, 100, 1);
    block->map = mem_alloc(sizeof(struct block_map) + sizeof deltas);
    block->map->count = array_count(deltas);
    memcpy(block->map->deltas, deltas, sizeof deltas);
    block->last = 5000101;
    assert_int_equal(block_count_from(block, 1), 5);
    assert_int_equal(block_count_from(block, 104), 3);
    assert_int_equal(block_next(block, 1), 100);
    assert_int_equal(block_next(block, 101), 103);
    assert_int_equal(block_next(block, 103), 103);
    assert_int_equal(block_next(block, 1101), 5000100);
    assert_int_equal(block_next(block, 5000102), 5000102);
    assert_true(block_dead(block, 101) && !block_dead(block, 103));
    block->dead = mem_zalloc(1, sizeof(struct block_bits));
    block_mark(block->dead, block, 1100);
    assert_true(block_dead(block, 1100));
    assert_int_equal(block_count_from(block, 104), 2);
    block_free(block);
}

static void test_a_flipped_bit_of_a_header_is_found(void **state) {
    (void)state;
    struct block_header header = {.stream_id = 3,
                                  .count = 5,
                                  .length = 800,
                                  .data_crc = 0x12345678,
                                  .first = 10,
                                  .last = 14,
                                  .first_time = -5,
                                  .last_time = 99,
                                  .offset = 4096};
    char bytes[BLOCK_HEADER_SIZE];
    block_header_encode(&header, bytes);
    struct block_header back;
    assert_int_equal(block_header_decode(bytes, &back), 0);
    assert_memory_equal(&back, &header, sizeof header);
    for (unsigned bit = 0; bit < BLOCK_HEADER_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(block_header_decode(bytes, &back), -EBADMSG);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
}

static void test_a_damaged_byte_costs_one_message(void **state) {
    (void)state;
    struct block *sound = make(50, 20, 30);
    uint32_t length = sound->length;
    for (uint32_t at = 0; at < length; at++) {
        struct block *block = block_new(&owner, 50, length);
        memcpy(block->bytes, sound->bytes, length);
        block->bytes[at] ^= 0x10;
        block->length = length;
        block->last = 69;
        block->bad = mem_zalloc(1, sizeof(struct block_bits));
        assert_int_equal(block_salvage(block, STREAM_ID), 1);
        assert_int_equal(block->count, 19);
        uint64_t lost = 50;
        while (!block_lost(block, lost))
            lost++;
        uint32_t from = block_find(sound, lost);
        assert_true(at >= from && at < from + record_at_length(sound->bytes + from));
        for (uint64_t s = 50; s < 70; s++)
            assert_int_equal(block_find(block, s) != BLOCK_NONE, s != lost);
        block_free(block);
    }
    block_free(sound);
}

static void test_records_of_another_stream_are_not_salvaged(void **state) {
    (void)state;
    struct block *block = make(1, 10, 30);
    block->bad = mem_zalloc(1, sizeof(struct block_bits));
    assert_int_equal(block_salvage(block, STREAM_ID + 1), 10);
    assert_int_equal(block->count, 0);
    assert_int_equal(block->length, 0);
    block_free(block);
}

static void test_no_memory_leaves_the_block_as_it_was(void **state) {
    (void)state;
    struct block *block = make(1, 3, 10);
    char *bytes = block->bytes;
    mem_fail_at(1, true);
    assert_int_equal(block_grow(block, block->length, 100000), -ENOMEM);
    assert_null(block_new(&owner, 1, 1));
    mem_fail_at(2, true);
    assert_null(block_new(&owner, 1, 1));
    mem_fail_at(0, false);
    assert_ptr_equal(block->bytes, bytes);
    assert_int_equal(block_find(block, 1), 0);
    block_free(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_record_is_found),
        cmocka_unit_test(test_a_block_with_gaps_finds_what_it_has),
        cmocka_unit_test(test_growing_keeps_what_lies_behind_the_length),
        cmocka_unit_test(test_bytes_being_written_are_left_to_the_writer),
        cmocka_unit_test(test_the_dead_are_told_from_the_living),
        cmocka_unit_test(test_a_map_says_which_sequences_a_block_holds),
        cmocka_unit_test(test_a_flipped_bit_of_a_header_is_found),
        cmocka_unit_test(test_a_damaged_byte_costs_one_message),
        cmocka_unit_test(test_records_of_another_stream_are_not_salvaged),
        cmocka_unit_test(test_no_memory_leaves_the_block_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
