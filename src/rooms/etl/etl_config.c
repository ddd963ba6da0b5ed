/*
 * etl_config.c - the table of section `flows` (etl_config.h).
 *
 * A new source is one key of `from`, a new sink one key of `to`, each with its own table; exactly
 * one of each must be given, and a key that this version does not know is refused with a hint.
 */
#include "rooms/etl/etl_config.h"

#include "flow/flow.h"
#include "wire/nats_subject.h"

#include <errno.h>

#define UNLIMITED "unlimited"
#define TEMPLATE_MAX_BYTES 255u
#define AT(type, member) .offset = offsetof(type, member)
#define TABLE(keys_, name_, doc_, type)                                                            \
    { .name = name_, .doc = doc_, .keys = keys_, .count = array_count(keys_), .size = sizeof(type) }

/* The subject that a generator publishes to; "{kind}" becomes person, auction or bid. */
static int judge_template(slice text, struct error *e) {
    slice kind = slice_lit("{kind}");
    char subject[TEMPLATE_MAX_BYTES + 1];
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < TEMPLATE_MAX_BYTES;) {
        bool placeholder = slice_starts_with(slice_skip(text, i), kind);
        if (!placeholder && (text.ptr[i] == '{' || text.ptr[i] == '}')) {
            error_set(e, -EINVAL, "holds an unknown placeholder");
            error_hint(e, "the one placeholder here is {kind}: person, auction or bid");
            return -EINVAL;
        }
        subject[len++] = placeholder ? 'k' : text.ptr[i];
        i += placeholder ? kind.len : 1;
    }
    if (nats_subject_literal(slice_make(subject, len))) {
        return 0;
    }
    error_set(e, -EINVAL, "is not a subject to publish to: '%.*s'",
              slice_fmt(slice_take(text, 64)));
    error_hint(e, "tokens joined by dots, without wildcards, such as {kind}.new");
    return -EINVAL;
}

static const struct conf_key nexmark_keys[] = {
    {.name = "rate",
     .type = CONF_RATE,
     AT(struct etl_nexmark, rate),
     .fallback = "10000/s",
     .doc = "events per time, all kinds together"},
    {.name = "seed",
     .type = CONF_INT,
     AT(struct etl_nexmark, seed),
     .fallback = "1",
     .doc = "the same seed gives the same events"},
    {.name = "out_of_order",
     .type = CONF_INT,
     AT(struct etl_nexmark, out_of_order),
     .fallback = "1",
     .min = 1,
     .max = 100000,
     .doc = "events are shuffled within groups of so many; 1 keeps their order"},
    {.name = "limit",
     .type = CONF_INT,
     AT(struct etl_nexmark, limit),
     .zero_word = UNLIMITED,
     .fallback = UNLIMITED,
     .min = 1,
     .doc = "events after which the generator stops"},
};
static const struct conf_table nexmark_table =
    TABLE(nexmark_keys, "nexmark", "The generator of the auction example", struct etl_nexmark);

static const struct conf_key from_keys[] = {
    {.name = "nexmark",
     .type = CONF_SECTION,
     AT(struct etl_from, nexmark),
     .table = &nexmark_table,
     .doc = "persons, auctions and bids by the Nexmark rules"},
};
static const struct conf_table from_table = {
    .name = "from",
    .doc = "Where a flow's records come from",
    .keys = from_keys,
    .count = array_count(from_keys),
    .size = sizeof(struct etl_from),
    .one_of = 1,
};

static const struct conf_key to_keys[] = {
    {.name = "publish",
     .type = CONF_STRING,
     AT(struct etl_to, publish),
     .min = 1,
     .max = TEMPLATE_MAX_BYTES,
     .judge = judge_template,
     .doc = "a subject; {kind} becomes person, auction or bid"},
};
static const struct conf_table to_table = {
    .name = "to",
    .doc = "Where a flow's records go",
    .keys = to_keys,
    .count = array_count(to_keys),
    .size = sizeof(struct etl_to),
    .one_of = 1,
};

static const char *unknown_flow_key(slice key) {
    bool later = slice_equal(key, slice_lit("sql")) || slice_equal(key, slice_lit("batch"));
    return later ? "this version of nonet has flows from a generator to a subject only" : NULL;
}

static const struct conf_key flow_keys[] = {
    {.name = "from",
     .type = CONF_SECTION,
     AT(struct etl_flow, from),
     .flags = CONF_REQUIRED,
     .table = &from_table,
     .doc = "the source"},
    {.name = "to",
     .type = CONF_SECTION,
     AT(struct etl_flow, to),
     .flags = CONF_REQUIRED,
     .table = &to_table,
     .doc = "the sink"},
};
static const struct conf_table flow_table = {
    .name = "flow",
    .doc = "A pipeline from a source to a sink",
    .keys = flow_keys,
    .count = array_count(flow_keys),
    .size = sizeof(struct etl_flow),
    .unknown = unknown_flow_key,
};

const struct conf_key etl_flows_key = {
    .name = "flows",
    .type = CONF_MAP,
    .of = CONF_SECTION,
    .max = 1000,
    .table = &flow_table,
    .doc = "pipelines by name",
};
