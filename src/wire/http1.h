/*
 * http1.h - the head of an HTTP/1.1 message (RFC 9112), parsed strictly.
 *
 * A proxy and a server behind it that disagree on where a message ends let one client speak in
 * another's name (request smuggling). So this parser takes only what every conforming parser
 * reads in the same way and refuses the rest: no repairs, no lenient switch. Among the refused
 * are a bare LF or CR, blanks before the colon, folded lines, control bytes, a length that is
 * repeated, signed, empty or led by zeros, a length together with a transfer coding, a coding
 * that is not exactly "chunked", a missing or second Host, and versions other than 1.0 and 1.1.
 *
 * Pull parser, as in nats.h: the caller keeps the bytes of a head until it is whole.
 *
 *     r = http1_parse(&parser, input, &head, &consumed)
 *     1: head is filled, its slices point into the input; body: http1_body.h, by head.framing
 *     0: keep the input, add to it, ask again; nothing was consumed
 *    <0: answer http1_error_status(parser.error) and close; final
 *
 * Bytes are judged as they come (a wrong byte is refused at once, wherever reads are cut) and the
 * lines when the head is whole, so the result depends on the bytes only. No byte is looked at
 * for its end twice. Bounds: struct http1_limits; fields at most HTTP1_FIELDS_MAX.
 */
#ifndef NONET_WIRE_HTTP1_H
#define NONET_WIRE_HTTP1_H

#include "wire/http1_error.h"
#include "wire/http1_fields.h"

enum {
    HTTP1_FIELDS_MAX = 100,
    HTTP1_HEAD_MAX = 16 * 1024,  /* default: bytes of a head with its last empty line */
    HTTP1_TARGET_MAX = 8 * 1024, /* default: bytes of a request target */
    HTTP1_METHOD_MAX = 32,       /* letters of a method */
};

/* What is being parsed. The two last tell a response's parser what was asked, as the framing of
   the answer depends on it. */
enum http1_side {
    HTTP1_REQUEST,
    HTTP1_RESPONSE,
    HTTP1_RESPONSE_TO_HEAD,
    HTTP1_RESPONSE_TO_CONNECT
};

/* How the body that follows is delimited. */
enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH, /* content_length bytes, above 0 */
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE, /* responses only */
    HTTP1_TUNNEL,      /* after 101 or a 2xx to CONNECT: no HTTP any more */
};

enum http1_form { HTTP1_ORIGIN, HTTP1_ABSOLUTE, HTTP1_AUTHORITY, HTTP1_ASTERISK };

struct http1_head {
    uint8_t side;            /* enum http1_side */
    uint8_t framing;         /* enum http1_framing */
    uint8_t version_minor;   /* 0 or 1 */
    uint8_t form;            /* enum http1_form of the target */
    bool keep_alive;         /* the connection may be used again after this message */
    bool expect_continue;    /* the client waits for 100 before it sends the body */
    bool https;              /* the absolute target's scheme is https */
    bool authority_differs;  /* the absolute target names another host than Host does */
    uint16_t status;         /* responses: 100 to 599 */
    uint64_t content_length; /* of HTTP1_LENGTH; for HEAD and 304 the length announced */
    bool has_content_length;
    slice method;    /* requests */
    slice target;    /* as sent */
    slice path;      /* the target's path and query, begins with '/'; empty for CONNECT, "*" */
    slice authority; /* host[:port]: the target's, else Host's; empty only in 1.0 */
    slice reason;    /* responses; may be empty */
    slice upgrade;   /* value of Upgrade, where Connection names it; else empty */
    size_t fields_count;
    struct http1_field fields[HTTP1_FIELDS_MAX];
};

struct http1_limits {
    uint32_t head_max;
    uint32_t target_max;
    uint32_t fields_max; /* at most HTTP1_FIELDS_MAX */
};

/* One for each direction of a connection; owns nothing. */
struct http1_parser {
    struct http1_limits limits;
    uint8_t side;  /* enum http1_side: may be changed between two messages */
    uint8_t error; /* enum http1_error, final */
    struct http1_scan scan;
};

struct http1_parser http1_parser_make(enum http1_side side);

/* See above. One empty line before a request is taken silently (RFC 9112 2.2).
   After 1 the parser stands before the next head. -EPROTO: parser->error says why, and what
   *HEAD then holds means nothing (it is built in place, as it is large). */
must_use int http1_parse(struct http1_parser *p, slice input, struct http1_head *head,
                         size_t *ret_consumed);

/* The value of the first field NAME (case does not matter); false: not there. */
bool http1_get(const struct http1_head *head, slice name, slice *ret_value);

/* The last step of http1_parse: from the first line and the fields to framing, content_length,
   keep_alive, authority, expect_continue and upgrade. */
must_use enum http1_error http1_frame(struct http1_head *head);

#endif
