/*
 * type.c - the table of types (type.h): PostgreSQL 15's own numbers, names and categories.
 *
 * Rows stand in the order of their OIDs, for binary search. "int2vector" and "oidvector" are the
 * system catalogs' arrays with a text form of their own ("1 2"). The pseudo types at the end stand
 * in signatures of functions only.
 */
#include "sql/type.h"

#include <stdio.h>

static const struct sql_type_info types[] = {
    /* oid, array, element, name, sql_name, category, preferred, length, layout */
    {16, 1000, 0, "bool", "boolean", 'B', true, 1, SQL_LAYOUT_WORD},
    {17, 1001, 0, "bytea", "bytea", 'U', false, -1, SQL_LAYOUT_TEXT},
    {18, 1002, 0, "char", "\"char\"", 'Z', false, 1, SQL_LAYOUT_TEXT},
    {19, 1003, 0, "name", "name", 'S', false, 64, SQL_LAYOUT_TEXT},
    {20, 1016, 0, "int8", "bigint", 'N', false, 8, SQL_LAYOUT_WORD},
    {21, 1005, 0, "int2", "smallint", 'N', false, 2, SQL_LAYOUT_WORD},
    {22, 1006, 21, "int2vector", "int2vector", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {23, 1007, 0, "int4", "integer", 'N', false, 4, SQL_LAYOUT_WORD},
    {24, 1008, 0, "regproc", "regproc", 'N', false, 4, SQL_LAYOUT_WORD},
    {25, 1009, 0, "text", "text", 'S', true, -1, SQL_LAYOUT_TEXT},
    {26, 1028, 0, "oid", "oid", 'N', true, 4, SQL_LAYOUT_WORD},
    {28, 1011, 0, "xid", "xid", 'U', false, 4, SQL_LAYOUT_WORD},
    {30, 1013, 26, "oidvector", "oidvector", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {114, 199, 0, "json", "json", 'U', false, -1, SQL_LAYOUT_TEXT},
    {194, 0, 0, "pg_node_tree", "pg_node_tree", 'Z', false, -1, SQL_LAYOUT_TEXT},
    {199, 0, 114, "_json", "json[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {700, 1021, 0, "float4", "real", 'N', false, 4, SQL_LAYOUT_FLOAT},
    {701, 1022, 0, "float8", "double precision", 'N', true, 8, SQL_LAYOUT_FLOAT},
    {705, 0, 0, "unknown", "unknown", 'X', false, -2, SQL_LAYOUT_TEXT},
    {1000, 0, 16, "_bool", "boolean[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1001, 0, 17, "_bytea", "bytea[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1002, 0, 18, "_char", "\"char\"[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1003, 0, 19, "_name", "name[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1005, 0, 21, "_int2", "smallint[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1006, 0, 22, "_int2vector", "int2vector[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1007, 0, 23, "_int4", "integer[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1008, 0, 24, "_regproc", "regproc[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1009, 0, 25, "_text", "text[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1011, 0, 28, "_xid", "xid[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1013, 0, 30, "_oidvector", "oidvector[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1014, 0, 1042, "_bpchar", "character[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1015, 0, 1043, "_varchar", "character varying[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1016, 0, 20, "_int8", "bigint[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1021, 0, 700, "_float4", "real[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1022, 0, 701, "_float8", "double precision[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1028, 0, 26, "_oid", "oid[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1042, 1014, 0, "bpchar", "character", 'S', false, -1, SQL_LAYOUT_TEXT},
    {1043, 1015, 0, "varchar", "character varying", 'S', false, -1, SQL_LAYOUT_TEXT},
    {1082, 1182, 0, "date", "date", 'D', false, 4, SQL_LAYOUT_WORD},
    {1083, 1183, 0, "time", "time without time zone", 'D', false, 8, SQL_LAYOUT_WORD},
    {1114, 1115, 0, "timestamp", "timestamp without time zone", 'D', false, 8, SQL_LAYOUT_WORD},
    {1115, 0, 1114, "_timestamp", "timestamp without time zone[]", 'A', false, -1,
     SQL_LAYOUT_ARRAY},
    {1182, 0, 1082, "_date", "date[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1183, 0, 1083, "_time", "time without time zone[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1184, 1185, 0, "timestamptz", "timestamp with time zone", 'D', true, 8, SQL_LAYOUT_WORD},
    {1185, 0, 1184, "_timestamptz", "timestamp with time zone[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1186, 1187, 0, "interval", "interval", 'T', true, 16, SQL_LAYOUT_INTERVAL},
    {1187, 0, 1186, "_interval", "interval[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1231, 0, 1700, "_numeric", "numeric[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {1700, 1231, 0, "numeric", "numeric", 'N', false, -1, SQL_LAYOUT_NUMERIC},
    {2202, 2207, 0, "regprocedure", "regprocedure", 'N', false, 4, SQL_LAYOUT_WORD},
    {2205, 2210, 0, "regclass", "regclass", 'N', false, 4, SQL_LAYOUT_WORD},
    {2206, 2211, 0, "regtype", "regtype", 'N', false, 4, SQL_LAYOUT_WORD},
    {2207, 0, 2202, "_regprocedure", "regprocedure[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {2210, 0, 2205, "_regclass", "regclass[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {2211, 0, 2206, "_regtype", "regtype[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {2249, 2287, 0, "record", "record", 'P', false, -1, SQL_LAYOUT_RECORD},
    {2275, 1263, 0, "cstring", "cstring", 'P', false, -2, SQL_LAYOUT_TEXT},
    {2276, 0, 0, "any", "\"any\"", 'P', false, 4, SQL_LAYOUT_WORD},
    {2277, 0, 0, "anyarray", "anyarray", 'P', false, -1, SQL_LAYOUT_ARRAY},
    {2278, 0, 0, "void", "void", 'P', false, 4, SQL_LAYOUT_WORD},
    {2283, 0, 0, "anyelement", "anyelement", 'P', false, 4, SQL_LAYOUT_WORD},
    {2287, 0, 2249, "_record", "record[]", 'P', false, -1, SQL_LAYOUT_ARRAY},
    {2776, 0, 0, "anynonarray", "anynonarray", 'P', false, 4, SQL_LAYOUT_WORD},
    {2950, 2951, 0, "uuid", "uuid", 'U', false, 16, SQL_LAYOUT_UUID},
    {2951, 0, 2950, "_uuid", "uuid[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {3500, 0, 0, "anyenum", "anyenum", 'P', false, 4, SQL_LAYOUT_WORD},
    {3802, 3807, 0, "jsonb", "jsonb", 'U', false, -1, SQL_LAYOUT_TEXT},
    {3807, 0, 3802, "_jsonb", "jsonb[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {4072, 4073, 0, "jsonpath", "jsonpath", 'U', false, -1, SQL_LAYOUT_TEXT},
    {4073, 0, 4072, "_jsonpath", "jsonpath[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {4089, 4090, 0, "regnamespace", "regnamespace", 'N', false, 4, SQL_LAYOUT_WORD},
    {4090, 0, 4089, "_regnamespace", "regnamespace[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {4096, 4097, 0, "regrole", "regrole", 'N', false, 4, SQL_LAYOUT_WORD},
    {4097, 0, 4096, "_regrole", "regrole[]", 'A', false, -1, SQL_LAYOUT_ARRAY},
    {5077, 0, 0, "anycompatible", "anycompatible", 'P', false, 4, SQL_LAYOUT_WORD},
    {5078, 0, 0, "anycompatiblearray", "anycompatiblearray", 'P', false, -1, SQL_LAYOUT_ARRAY},
    {5079, 0, 0, "anycompatiblenonarray", "anycompatiblenonarray", 'P', false, 4, SQL_LAYOUT_WORD},
};

/* Other spellings that statements and clients use; format_type()'s come from the table. */
static const struct {
    const char *name;
    uint32_t oid;
} aliases[] = {
    {"int", SQL_INT4},    {"float", SQL_FLOAT8}, {"decimal", SQL_NUMERIC},
    {"dec", SQL_NUMERIC}, {"string", SQL_TEXT},  {"timestamp", SQL_TIMESTAMP},
};

const struct sql_type_info *sql_type_info(uint32_t oid) {
    size_t low = 0;
    size_t high = array_count(types);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (types[middle].oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < array_count(types) && types[low].oid == oid ? &types[low] : NULL;
}

const struct sql_type_info *sql_type_named(slice name) {
    if (slice_ends_with(name, slice_lit("[]"))) {
        const struct sql_type_info *element = sql_type_named(slice_take(name, name.len - 2));
        if (!element)
            return NULL;
        return element->category == 'A' ? element : sql_type_info(element->array);
    }
    for (size_t i = 0; i < array_count(types); i++)
        if (slice_equal(name, slice_str(types[i].name)))
            return &types[i];
    for (size_t i = 0; i < array_count(types); i++)
        if (slice_equal(name, slice_str(types[i].sql_name)))
            return &types[i];
    for (size_t i = 0; i < array_count(aliases); i++)
        if (slice_equal(name, slice_str(aliases[i].name)))
            return sql_type_info(aliases[i].oid);
    return NULL;
}

const struct sql_type_info *sql_type_at(unsigned index) {
    return index < array_count(types) ? &types[index] : NULL;
}

uint32_t sql_array_of(uint32_t element) {
    if (element >= SQL_FIRST_USER_OID && element < SQL_USER_ARRAY)
        return element | SQL_USER_ARRAY;
    const struct sql_type_info *info = sql_type_info(element);
    return info ? info->array : 0;
}

uint32_t sql_element_of(uint32_t array) {
    if (array >= SQL_USER_ARRAY && array < 2 * SQL_USER_ARRAY)
        return array - SQL_USER_ARRAY;
    const struct sql_type_info *info = sql_type_info(array);
    return info ? info->element : 0;
}

/* Asked for each value: what most values are of is known without a search. */
enum sql_layout sql_layout_of(uint32_t oid) {
    switch (oid) {
    case SQL_BOOL:
    case SQL_INT2:
    case SQL_INT4:
    case SQL_INT8:
    case SQL_OID:
    case SQL_DATE:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return SQL_LAYOUT_WORD;
    case SQL_FLOAT4:
    case SQL_FLOAT8:
        return SQL_LAYOUT_FLOAT;
    case SQL_TEXT:
    case SQL_VARCHAR:
    case SQL_BPCHAR:
    case SQL_BYTEA:
    case SQL_JSONB:
        return SQL_LAYOUT_TEXT;
    case SQL_NUMERIC:
        return SQL_LAYOUT_NUMERIC;
    default:
        break;
    }
    if (oid >= SQL_FIRST_USER_OID)
        return sql_element_of(oid) ? SQL_LAYOUT_ARRAY : SQL_LAYOUT_WORD;
    const struct sql_type_info *info = sql_type_info(oid);
    return info ? info->layout : SQL_LAYOUT_WORD;
}

/* The modifier of an interval's fields is not written: it is always "all fields". */
static void write_modifier(uint32_t oid, int32_t typmod, char *out, size_t size) {
    out[0] = '\0';
    if (typmod < 0)
        return;
    int32_t length = typmod - 4;
    if (oid == SQL_NUMERIC)
        snprintf(out, size, "(%d,%d)", (length >> 16) & 0xffff, ((length & 0x7ff) ^ 1024) - 1024);
    else if (oid == SQL_VARCHAR || oid == SQL_BPCHAR)
        snprintf(out, size, "(%d)", length);
    else if (oid == SQL_TIME || oid == SQL_TIMESTAMP || oid == SQL_TIMESTAMPTZ)
        snprintf(out, size, "(%d)", typmod);
    else if (oid == SQL_INTERVAL && (typmod & 0xffff) <= 6)
        snprintf(out, size, "(%d)", typmod & 0xffff);
}

const char *sql_type_text(struct sql_type type, char *out, size_t size) {
    const struct sql_type_info *info = sql_type_info(type.oid);
    char modifier[32];
    if (!info) {
        snprintf(out, size, "%u", type.oid);
        return out;
    }
    bool array = info->category == 'A' && info->name[0] == '_';
    const struct sql_type_info *base = array ? sql_type_info(info->element) : info;
    write_modifier(base->oid, type.typmod, modifier, sizeof modifier);
    /* "timestamp(3) without time zone": the modifier stands behind the first word. */
    slice name = slice_str(base->sql_name);
    if (base->oid == SQL_BPCHAR && type.typmod < 0)
        name = slice_lit("bpchar"); /* "character" would be char(1) */
    bool time = base->oid == SQL_TIME || base->oid == SQL_TIMESTAMP || base->oid == SQL_TIMESTAMPTZ;
    size_t first = time ? (size_t)slice_find(name, ' ') : name.len;
    slice rest = slice_skip(name, first);
    snprintf(out, size, "%.*s%s%.*s%s", (int)first, name.ptr, modifier, slice_fmt(rest),
             array ? "[]" : "");
    return out;
}
