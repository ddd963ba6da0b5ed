/*
 * bench.c - the run of a bench and its report (bench.h).
 *
 * --json: {"bench":"core","size":128,"messages":N,"publishers":1,"subscribers":1,"threads":1,
 * "seconds":..,"rate":..,"bytes_per_second":..,"latency_us":{"p50":..,"p90":..,"p99":..,"max":..},
 * "server_cpu_us":..}; messages and rate count the bench's unit (deliveries, requests, ...), and
 * server_cpu_us (of one unit) is null where the server does not tell its CPU.
 */
#include "cli/bench.h"

#include "base/hex.h"
#include "base/mem.h"
#include "cli/output.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define TICK_NS 1000000ull
#define TIMEOUT_DEFAULT_NS (10 * 1000000000ull)
#define STALL_NS (30 * 1000000000ull)
#define COUNT_DEFAULT 1000000u
#define SIZE_DEFAULT 128u
#define STATUS_SUBJECT "nonet.status"
#define CONTROL_SID 1u

enum phase { SETUP, LOGIN, MEASURE_BEFORE, RUN, MEASURE_AFTER, CLEAN, ENDING };

struct bench_loop {
    struct bench_running *running;
    struct io_loop *loop;
    struct io_timer tick;
    unsigned live; /* clients not yet ended */
    bool opened, started, closed;
};

struct bench_running {
    struct bench *bench;
    struct io_host *host;
    struct io_group *group;
    struct login login;
    struct bench_loop loops[BENCH_THREADS_MAX];
    struct bench_member *members;
    unsigned member_count;
    _Atomic(unsigned) phase, ready;
    _Atomic(uint64_t) done;
    _Atomic(bool) failed;
    /* Control's own, on loop 0. */
    struct nats_client *control;
    char inbox[BENCH_INBOX_MAX - 16]; /* a member adds its number */
    unsigned setups_done;
    bool asked, cpu_known;
    uint64_t asked_ns, moved_ns, moved; /* when control asked, when anything was last done */
    double cpu_before, cpu_after;
    uint64_t begun_ns, ended_ns;
    struct json_doc doc;
};

/* --- ending ----------------------------------------------------------------------------------- */

/* Any thread; the first failure is told. What was set up is still cleaned up, where that can be. */
static void fail(struct bench_running *r, const struct error *error) {
    bool first = !atomic_exchange(&r->failed, true);
    unsigned phase = atomic_load(&r->phase);
    if (first)
        cli_fail(error);
    atomic_store(&r->phase, first && phase != SETUP && phase < CLEAN ? CLEAN : ENDING);
}

void bench_fail(struct bench_member *m, const char *format, ...) {
    char words[256];
    struct error error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    error_set(&error, -1, "%s", words);
    fail(m->bench->running, &error);
}

static void close_clients(struct bench_loop *l) {
    struct bench_running *r = l->running;
    l->closed = true;
    for (unsigned i = 0; i < r->member_count; i++)
        if (r->members[i].loop == l->loop && r->members[i].client)
            nats_client_close(r->members[i].client);
    if (l == &r->loops[0] && r->control)
        nats_client_close(r->control);
}

/* --- members ---------------------------------------------------------------------------------- */

uint64_t bench_now_ns(const struct bench_member *m) {
    return io_host_clock_ns(m->bench->running->host);
}

bool bench_must_wait(const struct bench_member *m) {
    const struct bench *b = m->bench;
    uint64_t receivers = b->roles[1].count ? b->roles[1].count : 1;
    uint64_t sent = atomic_load_explicit(&b->sent, memory_order_relaxed) * receivers;
    uint64_t received = atomic_load_explicit(&b->received, memory_order_relaxed);
    uint64_t ahead = sent > received ? sent - received : 0; /* others may count meanwhile */
    return nats_client_pending(m->client) > BENCH_AHEAD_BYTES / 8 ||
           ahead * (b->size + 64) > BENCH_AHEAD_BYTES * receivers;
}

void bench_count(struct bench_member *m, uint64_t units) {
    struct bench_running *r = m->bench->running;
    uint64_t before = atomic_fetch_add(&r->done, units), total = m->bench->total;
    if (before >= total || before + units < total)
        return;
    r->ended_ns = io_host_clock_ns(r->host); /* seen by loop 0 behind the phase */
    unsigned run = RUN;
    atomic_compare_exchange_strong(&r->phase, &run, MEASURE_AFTER);
}

