/*
 * pin_data.h - a pin's inside, for pin.c and copy.c (pin.h).
 *
 * The loop makes and frees it. While it is held, CHECKPOINT belongs to the copying thread, which
 * takes it once; the rest is only read.
 */
#ifndef NONET_LOG_PIN_DATA_H
#define NONET_LOG_PIN_DATA_H

#include "log/log_data.h"
#include "log/pin.h"

struct log_pin {
    struct log *log;
    bool held, given_up;
    uint64_t position;
    struct io_file *checkpoint;
    void (*done)(void *self, int failed, struct log_pin *pin);
    void *self;
};

#endif
