/*
 * pin.h - the log as of one commit, held still on disk while it goes on, and a copy of it.
 *
 *      log_pin --a checkpoint--> HELD: what it names stays --log_unpin--> gone
 *                                  '-- on a worker: log_copy_begin, log_copy_step ... --> DIRECTORY
 *
 * A checkpoint is everything up to its position: streams, their blocks in segments, the owners'
 * state (consumers with their positions). Segments are only ever appended to, so what it names of
 * them stays as it is for as long as the files are there; that is all that is held. The journal is
 * not copied: a copy has a seal in its place (journal_seed). What was acknowledged before log_pin
 * was called is in it, and nothing of a batch without the rest.
 *
 * BOUNDS. One pin at a time. While it is held segments that died are not given back, and erasing
 * waits (erase.h); on a full disk log_pin_pressed turns true, and whoever holds it should let go.
 * Streams in RAM are not in it.
 */
#ifndef NONET_LOG_PIN_H
#define NONET_LOG_PIN_H

#include "log/log.h"

struct log_pin;

/* DONE(self, failed, pin) from the loop, once: 0 and the pin is held, or failed (as log_checkpoint)
   and it is gone. *RET_PIN may be given back before. 0; -EBUSY (one at a time), -EROFS, -ENOMEM. */
must_use int log_pin(struct log *log, void (*done)(void *self, int failed, struct log_pin *pin),
                     void *self, struct log_pin **ret_pin);
void log_unpin(struct log_pin *pin); /* NULL allowed; before the log is closed or abandoned */
uint64_t log_pin_position(const struct log_pin *pin);
bool log_pin_pressed(const struct log_pin *pin);

/* --- copying: on any one thread, while the pin is held -----------------------------------------
 */

#define LOG_COPY_NAME_MAX 64u

struct log_copy;
struct log_copied {
    char name[LOG_COPY_NAME_MAX]; /* "segments/00000001.seg": this step has completed it, or "" */
    uint64_t bytes;               /* of it */
    unsigned char sha256[32];
    uint64_t done, total; /* bytes of all of it; total 0: not known yet */
};

/* DIRECTORY is made (its parent is there) and filled; what a failure leaves there is the caller's.
   0, -ENOMEM, or a system error. */
must_use int log_copy_begin(struct log_pin *pin, const char *directory, struct log_copy **ret_copy);
/* At most a megabyte. 1: there is more; 0: everything is there, and on disk; -EBADMSG: what should
   be copied is damaged; or a system error, with the file in ERROR's place. */
must_use int log_copy_step(struct log_copy *copy, struct log_copied *ret_copied,
                           struct error *ret_error);
struct log_copy *log_copy_end(struct log_copy *copy); /* NULL allowed, returns NULL */

#endif