static void on_member_ready(void *self) {
    struct bench_member *m = self;
    if (m->role->ready)
        m->role->ready(m);
    nats_client_ping(m->client);
}

/* The server has its subscriptions. */
static void on_member_pong(void *self) {
    struct bench_member *m = self;
    atomic_fetch_add(&m->bench->running->ready, 1);
}

static void on_member_message(void *self, uint64_t sid, const struct nats_client_message *message) {
    struct bench_member *m = self;
    (void)sid;
    if (m->role->on_message && atomic_load(&m->bench->running->phase) == RUN)
        m->role->on_message(m, message);
}

static struct bench_loop *loop_of(struct bench_running *r, const struct io_loop *loop) {
    return &r->loops[io_loop_index(loop)];
}

static void on_member_end(void *self, const struct error *error) {
    struct bench_member *m = self;
    struct bench_running *r = m->bench->running;
    io_timer_stop(m->loop, &m->again);
    m->client = NULL;
    loop_of(r, m->loop)->live--;
    if (error)
        fail(r, error);
}

static void open_members(struct bench_loop *l) {
    static const struct nats_client_events events = {.on_ready = on_member_ready,
                                                     .on_message = on_member_message,
                                                     .on_pong = on_member_pong,
                                                     .on_end = on_member_end};
    struct bench_running *r = l->running;
    struct error error;
    l->opened = true;
    for (unsigned i = 0; i < r->member_count; i++) {
        struct bench_member *m = &r->members[i];
        if (m->loop != l->loop)
            continue;
        if (nats_client_open(l->loop, &r->login, r->bench->timeout_ns, &events, m, &m->client,
                             &error)) {
            fail(r, &error);
            return;
        }
        l->live++;
    }
}

static void start_members(struct bench_loop *l) {
    struct bench_running *r = l->running;
    l->started = true;
    for (unsigned i = 0; i < r->member_count; i++) {
        struct bench_member *m = &r->members[i];
        if (m->loop == l->loop && m->role->start)
            m->role->start(m);
    }
}

/* --- control ---------------------------------------------------------------------------------- */

static void request(struct bench_running *r, const char *subject, const char *payload) {
    const struct nats_client_message m = {slice_str(subject), slice_str(r->inbox), (slice){0},
                                          slice_str(payload)};
    r->asked = true;
    r->asked_ns = io_host_clock_ns(r->host);
    nats_client_publish(r->control, &m);
}

/* The next request of this phase; false where there is none left. */
static bool next_setup(struct bench_running *r, bool after) {
    for (; r->setups_done < r->bench->setup_count; r->setups_done++) {
        const struct bench_setup *setup = &r->bench->setups[r->setups_done];
        if (setup->after != after)
            return false; /* those after the run come last */
        r->setups_done++;
        request(r, setup->subject, setup->payload);
        return true;
    }
    return false;
}

static void advance(struct bench_running *r) {
    unsigned phase = atomic_load(&r->phase);
    switch ((enum phase)phase) {
    case SETUP:
        if (!next_setup(r, false))
            atomic_store(&r->phase, LOGIN);
        return;
    case LOGIN:
        if (atomic_load(&r->ready) == r->member_count)
            atomic_store(&r->phase, MEASURE_BEFORE);
        return;
    case MEASURE_BEFORE:
    case MEASURE_AFTER:
        request(r, STATUS_SUBJECT, "");
        return;
    case CLEAN:
        if (!next_setup(r, true))
            atomic_store(&r->phase, ENDING);
        return;
    case RUN:
    case ENDING:
        return;
    }
}

static void take_status(struct bench_running *r, slice json) {
    double cpu;
    bool known = json_parse(&r->doc, json) == 0 &&
                 json_double(json_path(json_root(&r->doc), "cpu_seconds"), &cpu) == 0;
    if (atomic_load(&r->phase) == MEASURE_BEFORE) {
        r->cpu_known = known;
        r->cpu_before = known ? cpu : 0;
        r->begun_ns = io_host_clock_ns(r->host);
        atomic_store(&r->phase, RUN);
    } else {
        r->cpu_known &= known;
        r->cpu_after = known ? cpu : 0;
        atomic_store(&r->phase, CLEAN);
    }
}

