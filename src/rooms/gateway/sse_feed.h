/*
 * sse_feed.h - what clients of the same subjects share on a loop.
 *
 * A FEED is made for the first client of some subjects and goes a little after the last one:
 *
 *     LOOKING --one stream has all of the subjects---> STREAM   events have ids, nothing is missed
 *        |  \---none has, or several have------------> PLAIN    no ids, the slow miss something
 *        '----- the engine does not answer: 503        both: looked at again each minute; where it
 *                                                      is otherwise by then the answers end, and
 *                                                      the clients come back
 *
 * One stream has a subject if one of its own subjects has all of it. Streams are found, and read,
 * by requests on `$JS.API.>`, as everywhere outside bus/. Clients read from the feed's sources
 * (sse_source.h).
 *
 * BOUNDS. SSE_FEEDS_MAX feeds a loop, then 503.
 */
#ifndef NONET_GATEWAY_SSE_FEED_H
#define NONET_GATEWAY_SSE_FEED_H

#include "base/map.h"
#include "rooms/gateway/sse_source.h"

#define SSE_SUBJECTS_MAX 16u /* as in target_config.c */
#define SSE_FEEDS_MAX 65536u
#define SSE_STREAM_ROOM 256u

struct sse_shard {
    struct gateway_shard *gateway;
    struct stream_inbox inbox; /* opened by the first client */
    struct map feeds;          /* by key: those that take new clients */
    struct list over;          /* feeds that do not, and end */
    unsigned catch_ups;
    struct metric clients, events, dropped;
};

enum sse_feed_state { SSE_LOOKING, SSE_PLAIN, SSE_STREAM, SSE_OVER };

/* The search for a stream. */
struct sse_look {
    struct bus_request *asking; /* NULL: none is under way */
    unsigned subject;           /* whose streams are asked for */
    char stream[SSE_STREAM_ROOM];
};

struct sse_feed {
    struct sse_shard *shard;
    enum sse_feed_state state;
    struct sse_look look;
    char stream[SSE_STREAM_ROOM]; /* empty: PLAIN */
    slice filter;                 /* of the stream's readers; empty: all of it */
    bool
        whole; /* our subjects are all that the stream has: a sequence that does not come is gone */
    struct bus_subscription *subscriptions[SSE_SUBJECTS_MAX];
    struct sse_source tail;
    struct list catch_ups;
    unsigned catch_up_count, clients;
    struct list looking, waiting, blocked; /* clients without a source */
    struct io_task pump;
    struct io_timer pump_again, life; /* life: looks again; without clients, the end */
    struct list_node node;            /* of over */
    unsigned subject_count;
    slice key, subjects[SSE_SUBJECTS_MAX]; /* in text */
    char text[];
};

/* 0 or -ENOMEM. */
must_use int sse_shard_open(struct gateway_shard *gateway, struct sse_shard **ret_shard);
void sse_shard_close(struct sse_shard *shard); /* after the last exchange; NULL allowed */

/* Takes CLIENT (its exchange is held, ON_GONE calls sse_leave) to the feed of SUBJECTS; it is
   answered from now on, perhaps in this call. -ENOBUFS or -ENOMEM: it was not taken. */
must_use int sse_join(struct sse_shard *shard, const slice *subjects, unsigned count,
                      struct sse_client *client);
/* Its exchange is over. */
void sse_leave(struct sse_client *client);
/* It has ended its side of the connection, and may have gone: who has gone answers the first word
   with a reset, and is missed at the second. */
void sse_client_ended(struct sse_client *client);
/* Ends its answer: 200 comes to its end, or it gets 503. */
void sse_end(struct sse_client *client, const char *reason);

/* For sse_source.c: the tail is there, clients may begin; and the end of all their answers. */
void sse_feed_opened(struct sse_feed *feed, enum sse_feed_state state);
void sse_feed_over(struct sse_feed *feed, const char *reason);
bool sse_feed_has(const struct sse_feed *feed, slice subject);

#endif
