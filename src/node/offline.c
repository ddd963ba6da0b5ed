/*
 * offline.c - what the command line asks of a node that does not run (node.h): its log and its
 * event streams checked, a backup checked and restored, the shape of its config told.
 */
#include "io/file.h"
#include "log/stream.h"
#include "node/backup_folder.h"
#include "node/config_load.h"
#include "node/parts.h"
#include "rooms/events/verify.h"

#include <errno.h>
#include <stdio.h>

/* What the rooms add to the config. */
static size_t sections_of_rooms(const struct conf_key *sections[NODE_ROOMS_MAX]) {
    size_t count = 0;
    for (unsigned i = 0; i < node_room_count; i++)
        if (node_rooms[i]->config)
            sections[count++] = node_rooms[i]->config;
    return count;
}

int node_config_schema(struct buf *out) {
    const struct conf_key *sections[NODE_ROOMS_MAX];
    size_t count = sections_of_rooms(sections);
    return config_write_schema(sections, count, out);
}

int node_config_reference(const char *section, struct buf *out) {
    const struct conf_key *sections[NODE_ROOMS_MAX];
    size_t count = sections_of_rooms(sections);
    return config_write_reference(sections, count, section, out);
}

/* A backup has no lock, and what has been restored none yet: nobody has run on it. */
static bool is_copy(struct io_host *host, const char *data) {
    char path[1024];
    struct io_file *file = NULL;
    bool is = snprintf(path, sizeof path, "%s/format", data) < (int)sizeof path &&
              io_file_open(host, path, 0, &file) == 0;
    io_file_close(file);
    return is;
}

/* A running node holds the lock; there is nothing to lock in a folder that never was a node's. */
static int lock(struct io_host *host, const char *data, struct io_file **ret_lock,
                struct error *ret_error) {
    char path[1024];
    if (snprintf(path, sizeof path, "%s/lock", data) >= (int)sizeof path)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the data folder is too long");
    int failed = io_file_open(host, path, IO_FILE_WRITE, ret_lock);
    if (failed == -ENOENT && is_copy(host, data))
        return 0;
    if (failed == -ENOENT) {
        error_set(ret_error, failed, "%s is not the data folder of a node", data);
        error_hint(ret_error, "it is .nonet below the app's folder, or what --data said");
        return failed;
    }
    if (failed)
        return error_set(ret_error, failed, "cannot open %s: %s", path, error_name(failed));
    failed = io_file_lock(*ret_lock);
    if (!failed)
        return 0;
    *ret_lock = io_file_close(*ret_lock);
    error_set(ret_error, failed, "cannot lock %s: %s", path, error_name(failed));
    if (failed == -EWOULDBLOCK) {
        error_set(ret_error, failed, "a node is running on %s", data);
        error_hint(ret_error, "stop it first: its log changes while it is read");
    }
    return failed;
}

static int log_folder(const char *data, char (*ret_path)[1024], struct error *ret_error) {
    if (snprintf(*ret_path, sizeof *ret_path, "%s/log", data) >= (int)sizeof *ret_path)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the data folder is too long");
    return 0;
}

/* What is done with the log of a folder that is held meanwhile. */
struct offline {
    void (*found)(void *self, const struct error *error);
    void *self;
    struct node_log_report log;
    struct node_events_report events;
};

static int verify_log(struct offline *o, struct io_host *host, const char *directory,
                      struct error *ret_error) {
    struct log_verify_report report = {0};
    int failed = log_verify(host, directory, o->found, o->self, &report, ret_error);
    o->log = (struct node_log_report){
        .streams = report.streams,
        .messages = report.messages,
        .bytes = report.bytes,
        .journal_groups = report.journal_groups,
        .segments = report.segments,
        .damaged = report.damaged,
    };
    return failed;
}

static int verify_events(struct offline *o, struct io_host *host, const char *directory,
                         struct error *ret_error) {
    struct events_report report = {0};
    int failed = events_verify_closed(host, directory, o->found, o->self, &report, ret_error);
    o->events = (struct node_events_report){report.events, report.streams, report.findings};
    return failed;
}

static int held(const char *data, struct offline *o,
                int (*act)(struct offline *, struct io_host *, const char *, struct error *),
                struct error *ret_error) {
    struct io_host *host;
    struct io_file *lock_file = NULL;
    char directory[1024];
    int failed = log_folder(data, &directory, ret_error);
    if (failed)
        return failed;
    failed = io_host_create(&host);
    if (failed)
        return error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    failed = lock(host, data, &lock_file, ret_error);
    if (!failed)
        failed = act(o, host, directory, ret_error);
    io_file_close(lock_file);
    io_host_free(host);
    return failed;
}

int node_log_verify(const char *data, void (*damage)(void *self, const struct error *error),
                    void *self, struct node_log_report *ret_report, struct error *ret_error) {
    struct offline o = {.found = damage, .self = self};
    int failed = held(data, &o, verify_log, ret_error);
    *ret_report = o.log;
    return failed;
}

int node_events_verify(const char *data, void (*found)(void *self, const struct error *finding),
                       void *self, struct node_events_report *ret_report, struct error *ret_error) {
    struct offline o = {.found = found, .self = self};
    int failed = held(data, &o, verify_events, ret_error);
    *ret_report = o.events;
    return failed;
}

int node_backup_verify(const char *backup,
                       void (*progress)(void *self, uint64_t done, uint64_t total), void *self,
                       struct node_backup *ret_info, struct error *ret_error) {
    struct io_host *host;
    int failed = io_host_create(&host);
    if (failed)
        return error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    failed = backup_read(host, backup, NULL, progress, self, ret_info, ret_error);
    io_host_free(host);
    return failed;
}

int node_restore(const char *backup, const char *data,
                 void (*progress)(void *self, uint64_t done, uint64_t total), void *self,
                 struct node_backup *ret_info, struct error *ret_error) {
    struct io_host *host;
    struct backup_folder folder;
    int failed = io_host_create(&host);
    if (failed)
        return error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    failed = backup_folder_begin(host, data, true, &folder, ret_error);
    if (!failed) {
        failed = backup_read(host, backup, &folder, progress, self, ret_info, ret_error);
        if (failed)
            backup_folder_drop(&folder);
        else
            failed = backup_folder_commit(&folder, ret_error);
    }
    io_host_free(host);
    return failed;
}
