/*
 * crash_events.c - kill -9 on the real binary while events are appended, with an outside history.
 *
 *   crash_events --kills N --binary build/nonet [--seed S] [--shards N] [--seconds N]
 *
 * One life of the node: start, with 1, 2 or 4 shards in turn of chance; what the life before has
 * stored is read back, what it left without answer is asked again; then CONNECTIONS connections
 * append, each one request after the other: to one event stream or to two, expecting anything or
 * something, under a condition by type and tag or none; after some milliseconds: SIGKILL. What the
 * node had sent by then counts. One life in ten is followed by one that is killed while it still
 * starts. At the end all events are read once more, and `events verify` looks at the chains. What
 * is demanded stands in kill_history.h.
 *
 * The last line is `N passed, N failed`: kills, and broken demands. After a failure the folder is
 * kept.
 */
#include "kill_history.h"
#include "kill_http.h"
#include "kill_process.h"
#include "kill_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 24u
#define IDLE UINT32_MAX
#define START_MS 60000
#define ANSWER_MS 30000
#define REST_MS 1000
#define TOKEN_MAX 256u

struct run {
    struct kill_process process;
    struct kill_history history;
    struct random random;
    struct kill_http connections[CONNECTIONS];
    uint32_t under_way[CONNECTIONS]; /* the append, or IDLE */
    char token[TOKEN_MAX];
    struct buf body;
    unsigned died; /* times that the node has ended by itself */
};

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static _Noreturn void give_up(const struct run *run, const char *why) {
    fprintf(stderr, "\ncrash_events: %s; the node's log is %s/log\n", why, run->process.folder);
    printf("0 passed, 1 failed\n");
    exit(1);
}

/* --- a life ----------------------------------------------------------------------------------- */

static void read_token(struct run *run) {
    char path[512];
    snprintf(path, sizeof path, "%s/data/admin.token", run->process.folder);
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(run->token, 1, TOKEN_MAX - 1, file) : 0;
    if (file)
        fclose(file);
    run->token[len] = '\0';
    run->token[strcspn(run->token, "\r\n")] = '\0';
}

static void start(struct run *run, const struct kill_settings *settings) {
    run->process.shards = settings->shards ? settings->shards : 1u << random_below(&run->random, 3);
    kill_process_start(&run->process);
}

static void open_life(struct run *run) {
    unsigned port = kill_process_port(&run->process, "admin", START_MS);
    if (!port)
        give_up(run, "the node does not come up again");
    read_token(run);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        run->under_way[i] = IDLE;
        if (!kill_http_open(&run->connections[i], port))
            give_up(run, "the node takes no connection");
    }
}

static void end_life(struct run *run) {
    if (!kill_process_kill(&run->process) && run->died++ == 0)
        fprintf(stderr, "\ncrash_events: the node ended by itself; its log is %s/log\n",
                run->process.folder);
}

/* Reads all events behind POSITION. */
static void read_back(struct run *run, uint32_t position) {
    struct kill_http *http = &run->connections[0];
    struct json_doc doc;
    json_init(&doc);
    for (bool more = true; more;) {
        char request[64];
        slice page;
        snprintf(request, sizeof request, "GET /v1/events?after=%u&limit=1000", position);
        if (!kill_http_send(http, request, slice_str(run->token), (slice){0}) ||
            kill_http_next(http, ANSWER_MS, &page) != 200 || json_parse(&doc, page))
            give_up(run, "a node that nobody kills does not answer");
        more = kill_history_page(&run->history, json_root(&doc), &position);
    }
    json_free(&doc);
    kill_history_read_end(&run->history);
}

/* False: there is nothing to be asked. */
static bool ask(struct run *run, unsigned i, bool again_only) {
    uint32_t number;
    if (!kill_history_again(&run->history, &number)) {
        if (again_only)
            return false;
        number = kill_history_new(&run->history, &run->random);
    }
    kill_history_write(&run->history, number, &run->body);
    run->under_way[i] = number;
    kill_http_send(&run->connections[i], "POST /v1/append", slice_str(run->token),
                   buf_slice(&run->body));
    return true;
}

