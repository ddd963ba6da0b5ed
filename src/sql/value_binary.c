/*
 * value_binary.c - values as PostgreSQL's send and receive functions have them: big end first.
 *
 *   integers, floats   their own bytes            array   int32 dimensions, int32 has NULLs,
 *   text, json         the text                           int32 element OID, per dimension int32
 *   uuid               16 bytes                           length and lower bound, then elements
 *   date, time, ts     int32 days, int64 us       record  int32 columns, each int32 OID and element
 *   interval           int64 us, int32 days,      element int32 length (-1: NULL) and bytes
 *                      int32 months
 *
 * What a client sends is a stranger's: every length is checked, a wrong one is 22P03.
 */
#include "sql/value_parts.h"

#include "sql/numeric.h"

#include <errno.h>

static int put(struct buf *out, uint64_t value, unsigned bytes) {
    char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(value >> (8 * (bytes - 1 - i)));
    return buf_append(out, slice_make(text, bytes));
}

static uint64_t get(const char *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t)at[i];
    return value;
}

static int64_t get_signed(const char *at, unsigned bytes) {
    unsigned shift = 64 - 8 * bytes;
    return (int64_t)(get(at, bytes) << shift) >> shift;
}

unsigned value_word_bytes(uint32_t oid) {
    switch (oid) {
    case SQL_BOOL:
        return 1;
    case SQL_INT2:
        return 2;
    case SQL_INT8:
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return 8;
    default:
        return 4; /* int4, oid and the names of the catalog, date, enums */
    }
}

/* ---- send ------------------------------------------------------------------------------------ */

static int send_word(uint32_t oid, int64_t value, struct buf *out) {
    unsigned bytes = value_word_bytes(oid);
    if (oid == SQL_DATE && (value == SQL_INFINITY || value == SQL_MINUS_INFINITY))
        value = value == SQL_INFINITY ? INT32_MAX : INT32_MIN;
    return put(out, (uint64_t)value, bytes);
}

static int send_float(uint32_t oid, double value, struct buf *out) {
    uint64_t bits;
    if (oid == SQL_FLOAT8) {
        memcpy(&bits, &value, 8);
        return put(out, bits, 8);
    }
    float single = (float)value;
    uint32_t short_bits;
    memcpy(&short_bits, &single, 4);
    return put(out, short_bits, 4);
}

/* An element's length in front of it, known once it is written. */
static int send_counted(struct sql_type type, const union sql_cell *cell, bool null,
                        const struct sql_settings *settings, struct buf *out) {
    size_t at = out->len;
    int rc = put(out, null ? UINT32_MAX : 0, 4);
    if (rc < 0 || null)
        return rc;
    rc = sql_value_send(type, cell, settings, out);
    if (rc < 0)
        return rc;
    uint32_t len = (uint32_t)(out->len - at - 4);
    for (unsigned i = 0; i < 4; i++)
        out->ptr[at + i] = (char)(len >> (24 - 8 * i));
    return 0;
}

static int send_array(struct sql_type type, const struct sql_array *a,
                      const struct sql_settings *settings, struct buf *out) {
    bool nulls = false;
    for (unsigned i = 0; a->nulls && i < a->count; i++)
        nulls |= a->nulls[i];
    int rc = put(out, a->dimensions, 4);
    if (rc == 0)
        rc = put(out, nulls, 4);
    if (rc == 0)
        rc = put(out, a->element, 4);
    for (unsigned i = 0; rc == 0 && i < a->dimensions; i++) {
        rc = put(out, (uint32_t)a->lengths[i], 4);
        if (rc == 0)
            rc = put(out, (uint32_t)a->lower[i], 4);
    }
    for (unsigned i = 0; rc == 0 && i < a->count; i++)
        rc = send_counted((struct sql_type){a->element, type.typmod}, &a->cells[i],
                          a->nulls && a->nulls[i], settings, out);
    return rc;
}

static int send_record(const struct sql_record *record, const struct sql_settings *settings,
                       struct buf *out) {
    int rc = put(out, record->count, 4);
    for (unsigned i = 0; rc == 0 && i < record->count; i++) {
        rc = put(out, record->types[i].oid, 4);
        if (rc == 0)
            rc = send_counted(record->types[i], &record->cells[i], record->nulls[i], settings, out);
    }
    return rc;
}

