#include "io/process.h"
#include "kit.h"

/* Groups, turns, timers, tasks, messages, signals, workers, and that one seed is one run. */

struct shop { /* a group under test */
    struct room room;
    struct io_group *group;
    struct io_loop *loop;
    char story[256]; /* what happened, a letter each */
    size_t len;
};

static void note(struct shop *shop, char what) {
    assert_true(shop->len < sizeof(shop->story) - 1);
    shop->story[shop->len++] = what;
}

static struct shop *shop_open(uint64_t seed, unsigned loops) {
    static struct shop shop;
    memset(&shop, 0, sizeof(shop));
    shop.room = room_open(seed, NULL);
    assert_int_equal(io_group_create(shop.room.host, loops, &shop.group), 0);
    shop.loop = io_group_loop(shop.group, 0);
    for (unsigned i = 0; i < loops; i++)
        io_loop_set_owner(io_group_loop(shop.group, i), &shop);
    return &shop;
}

static void shop_close(struct shop *shop) {
    io_group_free(shop->group);
    room_close(&shop->room);
}

static bool never(void *self) {
    (void)self;
    return false;
}

/* --- turns ------------------------------------------------------------------------------------ */

struct thing {
    struct shop *shop;
    struct io_task task;
    struct io_timer timer;
    struct io_job job;
    char name;
    uint64_t due_ns;
};

static void on_task(struct io_task *task) {
    struct thing *thing = container_of(task, struct thing, task);
    note(thing->shop, thing->name);
    if (thing->name == 'x') { /* deferred by a task: the same turn */
        thing->name = 'y';
        io_defer(thing->shop->loop, task);
    }
}

static void on_timer(struct io_timer *timer) {
    struct thing *thing = container_of(timer, struct thing, timer);
    note(thing->shop, thing->name);
    io_defer(thing->shop->loop, &thing->task);
}

static void test_tasks_run_once_in_order_behind_the_timers_of_a_turn(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    struct thing one = {shop, .task.run = on_task, .name = 'x'};
    struct thing two = {shop, .task.run = on_task, .name = '2'};
    struct thing gone = {shop, .task.run = on_task, .name = '3'};
    struct thing four = {shop, .task.run = on_task, .name = '4'};
    sim_group_start(shop->group, NULL, NULL);
    io_timer_start(shop->loop, &one.timer, SIM_MILLISECOND, on_timer);
    io_timer_start(shop->loop, &two.timer, SIM_MILLISECOND, on_timer);
    io_defer(shop->loop, &gone.task);
    io_defer(shop->loop, &four.task);
    io_defer(shop->loop, &four.task);
    io_defer_cancel(shop->loop, &gone.task);
    io_defer_cancel(shop->loop, &gone.task);
    sim_run_for(shop->room.sim, 100 * SIM_MILLISECOND);
    assert_string_equal(shop->story, "4x2x2y");
    shop_close(shop);
}

static void on_due(struct io_timer *timer) {
    struct thing *thing = container_of(timer, struct thing, timer);
    uint64_t now = io_host_clock_ns(thing->shop->room.host);
    assert_true(now >= thing->due_ns);
    assert_true(now < thing->due_ns + 2 * SIM_MILLISECOND);
    note(thing->shop, thing->name);
}

static void test_timers_are_never_early_whatever_the_clock_does(void **state) {
    (void)state;
    static const int32_t drifts[] = {0, 50000, -50000, 17, -333};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct shop *shop = shop_open(seed, 1);
        sim_host_set_clock(shop->room.host, 0, drifts[seed % array_count(drifts)]);
        sim_group_start(shop->group, NULL, NULL);
        sim_run_for(shop->room.sim, SIM_MILLISECOND);
        struct thing things[20] = {0};
        for (int i = 0; i < 20; i++) {
            uint64_t delay = sim_below(shop->room.sim, i < 10 ? 3000000 : 3000000000);
            things[i] = (struct thing){shop, .name = 't'};
            things[i].due_ns = io_host_clock_ns(shop->room.host) + delay;
            io_timer_start(shop->loop, &things[i].timer, delay, on_due);
        }
        io_timer_stop(shop->loop, &things[3].timer);
        assert_false(io_timer_running(&things[3].timer));
        assert_true(io_timer_running(&things[4].timer));
        sim_run_for(shop->room.sim, 4 * SIM_SECOND);
        assert_int_equal(shop->len, 19);
        shop_close(shop);
    }
}

