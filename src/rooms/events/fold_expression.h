/*
 * fold_expression.h - the texts in a fold's rules: expressions and paths (fold_rules.h). Pure.
 *
 *     .a.b                       data, members a, b
 *     $metadata.actor            metadata, member actor
 *     bidders[.bidder].last      steps: bidders, the text of .bidder, last
 */
#ifndef NONET_EVENTS_FOLD_EXPRESSION_H
#define NONET_EVENTS_FOLD_EXPRESSION_H

#include "rooms/events/fold_rules.h"

/* Whether TEXT is to be an expression: it begins with one '.' or '$', not with two. */
bool fold_is_expression(slice text);

/* Reads TEXT; the result lies in ARENA and in TEXT, which must live as long. 0; -EINVAL with
   message and hint in *E; -ENOMEM. */
must_use int fold_expression_read(slice text, struct arena *arena,
                                  struct fold_expression *ret_expression, struct error *e);
must_use int fold_path_read(slice text, struct arena *arena, struct fold_path *ret_path,
                            struct error *e);

#endif
