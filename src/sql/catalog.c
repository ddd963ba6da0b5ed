/*
 * catalog.c - see catalog.h.
 *
 * Lists of pointers, one a kind of object. Types and functions are searched from the front: a
 * database has hundreds, not millions, and prepared statements look nothing up. Tables, which may
 * be many, are found through a map of their qualified names.
 */
#include "sql/catalog_copy.h"

#include "base/map.h"
#include "base/mem.h"

#include <errno.h>

struct list_of {
    void **item;
    unsigned count, room;
};

/* Of a catalog and all its copies. */
struct versions {
    unsigned holders;
    uint64_t last;
};

struct sql_catalog {
    unsigned holders;
    struct versions *versions;
    struct list_of tables, enums, functions, schemas; /* schemas: of slice */
    struct map by_name; /* tables by their found_by; while one is renamed it has two */
    uint64_t version;
    uint32_t next_oid;
};

#define TABLE_BYTES_MAX ((size_t)16 << 20)

static int push(struct list_of *l, void *item) {
    if (l->count == SQL_OBJECTS_MAX)
        return -ENOBUFS;
    if (l->count == l->room) {
        unsigned room = l->room ? l->room * 2 : 16;
        void *more = mem_realloc(l->item, room * sizeof *l->item);
        if (!more)
            return -ENOMEM;
        l->item = more;
        l->room = room;
    }
    l->item[l->count++] = item;
    return 0;
}

static void take_out(struct list_of *l, const void *item) {
    for (unsigned i = 0; i < l->count; i++)
        if (l->item[i] == item) {
            memmove(&l->item[i], &l->item[i + 1], (l->count - i - 1) * sizeof *l->item);
            l->count--;
            return;
        }
}

static void next_version(struct sql_catalog *c) {
    c->version = ++c->versions->last;
}

static struct sql_catalog *make(void) {
    struct sql_catalog *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->holders = 1;
    c->by_name = map_make((struct hash_key){0x6e6f6e65, 0x7473716c}, SQL_OBJECTS_MAX + 1);
    return c;
}

int sql_catalog_new(struct sql_catalog **ret) {
    struct sql_catalog *c = make();
    if (c)
        c->versions = mem_zalloc(1, sizeof *c->versions);
    if (!c || !c->versions) {
        sql_catalog_free(c);
        return -ENOMEM;
    }
    c->versions->holders = 1;
    c->next_oid = SQL_FIRST_USER_OID;
    next_version(c);
    int r = sql_catalog_add_schema(c, slice_lit("public"));
    if (r == 0)
        r = sql_catalog_add_schema(c, slice_lit("pg_catalog"));
    if (r == 0)
        r = sql_catalog_add_schema(c, slice_lit("information_schema"));
    if (r < 0) {
        sql_catalog_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

static void free_enum(struct sql_enum *e) {
    if (--e->references == 0)
        mem_free(e);
}

static void free_function(struct sql_user_function *f) {
    if (--f->references == 0)
        mem_free(f);
}

struct sql_catalog *sql_catalog_hold(struct sql_catalog *c) {
    c->holders++;
    return c;
}

struct sql_catalog *sql_catalog_free(struct sql_catalog *c) {
    if (!c || --c->holders > 0)
        return NULL;
    for (unsigned i = 0; i < c->tables.count; i++)
        sql_table_unref(c->tables.item[i]);
    for (unsigned i = 0; i < c->enums.count; i++)
        free_enum(c->enums.item[i]);
    for (unsigned i = 0; i < c->functions.count; i++)
        free_function(c->functions.item[i]);
    for (unsigned i = 0; i < c->schemas.count; i++)
        mem_free(c->schemas.item[i]);
    mem_free(c->tables.item);
    mem_free(c->enums.item);
    mem_free(c->functions.item);
    mem_free(c->schemas.item);
    map_free(&c->by_name);
    if (c->versions && --c->versions->holders == 0)
        mem_free(c->versions);
    return mem_free(c);
}

static slice *copy_schema(slice name) {
    slice *copy = mem_alloc(sizeof *copy + name.len);
    char *at = (char *)(copy + 1);
    if (copy)
        *copy = slice_store(&at, name);
    return copy;
}

static int copy_tables(const struct sql_catalog *from, struct sql_catalog *to) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < from->tables.count; i++) {
        struct sql_table *t = from->tables.item[i];
        r = map_add(&to->by_name, t->found_by, t);
        if (r == 0)
            r = push(&to->tables, t);
        if (r == 0)
            t->references++;
    }
    return r;
}

