/*
 * offline.c - what the command line asks of a node that does not run (node.h): its log checked, the
 * shape of its config told.
 */
#include "io/file.h"
#include "log/stream.h"
#include "node/config_load.h"
#include "node/parts.h"

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

/* A running node holds the lock; there is nothing to lock in a folder that never was a node's. */
static int lock(struct io_host *host, const char *data, struct io_file **ret_lock,
                struct error *ret_error) {
    char path[1024];
    if (snprintf(path, sizeof path, "%s/lock", data) >= (int)sizeof path)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the data folder is too long");
    int failed = io_file_open(host, path, IO_FILE_WRITE, ret_lock);
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

static int verify(struct io_host *host, const char *data,
                  void (*damage)(void *self, const struct error *error), void *self,
                  struct node_log_report *ret_report, struct error *ret_error) {
    char directory[1024];
    struct log_verify_report report = {0};
    if (snprintf(directory, sizeof directory, "%s/log", data) >= (int)sizeof directory)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the data folder is too long");
    int failed = log_verify(host, directory, damage, self, &report, ret_error);
    if (!failed || failed == -EBADMSG)
        *ret_report = (struct node_log_report){
            .streams = report.streams,
            .messages = report.messages,
            .bytes = report.bytes,
            .journal_groups = report.journal_groups,
            .segments = report.segments,
            .damaged = report.damaged,
        };
    return failed;
}

int node_log_verify(const char *data, void (*damage)(void *self, const struct error *error),
                    void *self, struct node_log_report *ret_report, struct error *ret_error) {
    struct io_host *host;
    struct io_file *held = NULL;
    int failed = io_host_create(&host);
    if (failed)
        return error_set(ret_error, failed, "cannot start: %s", error_name(failed));
    failed = lock(host, data, &held, ret_error);
    if (!failed)
        failed = verify(host, data, damage, self, ret_report, ret_error);
    io_file_close(held);
    io_host_free(host);
    return failed;
}
