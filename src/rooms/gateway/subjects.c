/*
 * subjects.c - opens and closes a loop's share of the targets that end at subjects (subjects.h).
 *
 * Each part belongs to its own file: the reader of acknowledgements to subject_call.c, the feeds of
 * events to sse_feed.c. What was opened in part is closed like the whole.
 */
#include "rooms/gateway/subjects.h"

#include "base/mem.h"
#include "rooms/gateway/sse_feed.h"
#include "wire/json_pick.h"

#include <errno.h>

int gateway_subjects_shard_open(struct gateway_shard *shard) {
    struct gateway_subjects *subjects = mem_zalloc(1, sizeof *subjects);
    if (!subjects)
        return -ENOMEM;
    shard->subjects = subjects;
    int failed = subject_acks_create(&subjects->acks);
    return failed ? failed : sse_shard_open(shard, &subjects->sse);
}

void gateway_subjects_shard_close(struct gateway_shard *shard) {
    struct gateway_subjects *subjects = shard->subjects;
    if (!subjects)
        return;
    sse_shard_close(subjects->sse);
    json_picker_free(subjects->acks);
    shard->subjects = mem_free(subjects);
}
