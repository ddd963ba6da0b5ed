#include "bus_kit.h"

#include "base/random.h"
#include "bus/index.h"
#include "wire/nats_subject.h"

/* The subject index against its definition, nats_subject_match, with interest coming and going. */

#define SUBSCRIPTIONS 120u
#define SHARDS 4u

struct interest {
    char pattern[64], queue[4];
    struct bus_subscription *here; /* NULL: not subscribed */
    unsigned members[SHARDS];      /* of other shards: members, or 1 for plain interest */
};

struct model {
    struct index index;
    struct random random;
    struct interest all[SUBSCRIPTIONS];
};

static slice text(const char *s) {
    return slice_str(s);
}

static void draw_subject(struct random *random, bool wild, char *out) {
    static const char *const tokens[] = {"a", "b", "ab", "c", "*x", "a>"};
    unsigned count = 1 + (unsigned)random_below(random, 4);
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *token = tokens[random_below(random, array_count(tokens))];
        if (wild && random_below(random, 4) == 0)
            token = i + 1 == count && random_below(random, 2) ? ">" : "*";
        len += (size_t)snprintf(out + len, 64 - len, "%s%s", i ? "." : "", token);
    }
}

static struct bus_subscription *subscription_new(const char *pattern, const char *queue) {
    size_t subject_len = strlen(pattern), queue_len = strlen(queue);
    struct bus_subscription *s = mem_zalloc(1, sizeof *s + subject_len + queue_len);
    if (!s)
        return NULL;
    s->subject_len = (uint16_t)subject_len;
    s->queue_len = (uint16_t)queue_len;
    memcpy(s->text, pattern, subject_len);
    memcpy(s->text + subject_len, queue, queue_len);
    return s;
}

/* --- comparing ----------------------------------------------------------------------------------
 */

static unsigned expected_plain(const struct model *m, slice subject) {
    unsigned count = 0;
    for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
        const struct interest *at = &m->all[i];
        count += at->here && !at->queue[0] && nats_subject_match(subject, text(at->pattern));
    }
    return count;
}

static uint64_t expected_shards(const struct model *m, slice subject) {
    uint64_t shards = 0;
    for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
        const struct interest *at = &m->all[i];
        if (at->queue[0] || !nats_subject_match(subject, text(at->pattern)))
            continue;
        for (unsigned s = 1; s < SHARDS; s++)
            if (at->members[s])
                shards |= 1ull << s;
    }
    return shards;
}

static unsigned expected_weight(const struct model *m, slice subject, slice queue,
                                unsigned *ret_here) {
    unsigned weight = 0;
    *ret_here = 0;
    for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
        const struct interest *at = &m->all[i];
        if (!slice_equal(text(at->queue), queue) || !nats_subject_match(subject, text(at->pattern)))
            continue;
        *ret_here += at->here != NULL;
        weight += at->here != NULL;
        for (unsigned s = 1; s < SHARDS; s++)
            weight += at->members[s];
    }
    return weight;
}

static void compare(struct model *m, const char *subject, struct bus_route *route) {
    static const char *const queues[] = {"q", "r"};
    struct bus_match *match = index_find(&m->index, text(subject), route);
    assert_non_null(match);
    assert_int_equal(match->plain_count, expected_plain(m, text(subject)));
    for (uint32_t i = 0; i < match->plain_count; i++) {
        const struct bus_subscription *s = match->plain[i];
        assert_true(nats_subject_match(text(subject), slice_make(s->text, s->subject_len)));
        for (uint32_t n = 0; n < i; n++)
            assert_ptr_not_equal(match->plain[n], s);
    }
    assert_int_equal(match->shards, expected_shards(m, text(subject)));
    unsigned groups = 0;
    for (unsigned q = 0; q < array_count(queues); q++) {
        unsigned here, weight = expected_weight(m, text(subject), text(queues[q]), &here);
        groups += weight > 0;
        for (uint32_t i = 0; i < match->group_count; i++) {
            const struct match_group *group = &match->groups[i];
            if (!slice_equal(group->name, text(queues[q])))
                continue;
            assert_int_equal(group->weight, weight);
            assert_int_equal(group->member_count, here);
        }
    }
    assert_int_equal(match->group_count, groups);
    index_put(&m->index, match);
}

/* --- changing -----------------------------------------------------------------------------------
 */

