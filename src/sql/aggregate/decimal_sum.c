/*
 * decimal_sum.c - the exact sum of numerics, and sum and avg of numeric over it.
 *
 * Taking a value away is adding it with a negative weight: nothing is lost, because nothing was
 * rounded. NaN and the infinities are counted, not added, so that they go away with their rows.
 */
#include "sql/aggregate/aggregate.h"

#include "base/mem.h"
#include "sql/number/number.h"
#include "sql/numeric_big.h"

#include <errno.h>

struct decimal_scales {
    unsigned count, room;
    struct {
        int64_t rows;
        uint16_t scale;
    } entry[];
};

#define SCALES_MAX 16384u /* of numeric: 0..16383 */

/* ---- pieces of saved states ------------------------------------------------------------------ */

int save_bytes(struct buf *out, const void *bytes, size_t count) {
    return buf_append(out, slice_make(bytes, count));
}

int load_bytes(slice *from, void *to, size_t count) {
    if (from->len < count)
        return -EBADMSG;
    memcpy(to, from->ptr, count);
    *from = slice_skip(*from, count);
    return 0;
}

int save_slice(struct buf *out, slice text) {
    uint64_t len = text.len;
    int rc = save_bytes(out, &len, sizeof len);
    return rc < 0 ? rc : buf_append(out, text);
}

int load_slice(slice *from, slice *ret) {
    uint64_t len;
    int rc = load_bytes(from, &len, sizeof len);
    if (rc < 0 || len > from->len)
        return -EBADMSG;
    *ret = slice_take(*from, (size_t)len);
    *from = slice_skip(*from, (size_t)len);
    return 0;
}

/* ---- scales ---------------------------------------------------------------------------------- */

static int count_scale(struct decimal_sum *sum, uint16_t scale, int64_t weight) {
    if (sum->shown_rows == 0 && !sum->others)
        sum->shown_scale = scale;
    if (likely(sum->shown_scale == scale)) {
        sum->shown_rows += weight;
        return 0;
    }
    struct decimal_scales *others = sum->others;
    for (unsigned i = 0; others && i < others->count; i++)
        if (others->entry[i].scale == scale) {
            others->entry[i].rows += weight;
            return 0;
        }
    if (!others || others->count == others->room) {
        unsigned room = others ? others->room * 2 : 4;
        struct decimal_scales *grown =
            mem_realloc(others, sizeof *grown + room * sizeof grown->entry[0]);
        if (!grown)
            return -ENOMEM;
        grown->count = others ? grown->count : 0;
        grown->room = room;
        sum->others = others = grown;
    }
    others->entry[others->count].scale = scale;
    others->entry[others->count++].rows = weight;
    return 0;
}

static unsigned shown_scale(const struct decimal_sum *sum) {
    unsigned scale = sum->shown_rows != 0 ? sum->shown_scale : 0;
    const struct decimal_scales *others = sum->others;
    for (unsigned i = 0; others && i < others->count; i++)
        if (others->entry[i].rows != 0 && others->entry[i].scale > scale)
            scale = others->entry[i].scale;
    return scale;
}

/* ---- the sum --------------------------------------------------------------------------------- */

static int keep_wide(struct decimal_sum *sum, struct sql_numeric n) {
    bool big = n.kind == SQL_NUMERIC_BIG;
    size_t limbs = big ? n.big->count * sizeof *n.big->limbs : 0;
    char *kept = mem_alloc(sizeof n + sizeof *n.big + limbs);
    if (!kept)
        return -ENOMEM;
    struct sql_numeric *head = (struct sql_numeric *)(void *)kept;
    struct sql_numeric_big *body = (struct sql_numeric_big *)(void *)(kept + sizeof n);
    *head = n;
    if (big) {
        *body = *n.big;
        body->limbs = memcpy(body + 1, n.big->limbs, limbs);
        head->big = body;
    }
    mem_free(sum->wide);
    sum->wide = head;
    return 0;
}

