/*
 * fold_config.h - section `events` of nonet.yaml, and the folds that it declares, compiled.
 *
 *     events:
 *       folds:
 *         auction: {on: {Opened: {merge: .}, Bid: {set: {price: .amount}}}}
 *
 * A reload makes new FOLDS; whoever still works with the old ones has a count of them.
 */
#ifndef NONET_EVENTS_FOLD_CONFIG_H
#define NONET_EVENTS_FOLD_CONFIG_H

#include "rooms/events/fold_rules.h"

struct events_config {
    struct conf_item item;
    struct conf_array folds; /* map of struct fold_config, by category */
};

/* A CONF_SECTION of struct events_config. */
extern const struct conf_key events_key;
/* Adds what a table cannot find: mistakes within rules. Pure. */
void events_judge(const struct events_config *config, struct conf_errors *errors);

struct folds;
/* CONFIG NULL: none. 0, -ENOMEM, or -EINVAL with the first mistake in *E (events_judge finds all).
 */
must_use int folds_create(const struct events_config *config, struct folds **ret_folds,
                          struct error *e);
struct folds *folds_ref(struct folds *folds); /* any thread */
void folds_unref(struct folds *folds);        /* NULL allowed; any thread */
/* The fold of CATEGORY, or fold_default. */
const struct fold *folds_find(const struct folds *folds, slice category);

#endif
