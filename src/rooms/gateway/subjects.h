/*
 * subjects.h - what the targets that end at subjects keep on a loop, beyond tables and requests.
 *
 * It hangs on struct gateway_shard from the loop's opening to its end, so that clients of events
 * outlive reloads. Used on that loop alone.
 */
#ifndef NONET_GATEWAY_SUBJECTS_H
#define NONET_GATEWAY_SUBJECTS_H

#include "rooms/gateway/gateway.h"

struct json_picker;
struct sse_shard;

struct gateway_subjects {
    struct json_picker *acks; /* reads what streams answer to a publish */
    struct sse_shard *sse;    /* sse_feed.h */
};

/* subject_call.c: the reader of acknowledgements. 0 or -ENOMEM. */
must_use int subject_acks_create(struct json_picker **ret_picker);

/* 0 or -ENOMEM. */
must_use int gateway_subjects_shard_open(struct gateway_shard *shard);
/* After the last exchange of the loop. Harmless where it was not opened. */
void gateway_subjects_shard_close(struct gateway_shard *shard);

#endif
