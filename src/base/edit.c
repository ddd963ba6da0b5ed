#include "base/edit.h"

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* rows[i % 3][j] = edits between the first i letters of A and the first j of B. */
size_t edit_distance(slice a, slice b) {
    size_t rows[3][EDIT_WORD_MAX + 1];
    if (a.len > EDIT_WORD_MAX || b.len > EDIT_WORD_MAX)
        return EDIT_FAR;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = lower(a.ptr[i - 1]);
            char y = lower(b.ptr[j - 1]);
            row[j] = least(above[j - 1] + (x != y), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && y == lower(a.ptr[i - 2]))
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

ptrdiff_t edit_closest(slice word, const char *const *candidates, size_t count) {
    size_t near_enough = word.len / 3 > 1 ? word.len / 3 : 1;
    size_t best = near_enough + 1;
    ptrdiff_t best_index = -1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, slice_str(candidates[i]));
        if (distance < best) {
            best = distance;
            best_index = (ptrdiff_t)i;
        }
    }
    return best_index;
}
