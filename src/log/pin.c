/*
 * pin.c - see pin.h.
 *
 *      ASKED --checkpoint on disk--> HELD      given back while ASKED: it is freed when the
 *        '-- it has failed --> gone             checkpoint that still knows it is over
 *
 * The checkpoint's file is opened in the same call that learns of it: the next one replaces the
 * name, and cannot touch what is open.
 */
#include "log/pin.h"

#include "base/mem.h"
#include "log/pin_data.h"

#include <errno.h>
#include <stdio.h>

static void pin_free(struct log_pin *pin) {
    pin->log->pin = NULL;
    io_file_close(pin->checkpoint);
    mem_free(pin);
}

static int hold(struct log_pin *pin) {
    struct log *log = pin->log;
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "%s/checkpoint", log->directory);
    int failed = io_file_open(log->host, path, 0, &pin->checkpoint);
    if (failed)
        return failed;
    pin->position = log->checkpoint.saved_position;
    pin->held = true;
    return 0;
}

static void on_checkpoint(void *self, int failed) {
    struct log_pin *pin = self;
    void (*done)(void *, int, struct log_pin *) = pin->done;
    void *owner = pin->self;
    if (!failed && pin->log->closing)
        failed = -EROFS;
    if (!failed && !pin->given_up)
        failed = hold(pin);
    bool tell = !pin->given_up;
    if (failed || pin->given_up) {
        pin_free(pin);
        pin = NULL;
    }
    if (tell)
        done(owner, failed, pin);
}

int log_pin(struct log *log, void (*done)(void *self, int failed, struct log_pin *pin), void *self,
            struct log_pin **ret_pin) {
    if (log->pin || log->checkpoint.next_waiter_count == CHECKPOINT_WAITERS_MAX)
        return -EBUSY;
    if (log->closing || log->failed)
        return -EROFS;
    struct log_pin *pin = mem_zalloc(1, sizeof *pin);
    if (!pin)
        return -ENOMEM;
    pin->log = log;
    pin->done = done;
    pin->self = self;
    log->pin = pin;
    *ret_pin = pin;
    checkpoint_request(&log->checkpoint, on_checkpoint, pin);
    return 0;
}

void log_unpin(struct log_pin *pin) {
    if (!pin)
        return;
    if (pin->held)
        pin_free(pin);
    else
        pin->given_up = true;
}

uint64_t log_pin_position(const struct log_pin *pin) {
    return pin->position;
}

bool log_pin_pressed(const struct log_pin *pin) {
    return pin->log->disk_full;
}

bool pin_holds(const struct log *log) {
    return log->pin && log->pin->held;
}

void pin_forget(struct log *log) {
    check(!pin_holds(log));
    log->pin = mem_free(log->pin);
}
