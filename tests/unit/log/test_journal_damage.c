#include "journal_kit.h"

#include "base/crc32c.h"
#include "log/journal_format.h"

/* Bytes that were good once: whatever has become of them is found and named. */

struct findings {
    unsigned count;
    struct error first, last;
};

static void note(void *self, const struct error *error) {
    struct findings *findings = self;
    if (findings->count++ == 0)
        findings->first = *error;
    findings->last = *error;
}

static int verify(struct desk *desk, struct findings *findings, struct journal_report *report) {
    *findings = (struct findings){0};
    *report = (struct journal_report){0};
    return journal_verify(desk->host, "log", 0, note, findings, report, NULL);
}

/* Opens, expecting a refusal that names FILE and OFFSET. */
static void assert_refused(struct desk *desk, int code, uint64_t file, uint64_t offset,
                           const char *words) {
    struct error error = {0};
    char place[100];
    int failed = desk_try_open(desk, &error);
    if (failed != code || !strstr(error.message, words))
        print_message("open: %d: %s: %s\n", failed, error.place, error.message);
    assert_int_equal(failed, code);
    (void)snprintf(place, sizeof place, "journal/%08llu.jnl offset %llu", (unsigned long long)file,
                   (unsigned long long)offset);
    assert_string_equal(error.place, place);
    assert_non_null(strstr(error.message, words));
}

/* A closed journal: COUNT groups of one sector, then a seal. */
static struct desk *sealed(uint64_t seed, int count) {
    struct desk *desk = desk_new(seed, NULL);
    desk_open(desk);
    for (int i = 0; i < count; i++)
        desk_write(desk, 2, 300);
    desk_close(desk);
    return desk;
}

static void test_a_damaged_group_with_a_good_one_behind_it_is_corruption(void **state) {
    (void)state;
    for (uint64_t nth = 0; nth < 4; nth++) {
        struct desk *desk = sealed(nth, 4);
        uint64_t offset = SECTOR * (nth + 1);
        desk_flip(desk, 1, offset + 1000, 2);
        char words[64];
        (void)snprintf(words, sizeof words, "group %d is damaged", (int)nth + 1);
        assert_refused(desk, -EBADMSG, 1, offset, words);
        struct findings findings;
        struct journal_report report;
        assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
        assert_int_equal(findings.count, 1);
        assert_int_equal(report.groups, 4); /* three and the seal are still read */
        desk_flip(desk, 1, offset + 1000, 2);
        desk_open(desk);
        assert_int_equal(desk->replayed, 4);
        desk_free(desk);
    }
}

static void test_several_damages_are_all_told(void **state) {
    (void)state;
    struct desk *desk = sealed(1, 8);
    desk_flip(desk, 1, 2 * SECTOR + 5, 1);
    desk_flip(desk, 1, 3 * SECTOR + 50, 1); /* one hole with the one before */
    desk_flip(desk, 1, 6 * SECTOR + 500, 1);
    struct findings findings;
    struct journal_report report;
    assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
    assert_int_equal(findings.count, 2);
    assert_int_equal(report.damaged, 2);
    assert_non_null(strstr(findings.first.place, "offset 8192"));
    assert_non_null(strstr(findings.last.place, "offset 24576"));
    assert_int_equal(report.batches, 5);
    desk_free(desk);
}

