/*
 * fuzz_subject.c - the subject index held against a list of wishes and a naive matcher.
 *
 * Each line of the input is one step:
 *
 *     s SUBJECT [QUEUE]        subscribe
 *     u N                      the N-th subscription ends
 *     +SM SUBJECT [QUEUE]      shard S has M members more; without a queue, plain interest
 *     -SM SUBJECT [QUEUE]      as many fewer
 *     xS                       shard S is forgotten
 *     ? SUBJECT                look up
 *     ! SUBJECT                look up by the route
 *     h SUBJECT                look up and keep the match, as a publish under way does
 *     .                        the turn ends: kept matches and ended subscriptions go
 *     f N                      the N-th allocation of the next step fails
 *
 * Properties: a match holds each plain subscription once, the shards, and each queue group with the
 * members it has here and elsewhere, as the list says; a match that is kept stays readable while
 * interest changes; what fails for lack of memory changes nothing; when all have gone the trie is
 * bare.
 */
#include "base/mem.h"
#include "base/number.h"
#include "bus/index.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define WISHES_MAX 96u
#define STEPS_MAX 400u
#define KEPT_MAX 8u
#define HERE UINT32_MAX

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct wish {
    slice subject, queue;
    uint32_t shard, members; /* plain interest of a shard: 1 */
    struct bus_subscription *subscription;
};

struct bench {
    struct index index;
    struct wish wishes[WISHES_MAX];
    unsigned wish_count;
    struct bus_match *kept[KEPT_MAX];
    unsigned kept_count;
    struct bus_subscription *ended[STEPS_MAX]; /* stay in memory until the turn ends */
    unsigned ended_count;
    struct bus_route route;
    uint64_t fail_at; /* the allocation of this step that fails; 0: none */
    bool forgot;      /* a shard was: bare nodes may stay */
};

/* --- what is right ------------------------------------------------------------------------ */

/* By the words of the protocol: '*' is one token, '>' one or more. */
static bool matches(slice subject, slice pattern) {
    slice name, token;
    while (nats_subject_next(&pattern, &token)) {
        bool more = nats_subject_next(&subject, &name);
        if (slice_equal(token, slice_lit(">")))
            return more;
        if (!more || !(slice_equal(token, slice_lit("*")) || slice_equal(token, name)))
            return false;
    }
    return subject.ptr == NULL;
}

/* Nobody hears a subject with an empty token. */
static bool has_hole(slice subject) {
    slice token;
    while (nats_subject_next(&subject, &token))
        if (token.len == 0)
            return true;
    return false;
}

static bool wants(const struct wish *wish, slice subject) {
    return !has_hole(subject) && matches(subject, wish->subject);
}

static bool is_member(const struct wish *wish, slice subject, slice queue) {
    return wish->queue.len && slice_equal(wish->queue, queue) && wants(wish, subject);
}

static void check_plain(const struct bench *b, const struct bus_match *match, slice subject) {
    uint64_t shards = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < b->wish_count; i++) {
        const struct wish *wish = &b->wishes[i];
        if (wish->queue.len || !wants(wish, subject))
            continue;
        if (wish->shard != HERE)
            shards |= 1ull << wish->shard;
        unsigned times = 0;
        for (unsigned j = 0; j < match->plain_count; j++)
            times += match->plain[j] == wish->subscription;
        check(times == (wish->shard == HERE));
        count += wish->shard == HERE;
    }
    check(match->plain_count == count && match->shards == shards);
}

static void check_group(const struct bench *b, const struct match_group *group, slice subject) {
    uint32_t here = 0, there[BUS_SHARDS_MAX] = {0}, weight = 0;
    for (unsigned i = 0; i < b->wish_count; i++) {
        const struct wish *wish = &b->wishes[i];
        if (!is_member(wish, subject, group->name))
            continue;
        weight += wish->members;
        if (wish->shard != HERE) {
            there[wish->shard] += wish->members;
            continue;
        }
        unsigned times = 0;
        for (unsigned j = 0; j < group->member_count; j++)
            times += group->members[j] == wish->subscription;
        check(times == 1);
        here++;
    }
    check(weight > 0 && group->weight == weight && group->member_count == here);
    for (unsigned i = 0; i < group->remote_count; i++) {
        check(there[group->remotes[i].shard] >= group->remotes[i].members);
        there[group->remotes[i].shard] -= group->remotes[i].members;
    }
    for (unsigned i = 0; i < BUS_SHARDS_MAX; i++)
        check(there[i] == 0);
}

