/*
 * backup_job.c - the stream shard's part of a backup: pins the log, and has a thread copy it.
 *
 *      asked --> PINNING --checkpoint on disk--> COPYING --> FINISHING --> told, over
 *                   '--------- failed, or given up -------> DROPPING --> told, over
 *
 * The loop only starts the steps of the thread "nonet-backup", each at most a megabyte, and tells
 * who asked how far it is; appends go on between them. One backup at a time. The request's payload
 * is the folder, an absolute path, or nothing: give up. Answers are JSON on one line:
 *
 *      {"state":"running","bytes":1048576,"total":7340032}
 *      {"state":"done","directory":"/backups/1","position":1234,"files":4,"bytes":7340032}
 *      {"state":"failed","status":409,"detail":"..."}
 */
#include "base/clocktext.h"
#include "base/mem.h"
#include "log/pin.h"
#include "node/backup_folder.h"
#include "node/parts.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define TELL_NS 250000000ull
#define ROOM_SPARE_BYTES (16u << 20) /* left free beside a backup */

struct backup_job {
    struct node_shard *shard;
    struct io_worker *worker;
    struct io_job job;
    struct log_pin *pin;
    struct log_copy *copy;
    struct backup_folder folder;
    struct buf sums;
    struct node_backup info;
    struct error error;
    enum { JOB_BEGIN, JOB_COPY, JOB_FINISH, JOB_DROP } phase;
    int result; /* of the last step: 1 goes on, 0 the phase is over */
    bool given_up, room_judged;
    uint64_t done, total, told_ns;
    char directory[BACKUP_PATH_MAX];
    size_t reply_len;
    char reply[BUS_SUBJECT_MAX];
};

/* --- telling ------------------------------------------------------------------------------------
 */

static void tell(struct node_shard *shard, slice reply, struct json_writer *w, struct buf *text) {
    struct bus_message message = {.subject = reply};
    json_write_end(w);
    if (json_write_finish(w) == 0) {
        message.payload = buf_slice(text);
        bus_publish(shard->room.bus, &message, NULL, NULL);
    }
}

static struct json_writer begin_answer(struct buf *text, const char *state) {
    struct json_writer w = json_writer_make(text, false);
    json_write_object(&w);
    json_write_key(&w, "state");
    json_write_text(&w, state);
    return w;
}

static slice reply_of(const struct backup_job *b) {
    return slice_make(b->reply, b->reply_len);
}

static void tell_running(struct backup_job *b) {
    _cleanup_buf_ struct buf text = buf_make(4096);
    struct json_writer w = begin_answer(&text, "running");
    json_put_u64(&w, "bytes", b->done);
    json_put_u64(&w, "total", b->total);
    tell(b->shard, reply_of(b), &w, &text);
    b->told_ns = io_loop_now_ns(b->shard->room.loop);
}

static void tell_failed(struct node_shard *shard, slice reply, const struct error *error) {
    _cleanup_buf_ struct buf text = buf_make(16384);
    char words[1024];
    struct json_writer w = begin_answer(&text, "failed");
    bool asked_wrongly = error->code == -EEXIST || error->code == -EBUSY || error->code == -EINVAL;
    json_put_u64(&w, "status", asked_wrongly ? 409 : error->code == -ENOSPC ? 507 : 503);
    json_write_key(&w, "detail");
    json_write_text(&w, error_text(error, words, sizeof words));
    tell(shard, reply, &w, &text);
}

static void tell_done(struct backup_job *b) {
    _cleanup_buf_ struct buf text = buf_make(16384);
    struct json_writer w = begin_answer(&text, "done");
    json_write_key(&w, "directory");
    json_write_text(&w, b->directory);
    json_put_u64(&w, "position", b->info.position);
    json_put_u64(&w, "files", b->info.files);
    json_put_u64(&w, "bytes", b->info.bytes);
    tell(b->shard, reply_of(b), &w, &text);
}

/* --- on the thread ------------------------------------------------------------------------------
 */

static int begin(struct backup_job *b) {
    char to[BACKUP_PATH_MAX + 32];
    struct io_host *host = b->shard->room.node->host;
    int failed = backup_folder_begin(host, b->directory, false, &b->folder, &b->error);
    if (failed)
        return failed;
    snprintf(to, sizeof to, "%s/log", b->folder.partial);
    failed = log_copy_begin(b->pin, to, &b->copy);
    return failed ? error_set(&b->error, failed, "%s: %s", to, error_name(failed)) : 0;
}