static int add_wide(struct decimal_sum *sum, struct sql_numeric n, struct arena *memory) {
    struct sql_numeric so_far = sum->wide ? *sum->wide : sql_numeric_small(0, 0);
    struct sql_numeric total;
    int rc = sql_numeric_add(so_far, n, memory, &total);
    return rc < 0 ? rc : keep_wide(sum, total);
}

/* The small part's digits move to the wide one, which makes room in it again. */
static int flush_small(struct decimal_sum *sum, struct arena *memory) {
    struct sql_numeric n;
    int rc = sql_numeric_from_parts(sum->small, sum->small_scale, memory, &n);
    if (rc == 0)
        rc = add_wide(sum, n, memory);
    if (rc == 0)
        sum->small = 0;
    return rc;
}

/* VALUE x 10^DIGITS. False: it does not fit. */
static bool shift(__int128 *value, unsigned digits) {
    for (; digits > 0; digits--)
        if (__builtin_mul_overflow(*value, (__int128)10, value))
            return false;
    return true;
}

static int add_small(struct decimal_sum *sum, int64_t coefficient, unsigned scale, int64_t weight,
                     struct arena *memory) {
    __int128 value = (__int128)coefficient * weight; /* below 10^18 x 2^63: fits */
    if (unlikely(scale != sum->small_scale)) {
        __int128 shifted = scale > sum->small_scale ? sum->small : value;
        unsigned apart =
            scale > sum->small_scale ? scale - sum->small_scale : sum->small_scale - scale;
        if (sum->small == 0) {
            sum->small_scale = (uint16_t)scale;
        } else if (apart > 38 || !shift(&shifted, apart)) {
            int rc = flush_small(sum, memory);
            if (rc < 0)
                return rc;
            sum->small_scale = (uint16_t)scale;
        } else if (scale > sum->small_scale) {
            sum->small = shifted;
            sum->small_scale = (uint16_t)scale;
        } else {
            value = shifted;
        }
    }
    __int128 total;
    if (unlikely(__builtin_add_overflow(sum->small, value, &total))) {
        int rc = flush_small(sum, memory);
        if (rc < 0)
            return rc;
        total = value;
    }
    sum->small = total;
    return 0;
}

int decimal_sum_add(struct decimal_sum *sum, struct sql_numeric n, int64_t weight,
                    struct arena *memory) {
    int rc = 0;
    switch (n.kind) {
    case SQL_NUMERIC_NAN:
        sum->nan += weight;
        break;
    case SQL_NUMERIC_INFINITY:
        sum->positive += weight;
        break;
    case SQL_NUMERIC_MINUS_INFINITY:
        sum->negative += weight;
        break;
    case SQL_NUMERIC_SMALL:
        rc = add_small(sum, n.coefficient, n.scale, weight, memory);
        break;
    default: {
        struct sql_numeric factor;
        rc = sql_numeric_from_int(weight, memory, &factor);
        if (rc == 0 && weight != 1)
            rc = sql_numeric_multiply(n, factor, memory, &n);
        if (rc == 0)
            rc = add_wide(sum, n, memory);
    }
    }
    if (rc == 0 && n.kind <= SQL_NUMERIC_BIG)
        rc = count_scale(sum, n.scale, weight);
    if (rc == 0)
        sum->rows += weight;
    return rc;
}

int decimal_sum_total(const struct decimal_sum *sum, struct arena *memory,
                      struct sql_numeric *ret) {
    if (sum->nan != 0 || (sum->positive != 0 && sum->negative != 0)) {
        *ret = sql_numeric_special(SQL_NUMERIC_NAN);
        return 0;
    }
    if (sum->positive != 0 || sum->negative != 0) {
        *ret = sql_numeric_infinity(sum->positive != 0 ? 1 : -1);
        return 0;
    }
    struct sql_numeric total;
    int rc = sql_numeric_from_parts(sum->small, sum->small_scale, memory, &total);
    if (rc == 0 && sum->wide)
        rc = sql_numeric_add(total, *sum->wide, memory, &total);
    unsigned scale = shown_scale(sum);
    if (rc < 0 || total.scale != scale)
        return rc < 0 ? rc : sql_numeric_round(total, (int)scale, memory, ret);
    return sql_numeric_copy(total, memory, ret);
}

