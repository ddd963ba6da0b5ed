/*
 * coerce.c - conversions between types: which are allowed where, and the expressions that do them
 * (PostgreSQL's chapter 10.4 and 10.5).
 *
 * A quoted literal has the type unknown until something decides; then it is read by that type's
 * input function at once, so that its error points at it. A parameter without a type gets one the
 * same way.
 */
#include "sql/bind/binder.h"

static bool is_string(uint32_t oid) {
    return oid == SQL_TEXT || oid == SQL_VARCHAR || oid == SQL_BPCHAR || oid == SQL_NAME;
}

static bool is_enum(const struct sql_binder *b, uint32_t oid) {
    const struct sql_enum *e =
        oid >= SQL_FIRST_USER_OID ? sql_catalog_enum_by_oid(b->catalog, oid) : NULL;
    return e && e->oid == oid;
}

bool bind_can_coerce(const struct sql_binder *b, uint32_t from, uint32_t to,
                     enum sql_cast_context context) {
    if (from == to || from == SQL_UNKNOWN || to == SQL_ANY || to == SQL_ANYELEMENT)
        return true;
    uint32_t from_element = sql_element_of(from);
    if (to == SQL_ANYARRAY)
        return from_element != 0;
    if (to == SQL_ANYNONARRAY)
        return from_element == 0;
    if (to == SQL_ANYENUM)
        return is_enum(b, from);
    const struct sql_cast *cast = sql_cast_find(from, to);
    if (cast)
        return cast->context <= context;
    uint32_t to_element = sql_element_of(to);
    if (from_element && to_element)
        return bind_can_coerce(b, from_element, to_element, context);
    if (is_string(to) && to != SQL_NAME)
        return context >= SQL_CAST_ASSIGNMENT;
    return is_string(from) && context == SQL_CAST_EXPLICIT;
}

/* A literal read as TYPE. */
static struct sql_expr *read_literal(struct sql_binder *b, const struct sql_expr *e,
                                     struct sql_type type, enum sql_cast_context context) {
    struct sql_expr *constant = bind_null_constant(b, type, e->location);
    if (!constant || e->null)
        return constant;
    constant->null = false;
    /* varchar(3) cuts where the user wrote the cast, so the modifier is applied by one. */
    struct sql_type plain = sql_type_of(type.oid);
    bool own = type.oid == SQL_INTERVAL || type.oid == SQL_NUMERIC;
    bool later = type.typmod >= 0 && !own && sql_cast_find(type.oid, type.oid);
    int result = sql_value_in(later ? plain : type, e->cell.text, b->settings, b->memory,
                              &constant->cell, b->error);
    if (result < 0) {
        if (!b->error->state[0])
            return bind_null(b, e->location, "22P02", "invalid input syntax for type");
        if (b->text && e->location >= 0)
            sql_error_at(b->error, b->text, e->location);
        return NULL;
    }
    if (!later)
        return constant;
    constant->type = plain;
    return bind_coerce(b, constant, type, context, e->location);
}

static struct sql_expr *make_cast(struct sql_binder *b, struct sql_expr *e, struct sql_type type,
                                  const struct sql_cast *cast, enum sql_cast_context context,
                                  int location) {
    struct sql_expr *made = bind_expr(b, SQL_EXPR_CAST, type, location, 1);
    if (!made)
        return NULL;
    made->arguments[0] = e;
    made->cast = cast;
    made->index = context;
    return bind_fold(b, made);
}

/* E has the right type, and now gets its modifier. */
static struct sql_expr *apply_modifier(struct sql_binder *b, struct sql_expr *e,
                                       struct sql_type type, enum sql_cast_context context,
                                       int location) {
    if (type.typmod < 0 || type.typmod == e->type.typmod)
        return e;
    return make_cast(b, e, type, sql_cast_find(type.oid, type.oid), context, location);
}

static struct sql_expr *convert(struct sql_binder *b, struct sql_expr *e, struct sql_type type,
                                enum sql_cast_context context, int location) {
    const struct sql_cast *cast = sql_cast_find(e->type.oid, type.oid);
    bool by_modifier =
        type.typmod >= 0 && (!cast || !cast->scalar) && sql_cast_find(type.oid, type.oid);
    struct sql_expr *made =
        make_cast(b, e, by_modifier ? sql_type_of(type.oid) : type, cast, context, location);
    return made && by_modifier ? apply_modifier(b, made, type, context, location) : made;
}

