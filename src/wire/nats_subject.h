/*
 * nats_subject.h - the rules of subjects: what is one, and when do two meet.
 *
 * A subject is one or more tokens joined by dots: "bid.eu.42". In a pattern a token that is
 * exactly "*" stands for any one token, and a last token that is exactly ">" for one or more.
 * Rules and their edges are nats-server's, because clients are tested against them:
 *
 *   - A token is not empty and holds no space, tab, CR, LF or form feed. Any other byte goes.
 *   - '*' and '>' mean something only where they are the whole token: "a*.b" is a literal.
 *   - SUB is refused ('Invalid Subject') unless nats_subject_valid(). PUB is refused ('Invalid
 *     Publish Subject') unless nats_subject_literal(), but only for pedantic clients; from
 *     others a PUB to "a..b" is taken and matches nothing, and one to "a.*" is matched as if
 *     '*' were a name, by wildcards only. The reply subject is never judged.
 *
 * Everything here walks bytes; no table, no allocation, time linear in the length. The subject
 * index of bus/ is the fast path; this is the definition that it is tested against.
 */
#ifndef NONET_WIRE_NATS_SUBJECT_H
#define NONET_WIRE_NATS_SUBJECT_H

#include "base/slice.h"

/* True where S may be subscribed to or be a stream's subject: wildcards allowed. */
bool nats_subject_valid(slice s);

/* True where S may be published to: valid and without wildcards. */
bool nats_subject_literal(slice s);

/* True where S has a wildcard token. S need not be valid. */
bool nats_subject_has_wildcard(slice s);

/* Takes the first token off *REST; false when there is none left. After the last token rest->ptr
   is NULL. A subject with two dots in a row, or one at an end, gives empty tokens. */
bool nats_subject_next(slice *rest, slice *ret_token);

/* How many tokens S has (dots + 1; the empty slice has none). */
size_t nats_subject_tokens(slice s);

/* True where a message to the literal SUBJECT reaches a subscription to PATTERN. */
bool nats_subject_match(slice subject, slice pattern);

/* True where every subject that PART matches is matched by WHOLE too. Both valid. */
bool nats_subject_is_subset(slice part, slice whole);

/* True where some literal subject is matched by both A and B. Both valid. Streams refuse subjects
   that overlap with another stream's. */
bool nats_subject_overlap(slice a, slice b);

#endif
