#include "log_kit.h"

/* Damage: found, named, never served, and never taken for the end of a stream. */

struct findings {
    unsigned count;
    struct error last;
};

static void on_damage(void *self, const struct error *error) {
    struct findings *findings = self;
    findings->count++;
    findings->last = *error;
    assert_true(error->place[0] && error->message[0]);
}

static int verify(struct desk *desk, struct findings *findings, struct log_verify_report *report) {
    struct error error = {0};
    *findings = (struct findings){0};
    *report = (struct log_verify_report){0};
    int failed = log_verify(desk->host, "log", on_damage, findings, report, &error);
    assert_true(!failed || failed == -EBADMSG || error.message[0]);
    return failed;
}

/* 500 messages in segments, 20 more in the journal only. */
static void make(struct desk *desk) {
    desk_open(desk);
    struct log_stream *a = desk_stream(desk, "A");
    char payload[200];
    for (unsigned i = 1; i <= 520; i++) {
        memset(payload, 'a' + (int)(i % 26), sizeof payload - 1);
        payload[sizeof payload - 1] = 0;
        desk_write(desk, a, "x", payload);
        if (i == 500)
            assert_int_equal(desk_checkpoint(desk), 0);
    }
    sim_run_for(desk->sim, SIM_SECOND);
    sim_kill(desk->host);
    desk_free_group(desk);
    desk->host = sim_host_restart(desk->host);
}

static void test_a_sound_log_is_clean(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    make(desk);
    struct findings findings;
    struct log_verify_report report;
    assert_int_equal(verify(desk, &findings, &report), 0);
    assert_int_equal(report.streams, 1);
    assert_int_equal(report.segments, 1);
    assert_int_equal(report.messages, 520); /* the 500 saved ones lie in the journal, too */
    assert_int_equal(report.bytes, 520 * 248);
    assert_true(report.journal_groups >= 20);
    assert_int_equal(report.damaged, 0);
    desk_free(desk);
}

static void test_after_a_clean_stop_each_message_is_counted_once(void **state) {
    (void)state;
    struct desk *desk = desk_new(11, NULL);
    struct findings findings;
    struct log_verify_report report;
    make(desk);
    desk_open(desk);
    struct log_stream *a = desk_find(desk, "A");
    for (unsigned i = 0; i < 30; i++)
        desk_write(desk, a, "x", "fresh");
    desk_delete(desk, a, 510);
    desk_trim(desk, a, 101);
    uint64_t bytes = log_stream_state(a).bytes;
    assert_int_equal(log_stream_state(a).messages, 520 + 30 - 1 - 100);
    desk_close(desk);
    assert_int_equal(verify(desk, &findings, &report), 0);
    assert_int_equal(report.messages, 520 + 30 - 1 - 100);
    assert_int_equal(report.bytes, bytes);
    desk_free(desk);
}

static void test_streams_that_only_the_journal_has_count(void **state) {
    (void)state;
    struct desk *desk = desk_new(12, NULL);
    struct findings findings;
    struct log_verify_report report;
    desk_open(desk);
    desk_put(desk, "A", (struct log_limits){.messages_max = 9}, false);
    desk_put(desk, "B", (struct log_limits){0}, false);
    desk_put(desk, "M", (struct log_limits){0}, true); /* in memory: not in the log */
    desk_sync(desk);
    desk_kill(desk);
    assert_int_equal(verify(desk, &findings, &report), 0);
    assert_int_equal(report.streams, 2);
    desk_open(desk);
    assert_int_equal(desk_checkpoint(desk), 0);
    desk_put(desk, "A", (struct log_limits){.messages_max = 5}, false); /* another limit */
    desk_put(desk, "C", (struct log_limits){0}, false);
    desk_sync(desk);
    desk_kill(desk);
    assert_int_equal(verify(desk, &findings, &report), 0);
    assert_int_equal(report.streams, 3); /* two saved ones and one in the journal */
    desk_free(desk);
}

