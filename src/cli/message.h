/*
 * message.h - the message that a command line asks to be sent: DATA or stdin, and --header.
 *
 * DATA is a word; "-", or no DATA where stdin is not a terminal, reads all of stdin. Stdin is read
 * before anything connects, so a slow producer holds no connection open.
 */
#ifndef NONET_CLI_MESSAGE_H
#define NONET_CLI_MESSAGE_H

#include "base/buf.h"
#include "cli/cli.h"

#define MESSAGE_DATA_MAX (64u << 20)    /* bytes of stdin */
#define MESSAGE_HEADERS_MAX (64u << 10) /* bytes of all --header */

struct message {
    slice payload; /* DATA itself, or in `input` */
    struct buf input, headers;
};

/* WORD is DATA or NULL. CLI_OK, or an exit code after a complaint. Free in any case. */
int message_read(const struct cli_call *call, const char *word, struct message *ret_message);
void message_free(struct message *message);

/* Appends every --header "Key: value" as a block to OUT; nothing where there is none. */
int message_read_headers(const struct cli_call *call, struct buf *out);

#endif
