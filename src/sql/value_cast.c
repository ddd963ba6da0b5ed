/*
 * value_cast.c - casts within the kin of text, and from bool and "char" to it and back.
 *
 * varchar(n) and char(n) count characters. Where the user wrote the cast, what is too long is cut;
 * in assignments only blanks are (22001). char(n) loses its blanks on the way to text, as
 * PostgreSQL has it. text and varchar are the same bits.
 */
#include "sql/function.h"
#include "sql/lists.h"
#include "sql/text/give.h"
#include "sql/value_parts.h"

/* To varchar(n) or char(n). */
static int fit(struct sql_call *call, slice text, union sql_cell *ret) {
    int32_t typmod = call->result.typmod;
    if (typmod < 4) {
        *ret = (union sql_cell){.text = text};
        return 0;
    }
    if (call->explicit_cast)
        text = slice_take(text, text_offset(text, (size_t)(typmod - 4)));
    const struct sql_reading r = {call->result, call->settings, call->memory, call->error};
    return value_text_in(&r, text, ret);
}

static int text_to_text(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return fit(call, a[0].text, ret);
}

static int blanks_off(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return fit(call, value_without_blanks(a[0].text), ret);
}

static int bool_to_text(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    return fit(call, a[0].i ? slice_lit("true") : slice_lit("false"), ret);
}

/* name and "char" are cut by their input. */
static int by_input(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    const struct sql_reading r = {call->result, call->settings, call->memory, call->error};
    slice text = call->types[0].oid == SQL_BPCHAR ? value_without_blanks(a[0].text) : a[0].text;
    return value_text_in(&r, text, ret);
}

static int char_to_int(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    (void)call;
    *ret = (union sql_cell){.i = a[0].text.len ? (signed char)a[0].text.ptr[0] : 0};
    return 0;
}

static int int_to_char(struct sql_call *call, const union sql_cell *a, union sql_cell *ret) {
    if (a[0].i < 0 || a[0].i > 127) /* above, it would be no UTF-8 */
        return sql_fail(call->error, "22003", "\"char\" out of range");
    char byte = (char)a[0].i;
    slice copy;
    if (arena_copy(call->memory, slice_make(&byte, byte != 0), &copy) < 0)
        return sql_fail_memory(call->error);
    *ret = (union sql_cell){.text = copy};
    return 0;
}

#define IMPLICIT SQL_CAST_IMPLICIT
#define ASSIGNMENT SQL_CAST_ASSIGNMENT
#define EXPLICIT SQL_CAST_EXPLICIT

const struct sql_cast sql_casts_value[] = {
    {SQL_TEXT, SQL_VARCHAR, IMPLICIT, text_to_text},
    {SQL_VARCHAR, SQL_TEXT, IMPLICIT, NULL},
    {SQL_TEXT, SQL_BPCHAR, IMPLICIT, text_to_text},
    {SQL_VARCHAR, SQL_BPCHAR, IMPLICIT, text_to_text},
    {SQL_BPCHAR, SQL_TEXT, IMPLICIT, blanks_off},
    {SQL_BPCHAR, SQL_VARCHAR, IMPLICIT, blanks_off},
    {SQL_VARCHAR, SQL_VARCHAR, IMPLICIT, text_to_text},
    {SQL_BPCHAR, SQL_BPCHAR, IMPLICIT, text_to_text},
    {SQL_NAME, SQL_TEXT, IMPLICIT, NULL},
    {SQL_NAME, SQL_VARCHAR, ASSIGNMENT, text_to_text},
    {SQL_NAME, SQL_BPCHAR, ASSIGNMENT, text_to_text},
    {SQL_TEXT, SQL_NAME, IMPLICIT, by_input},
    {SQL_VARCHAR, SQL_NAME, IMPLICIT, by_input},
    {SQL_BPCHAR, SQL_NAME, IMPLICIT, by_input},
    {SQL_CHAR, SQL_TEXT, IMPLICIT, NULL},
    {SQL_CHAR, SQL_VARCHAR, ASSIGNMENT, text_to_text},
    {SQL_CHAR, SQL_BPCHAR, ASSIGNMENT, text_to_text},
    {SQL_TEXT, SQL_CHAR, ASSIGNMENT, by_input},
    {SQL_VARCHAR, SQL_CHAR, ASSIGNMENT, by_input},
    {SQL_BPCHAR, SQL_CHAR, ASSIGNMENT, by_input},
    {SQL_CHAR, SQL_INT4, EXPLICIT, char_to_int},
    {SQL_INT4, SQL_CHAR, EXPLICIT, int_to_char},
    {SQL_BOOL, SQL_TEXT, ASSIGNMENT, bool_to_text},
    {SQL_BOOL, SQL_VARCHAR, ASSIGNMENT, bool_to_text},
    {SQL_BOOL, SQL_BPCHAR, ASSIGNMENT, bool_to_text},
    {.from = 0},
};
