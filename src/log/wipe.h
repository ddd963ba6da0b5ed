/*
 * wipe.h - zeros over what a file holds, before it is used again or goes.
 *
 * A file system that copies on write, and the firmware of a flash disk, may keep the old bytes
 * where no file shows them: who must be sure of those encrypts the disk.
 */
#ifndef NONET_LOG_WIPE_H
#define NONET_LOG_WIPE_H

#include "io/file.h"

/* Zeros from FROM to TO, synced. Any thread but the loop's. 0 or a system error. */
must_use int wipe_file(struct io_file *file, uint64_t from, uint64_t to);
/* All of the file PATH likewise. */
must_use int wipe_path(struct io_host *host, const char *path);

#endif
