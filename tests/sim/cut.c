/*
 * cut.c - what is left on a simulated disk when the power goes.
 *
 * Each cut draws its STYLE first, because independent coin flips over many sectors almost never
 * give the pure cases: nothing unsynced survived, all of it did, all but one sector did. Then every
 * dirty sector has its fate, and every pending change of names is done or not: in a random
 * subset (a disk may reorder), or up to a point (a journaling file system does not), a change being
 * possible only where the earlier ones on its names were done.
 */
#include "disk.h"

#include <stdlib.h>

enum style { NOTHING, EVERYTHING, ALL_BUT_ONE, MOST, SOME, FEW, STYLES };

enum fate { OLD, NEW, TORN, GARBLED };

static enum fate draw_fate(struct sim *sim, enum style style) {
    static const unsigned new_percent[STYLES] = {0, 100, 100, 85, 50, 15};
    if (style == NOTHING)
        return OLD;
    uint64_t dice = sim_below(sim, 100);
    if (!sim->options.tidy_sectors && style >= MOST && dice < 12)
        return dice < 8 ? TORN : GARBLED;
    return sim_below(sim, 100) < new_percent[style] ? NEW : OLD;
}

static void apply_fate(struct sim_inode *inode, uint64_t sector, enum fate fate) {
    struct sim_disk *disk = inode->disk;
    unsigned char *kept = inode->kept + (sector << disk->shift);
    const unsigned char *now = inode->now + (sector << disk->shift);
    switch (fate) {
    case OLD:
        break;
    case NEW:
        memcpy(kept, now, disk->sector);
        break;
    case TORN:
        memcpy(kept, now, sim_below(disk->sim, disk->sector + 1));
        break;
    case GARBLED:
        random_bytes(&disk->sim->random, kept, disk->sector);
        break;
    }
}

/* A size not yet synced is the old one, the new one, or something on the way. */
static uint64_t draw_size(struct sim_inode *inode, enum style style) {
    struct sim *sim = inode->disk->sim;
    uint64_t a = inode->kept_size, b = inode->size;
    if (a == b || style == EVERYTHING)
        return b;
    if (style == NOTHING)
        return a;
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    switch (sim_below(sim, 3)) {
    case 0:
        return a;
    case 1:
        return b;
    default:
        return low + sim_below(sim, high - low + 1);
    }
}

static void cut_inode(struct sim_inode *inode, enum style style) {
    struct sim_disk *disk = inode->disk;
    bool untouched = inode->dirty_from >= inode->dirty_to && inode->size == inode->kept_size &&
                     !inode->flights && !inode->lost;
    inode->locked_by = NULL;
    if (untouched)
        return;
    uint64_t size = draw_size(inode, style);
    for (struct sim_flight *f = inode->flights; f; f = f->next)
        flight_land(inode, f, style == EVERYTHING ? 1 : 2);
    inode_drop_flights(inode);
    uint64_t spared = SIM_NEVER;
    if (style == ALL_BUT_ONE && inode->dirty_from < inode->dirty_to)
        spared = inode->dirty_from + sim_below(disk->sim, inode->dirty_to - inode->dirty_from);
    for (uint64_t s = inode->dirty_from; s < inode->dirty_to; s++)
        if (inode->dirty[s / 64] >> (s % 64) & 1) {
            apply_fate(inode, s, s == spared ? OLD : draw_fate(disk->sim, style));
            inode->dirty[s / 64] &= ~(UINT64_C(1) << (s % 64));
        }
    inode->dirty_from = inode->dirty_to = 0;
    inode->lost = false;
    if (inode->capacity > size)
        memset(inode->kept + size, 0, inode->capacity - size);
    disk->used = disk->used - inode->size + size;
    inode->size = inode->kept_size = size;
    if (inode->capacity > 0)
        memcpy(inode->now, inode->kept, inode->capacity);
}

