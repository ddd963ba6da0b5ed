/*
 * flips.h - damage of one bit: found and named, or without effect; never served, never hidden.
 *
 * A small log is written, checkpointed, written again and closed, so that its journal is sealed.
 * Then bits of its files are flipped, one at a time: all of them where the campaign asks for at
 * least FLIPS_ALL cuts, else a sample. Each time `log verify` and an open must agree with the
 * oracle.
 */
#ifndef NONET_TESTS_SIM_FLIPS_H
#define NONET_TESTS_SIM_FLIPS_H

#include "campaign.h"

#define FLIPS_ALL 50000u
#define FLIPS_SAMPLE 3000u

void flips_run(struct campaign *campaign, uint64_t seed);

#endif