static void check_match(const struct bench *b, const struct bus_match *match, slice subject) {
    unsigned groups = 0;
    check_plain(b, match, subject);
    for (unsigned i = 0; i < b->wish_count; i++) {
        bool first = is_member(&b->wishes[i], subject, b->wishes[i].queue);
        for (unsigned j = 0; first && j < i; j++)
            first = !is_member(&b->wishes[j], subject, b->wishes[i].queue);
        groups += first;
    }
    check(match->group_count == groups);
    for (unsigned i = 0; i < match->group_count; i++) {
        check_group(b, &match->groups[i], subject);
        for (unsigned j = 0; j < i; j++)
            check(!slice_equal(match->groups[j].name, match->groups[i].name));
    }
}

/* --- steps -------------------------------------------------------------------------------- */

static struct wish *wish_add(struct bench *b, slice subject, slice queue, uint32_t shard) {
    struct wish *wish = &b->wishes[b->wish_count++];
    *wish = (struct wish){.subject = subject, .queue = queue, .shard = shard};
    return wish;
}

static void wish_remove(struct bench *b, struct wish *wish) {
    *wish = b->wishes[--b->wish_count];
}

static uint32_t count_here(const struct bench *b, slice subject, slice queue) {
    uint32_t count = 0;
    for (unsigned i = 0; i < b->wish_count; i++)
        count += b->wishes[i].shard == HERE && slice_equal(b->wishes[i].subject, subject) &&
                 slice_equal(b->wishes[i].queue, queue);
    return count;
}

static void subscribe(struct bench *b, slice subject, slice queue) {
    if (b->wish_count == WISHES_MAX)
        return;
    struct bus_subscription *s = mem_zalloc(1, sizeof *s + subject.len + queue.len);
    check(s);
    s->subject_len = (uint16_t)subject.len;
    s->queue_len = (uint16_t)queue.len;
    memcpy(s->text, subject.ptr, subject.len);
    if (queue.len)
        memcpy(s->text + subject.len, queue.ptr, queue.len);
    mem_fail_at(b->fail_at, false);
    int failed = index_add(&b->index, s);
    mem_fail_at(0, false);
    check(!failed || (b->fail_at && failed == -ENOMEM));
    if (failed) {
        mem_free(s);
    } else {
        struct wish *wish = wish_add(b, subject, queue, HERE);
        wish->members = 1;
        wish->subscription = s;
    }
    check(index_local_count(&b->index, subject, queue) == count_here(b, subject, queue));
}

static void unsubscribe(struct bench *b, uint64_t number) {
    for (unsigned i = 0; i < b->wish_count; i++) {
        struct wish *wish = &b->wishes[i];
        if (wish->shard != HERE || number-- > 0)
            continue;
        slice subject = wish->subject, queue = wish->queue;
        index_remove(&b->index, wish->subscription);
        b->ended[b->ended_count++] = wish->subscription;
        wish_remove(b, wish);
        check(index_local_count(&b->index, subject, queue) == count_here(b, subject, queue));
        return;
    }
}

static struct wish *wish_of_shard(struct bench *b, slice subject, slice queue, uint32_t shard) {
    for (unsigned i = 0; i < b->wish_count; i++) {
        struct wish *wish = &b->wishes[i];
        if (wish->shard == shard && slice_equal(wish->subject, subject) &&
            slice_equal(wish->queue, queue))
            return wish;
    }
    return NULL;
}

static void change_shard(struct bench *b, slice subject, slice queue, uint32_t shard, int change) {
    struct wish *wish = wish_of_shard(b, subject, queue, shard);
    if (!wish && change > 0 && b->wish_count == WISHES_MAX)
        return;
    uint32_t had = wish ? wish->members : 0;
    mem_fail_at(b->fail_at, false);
    int failed = index_set_shard(&b->index, subject, queue, shard, change);
    mem_fail_at(0, false);
    if (change > 0)
        check(!failed || (b->fail_at && failed == -ENOMEM));
    else if (queue.len)
        check((failed == 0) == (had >= (uint32_t)-change));
    if (failed)
        return;
    if (!wish && change > 0)
        wish = wish_add(b, subject, queue, shard);
    if (wish)
        wish->members = queue.len ? (uint32_t)((int)had + change) : change > 0;
    if (wish && wish->members == 0)
        wish_remove(b, wish);
}

