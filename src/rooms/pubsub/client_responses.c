/*
 * client_responses.c - answers a user may give beyond its lists (allow_responses).
 *
 * Each request that is delivered to such a client leaves its reply subject behind, for so many
 * answers and so long. They are kept in the order in which they came, which is that in which they
 * expire: what is over is forgotten when the next one comes, and above RESPONSES_MAX the oldest is.
 */
#include "base/mem.h"
#include "rooms/pubsub/client.h"

#define RESPONSES_MAX 65536u /* of one client */

struct response {
    struct list_node in_order;
    uint64_t expires_ns;
    uint32_t left; /* answers; 0 = without bound */
    size_t reply_len;
    char reply[];
};

struct client_responses {
    struct map by_reply;
    struct list in_order;
};

static void forget(struct client_responses *all, struct response *r) {
    const void *removed = map_remove(&all->by_reply, slice_make(r->reply, r->reply_len));
    check(removed == r);
    list_remove(&r->in_order);
    mem_free(r);
}

static void forget_old(struct client_responses *all, uint64_t now_ns) {
    struct list_node *at, *following;
    list_each(&all->in_order, at, following) {
        struct response *r = container_of(at, struct response, in_order);
        if (now_ns < r->expires_ns && map_count(&all->by_reply) < RESPONSES_MAX)
            return;
        forget(all, r);
    }
}

static struct client_responses *responses_of(struct client *c) {
    if (c->responses)
        return c->responses;
    struct client_responses *all = mem_zalloc(1, sizeof *all);
    if (!all)
        return NULL;
    struct hash_key key;
    io_host_random(c->room->pubsub->node->host, &key, sizeof key);
    all->by_reply = map_make(key, RESPONSES_MAX);
    list_init(&all->in_order);
    c->responses = all;
    return all;
}

void client_note_request(struct client *c, slice reply) {
    struct auth_user rights = principal_describe(c->principal);
    uint64_t now_ns = io_loop_now_ns(c->room->shard->loop);
    struct client_responses *all = responses_of(c);
    struct response *r = all ? map_find(&all->by_reply, reply) : NULL;
    if (!all)
        return;
    if (r)
        forget(all, r);
    forget_old(all, now_ns);
    r = mem_zalloc(1, sizeof *r + reply.len);
    if (!r)
        return; /* the answer will be refused */
    r->expires_ns = now_ns + rights.responses_ns;
    r->left = rights.responses_max;
    r->reply_len = reply.len;
    memcpy(r->reply, reply.ptr, reply.len);
    if (map_add(&all->by_reply, slice_make(r->reply, r->reply_len), r))
        mem_free(r);
    else
        list_push_back(&all->in_order, &r->in_order);
}

bool client_may_respond(struct client *c, slice subject) {
    struct client_responses *all = c->responses;
    struct response *r = all ? map_find(&all->by_reply, subject) : NULL;
    if (!r)
        return false;
    bool may = io_loop_now_ns(c->room->shard->loop) < r->expires_ns;
    if (!may || r->left == 1)
        forget(all, r);
    else if (r->left)
        r->left--;
    return may;
}

void client_forget_requests(struct client *c) {
    struct client_responses *all = c->responses;
    struct list_node *at, *following;
    if (!all)
        return;
    list_each(&all->in_order, at, following)
        forget(all, container_of(at, struct response, in_order));
    map_free(&all->by_reply);
    c->responses = mem_free(all);
}
