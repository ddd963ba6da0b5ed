/*
 * disk.c - the page cache, the sectors below it, and the names. See disk.h.
 */
#include "disk.h"

#include <errno.h>
#include <stdlib.h>

/* Chance that a dirty sector is written back by the kernel before it is overwritten. */
#define WRITE_BACK_ONE_IN 4

struct sim_disk *disk_create(struct sim *sim) {
    struct sim_disk *disk = sim_calloc(1, sizeof(*disk));
    disk->sim = sim;
    disk->sector = sim->options.sector_bytes;
    disk->shift = (uint32_t)__builtin_ctz(disk->sector);
    disk->limit = sim->options.disk_bytes;
    list_init(&disk->inodes);
    return disk;
}

static void free_flight(struct sim_flight *flight) {
    free(flight->sectors);
    free(flight->bytes);
    free(flight);
}

void inode_drop_flights(struct sim_inode *inode) {
    while (inode->flights) {
        struct sim_flight *next = inode->flights->next;
        free_flight(inode->flights);
        inode->flights = next;
    }
}

static void free_inode(struct sim_inode *inode) {
    inode_drop_flights(inode);
    list_remove(&inode->node);
    inode->disk->used -= inode->size;
    free(inode->now);
    free(inode->kept);
    free(inode->dirty);
    free(inode);
}

struct sim_disk *disk_free(struct sim_disk *disk) {
    for (struct list_node *n; (n = list_first(&disk->inodes)) != NULL;)
        free_inode(container_of(n, struct sim_inode, node));
    for (unsigned i = 0; i < disk->entry_count; i++)
        free(disk->entries[i].path);
    free(disk->entries);
    free(disk->changes);
    free(disk);
    return NULL;
}

void inode_ref(struct sim_inode *inode) {
    if (inode)
        inode->refs++;
}

void inode_unref(struct sim_inode *inode) {
    if (inode && --inode->refs == 0)
        free_inode(inode);
}

/* --- names ---------------------------------------------------------------------------------- */

int disk_path(const char *path, char *out) {
    size_t len = 0;
    for (const char *p = path; *p; p++) {
        bool doubled = *p == '/' && len > 0 && out[len - 1] == '/';
        bool here =
            p[0] == '.' && (p[1] == '/' || p[1] == '\0') && (len == 0 || out[len - 1] == '/');
        if (doubled)
            continue;
        if (here) {
            p += p[1] == '/';
            continue;
        }
        if (len + 1 >= SIM_PATH_MAX)
            return -ENAMETOOLONG;
        out[len++] = *p;
    }
    while (len > 0 && out[len - 1] == '/')
        len--;
    out[len] = '\0';
    return 0;
}

static uint64_t path_hash(const char *path) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    return hash;
}

static struct sim_entry *find_entry(struct sim_disk *disk, const char *path) {
    uint64_t hash = path_hash(path);
    for (unsigned i = 0; i < disk->entry_count; i++)
        if (disk->entries[i].path && disk->entries[i].path_hash == hash &&
            strcmp(disk->entries[i].path, path) == 0)
            return &disk->entries[i];
    return NULL;
}

static struct sim_entry *free_entry(struct sim_disk *disk) {
    for (unsigned i = 0; i < disk->entry_count; i++) {
        struct sim_entry *entry = &disk->entries[i];
        if (!entry->now && !entry->kept && entry->pending == 0) {
            free(entry->path);
            entry->path = NULL;
            return entry;
        }
    }
    if (disk->entry_count == disk->entry_capacity) {
        disk->entry_capacity = disk->entry_capacity ? disk->entry_capacity * 2 : 16;
        disk->entries = sim_realloc(disk->entries, disk->entry_capacity * sizeof(*disk->entries));
    }
    return &disk->entries[disk->entry_count++];
}

static unsigned entry_of(struct sim_disk *disk, const char *path) {
    struct sim_entry *entry = find_entry(disk, path);
    if (!entry) {
        entry = free_entry(disk);
        *entry = (struct sim_entry){.path_hash = path_hash(path)};
        size_t size = strlen(path) + 1;
        entry->path = sim_calloc(1, size);
        memcpy(entry->path, path, size);
    }
    return (unsigned)(entry - disk->entries);
}

