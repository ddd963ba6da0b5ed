/*
 * sim.h - the simulated machine room: the twin of src/io, driven by a test.
 *
 * Link sim_dep instead of io_dep and the code above io/ runs in one thread, on a virtual clock,
 * with a disk and a network that misbehave as real ones do. Everything that happens is drawn from
 * one seed: a run is repeated by its seed, and sim_hash tells whether two runs were the same.
 *
 *     struct sim *sim = sim_create(seed, NULL);
 *     struct io_host *host = sim_host_create(sim, "a");
 *     io_group_create(host, 1, &group);
 *     sim_group_start(group, start, owner);           what io_group_run does, but returns
 *     sim_run_until(sim, finished, self, 5 * SIM_SECOND);
 *
 * TIME moves only from event to event. Loops turn as in io/loop.h; which of two loops turns first,
 * how late a timer fires, how long a job or a packet takes, is the seed's choice. File calls made
 * on a WORKER take virtual time (other loops and workers go on, and the power may fail, between any
 * two calls and inside a sync); made on a loop or by the test they take none.
 *
 * DISK. A write changes the page cache. io_file_sync makes what was written before it began
 * durable; io_dir_sync makes the folder's creates, renames and unlinks durable. sim_power_cut
 * decides for every unsynced sector: new, old, torn (new up to some byte), garbled, or one of
 * the values it had in between; for every unsynced name: done or not (a rename wholly or not). A
 * failed sync drops its sectors: the next one answers 0 and has saved nothing, as on Linux.
 *
 * A CUT HOST. sim_power_cut and sim_kill (process gone, page cache kept) leave the old io_host as a
 * ghost whose file calls answer -EIO and whose streams are reset, so that the code under test can
 * free its memory; sim_host_restart gives the machine's next life. Loops of a ghost still turn.
 *
 * NETWORK. Streams deliver in order, in pieces of any size, after any delay; a full pipe pushes
 * back. Addresses are 10.0.0.1 ... in order of creation, or the host's name, or 127.0.0.1.
 * Not simulated: TLS and child processes (-ENOSYS), folders renamed or removed.
 */
#ifndef NONET_TESTS_SIM_H
#define NONET_TESTS_SIM_H

#include "io/file.h"
#include "io/logger.h"
#include "io/net.h"

#include <stdio.h>

#define SIM_MILLISECOND UINT64_C(1000000)
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_NEVER UINT64_MAX

struct sim;

struct sim_options {              /* zero: the default in brackets */
    uint32_t sector_bytes;        /* [4096] a power of two, 512 to 4096 */
    uint64_t disk_bytes;          /* [no bound] of each host */
    uint64_t read_ns, write_ns;   /* [20 us, 30 us] mean latency of a call on a worker */
    uint64_t sync_ns;             /* [300 us] */
    uint64_t net_ns;              /* [100 us] mean latency between hosts; a tenth within one */
    uint32_t udp_loss_percent;    /* [0] */
    uint32_t udp_twice_percent;   /* [0] */
    uint32_t misdirected_percent; /* [0] writes that land one sector off */
    bool tidy_sectors;            /* unsynced sectors are new or old, never torn or garbled */
    FILE *trace;                  /* one line an event; NULL: none */
};

/* Never fail: a test without memory aborts. OPTIONS may be NULL. sim_free takes NULL. */
struct sim *sim_create(uint64_t seed, const struct sim_options *options);
struct sim *sim_free(struct sim *sim);
uint64_t sim_seed(const struct sim *sim);
uint64_t sim_hash(const struct sim *sim); /* of every event so far */
uint64_t sim_now_ns(const struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t bound); /* the seed's generator, for the test's use */
/* Files, groups, workers, listeners, streams that the code under test has not closed. */
unsigned sim_open_handles(const struct sim *sim);

/* --- driving: not from inside a callback, but for io_group_run's sake ----------------------- */

