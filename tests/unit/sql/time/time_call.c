#include "time_call.h"

#include "base/arena.h"
#include "sql/numeric.h"

#include <stdlib.h>

static uint32_t type_called(slice name) {
    const struct sql_type_info *info = sql_type_named(name);
    check(info != NULL);
    return info->oid;
}

static int read_value(struct sql_type type, slice text, const struct sql_settings *settings,
                      struct arena *memory, union sql_cell *ret, struct sql_error *error) {
    const struct sql_type_io *io = sql_type_io_find(type.oid);
    if (io)
        return io->in(type, text, settings, memory, ret, error);
    if (type.oid == SQL_TEXT)
        ret->text = text;
    else if (type.oid == SQL_FLOAT8)
        ret->f = strtod(text.ptr, NULL); /* the text ends with a NUL */
    else
        ret->i = strtoll(text.ptr, NULL, 10);
    return 0;
}

static void write_value(struct sql_type type, const union sql_cell *cell,
                        const struct sql_settings *settings, struct buf *out) {
    const struct sql_type_io *io = sql_type_io_find(type.oid);
    int failed = 0;
    if (io)
        failed = io->out(type, cell, settings, out);
    else if (type.oid == SQL_TEXT)
        failed = buf_append(out, cell->text);
    else if (type.oid == SQL_NUMERIC)
        failed = sql_numeric_print(cell->numeric, out);
    else if (type.oid == SQL_FLOAT8)
        failed = buf_printf(out, "%.17g", cell->f);
    else if (type.oid == SQL_BOOL)
        failed = buf_append_byte(out, cell->i ? 't' : 'f');
    else
        failed = buf_append_i64(out, cell->i);
    check(failed == 0);
}

struct rows {
    struct sql_type type;
    const struct sql_settings *settings;
    struct buf *out;
};

static int emit(void *to, const union sql_cell *cells, const uint8_t *nulls) {
    struct rows *rows = to;
    check(!nulls[0] && buf_append_byte(rows->out, '[') == 0);
    write_value(rows->type, cells, rows->settings, rows->out);
    return buf_append_byte(rows->out, ']');
}

static const struct sql_function *find(const char *name, const struct sql_type *types,
                                       unsigned count) {
    unsigned cursor = 0;
    const struct sql_function *f;
    while ((f = sql_function_next(slice_str(name), &cursor))) {
        bool same = count <= f->count && count + f->defaults >= f->count;
        for (unsigned i = 0; same && i < count; i++)
            same = f->arguments[i] == types[i].oid;
        if (same)
            return f;
    }
    return NULL;
}

static void say_error(const struct sql_error *error, struct buf *out) {
    check(buf_printf(out, "E:%s", error->state) == 0);
}

void time_call(const char *name, const char *const arguments[TIME_CALL_ARGUMENTS],
               const struct sql_settings *settings, struct buf *out) {
    struct arena memory = arena_make(0, (size_t)1 << 20);
    struct sql_error error = {.state = ""};
    struct sql_type types[TIME_CALL_ARGUMENTS];
    union sql_cell cells[TIME_CALL_ARGUMENTS], result;
    uint8_t nulls[TIME_CALL_ARGUMENTS] = {0};
    unsigned count = 0;
    int failed = 0;
    bool null = false;
    for (; count < TIME_CALL_ARGUMENTS && arguments[count]; count++) {
        slice text, type = slice_cut(slice_str(arguments[count]), ':', &text);
        types[count] = sql_type_of(type_called(type));
        nulls[count] = slice_equal(text, slice_lit("NULL"));
        null |= nulls[count];
        if (!failed && !nulls[count])
            failed = read_value(types[count], text, settings, &memory, &cells[count], &error);
    }
    const struct sql_function *f = find(name, types, count);
    check(f != NULL);
    struct sql_call call = {.memory = &memory,
                            .settings = settings,
                            .error = &error,
                            .types = types,
                            .count = count,
                            .result = sql_type_of(f->result),
                            .nulls = nulls};
    struct rows rows = {call.result, settings, out};
    call.null = null && !(f->flags & SQL_LENIENT);
    if (!failed && !call.null)
        failed = f->set ? f->set(&call, cells, emit, &rows) : f->scalar(&call, cells, &result);
    if (failed)
        say_error(&error, out);
    else if (!f->set && !call.null)
        write_value(call.result, &result, settings, out);
    if (call.kept_free)
        call.kept_free(call.kept);
    arena_free(&memory);
}

void time_cast(const char *argument, const char *to, int32_t typmod,
               const struct sql_settings *settings, struct buf *out) {
    struct arena memory = arena_make(0, (size_t)1 << 20);
    struct sql_error error = {.state = ""};
    slice text, name = slice_cut(slice_str(argument), ':', &text);
    struct sql_type type = sql_type_of(type_called(name));
    union sql_cell cell, result;
    const struct sql_cast *cast = sql_cast_find(type.oid, type_called(slice_str(to)));
    check(cast != NULL);
    struct sql_call call = {.memory = &memory,
                            .settings = settings,
                            .error = &error,
                            .types = &type,
                            .count = 1,
                            .result = {cast->to, typmod}};
    if (read_value(type, text, settings, &memory, &cell, &error) != 0 ||
        cast->scalar(&call, &cell, &result) != 0)
        say_error(&error, out);
    else if (!call.null)
        write_value(call.result, &result, settings, out);
    arena_free(&memory);
}
