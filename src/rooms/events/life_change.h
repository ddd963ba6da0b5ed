/*
 * life_change.h - what somebody asks about what an event stream keeps (life.h), and the answer.
 *
 *     _NONET.ES.life    Nonet-Stream: the subject; Nonet-Ask: show, limits, delete, tombstone;
 *                       Nonet-Expect, Nonet-Version: what must hold; Nonet-Dry-Run: 1
 *                       payload, of limits:
 *         {"max_count":100,"max_age":"90d","truncate_before":7}
 *     answer            Nonet-Status, and
 *         {"stream":"order-42","state":"alive","version":2,"first":7,"last":41,"events":3,
 *          "limits":{"max_count":100,"max_age":"90d","truncate_before":7}}
 *
 * Asked as a job among the appends (jobs.h): it is judged in their order, as an append of no events
 * that writes something, and answered when it is on disk. `events`: how many a change takes away at
 * once; what is too old is not among them, for that nobody knows without reading.
 */
#ifndef NONET_EVENTS_LIFE_CHANGE_H
#define NONET_EVENTS_LIFE_CHANGE_H

#include "rooms/events/append.h"
#include "rooms/events/call.h"

#define CALL_LIFE BUS_PRIVATE_PREFIX "ES.life"
#define LIFE_ANY_VERSION UINT64_MAX
#define LIFE_AGE_MIN_NS UINT64_C(1000000000)

enum life_ask { LIFE_SHOW, LIFE_LIMIT, LIFE_DELETE, LIFE_TOMBSTONE };

struct life_change {
    enum life_ask ask;
    uint64_t version; /* that it must have; LIFE_ANY_VERSION */
    bool dry_run;
    struct life_limits limits;
    uint64_t events; /* that it takes away */
};

/* The headers of a request. EXPECT: as it was given, or empty. 0, -EINVAL, -ENOMEM. */
must_use int life_change_write(const struct life_change *change, slice subject, slice expect,
                               struct buf *headers);
/* A request, as the one part of an append; BODY is the payload. 0, -ENOMEM, -EINVAL with words. */
must_use int life_change_read(const struct bus_message *request, json_value body,
                              struct arena *arena, struct append *ret_append,
                              struct life_change *ret_change, struct error *e);

/* LIFE of a stream with NUMBER events, which is as expected, as it will be. 0, or the status that
   refuses it: 400, 404, 412, with *DETAIL. */
unsigned life_change_apply(struct life_change *change, struct life *life, uint64_t number,
                           const char **detail);
/* The status is returned: 200, 404, 410. */
unsigned life_change_answer(const struct life_change *change, slice name, const struct life *life,
                            uint64_t number, struct json_writer *w);

#endif