/* Before the disk is filled, as soon as it is known how much there is. */
static int judge_room(struct backup_job *b) {
    uint64_t free_bytes = 0, wanted = b->total + ROOM_SPARE_BYTES;
    if (b->room_judged || !b->total)
        return 0;
    b->room_judged = true;
    if (io_free_bytes(b->folder.host, b->folder.partial, &free_bytes) ||
        free_bytes + b->done >= wanted)
        return 0;
    error_set(&b->error, -ENOSPC, "the backup takes %llu MB, and there are %llu MB free",
              (unsigned long long)(wanted >> 20), (unsigned long long)(free_bytes >> 20));
    error_place(&b->error, "%s", b->folder.path);
    return -ENOSPC;
}

static int note(struct backup_job *b, const char *name, const unsigned char sha256[32],
                uint64_t bytes) {
    if (backup_sums_add(&b->sums, name, sha256))
        return error_set(&b->error, -ENOMEM, "no memory for the sums of a backup");
    b->info.files++;
    b->info.bytes += bytes;
    return 0;
}

static int copy_step(struct backup_job *b) {
    struct log_copied copied;
    char name[LOG_COPY_NAME_MAX + 8];
    int result = log_copy_step(b->copy, &copied, &b->error);
    b->done = copied.done;
    b->total = copied.total;
    int failed = result < 0 ? result : judge_room(b);
    if (!failed && copied.name[0]) {
        snprintf(name, sizeof name, "log/%s", copied.name);
        failed = note(b, name, copied.sha256, copied.bytes);
    }
    return failed ? failed : result;
}

/* The data folder's own format file, beside log/. */
static int copy_format(struct backup_job *b) {
    const struct node *node = b->shard->node;
    char from[sizeof node->data + 16], to[BACKUP_PATH_MAX + 32];
    unsigned char digest[32];
    struct io_copy copy;
    snprintf(from, sizeof from, "%s/format", node->data);
    snprintf(to, sizeof to, "%s/format", b->folder.partial);
    int failed = io_copy_begin(b->folder.host, from, to, IO_COPY_ALL, &copy);
    while (!failed && (failed = io_copy_step(&copy, digest)) == 1)
        failed = 0;
    uint64_t bytes = copy.at;
    io_copy_end(&copy);
    if (failed)
        return error_set(&b->error, failed, "%s: %s", to, error_name(failed));
    return note(b, "format", digest, bytes);
}

static int finish(struct backup_job *b) {
    int failed = copy_format(b);
    b->info.made[clocktext_format(io_host_wall_ns(b->folder.host), b->info.made)] = '\0';
    if (!failed)
        failed = backup_write_manifest(&b->folder, &b->info, &b->sums, &b->error);
    return failed ? failed : backup_folder_commit(&b->folder, &b->error);
}

static void run(struct io_job *job) {
    struct backup_job *b = container_of(job, struct backup_job, job);
    switch (b->phase) {
    case JOB_BEGIN:
        b->result = begin(b);
        break;
    case JOB_COPY:
        b->result = copy_step(b);
        break;
    case JOB_FINISH:
        b->result = finish(b);
        break;
    case JOB_DROP:
        backup_folder_drop(&b->folder);
        b->result = 0;
    }
}

/* --- on the loop --------------------------------------------------------------------------------
 */

/* Whatever it has come to. */
static void job_free(struct backup_job *b) {
    io_worker_free(b->worker);
    log_copy_end(b->copy);
    backup_folder_drop(&b->folder);
    log_unpin(b->pin);
    buf_free(&b->sums);
    b->shard->backup = NULL;
    mem_free(b);
}

static void over(struct io_task *task) {
    struct node_shard *shard = container_of(task, struct node_shard, backup_over);
    struct backup_job *b = shard->backup;
    if (b->error.code)
        tell_failed(shard, reply_of(b), &b->error);
    else
        tell_done(b);
    logger_write(shard->room.node->logger, b->error.code ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "node",
                 b->error.code ? "a backup has failed" : "a backup has been made",
                 "directory=%s position=%llu bytes=%llu what=%s", b->directory,
                 (unsigned long long)b->info.position, (unsigned long long)b->info.bytes,
                 b->error.message);
    job_free(b);
}

/* Not from inside a worker's done: the worker goes with the job. */
static void end(struct backup_job *b) {
    b->shard->backup_over.run = over;
    io_defer(b->shard->room.loop, &b->shard->backup_over);
}

