/*
 * names.c - what is known of names, and when it is asked for again (names.h).
 *
 *     asked (question) --on_answer--> waits (again: the time to live, or a while) --> asked ...
 *
 * An answer whose addresses are the ones known moves the timer and nothing else. Whoever watches is
 * told outside of its own functions, and once more with the next answer where it had no memory for
 * the change.
 */
#include "rooms/gateway/names.h"

#include "base/map.h"
#include "base/mem.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define HOST_MAX 254u /* with a dot at the end */
#define WHY_MAX 96u
#define ADDRESSES_TEXT_MAX 512u /* in a line of the log; what is over it is left out */
#define RETRY_DOUBLED_MAX 4u
#define SERVERS_TEXT_MAX 1024u
#define STATUS_NAMES_MAX 200u /* that the status tells of: up to 1 KB each */

enum name_state { NAME_ASKING, NAME_KNOWN, NAME_STALE, NAME_UNKNOWN };

struct gateway_name {
    struct list_node node; /* of the loop's */
    struct gateway_shard *shard;
    struct list watches;
    enum name_state state;
    struct io_question *question; /* NULL: none is under way */
    struct io_timer again;
    unsigned failures;  /* in a row */
    uint64_t denied_ns; /* since when the DNS says that there is no such name; 0: it does not */
    uint64_t ttl_ns;    /* of the last answer */
    bool untold;        /* somebody had no memory for the last change */
    char why[WHY_MAX];  /* the last question has failed; "" where it has not */
    unsigned count;
    struct ip addresses[IO_RESOLVE_ADDRESSES_MAX];
    slice host; /* in small letters; lies behind */
    char text[];
};

struct gateway_names {
    struct list all;
    struct map by_host;
    struct io_resolver *resolver;
    char servers[SERVERS_TEXT_MAX]; /* "": the system's */
};

bool gateway_name_is(slice host) {
    static const slice local = slice_lit("localhost"), below = slice_lit(".localhost");
    struct ip ip;
    if (host.len > HOST_MAX)
        return false;
    if (slice_ends_with(host, slice_lit(".")))
        host.len--;
    bool is_local =
        slice_equal_nocase(host, local) ||
        (host.len > below.len && slice_equal_nocase(slice_skip(host, host.len - below.len), below));
    return !is_local && ip_parse(host, &ip) != 0;
}

const struct ip *gateway_name_addresses(const struct gateway_name *name, unsigned *ret_count) {
    *ret_count = name->count;
    return name->addresses;
}

