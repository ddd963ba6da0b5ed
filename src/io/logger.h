/*
 * logger.h - structured log lines to stderr or a file, one a line, whole lines from any thread.
 *
 *     2026-01-02T03:04:05.123Z info  nats  client connected cid=7 peer=127.0.0.1:41234
 *
 * A line is time, level, area, a message for people, then fields as key=value (values with spaces
 * or quotes are quoted as JSON strings). In nats-server's form its head is another:
 *
 *     [4711] 2026/01/02 03:04:05.123456 [INF] client connected cid=7 peer=127.0.0.1:41234
 *
 * Strangers' bytes in values are escaped, so a log line
 * cannot be forged. Lines over LOGGER_LINE_MAX are cut.
 */
#ifndef NONET_IO_LOGGER_H
#define NONET_IO_LOGGER_H

#include "io/loop.h"

#define LOGGER_LINE_MAX 2048

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_TRACE
};

struct logger;
must_use int logger_create(struct io_host *host, enum log_level level, struct logger **ret);
struct logger *logger_free(struct logger *logger); /* NULL allowed */
/* Before other threads write. NATS: nats-server's form; TIMES: lines have one. */
void logger_set_form(struct logger *logger, bool nats, bool times);
/* Before other threads write: lines are added to the file at PATH, mode 0640. 0 or an errno. */
must_use int logger_set_file(struct logger *logger, const char *path);
/* Any thread: opens the file anew (it has been renamed); the old one goes on where that fails. 0,
   also where there is no file, or an errno. */
must_use int logger_reopen(struct logger *logger);
/* Any thread; takes effect at once (SIGHUP). */
void logger_set_level(struct logger *logger, enum log_level level);
bool logger_shows(const struct logger *logger, enum log_level level);
/* Any thread. AREA names the folder or room ("log", "nats"). FIELDS are "key=%…" pairs separated by
   single spaces: logger_write(l, LOG_LEVEL_INFO, "nats", "client connected", "cid=%u peer=%s", …);
   NULL for none. LOGGER may be NULL: nothing is written. */
void logger_write(struct logger *logger, enum log_level level, const char *area,
                  const char *message, const char *fields, ...) printf_like(5, 6);

#endif
