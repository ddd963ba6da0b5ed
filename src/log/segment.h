/*
 * segment.h - the files that hold saved blocks: DIR/segments/00000012.seg.
 *
 *      | header, 4 KiB | block | block | pad to 4 KiB | block | block ... | pad |
 *                      '--- checkpoint 7 -----------' '--- checkpoint 8 ------'
 *
 * A segment belongs to one stream with much to save, or is shared by many with little, so that a
 * checkpoint dirties few files. It is only ever appended to; each checkpoint starts on a fresh 4
 * KiB sector, so that a power cut in the middle of a write cannot touch bytes that an earlier
 * checkpoint refers to. Past the size given in the options a segment is sealed. After a failed
 * write or sync every segment of that checkpoint is sealed too, and the next attempt writes to new
 * files: what a failed sync dropped is never relied on.
 *
 * Numbers are given once. A segment that no block refers to is removed once a checkpoint that does
 * not name it is on disk, and zeroed before where it holds erased messages (erase.h); one with less
 * than half of it alive has its blocks brought into memory and saved elsewhere (compact.h). Files
 * that no checkpoint names are left-overs of an unfinished one and are removed when the log is
 * opened.
 */
#ifndef NONET_LOG_SEGMENT_H
#define NONET_LOG_SEGMENT_H

#include "io/file.h"
#include "log/block_format.h"

#define SEGMENT_HEADER_SIZE 4096u
#define SEGMENT_OPEN_MAX 64u /* files kept open for reading */
#define SEGMENTS_MAX (1u << 20)
#define SEGMENT_RUN_BYTES (1u << 20) /* written and scanned in pieces of this size */
#define LOG_PATH_MAX 4096u
#define LOG_ID_SIZE 16u

struct segment {
    uint64_t number;
    uint64_t size;      /* bytes given out */
    uint64_t live;      /* bytes of live records in it, about */
    uint64_t blocks;    /* blocks saved in it */
    uint32_t stream_id; /* 0: shared */
    bool sealed;
    bool doubtful;  /* a write to it has failed: only what blocks refer to is worth judging */
    bool fresh;     /* has no file yet */
    bool touched;   /* gets blocks from the checkpoint being made */
    bool doomed;    /* goes when the checkpoint being made is on disk */
    bool emptying;  /* compaction is choosing it */
    bool left;      /* a block has left it, or may have: it holds copies that no block refers to */
    bool erase;     /* one of them holds an erased message: it is emptied and wiped (erase.h) */
    uint64_t until; /* holds nothing that was committed behind this position */
    struct io_file *file;
    unsigned users; /* loads under way on FILE */
    uint64_t used_at;
};

struct segments {
    struct io_host *host;
    char *directory;
    uint8_t log_id[LOG_ID_SIZE];
    struct segment **items; /* by number */
    unsigned count, room, open_count;
    uint64_t next_number, bytes_max, clock;
    struct segment *shared;
};

/* One block on its way to disk. The writer reads all but `block` and `owned`. */
struct segment_write {
    struct block *block; /* NULL: gone meanwhile */
    const char *bytes;
    bool owned; /* the block has gone on without these bytes: free them afterwards */
    struct segment *segment;
    struct block_header header; /* data_crc is set by the writer */
    size_t crc_at;              /* where the checkpoint's text wants data_crc */
};

/* DIRECTORY is DIR/segments and is copied. 0 or -ENOMEM. */
must_use int segments_init(struct segments *s, struct io_host *host, const char *directory);
void segments_free(struct segments *s);
/* Adds a known segment. NULL: no memory, or too many. */
must_use struct segment *segments_add(struct segments *s, uint64_t number);
struct segment *segments_find(const struct segments *s, uint64_t number);
/* Forgets it and closes its file. */
void segments_remove(struct segments *s, struct segment *segment);
void segment_path(const struct segments *s, uint64_t number, char out[LOG_PATH_MAX]);

/* The file open for reading, its header checked. 0, -EBADMSG, or why it could not be opened. */
must_use int segment_open(struct segments *s, struct segment *segment, struct io_file **ret_file);
/* Reads LENGTH bytes of the block whose header lies at OFFSET and compares CRC. Any thread. 0,
   -EBADMSG (OUT holds what was read), or a read error. */
must_use int segment_read(struct io_file *file, uint64_t offset, uint32_t length, uint32_t crc,
                          char *out);

/* Where the next block of LENGTH bytes goes: in *OPEN (sealed and replaced when full), the open
   segment of STREAM_ID. The first since `touched` was cleared gets a fresh sector. 0 or -ENOMEM. */
must_use int segments_place(struct segments *s, struct segment **open, uint32_t stream_id,
                            uint32_t length, uint64_t *ret_offset);

bool segment_write_keeps(struct segment_write *write, const char *bytes);
void segment_write_forget(struct segment_write *write);

/* On the writer: all of WRITES (ordered by segment and offset) to their files, then synced. 0 or a
   system error. */
must_use int segments_write(const struct segments *s, struct segment_write *writes, size_t count);

#endif