/* ROW(1, 'a')::record and the like keep their type; a record becomes text through its output. */
struct sql_expr *bind_coerce(struct sql_binder *b, struct sql_expr *e, struct sql_type type,
                             enum sql_cast_context context, int location) {
    if (!e)
        return NULL;
    if (type.oid == SQL_ANY || type.oid == SQL_ANYNONARRAY || type.oid == SQL_UNKNOWN)
        return e;
    if (e->type.oid == SQL_UNKNOWN && type.oid != SQL_UNKNOWN) {
        if (e->kind == SQL_EXPR_CONST)
            return read_literal(b, e, type, context);
        if (e->kind == SQL_EXPR_PARAMETER) {
            e->type = sql_type_of(type.oid);
            return apply_modifier(b, e, type, context, location);
        }
    }
    if (e->type.oid == type.oid)
        return apply_modifier(b, e, type, context, location);
    if (bind_can_coerce(b, e->type.oid, type.oid, context))
        return convert(b, e, type, context, location);
    char from[BIND_TYPE_TEXT], to[BIND_TYPE_TEXT];
    return bind_null(b, location, "42846", "cannot cast type %s to %s",
                     bind_type_text(b, sql_type_of(e->type.oid), from, sizeof from),
                     bind_type_text(b, sql_type_of(type.oid), to, sizeof to));
}

struct sql_expr *bind_assign(struct sql_binder *b, struct sql_expr *e,
                             const struct sql_table_column *column) {
    if (!e)
        return NULL;
    if (bind_can_coerce(b, e->type.oid, column->type.oid, SQL_CAST_ASSIGNMENT))
        return bind_coerce(b, e, column->type, SQL_CAST_ASSIGNMENT, e->location);
    char from[BIND_TYPE_TEXT], to[BIND_TYPE_TEXT];
    (void)bind_error(
        b, e->location, "42804", "column \"%.*s\" is of type %s but expression is of type %s",
        slice_fmt(column->name), bind_type_text(b, sql_type_of(column->type.oid), to, sizeof to),
        bind_type_text(b, sql_type_of(e->type.oid), from, sizeof from));
    sql_error_hint(b->error, "You will need to rewrite or cast the expression.");
    return NULL;
}

struct sql_expr *bind_to_bool(struct sql_binder *b, struct sql_expr *e, const char *clause) {
    if (!e)
        return NULL;
    if (bind_can_coerce(b, e->type.oid, SQL_BOOL, SQL_CAST_ASSIGNMENT))
        return bind_coerce(b, e, sql_type_of(SQL_BOOL), SQL_CAST_ASSIGNMENT, e->location);
    char text[BIND_TYPE_TEXT];
    return bind_null(b, e->location, "42804", "argument of %s must be type boolean, not type %s",
                     clause, bind_type_text(b, sql_type_of(e->type.oid), text, sizeof text));
}

/* Types of one category: the first, unless it turns into a later one implicitly and not the other
   way round. */
int bind_common_type(struct sql_binder *b, struct sql_expr *const *e, unsigned count,
                     const char *what, struct sql_type *ret) {
    struct sql_type type = sql_type_of(SQL_UNKNOWN);
    for (unsigned i = 0; i < count; i++) {
        uint32_t next = e[i]->type.oid;
        if (next == SQL_UNKNOWN || next == type.oid) {
            if (next == type.oid && type.typmod != e[i]->type.typmod)
                type.typmod = -1;
            continue;
        }
        if (type.oid == SQL_UNKNOWN) {
            type = e[i]->type;
            continue;
        }
        if (bind_category(b, next) != bind_category(b, type.oid)) {
            char left[BIND_TYPE_TEXT], right[BIND_TYPE_TEXT];
            return bind_error(b, e[i]->location, "42804", "%s types %s and %s cannot be matched",
                              what, bind_type_text(b, sql_type_of(type.oid), left, sizeof left),
                              bind_type_text(b, sql_type_of(next), right, sizeof right));
        }
        type.typmod = -1;
        if (!bind_preferred(type.oid) && bind_can_coerce(b, type.oid, next, SQL_CAST_IMPLICIT) &&
            !bind_can_coerce(b, next, type.oid, SQL_CAST_IMPLICIT))
            type.oid = next;
    }
    for (unsigned i = 0; i < count; i++)
        if (e[i]->type.oid == SQL_UNKNOWN && e[i]->kind == SQL_EXPR_CONST &&
            type.oid != SQL_UNKNOWN)
            type.typmod = -1;
    *ret = type.oid == SQL_UNKNOWN ? sql_type_of(SQL_TEXT) : type;
    return 0;
}

struct sql_expr *bind_known(struct sql_binder *b, struct sql_expr *e) {
    if (!e || e->type.oid != SQL_UNKNOWN)
        return e;
    return bind_coerce(b, e, sql_type_of(SQL_TEXT), SQL_CAST_IMPLICIT, e->location);
}
