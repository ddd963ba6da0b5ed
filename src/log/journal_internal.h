/*
 * journal_internal.h - what the journal's .c files share; nobody else includes it.
 *
 *      journal.c          open, close, free, figures
 *      journal_recover.c  open: what the files say, and the first file of a fresh log
 *      journal_file.c     the chain of files: making, recycling, removing, looking for room
 *      journal_batch.c    the batch being built, and the groups it goes to
 *      journal_write.c    one group at a time to disk, seals, failure
 *
 * Life of a group's buffer:
 *
 *      spare --journal_batch_room--> FORMING --closed--> PENDING --submitted--> WRITING --> spare
 *                                      place may move      place, number and positions fixed
 *                                      till its first
 *                                      batch is committed
 *
 * Closing happens when the group is submitted, or when a batch does not fit it any more. Places
 * are given in closing order from TAIL, the end of the last closed group; so is the group number,
 * and FORMING never counts on what another group may still need.
 *
 * Life of a file:  making (.new) -> in the chain, behind the tail -> holds the tail -> before it
 *                  -> renewed under the next number (.new between), or removed
 *
 * One file is worked on at a time: files leave the front in order, and a power cut cannot bring
 * back an old one without those behind it.
 */
#ifndef NONET_LOG_JOURNAL_INTERNAL_H
#define NONET_LOG_JOURNAL_INTERNAL_H

#include "base/list.h"
#include "io/file.h"
#include "log/journal_format.h"

#define JOURNAL_BUFFER_MIN (64u << 10)       /* a group's buffer when it is new */
#define JOURNAL_BUFFER_IDLE_MAX (256u << 10) /* larger ones are given back when idle */
#define JOURNAL_SPARES_MAX 2u
#define JOURNAL_RESUBMIT_NS 1000000u /* after a worker has refused a job */
#define JOURNAL_REFUSALS_MAX 1000u   /* in a row */

enum journal_work { JOURNAL_MAKE, JOURNAL_RENEW, JOURNAL_REMOVE };

struct journal_file {
    struct list_node node; /* in the chain, by number */
    struct journal *journal;
    struct io_file *file;
    uint64_t number, bytes;
    uint64_t last_position;       /* of its groups; counts where it has some */
    bool has_groups, used, stale; /* the last two: journal_file.c */
    /* The work under way. */
    struct io_job job;
    enum journal_work work;
    uint64_t new_number;
    int failed;      /* its answer */
    bool chain_hurt; /* ... which leaves the folder in doubt */
};

struct journal_buffer {
    struct journal_buffer *next; /* pending or spare */
    struct journal *journal;
    struct journal_file *file;
    struct journal_group group; /* used, batches, place; the rest once closed */
    char *bytes;     /* aligned to IO_DIRECT_BYTES: files of the journal bypass the page cache */
    size_t capacity; /* a multiple of JOURNAL_SECTOR */
    struct io_job job;
    uint64_t write_ns;
    int failed;
};

struct journal {
    struct journal_options options; /* directory is our own copy */
    struct io_host *host;
    uint64_t log_id, reserve_bytes;

    struct list chain;         /* every usable file, by number */
    struct journal_file *work; /* on the file worker */
    uint64_t next_file_number;
    uint64_t recycle_position;
    bool no_space; /* making a file has failed; tried again by the timer */

    struct journal_file *tail; /* where the last closed group ends */
    uint64_t tail_offset;
    uint64_t written_file; /* number of the file of the newest group on disk; 0 = none */
    uint64_t previous_file, previous_offset;
    uint64_t next_group, next_position;
    uint64_t closed_position, synced_position;
    bool sealed; /* the last closed group is a seal, or there is none */

    struct journal_buffer *forming, *writing, *spare;
    struct journal_buffer *pending, **pending_end;
    struct journal_buffer seal;
    unsigned spare_count;
    size_t limit[2]; /* FORMING may grow this far where it is: appends, reserve */

    bool batch_open;
    uint32_t batch_changes; /* added so far */
    size_t batch_bytes;     /* with its header; 0 = no change yet */

    struct io_worker *sync_worker, *file_worker;
    struct io_task task;
    struct io_timer seal_timer, retry_timer;
    unsigned refusals;
    uint64_t idle_since_ns;
    struct journal_stats stats;

    int failed; /* nothing is written any more */
    struct error error;
    bool failure_told, closing, freeing, retiring;
    void (*close_done)(void *self, int failed);
    void *close_self;
};

/* --- journal_file.c --------------------------------------------------------------------------- */
must_use struct journal_file *journal_file_new(struct journal *journal, uint64_t bytes);
void journal_file_free(struct journal_file *file); /* closes it; NULL allowed */
void journal_chain_insert(struct journal *journal, struct journal_file *file);
struct journal_file *journal_chain_next(const struct journal *journal,
                                        const struct journal_file *file);
must_use int journal_file_make(struct journal_file *file); /* on disk, name and all; any thread */
/* The first place from FILE and OFFSET on that holds LENGTH bytes and leaves KEEP behind it. */
must_use struct journal_file *journal_find_place(const struct journal *journal,
                                                 struct journal_file *file, uint64_t *offset,
                                                 uint64_t length, uint64_t keep);
/* May a file in which LENGTH and the reserve fit be made? 0, -EAGAIN, -ENOSPC. */
must_use int journal_may_make(const struct journal *journal, uint64_t length,
                              uint64_t *ret_file_bytes);
must_use int journal_make_now(struct journal *journal, uint64_t length); /* on the loop */
uint64_t journal_room_behind(const struct journal *journal, const struct journal_file *file);
void journal_tidy(struct journal *journal); /* starts the next file work that is due, if any */

/* --- journal_batch.c -------------------------------------------------------------------------- */
struct journal_buffer *journal_buffer_new(struct journal *journal, size_t capacity);
void journal_buffer_free(struct journal_buffer *buffer); /* NULL allowed */
void journal_buffer_release(struct journal *journal, struct journal_buffer *buffer);
/* Fixes number, positions and length of BUFFER, whose place is set, and moves the tail behind it.
 */
void journal_group_close(struct journal *journal, struct journal_buffer *buffer);

/* --- journal_write.c -------------------------------------------------------------------------- */
void journal_task(struct io_task *task);
void journal_on_seal_timer(struct io_timer *timer);
void journal_on_retry_timer(struct io_timer *timer);
void journal_write_arm_seal(struct journal *journal);
/* Stops all writing; told from the task. */
void journal_fail(struct journal *journal, int code, uint64_t file, uint64_t offset,
                  const char *what);

/* --- journal_recover.c ------------------------------------------------------------------------ */
must_use int journal_recover(struct journal *journal, struct error *ret_error);

#endif
