/*
 * journal_kit.c - the desk of journal_kit.h.
 */
#include "journal_kit.h"

#include "base/mem.h"

static char desk_byte(uint64_t position, uint32_t life, size_t nth) {
    return (char)(position * 31 + life * 7 + nth);
}

static int desk_replay(void *self, uint64_t position, slice changes, uint32_t count,
                       struct error *ret_error) {
    struct desk *desk = self;
    (void)ret_error;
    assert_true(position < DESK_POSITIONS && position <= desk->committed);
    assert_true(position > desk->replayed_last && position > desk->options.from_position);
    for (uint64_t between = desk->replayed_last + 1; between < position; between++)
        assert_true(between <= desk->options.from_position || desk->changes[between] == 0);
    assert_int_equal(count, desk->changes[position]);
    for (uint32_t i = 0; i < count; i++) {
        struct record record;
        assert_int_equal(record_decode(changes, true, &record), 0);
        changes = slice_skip(changes, record_size(&record));
        assert_int_equal(record.position, position);
        assert_int_equal(record.sequence, i);
        assert_int_equal(record.payload.len, desk->sizes[position]);
        size_t same = 0;
        while (same < record.payload.len &&
               record.payload.ptr[same] == desk_byte(position, desk->lives[position], same))
            same++;
        assert_int_equal(same, record.payload.len);
    }
    assert_int_equal(changes.len, 0);
    if (desk->replayed++ == 0)
        desk->replayed_first = position;
    desk->replayed_last = position;
    return 0;
}

static void desk_on_synced(void *self, uint64_t last_position) {
    struct desk *desk = self;
    assert_true(last_position > desk->synced && last_position <= desk->committed);
    desk->synced = last_position;
    desk->acknowledged = last_position;
    desk->synced_calls++;
}

static void desk_on_failed(void *self, const struct error *error) {
    struct desk *desk = self;
    desk->failures++;
    desk->failure = *error;
}

static void desk_on_room(void *self) {
    ((struct desk *)self)->rooms++;
}

static void desk_on_closed(void *self, int failed) {
    struct desk *desk = self;
    assert_false(desk->closed);
    desk->closed = true;
    desk->close_failed = failed;
}

struct desk *desk_new(uint64_t seed, const struct sim_options *options) {
    struct desk *desk = mem_zalloc(1, sizeof *desk);
    assert_non_null(desk);
    desk->sim = sim_create(seed, options);
    desk->host = sim_host_create(desk->sim, "a");
    assert_int_equal(io_dir_create(desk->host, "log"), 0);
    assert_int_equal(io_dir_sync(desk->host, ""), 0);
    desk->options = (struct journal_options){
        .directory = "log",
        .file_bytes = DESK_FILE,
        .files = 4,
        .replay = desk_replay,
        .on_synced = desk_on_synced,
        .on_failed = desk_on_failed,
        .on_room = desk_on_room,
        .self = desk,
    };
    return desk;
}

int desk_try_open(struct desk *desk, struct error *error) {
    if (!desk->group) {
        int failed = io_group_create(desk->host, 1, &desk->group);
        if (failed)
            return failed;
        sim_group_start(desk->group, NULL, NULL);
        desk->loop = io_group_loop(desk->group, 0);
    }
    desk->options.loop = desk->loop;
    desk->replayed = 0;
    desk->replayed_first = desk->replayed_last = 0;
    desk->closed = false;
    int failed = journal_open(&desk->options, &desk->journal, error);
    if (failed)
        return failed;
    /* What was acknowledged is there; what comes behind it may be; nothing else is. */
    uint64_t last = journal_position(desk->journal);
    assert_true(last >= desk->acknowledged && last <= desk->committed);
    assert_int_equal(journal_synced_position(desk->journal), last);
    desk->committed = last;
    desk->acknowledged = last;
    desk->synced = last;
    desk->life++;
    return 0;
}

void desk_open(struct desk *desk) {
    struct error error = {0};
    int failed = desk_try_open(desk, &error);
    if (failed)
        print_message("open: %s: %s\n", error.place, error.message);
    assert_int_equal(failed, 0);
}