static void test_the_loops_clock_is_its_hosts(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    int64_t wall = io_host_wall_ns(shop->room.host);
    sim_host_set_clock(shop->room.host, -5000000000, 0);
    assert_true(io_host_wall_ns(shop->room.host) == wall - 5000000000);
    assert_true(io_loop_wall_ns(shop->loop) == wall - 5000000000);
    assert_true(io_loop_now_ns(shop->loop) == io_host_clock_ns(shop->room.host));
    shop_close(shop);
}

/* --- running ---------------------------------------------------------------------------------- */

static void on_stop_time(struct io_timer *timer) {
    struct thing *thing = container_of(timer, struct thing, timer);
    note(thing->shop, 's');
    for (unsigned i = 0; i < io_group_count(thing->shop->group); i++)
        io_loop_stop(io_group_loop(thing->shop->group, i));
}

static void start_and_stop_later(void *owner, struct io_loop *loop) {
    struct thing *thing = owner;
    assert_ptr_equal(io_loop_owner(loop), thing->shop);
    note(thing->shop, (char)('0' + io_loop_index(loop)));
    if (io_loop_index(loop) == 0)
        io_timer_start(loop, &thing->timer, SIM_SECOND, on_stop_time);
}

static void test_group_run_returns_when_all_loops_were_stopped(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 3);
    struct thing thing = {shop, .name = 's'};
    assert_int_equal(io_group_run(shop->group, start_and_stop_later, &thing), 0);
    assert_int_equal(shop->len, 4);
    assert_int_equal(shop->story[3], 's');
    shop_close(shop);
}

static void start_nothing(void *owner, struct io_loop *loop) {
    (void)owner;
    (void)loop;
}

static void test_group_run_says_when_nothing_can_happen_any_more(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    assert_int_equal(io_group_run(shop->group, start_nothing, NULL), -EDEADLK);
    shop_close(shop);
}

/* --- messages --------------------------------------------------------------------------------- */

struct mail {
    struct shop *shop;
    uint32_t next[4]; /* expected from each loop */
    unsigned rooms;
    bool stop;
};

static void on_message(void *owner, unsigned from, uint32_t kind, slice body) {
    struct mail *mail = owner;
    assert_int_equal(kind, mail->next[from]++);
    assert_true(body.len >= 5);
    assert_memory_equal(body.ptr, "hello", 5);
    if (mail->stop)
        for (unsigned i = 0; i < io_group_count(mail->shop->group); i++)
            io_loop_stop(io_group_loop(mail->shop->group, i));
}

static void on_room(void *owner, unsigned to) {
    struct mail *mail = owner;
    assert_int_equal(to, 0);
    mail->rooms++;
}

static void start_sending(void *owner, struct io_loop *loop) {
    struct mail *mail = owner;
    unsigned self = io_loop_index(loop);
    io_loop_set_receiver(loop, &(struct io_receiver){on_message, on_room, mail});
    slice parts[] = {slice_lit("hel"), slice_lit(""), slice_lit("lo")};
    for (uint32_t i = 0; self > 0 && i < 50; i++)
        assert_int_equal(io_send(loop, 0, i, parts, 3), 0);
}

