/*
 * histogram.h - how often a time took how long, in fixed memory, whatever comes.
 *
 *     value 0..31: one bucket each; above: 32 buckets to each doubling, so no more than 3 % off
 *
 * One writer; histograms of several threads are added together when they have ended.
 */
#ifndef NONET_CLI_HISTOGRAM_H
#define NONET_CLI_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (60u * 32u)

struct histogram {
    uint64_t count, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value that PART (0..1) of all do not exceed; 0 of an empty one. */
uint64_t histogram_at(const struct histogram *histogram, double part);

#endif