static void on_control_message(void *self, uint64_t sid,
                               const struct nats_client_message *message) {
    struct bench_running *r = self;
    unsigned phase = atomic_load(&r->phase);
    (void)sid;
    r->asked = false;
    if (phase == MEASURE_BEFORE || phase == MEASURE_AFTER) {
        take_status(r, message->payload);
        return;
    }
    struct error error;
    json_value refusal = {0};
    slice words;
    if (json_parse(&r->doc, message->payload) == 0)
        refusal = json_path(json_root(&r->doc), "error.description");
    if (json_string(refusal, &words) == 0) {
        error_set(&error, -1, "the server refuses: %.*s", slice_fmt(words));
        fail(r, &error);
    } else if (!message->payload.len) {
        error_set(&error, -1, "the server has no durable streams");
        fail(r, &error);
    }
}

static void on_control_ready(void *self) {
    struct bench_running *r = self;
    nats_client_subscribe(r->control, CONTROL_SID, slice_str(r->inbox), (slice){0});
    r->asked = false;
}

static void on_control_pong(void *self) {
    (void)self;
}

static void on_control_end(void *self, const struct error *error) {
    struct bench_running *r = self;
    r->control = NULL;
    r->loops[0].live--;
    if (error)
        fail(r, error);
}

static void open_control(struct bench_running *r, struct io_loop *loop) {
    static const struct nats_client_events events = {.on_ready = on_control_ready,
                                                     .on_message = on_control_message,
                                                     .on_pong = on_control_pong,
                                                     .on_end = on_control_end};
    struct error error;
    r->asked = true; /* until it is ready */
    r->asked_ns = io_host_clock_ns(r->host);
    if (nats_client_open(loop, &r->login, r->bench->timeout_ns, &events, r, &r->control, &error))
        fail(r, &error);
    else
        r->loops[0].live++;
}

/* --- loops ------------------------------------------------------------------------------------ */

/* Control's turn, on loop 0. Waits are bounded: for an answer, and for anything to move. */
static void control(struct bench_running *r) {
    struct error error;
    uint64_t now_ns = io_host_clock_ns(r->host);
    uint64_t moved = atomic_load(&r->done) + atomic_load(&r->bench->sent);
    if (moved != r->moved || atomic_load(&r->phase) != RUN) {
        r->moved = moved;
        r->moved_ns = now_ns;
    }
    if (!r->control || (r->asked && now_ns - r->asked_ns > r->bench->timeout_ns)) {
        error_set(&error, -1, "the server does not answer");
        atomic_store(&r->phase, ENDING);
        fail(r, &error);
    } else if (now_ns - r->moved_ns > STALL_NS) {
        error_set(&error, -1, "nothing has moved for %llu s: messages were lost",
                  STALL_NS / 1000000000ull);
        fail(r, &error);
    } else if (!r->asked) {
        advance(r);
    }
}

static void on_tick(struct io_timer *timer) {
    struct bench_loop *l = container_of(timer, struct bench_loop, tick);
    struct bench_running *r = l->running;
    if (l == &r->loops[0] && atomic_load(&r->phase) != ENDING)
        control(r);
    unsigned phase = atomic_load(&r->phase);
    if (phase == LOGIN && !l->opened)
        open_members(l);
    if (phase == RUN && !l->started)
        start_members(l);
    if (phase == ENDING && !l->closed)
        close_clients(l);
    if (phase == ENDING && !l->live)
        io_loop_stop(l->loop);
    else
        io_timer_start(l->loop, &l->tick, TICK_NS, on_tick);
}

static void on_loop(void *owner, struct io_loop *loop) {
    struct bench_running *r = owner;
    struct bench_loop *l = &r->loops[io_loop_index(loop)];
    l->running = r;
    l->loop = loop;
    if (io_loop_index(loop) == 0)
        open_control(r, loop);
    io_timer_start(loop, &l->tick, TICK_NS, on_tick);
}

