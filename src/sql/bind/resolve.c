/*
 * resolve.c - candidates by name and number of arguments, then PostgreSQL's rules one after the
 * other: an exact match; those whose arguments convert implicitly; among them most exact matches,
 * most preferred types; for literals of unknown type the category that the others agree on.
 */
#include "sql/bind/resolve.h"

#include <stdio.h>

#define CANDIDATES_MAX 256u

struct candidates {
    unsigned count;
    struct bind_candidate item[CANDIDATES_MAX];
};

static const struct bind_window_row window_rows[] = {
    {"row_number", SQL_WINDOW_ROW_NUMBER, 0, {0}, SQL_INT8},
    {"rank", SQL_WINDOW_RANK, 0, {0}, SQL_INT8},
    {"dense_rank", SQL_WINDOW_DENSE_RANK, 0, {0}, SQL_INT8},
    {"percent_rank", SQL_WINDOW_PERCENT_RANK, 0, {0}, SQL_FLOAT8},
    {"cume_dist", SQL_WINDOW_CUME_DIST, 0, {0}, SQL_FLOAT8},
    {"ntile", SQL_WINDOW_NTILE, 1, {SQL_INT4}, SQL_INT4},
    {"lag", SQL_WINDOW_LAG, 1, {SQL_ANYELEMENT}, SQL_ANYELEMENT},
    {"lag", SQL_WINDOW_LAG, 2, {SQL_ANYELEMENT, SQL_INT4}, SQL_ANYELEMENT},
    {"lag", SQL_WINDOW_LAG, 3, {SQL_ANYELEMENT, SQL_INT4, SQL_ANYELEMENT}, SQL_ANYELEMENT},
    {"lead", SQL_WINDOW_LEAD, 1, {SQL_ANYELEMENT}, SQL_ANYELEMENT},
    {"lead", SQL_WINDOW_LEAD, 2, {SQL_ANYELEMENT, SQL_INT4}, SQL_ANYELEMENT},
    {"lead", SQL_WINDOW_LEAD, 3, {SQL_ANYELEMENT, SQL_INT4, SQL_ANYELEMENT}, SQL_ANYELEMENT},
    {"first_value", SQL_WINDOW_FIRST_VALUE, 1, {SQL_ANYELEMENT}, SQL_ANYELEMENT},
    {"last_value", SQL_WINDOW_LAST_VALUE, 1, {SQL_ANYELEMENT}, SQL_ANYELEMENT},
    {"nth_value", SQL_WINDOW_NTH_VALUE, 2, {SQL_ANYELEMENT, SQL_INT4}, SQL_ANYELEMENT},
};

/* The type argument I is declared with. */
static uint32_t candidate_type(const struct bind_candidate *c, unsigned i) {
    if (c->function) {
        unsigned last = c->function->count - 1u;
        return c->function->arguments[i > last ? last : i];
    }
    if (c->aggregate) {
        unsigned last = c->aggregate->count - 1u;
        return c->aggregate->arguments[i > last ? last : i];
    }
    return c->window ? c->window->arguments[i] : c->user->arguments[i].oid;
}

static void add(struct candidates *all, struct bind_candidate c) {
    if (all->count < CANDIDATES_MAX)
        all->item[all->count++] = c;
}

static bool takes(const struct sql_function *f, unsigned count) {
    if (f->flags & SQL_VARIADIC)
        return count >= f->count;
    return count <= f->count && count + f->defaults >= f->count;
}

static bool aggregate_takes(const struct sql_aggregate *a, unsigned count) {
    return a->flags & SQL_VARIADIC ? count >= a->count : count == a->count;
}

static void gather(const struct sql_binder *b, slice schema, slice name, bool is_operator,
                   unsigned count, struct candidates *all) {
    unsigned cursor = 0;
    bool built_in = schema.len == 0 || slice_equal(schema, slice_lit("pg_catalog"));
    const struct sql_function *f;
    while (built_in && (f = sql_function_next(name, &cursor)))
        if (takes(f, count))
            add(all, (struct bind_candidate){.function = f});
    if (is_operator)
        return;
    const struct sql_aggregate *a;
    cursor = 0;
    while (built_in && (a = sql_aggregate_next(name, &cursor)))
        if (aggregate_takes(a, count))
            add(all, (struct bind_candidate){.aggregate = a});
    for (unsigned i = 0; built_in && i < array_count(window_rows); i++)
        if (slice_equal(slice_str(window_rows[i].name), name) && window_rows[i].count == count)
            add(all, (struct bind_candidate){.window = &window_rows[i]});
    const struct sql_user_function *u;
    cursor = 0;
    slice in = schema.len ? schema : (slice){NULL, 0};
    while ((u = sql_catalog_function_next(b->catalog, in, name, &cursor)))
        if (u->count == count)
            add(all, (struct bind_candidate){.user = u});
}

/* Does it stand for the call's one element type? (anynonarray does, but need not agree.) */
static bool is_element(uint32_t declared) {
    return declared == SQL_ANYELEMENT || declared == SQL_ANYENUM;
}

