/*
 * world.h - one machine, one log on it, a workload drawn from the seed, and a judge.
 *
 *      world_open --> [ world_live --> world_die --> world_recover ]* --> world_close
 *
 * A LIFE is what happens between two starts: batches over several streams and owners, checkpoints,
 * reads, idle times. It ends by a power cut at a step of the disk or between two events, by a
 * kill that leaves the page cache, or by a clean stop. world_recover opens again (perhaps cut while
 * it does) and holds what it finds against the oracle (model.h): every acknowledged batch whole
 * and in order; others whole or not at all, and only as a prefix; nothing twice. Whatever does not
 * fit ends the program by campaign_fail.
 */
#ifndef NONET_TESTS_SIM_WORLD_H
#define NONET_TESTS_SIM_WORLD_H

#include "campaign.h"
#include "model.h"
#include "sim.h"

#define WORLD_DIRECTORY "data"
#define WORLD_MEMORY "in memory" /* the stream that a restart forgets */
#define WORLD_PENDING 1024u      /* batches committed and not yet shown */
#define WORLD_ERASED 200u        /* erased messages that are looked for on the disk */

struct world_pending {
    struct log_commit commit; /* first */
    struct world *world;
    struct model_batch batch;
    bool durable, done;
};

struct world_owner {
    struct world *world;
    unsigned index;
    struct model_owner found; /* during an open */
};

struct world {
    struct campaign *campaign;
    struct sim *sim;
    struct io_host *host;
    struct io_group *group;
    struct log *log;
    struct logger *logger;
    struct log_options options;
    struct log_owner owners[MODEL_OWNERS];
    struct world_owner found[MODEL_OWNERS];

    struct model staged, shown;
    uint64_t committed, shown_position;
    struct world_pending pending[WORLD_PENDING]; /* by position, modulo */
    int64_t clock_ns;
    uint64_t tags; /* given out */
    uint64_t erased[WORLD_ERASED];
    unsigned erased_count;

    bool faulty;  /* io or memory has been made to fail in this life: more answers are allowed */
    bool fatal;   /* on_fatal was called */
    bool refused; /* a commit has failed */
    bool stopping, stopped; /* log_close was called, is done */
    unsigned checkpoints;   /* asked for and not yet told */
    bool refused_once;      /* pushed back since the last wait */
};

/* Makes room, machine and options; the log is opened by world_recover. */
void world_make(struct world *world, struct campaign *campaign, uint64_t seed);
void world_free(struct world *world);
/* One attempt to open. 0, or why not (a fault, a cut); frees all where it fails. */
must_use int world_open(struct world *world);
/* Opens, however often the attempt is cut (CUTS: whether it may be), and judges. */
void world_recover(struct world *world, bool cuts);
/* ACTIONS things are done, or fewer where the machine goes down or the log fails. */
void world_live(struct world *world, uint64_t actions);
void world_checkpoint(struct world *world);
/* A clean stop; whatever was committed must be acknowledged. */
void world_stop(struct world *world);
/* Frees the log (as a kill does) and everything else that the code under test holds. */
void world_leave(struct world *world);
uint64_t world_below(struct world *world, uint64_t bound);

/* --- judge.c: for world.c */
void world_judge(struct world *world);         /* right behind an open */
void world_judge_streams(struct world *world); /* at any time when all is shown */
/* The message there, read to the end: 0, -ENOENT, or an error. */
must_use int world_read(struct world *world, struct log_stream *stream, uint64_t sequence,
                        struct log_record *ret_record);
/* --- erased.c: OP is about to be applied to what is shown */
void world_note_erased(struct world *world, const struct model_op *op);
/* Waits until the log has erased what was to be; then no file may hold it. */
void world_judge_erased(struct world *world);

/* --- judge.c again */
void world_check_record(struct world *world, unsigned stream, uint64_t sequence,
                        const struct log_record *record);

#endif
