/*
 * journal_scan.h - walks a journal's files from the first group to the last and judges them.
 *
 *      groups 41 42 43 | hole | ...     where no good group is, one of two things has happened:
 *
 *      - nothing good lies behind: the end. The group that was being written when the power went
 *        may lie torn in the hole; nobody was told that it is safe, and the next is written over it
 *      - a good group lies behind: since group n + 1 is written only after n is on disk, n was
 *        good once. That is CORRUPTION, and is named by the place of the hole
 *
 * So behind every hole the rest of the file is searched, sector by sector, and the files behind it
 * too; group numbers and positions are dense over all of them, and each group names the place of
 * its predecessor, which tells of a hole even where the first group left is behind it.
 *
 * Used by recovery (the first damage ends it) and by `nonet log verify` (all damage is told).
 */
#ifndef NONET_LOG_JOURNAL_SCAN_H
#define NONET_LOG_JOURNAL_SCAN_H

#include "io/file.h"
#include "log/journal_format.h"

#define JOURNAL_PATH_MAX 4096u
#define JOURNAL_SCAN_WINDOW (1u << 20) /* bytes read at once */

struct journal_scan_file {
    uint64_t number, bytes;
    struct io_file *file; /* NULL: its header is damaged; who takes it leaves NULL here */
    uint64_t end;         /* behind its last group */
    uint64_t last_position, groups;
};

struct journal_scan {
    /* Set by the caller, the rest zero. */
    struct io_host *host;
    const char *directory;
    unsigned open_flags; /* enum io_file_flag */
    void *self;
    /* A good group, in order; BYTES is all of it, valid during the call. Not 0 ends the scan. */
    int (*on_group)(void *self, const struct journal_group *group, slice bytes,
                    struct error *ret_error);
    /* 0 goes on behind the damage, else ends the scan with that. */
    int (*on_damage)(void *self, const struct error *error);

    /* Found. */
    struct journal_scan_file *files; /* by number */
    size_t count;
    uint64_t log_id;
    bool any; /* then: */
    struct journal_group first, last;
    bool torn; /* then: what lies behind the last group, as far as its header can be trusted */
    struct journal_group torn_group;

    /* Its own. */
    size_t capacity;
    bool resumed; /* behind damage that was told: the next group's predecessor is not known */
    uint64_t hole_file, hole_offset; /* where the group behind the last one should have been */
    struct {
        char *bytes;
        size_t capacity, len;
        uint64_t file, start;
    } window;
};

/* 0, what a callback answered, -ENOTSUP, -ENOMEM, or why a file could not be read. Free either
   way. */
must_use int journal_scan_run(struct journal_scan *scan, struct error *ret_error);
void journal_scan_free(struct journal_scan *scan);

/* "DIRECTORY/journal/NUMBER.SUFFIX" into PATH of JOURNAL_PATH_MAX bytes. 0 or -ENAMETOOLONG. */
must_use int journal_path(const char *directory, uint64_t number, const char *suffix, char *path);
/* "DIRECTORY/journal" or "DIRECTORY/journal/NAME" (NULL: none), likewise. */
must_use int journal_path_name(const char *directory, const char *name, char *path);
/* Fills ERROR and its place: the file and the offset. Returns CODE. */
int journal_damage(struct error *error, int code, uint64_t file, uint64_t offset,
                   const char *format, ...) printf_like(5, 6);

#endif
