/*
 * reach.h - a statement waits until what it reads has got as far as its session has heard
 * (setting min_position, position.h): read your own writes.
 *
 *   run_begin ── reads views or streams that lack something? ── no ──> begins
 *                      | yes: WAITING, looks again at each moment shown
 *                      |--- all is in, and is seen by readers ──> a new snapshot, begins
 *                      '--- min_position_timeout ──> 57014, which says what is missing
 *
 * Views wait for the streams below them, also through other views. A stream that none of them reads
 * is not waited for. What is written by SQL is in all views when COMMIT is answered, so it has no
 * position.
 */
#ifndef NONET_STREAM_REACH_H
#define NONET_STREAM_REACH_H

#include "rooms/stream/work.h"

/* 1: RUN waits first, and its step begins it (run_begin) afterwards; 0: nothing is to be waited
   for; < 0: run->error. */
must_use int reach_start(struct database_run *run);

#endif
