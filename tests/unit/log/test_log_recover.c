#include "log_kit.h"

/* Owners' state, and a long random life against a naive model, with little memory. */

/* --- owners ---------------------------------------------------------------------------------- */

struct counter {
    uint64_t value, replayed, restored;
    uint64_t last_position;
};

static int counter_restore(void *self, slice snapshot) {
    struct counter *counter = self;
    if (snapshot.len != 8)
        return -EBADMSG;
    memcpy(&counter->value, snapshot.ptr, 8);
    counter->restored++;
    return 0;
}

static int counter_replay(void *self, slice delta, uint64_t position) {
    struct counter *counter = self;
    assert_int_equal(delta.len, 1);
    assert_true(position > counter->last_position);
    counter->last_position = position;
    counter->value += (uint64_t)delta.ptr[0];
    counter->replayed++;
    return 0;
}

static int counter_snapshot(void *self, struct buf *out) {
    struct counter *counter = self;
    return buf_append(out, slice_make(&counter->value, 8));
}

static void add(struct desk *desk, struct counter *counter, char amount) {
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_delta(batch, 9, slice_make(&amount, 1)), 0);
    desk_commit(desk, batch);
    counter->value += (uint64_t)amount;
    desk_sync(desk);
}

static void test_owners_get_their_snapshot_and_then_every_delta(void **state) {
    (void)state;
    struct desk *desk = desk_new(1, NULL);
    struct counter counter = {0};
    struct log_owner owner = {.id = 9,
                              .self = &counter,
                              .restore = counter_restore,
                              .replay = counter_replay,
                              .snapshot = counter_snapshot};
    desk->options.owners = &owner;
    desk->options.owner_count = 1;
    desk_open(desk);
    assert_int_equal(counter.restored + counter.replayed, 0);
    for (int i = 0; i < 5; i++)
        add(desk, &counter, 3);
    desk_cut(desk);
    counter = (struct counter){0};
    desk_open(desk);
    assert_int_equal(counter.restored, 0);
    assert_int_equal(counter.replayed, 5);
    assert_int_equal(counter.value, 15);
    assert_int_equal(desk_checkpoint(desk), 0);
    add(desk, &counter, 7);
    desk_cut(desk);
    counter = (struct counter){0};
    desk_open(desk);
    assert_int_equal(counter.restored, 1);
    assert_int_equal(counter.replayed, 1);
    assert_int_equal(counter.value, 22);
    desk_close(desk);
    counter = (struct counter){0};
    desk->options.owner_count = 0;
    struct error error = {0};
    assert_int_equal(desk_try_open(desk, &error), -ENOTSUP);
    desk->log = NULL;
    desk->options.owner_count = 1;
    desk_open(desk);
    assert_int_equal(counter.value, 22);
    desk_free(desk);
}

/* --- a long life ----------------------------------------------------------------------------- */

#define STREAMS 3u
#define MESSAGES 6000u
#define SUBJECTS 40u

struct model_message {
    bool alive;
    unsigned subject, tag;
    size_t size;
};

struct model {
    struct log_limits limits;
    uint64_t first, last, alive;
    struct model_message messages[MESSAGES];
};

static struct model models[STREAMS];
static struct random dice;
static unsigned tags;

static size_t record_bytes(const struct model_message *m) {
    char subject[32];
    int len = snprintf(subject, sizeof subject, "s.%u", m->subject);
    return record_size_of((size_t)len, 0, m->size);
}

static uint64_t model_bytes(const struct model *model) {
    uint64_t bytes = 0;
    for (uint64_t s = model->first; s <= model->last; s++)
        bytes += model->messages[s].alive ? record_bytes(&model->messages[s]) : 0;
    return bytes;
}

static void model_kill(struct model *model, uint64_t sequence) {
    model->alive -= model->messages[sequence].alive;
    model->messages[sequence].alive = false;
    while (model->first <= model->last && !model->messages[model->first].alive)
        model->first++;
}

