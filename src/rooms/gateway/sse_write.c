/*
 * sse_write.c - the next events of a source, written to one of its clients.
 *
 *     told what is gone --> told what was dropped (PLAIN) --> events, a run of them in one write
 *
 * Each of the three may find that the client does not read, and then is done again later; a client
 * who is told of a gap goes on behind it. What rights forbid is leapt over, so that a run ends
 * there.
 */
#include "rooms/gateway/sse_feed.h"

#include <errno.h>

#define WRITE_BYTES_MAX (64u << 10)

static bool may_see(const struct sse_client *client, uint32_t index) {
    slice subject = sse_window_subject(&client->source->window, index);
    return subject.len && principal_may_receive(client->x->rights, subject);
}

/* The next events for CLIENT from *INDEX on, which moves behind what it may not see. Empty: there
   are none for it. */
static slice next_run(const struct sse_client *client, uint32_t *index, uint32_t *ret_end) {
    const struct sse_window *w = &client->source->window;
    while (client->filtered && *index < w->count && !may_see(client, *index))
        ++*index;
    *ret_end = *index;
    if (*index == w->count)
        return (slice){0};
    slice run = sse_window_run(w, *index, WRITE_BYTES_MAX, ret_end);
    for (uint32_t i = *index + 1; client->filtered && i < *ret_end; i++)
        if (!may_see(client, i)) {
            *ret_end = i;
            return slice_take(run, w->entries[i].at - w->entries[*index].at);
        }
    return run;
}

static enum sse_took say(struct sse_client *client, slice bytes) {
    int failed = exchange_write(client->x, bytes);
    if (failed)
        return failed == -EAGAIN ? SSE_TOOK_NOTHING : SSE_FAILED;
    client->wrote_ns = io_loop_now_ns(client->feed->shard->gateway->shard->loop);
    return SSE_TOOK_ALL;
}

static enum sse_took tell_gap(struct sse_client *client) {
    char text[SSE_NOTICE_BYTES_MAX];
    uint64_t after = client->astray ? client->after : client->next - 1;
    enum sse_took took = say(client, sse_gap(text, after, client->gap_to));
    if (took == SSE_TOOK_ALL) {
        client->next = client->gap_to > client->next ? client->gap_to : client->next;
        client->gap_to = 0;
        client->astray = false;
    }
    return took;
}

static enum sse_took tell_dropped(struct sse_client *client, uint64_t base) {
    char text[SSE_NOTICE_BYTES_MAX];
    struct sse_shard *shard = client->feed->shard;
    enum sse_took took = say(client, sse_dropped(text, base - client->next));
    if (took == SSE_TOOK_ALL) {
        metrics_count(shard->gateway->shard->metrics, shard->dropped, base - client->next);
        client->next = base;
    }
    return took;
}

enum sse_took sse_write(struct sse_client *client) {
    const struct sse_window *w = &client->source->window;
    enum sse_took took = client->gap_to ? tell_gap(client) : SSE_TOOK_ALL;
    if (took == SSE_TOOK_ALL && client->next < w->base) {
        if (client->feed->state == SSE_STREAM)
            return SSE_FELL_OUT;
        took = tell_dropped(client, w->base);
    }
    if (took != SSE_TOOK_ALL)
        return took;
    uint32_t index = sse_window_find(w, client->next), end;
    if (index == w->count)
        return SSE_TOOK_ALL;
    slice run = next_run(client, &index, &end);
    if (run.len)
        took = say(client, run);
    if (took != SSE_TOOK_ALL)
        return took;
    client->next = end == w->count ? w->next : w->entries[end].sequence;
    struct sse_shard *shard = client->feed->shard;
    metrics_count(shard->gateway->shard->metrics, shard->events, end - index);
    return end == w->count ? SSE_TOOK_ALL : SSE_TOOK_SOME;
}
