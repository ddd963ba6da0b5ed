#include "base/metrics.h"

#include "base_test.h"

#include <pthread.h>
#include <stdio.h>

static const struct metrics_family messages = {
    .name = "nonet_messages_in_total",
    .help = "Messages received from clients.",
    .kind = METRICS_COUNTER,
    .labels = {"stream"},
};

static const struct metrics_family connections = {
    .name = "nonet_connections",
    .help = "Open connections.",
    .kind = METRICS_GAUGE,
};

static const uint64_t latency_bounds[] = {1000000, 10000000};
static const struct metrics_family latency = {
    .name = "nonet_publish_seconds",
    .help = "Time from publish to acknowledgement.",
    .unit = "seconds",
    .kind = METRICS_HISTOGRAM,
    .labels = {"stream"},
    .bounds = latency_bounds,
    .bound_count = 2,
    .scale = 1e-9,
};

#define REFUSED_TEXT(count)                                                                        \
    "# HELP nonet_metrics_series_refused_total Series that were not added because the registry "   \
    "was full or memory ran out.\n"                                                                \
    "# TYPE nonet_metrics_series_refused_total counter\n"                                          \
    "nonet_metrics_series_refused_total " count "\n"

static struct metric series(struct metrics *m, const struct metrics_family *family, slice value) {
    struct metric made;
    assert_int_equal(metrics_add_series(m, family, &value, &made), 0);
    return made;
}

static void assert_page(struct metrics *m, const char *expected) {
    _cleanup_buf_ struct buf page = buf_make(1 << 20);
    assert_int_equal(metrics_write(m, &page), 0);
    assert_string_equal(buf_text(&page), expected);
}

static void counters_sum_over_shards(void **state) {
    (void)state;
    struct metrics *m = metrics_new(3);
    assert_non_null(m);
    struct metric bids = series(m, &messages, slice_lit("BIDS"));
    struct metric persons = series(m, &messages, slice_lit("PERSONS"));
    metrics_count(metrics_shard(m, 0), bids, 5);
    metrics_count(metrics_shard(m, 2), bids, 7);
    metrics_count(metrics_shard(m, 1), persons, 1);
    assert_int_equal(metrics_value(m, bids), 12);
    assert_page(m,
                REFUSED_TEXT("0") "# HELP nonet_messages_in_total Messages received from clients.\n"
                                  "# TYPE nonet_messages_in_total counter\n"
                                  "nonet_messages_in_total{stream=\"BIDS\"} 12\n"
                                  "nonet_messages_in_total{stream=\"PERSONS\"} 1\n");
    assert_null(metrics_free(m));
}

static void gauges_go_up_and_down_and_below_zero(void **state) {
    (void)state;
    struct metrics *m = metrics_new(2);
    struct metric open;
    assert_int_equal(metrics_add_series(m, &connections, NULL, &open), 0);
    metrics_gauge_add(metrics_shard(m, 0), open, 3);
    metrics_gauge_add(metrics_shard(m, 1), open, -5);
    assert_int_equal(metrics_value(m, open), -2);
    assert_page(m, REFUSED_TEXT("0") "# HELP nonet_connections Open connections.\n"
                                     "# TYPE nonet_connections gauge\n"
                                     "nonet_connections -2\n");
    metrics_gauge_set(metrics_shard(m, 0), open, 10);
    assert_int_equal(metrics_value(m, open), 5);
    metrics_free(m);
}

static void histograms_cumulate_and_scale(void **state) {
    (void)state;
    struct metrics *m = metrics_new(2);
    struct metric bids = series(m, &latency, slice_lit("BIDS"));
    metrics_observe(metrics_shard(m, 0), &latency, bids, 1000000); /* on the bound: inside */
    metrics_observe(metrics_shard(m, 1), &latency, bids, 1000001);
    metrics_observe(metrics_shard(m, 1), &latency, bids, 20000000);
    assert_page(
        m, REFUSED_TEXT("0") "# HELP nonet_publish_seconds Time from publish to acknowledgement.\n"
                             "# TYPE nonet_publish_seconds histogram\n"
                             "nonet_publish_seconds_bucket{stream=\"BIDS\",le=\"0.001\"} 1\n"
                             "nonet_publish_seconds_bucket{stream=\"BIDS\",le=\"0.01\"} 2\n"
                             "nonet_publish_seconds_bucket{stream=\"BIDS\",le=\"+Inf\"} 3\n"
                             "nonet_publish_seconds_sum{stream=\"BIDS\"} 0.022000001\n"
                             "nonet_publish_seconds_count{stream=\"BIDS\"} 3\n");
    metrics_free(m);
}

