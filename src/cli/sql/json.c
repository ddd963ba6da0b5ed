/*
 * json.c - rows as JSON: an array of objects, or (ndjson) an object a line.
 *
 *      {"id":1,"price":9.50,"tags":["a",null],"doc":{"x":1},"at":"2024-01-01 10:00:00"}
 *
 * Numbers stay numbers with all their digits, booleans, json, jsonb and arrays of known types are
 * what they are; NaN and Infinity, which JSON has not, and everything else are strings. Of columns
 * of the same name the second is called NAME_2.
 */
#include "cli/sql/printer_kind.h"

#include "wire/json_write.h"

#include <errno.h>

#define TYPE_BOOLEAN 16u
#define TYPE_JSON 114u
#define TYPE_JSONB 3802u

static bool is_json_number(slice text) {
    if (!text.len || (text.ptr[0] != '-' && (text.ptr[0] < '0' || text.ptr[0] > '9')))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.ptr[i]) || !text.ptr[i])
            return false;
    return text.ptr[text.len - 1] >= '0' && text.ptr[text.len - 1] <= '9';
}

static int append_string(struct buf *out, slice text) {
    struct json_writer w = json_writer_make(out, false);
    json_write_string(&w, text);
    return json_write_finish(&w);
}

/* A document that may hold line ends between its parts: they become blanks, since a row is a
   line. Within strings JSON has none. */
static int append_document(struct buf *out, slice text) {
    size_t from = out->len;
    int failed = buf_append(out, text);
    for (size_t i = from; i < out->len && !failed; i++)
        if (out->ptr[i] == '\n' || out->ptr[i] == '\r')
            out->ptr[i] = ' ';
    return failed;
}

static int append_scalar(struct buf *out, unsigned type, slice text) {
    if (type == TYPE_BOOLEAN)
        return buf_append(out, slice_starts_with(text, slice_lit("t")) ? slice_lit("true")
                                                                       : slice_lit("false"));
    if (printer_is_number(type) && is_json_number(text))
        return buf_append(out, text);
    if (type == TYPE_JSON || type == TYPE_JSONB)
        return append_document(out, text);
    return append_string(out, text);
}

/* --- arrays: {1,NULL,"a \"b\"",{...}} --------------------------------------------------------- */

/* An element in quotes at *REST without them and its backslashes, into WORD. */
static int take_quoted(slice *rest, struct buf *word) {
    int failed = 0;
    *rest = slice_skip(*rest, 1);
    while (rest->len && rest->ptr[0] != '"' && !failed) {
        if (rest->ptr[0] == '\\')
            *rest = slice_skip(*rest, 1);
        failed = buf_append(word, slice_take(*rest, 1));
        *rest = slice_skip(*rest, 1);
    }
    *rest = slice_skip(*rest, 1);
    return failed;
}

static int append_element(struct buf *out, unsigned element, slice *rest) {
    _cleanup_buf_ struct buf word = buf_make(PRINTER_BYTES_MAX);
    if (rest->ptr[0] == '"') {
        int failed = take_quoted(rest, &word);
        return failed ? failed : append_scalar(out, element, buf_slice(&word));
    }
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ',' && rest->ptr[len] != '}')
        len++;
    slice text = slice_take(*rest, len);
    *rest = slice_skip(*rest, len);
    return slice_equal(text, slice_lit("NULL")) ? buf_append(out, slice_lit("null"))
                                                : append_scalar(out, element, text);
}

/* TEXT is as the server wrote it: its braces are balanced. Lower bounds ("[0:1]=") are passed
   over. */
static int append_array(struct buf *out, unsigned element, slice text) {
    ptrdiff_t begin = slice_find(text, '{');
    slice rest = slice_skip(text, begin > 0 ? (size_t)begin : 0);
    int failed = 0;
    while (rest.len && !failed) {
        char c = rest.ptr[0];
        if (c == '{' || c == '}' || c == ',') {
            failed = buf_append_byte(out, c == '{' ? '[' : c == '}' ? ']' : ',');
            rest = slice_skip(rest, 1);
        } else {
            failed = append_element(out, element, &rest);
        }
    }
    return failed;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int append_value(struct buf *out, unsigned type, const struct printer_cell *cell) {
    if (cell->is_null)
        return buf_append(out, slice_lit("null"));
    unsigned element = printer_element(type);
    return element ? append_array(out, element, cell->text) : append_scalar(out, type, cell->text);
}

/* Its name, with a number behind it where a column before it has the same. */
static int append_name(const struct printer *printer, unsigned at, struct buf *out) {
    slice name = printer->columns[at].name;
    unsigned same = 1;
    for (unsigned i = 0; i < at; i++)
        same += slice_equal(printer->columns[i].name, name);
    if (same == 1)
        return append_string(out, name);
    _cleanup_buf_ struct buf numbered = buf_make(PRINTER_BYTES_MAX);
    int failed = buf_printf(&numbered, "%.*s_%u", slice_fmt(name), same);
    return failed ? failed : append_string(out, buf_slice(&numbered));
}

static bool is_array(const struct printer *printer) {
    return printer->settings->format == PRINTER_JSON;
}

static int begin(struct printer *printer) {
    if (is_array(printer))
        fputc('[', printer->out);
    return 0;
}

static int add_row(struct printer *printer, const struct printer_cell *cells) {
    struct buf *line = &printer->line;
    buf_clear(line);
    if (is_array(printer))
        fputs(printer->rows > 1 ? ",\n " : "\n ", printer->out);
    int failed = buf_append_byte(line, '{');
    for (unsigned i = 0; i < printer->column_count && !failed; i++) {
        failed = i ? buf_append_byte(line, ',') : 0;
        if (!failed)
            failed = append_name(printer, i, line);
        if (!failed)
            failed = buf_append_byte(line, ':');
        if (!failed)
            failed = append_value(line, printer->columns[i].type, &cells[i]);
    }
    if (!failed)
        failed = buf_append(line, is_array(printer) ? slice_lit("}") : slice_lit("}\n"));
    if (!failed)
        fwrite(line->ptr, 1, line->len, printer->out);
    return failed ? -ENOMEM : 0;
}

static int flush(struct printer *printer) {
    (void)printer;
    return 0;
}

static int end(struct printer *printer) {
    if (is_array(printer))
        fputs(printer->rows ? "\n]\n" : "]\n", printer->out);
    return 0;
}

static void drop(struct printer *printer) {
    (void)end(printer); /* the rows that came are whole, and so is the document */
}

const struct printer_kind printer_json = {begin, add_row, flush, end, drop};