static void toggle_here(struct model *m, struct interest *at) {
    if (at->here) {
        index_remove(&m->index, at->here);
        at->here = mem_free(at->here);
        return;
    }
    at->here = subscription_new(at->pattern, at->queue);
    assert_non_null(at->here);
    assert_int_equal(index_add(&m->index, at->here), 0);
}

static void change_there(struct model *m, struct interest *at) {
    unsigned shard = 1 + (unsigned)random_below(&m->random, SHARDS - 1);
    bool add = at->members[shard] == 0 || (at->queue[0] && random_below(&m->random, 2));
    assert_int_equal(
        index_set_shard(&m->index, text(at->pattern), text(at->queue), shard, add ? 1 : -1), 0);
    at->members[shard] = add ? at->members[shard] + 1 : at->members[shard] - 1;
}

/* One pattern and queue occur once in the model: another shard's plain interest is one bit. */
static bool is_known(const struct model *m, unsigned count, const struct interest *at) {
    for (unsigned i = 0; i < count; i++)
        if (strcmp(m->all[i].pattern, at->pattern) == 0 && strcmp(m->all[i].queue, at->queue) == 0)
            return true;
    return false;
}

static void draw_interests(struct model *m) {
    static const char *const queues[] = {"", "", "q", "r"};
    for (unsigned i = 0; i < SUBSCRIPTIONS;) {
        struct interest *at = &m->all[i];
        draw_subject(&m->random, true, at->pattern);
        snprintf(at->queue, sizeof at->queue, "%s",
                 queues[random_below(&m->random, array_count(queues))]);
        i += !is_known(m, i, at);
    }
}

static void play(uint64_t seed) {
    static struct model model;
    struct model *m = &model;
    memset(m, 0, sizeof *m);
    m->random = random_make(seed);
    assert_int_equal(index_open(&m->index, (struct hash_key){seed, 2}), 0);
    draw_interests(m);
    struct bus_route route = {0};
    char subject[64], same[64];
    draw_subject(&m->random, false, same);
    for (unsigned step = 0; step < 1500; step++) {
        struct interest *at = &m->all[random_below(&m->random, SUBSCRIPTIONS)];
        unsigned what = (unsigned)random_below(&m->random, 8);
        if (what == 0)
            toggle_here(m, at);
        else if (what == 1)
            change_there(m, at);
        draw_subject(&m->random, false, subject);
        compare(m, subject, NULL);
        compare(m, same, &route);
    }
    bus_route_clear(&route);
    for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
        struct interest *at = &m->all[i];
        if (at->here)
            toggle_here(m, at);
        for (unsigned s = 1; s < SHARDS; s++)
            for (; at->members[s]; at->members[s]--)
                assert_int_equal(
                    index_set_shard(&m->index, text(at->pattern), text(at->queue), s, -1), 0);
    }
    assert_int_equal(m->index.node_count, 0); /* the trie is bare again */
    index_close(&m->index);
}

static void test_it_finds_what_the_definition_says(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 25; seed++)
        play(seed);
}

static void test_subjects_that_are_no_literals_match_as_nats_server_matches_them(void **state) {
    (void)state;
    struct model *m = mem_zalloc(1, sizeof *m);
    static const char *const patterns[] = {">", "a.>", "*", "a.*", "a.*.b"};
    assert_int_equal(index_open(&m->index, (struct hash_key){1, 2}), 0);
    for (unsigned i = 0; i < array_count(patterns); i++) {
        struct interest *at = &m->all[i];
        snprintf(at->pattern, sizeof at->pattern, "%s", patterns[i]);
        toggle_here(m, at);
    }
    static const struct {
        const char *subject;
        unsigned plain;
    } cases[] = {{"a..b", 0}, {".a", 0}, {"a.", 0}, {"a.*", 3}, {"a.>", 3}, {"*", 2}, {">", 2}};
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct bus_match *match = index_find(&m->index, text(cases[i].subject), NULL);
        assert_non_null(match);
        assert_int_equal(match->plain_count, cases[i].plain);
        index_put(&m->index, match);
    }
    for (unsigned i = 0; i < array_count(patterns); i++)
        toggle_here(m, &m->all[i]);
    index_close(&m->index);
    mem_free(m);
}

