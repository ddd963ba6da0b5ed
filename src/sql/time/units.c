/*
 * units.c - the tables of units: names and lengths.
 */
#include "sql/time/units.h"

#include "sql/time/calendar.h"

const int64_t time_unit_us[] = {[UNIT_MICROSECOND] = 1,
                                [UNIT_MILLISECOND] = 1000,
                                [UNIT_SECOND] = SQL_US_PER_SECOND,
                                [UNIT_MINUTE] = SQL_US_PER_MINUTE,
                                [UNIT_HOUR] = SQL_US_PER_HOUR,
                                [UNIT_DAY] = SQL_US_PER_DAY};

const int32_t time_unit_months[] = {
    [UNIT_MONTH] = 1,    [UNIT_QUARTER] = 3,    [UNIT_YEAR] = 12,
    [UNIT_DECADE] = 120, [UNIT_CENTURY] = 1200, [UNIT_MILLENNIUM] = 12000};

struct unit_name {
    char text[10];
    uint8_t unit;
};

static const struct unit_name unit_names[] = {
    {"ago", UNIT_AGO},
    {"c", UNIT_CENTURY},
    {"cent", UNIT_CENTURY},
    {"centuries", UNIT_CENTURY},
    {"century", UNIT_CENTURY},
    {"d", UNIT_DAY},
    {"day", UNIT_DAY},
    {"days", UNIT_DAY},
    {"dec", UNIT_DECADE},
    {"decade", UNIT_DECADE},
    {"decades", UNIT_DECADE},
    {"decs", UNIT_DECADE},
    {"dow", UNIT_WEEKDAY},
    {"doy", UNIT_DAY_OF_YEAR},
    {"epoch", UNIT_EPOCH},
    {"h", UNIT_HOUR},
    {"hour", UNIT_HOUR},
    {"hours", UNIT_HOUR},
    {"hr", UNIT_HOUR},
    {"hrs", UNIT_HOUR},
    {"isodow", UNIT_ISO_WEEKDAY},
    {"isoyear", UNIT_ISO_YEAR},
    {"j", UNIT_JULIAN},
    {"jd", UNIT_JULIAN},
    {"julian", UNIT_JULIAN},
    {"m", UNIT_MINUTE},
    {"microsecon", UNIT_MICROSECOND},
    {"mil", UNIT_MILLENNIUM},
    {"millennia", UNIT_MILLENNIUM},
    {"millennium", UNIT_MILLENNIUM},
    {"millisecon", UNIT_MILLISECOND},
    {"mils", UNIT_MILLENNIUM},
    {"min", UNIT_MINUTE},
    {"mins", UNIT_MINUTE},
    {"minute", UNIT_MINUTE},
    {"minutes", UNIT_MINUTE},
    {"mon", UNIT_MONTH},
    {"mons", UNIT_MONTH},
    {"month", UNIT_MONTH},
    {"months", UNIT_MONTH},
    {"ms", UNIT_MILLISECOND},
    {"msec", UNIT_MILLISECOND},
    {"mseconds", UNIT_MILLISECOND},
    {"msecs", UNIT_MILLISECOND},
    {"qtr", UNIT_QUARTER},
    {"quarter", UNIT_QUARTER},
    {"s", UNIT_SECOND},
    {"sec", UNIT_SECOND},
    {"second", UNIT_SECOND},
    {"seconds", UNIT_SECOND},
    {"secs", UNIT_SECOND},
    {"timezone", UNIT_ZONE},
    {"timezone_h", UNIT_ZONE_HOUR},
    {"timezone_m", UNIT_ZONE_MINUTE},
    {"us", UNIT_MICROSECOND},
    {"usec", UNIT_MICROSECOND},
    {"usecond", UNIT_MICROSECOND},
    {"useconds", UNIT_MICROSECOND},
    {"usecs", UNIT_MICROSECOND},
    {"w", UNIT_WEEK},
    {"week", UNIT_WEEK},
    {"weeks", UNIT_WEEK},
    {"y", UNIT_YEAR},
    {"year", UNIT_YEAR},
    {"years", UNIT_YEAR},
    {"yr", UNIT_YEAR},
    {"yrs", UNIT_YEAR},
};

static void copy_lower(slice word, char *out, size_t size) {
    for (size_t i = 0; i < word.len && i < size; i++) {
        char letter = word.ptr[i];
        out[i] = letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
    }
}

const char *time_unit_text(slice word, char out[static UNIT_TEXT_SIZE]) {
    copy_lower(word, out, UNIT_TEXT_SIZE - 1);
    out[word.len < UNIT_TEXT_SIZE ? word.len : UNIT_TEXT_SIZE - 1] = '\0';
    return out;
}

enum time_unit time_unit_named(slice word) {
    char lower[sizeof unit_names[0].text] = {0};
    copy_lower(word, lower, sizeof lower);
    for (size_t i = 0; i < array_count(unit_names); i++)
        if (unit_names[i].text[0] == lower[0] &&
            memcmp(unit_names[i].text, lower, sizeof lower) == 0)
            return unit_names[i].unit;
    return UNIT_NONE;
}
