/* output.c - see output.h. */
#include "cli/output.h"

#include "base/base64.h"
#include "base/number.h"
#include "base/utf8.h"
#include "io/process.h"
#include "wire/nats_headers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define STDOUT 1
#define FIELD_WIDTH 18

/* --- JSON ------------------------------------------------------------------------------------- */

static bool stands_before(slice fields, slice key) {
    struct nats_field field;
    while (nats_headers_next(&fields, &field) && field.key.ptr != key.ptr)
        if (slice_equal(field.key, key))
            return true;
    return false;
}

/* The values of KEY among the first OUTPUT_HEADERS_MAX of FIELDS. */
static void write_values(struct json_writer *w, slice fields, slice key) {
    struct nats_field field;
    json_write_array(w);
    for (unsigned i = 0; i < OUTPUT_HEADERS_MAX && nats_headers_next(&fields, &field); i++)
        if (slice_equal(field.key, key))
            json_write_string(w, field.value);
    json_write_end(w);
}

/* A key that repeats comes once, where it stood first. */
static void write_headers(struct json_writer *w, slice fields) {
    struct nats_field field;
    unsigned count = 0;
    json_write_key(w, "headers");
    json_write_object(w);
    for (slice rest = fields; nats_headers_next(&rest, &field); count++) {
        if (count >= OUTPUT_HEADERS_MAX || stands_before(fields, field.key))
            continue;
        json_write_key_slice(w, field.key);
        write_values(w, fields, field.key);
    }
    json_write_end(w);
    if (count > OUTPUT_HEADERS_MAX) {
        json_write_key(w, "headers_left_out");
        json_write_u64(w, count - OUTPUT_HEADERS_MAX);
    }
}

static void write_base64(struct json_writer *w, slice payload) {
    struct buf text = buf_make(OUTPUT_JSON_MAX);
    if (buf_reserve(&text, base64_encoded_len(BASE64_STANDARD, payload.len)) == 0) {
        text.len = base64_encode(BASE64_STANDARD, payload, text.ptr);
        json_write_string(w, buf_slice(&text));
    } else if (!w->error) {
        w->error = -ENOMEM;
    }
    buf_free(&text);
}

void output_message_members(struct json_writer *w, const struct nats_client_message *m) {
    struct nats_status status;
    json_write_key(w, "subject");
    json_write_string(w, m->subject);
    if (m->reply.len) {
        json_write_key(w, "reply");
        json_write_string(w, m->reply);
    }
    if (m->headers.len && nats_headers_parse(m->headers, &status) == 0) {
        if (status.code) {
            json_write_key(w, "status");
            json_write_u64(w, status.code);
        }
        write_headers(w, status.fields);
    }
    bool text = utf8_valid(m->payload);
    json_write_key(w, text ? "payload" : "payload_base64");
    if (text)
        json_write_string(w, m->payload);
    else
        write_base64(w, m->payload);
}

int output_json(struct json_writer *w, struct buf *text) {
    json_write_end(w);
    int failed = json_write_finish(w);
    if (!failed)
        failed = buf_append_byte(text, '\n');
    if (!failed)
        fwrite(text->ptr, 1, text->len, stdout);
    return failed;
}

int output_message_json(const struct nats_client_message *message) {
    _cleanup_buf_ struct buf text = buf_make(OUTPUT_JSON_MAX);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    output_message_members(&w, message);
    return output_json(&w, &text);
}

/* --- for people ------------------------------------------------------------------------------- */

static bool harmless(unsigned char c) {
    return c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f);
}

void output_source(json_value v) {
    slice source = json_source(v);
    fwrite(source.ptr, 1, source.len, stdout);
    putchar('\n');
}

void output_text(slice text) {
    if (!io_is_terminal(STDOUT)) {
        if (text.len) /* else there may be no bytes to point at */
            fwrite(text.ptr, 1, text.len, stdout);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (harmless(c))
            putchar(c);
        else
            printf("\\x%02x", c);
    }
}

void output_payload(slice payload) {
    output_text(payload);
    if (!payload.len || payload.ptr[payload.len - 1] != '\n')
        putchar('\n');
}

void output_headers(slice headers) {
    struct nats_status status;
    struct nats_field field;
    if (!headers.len || nats_headers_parse(headers, &status))
        return;
    if (status.code) {
        printf("  status: %u ", status.code);
        output_text(status.description);
        putchar('\n');
    }
    while (nats_headers_next(&status.fields, &field)) {
        fputs("  ", stdout);
        output_text(field.key);
        fputs(": ", stdout);
        output_text(field.value);
        putchar('\n');
    }
}

void output_field(const char *name, const char *format, ...) {
    char value[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    printf("%-*s ", FIELD_WIDTH, name);
    output_text(slice_str(value));
    putchar('\n');
}

const char *output_count(uint64_t number, char *out) {
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(number, digits), at = 0;
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

/* --- tables ----------------------------------------------------------------------------------- */

struct output_table output_table_make(void) {
    return (struct output_table){.cells = buf_make(OUTPUT_JSON_MAX)};
}

void output_column(struct output_table *t, const char *title, bool number) {
    check(t->columns < OUTPUT_COLUMNS_MAX && t->cell_count == 0);
    t->titles[t->columns] = title;
    t->number[t->columns++] = number;
}

void output_cell(struct output_table *t, slice text) {
    t->failed |= buf_append(&t->cells, text) || buf_append_byte(&t->cells, '\0');
    t->cell_count++;
}

void output_cell_u64(struct output_table *t, uint64_t number) {
    char text[32];
    output_cell(t, slice_str(output_count(number, text)));
}

static size_t width_of(slice text) {
    return utf8_count(text);
}

/* Takes the next cell off *REST. */
static slice next_cell(slice *rest) {
    return slice_cut(*rest, '\0', rest);
}

static void print_cell(const struct output_table *t, unsigned column, slice text, size_t width) {
    size_t blanks = width - width_of(text);
    bool last = column + 1 == t->columns;
    if (t->number[column])
        printf("%*s", (int)blanks, "");
    output_text(text);
    if (!t->number[column] && !last)
        printf("%*s", (int)blanks, "");
    fputs(last ? "\n" : "  ", stdout);
}

int output_table_print(struct output_table *t) {
    size_t widths[OUTPUT_COLUMNS_MAX];
    check(t->columns && t->cell_count % t->columns == 0);
    for (unsigned i = 0; i < t->columns; i++)
        widths[i] = width_of(slice_str(t->titles[i]));
    slice rest = buf_slice(&t->cells);
    for (unsigned i = 0; i < t->cell_count && !t->failed; i++) {
        size_t width = width_of(next_cell(&rest));
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (unsigned i = 0; i < t->columns && !t->failed; i++)
        print_cell(t, i, slice_str(t->titles[i]), widths[i]);
    rest = buf_slice(&t->cells);
    for (unsigned i = 0; i < t->cell_count && !t->failed; i++)
        print_cell(t, i % t->columns, next_cell(&rest), widths[i % t->columns]);
    buf_free(&t->cells);
    return t->failed ? -ENOMEM : 0;
}