static void model_append(struct model *model, struct model_message message) {
    uint64_t most = model->limits.messages_per_subject_max, have = 0;
    for (uint64_t s = model->last; most && s >= model->first && s > 0; s--)
        if (model->messages[s].alive && model->messages[s].subject == message.subject &&
            ++have >= most)
            model_kill(model, s);
    model->messages[++model->last] = message;
    model->alive++;
    while (model->limits.messages_max && model->alive > model->limits.messages_max)
        model_kill(model, model->first);
    while (model->limits.bytes_max && model->alive > 1 &&
           model_bytes(model) > model->limits.bytes_max)
        model_kill(model, model->first);
}

static void payload_of(const struct model_message *m, char *out) {
    memset(out, 'a' + (int)(m->tag % 26), m->size);
    snprintf(out, 16, "%u", m->tag);
}

static void act_append(struct desk *desk, struct log_stream *stream, struct model *model) {
    struct log_batch *batch = desk_begin(desk);
    unsigned count = 1 + (unsigned)random_below(&dice, 20);
    struct model_message sent[20];
    unsigned added = 0;
    for (; added < count && model->last + added + 1 < MESSAGES; added++) {
        char subject[32], payload[3000];
        sent[added] = (struct model_message){true, (unsigned)random_below(&dice, SUBJECTS), ++tags,
                                             16 + random_below(&dice, 2000)};
        payload_of(&sent[added], payload);
        snprintf(subject, sizeof subject, "s.%u", sent[added].subject);
        struct log_message message = {.subject = slice_str(subject),
                                      .payload = slice_make(payload, sent[added].size)};
        uint64_t sequence = 0;
        assert_int_equal(log_batch_append(batch, stream, &message, &sequence), 0);
        assert_int_equal(sequence, model->last + added + 1);
    }
    if (random_below(&dice, 5) == 0) {
        log_batch_abandon(batch);
        return;
    }
    for (unsigned i = 0; i < added; i++)
        model_append(model, sent[i]);
    desk_commit(desk, batch);
}

static void act_delete(struct desk *desk, struct log_stream *stream, struct model *model) {
    struct log_batch *batch = desk_begin(desk);
    for (unsigned i = 0; i < 10; i++) {
        uint64_t sequence = 1 + random_below(&dice, model->last + 1);
        bool alive = sequence <= model->last && model->messages[sequence].alive;
        assert_int_equal(log_batch_delete(batch, stream, sequence), alive ? 0 : -ENOENT);
        if (!alive)
            continue;
        model_kill(model, sequence);
        break;
    }
    desk_commit(desk, batch);
}

static void act_trim(struct desk *desk, struct log_stream *stream, struct model *model) {
    uint64_t to = model->first + random_below(&dice, 50);
    struct log_batch *batch = desk_begin(desk);
    assert_int_equal(log_batch_trim(batch, stream, to), 0);
    while (model->first < to && model->first <= model->last)
        model_kill(model, model->first);
    for (; model->last + 1 < to && model->last + 1 < MESSAGES; model->first = model->last + 1)
        model->messages[++model->last] = (struct model_message){0};
    desk_commit(desk, batch);
}

static void check_subjects(struct log_stream *stream, const struct model *model) {
    for (unsigned i = 0; i < SUBJECTS; i++) {
        uint64_t count = 0, first = 0, last = 0;
        for (uint64_t s = model->first; s <= model->last; s++) {
            if (!model->messages[s].alive || model->messages[s].subject != i)
                continue;
            first = count++ ? first : s;
            last = s;
        }
        char subject[32];
        snprintf(subject, sizeof subject, "s.%u", i);
        struct log_subject_state found = {0};
        assert_int_equal(log_subject(stream, slice_str(subject), &found), count > 0);
        if (!count)
            continue;
        assert_int_equal(found.messages, count);
        assert_int_equal(found.first_sequence, first);
        assert_int_equal(found.last_sequence, last);
    }
}