static void forget_shard(struct bench *b, uint32_t shard) {
    index_clear_shard(&b->index, shard);
    b->forgot = true;
    for (unsigned i = b->wish_count; i-- > 0;)
        if (b->wishes[i].shard == shard)
            wish_remove(b, &b->wishes[i]);
}

static void look_up(struct bench *b, slice subject, struct bus_route *route, bool keep) {
    mem_fail_at(b->fail_at, false);
    struct bus_match *match = index_find(&b->index, subject, route);
    mem_fail_at(0, false);
    check(match || b->fail_at);
    if (!match)
        return;
    check_match(b, match, subject);
    if (keep && b->kept_count < KEPT_MAX)
        b->kept[b->kept_count++] = match;
    else
        index_put(&b->index, match);
}

/* Reads all that a publish under way may read, then gives everything back. */
static void end_turn(struct bench *b) {
    size_t bytes = 0;
    while (b->kept_count > 0) {
        struct bus_match *match = b->kept[--b->kept_count];
        for (unsigned i = 0; i < match->plain_count; i++)
            bytes += match->plain[i]->subject_len;
        for (unsigned i = 0; i < match->group_count; i++)
            for (unsigned j = 0; j < match->groups[i].member_count; j++)
                bytes += match->groups[i].members[j]->queue_len;
        index_put(&b->index, match);
    }
    check(bytes < SIZE_MAX);
    while (b->ended_count > 0)
        mem_free(b->ended[--b->ended_count]);
}

static void step(struct bench *b, slice line) {
    char what = line.ptr[0];
    slice rest, head = slice_cut(slice_skip(line, 1), ' ', &rest);
    slice queue, subject = slice_cut(rest, ' ', &queue);
    uint64_t number = 0;
    bool pattern = nats_subject_valid(subject) && subject.len <= BUS_SUBJECT_MAX;
    uint32_t shard = head.len ? (uint32_t)head.ptr[0] & (BUS_SHARDS_MAX - 1) : 0;
    int members = head.len > 1 ? (head.ptr[1] & 3) + 1 : 1;
    if (what == 's' && pattern)
        subscribe(b, subject, queue);
    else if (what == '+' && pattern)
        change_shard(b, subject, queue, shard, members);
    else if (what == '-' && pattern)
        change_shard(b, subject, queue, shard, -members);
    else if (what == 'u' && number_parse_u64(subject, &number) == 0)
        unsubscribe(b, number);
    else if (what == 'x')
        forget_shard(b, shard);
    else if ((what == '?' || what == 'h') && subject.len)
        look_up(b, subject, NULL, what == 'h');
    else if (what == '!' && subject.len)
        look_up(b, subject, &b->route, false);
    else if (what == '.')
        end_turn(b);
    b->fail_at = 0;
    if (what == 'f' && number_parse_u64(subject, &number) == 0)
        b->fail_at = number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct bench bench;
    struct bench *b = &bench;
    slice rest = slice_make(data, size);
    memset(b, 0, sizeof *b);
    check(index_open(&b->index, (struct hash_key){1, 2}) == 0);
    for (unsigned i = 0; i < STEPS_MAX && rest.len; i++) {
        slice line = slice_cut(rest, '\n', &rest);
        if (line.len)
            step(b, line);
    }
    b->fail_at = 0;
    end_turn(b);
    bus_route_clear(&b->route);
    while (b->wish_count > 0) {
        const struct wish *wish = &b->wishes[0];
        if (wish->shard == HERE)
            unsubscribe(b, 0);
        else
            change_shard(b, wish->subject, wish->queue, wish->shard, -(int)wish->members);
        end_turn(b);
    }
    check(b->forgot || b->index.node_count == 0);
    index_close(&b->index);
    return 0;
}
