/*
 * json_get.c - what is in a json or jsonb value: -> ->> #> #>> @> ? and the functions that list it.
 *
 * Results are slices of the argument. json and jsonb differ in how a key is found (json's may be
 * written with escapes and come twice) and in some messages; everything else is shared, told apart
 * by the type of the first argument.
 */
#include "base/number.h"
#include "sql/text/json.h"
#include "sql/text/text_functions.h"

static bool is_jsonb(const struct sql_call *call) {
    return call->types[0].oid == SQL_JSONB;
}

static bool member(const struct sql_call *call, slice object, slice key, slice *ret) {
    return is_jsonb(call) ? sql_jsonb_member(object, key, ret) : sql_json_member(object, key, ret);
}

static int give_value(struct sql_call *call, bool found, slice value, union sql_cell *ret) {
    call->null = !found;
    ret->text = value;
    return 0;
}

/* As ->> gives it: a string without its quotes, null as NULL, anything else as it is written. */
static int give_text(struct sql_call *call, bool found, slice value, union sql_cell *ret) {
    enum sql_json_kind kind = found ? sql_json_kind_of(value) : SQL_JSON_NULL;
    call->null = kind == SQL_JSON_NULL;
    if (kind == SQL_JSON_STRING)
        return sql_json_unquote(value, call->memory, &ret->text, call->error);
    ret->text = value;
    return 0;
}

static int get_member(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = member(call, a[0].text, a[1].text, &value);
    return give_value(call, found, value, ret);
}

static int get_member_text(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = member(call, a[0].text, a[1].text, &value);
    return give_text(call, found, value, ret);
}

static int get_member_text_vector(struct sql_call *call, const struct sql_column *a, unsigned rows,
                                  union sql_cell *ret, uint8_t *ret_nulls) {
    for (unsigned i = 0; i < rows; i++) {
        if (ret_nulls[i])
            continue;
        slice value = {NULL, 0};
        bool found = member(call, sql_cell_at(&a[0], i)->text, sql_cell_at(&a[1], i)->text, &value);
        int failed = give_text(call, found, value, &ret[i]);
        if (failed)
            return failed;
        ret_nulls[i] = call->null;
    }
    call->null = false;
    return 0;
}

/* PostgreSQL keeps a jsonb scalar as an array of one, and -> lets it be seen. */
static bool element(const struct sql_call *call, slice array, int64_t index, slice *ret) {
    if (is_jsonb(call) && sql_json_kind_of(array) < SQL_JSON_ARRAY && (index == 0 || index == -1)) {
        *ret = array;
        return true;
    }
    return sql_json_element(array, index, ret);
}

static int get_element(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = element(call, a[0].text, a[1].i, &value);
    return give_value(call, found, value, ret);
}

static int get_element_text(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = element(call, a[0].text, a[1].i, &value);
    return give_text(call, found, value, ret);
}

/* One step of a path: a member's name, or an index where VALUE is an array. */
static bool step(const struct sql_call *call, slice value, slice name, slice *ret) {
    if (sql_json_kind_of(value) != SQL_JSON_ARRAY)
        return member(call, value, name, ret);
    int64_t index = 0;
    slice digits = name.len && name.ptr[0] == '+' ? slice_skip(name, 1) : name;
    return number_parse_i64(digits, INT32_MIN, INT32_MAX, &index) == 0 &&
           sql_json_element(value, index, ret);
}

static bool walk_array(const struct sql_call *call, slice value, const struct sql_array *path,
                       slice *ret) {
    for (unsigned i = 0; i < path->count; i++)
        if (text_element_null(path, i) || !step(call, value, path->cells[i].text, &value))
            return false;
    *ret = value;
    return true;
}

static int get_path(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = walk_array(call, sql_json_trim(a[0].text), a[1].array, &value);
    return give_value(call, found, value, ret);
}

static int get_path_text(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = walk_array(call, sql_json_trim(a[0].text), a[1].array, &value);
    return give_text(call, found, value, ret);
}

static bool walk_arguments(const struct sql_call *call, const union sql_cell *a, slice *ret) {
    slice value = sql_json_trim(a[0].text);
    for (unsigned i = 1; i < call->count; i++)
        if (!step(call, value, a[i].text, &value))
            return false;
    *ret = value;
    return true;
}

