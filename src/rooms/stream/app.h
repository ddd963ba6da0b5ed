/*
 * app.h - the definitions in an app's folder: APP/sql/ with files that end in .sql, made when the
 * node starts.
 *
 * Files are taken in the order of their names, statements as they stand; one that names what is not
 * there yet is tried again after the others. What is there already, made by the same text, is left
 * as it is. Another text for the same name is a mistake that the log tells with its place: nothing
 * is dropped by itself. Only definitions (CREATE …) may stand in these files, since they are run at
 * each start.
 */
#ifndef NONET_STREAM_APP_H
#define NONET_STREAM_APP_H

#include "rooms/stream/database.h"

#define APP_FILES_MAX 1000u
#define APP_BYTES_MAX ((size_t)16 << 20) /* all files together */

struct app;
/* Begins once DB is ready. APP: the folder. NULL where it has no such files, or they cannot be
   listed (more than APP_FILES_MAX of them), which the log tells. */
struct app *app_start(struct database *db, struct room_node *node, const char *folder);
struct app *app_free(struct app *app); /* NULL allowed, returns NULL */

#endif
