/*
 * Time zones: histories from TZif bytes, rules from POSIX texts, names, and local times that are
 * there twice or not at all. What is expected is what PostgreSQL 15 answers for Europe/Berlin.
 */
#include "sql/time/zone.h"

#include "base/mem.h"
#include "sql/time/datetime.h"

#include "../sql_test.h"
#include <errno.h>

#define RULE "CET-1CEST,M3.5.0,M10.5.0/3"

static void put(struct buf *out, uint64_t number, int bytes) {
    while (bytes-- > 0)
        assert_int_equal(buf_append_byte(out, (char)(number >> (8 * bytes) & 0xff)), 0);
}

static void put_header(struct buf *out, unsigned times) {
    assert_int_equal(buf_append(out, slice_lit("TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")), 0);
    put(out, 0, 4); /* flags of UTC, of standard time, leap seconds */
    put(out, 0, 4);
    put(out, 0, 4);
    put(out, times, 4);
    put(out, 3, 4);  /* kinds */
    put(out, 13, 4); /* bytes of abbreviations */
}

static void put_kinds(struct buf *out) {
    put(out, 3208, 4); /* local mean time */
    put(out, 0, 2);
    put(out, 3600, 4);
    put(out, 4, 2);
    put(out, 7200, 4);
    put(out, 0x108, 2); /* daylight, abbreviation at 8 */
    assert_int_equal(buf_append(out, slice_lit("LMT\0CET\0CEST\0")), 0);
}

/* Berlin with three changes of its history: 1893, and the summer of 1996. */
static struct buf berlin(const char *footer) {
    struct buf out = buf_make(1024);
    put_header(&out, 0);
    put_kinds(&out);
    put_header(&out, 3);
    put(&out, (uint64_t)-2422054408, 8);
    put(&out, 828234000, 8);
    put(&out, 846378000, 8);
    put(&out, 0x010201, 3);
    put_kinds(&out);
    assert_int_equal(buf_printf(&out, "\n%s\n", footer), 0);
    return out;
}

static struct sql_zones *zones_with_berlin(const char *footer) {
    struct sql_zones *zones = sql_zones_create();
    struct buf bytes = berlin(footer);
    assert_non_null(zones);
    assert_int_equal(sql_zone_load(zones, slice_lit("Europe/Berlin"), buf_slice(&bytes)), 0);
    buf_free(&bytes);
    return zones;
}

static void texts_are_read_and_shown_in_a_zone(void **state) {
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"1890-01-01 12:00:00", "1890-01-01 12:00:00+00:53:28"},
        {"1995-07-01 12:00:00", "1995-07-01 12:00:00+01"}, /* this history has no summer there */
        {"1996-07-01 12:00:00", "1996-07-01 12:00:00+02"},
        {"1996-12-01 12:00:00", "1996-12-01 12:00:00+01"},
        {"2024-01-01 00:00:00", "2024-01-01 00:00:00+01"},
        {"2024-07-01 00:00:00", "2024-07-01 00:00:00+02"},
        {"2024-03-31 01:59:59", "2024-03-31 01:59:59+01"},
        {"2024-03-31 02:30:00", "2024-03-31 03:30:00+02"}, /* is not there */
        {"2024-03-31 03:00:00", "2024-03-31 03:00:00+02"},
        {"2024-10-27 01:59:59", "2024-10-27 01:59:59+02"},
        {"2024-10-27 02:30:00", "2024-10-27 02:30:00+01"}, /* is there twice */
        {"2024-10-27 02:30:00+02", "2024-10-27 02:30:00+02"},
        {"2024-10-27 03:00:00", "2024-10-27 03:00:00+01"},
        {"2500-07-01 00:00:00", "2500-07-01 00:00:00+02"},
        {"2024-07-01 00:00 UTC", "2024-07-01 02:00:00+02"},
        {"2024-07-01 00:00 europe/berlin", "2024-07-01 00:00:00+02"},
        {"2024-07-01 00:00 EST", "2024-07-01 07:00:00+02"},
        {"2024-07-01 00:00 <x>-3", "E"},
        {"2024-07-01 00:00 abc+3:30", "2024-07-01 05:30:00+02"},
    };
    struct sql_zones *zones = zones_with_berlin(RULE);
    const struct sql_settings settings = {
        .zones = zones, .zone = sql_zones_find(zones, slice_lit("EUROPE/berlin"))};
    (void)state;
    assert_non_null(settings.zone);
    for (size_t i = 0; i < array_count(cases); i++) {
        struct buf out = buf_make(100);
        struct sql_error error;
        int64_t at;
        if (sql_timestamp_in(slice_str(cases[i].text), -1, true, &settings, &at, &error) != 0)
            assert_string_equal(cases[i].shown, "E");
        else {
            assert_int_equal(sql_timestamp_out(at, true, &settings, &out), 0);
            if (strcmp(buf_text(&out), cases[i].shown) != 0)
                fail_msg("%s: %s instead of %s", cases[i].text, buf_text(&out), cases[i].shown);
        }
        buf_free(&out);
    }
    sql_zones_free(zones);
}