static int copy_others(const struct sql_catalog *from, struct sql_catalog *to) {
    int r = 0;
    for (unsigned i = 0; r == 0 && i < from->enums.count; i++) {
        struct sql_enum *e = from->enums.item[i];
        r = push(&to->enums, e);
        e->references += r == 0;
    }
    for (unsigned i = 0; r == 0 && i < from->functions.count; i++) {
        struct sql_user_function *f = from->functions.item[i];
        r = push(&to->functions, f);
        f->references += r == 0;
    }
    for (unsigned i = 0; r == 0 && i < from->schemas.count; i++) {
        slice *schema = copy_schema(*(slice *)from->schemas.item[i]);
        r = schema ? push(&to->schemas, schema) : -ENOMEM;
        if (r < 0)
            mem_free(schema);
    }
    return r;
}

int sql_catalog_copy(const struct sql_catalog *c, struct sql_catalog **ret) {
    struct sql_catalog *copy = make();
    if (!copy)
        return -ENOMEM;
    copy->versions = c->versions;
    copy->versions->holders++;
    copy->version = c->version;
    copy->next_oid = c->next_oid;
    int r = copy_tables(c, copy);
    if (r == 0)
        r = copy_others(c, copy);
    if (r < 0) {
        sql_catalog_free(copy);
        return r;
    }
    *ret = copy;
    return 0;
}

void sql_catalog_swap(struct sql_catalog *a, struct sql_catalog *b) {
    struct sql_catalog was = *a;
    check(a->versions == b->versions);
    *a = *b;
    *b = was;
    b->holders = a->holders;
    a->holders = was.holders;
}

uint64_t sql_catalog_version(const struct sql_catalog *c) {
    return c->version;
}

void sql_catalog_touch(struct sql_catalog *c) {
    next_version(c);
}

uint32_t sql_catalog_next_oid(struct sql_catalog *c) {
    return c->next_oid++;
}

uint32_t sql_catalog_free_oid(const struct sql_catalog *c) {
    return c->next_oid;
}

void sql_catalog_set_free_oid(struct sql_catalog *c, uint32_t oid) {
    if (oid > c->next_oid)
        c->next_oid = oid;
}

/* An OID that was read back must not be given again. */
static void keep_oid(struct sql_catalog *c, uint32_t oid) {
    sql_catalog_set_free_oid(c, oid + 1);
}

struct sql_table *sql_table_new(void) {
    struct sql_table *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->memory = arena_make(0, TABLE_BYTES_MAX);
    t->references = 1;
    t->watermark_column = -1;
    return t;
}

struct sql_table *sql_table_unref(struct sql_table *t) {
    if (!t || --t->references > 0)
        return NULL;
    arena_free(&t->memory);
    return mem_free(t);
}

/* The key a table is found by. */
static int name_key(struct arena *memory, slice schema, slice name, slice *ret) {
    return arena_printf(memory, ret, "%.*s%c%.*s", slice_fmt(schema), 1, slice_fmt(name));
}

static struct sql_table *find_table(const struct sql_catalog *c, slice schema, slice name) {
    _cleanup_arena_ struct arena memory = arena_make(0, 64u << 10);
    slice key;
    return name_key(&memory, schema, name, &key) == 0 ? map_find(&c->by_name, key) : NULL;
}

struct sql_table *sql_catalog_table(const struct sql_catalog *c, slice schema, slice name) {
    if (schema.ptr)
        return find_table(c, schema, name);
    struct sql_table *t = find_table(c, slice_lit("public"), name);
    return t ? t : find_table(c, slice_lit("pg_catalog"), name);
}

struct sql_table *sql_catalog_table_by_oid(const struct sql_catalog *c, uint32_t oid) {
    for (unsigned i = 0; i < c->tables.count; i++) {
        struct sql_table *t = c->tables.item[i];
        if (t->oid == oid)
            return t;
    }
    return NULL;
}

