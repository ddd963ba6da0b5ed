/*
 * campaign.h - many short runs of one kind, each from its own seed, until enough power cuts were
 * survived; and one line by which a run that went wrong is repeated.
 *
 *      sim_cuts --cuts 100000 --seed 1          all of it
 *      sim_cuts --seed 1 --run 4711 --trace     that one run again, each event on stderr
 *
 * One seed is one campaign: the summary's hash is over every event of every run.
 *
 * What is wrong is told by campaign_fail, which does not return. A failed check() of the code
 * under test is told with its run, too.
 */
#ifndef NONET_TESTS_SIM_CAMPAIGN_H
#define NONET_TESTS_SIM_CAMPAIGN_H

#include "base/check.h"

#include <stdint.h>

struct campaign {
    const char *name;
    uint64_t cuts_wanted, seed;
    uint64_t only_run; /* UINT64_MAX: all */
    bool trace;
    const char *part; /* --only NAME: one part of the program, or NULL */
    bool memory;      /* for faults: allocations fail, not io calls */
    /* counted */
    uint64_t run, runs, cuts, kills, checked, faults, hash;
};

/* Reads the arguments over CUTS and SEED as defaults; a wrong one ends the program with 2. */
struct campaign campaign_make(const char *name, int argc, char **argv, uint64_t cuts);
/* Calls RUN(campaign, seed of the run) until CUTS are counted; prints a summary. A PART that was
   not asked for is left out. */
void campaign_run(struct campaign *campaign, const char *part,
                  void (*run)(struct campaign *campaign, uint64_t seed), uint64_t cuts);
/* A run is over: its trace hash goes into the one that the summary prints. */
void campaign_hash(struct campaign *campaign, uint64_t hash);
/* Says what is wrong and how to see it again; ends the program with 1. */
_Noreturn void campaign_fail(const struct campaign *campaign, const char *format, ...)
    printf_like(2, 3);

#endif