static void test_an_open_log_is_not_verified(void **state) {
    (void)state;
    struct desk *desk = desk_new(2, NULL);
    desk_open(desk);
    struct findings findings;
    struct log_verify_report report;
    assert_int_equal(verify(desk, &findings, &report), -EWOULDBLOCK);
    desk_free(desk);
}

static void test_a_damaged_message_is_named_and_keeps_its_place(void **state) {
    (void)state;
    struct desk *desk = desk_new(3, NULL);
    make(desk);
    uint64_t at = 4096 + 64 + 99 * 248 + 100; /* in the payload of message 100 */
    assert_int_equal(sim_flip_bit(desk->host, "log/segments/00000001.seg", at, 3), 0);
    struct findings findings;
    struct log_verify_report report;
    assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
    assert_true(findings.count >= 1);
    assert_non_null(strstr(findings.last.place, "00000001.seg"));
    assert_non_null(strstr(findings.last.message, "stream A"));
    assert_non_null(strstr(findings.last.message, "sequence 100"));
    assert_int_equal(logger_create(desk->host, LOG_LEVEL_INFO, &desk->logger), 0);
    desk->options.logger = desk->logger;
    desk_open(desk);
    assert_non_null(strstr(sim_log_text(desk->host), "sequence=100"));
    assert_non_null(strstr(sim_log_text(desk->host), "00000001.seg"));
    struct log_stream *a = desk_find(desk, "A");
    struct log_stream_state now = log_stream_state(a);
    assert_int_equal(now.messages, 520);
    assert_int_equal(now.last_sequence, 520);
    assert_int_equal(now.damaged, 1);
    struct log_record record = {0};
    assert_int_equal(desk_read(desk, a, 99, &record), 0);
    assert_int_equal(desk_read(desk, a, 100, &record), -EBADMSG);
    assert_int_equal(desk_read(desk, a, 101, &record), 0);
    assert_int_equal(desk_seek(desk, a, "x", 100, &record), -EBADMSG);
    assert_int_equal(record.sequence, 100);
    assert_int_equal(desk_seek(desk, a, "x", 101, &record), 0);
    assert_int_equal(record.sequence, 101);
    /* It can be deleted, and is then gone for good. */
    desk_delete(desk, a, 100);
    assert_int_equal(desk_read(desk, a, 100, &record), -ENOENT);
    assert_int_equal(log_stream_state(a).messages, 519);
    desk_reopen(desk);
    a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 519);
    assert_int_equal(desk_read(desk, a, 100, &record), -ENOENT);
    desk_trim(desk, a, 300);
    assert_int_equal(log_stream_state(a).messages, 221);
    desk_free(desk);
}

static void test_a_bad_sector_costs_the_messages_in_it(void **state) {
    (void)state;
    struct desk *desk = desk_new(4, NULL);
    make(desk);
    assert_int_equal(sim_bad_sector(desk->host, "log/segments/00000001.seg", 5 * 4096), 0);
    desk_open(desk);
    struct log_stream *a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 520);
    uint64_t damaged = log_stream_state(a).damaged;
    assert_true(damaged >= 16 && damaged <= 19);
    desk_free(desk);
}

static void test_damage_while_the_log_is_open_is_found_on_read(void **state) {
    (void)state;
    struct desk *desk = desk_new(5, NULL);
    make(desk);
    desk_open(desk);
    uint64_t at = 4096 + 64 + 99 * 248 + 100;
    assert_int_equal(sim_flip_bit(desk->host, "log/segments/00000001.seg", at, 3), 0);
    struct log_stream *a = desk_find(desk, "A");
    uint64_t bytes = log_stream_state(a).bytes;
    struct log_record record;
    assert_int_equal(desk_read(desk, a, 99, &record), 0);
    assert_int_equal(desk_read(desk, a, 100, &record), -EBADMSG);
    assert_int_equal(log_stream_state(a).damaged, 1);
    assert_int_equal(log_stream_state(a).bytes, bytes - 248);
    desk_trim(desk, a, 521);
    assert_int_equal(log_stream_state(a).bytes, 0);
    desk_free(desk);
}