/* Do the polymorphic arguments agree on one element type? That of anyenum must be told. */
static bool consistent(const struct sql_binder *b, const struct bind_candidate *c,
                       const uint32_t *types, unsigned count) {
    uint32_t element = 0;
    bool wants_enum = false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t declared = candidate_type(c, i);
        wants_enum |= declared == SQL_ANYENUM;
        if ((!is_element(declared) && declared != SQL_ANYARRAY) || types[i] == SQL_UNKNOWN)
            continue;
        uint32_t mine = declared == SQL_ANYARRAY ? sql_element_of(types[i]) : types[i];
        if (element == 0)
            element = mine;
        if (!bind_can_coerce(b, element, mine, SQL_CAST_IMPLICIT) &&
            !bind_can_coerce(b, mine, element, SQL_CAST_IMPLICIT))
            return false;
    }
    return element || !wants_enum;
}

static void keep_convertible(const struct sql_binder *b, const uint32_t *types, unsigned count,
                             struct candidates *all) {
    unsigned kept = 0;
    for (unsigned k = 0; k < all->count; k++) {
        bool fits = consistent(b, &all->item[k], types, count);
        for (unsigned i = 0; fits && i < count; i++)
            fits =
                bind_can_coerce(b, types[i], candidate_type(&all->item[k], i), SQL_CAST_IMPLICIT);
        if (fits)
            all->item[kept++] = all->item[k];
    }
    all->count = kept;
}

static const struct bind_candidate *exact(const struct candidates *all, const uint32_t *types,
                                          unsigned count) {
    for (unsigned k = 0; k < all->count; k++) {
        bool same = true;
        for (unsigned i = 0; same && i < count; i++)
            same = candidate_type(&all->item[k], i) == types[i];
        if (same)
            return &all->item[k];
    }
    return NULL;
}

static unsigned matches(const struct sql_binder *b, const struct bind_candidate *c,
                        const uint32_t *types, unsigned count, bool preferred) {
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        if (types[i] == SQL_UNKNOWN)
            continue;
        uint32_t declared = candidate_type(c, i);
        found += declared == types[i] || (preferred && bind_preferred(declared) &&
                                          bind_category(b, declared) == bind_category(b, types[i]));
    }
    return found;
}

static void keep_best(const struct sql_binder *b, const uint32_t *types, unsigned count,
                      bool preferred, struct candidates *all) {
    unsigned best = 0, kept = 0;
    for (unsigned k = 0; k < all->count; k++) {
        unsigned found = matches(b, &all->item[k], types, count, preferred);
        if (found > best) {
            best = found;
            kept = 0;
        }
        if (found == best)
            all->item[kept++] = all->item[k];
    }
    all->count = kept;
}

/* For literals: string, if some candidate takes one there; else the category all agree on. */
static char agreed_category(const struct sql_binder *b, const struct candidates *all, unsigned i,
                            bool *ret_preferred) {
    char agreed = 0;
    bool preferred = false, differ = false;
    for (unsigned k = 0; k < all->count; k++) {
        uint32_t declared = candidate_type(&all->item[k], i);
        char category = bind_category(b, declared);
        if (category == 'S' && agreed != 'S') {
            agreed = 'S';
            preferred = false;
        } else if (agreed == 0)
            agreed = category;
        differ |= category != agreed;
        if (category == agreed)
            preferred |= bind_preferred(declared);
    }
    *ret_preferred = preferred;
    return differ && agreed != 'S' ? 0 : agreed;
}

static void keep_category(const struct sql_binder *b, const uint32_t *types, unsigned count,
                          struct candidates *all) {
    char category[SQL_CALL_ARGUMENTS_MAX];
    bool preferred[SQL_CALL_ARGUMENTS_MAX];
    for (unsigned i = 0; i < count; i++) {
        if (types[i] != SQL_UNKNOWN)
            continue;
        category[i] = agreed_category(b, all, i, &preferred[i]);
        if (category[i] == 0)
            return;
    }
    struct candidates kept = {0};
    for (unsigned k = 0; k < all->count; k++) {
        bool keep = true;
        for (unsigned i = 0; keep && i < count; i++) {
            uint32_t declared = candidate_type(&all->item[k], i);
            keep = types[i] != SQL_UNKNOWN || (bind_category(b, declared) == category[i] &&
                                               (!preferred[i] || bind_preferred(declared)));
        }
        if (keep)
            add(&kept, all->item[k]);
    }
    if (kept.count)
        *all = kept;
}

