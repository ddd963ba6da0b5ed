/*
 * ways.h - the inside of auth: what a way to say who asks is, and a request's try at those of its
 * route. For auth.c, ways.c, way_*.c and key_*.c; nobody else includes it.
 *
 * A WAY belongs to a table, so it is immutable and read by all loops. Its kind judges a request:
 *
 *     judge --WAY_IN-------------------------------------------> the exchange goes on
 *       |---WAY_ABSENT .. WAY_ANSWERED--> the next way; after the last: the most telling answer
 *       '---WAY_LATER ...... way_decide(verdict)-- as above
 *                      '---- the client goes: forget
 *
 * A TRY lies in the exchange's arena. While WAY_LATER holds it, `forget` is set, and the kind keeps
 * it in a list or a struct of its own.
 */
#ifndef NONET_GATEWAY_WAYS_H
#define NONET_GATEWAY_WAYS_H

#include "io/tls.h"
#include "rooms/gateway/api_keys.h"
#include "rooms/gateway/auth.h"
#include "rooms/gateway/steps.h"
#include "rooms/gateway/table.h"
#include "rooms/gateway/token_cache.h"

/* From the second on: the later, the more telling where no way lets the request in. */
enum way_verdict {
    WAY_IN,
    WAY_LATER,
    WAY_ABSENT,      /* nothing of its kind was sent: 401 */
    WAY_REFUSED,     /* what was sent is not good: 401 */
    WAY_FORBIDDEN,   /* it is good, but not enough: 403 */
    WAY_UNAVAILABLE, /* it cannot be judged now: 503 */
    WAY_ANSWERED,    /* another service has refused it, in its own words */
};

struct gateway_way;

struct way_try {
    struct exchange *x;
    const struct gateway_way *way; /* being asked */
    unsigned next;                 /* of the route's ways */
    enum way_verdict told;         /* the most telling one so far */
    const struct gateway_way *teller;
    const char *why, *teller_why; /* static words for the client; of the way being asked, of told */
    bool second;                  /* way_jwt: it has waited for keys once */
    bool stale;                   /* what the way being asked refuses has been good once */
    bool wrong;                   /* a way has refused what is not stale */
    void (*forget)(struct way_try *t);
    enum way_verdict (*again)(struct way_try *t); /* for key_source.h: judge once more */
    void *state;                                  /* of the way being asked */
    struct list_node node;                        /* of the list it waits in */
    const struct http_answer *answer;             /* of WAY_ANSWERED, in the arena, with its body */
    slice body;
};

/* A server of somebody else's, from its URL. KEY is what a loop knows its connections by over
   reloads: the URL, and a digest of the authorities it is checked against. */
struct way_remote {
    slice url, key;
    slice target, host; /* of a request's line, and its Host */
    const char *address;
    struct io_tls *tls; /* NULL: plain text */
};

struct way_opening {
    struct gateway *gateway;
    const struct gateway_auth_config *config;
    const struct gateway_ways *old; /* of the table in force; NULL: none */
    struct arena *arena;
};

struct way_kind {
    int (*open)(struct gateway_way *way, const struct way_opening *opening,
                struct error *ret_error);
    void (*close)(struct gateway_way *way); /* may be NULL */
    enum way_verdict (*judge)(struct way_try *t);
    /* Adds WWW-Authenticate; WHY: what was sent was refused for this, or NULL. NULL: there is none
       to be given. */
    void (*challenge)(struct exchange *x, const struct gateway_way *way, const char *why);
};

extern const struct way_kind way_api_keys, way_basic, way_jwt, way_certificate, way_forward;

struct gateway_way {
    const struct way_kind *kind; /* NULL: not open */
    slice name;
    slice as; /* user whose rights it gives; empty: none asked */
    struct metric in, refused, unavailable;
    union {
        struct {
            struct api_keys *set;
            slice header, query;
        } keys;
        struct {
            slice realm;
        } basic;
        struct {
            struct jwt_rules rules;
            struct jwks *set; /* NULL: of the remote, by key_source.h */
            struct way_remote remote;
            slice header, cookie;
            slice text;     /* the rules, so that they are known again after a reload */
            uint32_t realm; /* of the tokens held good (token_cache.h) */
        } jwt;
        struct {
            const slice *names;
            unsigned name_count;
        } certificate;
        struct {
            struct way_remote remote;
            uint64_t timeout_ns;
            const slice *sent, *taken; /* names of fields of the request, of the answer */
            unsigned sent_count, taken_count;
            slice principal;
        } forward;
    };
};

struct gateway_ways {
    struct gateway_way *items;
    unsigned count;
};

/* ways.c. CA: file of authorities in PEM; empty: the system's. 0, or negative with words. */
must_use int way_remote_open(struct way_remote *remote, slice url, slice ca,
                             const struct way_opening *opening, struct error *ret_error);

/* --- for the kinds (auth.c) ------------------------------------------------------------------- */

/* The word of the way being asked, after WAY_LATER; T may be gone afterwards. */
void way_decide(struct way_try *t, enum way_verdict verdict);
/* The request is PRINCIPAL's (copied), with the rights of the user AS, where that is not empty.
   WAY_IN; WAY_FORBIDDEN: there is no such user any more; WAY_UNAVAILABLE: no memory. */
enum way_verdict way_let_in(struct way_try *t, slice principal, slice as);
/* REFUSED or one of the later ones, for a reason that the client may read. */
enum way_verdict way_refuse(struct way_try *t, enum way_verdict verdict, const char *why);

/* NAME (of the config) is set to VALUE in what goes on; VALUE.ptr NULL: taken out. 0 or -ENOMEM. */
must_use int way_set_onward(struct exchange *x, slice name, slice value);

/* The one field NAME: 0, -ENOENT, or -EINVAL where it was sent twice: the target might believe the
   other one. */
must_use int way_field(const struct exchange *x, slice name, slice *ret_value);
/* What stands in the field NAME; in Authorization behind the word SCHEME. As way_field. */
must_use int way_credentials(const struct exchange *x, slice name, slice scheme,
                             slice *ret_credentials);

#endif