static void submit(struct backup_job *b) {
    int failed = io_worker_submit(b->worker, &b->job);
    if (failed) {
        error_set(&b->error, failed, "a backup cannot go on: %s", error_name(failed));
        end(b);
    }
}

static void fail(struct backup_job *b) {
    if (!b->error.code)
        error_set(&b->error, b->result, "the backup failed: %s", error_name(b->result));
    b->phase = JOB_DROP;
    submit(b);
}

static void step_done(struct io_job *job) {
    struct backup_job *b = container_of(job, struct backup_job, job);
    if (!b->shard->backup_asks) /* the shard closes: job_free is waiting for the thread */
        return;
    if (b->phase == JOB_DROP || (b->phase == JOB_FINISH && !b->result)) {
        end(b);
        return;
    }
    if (b->result >= 0 && b->given_up)
        b->result = error_set(&b->error, -ECANCELED, "the backup was given up");
    if (b->result >= 0 && log_pin_pressed(b->pin))
        b->result =
            error_set(&b->error, -ENOSPC, "the node's own disk is full: the backup gives way");
    if (b->result < 0) {
        fail(b);
        return;
    }
    if (b->result == 0)
        b->phase++;
    if (io_loop_now_ns(b->shard->room.loop) - b->told_ns >= TELL_NS)
        tell_running(b);
    submit(b);
}

static void on_pinned(void *self, int failed, struct log_pin *pin) {
    struct backup_job *b = self;
    b->pin = pin;
    if (failed || b->given_up) {
        error_set(&b->error, failed ? failed : -ECANCELED, "the log cannot be saved now: %s",
                  error_name(failed ? failed : -ECANCELED));
        end(b);
        return;
    }
    b->info.position = log_pin_position(pin);
    tell_running(b);
    submit(b);
}

static int job_start(struct node_shard *shard, slice directory, slice reply,
                     struct error *ret_error) {
    struct node *node = shard->node;
    if (shard->backup)
        return error_set(ret_error, -EBUSY, "another backup is under way");
    if (!directory.len || directory.ptr[0] != '/' || directory.len >= BACKUP_PATH_MAX)
        return error_set(ret_error, -EINVAL,
                         "the folder must be an absolute path of at most %u bytes",
                         BACKUP_PATH_MAX - 1);
    struct backup_job *b = mem_zalloc(1, sizeof *b);
    if (!b)
        return error_set(ret_error, -ENOMEM, "no memory for a backup");
    b->shard = shard;
    b->job = (struct io_job){.run = run, .done = step_done};
    b->sums = buf_make(BACKUP_SUMS_MAX);
    memcpy(b->directory, directory.ptr, directory.len);
    memcpy(b->reply, reply.ptr, reply.len);
    b->reply_len = reply.len;
    snprintf(b->info.node, sizeof b->info.node, "%s", node->name);
    snprintf(b->info.version, sizeof b->info.version, "%s", NONET_VERSION);
    shard->backup = b;
    int failed = io_worker_create(shard->room.loop, "nonet-backup", &b->worker);
    if (!failed)
        failed = log_pin(shard->log, on_pinned, b, &b->pin);
    if (failed) {
        job_free(b);
        error_set(ret_error, failed, "a backup cannot begin: %s", error_name(failed));
    }
    return failed;
}

static void on_ask(void *owner, struct bus_subscription *subscription,
                   const struct bus_message *message) {
    (void)subscription;
    struct node_shard *shard = owner;
    struct error error = {0};
    if (shard->closed || message->reply.len > BUS_SUBJECT_MAX)
        return;
    if (message->payload.len) {
        if (job_start(shard, message->payload, message->reply, &error))
            tell_failed(shard, message->reply, &error);
    } else if (shard->backup) {
        shard->backup->given_up = true;
    }
}

int backup_listen(struct node_shard *shard) {
    static const struct bus_receiver receiver = {on_ask};
    return bus_subscribe(shard->room.bus, slice_lit(NODE_BACKUP_SUBJECT), (slice){0}, &receiver,
                         shard, NULL, &shard->backup_asks);
}

void backup_stop(struct node_shard *shard) {
    if (!shard->backup_asks)
        return;
    shard->backup_asks = bus_unsubscribe(shard->room.bus, shard->backup_asks);
    io_defer_cancel(shard->room.loop, &shard->backup_over);
    struct error error = {0};
    if (!shard->backup)
        return;
    error_set(&error, -ECANCELED, "the node stops");
    tell_failed(shard, reply_of(shard->backup), &error);
    job_free(shard->backup);
}
