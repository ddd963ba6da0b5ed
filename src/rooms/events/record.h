/*
 * record.h - an event as one message of the stream ES: its headers, and the chain over them.
 *
 * AN EVENT STREAM is one aggregate's history; its name and subject: event_name.h.
 *
 *     ce-specversion: 1.0            the event as CloudEvents over NATS has it (binary mode), so
 *     ce-id, ce-type, ce-source      that every consumer of ES reads CloudEvents 1.0
 *     ce-time: 2026-11-30T12:00:00Z
 *     Content-Type: application/json of the payload; left out: bytes
 *     Nonet-Tags: sku:7,name:bob     percent-encoded, for conditions
 *     Nonet-Tagged: 17,0             for each of them the sequence of the event before with that
 *                                    tag, whatever its stream; 0: there is none
 *     Nonet-Metadata: {...}          JSON: actor, reason, correlation and causation ids
 *     Nonet-Types: sampled:integer   of attributes that are no texts (attributes.h)
 *     ce-subject: milk               further attributes, and what else a publish has brought
 *     Nonet-Event: 5 17 12 0         number, then sequences of ES: see below
 *     Nonet-Ids: base64              digests of ids, see below
 *     Nonet-Chain: hex               SHA-256, the last field
 *
 * NUMBER is 1-based and gapless in its event stream (revision + 1). With the sequences of three
 * earlier records of the stream (0 = none) a reader finds its way without any index:
 *
 *     before   of NUMBER - 1
 *     skip     of NUMBER & (NUMBER - 1), that is NUMBER without its lowest one bit
 *     leaf     of NUMBER - EVENT_SPAN where EVENT_SPAN divides NUMBER
 *
 * A record at NUMBER covers the numbers above skip's up to its own (a Fenwick tree). Nonet-Ids has
 * the digests of the ids that clients gave to the events it covers, sorted, where these are at most
 * EVENT_SPAN; above that only its own. So all ids of a stream lie in the records of one path: the
 * leaves, and the few nodes behind the last leaf.
 *
 * THE CHAIN. chain = SHA-256(chain of the event before, or 32 zeros | subject | headers up to
 * Nonet-Chain | payload), each part behind its length in 8 bytes, big-endian. Whoever changes,
 * takes out or swaps an event must make all chains behind it anew.
 */
#ifndef NONET_EVENTS_RECORD_H
#define NONET_EVENTS_RECORD_H

#include "base/buf.h"
#include "log/stream.h"
#include "wire/event_name.h"

#define EVENT_SPAN 1024u       /* ids that one record covers; a power of two */
#define EVENT_ID_MAX 256u      /* bytes */
#define EVENT_TYPE_MAX 256u    /* bytes */
#define EVENT_SOURCE_MAX 1024u /* bytes */
#define EVENT_TAGS_MAX 64u     /* of one event */
#define EVENT_TAG_MAX 256u     /* bytes */
#define EVENT_METADATA_MAX (64u << 10)
#define EVENT_CHAIN_BYTES 32u

struct event {
    slice id, type, source, time, content_type; /* texts without line ends */
    slice tags;                                 /* as in the header */
    slice tagged;                               /* as in the header; empty: nobody has noted it */
    slice metadata;                             /* a JSON object on one line, or empty */
    slice ids;                                  /* as in the header */
    slice types;                                /* as in the header */
    slice more; /* further fields, cursor of nats_headers_next; after event_read: all fields */
    slice data;
    uint64_t number, before, skip, leaf;
    unsigned char chain[EVENT_CHAIN_BYTES];
};

/* Appends the whole header block of EVENT and sets its chain; BEFORE is the chain of the event
   before. 0, -EINVAL (a text that cannot stand in a header), -ENOMEM. */
must_use int event_write(struct event *event, slice subject,
                         const unsigned char before[EVENT_CHAIN_BYTES], struct buf *headers);
/* Reads a record; slices point into it. 0, or -EBADMSG: it is no event. */
must_use int event_read(const struct log_record *record, struct event *ret_event);
/* One field of RECORD, by the name it has in the picture above: for a look at many events of which
   few are read. False: there is none, or RECORD is no event. */
bool event_field(const struct log_record *record, slice name, slice *ret_value);
/* 0: RECORD has the chain that it must have behind BEFORE, and nothing behind that. -EBADMSG: it
   has not. */
must_use int event_chain_check(const struct log_record *record, const struct event *event,
                               const unsigned char before[EVENT_CHAIN_BYTES]);

/* The digest of an id: the first eight bytes of its SHA-256. */
uint64_t event_digest(slice id);
/* Appends DIGESTS (sorted) as Nonet-Ids has them. 0 or -ENOMEM. */
must_use int event_write_ids(const uint64_t *digests, size_t count, struct buf *out);
/* How many there are in a Nonet-Ids, and they (room for that many). 0 or -EBADMSG. */
size_t event_ids_count(slice ids);
must_use int event_read_ids(slice ids, uint64_t *digests);

#define EVENT_TAG_ROOM (EVENT_TAG_MAX * 3) /* bytes: a tag as it may be written */
unsigned event_tag_count(slice tags);
/* Whether EVENT has one of TYPES (or there are none) and all of TAGS. */
bool event_matches(const struct event *event, const slice *types, unsigned type_count,
                   const slice *tags, unsigned tag_count);
/* Takes the next tag off *TAGS, decoded into OUT (EVENT_TAG_ROOM bytes). False at the end. */
bool event_tag_next(slice *tags, char *out, slice *ret_tag);
bool event_has_tag(slice tags, slice tag);
/* Where EVENT's record says that the event before it with TAG is (0: none). False: it says nothing
   of TAG. */
bool event_tagged(const struct event *event, slice tag, uint64_t *ret_sequence);
/* Appends TAG to a list being written. 0, -EINVAL (empty or too long), -ENOMEM. */
must_use int event_tag_add(struct buf *tags, slice tag);
/* Appends SEQUENCE, of the next tag, to a list being written. 0 or -ENOMEM. */
must_use int event_tagged_add(struct buf *tagged, uint64_t sequence);

#endif
