/*
 * backup_folder.h - a backup as files: written whole or not at all, checked, and restored.
 *
 *      BACKUP/  SHA256SUMS       "HEX  NAME" a line, as sha256sum -c reads it: of all below
 *               backup.json      what it is: position, time, node, count and bytes of the others
 *               format, log/...  a data folder, as of that position
 *
 * A folder that is being filled is called NAME.partial and holds a locked file `unfinished`; it
 * gets its name when everything in it is on disk. What a kill leaves is told by that file, and
 * removed by the next one that wants the same name; a node's data folder has none, whatever it is
 * called. Names in SHA256SUMS are judged before they are opened.
 * Calls block, on any thread.
 */
#ifndef NONET_NODE_BACKUP_FOLDER_H
#define NONET_NODE_BACKUP_FOLDER_H

#include "base/buf.h"
#include "io/copy.h"
#include "node/node.h"

#define BACKUP_PATH_MAX 1024u
#define BACKUP_FILES_MAX (1u << 21)
#define BACKUP_SUMS_MAX ((size_t)BACKUP_FILES_MAX * 128)

/* --- a folder that comes into being -------------------------------------------------------------
 */

struct backup_folder {
    struct io_host *host;
    char path[BACKUP_PATH_MAX], partial[BACKUP_PATH_MAX + 16];
    struct io_file *lock;
};
/* PATH must not be there; with MAY_BE_EMPTY an empty folder is as good. 0; -EEXIST, or another
   reason, in words. */
must_use int backup_folder_begin(struct io_host *host, const char *path, bool may_be_empty,
                                 struct backup_folder *ret_folder, struct error *ret_error);
/* It gets its name, synced. Ends it either way; on failure it is removed. */
must_use int backup_folder_commit(struct backup_folder *folder, struct error *ret_error);
/* Removes it. A zeroed one is ended. */
void backup_folder_drop(struct backup_folder *folder);

/* --- what is in it -------------------------------------------------------------------------------
 */

/* Adds NAME to SUMS. 0 or -ENOMEM. */
must_use int backup_sums_add(struct buf *sums, const char *name, const unsigned char sha256[32]);
/* Writes backup.json from INFO, and SUMS with it. 0, or why not, in words. */
must_use int backup_write_manifest(const struct backup_folder *folder,
                                   const struct node_backup *info, struct buf *sums,
                                   struct error *ret_error);

/* --- checking and restoring ----------------------------------------------------------------------
 */

/* Reads all of BACKUP and compares it with its sums; unless INTO is NULL, what is part of the data
   folder is copied there on the way. PROGRESS may be NULL. 0 with INFO; -EBADMSG, the file is
   named; -ENOTSUP (a newer one), -ENOENT (no backup), or a system error. */
must_use int backup_read(struct io_host *host, const char *backup, const struct backup_folder *into,
                         void (*progress)(void *self, uint64_t done, uint64_t total), void *self,
                         struct node_backup *ret_info, struct error *ret_error);

#endif