static void test_each_flipped_byte_of_a_sealed_journal_is_found(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    desk_write(desk, 2, 300);
    desk_write(desk, 1, 9000);
    desk_commit(desk, 1, 10);
    desk_write(desk, 3, 700);
    desk_close(desk);
    uint64_t seal = SECTOR * 6, end = seal + SECTOR;
    for (uint64_t at = 0; at < end; at++) {
        struct findings findings;
        struct journal_report report;
        unsigned bit = (unsigned)(at * 7 % 8);
        desk_flip(desk, 1, at, bit);
        int failed = verify(desk, &findings, &report);
        if (at < seal) {
            assert_int_equal(failed, -EBADMSG);
            assert_int_equal(findings.count, 1);
            assert_non_null(strstr(findings.first.place, "journal/00000001.jnl offset"));
            struct error error = {0};
            if (at % 97 == 0)
                assert_int_equal(desk_try_open(desk, &error), -EBADMSG);
        } else { /* the seal itself: all data is there, but nothing vouches for the end */
            assert_int_equal(failed, 0);
            assert_false(report.sealed);
            assert_int_equal(report.batches, 4);
        }
        desk_flip(desk, 1, at, bit);
    }
    struct findings findings;
    struct journal_report report;
    assert_int_equal(verify(desk, &findings, &report), 0);
    assert_true(report.sealed);
    for (uint64_t at = end; at < DESK_FILE; at += 13) { /* unused room may hold anything */
        desk_flip(desk, 1, at, 0);
        assert_int_equal(verify(desk, &findings, &report), 0);
    }
    desk_free(desk);
}

/* --- over several files ----------------------------------------------------------------------- */

/* Two and a bit files of 5 groups each, closed. */
static struct desk *three_files(uint64_t seed) {
    struct desk *desk = desk_new(seed, NULL);
    desk_open(desk);
    for (int i = 0; i < 12; i++) {
        desk_write(desk, 1, 11000);                   /* three sectors: five fill a file of 15 */
        sim_run_for(desk->sim, 10 * SIM_MILLISECOND); /* the next file is ready in time */
    }
    desk_close(desk);
    return desk;
}

static void test_a_damaged_last_group_of_a_file_is_found(void **state) {
    (void)state;
    struct desk *desk = three_files(3);
    uint64_t offset = SECTOR * (1 + 4 * 3);
    desk_flip(desk, 1, offset + 4, 0);
    assert_refused(desk, -EBADMSG, 1, offset, "group 5 is damaged or missing");
    desk_free(desk);
}

static void test_a_damaged_first_group_of_a_file_is_found(void **state) {
    (void)state;
    struct desk *desk = three_files(4);
    desk_flip(desk, 2, SECTOR, 0);
    assert_refused(desk, -EBADMSG, 2, SECTOR, "is damaged");
    desk_free(desk);
}

static void test_the_only_group_of_the_first_file_is_missed_by_its_successor(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    desk_open(desk);
    desk_write(desk, 1, 100);
    desk_write(desk, 1, 58000); /* goes to file 2 */
    desk_close(desk);
    desk->options.from_position = 1; /* not even needed */
    desk_flip(desk, 1, SECTOR + 50, 0);
    assert_refused(desk, -EBADMSG, 1, SECTOR, "group 1 is damaged");
    desk_free(desk);
}

static void test_a_missing_file_is_found(void **state) {
    (void)state;
    static const char *const words[] = {"begins at position 6", "group 6 is damaged or missing",
                                        NULL};
    for (uint64_t gone = 1; gone <= 3; gone++) {
        struct desk *desk = three_files(gone);
        assert_int_equal(io_unlink(desk->host, desk_file(gone)), 0);
        struct error error = {0};
        desk->options.from_position = gone == 3 ? 12 : 0; /* the checkpoint knows of the end */
        assert_int_equal(desk_try_open(desk, &error), -EBADMSG);
        assert_non_null(
            strstr(error.message, words[gone - 1] ? words[gone - 1] : "ends at position 10"));
        desk_free(desk);
    }
}

static void test_a_journal_that_is_gone_is_missed_by_the_checkpoint(void **state) {
    (void)state;
    struct desk *desk = desk_new(6, NULL);
    struct error error = {0};
    desk->options.from_position = 5;
    assert_int_equal(desk_try_open(desk, &error), -EBADMSG);
    assert_non_null(strstr(error.message, "ends at position 0"));
    desk_free(desk);
}

/* --- headers ---------------------------------------------------------------------------------- */

static void test_a_damaged_header_is_named(void **state) {
    (void)state;
    for (uint64_t file = 1; file <= 3; file++) {
        struct desk *desk = three_files(file);
        desk_flip(desk, file, 77, 5);
        assert_refused(desk, -EBADMSG, file, 0, "the header of the file is damaged");
        struct findings findings;
        struct journal_report report;
        assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
        assert_non_null(strstr(findings.first.message, "header"));
        assert_int_equal(report.files, 3);
        desk_free(desk);
    }
}

