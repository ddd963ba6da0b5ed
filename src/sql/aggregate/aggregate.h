/*
 * aggregate.h - what the files of aggregate/ share: rows of tables, and two kinds of state.
 *
 *   count_sum.c     count, sum and avg of integers and floats
 *   decimal_sum.c   the exact sum of numerics that also takes values away; sum and avg over it
 *   variance.c      variance, stddev and their kin
 *   regression.c    corr, covar_*, regr_*
 *   extreme.c       min and max
 *   logic.c         bool_and, bool_or, every, bit_and, bit_or, bit_xor
 *   gather.c        string_agg, array_agg
 *   ordered.c       WITHIN GROUP: percentile_cont, percentile_disc, mode
 */
#ifndef NONET_SQL_AGGREGATE_AGGREGATE_H
#define NONET_SQL_AGGREGATE_AGGREGATE_H

#include "sql/function.h"
#include "sql/numeric.h"

/* An exact sum of numerics. Digits fit 128 bits in `small` until they do not; then `wide` takes
   over what was there. A sum shows as many digits as the widest value in it, so the values are
   counted by their scale: most sums see one, the rest are in `others`. */
struct decimal_sum {
    __int128 small;                        /* / 10^small_scale */
    int64_t rows, nan, positive, negative; /* of them: NaN, Infinity, -Infinity */
    int64_t shown_rows;                    /* of scale shown_scale */
    struct decimal_scales *others;         /* mem_ */
    struct sql_numeric *wide;              /* mem_, with its limbs behind it; NULL: 0 */
    uint16_t small_scale, shown_scale;
};

must_use int decimal_sum_add(struct decimal_sum *sum, struct sql_numeric n, int64_t weight,
                             struct arena *memory);
/* Of the finite values; NaN and infinities where some are. */
must_use int decimal_sum_total(const struct decimal_sum *sum, struct arena *memory,
                               struct sql_numeric *ret);
void decimal_sum_release(struct decimal_sum *sum);
must_use int decimal_sum_save(const struct decimal_sum *sum, struct buf *out);
/* Takes its bytes off *BYTES. -EBADMSG where they are none. */
must_use int decimal_sum_load(struct decimal_sum *sum, slice *bytes);

/* Fixed pieces of a saved state. */
must_use int save_bytes(struct buf *out, const void *bytes, size_t count);
must_use int load_bytes(slice *from, void *to, size_t count);
/* A text behind its length. */
must_use int save_slice(struct buf *out, slice text);
must_use int load_slice(slice *from, slice *ret);

#endif
