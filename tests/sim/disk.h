/*
 * disk.h - a simulated disk: page cache over durable sectors, names over durable names.
 *
 *     inode   now  |AAAA|BbBB|CCCC|    what reads see              dirty  .X.
 *             kept |AAAA|BBBB|CCCC|    what survives for certain
 *     entry   path -> now inode, kept inode; pending operations in order, each atomic
 *
 * now and kept differ in dirty sectors only (and, after a failed sync, in lost ones, which no
 * later sync will write). While a sync runs, a copy of its dirty sectors is in flight: at a cut it
 * may have landed or not; sectors written meanwhile are dirty anew.
 */
#ifndef NONET_TESTS_SIM_DISK_H
#define NONET_TESTS_SIM_DISK_H

#include "core.h"

struct sim_flight {
    struct sim_flight *next;
    uint64_t size;
    uint32_t count;
    bool landed;
    uint64_t *sectors;
    unsigned char *bytes;
};

struct sim_inode {
    struct list_node node; /* in the disk's inodes */
    struct sim_disk *disk;
    unsigned refs; /* entries (now, kept, pending) and handles */
    uint32_t id;
    bool folder, lost;
    void *locked_by;
    unsigned char *now, *kept;
    uint64_t size, kept_size, capacity;
    uint64_t *dirty; /* a bit a sector */
    uint64_t dirty_from, dirty_to;
    uint64_t bad[4]; /* unreadable sectors, by number + 1 */
    struct sim_flight *flights;
};

struct sim_entry {
    char *path;
    uint64_t path_hash;
    struct sim_inode *now, *kept;
    unsigned pending;
    bool blocked; /* scratch of a walk over the pending operations */
};

/* One atomic change of one or two names. */
struct sim_name_change {
    unsigned entry[2];
    struct sim_inode *inode[2];
    unsigned count;
    uint64_t order;
};

struct sim_disk {
    struct sim *sim;
    uint32_t sector, shift;
    uint64_t limit, used, changes_made;
    struct list inodes;
    struct sim_entry *entries;
    unsigned entry_count, entry_capacity;
    struct sim_name_change *changes;
    unsigned change_count, change_capacity;
};

struct sim_disk *disk_create(struct sim *sim);
struct sim_disk *disk_free(struct sim_disk *disk);
/* Clears PATH of doubled and closing slashes into OUT (SIM_PATH_MAX). 0 or -ENAMETOOLONG. */
int disk_path(const char *path, char *out);
struct sim_inode *disk_find(struct sim_disk *disk, const char *path); /* NULL where none is */
bool disk_parent_exists(struct sim_disk *disk, const char *path);
struct sim_inode *disk_create_inode(struct sim_disk *disk, const char *path, bool folder);
void disk_rename(struct sim_disk *disk, const char *from, const char *to);
void disk_unlink(struct sim_disk *disk, const char *path);
/* The INDEX-th name in FOLDER: its last component, or NULL past the end. Sets *ret_index on. */
const char *disk_list(struct sim_disk *disk, const char *folder, unsigned *index);
uint64_t disk_order(const struct sim_disk *disk);
/* Makes the changes of names in FOLDER made before ORDER durable. */
void disk_sync_folder(struct sim_disk *disk, const char *folder, uint64_t order);

/* Ends a pending change, done or not; the caller takes it off the list. */
void disk_apply_change(struct sim_disk *disk, const struct sim_name_change *change, bool keep);

void inode_ref(struct sim_inode *inode);
void inode_unref(struct sim_inode *inode);
/* 0, or -ENOSPC with what fitted written. */
int inode_write(struct sim_inode *inode, const void *bytes, size_t size, uint64_t offset);
int inode_resize(struct sim_inode *inode, uint64_t size);
int inode_allocate(struct sim_inode *inode, uint64_t size);
int inode_read(struct sim_inode *inode, void *out, size_t size, uint64_t offset, size_t *ret_read);
struct sim_flight *inode_sync_begin(struct sim_inode *inode);
void inode_sync_end(struct sim_inode *inode, struct sim_flight *flight); /* frees it; lands it */
/* Sectors in flight reach the disk: all (KEEP_ONE_IN 1) or each by chance. */
void flight_land(struct sim_inode *inode, struct sim_flight *flight, uint64_t keep_one_in);
void inode_drop_flights(struct sim_inode *inode); /* their syncs ended with the host */
void inode_sync_lost(struct sim_inode *inode);    /* a failed sync */

/* --- cut.c */
void disk_cut(struct sim_disk *disk);  /* the power goes: everything is decided */
void disk_kill(struct sim_disk *disk); /* the process goes: syncs under way land or do not */

#endif
