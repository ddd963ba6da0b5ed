/*
 * access_log.h - a line of JSON for each request, appended to a file.
 *
 *     {"time":"2026-11-30T10:00:00.123Z","id":"…","client":"10.0.0.9","principal":"shop",
 *      "method":"POST","host":"shop.example","path":"/bids","route":"bids","status":202,
 *      "bytes_in":120,"bytes_out":31,"duration_us":1300,"admitted_us":100,"connected_us":0,
 *      "sent_us":110,"answered_us":1290,"upstream":"bid.new","retries":0,"reason":"","trace":"…"}
 *
 * Moments are microseconds since the request's first byte, in loop time; 0: did not come. Each loop
 * gathers lines and hands them to its worker thread a few times a second, or when many have come
 * together. Bounded: what the disk does not take in time is dropped and counted, for a request
 * never waits for its line. The file is opened with O_APPEND, so that loops, and a rotation
 * followed by a reload, do not tread on each other.
 */
#ifndef NONET_GATEWAY_ACCESS_LOG_H
#define NONET_GATEWAY_ACCESS_LOG_H

#include "rooms/gateway/exchange.h"

#define ACCESS_LOG_PENDING_MAX (4u << 20) /* bytes a loop holds for its file */

/* 0, or negative with words. */
must_use int access_log_open(struct room_shard *shard, slice path,
                             struct gateway_access_log **ret_log, struct error *ret_error);
/* Writes what has been gathered, waits for it. NULL allowed, returns NULL. */
struct gateway_access_log *access_log_close(struct gateway_access_log *log);
/* Before the answer's last bytes are handed over: X is whole. */
void access_log_write(struct gateway_access_log *log, const struct exchange *x);

#endif