static int extract_path(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = walk_arguments(call, a, &value);
    return give_value(call, found, value, ret);
}

static int extract_path_text(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    slice value = {NULL, 0};
    bool found = walk_arguments(call, a, &value);
    return give_text(call, found, value, ret);
}

static const char *const kind_names[] = {"null", "string", "number", "boolean", "array", "object"};

static int type_of(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->text = slice_str(kind_names[sql_json_kind_of(a[0].text)]);
    return 0;
}

static int array_length(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    enum sql_json_kind kind = sql_json_kind_of(a[0].text);
    if (kind != SQL_JSON_ARRAY)
        return sql_fail(call->error, "22023", "cannot get array length of a %s",
                        kind == SQL_JSON_OBJECT ? "non-array" : "scalar");
    ret->i = sql_json_count(a[0].text);
    return 0;
}

static int object_keys(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    static const uint8_t none[1] = {0};
    enum sql_json_kind kind = sql_json_kind_of(a[0].text);
    if (kind != SQL_JSON_OBJECT)
        return sql_fail(call->error, "22023", "cannot call %s_object_keys on %s",
                        is_jsonb(call) ? "jsonb" : "json",
                        kind == SQL_JSON_ARRAY ? "an array" : "a scalar");
    struct sql_json_walk w = sql_json_each(a[0].text);
    int failed = 0;
    while (!failed && sql_json_next(&w)) {
        union sql_cell key;
        slice quoted = sql_json_quoted_key(&w);
        failed = sql_json_unquote(quoted, call->memory, &key.text, call->error);
        failed = failed ? failed : emit(to, &key, none);
    }
    return failed;
}

static int check_object(struct sql_call *call, slice value, bool text) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_OBJECT)
        return 0;
    if (is_jsonb(call))
        return sql_fail(call->error, "22023", "cannot call jsonb_each%s on a non-object",
                        text ? "_text" : "");
    return sql_fail(call->error, "22023",
                    kind == SQL_JSON_ARRAY ? "cannot deconstruct an array as an object"
                                           : "cannot deconstruct a scalar");
}

static int each(struct sql_call *call, slice object, bool text, sql_emit *emit, void *to) {
    struct sql_json_walk w = sql_json_each(object);
    int failed = check_object(call, object, text);
    while (!failed && sql_json_next(&w)) {
        union sql_cell cells[2];
        slice quoted = sql_json_quoted_key(&w);
        failed = sql_json_unquote(quoted, call->memory, &cells[0].text, call->error);
        if (!failed && text)
            failed = give_text(call, true, w.value, &cells[1]);
        else
            cells[1].text = w.value;
        uint8_t nulls[2] = {0, call->null};
        call->null = false;
        failed = failed ? failed : emit(to, cells, nulls);
    }
    return failed;
}

static int each_value(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    return each(call, a[0].text, false, emit, to);
}

static int each_text(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    return each(call, a[0].text, true, emit, to);
}

static int check_array(struct sql_call *call, slice value, bool text) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_ARRAY)
        return 0;
    if (is_jsonb(call))
        return sql_fail(call->error, "22023", "cannot extract elements from %s",
                        kind == SQL_JSON_OBJECT ? "an object" : "a scalar");
    return sql_fail(call->error, "22023", "cannot call json_array_elements%s on a %s",
                    text ? "_text" : "", kind == SQL_JSON_OBJECT ? "non-array" : "scalar");
}

static int elements(struct sql_call *call, slice array, bool text, sql_emit *emit, void *to) {
    struct sql_json_walk w = sql_json_each(array);
    int failed = check_array(call, array, text);
    while (!failed && sql_json_next(&w)) {
        union sql_cell cell;
        if (text)
            failed = give_text(call, true, w.value, &cell);
        else
            cell.text = w.value;
        uint8_t null = call->null;
        call->null = false;
        failed = failed ? failed : emit(to, &cell, &null);
    }
    return failed;
}

static int elements_value(struct sql_call *call, const union sql_cell *a, sql_emit *emit,
                          void *to) {
    return elements(call, a[0].text, false, emit, to);
}

