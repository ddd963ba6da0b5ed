/*
 * fold_config.c - see fold_config.h.
 *
 * Folds are compiled twice: to be judged, and to be used, then into memory of their own, because
 * the configuration is gone after the next reload.
 */
#include "rooms/events/fold_config.h"

#include "base/mem.h"

#include <errno.h>
#include <stdatomic.h>

#define ARENA_MAX ((size_t)64 << 20)
#define AT(type, member) .offset = offsetof(type, member)
#define TABLE(keys_, name_, doc_, type)                                                            \
    { .name = name_, .doc = doc_, .keys = keys_, .count = array_count(keys_), .size = sizeof(type) }

static const struct conf_key rule_keys[] = {
    {.name = "clear",
     .type = CONF_BOOL,
     AT(struct fold_rule_config, clear),
     .fallback = "false",
     .doc = "whether the state goes back to `initial`, before everything else",
     .example = "Deleted: {clear: true}"},
    {.name = "merge",
     .type = CONF_ANY,
     AT(struct fold_rule_config, merge),
     .doc = "an object whose members become the state's: `.` is all of the event's data",
     .example = "Opened: {merge: .}"},
    {.name = "set",
     .type = CONF_ANY,
     AT(struct fold_rule_config, set),
     .doc = "members to set, each to a literal, to `.member` of the data, to `$time`, `$revision`, "
            "`$position`, `$id`, `$type`, `$stream` or `$metadata.member`, or to a map or list of "
            "these",
     .example = "set: {price: .amount, seller.name: .name, by: $metadata.actor}"},
    {.name = "inc",
     .type = CONF_ANY,
     AT(struct fold_rule_config, inc),
     .doc = "members to add a number to; one that is not there counts as 0",
     .example = "inc: {bids: 1, total: .amount}"},
    {.name = "append",
     .type = CONF_ANY,
     AT(struct fold_rule_config, append),
     .doc = "lists to append an element to, at most 10,000 each",
     .example = "append: {history: {who: .bidder, price: .amount}}"},
    {.name = "remove",
     .type = CONF_ANY,
     AT(struct fold_rule_config, remove),
     .doc = "a member to remove, or a list of them",
     .example = "remove: [draft, \"lines[.sku]\"]"},
};
static const struct conf_table rule_table =
    TABLE(rule_keys, "rule", "What an event of a type changes", struct fold_rule_config);

static const struct conf_key fold_keys[] = {
    {.name = "version",
     .type = CONF_INT,
     AT(struct fold_config, version),
     .fallback = "1",
     .min = 1,
     .max = UINT32_MAX,
     .doc = "told with every state; whatever of the fold is changed, snapshots are made anew"},
    {.name = "initial",
     .type = CONF_ANY,
     AT(struct fold_config, initial),
     .doc = "the state before the first event, a map of literals",
     .example = "initial: {bids: 0}"},
    {.name = "on",
     .type = CONF_MAP,
     .of = CONF_SECTION,
     AT(struct fold_config, on),
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = FOLD_RULES_MAX,
     .table = &rule_table,
     .doc = "by type of event, what it changes; events of other types change nothing"},
};
static const struct conf_table fold_table =
    TABLE(fold_keys, "fold", "What the events of a stream add up to", struct fold_config);

static const struct conf_key events_keys[] = {
    {.name = "folds",
     .type = CONF_MAP,
     .of = CONF_SECTION,
     AT(struct events_config, folds),
     .max = FOLDS_MAX,
     .table = &fold_table,
     .doc = "by category of event streams, their fold; without one the data of all events is "
            "merged"},
};
static const struct conf_table events_table =
    TABLE(events_keys, "events", "Event streams", struct events_config);

const struct conf_key events_key = {
    .name = "events",
    .type = CONF_SECTION,
    .table = &events_table,
    .doc = "event streams: what their events add up to",
};

/* --- folds -------------------------------------------------------------------------------- */

struct folds {
    atomic_uint count;
    struct arena arena;
    struct map by_category;
};

static void free_folds(struct folds *folds) {
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_next(&folds->by_category, &at));)
        fold_free(entry->value);
    map_free(&folds->by_category);
    arena_free(&folds->arena);
    mem_free(folds);
}

static int add_fold(struct folds *folds, const struct fold_config *config,
                    struct conf_errors *errors) {
    struct fold *fold = arena_zalloc(&folds->arena, 1, sizeof *fold);
    if (slice_find(config->item.name, '-') >= 0)
        conf_errors_note(errors, config->item.place,
                         "the category of order-42 is order: what stands before the first '-'",
                         "no event stream is of category '%.*s'",
                         slice_fmt(slice_take(config->item.name, 64)));
    int failed = fold ? fold_compile(config, &folds->arena, errors, fold) : -ENOMEM;
    if (!failed)
        failed = map_set(&folds->by_category, fold->name, fold, NULL);
    return failed;
}

static int compile_all(const struct events_config *config, struct conf_errors *errors,
                       struct folds **ret_folds) {
    static const struct hash_key key; /* whose keys are the operator's own */
    struct folds *folds = mem_zalloc(1, sizeof *folds);
    int failed = folds ? 0 : -ENOMEM;
    if (failed)
        return failed;
    folds->count = 1;
    folds->arena = arena_make(0, ARENA_MAX);
    folds->by_category = map_make(key, FOLDS_MAX);
    const struct fold_config *all = config ? config->folds.items : NULL;
    for (size_t i = 0; config && i < config->folds.count && failed != -ENOMEM; i++) {
        int faulty = add_fold(folds, &all[i], errors);
        failed = failed && faulty != -ENOMEM ? failed : faulty;
    }
    if (failed)
        free_folds(folds);
    else
        *ret_folds = folds;
    return failed;
}

void events_judge(const struct events_config *config, struct conf_errors *errors) {
    struct folds *folds = NULL;
    int failed = config ? compile_all(config, errors, &folds) : 0;
    if (failed == -ENOMEM)
        conf_errors_note(errors, config->item.place, NULL, "no memory for the folds");
    folds_unref(folds);
}

int folds_create(const struct events_config *config, struct folds **ret_folds, struct error *e) {
    struct conf_errors *errors = mem_zalloc(1, sizeof *errors);
    int failed = errors ? compile_all(config, errors, ret_folds) : -ENOMEM;
    if (failed && errors && errors->count)
        *e = errors->items[0];
    else if (failed)
        failed = error_set(e, -ENOMEM, "no memory for the folds of event streams");
    mem_free(errors);
    return failed;
}

struct folds *folds_ref(struct folds *folds) {
    atomic_fetch_add_explicit(&folds->count, 1, memory_order_relaxed);
    return folds;
}

void folds_unref(struct folds *folds) {
    if (folds && atomic_fetch_sub_explicit(&folds->count, 1, memory_order_acq_rel) == 1)
        free_folds(folds);
}

const struct fold *folds_find(const struct folds *folds, slice category) {
    const struct fold *fold = folds ? map_find(&folds->by_category, category) : NULL;
    return fold ? fold : &fold_default;
}