static void test_a_match_in_use_outlives_the_change_that_makes_it_stale(void **state) {
    (void)state;
    struct index index;
    assert_int_equal(index_open(&index, (struct hash_key){3, 4}), 0);
    struct bus_subscription *a = subscription_new("a", ""), *b = subscription_new("a", "");
    struct bus_route route = {0};
    assert_int_equal(index_add(&index, a), 0);
    index_put(&index, index_find(&index, text("a"), &route)); /* seen once */
    struct bus_match *held = index_find(&index, text("a"), &route);
    assert_int_equal(index_add(&index, b), 0);
    assert_int_equal(held->plain_count, 1);
    struct bus_match *fresh = index_find(&index, text("a"), &route);
    assert_int_equal(fresh->plain_count, 2);
    index_put(&index, fresh);
    index_put(&index, held);
    bus_route_clear(&route);
    index_remove(&index, a);
    index_remove(&index, b);
    index_close(&index);
    mem_free(a);
    mem_free(b);
}

/* What another shard took back, though the news that it had it were lost for lack of memory. */
static void test_taking_back_interest_that_was_never_noted_is_refused(void **state) {
    (void)state;
    struct index index;
    assert_int_equal(index_open(&index, (struct hash_key){5, 6}), 0);
    assert_int_not_equal(index_set_shard(&index, text("a"), text("q"), 1, -1), 0);
    assert_int_equal(index_set_shard(&index, text("a"), text("q"), 2, 1), 0);
    assert_int_not_equal(index_set_shard(&index, text("a"), text("q"), 1, -1), 0);
    assert_int_equal(index_set_shard(&index, text("a"), text("q"), 2, -1), 0);
    assert_int_equal(index.node_count, 0);
    index_close(&index);
}

static void test_a_shard_can_be_forgotten_whole(void **state) {
    (void)state;
    struct index index;
    assert_int_equal(index_open(&index, (struct hash_key){9, 10}), 0);
    static const char *const patterns[] = {"a", "a.b", "a.*", "*.b", "a.*.c", "a.>", ">"};
    for (unsigned i = 0; i < array_count(patterns); i++)
        for (unsigned shard = 1; shard < 3; shard++)
            for (unsigned q = 0; q < 2; q++)
                assert_int_equal(
                    index_set_shard(&index, text(patterns[i]), text(q ? "q" : ""), shard, 1), 0);
    struct bus_match *match = index_find(&index, text("a.b"), NULL);
    assert_int_equal(match->shards, 6);
    assert_int_equal(match->groups[0].weight, 10);
    index_put(&index, match);
    index_clear_shard(&index, 1);
    match = index_find(&index, text("a.b"), NULL);
    assert_int_equal(match->shards, 4);
    assert_int_equal(match->groups[0].weight, 5);
    index_put(&index, match);
    index_clear_shard(&index, 2);
    match = index_find(&index, text("a.b"), NULL);
    assert_int_equal(match->shards, 0);
    assert_int_equal(match->group_count, 0);
    index_put(&index, match);
    index_close(&index);
}

static void test_each_failed_allocation_leaves_it_as_it_was(void **state) {
    (void)state;
    struct index index;
    assert_int_equal(index_open(&index, (struct hash_key){7, 8}), 0);
    static const char *const patterns[] = {"a.b.c.d", "a.*.c", "x.>", "a.b.c.d", "*.*.*"};
    for (unsigned i = 0; i < array_count(patterns); i++) {
        struct bus_subscription *s = subscription_new(patterns[i], i % 2 ? "q" : "");
        int failed = -ENOMEM;
        for (unsigned long nth = 1; failed; nth++) {
            uint32_t nodes = index.node_count;
            mem_fail_at(nth, false);
            failed = index_add(&index, s);
            mem_fail_at(0, false);
            if (failed)
                assert_int_equal(index.node_count, nodes);
            assert_true(nth < 50);
        }
        bool found = false;
        for (unsigned long nth = 1; !found; nth++) {
            mem_fail_at(nth, false);
            struct bus_match *match = index_find(&index, text("a.b.c"), NULL);
            mem_fail_at(0, false);
            found = match && nth > 8;
            if (match)
                index_put(&index, match);
        }
        index_remove(&index, s);
        mem_free(s);
    }
    index_close(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_finds_what_the_definition_says),
        cmocka_unit_test(test_subjects_that_are_no_literals_match_as_nats_server_matches_them),
        cmocka_unit_test(test_a_match_in_use_outlives_the_change_that_makes_it_stale),
        cmocka_unit_test(test_taking_back_interest_that_was_never_noted_is_refused),
        cmocka_unit_test(test_a_shard_can_be_forgotten_whole),
        cmocka_unit_test(test_each_failed_allocation_leaves_it_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
