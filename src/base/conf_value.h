/*
 * conf_value.h - one scalar of a configuration; between conf.c and conf_value.c only.
 *
 * A scalar goes two steps: its references (`${NAME}`, `file:PATH`) are replaced, then the text is
 * read as the key's type and held against the key's range. Both speak of the value alone; which
 * key of which section it was is added by conf.c, so messages here continue a sentence that begins
 * with the key: "… is not a duration: '7 days'".
 */
#ifndef NONET_BASE_CONF_VALUE_H
#define NONET_BASE_CONF_VALUE_H

#include "base/conf_read.h"

/* TEXT of KEY with references replaced, in the arena with a NUL. 0; -EINVAL with *E; -ENOMEM. */
must_use int conf_value_resolve(const struct conf_reader *reader, const struct conf_key *key,
                                slice text, slice *ret_text, struct error *e);

/* Reads TEXT (which must live as long as the struct) as TYPE to INTO, which has that type's C
   type. 0; -EINVAL with *E; -ENOMEM. */
must_use int conf_value_read(const struct conf_reader *reader, const struct conf_key *key,
                             enum conf_type type, slice text, void *into, struct error *e);

/* Bytes of the C type of a scalar TYPE. */
size_t conf_value_size(enum conf_type type);

/* "duration", "list": how messages and the reference call TYPE. */
const char *conf_type_name(enum conf_type type);

/* How such a value is written, for hints and the reference: "500ms, 2s, 1h30m, 7d". */
const char *conf_type_form(enum conf_type type);

/* A bound in the words of TYPE ("64", "1KB", "2s"), with a NUL to OUT of 64 bytes. */
void conf_bound_text(enum conf_type type, uint64_t bound, char *out);

/* "1 to 64", "at least 1ms", "at most 4KB", "" where KEY has no bounds; with a NUL to OUT of SIZE
 * bytes. */
void conf_range_text(const struct conf_key *key, char *out, size_t size);

#endif