static void same_labels_give_the_same_series(void **state) {
    (void)state;
    struct metrics *m = metrics_new(1);
    struct metric a = series(m, &messages, slice_lit("A"));
    struct metric b = series(m, &messages, slice_lit("B"));
    assert_int_equal(series(m, &messages, slice_lit("A")).cell, a.cell);
    assert_int_not_equal(a.cell, b.cell);
    metrics_free(m);
}

static void label_values_are_escaped_cut_and_made_utf8(void **state) {
    (void)state;
    struct metrics *m = metrics_new(1);
    series(m, &messages, slice_lit("a\"b\\c\nd\xff\xc3\xa4"));
    char long_value[METRICS_LABEL_VALUE_MAX + 50];
    memset(long_value, 'x', sizeof long_value);
    series(m, &messages, slice_make(long_value, sizeof long_value));
    _cleanup_buf_ struct buf page = buf_make(1 << 20);
    assert_int_equal(metrics_write(m, &page), 0);
    const char *text = buf_text(&page);
    assert_non_null(strstr(text, "{stream=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa4\"} 0\n"));
    const char *xs = strstr(text, "{stream=\"xx");
    assert_non_null(xs);
    assert_int_equal(strspn(xs + 9, "x"), METRICS_LABEL_VALUE_MAX);
    metrics_free(m);
}

static void hidden_series_are_left_out_until_added_again(void **state) {
    (void)state;
    struct metrics *m = metrics_new(1);
    struct metric a = series(m, &messages, slice_lit("A"));
    metrics_count(metrics_shard(m, 0), a, 4);
    metrics_hide_series(m, a);
    assert_page(m, REFUSED_TEXT("0"));
    series(m, &messages, slice_lit("A"));
    assert_int_equal(metrics_value(m, a), 4);
    _cleanup_buf_ struct buf page = buf_make(1 << 20);
    assert_int_equal(metrics_write(m, &page), 0);
    assert_non_null(strstr(buf_text(&page), "{stream=\"A\"} 4\n"));
    metrics_free(m);
}

static void series_are_bounded_and_refusals_counted(void **state) {
    (void)state;
    struct metrics *m = metrics_new(1);
    struct metric made;
    int rc = 0;
    size_t count = 1; /* the registry's own */
    for (; rc == 0; count++) {
        char name[16];
        slice value = slice_make(name, (size_t)snprintf(name, sizeof name, "s%zu", count));
        rc = metrics_add_series(m, &messages, &value, &made);
    }
    assert_int_equal(rc, -ENOBUFS);
    assert_int_equal(count - 1, METRICS_SERIES_MAX);
    assert_int_equal(made.cell, 0);
    metrics_count(metrics_shard(m, 0), made, 1); /* goes nowhere */
    metrics_observe(metrics_shard(m, 0), &latency, made, 1);
    _cleanup_buf_ struct buf page = buf_make(1 << 22);
    assert_int_equal(metrics_write(m, &page), 0);
    assert_non_null(strstr(buf_text(&page), "\nnonet_metrics_series_refused_total 1\n"));
    metrics_free(m);
}

static void cells_are_bounded(void **state) {
    (void)state;
    static uint64_t bounds[METRICS_BUCKETS_MAX];
    for (size_t i = 0; i < METRICS_BUCKETS_MAX; i++)
        bounds[i] = i;
    const struct metrics_family large = {.name = "nonet_large",
                                         .help = "Large.",
                                         .kind = METRICS_HISTOGRAM,
                                         .labels = {"n"},
                                         .bounds = bounds,
                                         .bound_count = METRICS_BUCKETS_MAX};
    struct metrics *m = metrics_new(1);
    struct metric made;
    int rc = 0;
    size_t count = 0;
    for (; rc == 0; count++) {
        char name[16];
        slice value = slice_make(name, (size_t)snprintf(name, sizeof name, "s%zu", count));
        rc = metrics_add_series(m, &large, &value, &made);
        if (rc == 0)
            metrics_observe(metrics_shard(m, 0), &large, made, METRICS_BUCKETS_MAX);
    }
    assert_int_equal(rc, -ENOBUFS);
    assert_int_equal(made.cell, 0);
    assert_true(count > METRICS_CELLS_MAX / (METRICS_BUCKETS_MAX + 2) * 9 / 10);
    metrics_free(m);
}

