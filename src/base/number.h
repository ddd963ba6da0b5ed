/*
 * number.h - numbers from text and back, checked.
 *
 * Every parser takes the whole slice: no blanks, no sign where none is due, no rest. Two answers
 * are told apart, because a person fixes them differently:
 *      -EINVAL   this is not written as such a number
 *      -ERANGE   it is, but it does not fit (or lies outside the range given)
 * Outputs are untouched on failure. Nothing here looks at the locale.
 */
#ifndef NONET_BASE_NUMBER_H
#define NONET_BASE_NUMBER_H

#include "base/check.h"
#include "base/slice.h"

#define NUMBER_TEXT_MAX 32 /* room for any text of number_format_* but doubles' and sizes' */
#define NUMBER_DOUBLE_TEXT_MAX 128 /* longest text number_parse_double takes */

#define NUMBER_NS_PER_SECOND 1000000000u

/* Decimal digits only. Leading zeros are allowed. */
must_use int number_parse_u64(slice text, uint64_t *ret_number);

/* Decimal digits with an optional '-'; the value must lie in MIN..MAX. */
must_use int number_parse_i64(slice text, int64_t min, int64_t max, int64_t *ret_number);

/* JSON's form of a number (no hex, no nan, no inf, no leading '+'); -ERANGE where it would become
   infinite. */
must_use int number_parse_double(slice text, double *ret_number);

/* "true" or "false", also "yes no on off" as YAML 1.1 users write them. Lower case. */
must_use int number_parse_bool(slice text, bool *ret_value);

/* "250ms", "2s", "1.5h", "1h30m", "7d", and "0". Units ns us ms s m h d w, each at most once and
   from large to small. At most INT64_MAX nanoseconds (292 years). */
must_use int number_parse_duration(slice text, uint64_t *ret_ns);

/* "4096", "64KB", "1MiB", "2G", "1.5GB": letters in any case, and every unit is a power of 1024 as
   in PostgreSQL and nginx, so K, KB and KiB are the same. A fraction must come out as whole bytes.
 */
must_use int number_parse_size(slice text, uint64_t *ret_bytes);

/* "100/s", "6000/m", "5/h", "1/10s": so many per period. Both are above 0. */
struct number_rate {
    uint64_t count;
    uint64_t period_ns;
};
must_use int number_parse_rate(slice text, struct number_rate *ret_rate);

static inline double number_rate_per_second(struct number_rate rate) {
    return (double)rate.count * (double)NUMBER_NS_PER_SECOND / (double)rate.period_ns;
}

/* Writes decimal digits to OUT (20 bytes are always enough; no NUL). Returns how many. */
size_t number_format_u64(uint64_t number, char *out);
size_t number_format_i64(int64_t number, char *out);

/* Writes the text that number_parse_duration turns back into NS ("1h30m", "250ms", "0s")
   with a NUL to OUT of at least NUMBER_TEXT_MAX * 2 bytes. Returns its length. */
size_t number_format_duration(uint64_t ns, char *out);
/* As Go writes it, with every unit below the largest: "1h30m0s", "1m0s", "2.5s", "300ms". */
size_t number_format_go_duration(uint64_t ns, char *out);

/* For people: "512B", "1.5KiB", "3.2GiB", one decimal, with a NUL to OUT of NUMBER_TEXT_MAX bytes.
   Returns its length. */
size_t number_format_size(uint64_t bytes, char *out);

#endif