static void cut_names(struct sim_disk *disk, enum style style) {
    struct sim *sim = disk->sim;
    for (unsigned i = 0; i < disk->entry_count; i++)
        disk->entries[i].blocked = false;
    bool in_order = sim_chance(sim, 2);
    uint64_t done_until = in_order ? sim_below(sim, disk->change_count + 1) : 0;
    for (unsigned i = 0; i < disk->change_count; i++) {
        struct sim_name_change *change = &disk->changes[i];
        bool keep = in_order ? i < done_until : draw_fate(sim, style) != OLD;
        keep = style == EVERYTHING || (style != NOTHING && keep);
        for (unsigned j = 0; j < change->count; j++)
            keep = keep && !disk->entries[change->entry[j]].blocked;
        for (unsigned j = 0; j < change->count; j++)
            if (!keep)
                disk->entries[change->entry[j]].blocked = true;
        disk_apply_change(disk, change, keep);
    }
    disk->change_count = 0;
    for (unsigned i = 0; i < disk->entry_count; i++) {
        struct sim_entry *entry = &disk->entries[i];
        if (entry->now == entry->kept)
            continue;
        inode_ref(entry->kept);
        inode_unref(entry->now);
        entry->now = entry->kept;
    }
}

/* Names in a folder that did not survive are gone with it. */
static void drop_orphans(struct sim_disk *disk) {
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < disk->entry_count; i++) {
            struct sim_entry *entry = &disk->entries[i];
            if (!entry->now || disk_parent_exists(disk, entry->path))
                continue;
            inode_unref(entry->now);
            inode_unref(entry->kept);
            entry->now = entry->kept = NULL;
            again = true;
        }
    }
}

void disk_cut(struct sim_disk *disk) {
    enum style style = (enum style)sim_below(disk->sim, STYLES);
    cut_names(disk, style);
    drop_orphans(disk);
    struct list_node *n, *next;
    list_each(&disk->inodes, n, next) cut_inode(container_of(n, struct sim_inode, node), style);
}

void disk_kill(struct sim_disk *disk) {
    struct list_node *n, *next;
    list_each(&disk->inodes, n, next) {
        struct sim_inode *inode = container_of(n, struct sim_inode, node);
        inode->locked_by = NULL;
        for (struct sim_flight *f = inode->flights; f; f = f->next)
            flight_land(inode, f, 1); /* the kernel finishes what it began */
        inode_drop_flights(inode);
    }
}

/* --- images --------------------------------------------------------------------------------- */

struct sim_image {
    unsigned count;
    struct sim_image_file {
        char *path;
        bool folder;
        uint64_t size;
        unsigned char *bytes;
    } * files;
};

struct sim_image *sim_disk_save(struct io_host *host) {
    struct sim_disk *disk = host->machine->disk;
    struct sim_image *image = sim_calloc(1, sizeof(*image));
    image->files = sim_calloc(disk->entry_count, sizeof(*image->files));
    for (unsigned i = 0; i < disk->entry_count; i++) {
        const struct sim_entry *entry = &disk->entries[i];
        if (!entry->now)
            continue;
        struct sim_image_file *file = &image->files[image->count++];
        size_t path_size = strlen(entry->path) + 1;
        file->path = sim_calloc(1, path_size);
        memcpy(file->path, entry->path, path_size);
        file->folder = entry->now->folder;
        file->size = entry->now->size;
        file->bytes = sim_calloc(1, file->size);
        if (file->size)
            memcpy(file->bytes, entry->now->now, file->size);
    }
    return image;
}

void sim_disk_load(struct io_host *host, const struct sim_image *image) {
    struct sim_machine *machine = host->machine;
    disk_free(machine->disk);
    machine->disk = disk_create(machine->sim);
    for (unsigned i = 0; i < image->count; i++) {
        const struct sim_image_file *file = &image->files[i];
        struct sim_inode *inode = disk_create_inode(machine->disk, file->path, file->folder);
        int failed = inode_write(inode, file->bytes, file->size, 0);
        check(failed == 0);
        inode_sync_end(inode, inode_sync_begin(inode));
    }
    for (unsigned i = 0; i < machine->disk->change_count; i++)
        disk_apply_change(machine->disk, &machine->disk->changes[i], true);
    machine->disk->change_count = 0;
}

const char *sim_image_file(const struct sim_image *image, unsigned index, slice *ret_bytes) {
    for (unsigned i = 0; i < image->count; i++) {
        if (image->files[i].folder || index-- > 0)
            continue;
        *ret_bytes = slice_make(image->files[i].bytes, (size_t)image->files[i].size);
        return image->files[i].path;
    }
    return NULL;
}

struct sim_image *sim_image_free(struct sim_image *image) {
    if (!image)
        return NULL;
    for (unsigned i = 0; i < image->count; i++) {
        free(image->files[i].path);
        free(image->files[i].bytes);
    }
    free(image->files);
    free(image);
    return NULL;
}