static int elements_text(struct sql_call *call, const union sql_cell *a, sql_emit *emit, void *to) {
    return elements(call, a[0].text, true, emit, to);
}

static bool contains(slice whole, slice part);

/* Is PART, a scalar or a container, one of ARRAY? */
static bool contains_element(slice array, slice part) {
    enum sql_json_kind kind = sql_json_kind_of(part);
    struct sql_json_walk w = sql_json_each(array);
    while (sql_json_next(&w)) {
        if (sql_json_kind_of(w.value) != kind)
            continue;
        if (kind < SQL_JSON_ARRAY ? sql_jsonb_compare(w.value, part) == 0 : contains(w.value, part))
            return true;
    }
    return false;
}

/* Every member or element of PART is in WHOLE, which is of the same kind. */
static bool contains(slice whole, slice part) {
    struct sql_json_walk w = sql_json_each(part);
    while (sql_json_next(&w)) {
        if (!w.object) {
            if (!contains_element(whole, w.value))
                return false;
            continue;
        }
        slice key = w.key, value = {NULL, 0};
        struct sql_json_walk of = sql_json_each(whole);
        bool found = false;
        while (!found && sql_json_next(&of))
            if (slice_equal(of.key, key)) {
                value = of.value;
                found = true;
            }
        enum sql_json_kind kind = sql_json_kind_of(w.value);
        if (!found || sql_json_kind_of(value) != kind)
            return false;
        if (kind < SQL_JSON_ARRAY ? sql_jsonb_compare(value, w.value) != 0
                                  : !contains(value, w.value))
            return false;
    }
    return true;
}

/* At the top an array also contains a scalar that is one of its elements. */
static bool contains_document(slice whole, slice part) {
    enum sql_json_kind x = sql_json_kind_of(whole), y = sql_json_kind_of(part);
    if (x == SQL_JSON_ARRAY && y < SQL_JSON_ARRAY)
        return contains_element(whole, part);
    if (x < SQL_JSON_ARRAY && y < SQL_JSON_ARRAY)
        return sql_jsonb_compare(whole, part) == 0;
    return x == y && contains(whole, part);
}

static int jsonb_contains(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = contains_document(a[0].text, a[1].text);
    return 0;
}

static int jsonb_contained(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    ret->i = contains_document(a[1].text, a[0].text);
    return 0;
}

/* A key of an object, a string of an array, or that string itself. */
static int has(struct sql_call *call, slice value, slice name, bool *ret) {
    slice ignored;
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind == SQL_JSON_OBJECT) {
        *ret = sql_jsonb_member(value, name, &ignored);
        return 0;
    }
    _cleanup_buf_ struct buf quoted = text_buf();
    int failed = sql_json_quote(name, &quoted);
    if (failed)
        return text_fail(call, failed);
    *ret = kind == SQL_JSON_ARRAY ? contains_element(value, buf_slice(&quoted))
                                  : slice_equal(value, buf_slice(&quoted));
    return 0;
}

static int jsonb_exists(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    bool is = false;
    int failed = has(call, a[0].text, a[1].text, &is);
    ret->i = is;
    return failed;
}

/* Looks at all names until one IS as asked. */
static int exists_until(struct sql_call *call, const union sql_cell *a, bool until,
                        union sql_cell *ret) {
    const struct sql_array *names = a[1].array;
    for (unsigned i = 0; i < names->count; i++) {
        if (text_element_null(names, i))
            continue;
        bool is = false;
        int failed = has(call, a[0].text, names->cells[i].text, &is);
        if (failed)
            return failed;
        if (is == until) {
            ret->i = until;
            return 0;
        }
    }
    ret->i = !until;
    return 0;
}

static int jsonb_exists_any(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return exists_until(call, a, true, ret);
}

static int jsonb_exists_all(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return exists_until(call, a, false, ret);
}

static const char *const pair_columns[] = {"key", "value", NULL};
static const uint32_t json_pair[] = {SQL_TEXT, SQL_JSON}, jsonb_pair[] = {SQL_TEXT, SQL_JSONB},
                      text_pair[] = {SQL_TEXT, SQL_TEXT};