bool sim_step(struct sim *sim); /* the next event; false where none is left */
/* Until CONDITION(self) or LIMIT_NS of virtual time from now. Returns whether it came true. */
bool sim_run_until(struct sim *sim, bool (*condition)(void *self), void *self, uint64_t limit_ns);
void sim_run_for(struct sim *sim, uint64_t span_ns);
/* START(owner, loop) runs on every loop (NULL: none), in an order of the seed's choice. */
void sim_group_start(struct io_group *group, void (*start)(void *owner, struct io_loop *loop),
                     void *owner);

/* --- hosts ------------------------------------------------------------------------------------ */

struct io_host *sim_host_create(struct sim *sim, const char *name); /* owned by the sim */
/* The calendar jumps by the offset; the monotonic clock goes on from where it is, at its new pace.
 */
void sim_host_set_clock(struct io_host *host, int64_t wall_offset_ns, int32_t drift_ppm);
void sim_signal(struct io_host *host, int signum);
const char *sim_log_text(struct io_host *host); /* what loggers wrote on this machine */

void sim_power_cut(struct io_host *host);
void sim_kill(struct io_host *host);
/* Cuts the power at the STEPS-th step from now (1: before the next one); 0 takes it back. Steps are
   the disk calls that change something; a sync is two: its start and its end. Returns how many
   were still to go. */
uint64_t sim_cut_at(struct io_host *host, uint64_t steps);
uint64_t sim_disk_steps(const struct io_host *host);
bool sim_host_down(const struct io_host *host);
/* The next life of a machine that is down. The ghost stays valid till sim_free. */
struct io_host *sim_host_restart(struct io_host *down);

/* --- disk faults --------------------------------------------------------------------------------
 */

enum sim_call {
    SIM_OPEN,
    SIM_READ,
    SIM_WRITE,
    SIM_SYNC,
    SIM_ALLOCATE,
    SIM_TRUNCATE,
    SIM_RENAME,
    SIM_UNLINK,
    SIM_DIR_SYNC,
    SIM_CALLS
};
/* The NTH next CALL on this host answers ERROR (negative); 0 takes it back. */
void sim_disk_fail(struct io_host *host, enum sim_call call, uint64_t nth, int error);
void sim_disk_limit(struct io_host *host, uint64_t bytes); /* full past this; 0 = no bound */
void sim_disk_slow(struct io_host *host, unsigned factor); /* latencies times this */
/* Reads of the sector at OFFSET answer -EIO from now on, until it is written. 0 or -ENOENT. */
must_use int sim_bad_sector(struct io_host *host, const char *path, uint64_t offset);
/* Flips one bit on disk and in the cache. 0, -ENOENT, or -EINVAL past the end. */
must_use int sim_flip_bit(struct io_host *host, const char *path, uint64_t offset, unsigned bit);

/* A copy of the disk as readers see it now, and back (no file may be open; all is then durable). */
struct sim_image *sim_disk_save(struct io_host *host);
void sim_disk_load(struct io_host *host, const struct sim_image *image);
/* The INDEX-th file of the image, and its bytes; NULL past the last. */
const char *sim_image_file(const struct sim_image *image, unsigned index, slice *ret_bytes);
struct sim_image *sim_image_free(struct sim_image *image);

/* The COUNT-th next io call that may fail (1 = the very next) on any host fails with a fitting
   errno, once or from then on; 0 turns it off. Attempts so far: the end of a fault loop. */
void sim_fail_io_at(struct sim *sim, uint64_t count, bool persistent);
uint64_t sim_io_attempts(const struct sim *sim);

/* What io_resolve says of NAME from now on: ADDRESSES ("10.0.0.2 10.0.0.3") for TTL_NS, or FAILED
   (-ETIMEDOUT: nothing, until the asker's patience is over). Machines have names of their own. */
void sim_name_set(struct sim *sim, const char *name, const char *addresses, uint64_t ttl_ns,
                  int failed);

/* --- network faults -----------------------------------------------------------------------------
 */

void sim_partition(struct io_host *a, struct io_host *b); /* nothing passes, nothing is told */
void sim_heal(struct io_host *a, struct io_host *b);
void sim_reset_streams(struct io_host *host); /* every TCP connection of the host breaks */

#endif
