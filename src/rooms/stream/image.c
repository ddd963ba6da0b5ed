/*
 * image.c - see image.h.
 *
 * Objects come in the order in which one may need another: schemas, types, functions, tables, and
 * each kind as it was made. That is also the order of views, so those below come first.
 */
#include "rooms/stream/image.h"

#include "base/mem.h"

/* --- writing ---------------------------------------------------------------------------------- */

static void write_type(struct entry_writer *w, struct sql_type type) {
    entry_u32(w, type.oid);
    entry_u32(w, (uint32_t)type.typmod);
}

static void write_enum(struct entry_writer *w, const struct sql_enum *e) {
    entry_u8(w, 'e');
    entry_u32(w, e->oid);
    entry_text(w, e->schema);
    entry_text(w, e->name);
    entry_u32(w, e->labels);
    for (unsigned i = 0; i < e->labels; i++)
        entry_text(w, e->label[i]);
}

static void write_function(struct entry_writer *w, const struct sql_user_function *f) {
    entry_u8(w, 'f');
    entry_u32(w, f->oid);
    entry_text(w, f->schema);
    entry_text(w, f->name);
    entry_u32(w, f->count);
    for (unsigned i = 0; i < f->count; i++) {
        write_type(w, f->arguments[i]);
        entry_text(w, f->argument_names[i]);
    }
    write_type(w, f->result);
    entry_text(w, f->body);
}

static void write_column(struct entry_writer *w, const struct sql_table_column *c) {
    entry_text(w, c->name);
    write_type(w, c->type);
    entry_u8(w, c->not_null);
    entry_u8(w, c->dropped);
    entry_text(w, c->default_text);
    entry_text(w, c->path);
    entry_u8(w, (uint8_t)c->generated);
}

static void write_index(struct entry_writer *w, const struct sql_table_index *x) {
    entry_u32(w, x->oid);
    entry_text(w, x->name);
    entry_u8(w, x->unique);
    entry_u8(w, x->primary);
    entry_u32(w, x->columns);
    for (unsigned i = 0; i < x->columns; i++)
        entry_u32(w, x->column[i]);
}

static void write_table(struct entry_writer *w, const struct sql_table *t) {
    entry_u8(w, 't');
    entry_u32(w, t->oid);
    entry_u8(w, (uint8_t)t->kind);
    const slice texts[] = {t->schema, t->name, t->source, t->definition, t->comment};
    for (unsigned i = 0; i < array_count(texts); i++)
        entry_text(w, texts[i]);
    entry_u8(w, t->append_only);
    entry_u32(w, (uint32_t)t->watermark_column);
    entry_u64(w, (uint64_t)t->watermark_delay);
    entry_u64(w, t->kind == SQL_TABLE_STORED ? (uint64_t)stored_of(t)->next_identity : 0);
    entry_u32(w, t->columns);
    for (unsigned i = 0; i < t->columns; i++)
        write_column(w, &t->column[i]);
    entry_u32(w, t->indexes);
    for (unsigned i = 0; i < t->indexes; i++)
        write_index(w, &t->index[i]);
    entry_u32(w, t->checks);
    for (unsigned i = 0; i < t->checks; i++) {
        entry_text(w, t->check[i].name);
        entry_text(w, t->check[i].text);
    }
    entry_u32(w, t->options);
    for (unsigned i = 0; i < t->options; i++) {
        entry_text(w, t->option[i].name);
        entry_text(w, t->option[i].value);
    }
    entry_u32(w, t->depends_count);
    for (unsigned i = 0; i < t->depends_count; i++)
        entry_u32(w, t->depends[i]);
}

