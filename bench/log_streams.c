/*
 * log_streams.c - what the log costs by itself: `log_streams DIR MESSAGES [PAYLOAD [SUBJECTS]]`.
 *
 *      append    begin + append + commit of one message, the loop's thread only (syncs go on)
 *      read      log_read of one message after the other, and of random ones, in memory
 *      seek      log_seek from message to message
 *      recover   log_open of what was written, checkpointed and closed
 *
 * Each line: what, operations, nanoseconds each. DIR should be empty; it is left behind.
 */
#include "base/mem.h"
#include "base/random.h"
#include "log/stats.h"
#include "log/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_MESSAGES 8192u
#define NAME_BYTES 20u
#define OUTSTANDING_MAX 65536u

struct bench {
    const char *directory;
    uint64_t messages, subjects, payload;
    struct io_host *host;
    struct io_loop *loop;
    struct log *log;
    struct log_stream *stream;
    struct io_timer timer;
    uint64_t sent, done, append_ns, started_ns, full;
    struct log_commit *commits;
    struct random random;
    char *bytes, *names;
};

static struct bench bench;

static _Noreturn void die(const char *what, int failed, const struct error *error) {
    fprintf(stderr, "log_streams: %s: %s %s %s\n", what, error_name(failed),
            error ? error->place : "", error ? error->message : "");
    exit(1);
}

/* The loop thread's own time: what others do on the machine does not count. */
static uint64_t spent(void) {
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static uint64_t now(void) {
    return io_host_clock_ns(bench.host);
}

static void line(const char *what, uint64_t count, uint64_t ns) {
    printf("%-12s %12llu %10.1f ns\n", what, (unsigned long long)count,
           (double)ns / (double)(count ? count : 1));
    fflush(stdout);
}

static void open_log(uint64_t cache_bytes) {
    struct log_options options = {.directory = bench.directory, .cache_bytes = cache_bytes};
    struct error error = {0};
    int failed = log_open(bench.loop, &options, &bench.log, &error);
    if (failed)
        die("open", failed, &error);
}

static void append_one(void) {
    struct log_batch *batch;
    int failed = log_batch_begin(bench.log, &batch);
    if (failed)
        die("begin", failed, NULL);
    struct log_message message = {
        .subject = slice_make(bench.names + bench.sent % bench.subjects * NAME_BYTES, NAME_BYTES),
        .payload = slice_make(bench.bytes, bench.payload),
        .time_ns = (int64_t)bench.sent};
    uint64_t sequence;
    failed = log_batch_append(batch, bench.stream, &message, &sequence);
    if (failed)
        die("append", failed, NULL);
    log_batch_commit(batch, &bench.commits[bench.sent % OUTSTANDING_MAX]);
    bench.sent++;
}

/* --- reading --------------------------------------------------------------------------------- */

static void bench_reads(void) {
    struct log_stream_state state = log_stream_state(bench.stream);
    struct log_record record;
    uint64_t count = bench.messages < 200000 ? bench.messages : 200000;
    uint64_t from = state.last_sequence - count + 1, bytes = 0;
    uint64_t start = spent(), read = 0;
    for (uint64_t s = from; s <= state.last_sequence; s++) {
        if (log_read(bench.log, bench.stream, s, &record))
            continue;
        bytes += record.payload.len;
        read++;
    }
    line("read next", read, spent() - start);
    start = spent();
    read = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t s = from + random_below(&bench.random, count);
        read += log_read(bench.log, bench.stream, s, &record) == 0;
    }
    line("read random", read, spent() - start);
    start = spent();
    read = 0;
    for (uint64_t s = from;
         log_seek(bench.log, bench.stream, slice_lit("bench.>"), s, &record) == 0;
         s = record.sequence + 1)
        read++;
    line("seek", read, spent() - start);
    printf("%-12s %12llu bytes\n", "read", (unsigned long long)bytes);
}

/* --- the phases ------------------------------------------------------------------------------ */

static void finished(void *self) {
    (void)self;
    io_loop_stop(bench.loop);
}

