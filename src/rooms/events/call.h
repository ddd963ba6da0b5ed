/*
 * call.h - requests for events inside the node, between the loop that speaks HTTP and the one that
 * the streams live on: both directions of both.
 *
 *     _NONET.ES.append   payload: the body; Nonet-Stream: the subject of the short form;
 *                        Nonet-Actor, Nonet-Actor-Is-Sure: who asks (actor.h)
 *     _NONET.ES.read     payload: JSON of struct read_options
 *     _NONET.ES.verify   answers: findings in words, one a message, then the report with a status
 *     _NONET.ES.state    payload: JSON of struct state_options
 *     _NONET.ES.folds    payload: the pointer of new folds, with a count of them; no answer
 *
 * An answer has Nonet-Status, of appends to one event stream also Nonet-Last, of reads Nonet-Next,
 * -First, -Last, -Count, -Caught-Up; its payload is JSON, or the lines, or the words of a problem.
 */
#ifndef NONET_EVENTS_CALL_H
#define NONET_EVENTS_CALL_H

#include "bus/bus.h"
#include "bus/private.h"
#include "bus/request.h"
#include "rooms/events/actor.h"
#include "rooms/events/read.h"
#include "rooms/events/state.h"

#define CALL_STATE BUS_PRIVATE_PREFIX "ES.state"
#define CALL_FOLDS BUS_PRIVATE_PREFIX "ES.folds"
#define CALL_APPEND BUS_PRIVATE_PREFIX "ES.append"
#define CALL_READ BUS_PRIVATE_PREFIX "ES.read"
#define CALL_VERIFY BUS_PRIVATE_PREFIX "ES.verify"
#define CALL_APPEND_NS UINT64_C(60000000000)
#define CALL_STATE_NS (STATE_NS + UINT64_C(10000000000))
#define CALL_READ_NS (READ_WAIT_MAX_NS + UINT64_C(10000000000))

/* What an append says beside its body. */
struct call_append {
    slice subject; /* of the short form, or empty */
    struct actor actor;
};

/* 0, -ENOMEM, -EINVAL. */
must_use int call_write_append(const struct call_append *append, struct buf *headers);
must_use int call_write_read(const struct read_options *options, struct buf *out);
/* Asks for a page; the rest as bus_request. Also -EINVAL: a text that is no UTF-8. */
must_use int call_ask_page(struct bus *bus, const struct read_options *options,
                           void (*on_reply)(void *owner, const struct bus_message *reply,
                                            int ended),
                           void *owner, struct bus_request **ret_request);
/* Of on_reply: has *REQUEST been answered, by REPLY, or will it never be (NULL)? Then it is over,
   and NULL. False: REPLY is a word in between. */
bool call_answered(struct bus *bus, struct bus_request **request, const struct bus_message *reply);
/* The same of call_ask_page: what has come of it, words of a problem in `lines` where the status is
   not 200. ENDED: as on_reply has it. */
bool call_take_page(struct bus *bus, struct bus_request **request, const struct bus_message *reply,
                    int ended, struct read_end *ret_end);
/* LAST: NULL where there is none. */
must_use int call_write_appended(unsigned status, const uint64_t *last, struct buf *headers);
must_use int call_write_end(const struct read_end *end, struct buf *headers);
must_use int call_write_state(const struct state_options *options, struct buf *out);
must_use int call_write_state_end(const struct state_end *end, struct buf *headers);

struct call_append call_read_append(const struct bus_message *message);
/* 0 or -EINVAL. Slices are DOC's, which is overwritten, or TEXT's. */
must_use int call_read_read(slice text, struct json_doc *doc, struct read_options *ret_options);
/* 0 where there is none. */
unsigned call_read_status(const struct bus_message *message);
/* The last revision that an append of one event stream is told of; false: of none. */
bool call_read_last(const struct bus_message *message, uint64_t *ret_last);
void call_read_end(const struct bus_message *message, struct read_end *ret_end);
/* As call_read_read. */
must_use int call_read_state(slice text, struct json_doc *doc, struct state_options *ret_options);
/* The revision and the digest of the fold, as one text; empty where there is none. */
slice call_read_state_tag(const struct bus_message *message);

#endif