bool image_write(const struct database *db, struct image_cursor *cursor, struct entry_writer *w) {
    const struct sql_catalog *c = db->catalog;
    const struct sql_enum *e;
    const struct sql_user_function *f;
    const struct sql_table *t;
    slice schema;
    for (; cursor->kind < 4; *cursor = (struct image_cursor){cursor->kind + 1, 0}) {
        if (cursor->kind == 0 && (schema = sql_catalog_each_schema(c, &cursor->at)).ptr) {
            entry_u8(w, 's');
            entry_text(w, schema);
            return true;
        }
        if (cursor->kind == 1 && (e = sql_catalog_each_enum(c, &cursor->at))) {
            write_enum(w, e);
            return true;
        }
        if (cursor->kind == 2 && (f = sql_catalog_each_function(c, &cursor->at))) {
            write_function(w, f);
            return true;
        }
        while (cursor->kind == 3 && (t = sql_catalog_each_table(c, &cursor->at)))
            if (t->oid >= SQL_FIRST_USER_OID) {
                write_table(w, t);
                return true;
            }
    }
    return false;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* How many things of at least one byte follow. */
static unsigned read_count(struct entry_reader *r) {
    uint32_t count = entry_take_u32(r);
    if (count <= r->rest.len)
        return count;
    r->failed = -EBADMSG;
    return 0;
}

static struct sql_type read_type(struct entry_reader *r) {
    struct sql_type type = {.oid = entry_take_u32(r)};
    type.typmod = (int32_t)entry_take_u32(r);
    return type;
}

static int read_schema(struct database *db, struct entry_reader *r) {
    slice name = entry_take_text(r);
    if (r->failed)
        return r->failed;
    return sql_catalog_has_schema(db->catalog, name) ? 0
                                                     : sql_catalog_add_schema(db->catalog, name);
}

static int read_enum(struct database *db, struct entry_reader *r) {
    struct sql_enum e = {.oid = entry_take_u32(r)};
    e.schema = entry_take_text(r);
    e.name = entry_take_text(r);
    e.labels = read_count(r);
    e.label = mem_zalloc(e.labels + 1u, sizeof *e.label);
    for (unsigned i = 0; e.label && i < e.labels; i++)
        e.label[i] = entry_take_text(r);
    int failed = e.label ? r->failed : -ENOMEM;
    if (!failed)
        failed = sql_catalog_add_enum(db->catalog, &e);
    mem_free(e.label);
    return failed;
}

static int read_function(struct database *db, struct entry_reader *r) {
    struct sql_user_function f = {.oid = entry_take_u32(r)};
    f.schema = entry_take_text(r);
    f.name = entry_take_text(r);
    f.count = read_count(r);
    f.arguments = mem_zalloc(f.count + 1u, sizeof *f.arguments);
    f.argument_names = mem_zalloc(f.count + 1u, sizeof *f.argument_names);
    bool room = f.arguments && f.argument_names;
    for (unsigned i = 0; room && i < f.count; i++) {
        f.arguments[i] = read_type(r);
        f.argument_names[i] = entry_take_text(r);
    }
    f.result = read_type(r);
    f.body = entry_take_text(r);
    int failed = room ? r->failed : -ENOMEM;
    if (!failed)
        failed = sql_catalog_add_function(db->catalog, &f);
    mem_free(f.arguments);
    mem_free(f.argument_names);
    return failed;
}

/* A text of table T, in its memory. */
static slice read_text(struct entry_reader *r, struct sql_table *t) {
    slice copy = {NULL, 0}, text = entry_take_text(r);
    if (text.ptr && arena_copy(&t->memory, text, &copy) < 0)
        r->failed = -ENOMEM;
    return copy;
}

/* Room for as many as are told next. */
static void *read_list(struct entry_reader *r, struct sql_table *t, size_t size, unsigned *ret) {
    *ret = read_count(r);
    void *list = *ret ? arena_zalloc(&t->memory, *ret, size) : NULL;
    if (*ret && !list) {
        *ret = 0;
        r->failed = -ENOMEM;
    }
    return list;
}

static void read_column(struct entry_reader *r, struct sql_table *t, struct sql_table_column *c) {
    c->name = read_text(r, t);
    c->type = read_type(r);
    c->not_null = entry_take_u8(r);
    c->dropped = entry_take_u8(r);
    c->default_text = read_text(r, t);
    c->path = read_text(r, t);
    c->generated = entry_take_u8(r);
}

static void read_index(struct entry_reader *r, struct sql_table *t, struct sql_table_index *x) {
    x->oid = entry_take_u32(r);
    x->name = read_text(r, t);
    x->unique = entry_take_u8(r);
    x->primary = entry_take_u8(r);
    x->column = read_list(r, t, sizeof *x->column, &x->columns);
    for (unsigned i = 0; i < x->columns; i++) {
        x->column[i] = entry_take_u32(r);
        if (x->column[i] >= t->columns)
            r->failed = -EBADMSG;
    }
}

static void read_lists(struct entry_reader *r, struct sql_table *t) {
    t->column = read_list(r, t, sizeof *t->column, &t->columns);
    if (t->columns > SQL_COLUMNS_MAX)
        r->failed = -EBADMSG;
    for (unsigned i = 0; i < t->columns; i++)
        read_column(r, t, &t->column[i]);
    t->index = read_list(r, t, sizeof *t->index, &t->indexes);
    for (unsigned i = 0; i < t->indexes; i++)
        read_index(r, t, &t->index[i]);
    t->check = read_list(r, t, sizeof *t->check, &t->checks);
    for (unsigned i = 0; i < t->checks; i++) {
        t->check[i].name = read_text(r, t);
        t->check[i].text = read_text(r, t);
    }
    t->option = read_list(r, t, sizeof *t->option, &t->options);
    for (unsigned i = 0; i < t->options; i++) {
        t->option[i].name = read_text(r, t);
        t->option[i].value = read_text(r, t);
    }
    t->depends = read_list(r, t, sizeof *t->depends, &t->depends_count);
    for (unsigned i = 0; i < t->depends_count; i++)
        t->depends[i] = entry_take_u32(r);
}

static int read_table(struct database *db, struct entry_reader *r) {
    struct sql_table *t = sql_table_new();
    if (!t)
        return -ENOMEM;
    t->oid = entry_take_u32(r);
    t->kind = entry_take_u8(r);
    slice *const texts[] = {&t->schema, &t->name, &t->source, &t->definition, &t->comment};
    for (unsigned i = 0; i < array_count(texts); i++)
        *texts[i] = read_text(r, t);
    t->append_only = entry_take_u8(r);
    t->watermark_column = (int)entry_take_u32(r);
    t->watermark_delay = (int64_t)entry_take_u64(r);
    int64_t next_identity = (int64_t)entry_take_u64(r);
    read_lists(r, t);
    int failed = r->failed;
    if (!failed && (t->oid < SQL_FIRST_USER_OID || t->kind == SQL_TABLE_SYSTEM))
        failed = -EBADMSG;
    if (!failed && t->kind == SQL_TABLE_STORED)
        failed = database_host_rows(db, t);
    if (!failed && t->kind == SQL_TABLE_STORED)
        stored_of(t)->next_identity = next_identity;
    if (!failed)
        failed = sql_catalog_add_table(db->catalog, t);
    if (failed) {
        if (t->host)
            stored_of(t)->rows = relation_free(stored_of(t)->rows);
        sql_table_unref(t);
    }
    return failed;
}

int image_read(struct database *db, struct entry_reader *r) {
    int failed = r->failed;
    while (!failed && r->rest.len) {
        switch (entry_take_u8(r)) {
        case 's':
            failed = read_schema(db, r);
            break;
        case 'e':
            failed = read_enum(db, r);
            break;
        case 'f':
            failed = read_function(db, r);
            break;
        case 't':
            failed = read_table(db, r);
            break;
        default:
            failed = -EBADMSG;
        }
    }
    return failed;
}