int sql_value_send(struct sql_type type, const union sql_cell *cell,
                   const struct sql_settings *settings, struct buf *out) {
    const struct sql_type_io *io = sql_type_io_find(type.oid);
    if (io && io->send)
        return io->send(type, cell, settings, out);
    if (type.oid >= SQL_FIRST_USER_OID && !sql_element_of(type.oid))
        return value_enum_out(type.oid, cell, settings, out);
    if (type.oid == SQL_VOID)
        return 0;
    switch (sql_layout_of(type.oid)) {
    case SQL_LAYOUT_WORD:
        return send_word(type.oid, cell->i, out);
    case SQL_LAYOUT_FLOAT:
        return send_float(type.oid, cell->f, out);
    case SQL_LAYOUT_TEXT:
        return buf_append(out, cell->text);
    case SQL_LAYOUT_NUMERIC:
        return sql_numeric_send(cell->numeric, out);
    case SQL_LAYOUT_UUID:
        return buf_append(out, slice_make(cell->uuid, 16));
    case SQL_LAYOUT_ARRAY:
        return send_array(type, cell->array, settings, out);
    case SQL_LAYOUT_RECORD:
        return send_record(cell->record, settings, out);
    case SQL_LAYOUT_INTERVAL:
        break;
    }
    int rc = put(out, (uint64_t)cell->interval.microseconds, 8);
    if (rc == 0)
        rc = put(out, (uint32_t)cell->interval.days, 4);
    return rc < 0 ? rc : put(out, (uint32_t)cell->interval.months, 4);
}

/* ---- receive --------------------------------------------------------------------------------- */

static int wrong_length(const struct sql_reading *r) {
    return sql_fail(r->error, "22P03", "incorrect binary data format");
}

static int receive_word(const struct sql_reading *r, slice bytes, union sql_cell *ret) {
    unsigned len = value_word_bytes(r->type.oid);
    if (bytes.len != len)
        return wrong_length(r);
    int64_t value = get_signed(bytes.ptr, len);
    if (r->type.oid == SQL_BOOL)
        value = value != 0;
    else if (r->type.oid == SQL_DATE && (value == INT32_MAX || value == INT32_MIN))
        value = value == INT32_MAX ? SQL_INFINITY : SQL_MINUS_INFINITY;
    else if (r->type.oid != SQL_INT4 && r->type.oid != SQL_DATE && len == 4)
        value = (int64_t)(uint32_t)value;
    *ret = (union sql_cell){.i = value};
    return 0;
}

static int receive_float(const struct sql_reading *r, slice bytes, union sql_cell *ret) {
    if (bytes.len != (r->type.oid == SQL_FLOAT4 ? 4 : 8))
        return wrong_length(r);
    uint64_t bits = get(bytes.ptr, (unsigned)bytes.len);
    if (bytes.len == 8) {
        memcpy(&ret->f, &bits, 8);
        return 0;
    }
    uint32_t short_bits = (uint32_t)bits;
    float single;
    memcpy(&single, &short_bits, 4);
    *ret = (union sql_cell){.f = (double)single};
    return 0;
}

static int receive_bytes(const struct sql_reading *r, slice bytes, union sql_cell *ret) {
    if (r->type.oid != SQL_BYTEA)
        return value_text_in(r, bytes, ret);
    slice copy;
    if (arena_copy(r->memory, bytes, &copy) < 0)
        return sql_fail_memory(r->error);
    *ret = (union sql_cell){.text = copy};
    return 0;
}

static int receive_numeric(const struct sql_reading *r, slice bytes, union sql_cell *ret) {
    struct sql_numeric n;
    int rc = sql_numeric_receive(bytes, r->memory, &n);
    if (rc == -ENOMEM)
        return sql_fail_memory(r->error);
    if (rc < 0)
        return wrong_length(r);
    return sql_numeric_fit(n, r->type.typmod, r->memory, &ret->numeric, r->error);
}

/* Length and bytes at *AT. *RET_NULL: -1 stood there. */
static int receive_counted(const struct sql_reading *r, struct sql_type type, slice bytes,
                           size_t *at, union sql_cell *ret, uint8_t *ret_null) {
    if (bytes.len - *at < 4)
        return wrong_length(r);
    int64_t len = get_signed(bytes.ptr + *at, 4);
    *at += 4;
    *ret_null = len == -1;
    if (len == -1)
        return 0;
    if (len < 0 || (size_t)len > bytes.len - *at)
        return wrong_length(r);
    slice part = slice_make(bytes.ptr + *at, (size_t)len);
    *at += (size_t)len;
    return sql_value_receive(type, part, r->settings, r->memory, ret, r->error);
}

