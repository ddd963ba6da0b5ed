/*
 * types.c - date, time, timestamp, timestamptz and interval as types: PostgreSQL's binary forms,
 * and the order of intervals. The others are ordered as the numbers they are.
 *
 *      date 4 bytes of days; time and timestamps 8 of microseconds; interval 8 + 4 days + 4 months
 */
#include "base/hash.h"
#include "sql/lists.h"
#include "sql/time/calendar.h"
#include "sql/time/datetime.h"
#include "sql/time/interval.h"

static uint64_t read_big(const char *at, size_t width) {
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | (uint8_t)at[i];
    return number;
}

static void write_big(char *at, uint64_t number, size_t width) {
    for (size_t i = width; i-- > 0; number >>= 8)
        at[i] = (char)(number & 0xff);
}

static int fail_length(struct sql_error *error) {
    return sql_fail(error, "08P01", "incorrect binary data format");
}

static int date_in(struct sql_type type, slice text, const struct sql_settings *settings,
                   struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)type;
    (void)memory;
    return sql_date_in(text, settings, &ret->i, error);
}

static int date_out(struct sql_type type, const union sql_cell *cell,
                    const struct sql_settings *settings, struct buf *out) {
    (void)type;
    (void)settings;
    return sql_date_out(cell->i, out);
}

static int date_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                        struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)type;
    (void)settings;
    (void)memory;
    if (bytes.len != 4)
        return fail_length(error);
    int32_t days = (int32_t)read_big(bytes.ptr, 4);
    if (days == INT32_MAX || days == INT32_MIN)
        ret->i = days > 0 ? SQL_INFINITY : SQL_MINUS_INFINITY;
    else if (sql_date_valid(days))
        ret->i = days;
    else
        return sql_fail(error, "22008", "date out of range");
    return 0;
}

static int date_send(struct sql_type type, const union sql_cell *cell,
                     const struct sql_settings *settings, struct buf *out) {
    char bytes[4];
    (void)type;
    (void)settings;
    int64_t days = cell->i;
    if (sql_infinite(days))
        days = days > 0 ? INT32_MAX : INT32_MIN;
    write_big(bytes, (uint64_t)days, 4);
    return buf_append(out, slice_make(bytes, 4));
}

static int time_in(struct sql_type type, slice text, const struct sql_settings *settings,
                   struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)memory;
    return sql_time_in(text, type.typmod, settings, &ret->i, error);
}

static int time_out(struct sql_type type, const union sql_cell *cell,
                    const struct sql_settings *settings, struct buf *out) {
    (void)type;
    (void)settings;
    return sql_time_out(cell->i, out);
}

static int word_send(struct sql_type type, const union sql_cell *cell,
                     const struct sql_settings *settings, struct buf *out) {
    char bytes[8];
    (void)type;
    (void)settings;
    write_big(bytes, (uint64_t)cell->i, 8);
    return buf_append(out, slice_make(bytes, 8));
}

static int time_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                        struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)settings;
    (void)memory;
    if (bytes.len != 8)
        return fail_length(error);
    int64_t time = (int64_t)read_big(bytes.ptr, 8);
    if (time < 0 || time > SQL_US_PER_DAY)
        return sql_fail(error, "22008", "time out of range");
    ret->i = sql_time_round(time, type.typmod);
    return 0;
}

static int timestamp_in(struct sql_type type, slice text, const struct sql_settings *settings,
                        struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)memory;
    return sql_timestamp_in(text, type.typmod, type.oid == SQL_TIMESTAMPTZ, settings, &ret->i,
                            error);
}

static int timestamp_out(struct sql_type type, const union sql_cell *cell,
                         const struct sql_settings *settings, struct buf *out) {
    return sql_timestamp_out(cell->i, type.oid == SQL_TIMESTAMPTZ, settings, out);
}

static int timestamp_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                             struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)settings;
    (void)memory;
    if (bytes.len != 8)
        return fail_length(error);
    int64_t timestamp = (int64_t)read_big(bytes.ptr, 8);
    if (!sql_infinite(timestamp) && !sql_timestamp_valid(timestamp))
        return sql_fail(error, "22008", "timestamp out of range");
    ret->i = sql_time_round(timestamp, type.typmod);
    return 0;
}

static int interval_in(struct sql_type type, slice text, const struct sql_settings *settings,
                       struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)settings;
    (void)memory;
    return sql_interval_in(text, type.typmod, &ret->interval, error);
}

static int interval_out(struct sql_type type, const union sql_cell *cell,
                        const struct sql_settings *settings, struct buf *out) {
    (void)type;
    (void)settings;
    return sql_interval_out(&cell->interval, out);
}

static int interval_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                            struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    (void)settings;
    (void)memory;
    if (bytes.len != 16)
        return fail_length(error);
    ret->interval =
        (struct sql_interval){(int64_t)read_big(bytes.ptr, 8), (int32_t)read_big(bytes.ptr + 8, 4),
                              (int32_t)read_big(bytes.ptr + 12, 4)};
    sql_interval_adjust(&ret->interval, type.typmod);
    return 0;
}

static int interval_send(struct sql_type type, const union sql_cell *cell,
                         const struct sql_settings *settings, struct buf *out) {
    char bytes[16];
    (void)type;
    (void)settings;
    write_big(bytes, (uint64_t)cell->interval.microseconds, 8);
    write_big(bytes + 8, (uint64_t)cell->interval.days, 4);
    write_big(bytes + 12, (uint64_t)cell->interval.months, 4);
    return buf_append(out, slice_make(bytes, 16));
}

static int interval_compare(const union sql_cell *a, const union sql_cell *b) {
    return sql_interval_compare(&a->interval, &b->interval);
}

static uint64_t interval_hash(const union sql_cell *cell) {
    sql_interval_span length = sql_interval_length(&cell->interval);
    return hash_mix64((uint64_t)length ^ hash_mix64((uint64_t)(length >> 64)));
}

/* The length with its sign turned, big end first; equal intervals give equal bytes. */
static int interval_key(const union sql_cell *cell, struct buf *out) {
    char bytes[16];
    sql_interval_span length = sql_interval_length(&cell->interval);
    write_big(bytes, (uint64_t)(length >> 64) ^ (UINT64_C(1) << 63), 8);
    write_big(bytes + 8, (uint64_t)length, 8);
    return buf_append(out, slice_make(bytes, 16));
}

const struct sql_type_io sql_type_io_time[] = {
    {.oid = SQL_DATE, .in = date_in, .out = date_out, .receive = date_receive, .send = date_send},
    {.oid = SQL_TIME, .in = time_in, .out = time_out, .receive = time_receive, .send = word_send},
    {.oid = SQL_TIMESTAMP,
     .in = timestamp_in,
     .out = timestamp_out,
     .receive = timestamp_receive,
     .send = word_send},
    {.oid = SQL_TIMESTAMPTZ,
     .in = timestamp_in,
     .out = timestamp_out,
     .receive = timestamp_receive,
     .send = word_send},
    {.oid = SQL_INTERVAL,
     .in = interval_in,
     .out = interval_out,
     .receive = interval_receive,
     .send = interval_send,
     .compare = interval_compare,
     .hash = interval_hash,
     .key = interval_key},
    {.oid = 0},
};
