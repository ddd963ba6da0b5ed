/*
 * filter.h - which subjects a reader wants: any of several NATS subjects, or all.
 *
 *      subjects  [ "a.*" | "b.>" | "c.1" | "c.2" | "d" ]     wildcards first, then literals sorted
 *
 * A message is looked at once however many subjects are wanted: literals cost a binary search,
 * wildcards a comparison each. log_seek_any looks at fewer records a call the more wildcards there
 * are, so a call is bounded by comparisons. The subjects should not overlap, or log_count_any,
 * which goes by messages, counts right and whoever adds up by subject does not.
 */
#ifndef NONET_LOG_FILTER_H
#define NONET_LOG_FILTER_H

#include "base/slice.h"
#include "wire/nats_subject.h"

struct log_filter {
    const slice *subjects; /* borrowed */
    unsigned count;        /* 0 = all messages */
    unsigned wildcards;    /* of them with wildcards: the first ones */
};

/* Sorts SUBJECTS in place; they must live as long as the filter. One that is ">" makes it all. */
struct log_filter log_filter_make(slice *subjects, unsigned count);

/* Is SUBJECT among the sorted literals? */
bool log_filter_has_literal(const struct log_filter *filter, slice subject);

static inline bool log_filter_match(const struct log_filter *filter, slice subject) {
    if (!filter->count)
        return true;
    for (unsigned i = 0; i < filter->wildcards; i++)
        if (nats_subject_match(subject, filter->subjects[i]))
            return true;
    return filter->count > filter->wildcards && log_filter_has_literal(filter, subject);
}

#endif