static void test_messages_of_one_sender_arrive_in_order(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct shop *shop = shop_open(seed, 4);
        struct mail mail = {.shop = shop};
        sim_group_start(shop->group, start_sending, &mail);
        sim_run_for(shop->room.sim, SIM_SECOND);
        assert_int_equal(mail.next[1] + mail.next[2] + mail.next[3], 150);
        shop_close(shop);
    }
}

static void test_a_stopped_loop_has_taken_what_was_sent_before(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 2);
    struct mail mail = {.shop = shop, .stop = true};
    assert_int_equal(io_group_run(shop->group, start_sending, &mail), 0);
    assert_int_equal(mail.next[1], 50);
    shop_close(shop);
}

static void test_a_channel_over_its_mark_says_so_and_later_that_it_has_room(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 2);
    struct mail mail = {.shop = shop};
    sim_group_start(shop->group, start_sending, &mail);
    sim_run_for(shop->room.sim, SIM_SECOND);
    struct io_loop *sender = io_group_loop(shop->group, 1);
    char *big = mem_zalloc(1, IO_CHANNEL_HIGH_BYTES);
    memcpy(big, "hello", 5);
    slice body = slice_make(big, IO_CHANNEL_HIGH_BYTES);
    assert_false(io_channel_full(sender, 0));
    assert_int_equal(io_send(sender, 0, 50, &body, 1), 0);
    assert_true(io_channel_full(sender, 0));
    assert_int_equal(io_send(sender, 0, 51, &body, 1), 0);
    sim_run_for(shop->room.sim, SIM_SECOND);
    assert_int_equal(mail.next[1], 52);
    assert_int_equal(mail.rooms, 1);
    assert_false(io_channel_full(sender, 0));
    mem_free(big);
    shop_close(shop);
}

static void on_signal(void *owner, int signum) {
    note(owner, (char)signum);
}

static void test_a_signal_reaches_its_one_watcher(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 2);
    sim_group_start(shop->group, NULL, NULL);
    assert_int_equal(io_signal_watch(shop->loop, 15, on_signal, shop), 0);
    assert_int_equal(io_signal_watch(io_group_loop(shop->group, 1), 15, on_signal, shop), -EEXIST);
    sim_signal(shop->room.host, 15);
    sim_signal(shop->room.host, 1);
    sim_run_for(shop->room.sim, SIM_SECOND);
    assert_string_equal(shop->story, "\x0f");
    shop_close(shop);
}

/* --- workers ---------------------------------------------------------------------------------- */

static void run_job(struct io_job *job) {
    note(container_of(job, struct thing, job)->shop, 'r');
}

static void job_done(struct io_job *job) {
    struct thing *thing = container_of(job, struct thing, job);
    note(thing->shop, thing->name);
}

static void test_jobs_run_one_after_the_other_and_are_told_in_order(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    struct io_worker *worker;
    sim_group_start(shop->group, NULL, NULL);
    assert_int_equal(io_worker_create(shop->loop, "w", &worker), 0);
    struct thing things[3];
    for (int i = 0; i < 3; i++) {
        things[i] = (struct thing){shop, .name = (char)('0' + i)};
        things[i].job = (struct io_job){.run = run_job, .done = job_done};
        assert_int_equal(io_worker_submit(worker, &things[i].job), 0);
    }
    assert_int_equal(shop->len, 0);
    sim_run_for(shop->room.sim, SIM_SECOND);
    assert_string_equal(shop->story, "rrr012");
    io_worker_free(worker);
    shop_close(shop);
}

static void test_freeing_a_worker_runs_what_waits(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    struct io_worker *worker;
    assert_int_equal(io_worker_create(shop->loop, "w", &worker), 0);
    struct thing thing = {shop, .job = {.run = run_job, .done = job_done}, .name = 'd'};
    assert_int_equal(io_worker_submit(worker, &thing.job), 0);
    io_worker_free(worker);
    assert_string_equal(shop->story, "rd");
    shop_close(shop);
}

static void run_nothing(struct io_job *job) {
    (void)job;
}

