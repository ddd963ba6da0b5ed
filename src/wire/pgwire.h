/*
 * pgwire.h - PostgreSQL's frontend/backend protocol 3.0, parsed: a client's bytes in, events out.
 *
 *     first  | length 4 | code 4 | name \0 value \0 … \0 |   startup, or a request in its place
 *     then   | type 1 | length 4 | body |                    length counts itself, not the type
 *
 * A pull parser, as that of NATS (nats.h): the connection keeps the bytes it has not used, asks for
 * one event at a time, and the slices of an event point into those bytes. Nothing is copied,
 * nothing is allocated, no socket is known:
 *
 *     while ((r = pgwire_parse(&c->parser, slice_skip(input, used), &event, &consumed)) == 1)
 *         used += consumed;             // ... and handle the event
 *     r == 0: keep the rest, read until it holds parser.need bytes, and ask again
 *     r < 0:  where the next message starts is not known any more: FATAL, pgwire_error_text, close
 *
 *     STARTUP --StartupMessage--> MESSAGES --Terminate--> (the caller closes)
 *        | '-- SSLRequest, GSSENCRequest: the caller answers one byte; STARTUP again
 *        '---- CancelRequest: the caller closes
 *
 * A message whose length is good but whose body is not as the protocol says comes as
 * PGWIRE_MALFORMED: the next one can still be found, so the session answers 08P01 and goes on, as
 * PostgreSQL does. Bodies are checked whole: the iterators below never fail on an event.
 *
 * Bounds: the startup message 10,000 bytes, what carries SQL or data message_bytes_max, a password
 * or SASL message 65,535, all others 10,000 (PostgreSQL's own, but for the second). Texts are not
 * judged: they hold no NUL and may be any other bytes.
 */
#ifndef NONET_WIRE_PGWIRE_H
#define NONET_WIRE_PGWIRE_H

#include "base/check.h"
#include "base/slice.h"

enum {
    PGWIRE_STARTUP_MAX = 10000,
    PGWIRE_SMALL_MAX = 10000,
    PGWIRE_PASSWORD_MAX = 65535,
    PGWIRE_MESSAGE_MAX = 16 * 1024 * 1024, /* a usual message_bytes_max; sessions have their own */
    PGWIRE_VERSION_MAJOR = 3,
};

enum pgwire_kind {
    /* In place of a startup message. */
    PGWIRE_STARTUP, /* version_minor, body: pairs */
    PGWIRE_SSL_REQUEST,
    PGWIRE_GSS_REQUEST,
    PGWIRE_CANCEL_REQUEST, /* process, secret */
    /* Messages. */
    PGWIRE_PASSWORD, /* body: a password, or SASL's: pgwire_password, pgwire_sasl_initial */
    PGWIRE_QUERY,    /* text */
    PGWIRE_PARSE,    /* name, text, oids */
    PGWIRE_BIND,     /* name: the portal, statement, formats, parameters, result_formats */
    PGWIRE_DESCRIBE, /* what, name */
    PGWIRE_EXECUTE,  /* name: the portal, limit */
    PGWIRE_CLOSE,    /* what, name */
    PGWIRE_SYNC,
    PGWIRE_FLUSH,
    PGWIRE_COPY_DATA, /* body */
    PGWIRE_COPY_DONE,
    PGWIRE_COPY_FAIL,     /* text */
    PGWIRE_FUNCTION_CALL, /* not decoded: it is refused */
    PGWIRE_TERMINATE,
    PGWIRE_MALFORMED, /* type */
    PGWIRE_KINDS,
};

enum pgwire_error {
    PGWIRE_ERROR_NONE,
    PGWIRE_ERROR_STARTUP_LENGTH, /* also what a client of another protocol is told */
    PGWIRE_ERROR_STARTUP_LAYOUT,
    PGWIRE_ERROR_VERSION, /* not 3.x */
    PGWIRE_ERROR_TYPE,
    PGWIRE_ERROR_LENGTH,
    PGWIRE_ERRORS,
};

/* A run of COUNT entries of a message, checked: of 4 bytes (OIDs), of 2 (formats), or of a length
   and so many bytes (parameters). */
struct pgwire_list {
    unsigned count;
    slice bytes;
};

/* Members that the kind above does not name are empty or 0. */
struct pgwire_event {
    enum pgwire_kind kind;
    char type; /* the message's type byte; '\0' of those in place of a startup message */
    char what; /* 'S' a prepared statement, 'P' a portal */
    slice name, statement, text, body;
    struct pgwire_list oids, formats, parameters, result_formats;
    uint32_t limit; /* rows; 0: all */
    uint32_t version_minor;
    uint32_t process, secret;
};

/* Small, copied freely, owns nothing. */
struct pgwire_parser {
    uint32_t message_bytes_max; /* may be changed between two events */
    uint8_t started;            /* the startup message has come */
    uint8_t error;              /* enum pgwire_error; set once, final */
    char refused;               /* of ERROR_TYPE: the byte */
    size_t need;                /* after 0: ask again with at least so many bytes */
};

struct pgwire_parser pgwire_parser_make(uint32_t message_bytes_max);

/* Takes one event from the start of INPUT.
   1: *ret_event is filled and *ret_consumed bytes of INPUT belong to it.
   0: more bytes are needed, see `need`; nothing was consumed.
   -EPROTO, -EMSGSIZE: `error` says how; every later call says the same. */
must_use int pgwire_parse(struct pgwire_parser *p, slice input, struct pgwire_event *ret_event,
                          size_t *ret_consumed);

/* PostgreSQL's SQLSTATE and words for it. */
const char *pgwire_error_state(enum pgwire_error error);
const char *pgwire_error_text(enum pgwire_error error);
/* "Query", "CopyData" ... */
const char *pgwire_kind_name(enum pgwire_kind kind);

/* The next parameter of a startup message off *REST (its body). False at the end. */
bool pgwire_next_pair(slice *rest, slice *ret_name, slice *ret_value);
/* Entry INDEX < count. A format is 0 text, 1 binary; others are the caller's to refuse. */
uint32_t pgwire_oid_at(const struct pgwire_list *oids, unsigned index);
/* The format of value INDEX: no entries mean text, one entry stands for all. */
unsigned pgwire_format_of(const struct pgwire_list *formats, unsigned index);
/* The next parameter's bytes off *REST (parameters.bytes); ptr NULL: NULL. Call `count` times. */
slice pgwire_next_parameter(slice *rest);

/* A PASSWORD's body by what the server has asked for. False: it is not that. */
bool pgwire_password(slice body, slice *ret_password);
bool pgwire_sasl_initial(slice body, slice *ret_mechanism, slice *ret_data);

static inline uint16_t pgwire_u16(const char *at) {
    const unsigned char *b = (const unsigned char *)at;
    return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t pgwire_u32(const char *at) {
    return (uint32_t)pgwire_u16(at) << 16 | pgwire_u16(at + 2);
}

#endif