/* Known arguments all of one type: assume that the literals are of it as well. */
static void keep_same_type(const struct sql_binder *b, const uint32_t *types, unsigned count,
                           struct candidates *all) {
    uint32_t known = 0;
    for (unsigned i = 0; i < count; i++) {
        if (types[i] == SQL_UNKNOWN)
            continue;
        if (known && types[i] != known)
            return;
        known = types[i];
    }
    if (!known)
        return;
    struct candidates kept = {0};
    for (unsigned k = 0; k < all->count; k++) {
        bool fits = true, array = false;
        for (unsigned i = 0; i < count; i++)
            array |= candidate_type(&all->item[k], i) == SQL_ANYARRAY;
        for (unsigned i = 0; fits && i < count; i++) {
            uint32_t declared = candidate_type(&all->item[k], i);
            fits = bind_can_coerce(b, known, declared, SQL_CAST_IMPLICIT);
            if (array && is_element(declared) && sql_element_of(known))
                fits = false; /* an array is no element of its like */
        }
        if (fits)
            add(&kept, all->item[k]);
    }
    if (kept.count == 1)
        *all = kept;
}

enum bind_resolution bind_resolve(struct sql_binder *b, slice schema, slice name, bool is_operator,
                                  const uint32_t *types, unsigned count,
                                  struct bind_candidate *ret) {
    struct candidates all = {0};
    gather(b, schema, name, is_operator, count, &all);
    if (all.count == 0)
        return BIND_NONE;
    uint32_t assumed[2] = {count ? types[0] : 0, count > 1 ? types[1] : 0};
    if (is_operator && count == 2) {
        assumed[0] = types[0] == SQL_UNKNOWN ? types[1] : types[0];
        assumed[1] = types[1] == SQL_UNKNOWN ? types[0] : types[1];
    }
    const struct bind_candidate *found =
        exact(&all, is_operator && count == 2 ? assumed : types, count);
    if (found) {
        *ret = *found;
        return BIND_FOUND;
    }
    keep_convertible(b, types, count, &all);
    if (all.count > 1)
        keep_best(b, types, count, false, &all);
    if (all.count > 1)
        keep_best(b, types, count, true, &all);
    if (all.count > 1)
        keep_category(b, types, count, &all);
    if (all.count > 1)
        keep_same_type(b, types, count, &all);
    if (all.count == 0)
        return BIND_NONE;
    *ret = all.item[0];
    return all.count == 1 ? BIND_FOUND : BIND_AMBIGUOUS;
}

/* The type that ANYELEMENT stands for in this call; 0: no argument tells. */
static int element_type(struct sql_binder *b, const struct bind_candidate *c,
                        struct sql_expr **arguments, unsigned count, uint32_t *ret) {
    struct sql_expr *elements[SQL_CALL_ARGUMENTS_MAX];
    struct sql_expr stand_in[SQL_CALL_ARGUMENTS_MAX];
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t declared = candidate_type(c, i);
        if (!is_element(declared) && declared != SQL_ANYNONARRAY && declared != SQL_ANYARRAY)
            continue;
        stand_in[found] = *arguments[i];
        if (declared == SQL_ANYARRAY)
            stand_in[found].type = sql_type_of(sql_element_of(arguments[i]->type.oid));
        if (stand_in[found].type.oid == 0)
            continue; /* '{1,2}' of unknown type follows the others */
        elements[found] = &stand_in[found];
        found++;
    }
    struct sql_type type = sql_type_of(0);
    int result = found ? bind_common_type(b, elements, found, "argument", &type) : 0;
    *ret = type.oid;
    return result;
}

static uint32_t stands_for(uint32_t declared, uint32_t element) {
    return is_element(declared) && element       ? element
           : declared == SQL_ANYARRAY && element ? sql_array_of(element)
                                                 : declared;
}

int bind_arguments(struct sql_binder *b, const struct bind_candidate *c,
                   struct sql_expr **arguments, unsigned count, int location,
                   struct sql_type *ret_result) {
    uint32_t element = 0;
    int result = element_type(b, c, arguments, count, &element);
    if (result < 0)
        return result;
    for (unsigned i = 0; i < count; i++) {
        uint32_t type = stands_for(candidate_type(c, i), element);
        bool any = type == SQL_ANY || type == SQL_ANYNONARRAY;
        arguments[i] = any ? bind_known(b, arguments[i])
                           : bind_coerce(b, arguments[i], sql_type_of(type), SQL_CAST_IMPLICIT,
                                         arguments[i]->location);
        if (!arguments[i])
            return -1;
    }
    uint32_t declared = c->function    ? c->function->result
                        : c->aggregate ? c->aggregate->result
                        : c->window    ? c->window->result
                                       : c->user->result.oid;
    declared = stands_for(declared, element);
    if (is_element(declared) || declared == SQL_ANYARRAY)
        return bind_error(b, location, "42P18",
                          "could not determine polymorphic type because input has type unknown");
    *ret_result = sql_type_of(declared);
    return 0;
}

const char *bind_types_text(const struct sql_binder *b, struct sql_expr *const *arguments,
                            unsigned count, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < count && at < size; i++) {
        char text[BIND_TYPE_TEXT];
        struct sql_type type = sql_type_of(arguments[i]->type.oid);
        int wrote = snprintf(out + at, size - at, "%s%s", i ? ", " : "",
                             bind_type_text(b, type, text, sizeof text));
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return out;
}