static void rewrite_header(struct desk *desk, uint64_t file, const struct journal_header *header,
                           uint32_t version) {
    char sector[SECTOR];
    journal_header_encode(header, sector);
    if (version != JOURNAL_VERSION) { /* the crc of another version is computed the same way */
        record_put_u32(sector + 12, version);
        uint32_t crc = crc32c_update(0, sector + 12, SECTOR - 12);
        record_put_u32(sector + 8, crc);
    }
    desk_poke(desk, file, 0, sector, SECTOR);
}

static struct journal_header header_of(struct desk *desk, uint64_t file) {
    char sector[SECTOR];
    struct journal_header header;
    desk_peek(desk, file, 0, sector, SECTOR);
    assert_int_equal(journal_header_decode(sector, &header), 0);
    return header;
}

static void test_a_newer_format_is_refused_as_such(void **state) {
    (void)state;
    struct desk *desk = three_files(7);
    struct journal_header header = header_of(desk, 2);
    rewrite_header(desk, 2, &header, JOURNAL_VERSION + 1);
    assert_refused(desk, -ENOTSUP, 2, 0, "newer version");
    struct error error = {0};
    struct journal_report report;
    assert_int_equal(journal_verify(desk->host, "log", 0, NULL, NULL, &report, &error), -ENOTSUP);
    desk_free(desk);
}

static void test_files_of_another_log_or_number_are_refused(void **state) {
    (void)state;
    struct desk *desk = three_files(8);
    struct journal_header header = header_of(desk, 2), other = header;
    other.log_id ^= 1;
    rewrite_header(desk, 2, &other, JOURNAL_VERSION);
    assert_refused(desk, -EBADMSG, 2, 0, "another log");
    other = header;
    other.number = 9;
    rewrite_header(desk, 2, &other, JOURNAL_VERSION);
    assert_refused(desk, -EBADMSG, 2, 0, "the journal's file 9");
    desk_free(desk);
}

static void test_a_file_cut_short_is_named(void **state) {
    (void)state;
    struct desk *desk = three_files(9);
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(desk->host, desk_file(2), IO_FILE_WRITE, &file), 0);
    assert_int_equal(io_file_truncate(file, 50000), 0);
    assert_refused(desk, -EBADMSG, 2, 50000, "cut short");
    assert_int_equal(io_file_truncate(file, 10), 0);
    io_file_close(file);
    assert_refused(desk, -EBADMSG, 2, 0, "header");
    desk_free(desk);
}

/* --- writes that went elsewhere --------------------------------------------------------------- */

static void test_a_write_that_landed_elsewhere_is_found(void **state) {
    (void)state;
    struct desk *desk = sealed(10, 6);
    char group[SECTOR], original[SECTOR];
    desk_peek(desk, 1, 3 * SECTOR, group, SECTOR);
    desk_peek(desk, 1, 4 * SECTOR, original, SECTOR);
    desk_poke(desk, 1, 4 * SECTOR, group, SECTOR); /* group 3 over group 4 */
    assert_refused(desk, -EBADMSG, 1, 4 * SECTOR, "group 4 is damaged");
    desk_poke(desk, 1, 4 * SECTOR, original, SECTOR);
    desk_poke(desk, 1, 9 * SECTOR, group, SECTOR); /* a twin in unused room: not ours */
    desk_open(desk);
    assert_int_equal(desk->replayed, 6);
    desk_free(desk);
}

