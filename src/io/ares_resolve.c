/*
 * ares_resolve.c - resolve.h on c-ares, whose sockets and clock are driven by the loop.
 *
 *     WAITING --fewer than UNDER_WAY_MAX--> ASKED --c-ares--> ANSWERED --end of the turn--> gone
 *        |                                    |                  (on_answer)
 *        '------- PATIENCE_NS, cancelled -----+--> gone, or ABANDONED until c-ares lets go of it
 *
 * c-ares may answer from inside of its own functions (a name in /etc/hosts, a literal address), and
 * its channel must not be freed from inside of an answer, so an answer is only noted there and told
 * by a task. It cannot take one question back, either: one that nobody waits for any more stays,
 * without an owner, until c-ares has answered it, and counts as under way.
 *
 * A watch is the loop's eye on one socket of c-ares, which says when to open and close it. It is
 * stopped before c-ares closes the descriptor, and its memory goes a turn later.
 */
#include "io/resolve.h"

#include "base/list.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/uv_loop.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>

#define TRY_MS 1500 /* for a server's first answer; twice as long the second time */
#define TRIES 2

struct watch {
    struct list_node node;
    struct io_resolver *resolver; /* NULL: closing */
    uv_poll_t poll;
    ares_socket_t fd;
    int interest;
};

enum question_state { WAITING, ASKED, ANSWERED, ABANDONED };

struct io_question {
    struct list_node node; /* of the resolver's waiting, or of its others */
    struct io_resolver *resolver;
    enum question_state state;
    void (*on_answer)(void *owner, const struct io_resolved *resolved);
    void *owner;
    struct io_timer patience;
    struct io_task tell;
    struct io_resolved resolved;
    struct ip addresses[IO_RESOLVE_ADDRESSES_MAX];
    char host[IO_HOST_NAME_MAX];
};

struct io_resolver {
    struct io_loop *loop;
    char *servers;        /* NULL: the system's */
    ares_channel channel; /* NULL: closed */
    bool stale; /* no server has answered: the channel is opened anew when nobody waits for it */
    struct io_timer clock;
    struct io_task pump; /* asks what waits */
    struct list waiting, others, watches;
    unsigned count, under_way, abandoned; /* abandoned ones are under way, too */
};

/* --- c-ares's sockets and clock ----------------------------------------------------------------
 */

static void on_clock(struct io_timer *timer);

static void set_clock(struct io_resolver *r) {
    struct timeval left;
    if (r->channel && ares_timeout(r->channel, NULL, &left))
        io_timer_start(r->loop, &r->clock,
                       (uint64_t)left.tv_sec * 1000000000 + (uint64_t)left.tv_usec * 1000,
                       on_clock);
    else
        io_timer_stop(r->loop, &r->clock);
}

static void on_clock(struct io_timer *timer) {
    struct io_resolver *r = container_of(timer, struct io_resolver, clock);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_clock(r);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    struct watch *watch = poll->data;
    struct io_resolver *r = watch->resolver;
    io_loop_enter(r->loop);
    bool reads = status < 0 || (events & UV_READABLE),
         writes = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(r->channel, reads ? watch->fd : ARES_SOCKET_BAD,
                    writes ? watch->fd : ARES_SOCKET_BAD);
    if (watch->resolver && !uv_is_active((uv_handle_t *)poll)) /* an error has stopped it */
        check(uv_poll_start(poll, watch->interest, on_ready) == 0);
    set_clock(r);
}

static void on_watch_closed(uv_handle_t *handle) {
    mem_free(handle->data);
}

static struct watch *find_watch(struct io_resolver *r, ares_socket_t fd) {
    struct list_node *node, *next;
    list_each(&r->watches, node, next) {
        struct watch *watch = container_of(node, struct watch, node);
        if (watch->fd == fd)
            return watch;
    }
    return NULL;
}

/* NULL: c-ares hears nothing of its socket, and its question fails when its time is over. */
static struct watch *open_watch(struct io_resolver *r, ares_socket_t fd) {
    struct watch *watch = mem_zalloc(1, sizeof *watch);
    if (!watch || uv_poll_init(&r->loop->uv, &watch->poll, fd)) {
        mem_free(watch);
        return NULL;
    }
    watch->resolver = r;
    watch->fd = fd;
    watch->poll.data = watch;
    list_push_back(&r->watches, &watch->node);
    return watch;
}

