/*
 * resolve.h - the addresses of a name, and for how long they hold. Part of the seam (loop.h).
 *
 * io_connect (net.h) asks the C library for each connection, which tells no time to live and waits
 * in a thread of its own. Who means to keep up with a name asks here, again when the answer's time
 * is over:
 *
 *     io_resolve --/etc/hosts, or the DNS servers, search domains too--> on_answer, once
 *
 * /etc/hosts, /etc/resolv.conf (domains, ndots, order of lookups) and nsswitch.conf mean what they
 * mean elsewhere, and are read again after a question that no server has answered; what else a C
 * library may ask (mDNS, LDAP, systemd) is not asked. Both A and AAAA are, and CNAMEs are followed.
 *
 * ADDRESSES of one answer are of one family, the one that RFC 6724 puts first for this machine: who
 * spreads work over them must not count a host with two families twice. They come in the order of
 * their numbers, each once, so that two answers are the same where their bytes are.
 *
 * A TIME TO LIVE is the least of the records' that led to the addresses. Entries of /etc/hosts have
 * none, and so the least.
 */
#ifndef NONET_IO_RESOLVE_H
#define NONET_IO_RESOLVE_H

#include "base/error.h"
#include "base/ip.h"
#include "io/loop.h"

#define IO_RESOLVE_ADDRESSES_MAX 64u /* of a name; of more the first ones are taken */
#define IO_RESOLVE_TTL_NS_MIN UINT64_C(1000000000)
#define IO_RESOLVE_TTL_NS_MAX (UINT64_C(300) * 1000000000)
#define IO_RESOLVE_PATIENCE_NS (UINT64_C(5) * 1000000000) /* an answer comes within it */
#define IO_RESOLVE_UNDER_WAY_MAX 64u /* at a time; the other questions wait, in order */
#define IO_RESOLVE_QUESTIONS_MAX 4096u

struct io_resolver;
struct io_question;

/* Valid during on_answer. */
struct io_resolved {
    int failed;      /* 0; -ENOENT: there is no such name, or it has no address; -ETIMEDOUT,
                        -ECONNREFUSED, -EAGAIN: no server has said; -ENOMEM, -EINVAL, -EIO */
    const char *why; /* words for it; "" where it has not failed */
    uint64_t ttl_ns; /* within the bounds above */
    unsigned count;  /* 1 and more where it has not failed */
    const struct ip *addresses;
};

/* SERVERS: "10.0.0.2:53,[::1]:5353", asked in this order; NULL: those of /etc/resolv.conf. Nothing
   is read or opened before the first question. 0, -ENOMEM. */
must_use int io_resolver_create(struct io_loop *loop, const char *servers,
                                struct io_resolver **ret_resolver);
/* Questions under way are over without an answer. NULL allowed, returns NULL. */
struct io_resolver *io_resolver_free(struct io_resolver *resolver);

/* Asks for the addresses of HOST (a name, or an address as a text), which is copied. ON_ANSWER
   comes once, not from inside, and the question is gone with it. 0; -EBUSY (QUESTIONS_MAX), -EINVAL
   (longer than a name can be), -ENOMEM. */
must_use int io_resolve(struct io_resolver *resolver, slice host,
                        void (*on_answer)(void *owner, const struct io_resolved *resolved),
                        void *owner, struct io_question **ret_question);
/* ON_ANSWER does not come. NULL allowed, returns NULL. */
struct io_question *io_resolve_cancel(struct io_question *question);

#endif