#define EACH_ROW(name_, set_, argument_, types_)                                                   \
    {                                                                                              \
        .name = (name_), .result = SQL_RECORD, .count = 1, .arguments = {argument_},               \
        .set = (set_), .columns = pair_columns, .column_types = (types_)                           \
    }
/* One column of a name of its own. */
#define ELEMENTS_ROW(name_, set_, result_, argument_, types_)                                      \
    {                                                                                              \
        .name = (name_), .result = (result_), .count = 1, .arguments = {argument_}, .set = (set_), \
        .columns = pair_columns + 1, .column_types = (types_) + 1                                  \
    }

#define ROWS_OF(type_, prefix_)                                                                    \
    SQL_ROW("->", get_member, type_, type_, SQL_TEXT),                                             \
        SQL_ROW("->", get_element, type_, type_, SQL_INT4),                                        \
        SQL_ROW_VECTOR("->>", get_member_text, get_member_text_vector, SQL_TEXT, type_, SQL_TEXT), \
        SQL_ROW("->>", get_element_text, SQL_TEXT, type_, SQL_INT4),                               \
        SQL_ROW("#>", get_path, type_, type_, SQL_TEXT_ARRAY),                                     \
        SQL_ROW("#>>", get_path_text, SQL_TEXT, type_, SQL_TEXT_ARRAY),                            \
        SQL_ROW_FLAGS(prefix_ "_extract_path", extract_path, SQL_VARIADIC, type_, type_,           \
                      SQL_TEXT),                                                                   \
        SQL_ROW_FLAGS(prefix_ "_extract_path_text", extract_path_text, SQL_VARIADIC, SQL_TEXT,     \
                      type_, SQL_TEXT),                                                            \
        SQL_ROW(prefix_ "_object_field", get_member, type_, type_, SQL_TEXT),                      \
        SQL_ROW(prefix_ "_array_element", get_element, type_, type_, SQL_INT4),                    \
        SQL_ROW(prefix_ "_typeof", type_of, SQL_TEXT, type_),                                      \
        SQL_ROW(prefix_ "_array_length", array_length, SQL_INT4, type_),                           \
        SQL_ROW_SET(prefix_ "_object_keys", object_keys, 0, SQL_TEXT, type_)

const struct sql_function sql_functions_json[] = {
    ROWS_OF(SQL_JSON, "json"),
    ROWS_OF(SQL_JSONB, "jsonb"),
    ELEMENTS_ROW("json_array_elements", elements_value, SQL_JSON, SQL_JSON, json_pair),
    ELEMENTS_ROW("json_array_elements_text", elements_text, SQL_TEXT, SQL_JSON, text_pair),
    ELEMENTS_ROW("jsonb_array_elements", elements_value, SQL_JSONB, SQL_JSONB, jsonb_pair),
    ELEMENTS_ROW("jsonb_array_elements_text", elements_text, SQL_TEXT, SQL_JSONB, text_pair),
    EACH_ROW("json_each", each_value, SQL_JSON, json_pair),
    EACH_ROW("json_each_text", each_text, SQL_JSON, text_pair),
    EACH_ROW("jsonb_each", each_value, SQL_JSONB, jsonb_pair),
    EACH_ROW("jsonb_each_text", each_text, SQL_JSONB, text_pair),
    SQL_ROW("@>", jsonb_contains, SQL_BOOL, SQL_JSONB, SQL_JSONB),
    SQL_ROW("<@", jsonb_contained, SQL_BOOL, SQL_JSONB, SQL_JSONB),
    SQL_ROW("?", jsonb_exists, SQL_BOOL, SQL_JSONB, SQL_TEXT),
    SQL_ROW("?|", jsonb_exists_any, SQL_BOOL, SQL_JSONB, SQL_TEXT_ARRAY),
    SQL_ROW("?&", jsonb_exists_all, SQL_BOOL, SQL_JSONB, SQL_TEXT_ARRAY),
    SQL_ROW("jsonb_contains", jsonb_contains, SQL_BOOL, SQL_JSONB, SQL_JSONB),
    SQL_ROW("jsonb_exists", jsonb_exists, SQL_BOOL, SQL_JSONB, SQL_TEXT),
    {.name = NULL},
};