static void on_socket(void *owner, ares_socket_t fd, int reads, int writes) {
    struct io_resolver *r = owner;
    struct watch *watch = find_watch(r, fd);
    int interest = (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
    if (!watch && interest)
        watch = open_watch(r, fd);
    if (!watch)
        return;
    watch->interest = interest;
    if (interest) {
        check(uv_poll_start(&watch->poll, interest, on_ready) == 0);
        return;
    }
    list_remove(&watch->node);
    watch->resolver = NULL;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void close_channel(struct io_resolver *r) {
    if (r->channel)
        ares_destroy(r->channel);
    r->channel = NULL;
    r->stale = false;
    set_clock(r);
}

static int open_channel(struct io_resolver *r) {
    struct ares_options options = {
        .timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_socket, .sock_state_cb_data = r};
    int failed = ares_init_options(&r->channel, &options,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (failed) {
        r->channel = NULL;
        return failed;
    }
    if (r->servers)
        failed = ares_set_servers_ports_csv(r->channel, r->servers);
    if (failed)
        close_channel(r);
    return failed;
}

/* --- questions ---------------------------------------------------------------------------------
 */

static int error_of(int status) {
    switch (status) {
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        return -ENOENT;
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    case ARES_ECONNREFUSED:
        return -ECONNREFUSED;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
        return -EAGAIN;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_EBADNAME:
        return -EINVAL;
    default:
        return -EIO;
    }
}

static const char *words_of(int status) {
    switch (status) {
    case ARES_SUCCESS:
        return "no memory"; /* for what was found */
    case ARES_ENODATA:
        return "the name has no address";
    case ARES_ENOTFOUND:
        return "there is no such name";
    case ARES_ETIMEOUT:
        return "no answer from the DNS servers in time";
    case ARES_ECONNREFUSED: /* of c-ares for failures of each server, too */
        return "the DNS servers cannot be reached, or fail";
    default:
        return ares_strerror(status);
    }
}

static void question_free(struct io_question *q) {
    struct io_resolver *r = q->resolver;
    io_timer_stop(r->loop, &q->patience);
    io_defer_cancel(r->loop, &q->tell);
    list_remove(&q->node);
    r->count--;
    mem_free(q);
}

struct io_question *io_resolve_cancel(struct io_question *q) {
    if (!q || q->state == ABANDONED) /* c-ares still has it, and on_ares frees it */
        return NULL;
    if (q->state != ASKED) {
        question_free(q);
        return NULL;
    }
    io_timer_stop(q->resolver->loop, &q->patience);
    q->resolver->abandoned++;
    q->state = ABANDONED;
    return NULL;
}

static void on_tell(struct io_task *task) {
    struct io_question *q = container_of(task, struct io_question, tell);
    struct io_resolved resolved = q->resolved;
    struct ip addresses[IO_RESOLVE_ADDRESSES_MAX];
    void (*on_answer)(void *owner, const struct io_resolved *resolved) = q->on_answer;
    void *owner = q->owner;
    memcpy(addresses, q->addresses, sizeof addresses);
    resolved.addresses = addresses;
    question_free(q);
    on_answer(owner, &resolved); /* may free the resolver */
}

static void on_patience(struct io_timer *timer) {
    struct io_question *q = container_of(timer, struct io_question, patience);
    struct io_resolved resolved = {.failed = -ETIMEDOUT, .why = words_of(ARES_ETIMEOUT)};
    void (*on_answer)(void *owner, const struct io_resolved *resolved) = q->on_answer;
    void *owner = q->owner;
    q->resolver->stale = true;
    io_defer(q->resolver->loop, &q->resolver->pump);
    io_resolve_cancel(q);
    on_answer(owner, &resolved);
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct ip));
}

static struct ip ip_of(const struct sockaddr *from) {
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};
    if (from->sa_family == AF_INET)
        memcpy(ip.bytes + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    else
        memcpy(ip.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    return ip;
}

/* Sorts COUNT addresses and takes out what is there twice; how many are left. */
static unsigned put_in_order(struct ip *addresses, unsigned count) {
    unsigned kept = 0;
    qsort(addresses, count, sizeof *addresses, compare);
    for (unsigned i = 0; i < count; i++)
        if (kept == 0 || compare(&addresses[kept - 1], &addresses[i]) != 0)
            addresses[kept++] = addresses[i];
    return kept;
}

/* FOUND is in the order of RFC 6724. 0 or -ENOMEM. */
static int take_addresses(struct io_question *q, const struct ares_addrinfo *found) {
    int family = found->nodes->ai_family;
    int64_t ttl_s = INT32_MAX;
    unsigned count = 0;
    for (const struct ares_addrinfo_node *n = found->nodes; n; n = n->ai_next)
        count += n->ai_family == family;
    struct ip *all = mem_zalloc(count, sizeof *all);
    if (!all)
        return -ENOMEM;
    count = 0;
    for (const struct ares_addrinfo_node *n = found->nodes; n; n = n->ai_next) {
        if (n->ai_family != family)
            continue;
        all[count++] = ip_of(n->ai_addr);
        ttl_s = n->ai_ttl < ttl_s ? n->ai_ttl : ttl_s;
    }
    for (const struct ares_addrinfo_cname *c = found->cnames; c; c = c->next)
        ttl_s = c->ttl < ttl_s ? c->ttl : ttl_s;
    count = put_in_order(all, count);
    q->resolved.count = count < IO_RESOLVE_ADDRESSES_MAX ? count : IO_RESOLVE_ADDRESSES_MAX;
    memcpy(q->addresses, all, q->resolved.count * sizeof *all);
    mem_free(all);
    uint64_t ttl_ns = ttl_s > 0 ? (uint64_t)ttl_s * 1000000000 : 0;
    q->resolved.ttl_ns = ttl_ns < IO_RESOLVE_TTL_NS_MIN   ? IO_RESOLVE_TTL_NS_MIN
                         : ttl_ns > IO_RESOLVE_TTL_NS_MAX ? IO_RESOLVE_TTL_NS_MAX
                                                          : ttl_ns;
    return 0;
}

static void answer(struct io_question *q, int failed, const char *why) {
    q->resolved.failed = failed;
    q->resolved.why = failed ? why : "";
    q->state = ANSWERED;
    io_timer_stop(q->resolver->loop, &q->patience);
    io_defer(q->resolver->loop, &q->tell);
}

static void on_ares(void *owner, int status, int timeouts, struct ares_addrinfo *found) {
    struct io_question *q = owner;
    struct io_resolver *r = q->resolver;
    (void)timeouts;
    r->under_way--;
    if (q->state == ABANDONED) {
        r->abandoned--;
        question_free(q);
    } else {
        if (status == ARES_SUCCESS && !found->nodes)
            status = ARES_ENODATA;
        int failed = status == ARES_SUCCESS ? take_addresses(q, found) : error_of(status);
        r->stale |= failed == -ETIMEDOUT || failed == -ECONNREFUSED;
        answer(q, failed, words_of(status));
    }
    if (found)
        ares_freeaddrinfo(found);
    io_defer(r->loop, &r->pump);
}

static void ask(struct io_question *q) {
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                     .ai_socktype = SOCK_STREAM};
    struct io_resolver *r = q->resolver;
    list_remove(&q->node);
    list_push_back(&r->others, &q->node);
    int status = r->channel ? ARES_SUCCESS : open_channel(r);
    if (status) {
        answer(q, error_of(status), words_of(status));
        return;
    }
    q->state = ASKED;
    r->under_way++;
    ares_getaddrinfo(r->channel, q->host, NULL, &hints, on_ares, q);
}

static void on_pump(struct io_task *task) {
    struct io_resolver *r = container_of(task, struct io_resolver, pump);
    if (r->stale && r->under_way == r->abandoned)
        close_channel(r); /* answers what was abandoned */
    while (!list_empty(&r->waiting) && r->under_way < IO_RESOLVE_UNDER_WAY_MAX)
        ask(container_of(r->waiting.head.next, struct io_question, node));
    set_clock(r);
}

int io_resolve(struct io_resolver *r, slice host,
               void (*on_answer)(void *owner, const struct io_resolved *resolved), void *owner,
               struct io_question **ret_question) {
    if (r->count == IO_RESOLVE_QUESTIONS_MAX)
        return -EBUSY;
    struct io_question *q = mem_zalloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    if (slice_to_string(host, q->host, sizeof q->host) < 0) {
        mem_free(q);
        return -EINVAL;
    }
    q->resolver = r;
    q->on_answer = on_answer;
    q->owner = owner;
    q->tell.run = on_tell;
    list_push_back(&r->waiting, &q->node);
    r->count++;
    io_timer_start(r->loop, &q->patience, IO_RESOLVE_PATIENCE_NS, on_patience);
    io_defer(r->loop, &r->pump);
    *ret_question = q;
    return 0;
}

/* --- the resolver ------------------------------------------------------------------------------
 */

int io_resolver_create(struct io_loop *loop, const char *servers,
                       struct io_resolver **ret_resolver) {
    struct io_resolver *r = mem_zalloc(1, sizeof *r);
    if (r && servers)
        r->servers = mem_copy(servers, strlen(servers));
    if (!r || (servers && !r->servers)) {
        mem_free(r);
        return -ENOMEM;
    }
    r->loop = loop;
    r->pump.run = on_pump;
    list_init(&r->waiting);
    list_init(&r->others);
    list_init(&r->watches);
    loop->open_count++;
    *ret_resolver = r;
    return 0;
}

static void forget_all(struct list *questions) {
    struct list_node *node, *next;
    list_each(questions, node, next) {
        io_resolve_cancel(container_of(node, struct io_question, node));
    }
}

struct io_resolver *io_resolver_free(struct io_resolver *r) {
    if (!r)
        return NULL;
    forget_all(&r->waiting);
    forget_all(&r->others);
    close_channel(r);
    check(r->count == 0 && list_empty(&r->watches));
    io_defer_cancel(r->loop, &r->pump);
    r->loop->open_count--;
    mem_free(r->servers);
    return mem_free(r);
}