static void open_refused(struct desk *desk, int expected, const char *place) {
    struct error error = {0};
    assert_int_equal(desk_try_open(desk, &error), expected);
    desk->log = NULL;
    assert_non_null(strstr(error.place, place));
    assert_true(error.message[0]);
}

static void test_a_damaged_checkpoint_is_refused_by_name(void **state) {
    (void)state;
    struct desk *desk = desk_new(6, NULL);
    make(desk);
    assert_int_equal(sim_flip_bit(desk->host, "log/checkpoint", 60, 0), 0);
    assert_int_equal(sim_flip_bit(desk->host, "log/checkpoint.old", 20, 0), 0);
    struct findings findings;
    struct log_verify_report report;
    assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
    open_refused(desk, -EBADMSG, "log/checkpoint");
    desk_free(desk);
}

static void test_the_previous_checkpoint_serves_while_the_journal_reaches_back(void **state) {
    (void)state;
    struct desk *desk = desk_new(7, NULL);
    desk->options.journal_file_bytes = 8u << 20;
    make(desk); /* all of it fits one journal file, which is not recycled */
    assert_int_equal(sim_flip_bit(desk->host, "log/checkpoint", 60, 0), 0);
    struct findings findings;
    struct log_verify_report report;
    assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
    desk_open(desk);
    struct log_stream *a = desk_find(desk, "A");
    assert_int_equal(log_stream_state(a).messages, 520);
    struct log_record record;
    assert_int_equal(desk_read(desk, a, 1, &record), 0);
    desk_free(desk);
}

static void test_missing_and_foreign_files_are_refused(void **state) {
    (void)state;
    struct desk *desk = desk_new(8, NULL);
    make(desk);
    struct sim_image *image = sim_disk_save(desk->host);
    static const struct {
        const char *remove, *place;
    } cases[] = {{"log/segments/00000001.seg", "00000001.seg"}, {"log/format", "log/format"}};
    for (unsigned i = 0; i < array_count(cases); i++) {
        sim_disk_load(desk->host, image);
        assert_int_equal(io_unlink(desk->host, cases[i].remove), 0);
        struct findings findings;
        struct log_verify_report report;
        assert_int_equal(verify(desk, &findings, &report), -EBADMSG);
        open_refused(desk, -EBADMSG, cases[i].place);
    }
    sim_disk_load(desk->host, image);
    assert_int_equal(io_unlink(desk->host, "log/checkpoint"), 0);
    assert_int_equal(io_unlink(desk->host, "log/checkpoint.old"), 0);
    open_refused(desk, -EBADMSG, "log/checkpoint");
    sim_disk_load(desk->host, image);
    assert_int_equal(io_file_replace(desk->host, "log/format", slice_lit("nonet log 2\n"), 0600),
                     0);
    open_refused(desk, -ENOTSUP, "log/format");
    sim_image_free(image);
    desk_free(desk);
}

static void test_a_second_node_is_refused(void **state) {
    (void)state;
    struct desk *desk = desk_new(9, NULL);
    desk_open(desk);
    struct error error = {0};
    struct log *second = NULL;
    assert_int_equal(log_open(desk->loop, &desk->options, &second, &error), -EWOULDBLOCK);
    assert_non_null(strstr(error.place, "log/lock"));
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_log_is_clean),
        cmocka_unit_test(test_after_a_clean_stop_each_message_is_counted_once),
        cmocka_unit_test(test_streams_that_only_the_journal_has_count),
        cmocka_unit_test(test_an_open_log_is_not_verified),
        cmocka_unit_test(test_a_damaged_message_is_named_and_keeps_its_place),
        cmocka_unit_test(test_a_bad_sector_costs_the_messages_in_it),
        cmocka_unit_test(test_damage_while_the_log_is_open_is_found_on_read),
        cmocka_unit_test(test_a_damaged_checkpoint_is_refused_by_name),
        cmocka_unit_test(test_the_previous_checkpoint_serves_while_the_journal_reaches_back),
        cmocka_unit_test(test_missing_and_foreign_files_are_refused),
        cmocka_unit_test(test_a_second_node_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
