/*
 * changelog_server.h - what changelogs ask of the stream shard: who captures a view's subject, and
 * to store and publish its changes there.
 *
 *     _NONET.SQL.tell    struct tell_ask | subject | name
 *                        | count times: struct tell_item | subject | headers | payload
 *     answer             struct tell_answer | name, or words
 *
 * Asks are taken in their order. One without messages is answered when all before it is on disk, so
 * that who then reads the stream reads all of it. Messages go to the stream EXPECTED (its time of
 * creation; 0: none captures the subject) in one commit, and are published when they are on disk:
 * who listens hears nothing that a crash could take back. Where another captures it, none of them
 * is told.
 *
 * The two ends are one process, so numbers stand as they lie in memory.
 */
#ifndef NONET_STREAM_CHANGELOG_SERVER_H
#define NONET_STREAM_CHANGELOG_SERVER_H

#include "bus/private.h"
#include "bus/room.h"

#define TELL_CALL BUS_PRIVATE_PREFIX "SQL.tell"
#define TELL_BYTES ((size_t)1 << 20) /* of messages: whole steps, or a piece of a larger one */

struct tell_ask {
    int64_t expected_ns;
    uint32_t subject_len; /* of all messages, or with wildcards: the stream captures all of it */
    uint32_t name_len;    /* of the stream that is expected; may be empty */
    uint32_t count;
};

struct tell_item {
    uint32_t subject_len; /* 0: the ask's */
    uint32_t headers_len, payload_len;
    uint32_t ends_step; /* 1: the last message of its step; the asker's own */
};

struct tell_answer {
    int failed;         /* 0: told. -ESTALE: another captures it, or none. Else words say why */
    int64_t created_ns; /* of the stream that captures the subject; 0: none does */
    uint32_t text_len;
};

struct changelog_server;
must_use int changelog_server_create(struct room_shard *shard, struct changelog_server **ret);
struct changelog_server *changelog_server_free(struct changelog_server *s); /* NULL allowed */

#endif