int sql_catalog_add_table(struct sql_catalog *c, struct sql_table *t) {
    int r = name_key(&t->memory, t->schema, t->name, &t->found_by);
    if (r == 0)
        r = map_add(&c->by_name, t->found_by, t);
    if (r < 0)
        return r;
    r = push(&c->tables, t);
    if (r < 0) {
        map_remove(&c->by_name, t->found_by);
        return r;
    }
    keep_oid(c, t->oid);
    for (unsigned i = 0; i < t->indexes; i++)
        keep_oid(c, t->index[i].oid);
    next_version(c);
    return 0;
}

void sql_catalog_remove_table(struct sql_catalog *c, struct sql_table *t) {
    map_remove(&c->by_name, t->found_by);
    take_out(&c->tables, t);
    next_version(c);
    sql_table_unref(t);
}

int sql_catalog_rename_table(struct sql_catalog *c, struct sql_table *t, slice name) {
    slice copy, key;
    int r = arena_copy(&t->memory, name, &copy);
    if (r == 0)
        r = name_key(&t->memory, t->schema, name, &key);
    if (r == 0)
        r = map_add(&c->by_name, key, t);
    if (r < 0)
        return r;
    map_remove(&c->by_name, t->found_by);
    t->name = copy;
    t->found_by = key;
    next_version(c);
    return 0;
}

int sql_catalog_replace_table(struct sql_catalog *c, struct sql_table *old,
                              struct sql_table *take_t) {
    int r = name_key(&take_t->memory, take_t->schema, take_t->name, &take_t->found_by);
    if (r < 0)
        return r;
    map_remove(&c->by_name, old->found_by);
    r = map_add(&c->by_name, take_t->found_by, take_t);
    if (r < 0) {
        (void)!map_add(&c->by_name, old->found_by, old); /* there was room for it */
        return r;
    }
    for (unsigned i = 0; i < c->tables.count; i++)
        if (c->tables.item[i] == old)
            c->tables.item[i] = take_t;
    next_version(c);
    sql_table_unref(old);
    return 0;
}

static bool schema_is(slice wanted, slice schema) {
    return wanted.ptr ? slice_equal(wanted, schema) : slice_equal(schema, slice_lit("public"));
}

const struct sql_enum *sql_catalog_enum(const struct sql_catalog *c, slice schema, slice name) {
    for (unsigned i = 0; i < c->enums.count; i++) {
        const struct sql_enum *e = c->enums.item[i];
        if (slice_equal(e->name, name) && schema_is(schema, e->schema))
            return e;
    }
    return NULL;
}

const struct sql_enum *sql_catalog_enum_by_oid(const struct sql_catalog *c, uint32_t oid) {
    for (unsigned i = 0; i < c->enums.count; i++) {
        const struct sql_enum *e = c->enums.item[i];
        if (e->oid == oid || e->oid == sql_element_of(oid))
            return e;
    }
    return NULL;
}

/* The enum, its labels and their bytes in one piece of memory. */
int sql_catalog_add_enum(struct sql_catalog *c, const struct sql_enum *e) {
    if (sql_catalog_enum(c, e->schema, e->name))
        return -EEXIST;
    size_t bytes = e->schema.len + e->name.len;
    for (unsigned i = 0; i < e->labels; i++)
        bytes += e->label[i].len;
    struct sql_enum *copy = mem_alloc(sizeof *copy + e->labels * sizeof(slice) + bytes);
    if (!copy)
        return -ENOMEM;
    *copy = *e;
    copy->references = 1;
    copy->label = (slice *)(copy + 1);
    char *at = (char *)(copy->label + e->labels);
    copy->schema = slice_store(&at, e->schema);
    copy->name = slice_store(&at, e->name);
    for (unsigned i = 0; i < e->labels; i++)
        copy->label[i] = slice_store(&at, e->label[i]);
    int r = push(&c->enums, copy);
    if (r < 0) {
        mem_free(copy);
        return r;
    }
    keep_oid(c, e->oid);
    next_version(c);
    return 0;
}

void sql_catalog_remove_enum(struct sql_catalog *c, const struct sql_enum *e) {
    take_out(&c->enums, e);
    free_enum((struct sql_enum *)e);
    next_version(c);
}

