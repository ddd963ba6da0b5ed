/*
 * relation.c - see relation.h.
 *
 *   pages    id >> 10 -> [ row | row | … ]          a row's place is its id, for ever
 *   gone     ids of rows that were taken away, oldest first: what vacuum frees next, where they
 *            have not come back (relation_restore)
 *
 * A batch is applied one row after the other, what it takes away first, so that an update may keep
 * its key; what is not there yet is among the rows the batch brings. Where one row is refused, what
 * was done before it is undone from the journal of this call, and the relation is as it was. The
 * index over whole rows, by which Z-set batches find what they take away, is made when the first
 * such row comes: stored tables name theirs by id.
 */
#include "sql/store/relation.h"

#include "base/hash.h"
#include "base/mem.h"
#include "sql/store/index.h"

#include <errno.h>

#define PAGE_ROWS 1024u
#define GONE_SLACK 4096u    /* ids vacuumed before the list is moved down */
#define SAME_FORM_LOOKS 64u /* at equal rows, for one of the same form */

struct row {
    uint64_t created, deleted;
    uint32_t len;
    char bytes[];
};

struct page {
    uint32_t count; /* rows in it */
    struct row *rows[PAGE_ROWS];
};

struct index {
    uint32_t oid;
    unsigned columns;
    unsigned *column;
    bool unique;
    struct row_index rows;
};

struct ids {
    uint64_t *id;
    size_t count, room;
};

struct relation {
    unsigned references;
    struct sql_type *types;
    unsigned columns;
    uint64_t bytes_max, bytes, live, versions;
    struct page **pages;
    uint64_t page_room, next_id;
    struct index indexes[RELATION_INDEXES_MAX + 1]; /* the last: over whole rows */
    unsigned index_count;
    bool whole; /* the index over whole rows is kept */
    bool forms; /* some column has values that are equal and of different forms */
    struct ids gone;
    size_t gone_done;
    uint64_t gone_before;   /* ids that have left the list */
    struct ids made, taken; /* of the apply under way */
    /* For keys: the row under way as a batch of one row. */
    union sql_cell *cells;
    uint8_t *nulls;
    struct sql_column *column;
    struct arena memory;
    struct buf key, other, encoded;
};

static int ids_push(struct ids *l, uint64_t id) {
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        uint64_t *more = mem_realloc(l->id, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        l->id = more;
        l->room = room;
    }
    l->id[l->count++] = id;
    return 0;
}

static bool has_forms(uint32_t oid) {
    return oid == SQL_NUMERIC || oid == SQL_INTERVAL || oid == SQL_FLOAT4 || oid == SQL_FLOAT8 ||
           oid == SQL_BPCHAR || oid == SQL_JSONB || oid == SQL_RECORD || sql_element_of(oid);
}

int relation_new(const struct sql_type *types, unsigned count, uint64_t bytes_max,
                 struct relation **ret) {
    struct relation *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->references = 1;
    r->columns = count;
    r->bytes_max = bytes_max;
    r->next_id = 1;
    r->memory = arena_make(0, SQL_TEXT_BYTES_MAX * 4);
    r->key = buf_make(SQL_TEXT_BYTES_MAX * 4);
    r->other = buf_make(SQL_TEXT_BYTES_MAX * 4);
    r->encoded = buf_make(SQL_TEXT_BYTES_MAX * 4);
    r->types = mem_zalloc(count + 1u, sizeof *r->types);
    r->cells = mem_zalloc(count + 1u, sizeof *r->cells);
    r->nulls = mem_zalloc(count + 1u, sizeof *r->nulls);
    r->column = mem_zalloc(count + 1u, sizeof *r->column);
    if (!r->types || !r->cells || !r->nulls || !r->column) {
        relation_free(r);
        return -ENOMEM;
    }
    if (count)
        memcpy(r->types, types, count * sizeof *types);
    for (unsigned i = 0; i < count; i++) {
        r->column[i] = (struct sql_column){&r->cells[i], &r->nulls[i], 1};
        r->forms |= has_forms(types[i].oid);
    }
    *ret = r;
    return 0;
}

