/*
 * guard.h - who may talk to a listener that trusts its neighbours, such as admin.
 *
 * A listener on 127.0.0.1 is reachable by every web page the user of this machine opens: the page
 * asks its own name, which now resolves to 127.0.0.1 (DNS rebinding), or posts a form across
 * origins. So before any handler runs:
 *
 *     Host          an IP literal, localhost, or a name from `hosts`; else 403
 *     Origin        on changing methods (all but GET, HEAD, OPTIONS): where it is sent it must be
 *                   the Host's own, and so must Sec-Fetch-Site say where it is sent; else 403
 *     credentials   on changing methods, with `reading_too` on all: `Authorization: Bearer TOKEN`,
 *                   or Basic with a user that `check_user` knows; else 401
 *
 * THE NODE'S OWN GATEWAY shows `Authorization: Nonet-Gateway TOKEN`, on any method, with a token
 * that no one else has. It is let in for whomever it has let in itself (http_request_user), and
 * only to routes that say so (http_route.for_gateway).
 *
 * The token is compared in constant time. Users are guessed at, so at most HTTP_LOGINS_PER_SECOND
 * are asked about a second and loop, then 429. A user may cost tens of milliseconds (bcrypt): then
 * check_user answers later, from wherever it has that computed, and the request waits; its body is
 * read meanwhile, its handler not called.
 *
 * A guard is immutable, shared by all loops, and outlives its server. What changes in its place is
 * behind check_user, which runs on the connection's loop.
 */
#ifndef NONET_HTTP_GUARD_H
#define NONET_HTTP_GUARD_H

#include "base/check.h"
#include "base/slice.h"
#include "http/request.h"
#include "wire/http1.h"

#define HTTP_LOGINS_PER_SECOND 20u

/* A user who is being asked about; a part of the request. */
struct http_login {
    bool asked;   /* the guard's owner holds it */
    bool gateway; /* it is the node's own, and the user the one that it names */
    int result;   /* the word, as check_user's */
    slice user;   /* empty: nobody in particular */
};
/* The word about LOGIN, on the request's loop, not from inside check_user. */
void http_login_decide(struct http_login *login, int result);

#define HTTP_GATEWAY_SCHEME "Nonet-Gateway"
/* The field that names who the gateway has let in. */
#define HTTP_GATEWAY_USER "X-Nonet-Principal"

struct http_guard {
    const char *const *hosts; /* NULL-terminated, without ports; NULL: none */
    bool any_host;            /* what asks for no credentials is answered by any name */
    slice token;              /* empty: no token lets anybody in */
    slice gateway_token;      /* the same for the node's own gateway */
    /* 0, -EACCES, -EAGAIN (too many at once), or -ENOMEM; -EINPROGRESS: http_login_decide follows,
       unless forget_user comes first. NULL: there are no users. */
    int (*check_user)(void *owner, slice user, slice password, struct http_login *login);
    void (*forget_user)(void *owner, struct http_login *login); /* NULL: it never answers later */
    void *owner;
    bool reading_too; /* off loopback: reading wants credentials, too */
};

/* How often users may still be asked about; one a loop. */
struct http_login_budget {
    uint64_t second;
    unsigned used;
};

struct http_refusal {
    unsigned status; /* 0: let in */
    const char *detail;
};
/* Judges a request from its head. WITHOUT_LOGIN: the route asks for no credentials.
   LOGIN->asked afterwards: let in as far as is known yet. */
struct http_refusal http_guard_judge(const struct http_guard *guard, const struct http1_head *head,
                                     bool is_tls, bool without_login,
                                     struct http_login_budget *budget, uint64_t now_ns,
                                     struct arena *arena, struct http_login *login);
/* What a user is told after RESULT, the word of check_user; status 0 where he is let in. */
struct http_refusal http_guard_refusal(int result);

#endif
