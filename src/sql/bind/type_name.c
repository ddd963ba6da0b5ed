/*
 * type_name.c - the names of types: a TypeName node to a type, a type to its name.
 *
 * Modifiers are checked here as PostgreSQL's typmodin functions do, and packed as type.h says.
 */
#include "sql/bind/binder.h"

#include <stdio.h>

char bind_category(const struct sql_binder *b, uint32_t oid) {
    const struct sql_type_info *info = sql_type_info(oid);
    if (info)
        return info->category;
    const struct sql_enum *e = sql_catalog_enum_by_oid(b->catalog, oid);
    return e && e->oid != oid ? 'A' : e ? 'E' : 'U';
}

bool bind_preferred(uint32_t oid) {
    const struct sql_type_info *info = sql_type_info(oid);
    return info && info->preferred;
}

const char *bind_type_text(const struct sql_binder *b, struct sql_type type, char *out,
                           size_t size) {
    const struct sql_enum *e =
        type.oid >= SQL_FIRST_USER_OID ? sql_catalog_enum_by_oid(b->catalog, type.oid) : NULL;
    if (!e)
        return sql_type_text(type, out, size);
    snprintf(out, size, "%.*s%s", slice_fmt(e->name), e->oid == type.oid ? "" : "[]");
    return out;
}

/* The integers in the parentheses, at most two. Their count, or < 0. */
static int read_modifiers(struct sql_binder *b, json_value type_name, int64_t ret[2]) {
    struct json_iterator i = json_each(sql_field(type_name, "typmods"));
    int count = 0;
    while (json_next(&i)) {
        json_value constant;
        if (!sql_node_is(i.value, "A_Const", &constant) ||
            json_type_of(sql_field(constant, "ival")) == JSON_ABSENT || count == 2)
            return bind_error(b, sql_location(type_name), "22023", "invalid type modifier");
        ret[count++] = sql_field_int(sql_field(constant, "ival"), "ival");
    }
    return count;
}

static int length_modifier(struct sql_binder *b, json_value type_name, const char *name,
                           int64_t length, int32_t *ret) {
    if (length < 1)
        return bind_error(b, sql_location(type_name), "22023",
                          "length for type %s must be at least 1", name);
    if (length > 10485760)
        return bind_error(b, sql_location(type_name), "22023",
                          "length for type %s cannot exceed 10485760", name);
    *ret = (int32_t)length + 4;
    return 0;
}

static int numeric_modifier(struct sql_binder *b, json_value type_name, int count,
                            const int64_t *modifiers, int32_t *ret) {
    int64_t precision = modifiers[0], scale = count == 2 ? modifiers[1] : 0;
    int location = sql_location(type_name);
    if (precision < 1 || precision > 1000)
        return bind_error(b, location, "22023", "NUMERIC precision %lld must be between 1 and 1000",
                          (long long)precision);
    if (scale < -1000 || scale > 1000)
        return bind_error(b, location, "22023", "NUMERIC scale %lld must be between -1000 and 1000",
                          (long long)scale);
    *ret = (int32_t)(((precision << 16) | (scale & 0x7ff)) + 4);
    return 0;
}

/* interval's are a mask of fields and a precision, as the grammar gives them. */
static int32_t interval_modifier(int count, const int64_t *modifiers) {
    int64_t range = modifiers[0] & 0x7fff, precision = count == 2 ? modifiers[1] : 0xffff;
    return (int32_t)((range << 16) | (precision & 0xffff));
}

static int set_modifier(struct sql_binder *b, json_value type_name, struct sql_type *type) {
    int64_t modifiers[2] = {0, 0};
    int count = read_modifiers(b, type_name, modifiers);
    if (count < 0)
        return count;
    if (count == 0)
        return 0;
    switch (type->oid) {
    case SQL_VARCHAR:
        return length_modifier(b, type_name, "varchar", modifiers[0], &type->typmod);
    case SQL_BPCHAR:
        return length_modifier(b, type_name, "char", modifiers[0], &type->typmod);
    case SQL_NUMERIC:
        return numeric_modifier(b, type_name, count, modifiers, &type->typmod);
    case SQL_INTERVAL:
        type->typmod = interval_modifier(count, modifiers);
        return 0;
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        type->typmod = (int32_t)(modifiers[0] > 6 ? 6 : modifiers[0] < 0 ? 0 : modifiers[0]);
        return 0;
    default: {
        char text[BIND_TYPE_TEXT];
        return bind_error(b, sql_location(type_name), "42601",
                          "type modifier is not allowed for type \"%s\"",
                          bind_type_text(b, *type, text, sizeof text));
    }
    }
}

static uint32_t find_type(const struct sql_binder *b, slice schema, slice name) {
    if (schema.len == 0 || slice_equal(schema, slice_lit("pg_catalog"))) {
        const struct sql_type_info *info = sql_type_named(name);
        if (info)
            return info->oid;
    }
    const struct sql_enum *e =
        sql_catalog_enum(b->catalog, schema.len ? schema : (slice){NULL, 0}, name);
    return e ? e->oid : 0;
}

int bind_type_name(struct sql_binder *b, json_value type_name, struct sql_type *ret) {
    slice schema = {NULL, 0}, name = {NULL, 0};
    struct json_iterator i = json_each(sql_field(type_name, "names"));
    while (json_next(&i)) {
        schema = name;
        name = sql_string(i.value);
    }
    int location = sql_location(type_name);
    struct sql_type type = sql_type_of(find_type(b, schema, name));
    if (type.oid == 0)
        return bind_error(b, location, "42704", "type \"%.*s%s%.*s\" does not exist",
                          slice_fmt(schema), schema.len ? "." : "", slice_fmt(name));
    int result = set_modifier(b, type_name, &type);
    if (result < 0)
        return result;
    if (json_count(sql_field(type_name, "arrayBounds")) > 0) {
        type.oid = sql_array_of(type.oid);
        if (type.oid == 0)
            return bind_error(b, location, "42704", "could not find array type for data type %.*s",
                              slice_fmt(name));
    }
    *ret = type;
    return 0;
}