struct relation *relation_ref(struct relation *r) {
    r->references++;
    return r;
}

struct relation *relation_free(struct relation *r) {
    if (!r || --r->references > 0)
        return NULL;
    for (uint64_t p = 0; p < r->page_room; p++)
        for (unsigned i = 0; r->pages[p] && i < PAGE_ROWS; i++)
            mem_free(r->pages[p]->rows[i]);
    for (uint64_t p = 0; p < r->page_room; p++)
        mem_free(r->pages[p]);
    mem_free(r->pages);
    for (unsigned i = 0; i <= RELATION_INDEXES_MAX; i++) {
        row_index_free(&r->indexes[i].rows);
        mem_free(r->indexes[i].column);
    }
    mem_free(r->gone.id);
    mem_free(r->made.id);
    mem_free(r->taken.id);
    mem_free(r->types);
    mem_free(r->cells);
    mem_free(r->nulls);
    mem_free(r->column);
    arena_free(&r->memory);
    buf_free(&r->key);
    buf_free(&r->other);
    buf_free(&r->encoded);
    return mem_free(r);
}

/* --- rows by their ids ---------------------------------------------------------------------- */

static struct row *row_at(const struct relation *r, uint64_t id) {
    uint64_t page = id / PAGE_ROWS;
    return page < r->page_room && r->pages[page] ? r->pages[page]->rows[id % PAGE_ROWS] : NULL;
}

