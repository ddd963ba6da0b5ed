/*
 * filter.c - filters of several subjects (filter.h): sorted when they are made.
 *
 * Wildcards come first, because each has to be compared; behind them the literals lie in order of
 * their bytes, so that many of them cost a binary search.
 */
#include "log/filter.h"

#include <stdlib.h>

static int compare(const void *a, const void *b) {
    const slice *left = a, *right = b;
    bool first = nats_subject_has_wildcard(*left), second = nats_subject_has_wildcard(*right);
    return first != second ? second - first : slice_compare(*left, *right);
}

struct log_filter log_filter_make(slice *subjects, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (slice_equal(subjects[i], slice_lit(">")))
            return (struct log_filter){0}; /* all, and counted as all: without looking */
    struct log_filter filter = {.subjects = subjects, .count = count};
    if (count > 1)
        qsort(subjects, count, sizeof *subjects, compare);
    while (filter.wildcards < count && nats_subject_has_wildcard(subjects[filter.wildcards]))
        filter.wildcards++;
    return filter;
}

bool log_filter_has_literal(const struct log_filter *filter, slice subject) {
    unsigned low = filter->wildcards, high = filter->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = slice_compare(filter->subjects[middle], subject);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
