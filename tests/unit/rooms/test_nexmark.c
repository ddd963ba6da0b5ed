/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "rooms/etl/nexmark.h"
#include "wire/json.h"

/* The generator's promises: the same seed, the same events; the mix, the ids, the sizes; JSON. */

#define SECOND UINT64_C(1000000000)

static struct etl_nexmark config_of(int64_t seed, int64_t out_of_order) {
    return (struct etl_nexmark){
        .rate = {.count = 10000, .period_ns = SECOND},
        .seed = seed,
        .out_of_order = out_of_order,
    };
}

static enum nexmark_kind event(const struct etl_nexmark *config, uint64_t number, struct buf *out) {
    enum nexmark_kind kind;
    assert_int_equal(nexmark_event(config, number, out, &kind), 0);
    return kind;
}

static void test_the_same_seed_gives_the_same_events_wherever_one_begins(void **state) {
    (void)state;
    struct etl_nexmark one = config_of(7, 1), other = config_of(8, 1);
    _cleanup_buf_ struct buf a = buf_make(1u << 20), b = buf_make(1u << 20);
    unsigned differ = 0;
    for (uint64_t n = 0; n < 2000; n++) {
        uint64_t number = n * 7919 % 100000; /* in any order */
        assert_int_equal(event(&one, number, &a), event(&one, number, &b));
        assert_true(slice_equal(buf_slice(&a), buf_slice(&b)));
        event(&other, number, &b);
        differ += !slice_equal(buf_slice(&a), buf_slice(&b));
    }
    assert_true(differ > 1990);
}

static void test_of_fifty_events_one_is_a_person_and_three_are_auctions(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(1, 1);
    _cleanup_buf_ struct buf out = buf_make(1u << 20);
    unsigned counts[3] = {0};
    for (uint64_t n = 0; n < 5000; n++)
        counts[event(&config, n, &out)]++;
    assert_int_equal(counts[NEXMARK_PERSON], 100);
    assert_int_equal(counts[NEXMARK_AUCTION], 300);
    assert_int_equal(counts[NEXMARK_BID], 4600);
}

/* --- fields ------------------------------------------------------------------------------------
 */

static uint64_t number_of(json_value root, const char *key) {
    uint64_t number;
    assert_int_equal(json_u64(json_member(root, slice_str(key)), &number), 0);
    return number;
}

static slice text_of(json_value root, const char *key) {
    slice text;
    assert_int_equal(json_string(json_member(root, slice_str(key)), &text), 0);
    assert_true(text.len > 0 || strcmp(key, "extra") == 0);
    return text;
}

static void assert_between(uint64_t number, uint64_t low, uint64_t high) {
    if (number < low || number > high)
        fail_msg("%llu is not between %llu and %llu", (unsigned long long)number,
                 (unsigned long long)low, (unsigned long long)high);
}

static void check_person(json_value root, uint64_t n) {
    static const char *const keys[] = {"name", "email_address", "credit_card", "city", "state"};
    for (size_t i = 0; i < array_count(keys); i++)
        text_of(root, keys[i]);
    assert_int_equal(number_of(root, "id"), 1000 + n / 50);
    assert_int_equal(text_of(root, "credit_card").len, 19);
    assert_true(slice_find(text_of(root, "email_address"), '@') > 0);
}

static void check_auction(json_value root, uint64_t n) {
    assert_int_equal(number_of(root, "id"), 1000 + n / 50 * 3 + n % 50 - 1);
    assert_between(number_of(root, "seller"), 1000, 1000 + n / 50 + 10);
    assert_between(number_of(root, "category"), 10, 14);
    assert_true(number_of(root, "reserve") >= number_of(root, "initial_bid"));
    assert_true(number_of(root, "initial_bid") >= 100);
    assert_true(slice_compare(text_of(root, "expires"), text_of(root, "date_time")) >= 0);
    assert_between(text_of(root, "item_name").len, 3, 19);
    assert_between(text_of(root, "description").len, 3, 99);
}