static void test_a_worker_refuses_jobs_over_its_bound(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    struct io_worker *worker;
    assert_int_equal(io_worker_create(shop->loop, "w", &worker), 0);
    struct io_job *jobs = mem_zalloc(IO_WORKER_JOBS_MAX + 1, sizeof(*jobs));
    for (unsigned i = 0; i <= IO_WORKER_JOBS_MAX; i++) {
        jobs[i] = (struct io_job){.run = run_nothing, .done = run_nothing};
        int expected = i < IO_WORKER_JOBS_MAX ? 0 : -EAGAIN;
        assert_int_equal(io_worker_submit(worker, &jobs[i]), expected);
    }
    io_worker_free(worker);
    mem_free(jobs);
    shop_close(shop);
}

/* A job that writes and syncs; another loop's timer counts how often it gets a turn meanwhile. */
struct saver {
    struct io_job job;
    struct io_file *file;
    int failed;
    bool done;
};

static void save(struct io_job *job) {
    struct saver *saver = container_of(job, struct saver, job);
    saver->failed = io_file_write(saver->file, "saved", 5, 0);
    if (!saver->failed)
        saver->failed = io_file_sync(saver->file);
}

static void saved(struct io_job *job) {
    container_of(job, struct saver, job)->done = true;
}

static bool is_saved(void *self) {
    return ((struct saver *)self)->done;
}

static void test_the_loop_turns_while_a_job_waits_for_the_disk(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    struct io_worker *worker;
    sim_group_start(shop->group, NULL, NULL);
    sim_disk_slow(shop->room.host, 1000);
    assert_int_equal(io_worker_create(shop->loop, "w", &worker), 0);
    struct saver saver = {.job = {.run = save, .done = saved},
                          .file = must_open(shop->room.host, "f")};
    struct thing thing = {shop, .task.run = on_task, .name = 't'};
    assert_int_equal(io_worker_submit(worker, &saver.job), 0);
    io_timer_start(shop->loop, &thing.timer, 2 * SIM_MILLISECOND, on_timer);
    assert_false(sim_run_until(shop->room.sim, is_saved, &saver, 20 * SIM_MILLISECOND));
    assert_string_equal(shop->story, "tt");
    assert_true(sim_run_until(shop->room.sim, is_saved, &saver, 100 * SIM_SECOND));
    assert_int_equal(saver.failed, 0);
    io_file_close(saver.file);
    io_worker_free(worker);
    shop_close(shop);
}

static void test_the_power_may_fail_inside_a_job(void **state) {
    (void)state;
    unsigned before = 0, survived = 0, told = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct shop *shop = shop_open(seed, 1);
        struct io_worker *worker;
        sim_group_start(shop->group, NULL, NULL);
        assert_int_equal(io_worker_create(shop->loop, "w", &worker), 0);
        must_plant(shop->room.host, "f", 'o', 5);
        struct saver saver = {.job = {.run = save, .done = saved},
                              .file = must_open(shop->room.host, "f")};
        assert_int_equal(io_worker_submit(worker, &saver.job), 0);
        sim_run_for(shop->room.sim, sim_below(shop->room.sim, SIM_MILLISECOND));
        bool was_told = saver.done;
        room_cut(&shop->room);
        sim_run_for(shop->room.sim, SIM_SECOND); /* the ghost goes on, to no effect */
        assert_true(saver.done);
        assert_true(!was_told || saver.failed == 0);
        char out[5];
        assert_int_equal(content(shop->room.host, "f", out, 5), 5);
        bool is_new = memcmp(out, "saved", 5) == 0;
        assert_true(!was_told || is_new);
        before += memcmp(out, "ooooo", 5) == 0;
        survived += is_new && !was_told;
        told += was_told;
        io_file_close(saver.file);
        io_worker_free(worker);
        shop_close(shop);
    }
    assert_true(before > 0 && survived > 0 && told > 0);
}