static int place_row(struct relation *r, uint64_t id, struct row *row) {
    uint64_t page = id / PAGE_ROWS;
    if (page >= r->page_room) {
        uint64_t room = r->page_room ? r->page_room * 2 : 4;
        if (room <= page)
            room = page + 1; /* rows read back have ids far apart */
        struct page **more = mem_realloc(r->pages, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        memset(more + r->page_room, 0, (room - r->page_room) * sizeof *more);
        r->pages = more;
        r->page_room = room;
    }
    if (!r->pages[page]) {
        r->pages[page] = mem_zalloc(1, sizeof **r->pages);
        if (!r->pages[page])
            return -ENOMEM;
        r->bytes += sizeof **r->pages;
    }
    r->pages[page]->rows[id % PAGE_ROWS] = row;
    r->pages[page]->count++;
    return 0;
}

static void forget_row(struct relation *r, uint64_t id) {
    struct page **page = &r->pages[id / PAGE_ROWS];
    struct row *row = (*page)->rows[id % PAGE_ROWS];
    r->bytes -= sizeof *row + row->len;
    r->versions--;
    mem_free(row);
    (*page)->rows[id % PAGE_ROWS] = NULL;
    if (--(*page)->count == 0 && id / PAGE_ROWS < r->next_id / PAGE_ROWS) {
        *page = mem_free(*page);
        r->bytes -= sizeof **page;
    }
}

static bool seen_at(const struct row *row, uint64_t snapshot) {
    return row->created <= snapshot && snapshot < row->deleted;
}

/* --- keys ----------------------------------------------------------------------------------- */

/* The row as a batch of one row, in r->cells. */
static int read_row(struct relation *r, const struct row *row, struct sql_batch *ret) {
    arena_reset(&r->memory);
    ptrdiff_t n = sql_row_decode(slice_make(row->bytes, row->len), r->types, r->columns, &r->memory,
                                 r->cells, r->nulls);
    if (n < 0)
        return (int)n;
    *ret = (struct sql_batch){.rows = 1, .columns = r->columns, .column = r->column};
    return 0;
}

static int write_key(const struct relation *r, const struct sql_batch *batch, unsigned row,
                     const unsigned *columns, unsigned count, struct buf *out) {
    buf_clear(out);
    return sql_row_encode(batch, r->types, columns, count, row, true, out);
}

static uint64_t hash_key_bytes(const struct buf *key) {
    static const struct hash_key fixed = {0x72656c6174696f6e, 0x6e6f6e6574};
    return hash_slice(&fixed, buf_slice(key));
}

static bool key_has_null(const struct sql_batch *batch, unsigned row, const struct index *x) {
    for (unsigned i = 0; i < x->columns; i++)
        if (sql_null_at(&batch->column[x->column[i]], row))
            return true;
    return false;
}

/* Is the key of row ID in index X r->key's? 1, 0, or < 0. */
static int key_matches(struct relation *r, const struct index *x, uint64_t id) {
    struct sql_batch one;
    int n = read_row(r, row_at(r, id), &one);
    if (n == 0)
        n = write_key(r, &one, 0, x->column, x->columns, &r->other);
    return n < 0 ? n : slice_equal(buf_slice(&r->key), buf_slice(&r->other));
}

/* A live row whose key in X is r->key and which is not HIDDEN: its id to *RET. 0, -ENOENT, or < 0.
 */
static int find_live(struct relation *r, const struct index *x, const struct map64 *hidden,
                     uint64_t *ret) {
    uint64_t hash = hash_key_bytes(&r->key);
    for (uint32_t n = row_index_first(&x->rows, hash); n != INDEX_NONE;
         n = row_index_next(&x->rows, n)) {
        uint64_t id = row_index_id(&x->rows, n);
        const struct row *row = row_at(r, id);
        /* One that could not be taken out of the index for want of memory is passed over. */
        if (!row || row->deleted != RELATION_LIVE || (hidden && map64_find(hidden, id)))
            continue;
        int same = key_matches(r, x, id);
        if (same < 0)
            return same;
        if (same) {
            *ret = id;
            return 0;
        }
    }
    return -ENOENT;
}

static unsigned index_end(const struct relation *r) {
    return r->index_count + r->whole;
}

/* The index numbered I of those kept: the one over whole rows is the last. */
static struct index *index_at(struct relation *r, unsigned i) {
    return i < r->index_count ? &r->indexes[i] : &r->indexes[RELATION_INDEXES_MAX];
}

static void unindex_row(struct relation *r, uint64_t id, unsigned indexes) {
    struct sql_batch one;
    if (indexes == 0 || read_row(r, row_at(r, id), &one) < 0)
        return;
    for (unsigned i = 0; i < indexes; i++) {
        struct index *x = index_at(r, i);
        if (write_key(r, &one, 0, x->column, x->columns, &r->other) == 0)
            row_index_remove(&x->rows, hash_key_bytes(&r->other), id);
    }
}

static int fill_index(struct relation *r, struct index *x) {
    struct sql_batch one;
    for (uint64_t id = 1; id < r->next_id; id++) {
        struct row *row = row_at(r, id);
        if (!row)
            continue;
        int n = read_row(r, row, &one);
        if (n == 0)
            n = write_key(r, &one, 0, x->column, x->columns, &r->key);
        uint64_t other;
        if (n == 0 && x->unique && row->deleted == RELATION_LIVE && !key_has_null(&one, 0, x)) {
            n = find_live(r, x, NULL, &other);
            n = n == 0 ? -EEXIST : (n == -ENOENT ? 0 : n);
        }
        if (n == 0)
            n = row_index_add(&x->rows, hash_key_bytes(&r->key), id);
        if (n < 0)
            return n;
    }
    return 0;
}

static int make_index(struct relation *r, struct index *x, uint32_t oid, const unsigned *columns,
                      unsigned count, bool unique) {
    *x = (struct index){.oid = oid, .columns = count, .unique = unique};
    x->column = mem_alloc((count + 1u) * sizeof *x->column);
    if (!x->column)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        x->column[i] = columns ? columns[i] : i;
    int n = fill_index(r, x);
    if (n < 0) {
        row_index_free(&x->rows);
        x->column = mem_free(x->column);
    }
    return n;
}

int relation_add_index(struct relation *r, uint32_t oid, const unsigned *columns, unsigned count,
                       bool unique) {
    if (r->index_count == RELATION_INDEXES_MAX)
        return -ENOBUFS;
    int n = make_index(r, &r->indexes[r->index_count], oid, columns, count, unique);
    r->index_count += n == 0;
    return n;
}

void relation_drop_index(struct relation *r, uint32_t oid) {
    for (unsigned i = 0; i < r->index_count; i++)
        if (r->indexes[i].oid == oid) {
            row_index_free(&r->indexes[i].rows);
            mem_free(r->indexes[i].column);
            r->index_count--;
            memmove(&r->indexes[i], &r->indexes[i + 1],
                    (r->index_count - i) * sizeof r->indexes[0]);
            r->indexes[r->index_count] = (struct index){0};
            return;
        }
}

void relation_enforce_index(struct relation *r, uint32_t oid, bool enforce) {
    for (unsigned i = 0; i < r->index_count; i++)
        if (r->indexes[i].oid == oid)
            r->indexes[i].unique = enforce;
}

/* --- changes -------------------------------------------------------------------------------- */

static int take_row(struct relation *r, uint64_t id, uint64_t commit) {
    struct row *row = row_at(r, id);
    if (ids_push(&r->gone, id) < 0)
        return -ENOMEM;
    row->deleted = commit;
    r->live--;
    return 0;
}

static int judge_unique(struct relation *r, const struct sql_batch *batch, unsigned row,
                        struct relation_conflict *ret) {
    for (unsigned i = 0; i < r->index_count; i++) {
        const struct index *x = &r->indexes[i];
        uint64_t other;
        if (!x->unique || key_has_null(batch, row, x))
            continue;
        int n = write_key(r, batch, row, x->column, x->columns, &r->key);
        if (n == 0)
            n = find_live(r, x, NULL, &other);
        if (n == 0) {
            *ret = (struct relation_conflict){x->oid, row};
            return -EEXIST;
        }
        if (n != -ENOENT)
            return n;
    }
    return 0;
}

static int add_row(struct relation *r, const struct sql_batch *batch, unsigned at, uint64_t commit,
                   struct relation_conflict *ret) {
    int n = judge_unique(r, batch, at, ret);
    if (n < 0)
        return n;
    buf_clear(&r->encoded);
    n = sql_row_encode(batch, r->types, NULL, r->columns, at, false, &r->encoded);
    if (n < 0)
        return n;
    if (r->bytes + r->encoded.len + sizeof(struct row) > r->bytes_max)
        return -ENOBUFS;
    struct row *row = mem_alloc(sizeof *row + r->encoded.len);
    uint64_t id = r->next_id;
    if (!row)
        return -ENOMEM;
    *row = (struct row){commit, RELATION_LIVE, (uint32_t)r->encoded.len};
    if (r->encoded.len)
        memcpy(row->bytes, r->encoded.ptr, r->encoded.len);
    n = place_row(r, id, row);
    if (n < 0) {
        mem_free(row);
        return n;
    }
    r->bytes += sizeof *row + row->len;
    r->versions++;
    r->live++;
    unsigned done = 0;
    for (; n == 0 && done < index_end(r); done += n == 0) {
        struct index *x = index_at(r, done);
        n = write_key(r, batch, at, x->column, x->columns, &r->key);
        if (n == 0)
            n = row_index_add(&x->rows, hash_key_bytes(&r->key), id);
    }
    if (n == 0)
        n = ids_push(&r->made, id);
    if (n < 0) {
        unindex_row(r, id, done);
        r->live--;
        forget_row(r, id);
        return n;
    }
    r->next_id++;
    return 0;
}

void relation_restore(struct relation *r, uint64_t id) {
    struct row *row = row_at(r, id);
    check(row && row->deleted != RELATION_LIVE);
    row->deleted = RELATION_LIVE; /* its place in `gone` is passed over by vacuum */
    r->live++;
}

void relation_erase(struct relation *r, uint64_t id) {
    struct row *row = row_at(r, id);
    check(row && row->deleted == RELATION_LIVE);
    unindex_row(r, id, index_end(r));
    forget_row(r, id);
    r->live--;
}

/* As it was before the call. */
static void undo(struct relation *r) {
    for (size_t i = 0; i < r->taken.count; i++)
        relation_restore(r, r->taken.id[i]);
    for (size_t i = r->made.count; i > 0; i--)
        relation_erase(r, r->made.id[i - 1]);
    r->made.count = r->taken.count = 0;
}

/* *ID has the key r->key, of whole rows: becomes one that has the form of row ROW of BATCH, too
   (1.0 is no 1.00), where there is one not far off. */
static int same_form(struct relation *r, const struct sql_batch *batch, unsigned row,
                     uint64_t *id) {
    const struct row_index *whole = &r->indexes[RELATION_INDEXES_MAX].rows;
    uint32_t at = row_index_first(whole, hash_key_bytes(&r->key));
    buf_clear(&r->encoded);
    int n = sql_row_encode(batch, r->types, NULL, r->columns, row, false, &r->encoded);
    for (unsigned looks = 0; n == 0 && at != INDEX_NONE && looks < SAME_FORM_LOOKS; looks++) {
        const struct row *found = row_at(r, row_index_id(whole, at));
        if (found && found->deleted == RELATION_LIVE &&
            slice_equal(slice_make(found->bytes, found->len), buf_slice(&r->encoded))) {
            *id = row_index_id(whole, at);
            break;
        }
        at = row_index_next(whole, at);
    }
    return n;
}

static int take_equal(struct relation *r, const struct sql_batch *batch, unsigned row,
                      uint64_t commit) {
    struct index *whole = &r->indexes[RELATION_INDEXES_MAX];
    uint64_t id;
    if (!r->whole) {
        int n = make_index(r, whole, 0, NULL, r->columns, false);
        if (n < 0)
            return n;
        r->whole = true;
    }
    int n = write_key(r, batch, row, NULL, r->columns, &r->key);
    if (n == 0)
        n = find_live(r, whole, NULL, &id);
    if (n == 0 && r->forms)
        n = same_form(r, batch, row, &id);
    if (n == 0)
        n = ids_push(&r->taken, id);
    if (n == 0) {
        n = take_row(r, id, commit);
        r->taken.count -= n < 0;
    }
    return n;
}

/* Takes away what BATCH takes away, as far as it is there: how many are not, or < 0. MISSING: by
   row, how many are left; NULL: all of them. */
static int take_rows(struct relation *r, const struct sql_batch *batch, uint64_t commit,
                     int64_t *missing) {
    int left = 0;
    for (unsigned row = 0; row < batch->rows; row++) {
        for (; missing[row] > 0; missing[row]--) {
            int n = take_equal(r, batch, row, commit);
            if (n == -ENOENT)
                break;
            if (n < 0)
                return n;
        }
        left += missing[row] > 0;
    }
    return left;
}

int relation_apply(struct relation *r, const struct sql_batch *batch, uint64_t commit,
                   struct relation_conflict *ret_conflict) {
    int64_t missing[SQL_BATCH_ROWS];
    for (unsigned row = 0; row < batch->rows; row++) {
        int64_t w = sql_weight_at(batch, row);
        missing[row] = w < 0 ? -w : 0;
    }
    r->made.count = r->taken.count = 0;
    int left = take_rows(r, batch, commit, missing);
    int n = left < 0 ? left : 0;
    for (unsigned row = 0; row < batch->rows; row++)
        for (int64_t w = sql_weight_at(batch, row); n == 0 && w > 0; w--)
            n = add_row(r, batch, row, commit, ret_conflict);
    if (n == 0 && left > 0) { /* what the batch itself brings and takes away again */
        left = take_rows(r, batch, commit, missing);
        n = left > 0 ? -ENOENT : left;
    }
    if (n < 0)
        undo(r);
    return n;
}

int relation_judge(const struct relation *r, uint64_t id, uint64_t snapshot) {
    const struct row *row = row_at(r, id);
    if (!row || !seen_at(row, snapshot))
        return -ENOENT;
    return row->deleted == RELATION_LIVE ? 0 : -EAGAIN;
}

uint64_t relation_taken(const struct relation *r) {
    return r->gone_before + r->gone.count;
}

uint64_t relation_taken_id(const struct relation *r, uint64_t n) {
    check(n < relation_taken(r));
    return n < r->gone_before ? 0 : r->gone.id[n - r->gone_before];
}

int relation_delete(struct relation *r, uint64_t id, uint64_t commit) {
    struct row *row = row_at(r, id);
    if (!row)
        return -ENOENT;
    return row->deleted == RELATION_LIVE ? take_row(r, id, commit) : -EAGAIN;
}

void relation_vacuum(struct relation *r, uint64_t oldest, unsigned rows_max) {
    for (; rows_max && r->gone_done < r->gone.count; rows_max--, r->gone_done++) {
        uint64_t id = r->gone.id[r->gone_done];
        struct row *row = row_at(r, id);
        if (!row || row->deleted == RELATION_LIVE)
            continue;
        if (row->deleted > oldest)
            break;
        unindex_row(r, id, index_end(r));
        forget_row(r, id);
    }
    if (r->gone_done > 0 && (r->gone_done > GONE_SLACK || r->gone_done == r->gone.count)) {
        r->gone.count -= r->gone_done;
        r->gone_before += r->gone_done;
        memmove(r->gone.id, r->gone.id + r->gone_done, r->gone.count * sizeof *r->gone.id);
        r->gone_done = 0;
    }
}

void relation_set_next_id(struct relation *r, uint64_t id) {
    check(id >= r->next_id);
    r->next_id = id;
}

int64_t relation_find_key(struct relation *r, uint32_t oid, const struct sql_batch *batch,
                          unsigned row, const struct map64 *hidden) {
    const struct index *x = NULL;
    for (unsigned i = 0; !x && i < r->index_count; i++)
        if (r->indexes[i].oid == oid)
            x = &r->indexes[i];
    if (!x)
        return -ENOENT;
    if (key_has_null(batch, row, x))
        return 0;
    uint64_t id = 0;
    int n = write_key(r, batch, row, x->column, x->columns, &r->key);
    if (n == 0)
        n = find_live(r, x, hidden, &id);
    return n == 0 || n == -ENOENT ? (int64_t)id : n;
}

uint64_t relation_next_id(const struct relation *r) {
    return r->next_id;
}

struct relation_stats relation_stats(const struct relation *r) {
    uint64_t bytes = r->bytes;
    for (unsigned i = 0; i < r->index_count; i++)
        bytes += row_index_bytes(&r->indexes[i].rows);
    bytes += row_index_bytes(&r->indexes[RELATION_INDEXES_MAX].rows);
    return (struct relation_stats){r->live, r->versions, bytes};
}

/* --- scans ---------------------------------------------------------------------------------- */

void relation_scan_all(struct relation *r, uint64_t snapshot, struct relation_scan *ret) {
    *ret = (struct relation_scan){.relation = r, .snapshot = snapshot, .next = 1};
    ret->memory = buf_make(SQL_TEXT_BYTES_MAX * 4);
}

/* What X has for HASH, oldest first. The index may change, or go, before the scan is over. */
static int find_all(const struct index *x, uint64_t hash, struct relation_scan *ret) {
    size_t count = 0;
    for (uint32_t n = row_index_first(&x->rows, hash); n != INDEX_NONE;
         n = row_index_next(&x->rows, n))
        count++;
    ret->found = mem_alloc((count + 1) * sizeof *ret->found);
    ret->column = mem_alloc((x->columns + 1u) * sizeof *ret->column);
    if (!ret->found || !ret->column)
        return -ENOMEM;
    memcpy(ret->column, x->column, x->columns * sizeof *x->column);
    ret->columns = x->columns;
    ret->count = count;
    ret->next = 0;
    for (uint32_t n = row_index_first(&x->rows, hash); n != INDEX_NONE;
         n = row_index_next(&x->rows, n))
        ret->found[--count] = row_index_id(&x->rows, n);
    return 0;
}

int relation_scan_key(struct relation *r, uint64_t snapshot, const unsigned *columns,
                      unsigned count, const union sql_cell *values, struct relation_scan *ret) {
    const struct index *x = NULL;
    for (unsigned i = 0; !x && i < r->index_count; i++)
        if (r->indexes[i].columns == count &&
            memcmp(r->indexes[i].column, columns, count * sizeof *columns) == 0)
            x = &r->indexes[i];
    if (!x)
        return -ENOENT;
    relation_scan_all(r, snapshot, ret);
    for (unsigned i = 0; i < count; i++) {
        r->cells[columns[i]] = values[i];
        r->nulls[columns[i]] = 0;
    }
    struct sql_batch one = {.rows = 1, .columns = r->columns, .column = r->column};
    int n = write_key(r, &one, 0, columns, count, &ret->memory);
    if (n == 0)
        n = find_all(x, hash_key_bytes(&ret->memory), ret);
    if (n < 0)
        relation_scan_end(ret);
    return n;
}

static bool is_hidden(const struct relation_scan *scan, uint64_t id) {
    return scan->hidden && map64_find(scan->hidden, id);
}

/* Row ID has the key that is looked up: 1, 0, or < 0. */
static int has_key(struct relation_scan *scan, uint64_t id) {
    struct relation *r = scan->relation;
    struct sql_batch one;
    int n = read_row(r, row_at(r, id), &one);
    if (n == 0)
        n = write_key(r, &one, 0, scan->column, scan->columns, &r->other);
    return n < 0 ? n : slice_equal(buf_slice(&scan->memory), buf_slice(&r->other));
}

/* The next row that may be seen: its id, 0 at the end, or < 0. */
static int64_t next_row(struct relation_scan *scan) {
    const struct relation *r = scan->relation;
    uint64_t end = scan->columns ? scan->count : r->next_id;
    while (scan->next < end) {
        uint64_t id = scan->columns ? scan->found[scan->next] : scan->next;
        const struct row *row = row_at(r, id);
        scan->next++;
        if (!row || !seen_at(row, scan->snapshot) || is_hidden(scan, id))
            continue;
        int n = scan->columns ? has_key(scan, id) : 1;
        if (n != 0)
            return n < 0 ? n : (int64_t)id;
    }
    return 0;
}

int relation_read(struct relation *r, uint64_t id, const unsigned *which, unsigned count,
                  int64_t weight, struct sql_builder *b) {
    const struct row *row = row_at(r, id);
    if (!row)
        return -ENOENT;
    ptrdiff_t n = sql_row_decode(slice_make(row->bytes, row->len), r->types, r->columns, &b->memory,
                                 r->cells, r->nulls);
    if (n < 0)
        return (int)n;
    const union sql_cell id_cell = {.i = (int64_t)id};
    for (unsigned i = 0; i < count; i++) {
        unsigned column = which ? which[i] : i;
        if (which ? column == SQL_SCAN_ROW_ID : column == r->columns)
            sql_builder_set(b, i, &id_cell, false);
        else
            sql_builder_set(b, i, &r->cells[column], r->nulls[column]);
    }
    sql_builder_end(b, weight);
    return 0;
}

int relation_scan_next(struct relation_scan *scan, const unsigned *which, unsigned count,
                       struct sql_builder *b) {
    struct relation *r = scan->relation;
    int given = 0;
    while (!sql_builder_full(b)) {
        int64_t id = next_row(scan);
        if (id <= 0)
            return id < 0 ? (int)id : given;
        int n = relation_read(r, (uint64_t)id, which, count, 1, b);
        if (n < 0)
            return n;
        scan->id = (uint64_t)id;
        given++;
    }
    return given;
}

int relation_scan_bytes(struct relation_scan *scan, unsigned *looks, slice *ret) {
    const struct relation *r = scan->relation;
    for (; scan->next < r->next_id; ++scan->next) {
        uint64_t page = scan->next / PAGE_ROWS;
        if (*looks == 0)
            return -EAGAIN;
        --*looks;
        if (page >= r->page_room || !r->pages[page]) {
            scan->next = (page + 1) * PAGE_ROWS - 1;
            continue;
        }
        const struct row *row = row_at(r, scan->next);
        if (!row || !seen_at(row, scan->snapshot))
            continue;
        scan->id = scan->next++;
        *ret = slice_make(row->bytes, row->len);
        return 1;
    }
    return 0;
}

void relation_scan_end(struct relation_scan *scan) {
    buf_free(&scan->memory);
    mem_free(scan->found);
    mem_free(scan->column);
    *scan = (struct relation_scan){0};
}