const struct sql_user_function *sql_catalog_function_next(const struct sql_catalog *c, slice schema,
                                                          slice name, unsigned *cursor) {
    while (*cursor < c->functions.count) {
        const struct sql_user_function *f = c->functions.item[(*cursor)++];
        if (slice_equal(f->name, name) && schema_is(schema, f->schema))
            return f;
    }
    return NULL;
}

static bool same_arguments(const struct sql_user_function *a, const struct sql_user_function *b) {
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->arguments[i].oid != b->arguments[i].oid)
            return false;
    return true;
}

int sql_catalog_add_function(struct sql_catalog *c, const struct sql_user_function *f) {
    const struct sql_user_function *other;
    for (unsigned at = 0; (other = sql_catalog_function_next(c, f->schema, f->name, &at));)
        if (same_arguments(other, f))
            return -EEXIST;
    size_t bytes = f->schema.len + f->name.len + f->body.len;
    for (unsigned i = 0; i < f->count; i++)
        bytes += f->argument_names[i].len;
    struct sql_user_function *copy =
        mem_alloc(sizeof *copy + f->count * (sizeof(slice) + sizeof(struct sql_type)) + bytes);
    if (!copy)
        return -ENOMEM;
    *copy = *f;
    copy->references = 1;
    copy->argument_names = (slice *)(copy + 1);
    copy->arguments = (struct sql_type *)(copy->argument_names + f->count);
    char *at = (char *)(copy->arguments + f->count);
    for (unsigned i = 0; i < f->count; i++) {
        copy->arguments[i] = f->arguments[i];
        bool named = f->argument_names[i].ptr;
        copy->argument_names[i] = named ? slice_store(&at, f->argument_names[i]) : (slice){NULL, 0};
    }
    copy->schema = slice_store(&at, f->schema);
    copy->name = slice_store(&at, f->name);
    copy->body = slice_store(&at, f->body);
    int r = push(&c->functions, copy);
    if (r < 0) {
        mem_free(copy);
        return r;
    }
    keep_oid(c, f->oid);
    next_version(c);
    return 0;
}

void sql_catalog_remove_function(struct sql_catalog *c, const struct sql_user_function *f) {
    take_out(&c->functions, f);
    free_function((struct sql_user_function *)f);
    next_version(c);
}

static slice *find_schema(const struct sql_catalog *c, slice name) {
    for (unsigned i = 0; i < c->schemas.count; i++)
        if (slice_equal(*(slice *)c->schemas.item[i], name))
            return c->schemas.item[i];
    return NULL;
}

bool sql_catalog_has_schema(const struct sql_catalog *c, slice schema) {
    return find_schema(c, schema) != NULL;
}

int sql_catalog_add_schema(struct sql_catalog *c, slice name) {
    if (find_schema(c, name))
        return -EEXIST;
    slice *copy = copy_schema(name);
    if (!copy)
        return -ENOMEM;
    int r = push(&c->schemas, copy);
    if (r < 0) {
        mem_free(copy);
        return r;
    }
    next_version(c);
    return 0;
}

void sql_catalog_remove_schema(struct sql_catalog *c, slice name) {
    slice *schema = find_schema(c, name);
    if (schema) {
        take_out(&c->schemas, schema);
        mem_free(schema);
        next_version(c);
    }
}

static void *each(const struct list_of *l, unsigned *cursor) {
    return *cursor < l->count ? l->item[(*cursor)++] : NULL;
}

struct sql_table *sql_catalog_each_table(const struct sql_catalog *c, unsigned *cursor) {
    return each(&c->tables, cursor);
}

const struct sql_enum *sql_catalog_each_enum(const struct sql_catalog *c, unsigned *cursor) {
    return each(&c->enums, cursor);
}

const struct sql_user_function *sql_catalog_each_function(const struct sql_catalog *c,
                                                          unsigned *cursor) {
    return each(&c->functions, cursor);
}

slice sql_catalog_each_schema(const struct sql_catalog *c, unsigned *cursor) {
    const slice *s = each(&c->schemas, cursor);
    return s ? *s : (slice){NULL, 0};
}
