/*
 * json.h - the values of json and jsonb: read, walked, ordered.
 *
 *   json     the text as it came, only known to be JSON         {"b":1e2 , "aa":[ ], "b":0}
 *   jsonb    the text PostgreSQL prints for it                  {"b": 0, "aa": []}
 *
 * jsonb: of a repeated key the last counts; keys stand ordered by length, then bytes; numbers are
 * written as numeric prints them (1e2 is 100, 1.50 stays); strings escape only `"`, `\` and the
 * control characters. So one key, string or number text is written in one way, and members are
 * found by comparing bytes. Equal values may still differ in their bytes (1.0 and 1): ask
 * sql_jsonb_compare, or compare keys of sql_jsonb_key.
 *
 * Walkers trust their text: it went through sql_json_in or sql_jsonb_in, or was built here.
 */
#ifndef NONET_SQL_TEXT_JSON_H
#define NONET_SQL_TEXT_JSON_H

#include "sql/value.h"

#define SQL_JSON_DEPTH_MAX 1000u /* containers in containers; beyond: 54001 */

/* TEXT is JSON: 0. Else 22P02 with PostgreSQL's detail, or 54001. The value is TEXT itself. */
must_use int sql_json_in(slice text, struct sql_error *error);
/* TEXT in jsonb's form, in MEMORY. Also 22P05 (\u0000), 22003 (number), 54000 (size). */
must_use int sql_jsonb_in(slice text, struct arena *memory, slice *ret, struct sql_error *error);

/* The order of jsonb's btree class: Object > Array > Boolean > Number > String > Null. */
int sql_jsonb_compare(slice a, slice b);
/* Appends bytes whose memcmp order is that order: equal values give equal bytes, none is the
   beginning of another's. 0, -ENOMEM, -ENOBUFS. */
must_use int sql_jsonb_key(slice value, struct buf *out);
/* Appends the one text that stands for all values equal to VALUE: numbers without zeros at the end
   of their fraction. */
must_use int sql_jsonb_canonical(slice value, struct buf *out);
/* Equal values hash alike. */
uint64_t sql_jsonb_hash(slice value);
/* Numbers as jsonb writes them: <0, 0, >0. */
int sql_json_number_compare(slice a, slice b);

enum sql_json_kind { /* in jsonb's order */
                     SQL_JSON_NULL,
                     SQL_JSON_STRING,
                     SQL_JSON_NUMBER,
                     SQL_JSON_BOOL,
                     SQL_JSON_ARRAY,
                     SQL_JSON_OBJECT,
};
enum sql_json_kind sql_json_kind_of(slice value);
slice sql_json_trim(slice text); /* without white space around */

/* Walks an object or array (anything else: nothing). VALUE and KEY are parts of the text; the key
   is without its quotes, still escaped. */
struct sql_json_walk {
    slice rest;
    bool object;
    slice key, value;
};
static inline slice sql_json_quoted_key(const struct sql_json_walk *w) {
    return slice_make(w->key.ptr - 1, w->key.len + 2);
}
struct sql_json_walk sql_json_each(slice container);
bool sql_json_next(struct sql_json_walk *walk);
/* Members or elements. O(bytes). */
unsigned sql_json_count(slice container);
/* The member KEY (plain text; the last such) of an object, or element INDEX (from 0; from the end
   where negative) of an array. False: none is, or no such container. */
bool sql_jsonb_member(slice object, slice key, slice *ret);
bool sql_json_member(slice object, slice key, slice *ret);
bool sql_json_element(slice array, int64_t index, slice *ret);

/* Appends TEXT as a JSON string with its quotes, in jsonb's one form. 0, -ENOMEM, -ENOBUFS. */
must_use int sql_json_quote(slice text, struct buf *out);
/* What the string VALUE (with its quotes) says, in MEMORY or in VALUE. 22P05 where that is no
   text. */
must_use int sql_json_unquote(slice value, struct arena *memory, slice *ret,
                              struct sql_error *error);

#endif