struct sim_inode *disk_find(struct sim_disk *disk, const char *path) {
    struct sim_entry *entry = find_entry(disk, path);
    return entry ? entry->now : NULL;
}

bool disk_parent_exists(struct sim_disk *disk, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true; /* the working folder and the root are always there */
    char parent[SIM_PATH_MAX];
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    struct sim_inode *inode = disk_find(disk, parent);
    return inode && inode->folder;
}

static void set_now(struct sim_entry *entry, struct sim_inode *inode) {
    inode_ref(inode);
    inode_unref(entry->now);
    entry->now = inode;
}

static void add_change(struct sim_disk *disk, struct sim_name_change change) {
    if (disk->change_count == disk->change_capacity) {
        disk->change_capacity = disk->change_capacity ? disk->change_capacity * 2 : 16;
        disk->changes = sim_realloc(disk->changes, disk->change_capacity * sizeof(*disk->changes));
    }
    change.order = ++disk->changes_made;
    for (unsigned i = 0; i < change.count; i++) {
        inode_ref(change.inode[i]);
        disk->entries[change.entry[i]].pending++;
    }
    disk->changes[disk->change_count++] = change;
    for (unsigned i = 0; i < change.count; i++)
        set_now(&disk->entries[change.entry[i]], change.inode[i]);
}

struct sim_inode *disk_create_inode(struct sim_disk *disk, const char *path, bool folder) {
    struct sim_inode *inode = sim_calloc(1, sizeof(*inode));
    inode->disk = disk;
    inode->folder = folder;
    inode->id = ++disk->sim->ids;
    list_push_back(&disk->inodes, &inode->node);
    add_change(disk, (struct sim_name_change){
                         .entry = {entry_of(disk, path)}, .inode = {inode}, .count = 1});
    return inode;
}

void disk_unlink(struct sim_disk *disk, const char *path) {
    add_change(disk, (struct sim_name_change){.entry = {entry_of(disk, path)}, .count = 1});
}

void disk_rename(struct sim_disk *disk, const char *from, const char *to) {
    unsigned source = entry_of(disk, from), target = entry_of(disk, to);
    if (source == target)
        return;
    add_change(disk, (struct sim_name_change){.entry = {target, source},
                                              .inode = {disk->entries[source].now, NULL},
                                              .count = 2});
}

/* Does PATH lie in FOLDER itself, not deeper? Returns its last component, or NULL. */
static const char *name_in(const char *path, const char *folder) {
    size_t len = strlen(folder);
    if (len > 0) {
        if (strncmp(path, folder, len) != 0 || path[len] != '/')
            return NULL;
        path += len + 1;
    } else if (path[0] == '/') {
        path++;
    }
    return strchr(path, '/') ? NULL : path;
}

const char *disk_list(struct sim_disk *disk, const char *folder, unsigned *index) {
    for (; *index < disk->entry_count; ++*index) {
        struct sim_entry *entry = &disk->entries[*index];
        const char *name = entry->path && entry->now ? name_in(entry->path, folder) : NULL;
        if (name) {
            ++*index;
            return name;
        }
    }
    return NULL;
}

uint64_t disk_order(const struct sim_disk *disk) {
    return disk->changes_made;
}

void disk_apply_change(struct sim_disk *disk, const struct sim_name_change *change, bool keep) {
    for (unsigned i = 0; i < change->count; i++) {
        struct sim_entry *entry = &disk->entries[change->entry[i]];
        if (keep) {
            inode_ref(change->inode[i]);
            inode_unref(entry->kept);
            entry->kept = change->inode[i];
        }
        entry->pending--;
        inode_unref(change->inode[i]);
    }
}

/* A change is done when every folder of its names was asked for; what comes later on a name that
   still waits must wait, too. */
