/*
 * engine.h - event streams on the stream shard: the inside, for the files of this folder.
 *
 *     POST /v1/streams/.. --(events.c)--.
 *                                       +--> JOBS, one after another --> one batch of ES --> answer
 *     PUB es.order.42 (any client) -----'      |
 *                                              '-- HEADS: where each event stream ends
 *
 * An append is judged against the HEAD of each event stream that it names: how many events it has,
 * the chain so far, and the last record's path of nodes (record.h). A head is read from the log
 * once (the few records of its path) and then kept, the least used going first. Heads of waiting
 * jobs are read side by side; jobs are judged strictly in the order in which they came, each when
 * all its heads are there, so what one has appended the next one sees, on disk or not yet.
 *
 * A judgement that has to read older records (has this id been there?) is done again from where it
 * stood when the block has come; meanwhile all others wait. That happens only where somebody
 * repeats an append.
 *
 * Conditions by type and tag (condition.h) are judged aside before a job enters the queue, some
 * thousand events a turn of the loop for all of them, and once more, for what has been appended
 * meanwhile, when it is its turn.
 *
 * What an event stream keeps is its LIFE (life.h), changed by jobs among the appends; what is gone
 * by it the SWEEP takes out of ES (sweep.h).
 *
 * What must be known beside the events stands in NOTES (notes.h): ES's companion, written in the
 * same batches.
 *
 * BOUNDS. ENGINE_JOBS_MAX waiting jobs and ENGINE_JOB_BYTES_MAX bytes in them: 429. HEADS_MAX heads
 * that nobody needs are kept. HEADS_IDS_MAX digests of leaves in memory: see head_knows_leaves.
 */
#ifndef NONET_EVENTS_ENGINE_H
#define NONET_EVENTS_ENGINE_H

#include "base/list.h"
#include "base/map.h"
#include "base/map64.h"
#include "bus/diversion.h"
#include "rooms/events/ids.h"
#include "rooms/events/provenance.h"
#include "wire/json.h"

#define ENGINE_STREAM "ES"
#define ENGINE_JOBS_MAX 65536u
#define ENGINE_JOB_BYTES_MAX ((size_t)128 << 20)
#define ENGINE_ASIDE_LOOKS_MAX 4096u /* events that conditions look at aside, a turn */
#define ENGINE_CALLS 6u
#define HEADS_MAX 65536u
#define HEADS_IDS_MAX ((size_t)16 << 20)

struct verify; /* verify.c */
struct states; /* state.c */
struct sweep;  /* sweep.c */

struct engine {
    struct io_loop *loop;
    struct bus *bus;
    struct streams *streams;
    struct logger *logger;
    struct log_stream *known; /* whose heads these are */
    int64_t known_created_ns;
    struct map heads;            /* subject -> struct head */
    struct list idle;            /* heads without a job, least used first */
    size_t head_count, leaf_ids; /* of idle heads; of all */
    struct list jobs, spare_jobs;
    struct list aside;           /* jobs whose conditions are judged before they enter the queue */
    struct list checked;         /* checks that hold, once what they have seen is on disk */
    uint64_t condition_looks;    /* events that conditions have looked at */
    struct io_timer aside_rests; /* while it runs nothing is judged aside: others have their turn */
    size_t job_count, job_bytes;
    unsigned spare_job_count;
    unsigned committing;      /* jobs on their way to the disk; the engine outlives them */
    struct log_stream *notes; /* notes.c */
    int64_t notes_created_ns;
    uint64_t notes_since;
    bool notes_ours;
    struct list notes_due;
    struct map tags; /* tag -> struct tag_end */
    struct list tags_idle;
    size_t tags_idle_count;
    struct list tail; /* tail.c */
    struct map64 tail_map;
    bool tail_wanted;
    struct io_task pump;
    struct list unseen;     /* fetches that wait for something to become visible */
    struct list reads_open; /* read.c */
    unsigned read_count;
    bool wanted;       /* ES, before anything is appended */
    unsigned creating; /* streams that are being made */
    bool closed;
    struct hash_key hash_key;
    struct ids ids;
    struct provenance_reader provenance;          /* of what is appended */
    struct bus_subscription *calls[ENGINE_CALLS]; /* requests from other loops */
    struct states *states;
    struct list holds; /* state_hold.c */
    bool holds_closed;
    struct sweep *sweep;
    struct verify *verify; /* under way, or NULL */
    struct json_doc doc;   /* the read being read */
};

/* ES, or NULL where it is not there yet. */
struct stream *engine_stream(const struct engine *engine);
/* The position of the last event that is on disk; 0: there is none. */
uint64_t engine_last(const struct engine *engine);
must_use int engine_create(struct io_loop *loop, struct bus *bus, struct streams *streams,
                           struct logger *logger, struct engine **ret_engine);
/* ES is made now, if it is not there, and not only with the first append. */
void engine_want_stream(struct engine *engine);
/* Waiting appends and reads are refused; what is being committed ends by itself. */
void engine_close(struct engine *engine);
/* The end of what was counted in `committing`. False: the engine has been closed meanwhile; it is
   freed with the last of them. */
bool engine_committed(struct engine *engine);
/* heads.c: no head is what it was. */
void heads_forget(struct engine *engine);

#endif
