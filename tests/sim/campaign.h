/*
 * campaign.h - many short runs of one kind, each from its own seed, until enough power cuts were
 * survived; and one line by which a run that went wrong is repeated.
 *
 *      sim_cuts --cuts 100000 --seed 1          all of it
 *      sim_cuts --seed 1 --run 4711 --trace     that one run again, each event on stderr
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
    /* counted */
    uint64_t run, runs, cuts, kills, checked;
};

/* Reads the arguments over CUTS and SEED as defaults; a wrong one ends the program with 2. */
struct campaign campaign_make(const char *name, int argc, char **argv, uint64_t cuts);
bool campaign_has(const struct campaign *campaign, const char *part);
/* Calls RUN(campaign, seed of the run) until the cuts are made; prints a summary. */
void campaign_run(struct campaign *campaign, void (*run)(struct campaign *campaign, uint64_t seed));
/* Says what is wrong and how to see it again; ends the program with 1. */
_Noreturn void campaign_fail(const struct campaign *campaign, const char *format, ...)
    printf_like(2, 3);

#endif