void disk_sync_folder(struct sim_disk *disk, const char *folder, uint64_t order) {
    unsigned left = 0;
    for (unsigned i = 0; i < disk->entry_count; i++)
        disk->entries[i].blocked = false;
    for (unsigned i = 0; i < disk->change_count; i++) {
        struct sim_name_change *change = &disk->changes[i];
        bool ready = change->order <= order;
        for (unsigned j = 0; j < change->count; j++) {
            struct sim_entry *entry = &disk->entries[change->entry[j]];
            ready = ready && !entry->blocked && name_in(entry->path, folder) != NULL;
        }
        if (ready) {
            disk_apply_change(disk, change, true);
            continue;
        }
        for (unsigned j = 0; j < change->count; j++)
            disk->entries[change->entry[j]].blocked = true;
        disk->changes[left++] = *change;
    }
    disk->change_count = left;
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void ensure_capacity(struct sim_inode *inode, uint64_t size) {
    if (size <= inode->capacity)
        return;
    uint32_t shift = inode->disk->shift;
    uint64_t old = inode->capacity, grown = old ? old : UINT64_C(4) << shift;
    while (grown < size)
        grown *= 2;
    inode->now = sim_realloc(inode->now, grown);
    inode->kept = sim_realloc(inode->kept, grown);
    memset(inode->now + old, 0, grown - old);
    memset(inode->kept + old, 0, grown - old);
    uint64_t old_words = ((old >> shift) + 63) / 64, words = ((grown >> shift) + 63) / 64;
    inode->dirty = sim_realloc(inode->dirty, words * sizeof(uint64_t));
    memset(inode->dirty + old_words, 0, (words - old_words) * sizeof(uint64_t));
    inode->capacity = grown;
}

static bool is_dirty(const struct sim_inode *inode, uint64_t sector) {
    return inode->dirty[sector / 64] >> (sector % 64) & 1;
}

/* Marks what lies in [FROM, TO) bytes; some sectors that were dirty reach the disk as they are, so
   that what survives a cut need not be the first or the last value. */
static void mark_dirty(struct sim_inode *inode, uint64_t from, uint64_t to) {
    struct sim_disk *disk = inode->disk;
    uint64_t first = from >> disk->shift, last = (to + disk->sector - 1) >> disk->shift;
    bool write_back =
        inode->dirty_from < inode->dirty_to && sim_chance(disk->sim, WRITE_BACK_ONE_IN);
    for (uint64_t s = first; s < last; s++) {
        if (write_back && is_dirty(inode, s))
            memcpy(inode->kept + (s << disk->shift), inode->now + (s << disk->shift), disk->sector);
        inode->dirty[s / 64] |= UINT64_C(1) << (s % 64);
        for (unsigned i = 0; i < array_count(inode->bad); i++)
            if (inode->bad[i] == s + 1)
                inode->bad[i] = 0; /* a drive maps a bad sector away when it is written */
    }
    if (first >= last)
        return;
    bool none = inode->dirty_from >= inode->dirty_to;
    inode->dirty_from = none || first < inode->dirty_from ? first : inode->dirty_from;
    inode->dirty_to = none || last > inode->dirty_to ? last : inode->dirty_to;
}

/* Takes room for a file of SIZE; gives how much of that there is. */
static uint64_t take_room(struct sim_inode *inode, uint64_t size) {
    struct sim_disk *disk = inode->disk;
    if (size <= inode->size)
        return size;
    uint64_t more = size - inode->size;
    if (disk->limit) {
        uint64_t left = disk->limit > disk->used ? disk->limit - disk->used : 0;
        more = more < left ? more : left;
    }
    disk->used += more;
    return inode->size + more;
}

int inode_write(struct sim_inode *inode, const void *bytes, size_t size, uint64_t offset) {
    uint64_t end = offset + size;
    uint64_t room = take_room(inode, end);
    uint64_t fits = room < end ? room : end;
    ensure_capacity(inode, end);
    if (fits > offset) {
        mark_dirty(inode, offset, fits);
        memcpy(inode->now + offset, bytes, fits - offset);
    }
    if (room > inode->size)
        inode->size = room;
    return fits == end ? 0 : -ENOSPC;
}

int inode_allocate(struct sim_inode *inode, uint64_t size) {
    if (size <= inode->size)
        return 0;
    uint64_t from = inode->size, room = take_room(inode, size);
    ensure_capacity(inode, size);
    mark_dirty(inode, from, room);
    inode->size = room;
    return room == size ? 0 : -ENOSPC;
}

int inode_resize(struct sim_inode *inode, uint64_t size) {
    if (size > inode->size) {
        uint64_t from = inode->size, room = take_room(inode, size);
        if (room < size) {
            inode->disk->used -= room - from;
            return -ENOSPC;
        }
        ensure_capacity(inode, size);
        mark_dirty(inode, from, size);
    } else if (size < inode->size) {
        mark_dirty(inode, size, inode->size);
        memset(inode->now + size, 0, inode->size - size);
        inode->disk->used -= inode->size - size;
    }
    inode->size = size;
    return 0;
}

int inode_read(struct sim_inode *inode, void *out, size_t size, uint64_t offset, size_t *ret_read) {
    uint64_t left = offset < inode->size ? inode->size - offset : 0;
    size_t taken = size < left ? size : (size_t)left;
    for (unsigned i = 0; i < array_count(inode->bad); i++) {
        uint64_t at = (inode->bad[i] - 1) << inode->disk->shift;
        if (inode->bad[i] && at < offset + taken && at + inode->disk->sector > offset)
            return -EIO;
    }
    if (taken > 0)
        memcpy(out, inode->now + offset, taken);
    *ret_read = taken;
    return 0;
}

/* --- sync ----------------------------------------------------------------------------------- */

void flight_land(struct sim_inode *inode, struct sim_flight *flight, uint64_t keep_one_in) {
    if (flight->landed)
        return;
    struct sim_disk *disk = inode->disk;
    for (uint32_t i = 0; i < flight->count; i++)
        if (keep_one_in == 1 || sim_chance(disk->sim, keep_one_in))
            memcpy(inode->kept + (flight->sectors[i] << disk->shift),
                   flight->bytes + ((uint64_t)i << disk->shift), disk->sector);
    if (keep_one_in == 1)
        inode->kept_size = flight->size;
    flight->landed = true;
}

struct sim_flight *inode_sync_begin(struct sim_inode *inode) {
    struct sim_disk *disk = inode->disk;
    for (struct sim_flight *f = inode->flights; f; f = f->next)
        flight_land(inode, f, 1); /* an older copy must not land on a newer one */
    struct sim_flight *flight = sim_calloc(1, sizeof(*flight));
    uint32_t most = 0;
    for (uint64_t s = inode->dirty_from; s < inode->dirty_to; s++)
        most += is_dirty(inode, s);
    flight->sectors = sim_calloc(most, sizeof(uint64_t));
    flight->bytes = sim_realloc(NULL, (size_t)most << disk->shift);
    flight->size = inode->size;
    for (uint64_t s = inode->dirty_from; s < inode->dirty_to; s++) {
        if (!is_dirty(inode, s))
            continue;
        memcpy(flight->bytes + ((uint64_t)flight->count << disk->shift),
               inode->now + (s << disk->shift), disk->sector);
        flight->sectors[flight->count++] = s;
        inode->dirty[s / 64] &= ~(UINT64_C(1) << (s % 64));
    }
    inode->dirty_from = inode->dirty_to = 0;
    flight->next = inode->flights;
    inode->flights = flight;
    return flight;
}

void inode_sync_end(struct sim_inode *inode, struct sim_flight *flight) {
    flight_land(inode, flight, 1);
    struct sim_flight **at = &inode->flights;
    while (*at != flight)
        at = &(*at)->next;
    *at = flight->next;
    free_flight(flight);
}

void inode_sync_lost(struct sim_inode *inode) {
    struct sim_disk *disk = inode->disk;
    bool evicted = sim_chance(disk->sim, 2);
    for (uint64_t s = inode->dirty_from; s < inode->dirty_to; s++) {
        uint64_t at = s << disk->shift;
        if (!is_dirty(inode, s))
            continue;
        inode->dirty[s / 64] &= ~(UINT64_C(1) << (s % 64));
        if (sim_chance(disk->sim, 4))
            memcpy(inode->kept + at, inode->now + at, disk->sector); /* this one was written */
        else if (evicted && at + disk->sector <= inode->size)
            memcpy(inode->now + at, inode->kept + at, disk->sector);
    }
    inode->dirty_from = inode->dirty_to = 0;
    inode->lost = true;
}