static int make_member(struct bench_running *r, const struct bench_role *role, unsigned index) {
    struct bench *b = r->bench;
    struct bench_member *m = &r->members[r->member_count];
    m->bench = b;
    m->role = role;
    m->index = index;
    m->loop = io_group_loop(r->group, r->member_count % b->threads);
    m->quota = b->messages / role->count + (index < b->messages % role->count);
    snprintf(m->inbox, sizeof m->inbox, "%s.%u", r->inbox, index);
    m->payload = mem_zalloc(1, b->size + sizeof(uint64_t));
    m->sent_at = mem_zalloc(b->in_flight, sizeof *m->sent_at);
    r->member_count++;
    return m->payload && m->sent_at ? 0 : -1;
}

static int make_members(struct bench_running *r) {
    struct bench *b = r->bench;
    r->members = mem_zalloc(b->roles[0].count + b->roles[1].count, sizeof *r->members);
    if (!r->members)
        return -1;
    for (unsigned role = 0; role < BENCH_ROLES_MAX; role++)
        for (unsigned i = 0; i < b->roles[role].count; i++)
            if (make_member(r, &b->roles[role], i))
                return -1;
    return 0;
}

static void free_running(struct bench_running *r) {
    for (unsigned i = 0; i < r->member_count; i++) {
        mem_free(r->members[i].payload);
        mem_free(r->members[i].sent_at);
    }
    mem_free(r->members);
    io_group_free(r->group);
    login_free(&r->login);
    json_free(&r->doc);
    io_host_free(r->host);
    mem_free(r);
}

/* --- report ----------------------------------------------------------------------------------- */

struct figures {
    double seconds, rate, cpu_us;
    bool cpu_known;
    struct histogram latencies;
};

static void gather(const struct bench_running *r, struct figures *f) {
    const struct bench *b = r->bench;
    f->seconds = (double)(r->ended_ns - r->begun_ns) * 1e-9;
    f->rate = (double)b->total / f->seconds;
    f->cpu_known = r->cpu_known;
    f->cpu_us = (r->cpu_after - r->cpu_before) * 1e6 / (double)b->total;
    for (unsigned i = 0; i < r->member_count; i++)
        histogram_merge(&f->latencies, &r->members[i].latencies);
}

static double us_at(const struct figures *f, double part) {
    return (double)histogram_at(&f->latencies, part) * 1e-3;
}

static void write_double(struct json_writer *w, const char *key, double number) {
    json_write_key(w, key);
    json_write_double(w, (double)(int64_t)(number * 1000 + 0.5) / 1000);
}

static int print_json(const struct bench *b, const struct figures *f) {
    _cleanup_buf_ struct buf text = buf_make(64u << 10);
    struct json_writer w = json_writer_make(&text, false);
    json_write_object(&w);
    json_write_key(&w, "bench");
    json_write_text(&w, b->name);
    json_put_u64(&w, "size", b->size);
    json_put_u64(&w, "messages", b->total);
    for (unsigned i = 0; i < BENCH_ROLES_MAX; i++)
        if (b->roles[i].count)
            json_put_u64(&w, b->roles[i].name, b->roles[i].count);
    json_put_u64(&w, "threads", b->threads);
    write_double(&w, "seconds", f->seconds);
    write_double(&w, "rate", f->rate);
    write_double(&w, "bytes_per_second", f->rate * (double)b->size);
    if (f->latencies.count) {
        json_write_key(&w, "latency_us");
        json_write_object(&w);
        write_double(&w, "p50", us_at(f, 0.5));
        write_double(&w, "p90", us_at(f, 0.9));
        write_double(&w, "p99", us_at(f, 0.99));
        write_double(&w, "max", us_at(f, 1));
        json_write_end(&w);
    }
    if (f->cpu_known) {
        write_double(&w, "server_cpu_us", f->cpu_us);
    } else {
        json_write_key(&w, "server_cpu_us");
        json_write_null(&w);
    }
    return output_json(&w, &text);
}

static void print_human(const struct bench *b, const struct figures *f) {
    char count[32], rate[32];
    printf("%s: ", b->name);
    for (unsigned i = 0; i < BENCH_ROLES_MAX; i++)
        if (b->roles[i].count)
            printf("%u %s, ", b->roles[i].count, b->roles[i].name);
    printf("%" PRIu64 " B\n", b->size);
    output_field(b->unit, "%s in %.2f s = %s/s, %.1f MB/s", output_count(b->total, count),
                 f->seconds, output_count((uint64_t)f->rate, rate),
                 f->rate * (double)b->size * 1e-6);
    if (f->latencies.count)
        output_field("latency", "p50 %.0f us, p90 %.0f us, p99 %.0f us, max %.0f us", us_at(f, 0.5),
                     us_at(f, 0.9), us_at(f, 0.99), us_at(f, 1));
    if (f->cpu_known)
        output_field("server CPU", "%.3f us each", f->cpu_us);
}