/* A bid is for one of the last hundred auctions, or of the next ten, or the hot one. */
static void check_bid(json_value root, uint64_t n) {
    uint64_t newest = n / 50 * 3 + 2, people = n / 50 + 1;
    uint64_t auction = number_of(root, "auction") - 1000, bidder = number_of(root, "bidder") - 1000;
    if (auction != newest / 100 * 100)
        assert_between(auction, newest > 100 ? newest - 100 : 0, newest + 10);
    if (bidder != (people - 1) / 100 * 100 + 1)
        assert_between(bidder, people > 1000 ? people - 1000 : 0, people + 10);
    assert_between(number_of(root, "price"), 100, 100000000);
    assert_true(slice_starts_with(text_of(root, "url"), slice_lit("https://www.nexmark.com/")));
    text_of(root, "channel");
}

static void test_records_are_json_and_their_ids_lead_to_others_nearby(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(3, 1);
    _cleanup_buf_ struct buf out = buf_make(1u << 20);
    struct json_doc doc;
    json_init(&doc);
    for (uint64_t n = 0; n < 120000; n += n < 2000 ? 1 : 37) {
        enum nexmark_kind kind = event(&config, n, &out);
        assert_int_equal(json_parse(&doc, buf_slice(&out)), 0);
        json_value root = json_root(&doc);
        if (kind == NEXMARK_PERSON)
            check_person(root, n);
        else if (kind == NEXMARK_AUCTION)
            check_auction(root, n);
        else
            check_bid(root, n);
        char time[64];
        snprintf(time, sizeof time, "2015-07-15T00:00:%02u.%03uZ", (unsigned)(n / 10000),
                 (unsigned)(n / 10 % 1000));
        assert_true(slice_equal(text_of(root, "date_time"), slice_str(time)));
        text_of(root, "extra");
    }
    json_free(&doc);
}

static void test_hot_ones_get_their_share(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(5, 1);
    _cleanup_buf_ struct buf out = buf_make(1u << 20);
    struct json_doc doc;
    json_init(&doc);
    unsigned bids = 0, hot_auctions = 0, hot_bidders = 0;
    for (uint64_t n = 200000; n < 210000; n++) {
        if (event(&config, n, &out) != NEXMARK_BID)
            continue;
        assert_int_equal(json_parse(&doc, buf_slice(&out)), 0);
        bids++;
        hot_auctions += (number_of(json_root(&doc), "auction") - 1000) % 100 == 0;
        hot_bidders += (number_of(json_root(&doc), "bidder") - 1000) % 100 == 1;
    }
    json_free(&doc);
    assert_between(hot_auctions * 100 / bids, 46, 56); /* a half */
    assert_between(hot_bidders * 100 / bids, 70, 80);  /* three quarters */
}

/* As Nexmark counts: eight bytes a number, its texts, and the padding. */
static uint64_t size_of(enum nexmark_kind kind, json_value root) {
    static const char *const texts[3][6] = {
        [NEXMARK_PERSON] = {"name", "email_address", "credit_card", "city", "state", "extra"},
        [NEXMARK_AUCTION] = {"item_name", "description", "extra"},
        [NEXMARK_BID] = {"extra"},
    };
    static const unsigned numbers[3] = {1, 7, 4};
    uint64_t size = 8 * numbers[kind];
    for (unsigned i = 0; i < 6 && texts[kind][i]; i++)
        size += text_of(root, texts[kind][i]).len;
    return size;
}

static void test_records_have_about_the_sizes_of_nexmark(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(11, 1);
    _cleanup_buf_ struct buf out = buf_make(1u << 20);
    struct json_doc doc;
    json_init(&doc);
    uint64_t sizes[3] = {0}, bytes[3] = {0}, counts[3] = {0};
    for (uint64_t n = 0; n < 15000; n++) {
        enum nexmark_kind kind = event(&config, n, &out);
        assert_int_equal(json_parse(&doc, buf_slice(&out)), 0);
        sizes[kind] += size_of(kind, json_root(&doc));
        bytes[kind] += out.len;
        counts[kind]++;
    }
    json_free(&doc);
    static const uint64_t wanted[3] = {200, 500, 100};
    for (unsigned kind = 0; kind < 3; kind++) {
        assert_between(sizes[kind] / counts[kind], wanted[kind] * 9 / 10, wanted[kind] * 11 / 10);
        assert_true(bytes[kind] / counts[kind] < wanted[kind] + 250); /* JSON's names on top */
    }
}

/* --- the source --------------------------------------------------------------------------------
 */