/* --- one seed, one run ------------------------------------------------------------------------ */

static uint64_t hash_of_run(uint64_t seed) {
    struct shop *shop = shop_open(seed, 4);
    struct mail mail = {.shop = shop};
    struct io_worker *worker;
    assert_int_equal(io_worker_create(shop->loop, "w", &worker), 0);
    struct saver saver = {.job = {.run = save, .done = saved},
                          .file = must_open(shop->room.host, "f")};
    sim_group_start(shop->group, start_sending, &mail);
    assert_int_equal(io_worker_submit(worker, &saver.job), 0);
    assert_false(sim_run_until(shop->room.sim, never, NULL, SIM_SECOND));
    uint64_t hash = sim_hash(shop->room.sim);
    io_file_close(saver.file);
    io_worker_free(worker);
    shop_close(shop);
    return hash;
}

static void test_one_seed_is_one_run(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_true(hash_of_run(seed) == hash_of_run(seed));
        assert_true(hash_of_run(seed) != hash_of_run(seed + 1));
    }
}

static void test_randomness_is_the_seeds(void **state) {
    (void)state;
    unsigned char one[32], two[32], other[32];
    uint64_t seeds[] = {7, 7, 8};
    unsigned char *outs[] = {one, two, other};
    for (int i = 0; i < 3; i++) {
        struct room room = room_open(seeds[i], NULL);
        io_host_random(room.host, outs[i], 32);
        room_close(&room);
    }
    assert_memory_equal(one, two, 32);
    assert_memory_not_equal(one, other, 32);
}

static void test_log_lines_are_captured(void **state) {
    (void)state;
    struct room room = room_open(1, NULL);
    struct logger *logger;
    assert_int_equal(logger_create(room.host, LOG_LEVEL_INFO, &logger), 0);
    logger_write(logger, LOG_LEVEL_WARN, "log", "torn tail", "file=%s offset=%d", "j.1", 4096);
    logger_write(logger, LOG_LEVEL_DEBUG, "log", "not shown", NULL);
    assert_string_equal(sim_log_text(room.host), "warn log torn tail file=j.1 offset=4096\n");
    logger_free(logger);
    room_close(&room);
}

static void test_processes_are_refused(void **state) {
    (void)state;
    struct shop *shop = shop_open(1, 1);
    struct io_process *process = NULL;
    assert_int_equal(
        io_process_start(shop->loop, &(struct io_process_options){.command = "true"}, &process),
        -ENOSYS);
    assert_null(process);
    shop_close(shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_once_in_order_behind_the_timers_of_a_turn),
        cmocka_unit_test(test_timers_are_never_early_whatever_the_clock_does),
        cmocka_unit_test(test_the_loops_clock_is_its_hosts),
        cmocka_unit_test(test_group_run_returns_when_all_loops_were_stopped),
        cmocka_unit_test(test_group_run_says_when_nothing_can_happen_any_more),
        cmocka_unit_test(test_messages_of_one_sender_arrive_in_order),
        cmocka_unit_test(test_a_stopped_loop_has_taken_what_was_sent_before),
        cmocka_unit_test(test_a_channel_over_its_mark_says_so_and_later_that_it_has_room),
        cmocka_unit_test(test_a_signal_reaches_its_one_watcher),
        cmocka_unit_test(test_jobs_run_one_after_the_other_and_are_told_in_order),
        cmocka_unit_test(test_freeing_a_worker_runs_what_waits),
        cmocka_unit_test(test_a_worker_refuses_jobs_over_its_bound),
        cmocka_unit_test(test_the_loop_turns_while_a_job_waits_for_the_disk),
        cmocka_unit_test(test_the_power_may_fail_inside_a_job),
        cmocka_unit_test(test_one_seed_is_one_run),
        cmocka_unit_test(test_randomness_is_the_seeds),
        cmocka_unit_test(test_log_lines_are_captured),
        cmocka_unit_test(test_processes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
