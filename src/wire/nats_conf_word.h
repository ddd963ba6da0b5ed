/*
 * nats_conf_word.h - what a bare word of nats-server's configuration means; between the files of
 * nats_conf only.
 *
 * A word has been cut out already; it is a boolean, a number with or without suffix, or text.
 * Variables and escapes are told apart before that, since they decide what the word is.
 */
#ifndef NONET_WIRE_NATS_CONF_WORD_H
#define NONET_WIRE_NATS_CONF_WORD_H

#include "wire/nats_conf.h"

/* "$NAME", and not a bcrypt hash. */
bool nats_conf_is_variable(slice word);

/* Fills type, text and number of NODE from WORD, which is no variable. 0, or -ERANGE: a number that
   does not fit. */
must_use int nats_conf_read_word(slice word, struct nats_conf_node *node);

/* TEXT with its escapes replaced, into ARENA; where it has none it is TEXT itself. 0, -ENOMEM, or
   -EINVAL with *RET_AT the byte of the wrong escape. */
must_use int nats_conf_unescape(slice text, struct arena *arena, slice *ret_text, size_t *ret_at);

#endif
