/*
 * nats.h - the NATS client protocol 1.x, parsed: bytes in, events out.
 *
 * A pull parser. The connection keeps the bytes it has not used yet and asks for one event at a
 * time; the slices of an event point into those bytes and live as long as they do. Nothing is
 * copied, nothing is allocated, and the parser knows no socket:
 *
 *     while ((r = nats_parse(&c->parser, slice_skip(input, used), &event, &consumed)) == 1)
 *         used += consumed;             // ... and handle the event
 *     r == 0: keep the rest, read until it holds parser.need bytes, and ask again
 *     r < 0:  send -ERR with nats_error_text(parser.error), close
 *
 * A message that is not whole yet is not touched at all: nats_parse consumes 0 and says in
 * `need` how many bytes the rest must hold before asking again is of use. Asking sooner costs
 * one comparison, and of a line whose end is not in sight only the new bytes are searched, so a
 * slow sender cannot make the parser walk the same bytes over and over.
 *
 * Followed in nats-server's manner (checked against 2.9.10): verbs in any case; blanks are runs
 * of spaces and tabs; a control line may end in LF alone, a payload must end in CR LF; sizes
 * have at most 9 digits; UNSUB with max 0 is UNSUB without max; a header length of 0 is allowed;
 * subjects are not judged here (see nats_subject.h; of a PUB nats-server judges them only for
 * pedantic clients) and neither is the inside of a header block (nats_headers.h). Stricter than
 * it: bytes behind PING and PONG, a CR inside a line, a max of UNSUB that is no number, and a
 * peer that sends the other side's verbs are refused. Where nats-server closes without a word
 * (wrong arguments) nats_error_text still has a text to send.
 *
 * Bounds: the arguments of a line by line_max, but CONNECT and INFO by json_max (a JWT does not
 * fit the former); payload with headers by payload_max.
 */
#ifndef NONET_WIRE_NATS_H
#define NONET_WIRE_NATS_H

#include "base/check.h"
#include "base/slice.h"

enum {
    NATS_LINE_MAX = 4096,           /* default of line_max, as nats-server's max_control_line */
    NATS_JSON_MAX = 64 * 1024,      /* default of json_max */
    NATS_PAYLOAD_MAX = 1024 * 1024, /* default of payload_max, as nats-server's max_payload */
    NATS_SIZE_DIGITS_MAX = 9,       /* a size with more digits is refused, whatever its value */
};

/* Who sent the bytes: decides which verbs there are. */
enum nats_sender { NATS_CLIENT, NATS_SERVER };

enum nats_kind {
    NATS_CONNECT, /* json */
    NATS_PUB,     /* subject, reply or empty, payload */
    NATS_HPUB,    /* subject, reply or empty, headers, payload */
    NATS_SUB,     /* subject, queue or empty, sid */
    NATS_UNSUB,   /* sid, max (0 = at once) */
    NATS_PING,
    NATS_PONG,
    NATS_INFO, /* json */
    NATS_MSG,  /* subject, sid, reply or empty, payload */
    NATS_HMSG, /* subject, sid, reply or empty, headers, payload */
    NATS_OK,
    NATS_ERR, /* text, without its quotes */
    NATS_KINDS,
};

enum nats_error {
    NATS_ERROR_NONE,
    NATS_ERROR_OPERATION, /* a verb that this sender does not have */
    NATS_ERROR_LINE,      /* the line is longer than line_max or json_max */
    NATS_ERROR_ARGUMENTS, /* too few or too many, or a stray CR */
    NATS_ERROR_SIZE,      /* a size that is not 1 to 9 decimal digits */
    NATS_ERROR_HEADERS,   /* the header length is above the total */
    NATS_ERROR_PAYLOAD,   /* the size is above payload_max */
    NATS_ERROR_END,       /* no CR LF behind the payload */
    NATS_ERRORS,
};

/* Members that the kind above does not name are empty or 0. */
struct nats_event {
    enum nats_kind kind;
    slice subject;
    slice reply; /* also the queue of SUB: nats_event_queue() */
    slice sid;
    slice headers; /* the whole block, NATS/1.0 to the empty line */
    slice payload; /* also the JSON of CONNECT and INFO and the text of -ERR */
    uint64_t max;
};

/* Small, copied freely, owns nothing. One for each direction of a connection. */
struct nats_parser {
    uint32_t line_max; /* the three bounds may be changed between two events */
    uint32_t json_max;
    uint32_t payload_max;
    uint8_t sender;   /* enum nats_sender */
    uint8_t error;    /* enum nats_error; set once, final */
    uint32_t scanned; /* so many bytes of the rest hold no LF */
    size_t need;      /* after 0: ask again with at least so many bytes */
};

/* A parser of what SENDER sends, with the default bounds. */
struct nats_parser nats_parser_make(enum nats_sender sender);

/* Takes one event from the start of INPUT.
   1: *ret_event is filled and *ret_consumed bytes of INPUT belong to it.
   0: more bytes are needed, see `need`; nothing was consumed. INPUT of the next call begins with
      the same bytes (they may have moved).
   -EPROTO, -EMSGSIZE: the peer broke the protocol, `error` says how; every later call says the
      same. */
must_use int nats_parse(struct nats_parser *p, slice input, struct nats_event *ret_event,
                        size_t *ret_consumed);

static inline slice nats_event_queue(const struct nats_event *e) {
    return e->reply;
}

static inline slice nats_event_json(const struct nats_event *e) {
    return e->payload;
}

/* What a server puts between the quotes of -ERR: clients compare these texts. */
const char *nats_error_text(enum nats_error error);

/* The same for a log line: which of the causes it was. */
const char *nats_error_detail(enum nats_error error);

/* "PUB", "HMSG", "+OK" ... */
const char *nats_kind_name(enum nats_kind kind);

/* TEXT as 1 to 9 decimal digits: true and the number, else false. */
bool nats_parse_size(slice text, uint32_t *ret_size);

#endif