static int report(const struct bench_running *r) {
    struct figures *f = mem_zalloc(1, sizeof *f);
    if (!f)
        return cli_failed("no memory for the report");
    gather(r, f);
    int failed = 0;
    if (cli_flag(r->bench->call, "json"))
        failed = print_json(r->bench, f);
    else
        print_human(r->bench, f);
    mem_free(f);
    return failed ? cli_failed("no memory for the report") : CLI_OK;
}

/* --- run -------------------------------------------------------------------------------------- */

static int run(struct bench_running *r) {
    struct error error = {0};
    int failed = login_find(r->host, r->bench->call, &r->login, &error);
    if (failed)
        return cli_fail(&error);
    if (io_group_create(r->host, r->bench->threads, &r->group) || make_members(r))
        return cli_failed("no memory for so many connections");
    failed = io_group_run(r->group, on_loop, r);
    if (failed)
        return cli_failed("cannot run: %s", error_name(failed));
    if (atomic_load(&r->failed))
        return CLI_FAILED;
    return r->bench->quiet ? CLI_OK : report(r);
}

int bench_run(struct bench *b) {
    struct bench_running *r = mem_zalloc(1, sizeof *r);
    if (!r)
        return cli_failed("no memory");
    r->bench = b;
    b->running = r;
    snprintf(r->inbox, sizeof r->inbox, "_INBOX.%s", b->subject);
    json_init(&r->doc);
    int code = io_host_create(&r->host) ? cli_failed("no memory") : run(r);
    free_running(r);
    return code;
}

void bench_add_setup(struct bench *b, bool after, const char *subject, const char *format, ...) {
    check(b->setup_count < BENCH_SETUPS_MAX);
    struct bench_setup *setup = &b->setups[b->setup_count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(setup->payload, sizeof setup->payload, format, arguments);
    va_end(arguments);
    snprintf(setup->subject, sizeof setup->subject, "%s", subject);
    setup->after = after;
}

/* So that two benches on one server do not hear each other. */
static int make_names(struct bench *b) {
    struct io_host *host;
    unsigned char random[6];
    char hex[sizeof random * 2 + 1] = {0};
    if (io_host_create(&host))
        return cli_failed("no memory");
    io_host_random(host, random, sizeof random);
    io_host_free(host);
    hex_encode(slice_make(random, sizeof random), hex);
    snprintf(b->subject, sizeof b->subject, "bench.%s", hex);
    snprintf(b->stream, sizeof b->stream, "BENCH_%s", hex);
    return CLI_OK;
}

int bench_read(const struct cli_call *call, const char *name, uint64_t in_flight, struct bench *b) {
    uint64_t publishers, subscribers, threads;
    *b = (struct bench){.call = call, .name = name};
    if (!cli_number_within(call, "size", SIZE_DEFAULT, 0, BENCH_SIZE_MAX, &b->size) ||
        !cli_number_within(call, "count", COUNT_DEFAULT, 1, UINT32_MAX, &b->messages) ||
        !cli_number_within(call, "publishers", 1, 1, BENCH_MEMBERS_MAX, &publishers) ||
        !cli_number_within(call, "subscribers", 1, 1, BENCH_MEMBERS_MAX, &subscribers) ||
        !cli_number_within(call, "in-flight", in_flight, 1, BENCH_IN_FLIGHT_MAX, &b->in_flight) ||
        !cli_number_within(call, "threads", 1, 1, BENCH_THREADS_MAX, &threads) ||
        !cli_duration(call, "timeout", TIMEOUT_DEFAULT_NS, &b->timeout_ns))
        return CLI_USAGE;
    b->roles[0].count = (unsigned)publishers;
    b->roles[1].count = (unsigned)subscribers;
    b->threads = (unsigned)threads;
    return make_names(b);
}
