/*
 * campaign.c - runs, counts, and the way back to a failed run. See campaign.h.
 */
#include "campaign.h"

#include "base/hash.h"
#include "base/number.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char way_back[128]; /* for the handler of a failed check, which may not format */

static void on_abort(int signum) {
    (void)signum;
    if (write(STDERR_FILENO, way_back, strlen(way_back)) < 0)
        _exit(3);
    _exit(1);
}

static _Noreturn void usage(const char *name) {
    fprintf(stderr, "usage: %s [--cuts N] [--seed S] [--run R] [--only PART] [--trace]\n", name);
    exit(2);
}

static uint64_t number_or_usage(const char *name, const char *text) {
    uint64_t number;
    if (!text || number_parse_u64(slice_str(text), &number) < 0)
        usage(name);
    return number;
}

struct campaign campaign_make(const char *name, int argc, char **argv, uint64_t cuts) {
    struct campaign campaign = {
        .name = name, .cuts_wanted = cuts, .seed = 1, .only_run = UINT64_MAX};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            campaign.trace = true;
            continue;
        }
        if (strcmp(argv[i], "--cuts") == 0)
            campaign.cuts_wanted = number_or_usage(name, value);
        else if (strcmp(argv[i], "--seed") == 0)
            campaign.seed = number_or_usage(name, value);
        else if (strcmp(argv[i], "--run") == 0)
            campaign.only_run = number_or_usage(name, value);
        else if (strcmp(argv[i], "--only") == 0 && value)
            campaign.part = value;
        else
            usage(name);
        i++;
    }
    signal(SIGABRT, on_abort);
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* a run's memory is the next run's, not the kernel's */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    return campaign;
}

void campaign_fail(const struct campaign *campaign, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "%s: ", campaign->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n%s", way_back);
    va_end(arguments);
    exit(1);
}

void campaign_hash(struct campaign *campaign, uint64_t hash) {
    campaign->hash = hash_mix64(campaign->hash * 31 + hash);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void print_counts(const struct campaign *campaign, const char *part, double spent) {
    printf("%s %s: %" PRIu64 " runs", campaign->name, part, campaign->runs);
    if (campaign->faults)
        printf(", %" PRIu64 " faults, one at a time", campaign->faults);
    else
        printf(", %" PRIu64 " power cuts, %" PRIu64 " kills (%.0f a second)", campaign->cuts,
               campaign->kills,
               (double)(campaign->cuts + campaign->kills) / (spent > 0 ? spent : 1));
    printf(", %" PRIu64 " batches acknowledged and found; %.1f s, seed %" PRIu64
           ", hash %016" PRIx64 "\n",
           campaign->checked, spent, campaign->seed, campaign->hash);
    fflush(stdout);
}

void campaign_run(struct campaign *campaign, const char *part,
                  void (*run)(struct campaign *campaign, uint64_t seed), uint64_t cuts) {
    if (campaign->part && strcmp(campaign->part, part) != 0)
        return;
    double began = seconds_now();
    bool all = campaign->only_run == UINT64_MAX;
    campaign->runs = campaign->cuts = campaign->kills = 0;
    campaign->checked = campaign->faults = campaign->hash = 0;
    campaign->run = all ? 0 : campaign->only_run;
    for (; campaign->cuts < cuts; campaign->run++) {
        snprintf(way_back, sizeof(way_back),
                 "repeat with: %s --only %s --seed %" PRIu64 " --run %" PRIu64 "\n", campaign->name,
                 part, campaign->seed, campaign->run);
        run(campaign, hash_mix64(campaign->seed * UINT64_C(0x9e3779b97f4a7c15) + campaign->run));
        campaign->runs++;
        if (!all)
            break;
    }
    print_counts(campaign, part, seconds_now() - began);
}