static void closed(void *self) {
    (void)self;
    bench.log = NULL;
    uint64_t start = now(), cpu = spent();
    open_log(0);
    uint64_t ns = now() - start;
    cpu = spent() - cpu;
    bench.stream = log_stream_find(bench.log, slice_lit("BENCH"));
    struct log_stream_state state = log_stream_state(bench.stream);
    line("recover", state.messages, ns);
    line("recover, CPU", state.messages, cpu);
    printf("%-12s %12llu bytes, %.2f GB/s, %llu subjects\n", "recovered",
           (unsigned long long)state.bytes, (double)state.bytes / (double)ns,
           (unsigned long long)state.subjects);
    log_close(bench.log, finished, NULL);
}

static void append_some(struct io_timer *timer) {
    (void)timer;
    uint64_t start = spent(), before = bench.sent;
    while (bench.sent - before < TURN_MESSAGES && bench.sent < bench.messages &&
           bench.sent - bench.done < OUTSTANDING_MAX && !log_full(bench.log))
        append_one();
    bench.append_ns += spent() - start;
    bench.full += log_full(bench.log);
    if (bench.done < bench.messages) {
        io_timer_start(bench.loop, &bench.timer, 0, append_some);
        return;
    }
    line("append", bench.sent, bench.append_ns);
    line("synced", bench.sent, now() - bench.started_ns);
    struct log_stats stats = log_stats(bench.log);
    printf("%-12s %12llu, %.0f batches each, %.0f us each; %llu checkpoints, %.0f ms each\n",
           "groups", (unsigned long long)stats.groups, (double)stats.batches / (double)stats.groups,
           (double)stats.sync_ns / 1e3 / (double)stats.groups,
           (unsigned long long)stats.checkpoints,
           (double)stats.checkpoint_ns / 1e6 / (double)stats.checkpoints);
    printf("%-12s %12llu turns full, at most %.1f ms still for a checkpoint\n", "waited",
           (unsigned long long)bench.full, (double)stats.checkpoint_stall_ns_max / 1e6);
    bench_reads();
    log_close(bench.log, closed, NULL);
}

static void on_done(struct log_commit *commit, int failed) {
    (void)commit;
    if (failed)
        die("commit", failed, NULL);
    bench.done++;
}

static void start(void *owner, struct io_loop *loop) {
    (void)owner;
    bench.loop = loop;
    open_log(UINT64_C(1) << 30);
    struct log_batch *batch;
    int failed = log_batch_begin(bench.log, &batch);
    if (!failed)
        failed = log_batch_put_stream(batch, slice_lit("BENCH"), (slice){0},
                                      &(struct log_limits){0}, false, 0, &bench.stream);
    if (failed)
        die("stream", failed, NULL);
    log_batch_commit(batch, NULL);
    bench.started_ns = now();
    append_some(&bench.timer);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: log_streams DIR MESSAGES [PAYLOAD [SUBJECTS]]\n");
        return 2;
    }
    bench.directory = argv[1];
    bench.messages = strtoull(argv[2], NULL, 10);
    bench.payload = argc > 3 ? strtoull(argv[3], NULL, 10) : 128;
    bench.subjects = argc > 4 ? strtoull(argv[4], NULL, 10) : 1000;
    bench.random = random_make(1);
    bench.bytes = mem_zalloc(1, bench.payload + 1);
    bench.commits = mem_zalloc(OUTSTANDING_MAX, sizeof(*bench.commits));
    if (!bench.bytes || !bench.commits || !bench.subjects || io_host_create(&bench.host))
        return 1;
    bench.names = mem_alloc(bench.subjects * NAME_BYTES + 1);
    if (!bench.names)
        return 1;
    for (uint64_t i = 0; i < bench.subjects; i++)
        snprintf(bench.names + i * NAME_BYTES, NAME_BYTES + 1, "bench.%014u", (unsigned)i);
    for (unsigned i = 0; i < OUTSTANDING_MAX; i++)
        bench.commits[i].done = on_done;
    struct io_group *group;
    int failed = io_group_create(bench.host, 1, &group);
    if (!failed)
        failed = io_group_run(group, start, NULL);
    if (failed)
        die("loop", failed, NULL);
    io_group_free(group);
    io_host_free(bench.host);
    mem_free(bench.bytes);
    mem_free(bench.names);
    mem_free(bench.commits);
    return 0;
}
