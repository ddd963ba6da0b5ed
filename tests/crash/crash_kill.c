/*
 * crash_kill.c - kill -9 on the real binary under load, again and again, with an outside oracle.
 *
 *   crash_kill --kills N --binary build/nonet [--seed S] [--shards N] [--seconds N]
 *
 * One life of the node: start, with 1, 2 or 4 shards in turn of chance; what the life before has
 * stored is read back; what it left without answer is sent again under its old ids; then two
 * publishers keep up to 256 messages each under way into three streams, a consumer takes messages
 * and acknowledges them with confirmation, a stream is made or deleted, one is purged; after some
 * milliseconds: SIGKILL. What the node had sent by then counts. One life in ten is followed by one
 * that is killed while it still starts; in one life of twenty the node is stopped for a moment
 * before. Every 100 lives, and at the end, all that was ever stored is read back. What the oracle
 * demands stands in kill_oracle.h.
 *
 * The last line is `N passed, N failed`: kills, and broken demands. After a failure the folder is
 * kept. --shards fixes the size; --seconds ends the run earlier.
 */
#include "kill_run.h"
#include "kill_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define START_MS 60000
#define FULL_CHECK_EVERY 100u
#define SHOW_EVERY_US 200000u

uint64_t kill_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

_Noreturn void kill_give_up(const struct kill_run *run, const char *why) {
    fprintf(stderr, "\ncrash_kill: %s; the node's log is %s/log\n", why, run->process.folder);
    printf("0 passed, 1 failed\n");
    exit(1);
}

/* --- lives ------------------------------------------------------------------------------------ */

static void open_life(struct kill_run *run) {
    unsigned port = kill_process_port(&run->process, "nats", START_MS);
    if (!port)
        kill_give_up(run, "the node does not come up again");
    for (unsigned i = 0; i < KILL_CLIENTS; i++)
        if (!kill_client_open(&run->clients[i], port, KILL_ANSWER_MS))
            kill_give_up(run, "the node takes no connection");
}

static void close_clients(struct kill_run *run) {
    for (unsigned i = 0; i < KILL_CLIENTS; i++)
        kill_client_close(&run->clients[i]);
}

static void end_life(struct kill_run *run) {
    if (!kill_process_kill(&run->process))
        kill_oracle_broken(&run->oracle.died, "the node ended by itself; its log is %s/log",
                           run->process.folder);
}

static unsigned start(struct kill_run *run, const struct kill_settings *settings) {
    run->process.shards = settings->shards ? settings->shards : 1u << random_below(&run->random, 3);
    kill_process_start(&run->process);
    return 1;
}

/* Returns how many kills it was. */
static unsigned one_life(struct kill_run *run, const struct kill_settings *settings, bool first,
                         bool all) {
    unsigned kills = start(run, settings);
    open_life(run);
    if (first)
        kill_check_make(run);
    kill_check_streams(run, all);
    kill_load_open(run);
    kill_load_for(run, 1000 + (unsigned)random_below(&run->random, 60000));
    if (random_below(&run->random, 20) == 0)
        kill_process_pause(&run->process, 5 + (unsigned)random_below(&run->random, 20));
    end_life(run);
    kill_load_rest(run);
    close_clients(run);
    if (random_below(&run->random, 10) == 0) {
        kills += start(run, settings);
        kill_sleep_us((unsigned)random_below(&run->random, 40000));
        end_life(run);
    }
    return kills;
}

static void last_life(struct kill_run *run, const struct kill_settings *settings) {
    start(run, settings);
    open_life(run);
    kill_check_streams(run, true);
    kill_load_open(run);
    kill_load_drain(run);
    close_clients(run);
    if (!kill_process_stop(&run->process, KILL_ANSWER_MS))
        kill_oracle_broken(&run->oracle.died, "SIGTERM does not end it cleanly");
}

/* --- the run ---------------------------------------------------------------------------------- */

static void report(const struct kill_run *run, unsigned kills, uint64_t started_us) {
    const struct kill_oracle *o = &run->oracle;
    printf("%u kills in %llu s: %llu publishes acknowledged, %llu messages read back, "
           "%llu deliveries, %llu confirmed\n",
           kills, (unsigned long long)((kill_now_us() - started_us) / 1000000),
           (unsigned long long)o->acked, (unsigned long long)o->checked,
           (unsigned long long)o->deliveries, (unsigned long long)o->confirmations);
    printf("lost %llu, stored twice %llu, wrong %llu, out of order %llu, redelivered %llu, "
           "skipped %llu, undone %llu, refused %llu, ended by itself %llu\n",
           (unsigned long long)o->lost, (unsigned long long)o->twice, (unsigned long long)o->wrong,
           (unsigned long long)o->unordered, (unsigned long long)o->redelivered,
           (unsigned long long)o->skipped, (unsigned long long)o->undone,
           (unsigned long long)o->refused, (unsigned long long)o->died);
}

static void show(const struct kill_run *run, unsigned kills, uint64_t *last_us) {
    if (!isatty(1) || kill_now_us() - *last_us < SHOW_EVERY_US)
        return;
    *last_us = kill_now_us();
    printf("\r%u kills, %llu acknowledged, %llu read back", kills,
           (unsigned long long)run->oracle.acked, (unsigned long long)run->oracle.checked);
    fflush(stdout);
}

static unsigned run_lives(struct kill_run *run, const struct kill_settings *settings) {
    uint64_t started_us = kill_now_us(), shown_us = 0;
    unsigned kills = 0;
    for (unsigned life = 0; kills < settings->kills; life++) {
        if (kill_oracle_failures(&run->oracle) ||
            (settings->seconds && kill_now_us() - started_us > settings->seconds * 1000000ull))
            break;
        bool all = life % FULL_CHECK_EVERY == FULL_CHECK_EVERY - 1;
        kills += one_life(run, settings, life == 0, all);
        show(run, kills, &shown_us);
    }
    last_life(run, settings);
    if (isatty(1))
        printf("\r%60s\r", "");
    report(run, kills, started_us);
    return kills;
}

int main(int argc, char **argv) {
    struct kill_settings settings = kill_settings_read("crash_kill", argc, argv);
    char folder[KILL_FOLDER_MAX];
    static struct kill_run run;
    kill_folder_make(&settings, folder);
    run.process = (struct kill_process){.binary = settings.binary, .folder = folder};
    run.random = random_make(settings.seed);
    kill_oracle_open(&run.oracle);
    unsigned kills = run_lives(&run, &settings);
    uint64_t failures = kill_oracle_failures(&run.oracle);
    kill_folder_end(&settings, folder, failures);
    kill_oracle_close(&run.oracle);
    printf("%u passed, %llu failed\n", kills, (unsigned long long)failures);
    return failures ? 1 : 0;
}