static void hear(struct run *run, unsigned i, int timeout_ms) {
    slice body;
    unsigned status =
        run->under_way[i] == IDLE ? 0 : kill_http_next(&run->connections[i], timeout_ms, &body);
    if (!status)
        return;
    kill_history_answer(&run->history, run->under_way[i], status, body);
    run->under_way[i] = IDLE;
}

static void load_for(struct run *run, unsigned us) {
    uint64_t end = now_us() + us;
    while (now_us() < end && !run->connections[0].gone) {
        for (unsigned i = 0; i < CONNECTIONS; i++)
            if (run->under_way[i] == IDLE)
                ask(run, i, false);
        kill_http_wait(run->connections, CONNECTIONS, 1);
        for (unsigned i = 0; i < CONNECTIONS; i++)
            hear(run, i, 0);
    }
}

/* What the node had sent before it was killed counts; what it has not answered is unsure. */
static void rest(struct run *run) {
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        hear(run, i, REST_MS);
        if (run->under_way[i] != IDLE)
            kill_history_unsure(&run->history, run->under_way[i]);
        kill_http_close(&run->connections[i]);
    }
}

static unsigned one_life(struct run *run, const struct kill_settings *settings) {
    unsigned kills = 1;
    start(run, settings);
    open_life(run);
    read_back(run, run->history.last);
    load_for(run, 1000 + (unsigned)random_below(&run->random, 60000));
    end_life(run);
    rest(run);
    if (random_below(&run->random, 10) == 0) {
        start(run, settings);
        kill_sleep_us((unsigned)random_below(&run->random, 40000));
        end_life(run);
        kills++;
    }
    return kills;
}

/* Nothing is unsure any more; all of it is read from the begin, and the chains are looked at. */
static void last_life(struct run *run, const struct kill_settings *settings) {
    char command[1024];
    start(run, settings);
    open_life(run);
    while (ask(run, 0, true))
        hear(run, 0, ANSWER_MS);
    read_back(run, 0);
    rest(run);
    if (!kill_process_stop(&run->process, ANSWER_MS) && run->died++ == 0)
        fprintf(stderr, "\ncrash_events: SIGTERM does not end it cleanly\n");
    snprintf(command, sizeof command, "'%s' events verify --data '%s/data'", settings->binary,
             run->process.folder);
    fflush(stdout);
    if (system(command) != 0)
        run->history.broken++;
}

/* --- the run ---------------------------------------------------------------------------------- */

static unsigned run_lives(struct run *run, const struct kill_settings *settings) {
    uint64_t started_us = now_us();
    const struct kill_history *h = &run->history;
    unsigned kills = 0;
    while (kills < settings->kills && !h->broken && !run->died) {
        if (settings->seconds && now_us() - started_us > settings->seconds * 1000000ull)
            break;
        kills += one_life(run, settings);
        if (isatty(1)) {
            printf("\r%u kills, %u appends, %u events read back", kills, h->count, h->last);
            fflush(stdout);
        }
    }
    if (isatty(1))
        printf("\r%60s\r", "");
    last_life(run, settings);
    printf("%u kills in %llu s: %u appends, %llu of them refused, %llu asked again and there; "
           "%u events\n",
           kills, (unsigned long long)((now_us() - started_us) / 1000000), h->count,
           (unsigned long long)h->conflicts, (unsigned long long)h->repeated, h->last);
    return kills;
}

int main(int argc, char **argv) {
    struct kill_settings settings = kill_settings_read("crash_events", argc, argv);
    char folder[KILL_FOLDER_MAX];
    static struct run run;
    kill_folder_make(&settings, folder);
    run.process = (struct kill_process){.binary = settings.binary, .folder = folder, .admin = true};
    run.random = random_make(settings.seed);
    run.body = buf_make(1u << 20);
    kill_history_open(&run.history);
    unsigned kills = run_lives(&run, &settings);
    uint64_t failures = run.history.broken + run.died;
    kill_folder_end(&settings, folder, failures);
    kill_history_close(&run.history);
    buf_free(&run.body);
    printf("%u passed, %llu failed\n", kills, (unsigned long long)failures);
    return failures ? 1 : 0;
}
