/*
 * kill_table.h - memory for what the crash programs remember of a node.
 *
 * Tables by number, sequence or position: megabytes, of which a run touches what it has written.
 * All of it is zero. A program that cannot have its table has nothing to judge by, and ends.
 */
#ifndef NONET_CRASH_KILL_TABLE_H
#define NONET_CRASH_KILL_TABLE_H

#include <stddef.h>

/* COUNT elements of SIZE bytes, the caller's to free(). Exits with 2 where there is no memory. */
void *kill_table(size_t count, size_t size);

#endif
