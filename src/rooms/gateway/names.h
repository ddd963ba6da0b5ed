/*
 * names.h - the host names of a loop's services, and the addresses that each has at the moment.
 *
 *     share (proxy.h) -- watch --> NAME "shop.internal" --io_resolve, again and again--> addresses
 *     share           -- watch -----^
 *
 * A name is asked for when the first share watches it, and again, in the background, when the time
 * to live of its answer is over. Whoever watches is told when the addresses have become others.
 *
 *     ASKING --answer--> KNOWN <--answer-- STALE       its last addresses go on
 *        |                 '---no answer---^  '--"no such name" for HOLD_NS--> UNKNOWN
 *        '---no answer--> UNKNOWN --answer--> KNOWN    there are none
 *
 * After no answer it is asked again in 1, 2, 4, 8, 16, 16, ... seconds. A DNS that fails takes
 * nothing away, however long; one that says that there is no such name is believed when it has said
 * so for GATEWAY_NAME_HOLD_NS, since DNS servers of clusters say it too when they have just
 * started.
 *
 * Names are a loop's own, as services are (upstream.h).
 */
#ifndef NONET_GATEWAY_NAMES_H
#define NONET_GATEWAY_NAMES_H

#include "base/list.h"
#include "io/resolve.h"
#include "rooms/gateway/gateway.h"

#define GATEWAY_NAMES_MAX IO_RESOLVE_QUESTIONS_MAX /* of one loop */
#define GATEWAY_NAME_HOLD_NS (UINT64_C(30) * 1000000000)
#define GATEWAY_NAME_RETRY_NS UINT64_C(1000000000) /* twice as long each time, up to 16 times */

struct gateway_name;

/* Lies in its owner. */
struct gateway_watch {
    struct list_node node; /* of the name's */
    struct gateway_name *name;
    /* The addresses are others now, or the first answer has come. May not end watches. Negative:
       there was no memory for it, and it is called again in a while. */
    int (*on_change)(struct gateway_watch *watch);
};

/* Whether the host of a service is to be watched: not an address, and not localhost, which does not
   change and may be served by either family (io_connect tries both). */
bool gateway_name_is(slice host);

/* Watches HOST until gateway_watch_end; on_change comes later. 0, -ENOMEM, -ENOBUFS (NAMES_MAX). */
must_use int gateway_watch_begin(struct gateway_shard *shard, slice host,
                                 int (*on_change)(struct gateway_watch *watch),
                                 struct gateway_watch *watch);
/* The last one of a name forgets it. No-op where it has not begun. */
void gateway_watch_end(struct gateway_watch *watch);

/* The addresses that requests may go to now, in the order of their numbers; none while UNKNOWN. */
const struct ip *gateway_name_addresses(const struct gateway_name *name, unsigned *ret_count);
/* Still ASKING: whoever has no other service waits. */
bool gateway_name_is_asked_first(const struct gateway_name *name);

/* An object: each name with its state, its addresses, and why it is not known; the first 200. */
void gateway_names_write(const struct gateway_shard *shard, struct json_writer *w);
/* From now on the servers are SERVERS ("10.0.0.2:53,[::1]:53", NULL: the system's). Where these are
   others, all names are asked for again. 0 or -ENOMEM: the old ones go on. */
must_use int gateway_names_set_servers(struct gateway_shard *shard, const char *servers);
/* The end of the loop's part; nobody watches any more. */
void gateway_names_close(struct gateway_shard *shard);

#endif