static void check_all(struct desk *desk) {
    char name[8], payload[3000];
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct model *model = &models[i];
        snprintf(name, sizeof name, "S%u", i);
        struct log_stream *stream = desk_find(desk, name);
        assert_non_null(stream);
        struct log_stream_state now = log_stream_state(stream);
        assert_int_equal(now.messages, model->alive);
        assert_int_equal(now.first_sequence, model->first);
        assert_int_equal(now.last_sequence, model->last);
        assert_int_equal(now.bytes, model_bytes(model));
        check_subjects(stream, model);
        struct log_record record;
        uint64_t from = 1;
        for (uint64_t s = model->first; s <= model->last; s++) {
            if (!model->messages[s].alive)
                continue;
            assert_int_equal(desk_seek(desk, stream, "", from, &record), 0);
            assert_int_equal(record.sequence, s);
            payload_of(&model->messages[s], payload);
            assert_true(slice_equal(record.payload, slice_make(payload, model->messages[s].size)));
            from = s + 1;
        }
        assert_int_equal(desk_seek(desk, stream, "", from, &record), -ENOENT);
    }
}

static void act(struct desk *desk) {
    unsigned i = (unsigned)random_below(&dice, STREAMS);
    char name[8];
    snprintf(name, sizeof name, "S%u", i);
    struct log_stream *stream = desk_find(desk, name);
    uint64_t die = random_below(&dice, 100);
    if (die < 80)
        act_append(desk, stream, &models[i]);
    else if (die < 95)
        act_delete(desk, stream, &models[i]);
    else
        act_trim(desk, stream, &models[i]);
    desk_sync(desk);
    die = random_below(&dice, 100);
    if (die < 4)
        assert_int_equal(desk_checkpoint(desk), 0);
    else if (die < 6)
        sim_run_for(desk->sim, SIM_SECOND);
}

static void come_back(struct desk *desk) {
    uint64_t die = random_below(&dice, 3);
    if (die == 0)
        desk_close(desk);
    else if (die == 1)
        desk_cut(desk);
    else
        desk_kill(desk);
    desk_open(desk);
}

static void test_a_long_random_life_agrees_with_a_naive_model(void **state) {
    (void)state;
    static const struct log_limits limits[STREAMS] = {
        {.messages_max = 700, .bytes_max = 500000}, {.messages_per_subject_max = 3}, {0}};
    for (uint64_t seed = 1; seed <= 4; seed++) {
        dice = random_make(seed);
        tags = 0;
        memset(models, 0, sizeof models);
        struct desk *desk = desk_new(seed, NULL);
        desk->options.cache_bytes = 100000;
        desk_open(desk);
        for (unsigned i = 0; i < STREAMS; i++) {
            char name[8];
            snprintf(name, sizeof name, "S%u", i);
            models[i].limits = limits[i];
            models[i].first = 1;
            desk_put(desk, name, limits[i], false);
        }
        for (unsigned round = 0; round < 12; round++) {
            for (unsigned step = 0; step < 60; step++)
                act(desk);
            check_all(desk);
            come_back(desk);
            check_all(desk);
        }
        desk_free(desk);
    }
}

static void test_many_small_streams_share_segments(void **state) {
    (void)state;
    enum { MANY = 300 };
    struct desk *desk = desk_new(5, NULL);
    desk_open(desk);
    char name[16];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "S%u", i);
        desk_write(desk, desk_stream(desk, name), "x", name);
    }
    assert_int_equal(desk_checkpoint(desk), 0);
    assert_int_equal(desk->log->segments.count, 1);
    desk_cut(desk);
    desk_open(desk);
    struct log_stream *stream = NULL;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "S%u", i);
        stream = log_stream_next(desk->log, stream);
        assert_true(slice_equal(log_stream_name(stream), slice_str(name)));
        desk_expect(desk, stream, 1, "x", name);
    }
    assert_null(log_stream_next(desk->log, stream));
    desk_free(desk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owners_get_their_snapshot_and_then_every_delta),
        cmocka_unit_test(test_a_long_random_life_agrees_with_a_naive_model),
        cmocka_unit_test(test_many_small_streams_share_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
