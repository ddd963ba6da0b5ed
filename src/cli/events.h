/*
 * events.h - what the verbs of event streams share (the verbs are in cli.h).
 *
 * They speak to the HTTP API of docs/events.md over cli/admin_call.h: paths are written here, and
 * events printed, in one way for all of them.
 */
#ifndef NONET_CLI_EVENTS_H
#define NONET_CLI_EVENTS_H

#include "cli/admin_call.h"

#define EVENTS_TIMEOUT_NS (10 * 1000000000ull)

/* Appends TEXT as a segment of a path, or a value of a query: letters, digits, '-', '_', '.', '~',
   the rest percent-encoded. 0 or -ENOMEM. */
must_use int events_write_escaped(struct buf *path, slice text);
/* "/v1/streams/NAME". 0 or -ENOMEM. */
must_use int events_write_stream(struct buf *path, const char *name);
/* One request of METHOD to PATH, which is ended here, with --timeout or else TIMEOUT_NS. Of an
   answer
   --json prints what came, else PRINT tells people and gives the exit code; a conflict's words and
   violations go to stderr, as those of every refusal. Returns the exit code. */
int events_ask(const struct cli_call *call, uint64_t timeout_ns, const char *method,
               struct buf *path, slice body, int (*print)(json_value answer));
/* Prints an event: for people "POSITION STREAM@REVISION TIME TYPE [TAGS] DATA", or its JSON as it
   came. A line. */
void events_print(json_value event, bool json);

#endif