static void *open_source(const struct etl_nexmark *config) {
    void *self;
    struct error error;
    assert_int_equal(nexmark_source.open(config, 0, &self, &error), 0);
    nexmark_source.seek(self, 0, 0);
    return self;
}

static void test_out_of_order_shuffles_within_groups_and_loses_nothing(void **state) {
    (void)state;
    static const int64_t groups[] = {1, 2, 50, 301};
    for (size_t g = 0; g < array_count(groups); g++) {
        struct etl_nexmark shuffled = config_of(9, groups[g]), plain = config_of(9, 1);
        uint64_t size = (uint64_t)groups[g];
        void *self = open_source(&shuffled);
        _cleanup_buf_ struct buf out = buf_make(1u << 20);
        bool *seen = mem_zalloc(size * 2, sizeof *seen);
        uint64_t moved = 0;
        assert_non_null(seen);
        for (uint64_t position = 0; position < size * 2; position++) {
            struct flow_record record;
            uint64_t wait_ns, number;
            assert_int_equal(nexmark_source.next(self, 3600 * SECOND, &record, &wait_ns), 0);
            assert_int_equal(record.position, position);
            uint64_t base = position / size * size;
            for (number = base; number < base + size; number++) {
                event(&plain, number, &out);
                if (slice_equal(buf_slice(&out), record.data))
                    break;
            }
            assert_true(number < base + size);
            assert_false(seen[number]);
            seen[number] = true;
            moved += number != position;
        }
        assert_true(size < 50 || moved > size);
        mem_free(seen);
        nexmark_source.close(self);
    }
}

static void test_records_are_due_by_the_rate(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(1, 1);
    config.rate.count = 10;
    void *self = open_source(&config);
    struct flow_record record;
    uint64_t wait_ns = 0;
    assert_int_equal(nexmark_source.next(self, 0, &record, &wait_ns), 0);
    assert_int_equal(nexmark_source.next(self, 0, &record, &wait_ns), -EAGAIN);
    assert_int_equal(wait_ns, SECOND / 10);
    unsigned given = 0;
    while (nexmark_source.next(self, 2 * SECOND, &record, &wait_ns) == 0)
        given++;
    assert_int_equal(given, 20);
    nexmark_source.seek(self, 5, 2 * SECOND); /* again, and all of it is due */
    for (uint64_t position = 5; position <= 20; position++) {
        assert_int_equal(nexmark_source.next(self, 2 * SECOND, &record, &wait_ns), 0);
        assert_int_equal(record.position, position);
    }
    nexmark_source.close(self);
}

static void test_a_restart_keeps_its_pace_from_where_it_resumes(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(1, 1);
    void *self;
    struct error error;
    struct flow_record record;
    uint64_t wait_ns = 0;
    assert_int_equal(nexmark_source.open(&config, 100 * SECOND, &self, &error), 0);
    nexmark_source.seek(self, 1000000, 101 * SECOND);
    unsigned given = 0;
    while (nexmark_source.next(self, 102 * SECOND, &record, &wait_ns) == 0)
        given++;
    assert_between(given, 10000, 10001);
    nexmark_source.close(self);
}

static void test_a_limit_ends_it(void **state) {
    (void)state;
    struct etl_nexmark config = config_of(1, 1);
    config.limit = 3;
    void *self = open_source(&config);
    struct flow_record record;
    uint64_t wait_ns;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(nexmark_source.next(self, SECOND, &record, &wait_ns), 0);
    assert_int_equal(nexmark_source.next(self, SECOND, &record, &wait_ns), -ENODATA);
    nexmark_source.close(self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_seed_gives_the_same_events_wherever_one_begins),
        cmocka_unit_test(test_of_fifty_events_one_is_a_person_and_three_are_auctions),
        cmocka_unit_test(test_records_are_json_and_their_ids_lead_to_others_nearby),
        cmocka_unit_test(test_hot_ones_get_their_share),
        cmocka_unit_test(test_records_have_about_the_sizes_of_nexmark),
        cmocka_unit_test(test_out_of_order_shuffles_within_groups_and_loses_nothing),
        cmocka_unit_test(test_records_are_due_by_the_rate),
        cmocka_unit_test(test_a_restart_keeps_its_pace_from_where_it_resumes),
        cmocka_unit_test(test_a_limit_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