void decimal_sum_release(struct decimal_sum *sum) {
    sum->others = mem_free(sum->others);
    sum->wide = mem_free(sum->wide);
}

int decimal_sum_save(const struct decimal_sum *sum, struct buf *out) {
    int rc = save_bytes(out, sum, sizeof *sum); /* its pointers are not read back */
    unsigned count = sum->others ? sum->others->count : 0;
    if (rc == 0)
        rc = save_bytes(out, &count, sizeof count);
    if (rc == 0 && count > 0)
        rc = save_bytes(out, sum->others->entry, count * sizeof sum->others->entry[0]);
    if (rc < 0)
        return rc;
    _cleanup_buf_ struct buf text = buf_make((size_t)1 << 20);
    if (sum->wide)
        rc = sql_numeric_print(*sum->wide, &text);
    return rc < 0 ? rc : save_slice(out, buf_slice(&text));
}

int decimal_sum_load(struct decimal_sum *sum, slice *bytes) {
    unsigned count = 0;
    slice text;
    int rc = load_bytes(bytes, sum, sizeof *sum);
    if (rc < 0)
        return rc;
    sum->others = NULL;
    sum->wide = NULL;
    rc = load_bytes(bytes, &count, sizeof count);
    if (rc < 0 || count > SCALES_MAX)
        return -EBADMSG;
    if (count > 0) {
        size_t entries = count * sizeof sum->others->entry[0];
        sum->others = mem_alloc(sizeof *sum->others + entries);
        if (!sum->others)
            return -ENOMEM;
        sum->others->count = sum->others->room = count;
        rc = load_bytes(bytes, sum->others->entry, entries);
    }
    if (rc == 0)
        rc = load_slice(bytes, &text);
    if (rc == 0 && text.len > 0) {
        struct arena memory = arena_make(0, (size_t)4 << 20);
        struct sql_numeric n;
        rc = sql_numeric_parse(text, &memory, &n);
        if (rc == 0)
            rc = keep_wide(sum, n);
        else if (rc != -ENOMEM)
            rc = -EBADMSG;
        arena_free(&memory);
    }
    if (rc < 0)
        decimal_sum_release(sum);
    return rc;
}

/* ---- sum and avg of numeric ------------------------------------------------------------------ */

static int add(struct sql_call *call, void *state, const union sql_cell *a, int64_t weight) {
    return number_failed(call, decimal_sum_add(state, a[0].numeric, weight, call->memory));
}

static int sum_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct decimal_sum *sum = state;
    call->null = sum->rows == 0;
    return call->null ? 0
                      : number_failed(call, decimal_sum_total(sum, call->memory, &ret->numeric));
}

static int average_of(struct sql_call *call, const void *state, union sql_cell *ret) {
    const struct decimal_sum *sum = state;
    call->null = sum->rows == 0;
    if (call->null)
        return 0;
    struct sql_numeric total;
    struct sql_numeric rows;
    int rc = decimal_sum_total(sum, call->memory, &total);
    if (rc == 0)
        rc = sql_numeric_from_int(sum->rows, call->memory, &rows);
    if (rc == 0)
        rc = sql_numeric_divide(total, rows, call->memory, &ret->numeric);
    return number_failed(call, rc);
}

static void release(void *state) {
    decimal_sum_release(state);
}

static int save(const void *state, struct buf *out) {
    return decimal_sum_save(state, out);
}

static int load(void *state, slice bytes) {
    int rc = decimal_sum_load(state, &bytes);
    return rc == 0 && bytes.len > 0 ? -EBADMSG : rc;
}

#define DECIMAL(name_, result_)                                                                    \
    {                                                                                              \
        .name = (name_), .result = SQL_NUMERIC, .count = 1, .arguments = {SQL_NUMERIC},            \
        .invertible = true, .state_bytes = sizeof(struct decimal_sum), .add = add,                 \
        .result_of = (result_), .release = release, .save = save, .load = load                     \
    }

const struct sql_aggregate sql_aggregates_decimal[] = {
    DECIMAL("sum", sum_of),
    DECIMAL("avg", average_of),
    {.name = NULL},
};