bool gateway_name_is_asked_first(const struct gateway_name *name) {
    return name->state == NAME_ASKING;
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void ask(struct gateway_name *name);

static void on_again(struct io_timer *timer) {
    ask(container_of(timer, struct gateway_name, again));
}

static void ask_in(struct gateway_name *name, uint64_t span_ns) {
    io_timer_start(name->shard->shard->loop, &name->again, span_ns, on_again);
}

static void tell(const struct gateway_name *name, enum log_level level, const char *message) {
    char addresses[ADDRESSES_TEXT_MAX] = "", text[IP_TEXT_MAX];
    size_t len = 0;
    for (unsigned i = 0; i < name->count && len < sizeof addresses; i++)
        len += (size_t)snprintf(addresses + len, sizeof addresses - len, "%s%s", i ? "," : "",
                                ip_text(&name->addresses[i], text));
    logger_write(name->shard->gateway->node->logger, level, "gateway", message,
                 "name=%.*s shard=%u addresses=%s reason=%s", slice_fmt(name->host),
                 name->shard->shard->index, addresses, name->why);
}

static void tell_watches(struct gateway_name *name) {
    struct list_node *at, *following;
    name->untold = false;
    list_each(&name->watches, at, following) {
        struct gateway_watch *watch = container_of(at, struct gateway_watch, node);
        if (watch->on_change(watch))
            name->untold = true;
    }
}

static void take_answer(struct gateway_name *name, const struct io_resolved *resolved) {
    size_t size = resolved->count * sizeof *resolved->addresses;
    bool same = name->state != NAME_ASKING && name->count == resolved->count &&
                memcmp(name->addresses, resolved->addresses, size) == 0;
    enum name_state before = name->state;
    memcpy(name->addresses, resolved->addresses, size);
    name->count = resolved->count;
    name->ttl_ns = resolved->ttl_ns;
    name->state = NAME_KNOWN;
    name->failures = 0;
    name->denied_ns = 0;
    name->why[0] = '\0';
    if (before == NAME_STALE || before == NAME_UNKNOWN)
        tell(name, LOG_LEVEL_INFO, "the name of a service is resolved again");
    else if (!same)
        tell(name, LOG_LEVEL_INFO, "the name of a service has these addresses now");
    if (!same || name->untold)
        tell_watches(name);
}

/* The DNS has said for long enough that there is no such name. */
static bool is_gone(struct gateway_name *name, int failed) {
    uint64_t now = io_loop_now_ns(name->shard->shard->loop);
    if (failed != -ENOENT) {
        name->denied_ns = 0;
        return false;
    }
    if (name->denied_ns == 0)
        name->denied_ns = now;
    return now - name->denied_ns >= GATEWAY_NAME_HOLD_NS;
}

static void take_failure(struct gateway_name *name, int failed, const char *why) {
    enum name_state before = name->state;
    bool gone = is_gone(name, failed);
    if (name->failures < RETRY_DOUBLED_MAX + 1)
        name->failures++;
    (void)snprintf(name->why, sizeof name->why, "%s", why);
    if (gone)
        name->count = 0;
    name->state = name->count ? NAME_STALE : NAME_UNKNOWN;
    if (name->state == NAME_STALE && before != NAME_STALE)
        tell(name, LOG_LEVEL_WARN,
             "the name of a service cannot be resolved, its last addresses go on");
    else if (name->state == NAME_UNKNOWN && before != NAME_UNKNOWN)
        tell(name, LOG_LEVEL_WARN, "the name of a service cannot be resolved, it gets no requests");
    if (name->untold || (name->state != before && before != NAME_KNOWN))
        tell_watches(name); /* the first answer has come, or the addresses have gone */
}

static void on_answer(void *owner, const struct io_resolved *resolved) {
    struct gateway_name *name = owner;
    name->question = NULL;
    if (resolved->failed)
        take_failure(name, resolved->failed, resolved->why);
    else
        take_answer(name, resolved);
    unsigned doubled = name->failures ? name->failures - 1 : 0;
    ask_in(name,
           resolved->failed || name->untold ? GATEWAY_NAME_RETRY_NS << doubled : resolved->ttl_ns);
}

static void ask(struct gateway_name *name) {
    struct gateway_names *names = name->shard->names;
    io_timer_stop(name->shard->shard->loop, &name->again);
    if (io_resolve(names->resolver, name->host, on_answer, name, &name->question))
        ask_in(name, GATEWAY_NAME_RETRY_NS); /* no memory; all names at once are its bound */
}

/* --- names and watches -------------------------------------------------------------------------
 */

static int open_names(struct gateway_shard *shard, struct gateway_names **ret_names) {
    struct gateway_names *names = mem_zalloc(1, sizeof *names);
    struct hash_key key = {random_u64(&shard->random), random_u64(&shard->random)};
    if (!names || io_resolver_create(shard->shard->loop, NULL, &names->resolver)) {
        mem_free(names);
        return -ENOMEM;
    }
    list_init(&names->all);
    names->by_host = map_make(key, GATEWAY_NAMES_MAX);
    *ret_names = names;
    return 0;
}

static struct gateway_name *name_free(struct gateway_name *name) {
    io_resolve_cancel(name->question);
    io_timer_stop(name->shard->shard->loop, &name->again);
    list_remove(&name->node);
    return mem_free(name);
}

static int name_make(struct gateway_shard *shard, slice host, struct gateway_name **ret_name) {
    struct gateway_name *name = mem_zalloc(1, sizeof *name + host.len);
    if (!name)
        return -ENOMEM;
    memcpy(name->text, host.ptr, host.len);
    name->host = slice_make(name->text, host.len);
    name->shard = shard;
    list_init(&name->watches);
    list_push_back(&shard->names->all, &name->node);
    int failed = map_add(&shard->names->by_host, name->host, name);
    if (failed) {
        name_free(name);
        return failed;
    }
    ask(name);
    *ret_name = name;
    return 0;
}

int gateway_watch_begin(struct gateway_shard *shard, slice host,
                        int (*on_change)(struct gateway_watch *watch),
                        struct gateway_watch *watch) {
    char small[HOST_MAX];
    int failed = shard->names ? 0 : open_names(shard, &shard->names);
    if (failed)
        return failed;
    check(host.len <= sizeof small); /* gateway_name_is */
    for (size_t i = 0; i < host.len; i++)
        small[i] =
            host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? (char)(host.ptr[i] | 0x20) : host.ptr[i];
    host = slice_make(small, host.len);
    struct gateway_name *name = map_find(&shard->names->by_host, host);
    if (!name)
        failed = name_make(shard, host, &name);
    if (failed)
        return failed;
    list_push_back(&name->watches, &watch->node);
    watch->name = name;
    watch->on_change = on_change;
    return 0;
}

void gateway_watch_end(struct gateway_watch *watch) {
    struct gateway_name *name = watch->name;
    if (!name)
        return;
    list_remove(&watch->node);
    watch->name = NULL;
    if (list_empty(&name->watches)) {
        map_remove(&name->shard->names->by_host, name->host);
        name_free(name);
    }
}

int gateway_names_set_servers(struct gateway_shard *shard, const char *servers) {
    struct gateway_names *names;
    struct io_resolver *resolver;
    struct list_node *at, *following;
    slice text = slice_str(servers ? servers : "");
    int failed = shard->names || !servers ? 0 : open_names(shard, &shard->names);
    if (failed)
        return failed;
    names = shard->names;
    if (!names || slice_equal(text, slice_str(names->servers)))
        return 0;
    if (io_resolver_create(shard->shard->loop, servers, &resolver))
        return -ENOMEM;
    check(slice_to_string(text, names->servers, sizeof names->servers) == 0); /* judged */
    list_each(&names->all, at, following) {
        struct gateway_name *name = container_of(at, struct gateway_name, node);
        name->question = io_resolve_cancel(name->question);
    }
    io_resolver_free(names->resolver);
    names->resolver = resolver;
    list_each(&names->all, at, following) {
        ask(container_of(at, struct gateway_name, node));
    }
    return 0;
}

void gateway_names_close(struct gateway_shard *shard) {
    struct gateway_names *names = shard->names;
    if (!names)
        return;
    check(list_empty(&names->all));
    map_free(&names->by_host);
    io_resolver_free(names->resolver);
    shard->names = mem_free(names);
}

/* --- status ------------------------------------------------------------------------------------
 */

static void write_name(const struct gateway_name *name, struct json_writer *w) {
    static const char *const states[] = {"asking", "known", "stale", "unknown"};
    char text[IP_TEXT_MAX];
    json_write_object(w);
    json_write_key(w, "state");
    json_write_text(w, states[name->state]);
    json_write_key(w, "addresses");
    json_write_array(w);
    for (unsigned i = 0; i < name->count; i++)
        json_write_text(w, ip_text(&name->addresses[i], text));
    json_write_end(w);
    json_write_key(w, "ttl_s");
    json_write_u64(w, name->ttl_ns / 1000000000);
    if (name->why[0]) {
        json_write_key(w, "reason");
        json_write_text(w, name->why);
    }
    json_write_end(w);
}

void gateway_names_write(const struct gateway_shard *shard, struct json_writer *w) {
    struct list_node *at, *following;
    unsigned left = STATUS_NAMES_MAX;
    json_write_object(w);
    if (shard->names)
        list_each(&shard->names->all, at, following) {
            const struct gateway_name *name = container_of(at, struct gateway_name, node);
            if (left == 0)
                break;
            left--;
            json_write_key_slice(w, name->host);
            write_name(name, w);
        }
    json_write_end(w);
}
