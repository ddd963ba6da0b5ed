/*
 * zones.h - the machine's time zones (tzdata's files), as the engine wants them (sql/time/zone.h).
 *
 * They are read when the first session opens, all at once (about 600 small files): expressions name
 * zones that nobody has announced. Without tzdata there are UTC, offsets and POSIX texts.
 */
#ifndef NONET_STREAM_ZONES_H
#define NONET_STREAM_ZONES_H

#include "io/loop.h"
#include "sql/time/zone.h"

/* Fills ZONES with what lies below the folder PATH. What is no zone is passed over. */
void zones_load(struct io_host *host, const char *path, struct sql_zones *zones);

#endif
