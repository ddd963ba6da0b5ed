/* histogram.c - see histogram.h. */
#include "cli/histogram.h"

#define LINEAR 32u
#define LINEAR_BITS 5u

static unsigned bucket_of(uint64_t value) {
    if (value < LINEAR)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - LINEAR_BITS;
    return (shift + 1) * LINEAR + (unsigned)(value >> shift) % LINEAR;
}

/* The largest value that falls into BUCKET. */
static uint64_t top_of(unsigned bucket) {
    if (bucket < LINEAR)
        return bucket;
    unsigned shift = bucket / LINEAR - 1;
    return ((uint64_t)(LINEAR + bucket % LINEAR) << shift) + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value) {
    h->count++;
    h->buckets[bucket_of(value)]++;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    into->count += from->count;
    into->max = from->max > into->max ? from->max : into->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t histogram_at(const struct histogram *h, double part) {
    uint64_t wanted = (uint64_t)((double)h->count * part + 0.5), seen = 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->count; i++) {
        seen += h->buckets[i];
        if (seen >= wanted)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}