int desk_add(struct desk *desk, uint64_t position, uint32_t nth, uint32_t size, bool reserve) {
    char *payload = mem_alloc(size);
    if (!payload)
        return -ENOMEM;
    for (uint32_t i = 0; i < size; i++)
        payload[i] = desk_byte(position, desk->life, i);
    struct record record = {.kind = reserve ? RECORD_DELTA : RECORD_MESSAGE,
                            .id = 1,
                            .sequence = nth,
                            .position = position,
                            .payload = slice_make(payload, size)};
    char *out;
    int failed = journal_batch_room(desk->journal, record_size(&record), reserve, &out);
    if (!failed) {
        record_encode(&record, out);
        journal_batch_add(desk->journal, record_size(&record));
    }
    mem_free(payload);
    return failed;
}

int desk_try_commit(struct desk *desk, uint32_t count, uint32_t size, bool reserve) {
    uint64_t position = 0;
    int failed = journal_batch_begin(desk->journal, &position);
    if (failed)
        return failed;
    assert_true(position < DESK_POSITIONS);
    assert_int_equal(position, desk->committed + 1);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = desk_add(desk, position, i, size, reserve);
    if (failed) {
        journal_batch_abandon(desk->journal);
        return failed;
    }
    desk->lives[position] = desk->life;
    desk->sizes[position] = size;
    desk->changes[position] = count;
    desk->committed = position;
    journal_batch_commit(desk->journal);
    return 0;
}

void desk_commit(struct desk *desk, uint32_t count, uint32_t size) {
    assert_int_equal(desk_try_commit(desk, count, size, false), 0);
}

static bool desk_is_synced(void *self) {
    struct desk *desk = self;
    return desk->failures || journal_synced_position(desk->journal) == desk->committed;
}

void desk_sync(struct desk *desk) {
    assert_true(sim_run_until(desk->sim, desk_is_synced, desk, 10 * SIM_SECOND));
}

void desk_write(struct desk *desk, uint32_t count, uint32_t size) {
    desk_commit(desk, count, size);
    desk_sync(desk);
    assert_int_equal(desk->failures, 0);
}

static bool desk_is_closed(void *self) {
    return ((struct desk *)self)->closed;
}

void desk_close(struct desk *desk) {
    journal_close(desk->journal, desk_on_closed, desk);
    assert_true(sim_run_until(desk->sim, desk_is_closed, desk, 10 * SIM_SECOND));
    desk->journal = journal_free(desk->journal);
}

void desk_rest(struct desk *desk) {
    sim_run_for(desk->sim, 3 * (uint64_t)JOURNAL_SEAL_IDLE_NS);
}

void desk_clear(struct desk *desk) {
    desk->journal = journal_free(desk->journal);
    desk->group = io_group_free(desk->group);
}

void desk_kill(struct desk *desk) {
    sim_kill(desk->host);
    desk_clear(desk);
    desk->host = sim_host_restart(desk->host);
    desk->failures = 0;
}

void desk_cut(struct desk *desk) {
    if (!sim_host_down(desk->host))
        sim_power_cut(desk->host);
    desk_clear(desk);
    desk->host = sim_host_restart(desk->host);
    desk->failures = 0;
}

void desk_free(struct desk *desk) {
    desk_clear(desk);
    assert_int_equal(sim_open_handles(desk->sim), 0);
    sim_free(desk->sim);
    mem_free(desk);
}

const char *desk_file(uint64_t number) {
    static _Thread_local char path[64];
    (void)snprintf(path, sizeof path, "log/journal/%08llu.jnl", (unsigned long long)number);
    return path;
}

void desk_peek(struct desk *desk, uint64_t number, uint64_t offset, void *out, size_t size) {
    struct io_file *file = NULL;
    size_t got = 0;
    assert_int_equal(io_file_open(desk->host, desk_file(number), 0, &file), 0);
    assert_int_equal(io_file_read(file, out, size, offset, &got), 0);
    assert_int_equal(got, size);
    io_file_close(file);
}

void desk_poke(struct desk *desk, uint64_t number, uint64_t offset, const void *bytes,
               size_t size) {
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(desk->host, desk_file(number), IO_FILE_WRITE, &file), 0);
    assert_int_equal(io_file_write(file, bytes, size, offset), 0);
    assert_int_equal(io_file_sync(file), 0);
    io_file_close(file);
}

void desk_flip(struct desk *desk, uint64_t number, uint64_t offset, unsigned bit) {
    assert_int_equal(sim_flip_bit(desk->host, desk_file(number), offset, bit), 0);
}
