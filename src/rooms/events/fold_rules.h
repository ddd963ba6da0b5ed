/*
 * fold_rules.h - a fold as it is written down: which event changes the state how. Compiled from the
 * tree of the configuration; immutable.
 *
 *     auction:                                 the category whose event streams it folds
 *       version: 2
 *       initial: {bids: 0}
 *       on:
 *         Bid: {set: {price: .amount}, inc: {bids: 1}, append: {history: {who: .bidder}}}
 *
 * A VALUE is a literal, an expression, or a map or list of these. EXPRESSIONS are taken from the
 * event: `.` its data, `.a.b` a member of that, and
 *     $time $revision $position $id $type $stream $metadata $metadata.actor
 * A text that begins with `.` or `$` is written with that doubled ("..name", "$$5"); quotes make no
 * difference to it. Unquoted scalars are null, true, false or numbers where JSON has them so.
 *
 * A PATH on the left is names joined by dots, each or instead of each an expression in brackets:
 * `price`, `seller.name`, `bidders[.bidder].last`.
 *
 * BOUNDS. FOLDS_MAX folds, FOLD_RULES_MAX event types of one, FOLD_PATH_MAX members deep.
 */
#ifndef NONET_EVENTS_FOLD_RULES_H
#define NONET_EVENTS_FOLD_RULES_H

#include "base/arena.h"
#include "base/conf_read.h"
#include "base/map.h"

#define FOLDS_MAX 256u
#define FOLD_RULES_MAX 256u
#define FOLD_PATH_MAX 16u
#define FOLD_DEPTH_MAX 32u /* containers within each other in one value of the state */
#define FOLD_DIGEST_CHARS 16u

enum fold_source {
    FOLD_DATA,
    FOLD_METADATA,
    FOLD_TIME,
    FOLD_REVISION,
    FOLD_POSITION,
    FOLD_ID,
    FOLD_TYPE,
    FOLD_STREAM,
};

struct fold_expression {
    enum fold_source source;
    const slice *path; /* members, of data and metadata */
    unsigned count;
};

struct fold_step {
    slice name;                        /* where KEY is NULL */
    const struct fold_expression *key; /* its text is the name */
};

struct fold_path {
    slice text; /* as written */
    const struct fold_step *steps;
    unsigned count;
};

enum fold_value_kind { FOLD_LITERAL, FOLD_EXPRESSION, FOLD_MAP, FOLD_LIST };

struct fold_value {
    enum fold_value_kind kind;
    slice literal; /* JSON */
    struct fold_expression expression;
    const struct fold_member *members; /* of a map; of a list without keys */
    unsigned count;
};

struct fold_member {
    slice key; /* JSON, with its quotes */
    struct fold_value value;
};

/* In the order in which the operators of one event are applied, behind `clear`. */
enum fold_operator { FOLD_MERGE, FOLD_SET, FOLD_INC, FOLD_APPEND, FOLD_REMOVE };

struct fold_operation {
    enum fold_operator operator;
    struct fold_path path; /* of a merge empty: the state itself */
    struct fold_value value;
};

struct fold_rule {
    slice type;
    bool clears; /* back to `initial`, first of all */
    const struct fold_operation *operations;
    unsigned count;
};

struct fold {
    slice name;
    uint64_t version;
    char digest[FOLD_DIGEST_CHARS + 1]; /* of what it says; another one is another fold */
    slice initial;                      /* JSON, an object */
    struct map rules;                   /* type -> struct fold_rule */
    bool merges_all;                    /* the default fold: data of every event is merged */
};

/* Of a category that has none. */
extern const struct fold fold_default;

/* The structs of section events.folds; the tables are in fold_config.c. */
struct fold_rule_config {
    struct conf_item item;
    const struct conf_node *merge, *set, *inc, *append, *remove;
    bool clear;
};

struct fold_config {
    struct conf_item item;
    int64_t version;
    const struct conf_node *initial;
    struct conf_array on; /* map of struct fold_rule_config */
};

/* Compiles CONFIG; everything lies in ARENA but the map (fold_free). Mistakes are added to ERRORS.
   0, -EINVAL (there are some), -ENOMEM. */
must_use int fold_compile(const struct fold_config *config, struct arena *arena,
                          struct conf_errors *errors, struct fold *ret_fold);
void fold_free(struct fold *fold);

/* Words for messages: "set". */
const char *fold_operator_name(enum fold_operator operator);

#endif
