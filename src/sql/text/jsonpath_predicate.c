/*
 * jsonpath_predicate.c - predicates, comparisons and arithmetic of SQL/JSON paths (jsonpath.h).
 *
 * Predicates are three-valued. Operands are sequences: a comparison is true where one pair is; an
 * error in an operand, or a pair that cannot be compared, makes it unknown (in lax mode only where
 * no pair before was true).
 */
#include "base/number.h"
#include "base/regex.h"
#include "sql/numeric.h"
#include "sql/text/jsonpath_run.h"

#include <errno.h>

/* Truth of one pair, or an error that is told always. */
typedef int decide_pair(struct jsonpath_context *c, const struct jsonpath_node *node, slice left,
                        slice right, enum jsonpath_truth *ret);

static bool is_order(enum jsonpath_kind kind, int order) {
    switch (kind) {
    case JSONPATH_EQUAL:
        return order == 0;
    case JSONPATH_NOT_EQUAL:
        return order != 0;
    case JSONPATH_LESS:
        return order < 0;
    case JSONPATH_LESS_EQUAL:
        return order <= 0;
    case JSONPATH_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static int compare(struct jsonpath_context *c, const struct jsonpath_node *node, slice left,
                   slice right, enum jsonpath_truth *ret) {
    (void)c;
    enum sql_json_kind x = sql_json_kind_of(left), y = sql_json_kind_of(right);
    if (x != y && (x == SQL_JSON_NULL || y == SQL_JSON_NULL))
        *ret = node->kind == JSONPATH_NOT_EQUAL ? JSONPATH_TRUE : JSONPATH_FALSE;
    else if (x != y || x >= SQL_JSON_ARRAY)
        *ret = JSONPATH_UNKNOWN;
    else
        *ret =
            is_order(node->kind, sql_jsonb_compare(left, right)) ? JSONPATH_TRUE : JSONPATH_FALSE;
    return 0;
}

static int starts_with(struct jsonpath_context *c, const struct jsonpath_node *node, slice left,
                       slice right, enum jsonpath_truth *ret) {
    (void)c;
    (void)node;
    if (sql_json_kind_of(left) != SQL_JSON_STRING || sql_json_kind_of(right) != SQL_JSON_STRING) {
        *ret = JSONPATH_UNKNOWN;
        return 0;
    }
    /* Both are in the one form that a string has, so their escapes compare as what they say. */
    slice start = slice_take(right, right.len - 1);
    *ret = slice_starts_with(left, start) ? JSONPATH_TRUE : JSONPATH_FALSE;
    return 0;
}

static int like_regex(struct jsonpath_context *c, const struct jsonpath_node *node, slice left,
                      slice right, enum jsonpath_truth *ret) {
    (void)right;
    *ret = JSONPATH_UNKNOWN;
    if (sql_json_kind_of(left) != SQL_JSON_STRING)
        return 0;
    slice text;
    struct regex_span span;
    int failed = sql_json_unquote(left, c->run->memory, &text, c->run->error);
    if (failed)
        return failed;
    int found = regex_match(node->regex, text, 0, &span, 1);
    if (found == -ENOMEM)
        return sql_fail_memory(c->run->error);
    if (found < 0)
        return sql_fail(c->run->error, "54000", "regular expression failed: too many steps");
    *ret = found ? JSONPATH_TRUE : JSONPATH_FALSE;
    return 0;
}

/* All pairs of LEFT and RIGHT, until it is decided. */
static int decide_pairs(struct jsonpath_context *c, const struct jsonpath_node *node,
                        const struct buf *left, const struct buf *right, decide_pair *decide,
                        enum jsonpath_truth *ret) {
    bool some = false, unknown = false;
    for (size_t i = 0; i < jsonpath_found_count(left); i++)
        for (size_t j = 0; j < jsonpath_found_count(right); j++) {
            enum jsonpath_truth truth = JSONPATH_UNKNOWN;
            if (++c->steps > JSONPATH_STEPS_MAX)
                return sql_fail(c->run->error, "54000", "a jsonpath takes more than %u steps",
                                JSONPATH_STEPS_MAX);
            int failed =
                decide(c, node, jsonpath_found_at(left, i), jsonpath_found_at(right, j), &truth);
            if (failed)
                return failed;
            some |= truth == JSONPATH_TRUE;
            unknown |= truth == JSONPATH_UNKNOWN;
            if ((truth == JSONPATH_UNKNOWN && !c->lax) || (truth == JSONPATH_TRUE && c->lax)) {
                *ret = truth;
                return 0;
            }
        }
    *ret = some ? JSONPATH_TRUE : unknown ? JSONPATH_UNKNOWN : JSONPATH_FALSE;
    return 0;
}

/* The operand's values; no error of it is told. */
static int operand(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                   bool unwrap, struct buf *found) {
    bool before = c->tells;
    c->tells = false;
    int outcome = unwrap ? jsonpath_unwrapped(c, node, value, found)
                         : jsonpath_item(c, node, value, found, c->lax);
    c->tells = before;
    return outcome;
}

static int decide_binary(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                         decide_pair *decide, enum jsonpath_truth *ret) {
    _cleanup_buf_ struct buf left = buf_make(JSONPATH_FOUND_BYTES_MAX),
                             right = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = operand(c, node->left, value, true, &left);
    *ret = JSONPATH_UNKNOWN;
    if (outcome < 0 || outcome == JSONPATH_FAILED)
        return outcome < 0 ? outcome : 0;
    if (node->right) {
        outcome = operand(c, node->right, value, node->kind != JSONPATH_STARTS_WITH, &right);
        if (outcome < 0 || outcome == JSONPATH_FAILED)
            return outcome < 0 ? outcome : 0;
    } else {
        slice none = {NULL, 0};
        if (buf_append(&right, slice_make(&none, sizeof none)))
            return sql_fail_memory(c->run->error);
    }
    return decide_pairs(c, node, &left, &right, decide, ret);
}

static int decide_logic(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                        enum jsonpath_truth *ret) {
    enum jsonpath_truth decides = node->kind == JSONPATH_AND ? JSONPATH_FALSE : JSONPATH_TRUE;
    enum jsonpath_truth left = JSONPATH_UNKNOWN, right = JSONPATH_UNKNOWN;
    int failed = jsonpath_decide(c, node->left, value, &left);
    if (!failed && left != decides)
        failed = jsonpath_decide(c, node->right, value, &right);
    if (left == decides || right == decides)
        *ret = decides;
    else
        *ret = left == JSONPATH_UNKNOWN ? left : right;
    return failed;
}

static int decide_exists(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                         enum jsonpath_truth *ret) {
    _cleanup_buf_ struct buf all = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = operand(c, node->left, value, false, c->lax ? NULL : &all);
    if (outcome < 0)
        return outcome;
    bool some = c->lax ? outcome == JSONPATH_FOUND : all.len > 0;
    *ret = outcome == JSONPATH_FAILED ? JSONPATH_UNKNOWN : some ? JSONPATH_TRUE : JSONPATH_FALSE;
    return 0;
}

int jsonpath_decide(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                    enum jsonpath_truth *ret) {
    enum jsonpath_truth truth = JSONPATH_UNKNOWN;
    int failed = 0;
    switch (node->kind) {
    case JSONPATH_AND:
    case JSONPATH_OR:
        return decide_logic(c, node, value, ret);
    case JSONPATH_NOT:
        failed = jsonpath_decide(c, node->left, value, &truth);
        *ret = truth == JSONPATH_UNKNOWN ? truth
               : truth == JSONPATH_TRUE  ? JSONPATH_FALSE
                                         : JSONPATH_TRUE;
        return failed;
    case JSONPATH_IS_UNKNOWN:
        failed = jsonpath_decide(c, node->left, value, &truth);
        *ret = truth == JSONPATH_UNKNOWN ? JSONPATH_TRUE : JSONPATH_FALSE;
        return failed;
    case JSONPATH_EXISTS:
        return decide_exists(c, node, value, ret);
    case JSONPATH_STARTS_WITH:
        return decide_binary(c, node, value, starts_with, ret);
    case JSONPATH_LIKE_REGEX:
        return decide_binary(c, node, value, like_regex, ret);
    default:
        check(jsonpath_is_predicate(node->kind));
        return decide_binary(c, node, value, compare, ret);
    }
}

static const char *sign_of(enum jsonpath_kind kind) {
    static const char *const signs[] = {"+", "-", "*", "/", "%", "+", "-"};
    return signs[kind - JSONPATH_ADD];
}

static int number_failed(struct jsonpath_context *c, int failed) {
    if (failed == -ENOMEM)
        return sql_fail_memory(c->run->error);
    if (failed == -EDOM)
        return jsonpath_fail(c, "22012", "division by zero");
    return jsonpath_fail(c, "22003", "value overflows numeric format");
}

/* N as the result of NODE. */
static int give_number(struct jsonpath_context *c, const struct jsonpath_node *node,
                       struct sql_numeric n, struct buf *found) {
    _cleanup_buf_ struct buf text = buf_make(SQL_TEXT_BYTES_MAX);
    slice kept;
    if (sql_numeric_print(n, &text))
        return sql_fail_memory(c->run->error);
    int failed = jsonpath_keep(c, &text, &kept);
    return failed ? failed : jsonpath_next(c, node, kept, found);
}

/* The single number that an operand of NODE is. */
static int single_number(struct jsonpath_context *c, const struct jsonpath_node *node,
                         const struct jsonpath_node *from, slice value, struct sql_numeric *ret) {
    _cleanup_buf_ struct buf found = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = jsonpath_unwrapped(c, from, value, &found);
    if (outcome < 0 || outcome == JSONPATH_FAILED)
        return outcome;
    if (jsonpath_found_count(&found) != 1 ||
        sql_json_kind_of(jsonpath_found_at(&found, 0)) != SQL_JSON_NUMBER)
        return jsonpath_fail(c, "22038",
                             "%s operand of jsonpath operator %s is not a single numeric value",
                             from == node->left ? "left" : "right", sign_of(node->kind));
    int failed = sql_numeric_parse(jsonpath_found_at(&found, 0), c->run->memory, ret);
    return failed ? number_failed(c, failed) : 0;
}

static int compute_binary(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                          struct buf *found) {
    struct sql_numeric a, b, n;
    struct arena *memory = c->run->memory;
    int failed = single_number(c, node, node->left, value, &a);
    failed = failed ? failed : single_number(c, node, node->right, value, &b);
    if (failed)
        return failed;
    switch (node->kind) {
    case JSONPATH_ADD:
        failed = sql_numeric_add(a, b, memory, &n);
        break;
    case JSONPATH_SUBTRACT:
        failed = sql_numeric_subtract(a, b, memory, &n);
        break;
    case JSONPATH_MULTIPLY:
        failed = sql_numeric_multiply(a, b, memory, &n);
        break;
    case JSONPATH_DIVIDE:
        failed = sql_numeric_divide(a, b, memory, &n);
        break;
    default:
        failed = sql_numeric_modulo(a, b, memory, &n);
        break;
    }
    return failed ? number_failed(c, failed) : give_number(c, node, n, found);
}

static int negated(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                   struct buf *found) {
    struct sql_numeric n;
    int failed = sql_numeric_parse(value, c->run->memory, &n);
    if (!failed && node->kind == JSONPATH_MINUS)
        failed = sql_numeric_negate(n, c->run->memory, &n);
    return failed ? number_failed(c, failed) : give_number(c, node, n, found);
}

static int compute_unary(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                         struct buf *found) {
    _cleanup_buf_ struct buf operands = buf_make(JSONPATH_FOUND_BYTES_MAX);
    int outcome = jsonpath_unwrapped(c, node->left, value, &operands);
    if (outcome < 0 || outcome == JSONPATH_FAILED)
        return outcome;
    outcome = JSONPATH_NONE;
    for (size_t i = 0; i < jsonpath_found_count(&operands); i++) {
        slice one = jsonpath_found_at(&operands, i);
        if (sql_json_kind_of(one) != SQL_JSON_NUMBER) {
            if (!found && !node->next)
                continue;
            return jsonpath_fail(c, "2203B",
                                 "operand of unary jsonpath operator %s is not a numeric value",
                                 sign_of(node->kind));
        }
        int one_outcome = negated(c, node, one, found);
        if (one_outcome < 0 || one_outcome == JSONPATH_FAILED)
            return one_outcome;
        if (one_outcome == JSONPATH_FOUND)
            outcome = JSONPATH_FOUND;
        if (outcome == JSONPATH_FOUND && !found)
            break;
    }
    return outcome;
}

int jsonpath_compute(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                     struct buf *found) {
    return node->right ? compute_binary(c, node, value, found)
                       : compute_unary(c, node, value, found);
}

/* A string as a double's number, or a number that a double can be. */
static int double_method(struct jsonpath_context *c, const struct jsonpath_node *node, slice value,
                         struct buf *found) {
    enum sql_json_kind kind = sql_json_kind_of(value);
    if (kind != SQL_JSON_NUMBER && kind != SQL_JSON_STRING)
        return jsonpath_fail(
            c, "22036",
            "jsonpath item method .double() can only be applied to a string or numeric value");
    slice text = value;
    double d = 0;
    if (kind == SQL_JSON_STRING)
        text = slice_trim(slice_make(value.ptr + 1, value.len - 2));
    if (number_parse_double(text, &d))
        return jsonpath_fail(c, "22036",
                             "%s argument of jsonpath item method .double() is not a valid "
                             "representation of a double precision number",
                             kind == SQL_JSON_STRING ? "string" : "numeric");
    if (kind == SQL_JSON_NUMBER)
        return jsonpath_next(c, node, value, found);
    struct sql_numeric n;
    int failed = sql_numeric_from_double(d, 15, c->run->memory, &n);
    return failed ? number_failed(c, failed) : give_number(c, node, n, found);
}

int jsonpath_number_method(struct jsonpath_context *c, const struct jsonpath_node *node,
                           slice value, struct buf *found) {
    if (node->kind == JSONPATH_DOUBLE)
        return double_method(c, node, value, found);
    const char *name = node->kind == JSONPATH_ABS     ? "abs"
                       : node->kind == JSONPATH_FLOOR ? "floor"
                                                      : "ceiling";
    if (sql_json_kind_of(value) != SQL_JSON_NUMBER)
        return jsonpath_fail(
            c, "22036", "jsonpath item method .%s() can only be applied to a numeric value", name);
    struct sql_numeric n;
    int failed = sql_numeric_parse(value, c->run->memory, &n);
    if (!failed && node->kind == JSONPATH_ABS && sql_numeric_sign(n) < 0)
        failed = sql_numeric_negate(n, c->run->memory, &n);
    if (!failed && node->kind != JSONPATH_ABS)
        failed = sql_numeric_floor(n, node->kind == JSONPATH_CEILING, c->run->memory, &n);
    return failed ? number_failed(c, failed) : give_number(c, node, n, found);
}