static void without_a_footer_the_last_offset_stays(void **state) {
    struct sql_zones *zones = zones_with_berlin("");
    const struct sql_zone *zone = sql_zones_at(zones, 0);
    (void)state;
    assert_int_equal(sql_zone_at(zone, INT64_C(773193600000000))->offset, 3600);
    assert_int_equal(sql_zone_at_local(zone, INT64_C(773193600000000))->offset, 3600);
    assert_null(sql_zones_at(zones, 1));
    sql_zones_free(zones);
}

static void posix_texts(void **state) {
    static const struct {
        const char *text;
        int32_t january, july; /* 2024; INT32_MAX: refused */
    } cases[] = {
        {"UTC0", 0, 0},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200},
        {"EST5EDT", -18000, -14400},
        {"EST5EDT,M3.2.0,M11.1.0", -18000, -14400},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 39600, 36000},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 39600, 37800},
        {"IST-2IDT,M3.4.4/26,M10.5.0", 7200, 10800},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7200, -3600},
        {"XXX3YYY,J60/2,J300/2", -10800, -7200},
        {"XXX3YYY,59,299", -10800, -7200},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3600},
        {"+2", -7200, -7200},
        {"foo3", -10800, -10800},
        {"foo", INT32_MAX, 0},
        {"", INT32_MAX, 0},
        {"foo3bar,M13.1.0,M4.1.0", INT32_MAX, 0},
        {"foo3bar,M3.1.0", INT32_MAX, 0},
        {"<foo3", INT32_MAX, 0},
        {"foo3bar,J0,J3", INT32_MAX, 0},
        {"foo999", INT32_MAX, 0},
        {"verylongnamethatdoesnotfit3", INT32_MAX, 0},
    };
    (void)state;
    for (size_t i = 0; i < array_count(cases); i++) {
        struct sql_zone zone;
        int result = sql_zone_posix(slice_str(cases[i].text), &zone);
        assert_int_equal(result, cases[i].january == INT32_MAX ? -EINVAL : 0);
        if (result == 0) {
            int32_t january = sql_zone_at(&zone, INT64_C(758332800000000))->offset;
            int32_t july = sql_zone_at(&zone, INT64_C(774057600000000))->offset;
            if (january != cases[i].january || july != cases[i].july)
                fail_msg("%s: %d %d", cases[i].text, january, july);
        }
    }
}

static void names_of_zones(void **state) {
    struct sql_zones *zones = zones_with_berlin(RULE);
    struct sql_zone scratch;
    (void)state;
    const struct sql_zone *zone = sql_zone_named(zones, slice_lit("Europe/BERLIN"), &scratch);
    assert_ptr_equal(zone, sql_zones_at(zones, 0));
    assert_string_equal(zone->name, "Europe/Berlin");
    zone = sql_zone_named(zones, slice_lit("cest"), &scratch);
    assert_int_equal(sql_zone_at(zone, 0)->offset, 7200);
    assert_string_equal(sql_zone_at(zone, 0)->abbreviation, "CEST");
    zone = sql_zone_named(NULL, slice_lit("+02"), &scratch);
    assert_int_equal(sql_zone_at(zone, 0)->offset, -7200);
    assert_null(sql_zone_named(zones, slice_lit("Europe/Atlantis"), &scratch));
    assert_string_equal(sql_zone_fixed(7200).name, "<+02>-02");
    assert_string_equal(sql_zone_fixed(-12600).name, "<-03:30>+03:30");
    sql_zones_free(zones);
}

static void bytes_that_are_no_zone_are_refused(void **state) {
    struct sql_zones *zones = sql_zones_create();
    struct buf good = berlin(RULE);
    (void)state;
    for (size_t len = 0; len < good.len; len++)
        assert_int_equal(sql_zone_load(zones, slice_lit("x"), slice_take(buf_slice(&good), len)),
                         -EBADMSG);
    struct buf wrong = berlin("CET");
    assert_int_equal(sql_zone_load(zones, slice_lit("x"), buf_slice(&wrong)), -EBADMSG);
    for (unsigned long at = 1; at <= 5; at++) {
        mem_fail_at(at, false);
        assert_int_equal(sql_zone_load(zones, slice_lit("x"), buf_slice(&good)), -ENOMEM);
    }
    mem_fail_at(0, false);
    assert_int_equal(sql_zone_load(zones, slice_lit("x"), buf_slice(&good)), 0);
    assert_int_equal(sql_zone_load(zones, slice_lit("X"), buf_slice(&good)), -EEXIST);
    buf_free(&wrong);
    buf_free(&good);
    sql_zones_free(zones);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_and_shown_in_a_zone),
        cmocka_unit_test(without_a_footer_the_last_offset_stays),
        cmocka_unit_test(posix_texts),
        cmocka_unit_test(names_of_zones),
        cmocka_unit_test(bytes_that_are_no_zone_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
