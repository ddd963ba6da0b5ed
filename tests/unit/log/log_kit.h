/*
 * log_kit.h - a desk for the log's tests: one simulated machine and one log on it.
 *
 * Calls are made by the test between events; desk_sync lets the machine run until everything is on
 * disk. What fails here fails the test. One desk at a time.
 */
#ifndef NONET_TESTS_LOG_KIT_H
#define NONET_TESTS_LOG_KIT_H

/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/random.h"
#include "log/log_data.h"
#include "log/stream.h"
#include "sim.h"

#define DESK_COMMITS 64u
#define DESK_LIMIT (120 * SIM_SECOND)

struct desk {
    struct sim *sim;
    struct io_host *host;
    struct io_group *group;
    struct io_loop *loop;
    struct logger *logger;
    struct log *log;
    struct log_options options;
    struct log_commit commits[DESK_COMMITS]; /* a ring */
    unsigned commit_next;
    unsigned committed, done, failed;
    unsigned visible_calls, rooms, fatals, checkpoints;
    int checkpoint_failed;
    struct error fatal;
    bool closed;
    bool loaded;
    int load_failed;
    struct log_load load;
};

struct desk *desk_new(uint64_t seed, const struct sim_options *options);
int desk_try_open(struct desk *desk, struct error *error);
void desk_open(struct desk *desk);
void desk_free_group(struct desk *desk);
void desk_cut(struct desk *desk);
void desk_kill(struct desk *desk);
void desk_free(struct desk *desk);
bool desk_is_closed(void *self);
bool desk_is_synced(void *self);
bool desk_has_loaded(void *self);
bool desk_has_checkpoint(void *self);
void desk_close(struct desk *desk);
void desk_reopen(struct desk *desk);
void desk_sync(struct desk *desk);
int desk_checkpoint(struct desk *desk);
struct log_batch *desk_begin(struct desk *desk);
struct log_commit *desk_commit(struct desk *desk, struct log_batch *batch);
struct log_stream *desk_put(struct desk *desk, const char *name, struct log_limits limits,
                            bool in_memory);
struct log_stream *desk_stream(struct desk *desk, const char *name);
struct log_message desk_message(const char *subject, const char *payload);
uint64_t desk_append(struct desk *desk, struct log_stream *stream, const char *subject,
                     const char *payload);
uint64_t desk_write(struct desk *desk, struct log_stream *stream, const char *subject,
                    const char *payload);
void desk_delete(struct desk *desk, struct log_stream *stream, uint64_t sequence);
void desk_trim(struct desk *desk, struct log_stream *stream, uint64_t first);
int desk_load(struct desk *desk, struct log_stream *stream, uint64_t sequence);
int desk_read(struct desk *desk, struct log_stream *stream, uint64_t sequence,
              struct log_record *record);
int desk_seek(struct desk *desk, struct log_stream *stream, const char *filter, uint64_t from,
              struct log_record *record);
void desk_expect(struct desk *desk, struct log_stream *stream, uint64_t sequence,
                 const char *subject, const char *payload);
struct log_stream *desk_find(struct desk *desk, const char *name);
/* For calls that a test makes itself. */
void desk_on_checkpoint(void *self, int failed);
void desk_on_loaded(struct log_load *load, int failed);

#endif