static int receive_elements(const struct sql_reading *r, slice bytes, size_t at,
                            struct sql_array *array, union sql_cell *ret) {
    union sql_cell *cells = arena_zalloc(r->memory, array->count, sizeof *cells);
    uint8_t *nulls = arena_zalloc(r->memory, array->count, 1);
    if (!cells || !nulls)
        return sql_fail_memory(r->error);
    struct sql_type element = {array->element, r->type.typmod};
    for (unsigned i = 0; i < array->count; i++) {
        int rc = receive_counted(r, element, bytes, &at, &cells[i], &nulls[i]);
        if (rc < 0)
            return rc;
        if (nulls[i])
            array->nulls = nulls;
    }
    if (at != bytes.len)
        return wrong_length(r);
    array->cells = cells;
    *ret = (union sql_cell){.array = array};
    return 0;
}

static int receive_array(const struct sql_reading *r, slice bytes, union sql_cell *ret) {
    if (bytes.len < 12)
        return wrong_length(r);
    uint64_t dimensions = get(bytes.ptr, 4);
    uint32_t element = (uint32_t)get(bytes.ptr + 8, 4);
    if (element != sql_element_of(r->type.oid))
        return sql_fail(r->error, "42804", "wrong element type");
    if (dimensions > SQL_ARRAY_DIMENSIONS_MAX || bytes.len < 12 + 8 * (size_t)dimensions)
        return wrong_length(r);
    struct sql_array *array = arena_zalloc(r->memory, 1, sizeof *array);
    if (!array)
        return sql_fail_memory(r->error);
    array->element = element;
    array->dimensions = (unsigned)dimensions;
    uint64_t count = dimensions > 0;
    for (unsigned i = 0; i < dimensions; i++) {
        int64_t length = get_signed(bytes.ptr + 12 + 8 * i, 4);
        array->lower[i] = (int32_t)get_signed(bytes.ptr + 16 + 8 * i, 4);
        if (length < 0 || length > SQL_ARRAY_ELEMENTS_MAX ||
            (count *= (uint64_t)length) > SQL_ARRAY_ELEMENTS_MAX || count * 4 > bytes.len)
            return wrong_length(r);
        array->lengths[i] = (int32_t)length;
    }
    array->count = (unsigned)count;
    if (count == 0)
        array->dimensions = 0;
    return receive_elements(r, bytes, 12 + 8 * (size_t)dimensions, array, ret);
}

static int receive_interval(const struct sql_reading *r, slice bytes, union sql_cell *ret) {
    if (bytes.len != 16)
        return wrong_length(r);
    ret->interval = (struct sql_interval){.microseconds = get_signed(bytes.ptr, 8),
                                          .days = (int32_t)get_signed(bytes.ptr + 8, 4),
                                          .months = (int32_t)get_signed(bytes.ptr + 12, 4)};
    return 0;
}

int sql_value_receive(struct sql_type type, slice bytes, const struct sql_settings *settings,
                      struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    const struct sql_reading r = {type, settings, memory, error};
    const struct sql_type_io *io = sql_type_io_find(type.oid);
    if (io && io->receive)
        return io->receive(type, bytes, settings, memory, ret, error);
    if (type.oid >= SQL_FIRST_USER_OID && !sql_element_of(type.oid))
        return value_enum_in(&r, bytes, ret);
    switch (sql_layout_of(type.oid)) {
    case SQL_LAYOUT_WORD:
        return receive_word(&r, bytes, ret);
    case SQL_LAYOUT_FLOAT:
        return receive_float(&r, bytes, ret);
    case SQL_LAYOUT_TEXT:
        return receive_bytes(&r, bytes, ret);
    case SQL_LAYOUT_NUMERIC:
        return receive_numeric(&r, bytes, ret);
    case SQL_LAYOUT_ARRAY:
        return receive_array(&r, bytes, ret);
    case SQL_LAYOUT_INTERVAL:
        return receive_interval(&r, bytes, ret);
    case SQL_LAYOUT_UUID:
        if (bytes.len != 16)
            return wrong_length(&r);
        memcpy(ret->uuid, bytes.ptr, 16);
        return 0;
    case SQL_LAYOUT_RECORD:
        break;
    }
    return sql_fail(error, "0A000", "input of anonymous composite types is not implemented");
}