static void a_page_that_does_not_fit_leaves_the_buffer(void **state) {
    (void)state;
    struct metrics *m = metrics_new(1);
    series(m, &messages, slice_lit("A"));
    _cleanup_buf_ struct buf page = buf_make(200);
    assert_int_equal(buf_append(&page, slice_lit("before")), 0);
    assert_int_equal(metrics_write(m, &page), -ENOBUFS);
    assert_slice(buf_slice(&page), "before");
    metrics_free(m);
}

static void families_are_listed_for_the_reference_page(void **state) {
    (void)state;
    struct metrics *m = metrics_new(1);
    series(m, &messages, slice_lit("A"));
    assert_string_equal(metrics_family_at(m, 0)->name, "nonet_metrics_series_refused_total");
    assert_ptr_equal(metrics_family_at(m, 1), &messages);
    assert_null(metrics_family_at(m, 2));
    metrics_free(m);
}

enum { WRITER_COUNT = 3, UPDATES = 20000 };

struct writer {
    struct metrics *m;
    unsigned shard;
    struct metric counter;
    struct metric histogram;
};

static void *update(void *argument) {
    struct writer *w = argument;
    struct metrics_shard *s = metrics_shard(w->m, w->shard);
    for (uint64_t i = 0; i < UPDATES; i++) {
        metrics_count(s, w->counter, 1);
        metrics_observe(s, &latency, w->histogram, i);
    }
    return NULL;
}

static void threads_update_while_others_add_and_read(void **state) {
    (void)state;
    struct metrics *m = metrics_new(WRITER_COUNT);
    struct writer writers[WRITER_COUNT];
    pthread_t threads[WRITER_COUNT];
    struct metric counter = series(m, &messages, slice_lit("A"));
    struct metric histogram = series(m, &latency, slice_lit("A"));
    for (unsigned i = 0; i < WRITER_COUNT; i++) {
        writers[i] = (struct writer){m, i, counter, histogram};
        assert_int_equal(pthread_create(&threads[i], NULL, update, &writers[i]), 0);
    }
    for (int i = 0; i < 2000; i++) { /* reaches into new chunks */
        char name[16];
        series(m, &messages, slice_make(name, (size_t)snprintf(name, sizeof name, "s%d", i)));
        assert_in_range(metrics_value(m, counter), 0, WRITER_COUNT * UPDATES);
    }
    _cleanup_buf_ struct buf page = buf_make(1 << 20);
    assert_int_equal(metrics_write(m, &page), 0);
    for (unsigned i = 0; i < WRITER_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(metrics_value(m, counter), WRITER_COUNT * UPDATES);
    metrics_free(m);
}

static bool use_registry(void) {
    struct metrics *m = metrics_new(2);
    if (!m)
        return false;
    bool ok = true;
    for (int i = 0; i < 100; i++) { /* enough to grow every table */
        char name[16];
        slice value = slice_make(name, (size_t)snprintf(name, sizeof name, "s%d", i));
        struct metric made;
        int rc = metrics_add_series(m, &latency, &value, &made);
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(rc == 0, made.cell != 0);
        metrics_observe(metrics_shard(m, 1), &latency, made, 1);
        ok = ok && rc == 0;
    }
    _cleanup_buf_ struct buf page = buf_make(1 << 20);
    ok = metrics_write(m, &page) == 0 && ok;
    metrics_free(m);
    return ok;
}

static void each_failed_allocation_refuses_one_series(void **state) {
    (void)state;
    assert_true(fail_each_allocation(use_registry) > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_sum_over_shards),
        cmocka_unit_test(gauges_go_up_and_down_and_below_zero),
        cmocka_unit_test(histograms_cumulate_and_scale),
        cmocka_unit_test(same_labels_give_the_same_series),
        cmocka_unit_test(label_values_are_escaped_cut_and_made_utf8),
        cmocka_unit_test(hidden_series_are_left_out_until_added_again),
        cmocka_unit_test(series_are_bounded_and_refusals_counted),
        cmocka_unit_test(cells_are_bounded),
        cmocka_unit_test(a_page_that_does_not_fit_leaves_the_buffer),
        cmocka_unit_test(families_are_listed_for_the_reference_page),
        cmocka_unit_test(threads_update_while_others_add_and_read),
        cmocka_unit_test(each_failed_allocation_refuses_one_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