static void test_a_group_out_of_order_is_found(void **state) {
    (void)state;
    struct desk *desk = sealed(11, 6);
    char bytes[SECTOR];
    struct journal_group group;
    desk_peek(desk, 1, 3 * SECTOR, bytes, SECTOR);
    uint64_t id = record_get_u64(bytes + 16);
    assert_true(journal_group_peek(bytes, id, 1, 3 * SECTOR, SECTOR, &group));
    struct journal_group wrong = group;
    wrong.previous_offset = SECTOR;
    journal_group_encode(&wrong, bytes);
    desk_poke(desk, 1, 3 * SECTOR, bytes, SECTOR);
    assert_refused(desk, -EBADMSG, 1, 3 * SECTOR, "does not follow");
    wrong = group;
    wrong.number = 5;
    journal_group_encode(&wrong, bytes);
    desk_poke(desk, 1, 3 * SECTOR, bytes, SECTOR);
    assert_refused(desk, -EBADMSG, 1, 3 * SECTOR, "group 3 is damaged or missing");
    wrong = group;
    wrong.batches = 2;
    journal_group_encode(&wrong, bytes);
    desk_poke(desk, 1, 3 * SECTOR, bytes, SECTOR);
    assert_refused(desk, -EBADMSG, 1, 3 * SECTOR, "contradicts itself");
    struct findings findings;
    struct journal_report report;
    assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
    desk_free(desk);
}

static void test_a_damaged_record_under_a_good_crc_is_found_by_verify(void **state) {
    (void)state;
    struct desk *desk = sealed(12, 3);
    char bytes[SECTOR];
    struct journal_group group;
    desk_peek(desk, 1, 2 * SECTOR, bytes, SECTOR);
    assert_true(
        journal_group_peek(bytes, record_get_u64(bytes + 16), 1, 2 * SECTOR, SECTOR, &group));
    bytes[JOURNAL_GROUP_HEADER + JOURNAL_BATCH_HEADER + 60] ^= 1;
    journal_group_encode(&group, bytes);
    desk_poke(desk, 1, 2 * SECTOR, bytes, SECTOR);
    struct findings findings;
    struct journal_report report;
    assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
    assert_int_equal(findings.count, 1);
    assert_non_null(strstr(findings.first.message, "position 2: a record is damaged"));
    desk_free(desk);
}

static void test_a_bad_sector_is_named(void **state) {
    (void)state;
    struct desk *desk = sealed(13, 3);
    assert_int_equal(sim_bad_sector(desk->host, desk_file(1), 2 * SECTOR), 0);
    struct error error = {0};
    assert_int_equal(desk_try_open(desk, &error), -EIO);
    assert_non_null(strstr(error.place, "journal/00000001.jnl"));
    desk_free(desk);
}

static int refuse(void *self, uint64_t position, slice changes, uint32_t count,
                  struct error *ret_error) {
    (void)self, (void)changes, (void)count, (void)ret_error;
    return position == 2 ? -ENOTSUP : 0;
}

static void test_a_batch_that_cannot_be_replayed_ends_the_open(void **state) {
    (void)state;
    struct desk *desk = sealed(14, 3);
    desk->options.replay = refuse;
    assert_refused(desk, -ENOTSUP, 1, 2 * SECTOR, "position 2 cannot be replayed");
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_damaged_group_with_a_good_one_behind_it_is_corruption),
        cmocka_unit_test(test_several_damages_are_all_told),
        cmocka_unit_test(test_each_flipped_byte_of_a_sealed_journal_is_found),
        cmocka_unit_test(test_a_damaged_last_group_of_a_file_is_found),
        cmocka_unit_test(test_a_damaged_first_group_of_a_file_is_found),
        cmocka_unit_test(test_the_only_group_of_the_first_file_is_missed_by_its_successor),
        cmocka_unit_test(test_a_missing_file_is_found),
        cmocka_unit_test(test_a_journal_that_is_gone_is_missed_by_the_checkpoint),
        cmocka_unit_test(test_a_damaged_header_is_named),
        cmocka_unit_test(test_a_newer_format_is_refused_as_such),
        cmocka_unit_test(test_files_of_another_log_or_number_are_refused),
        cmocka_unit_test(test_a_file_cut_short_is_named),
        cmocka_unit_test(test_a_write_that_landed_elsewhere_is_found),
        cmocka_unit_test(test_a_group_out_of_order_is_found),
        cmocka_unit_test(test_a_damaged_record_under_a_good_crc_is_found_by_verify),
        cmocka_unit_test(test_a_bad_sector_is_named),
        cmocka_unit_test(test_a_batch_that_cannot_be_replayed_ends_the_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
