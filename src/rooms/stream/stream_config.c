/*
 * stream_config.c - section `sql` of nonet.yaml.
 *
 * Bounds of memory, none of which is ever taken at once, and of sessions. All are those of the
 * start: a reload does not change them.
 */
#include "rooms/stream/stream.h"

#define AT(type, member) .offset = offsetof(type, member)
#define MB (1 << 20)

static const struct conf_key stream_keys[] = {
    {.name = "work_mem",
     .type = CONF_SIZE,
     AT(struct stream_section, work_mem),
     .fallback = "256MB",
     .min = 1 * MB,
     .max = INT64_MAX,
     .doc = "memory of one statement's operators; beyond it the statement fails with 53200"},
    {.name = "memory",
     .type = CONF_SIZE,
     AT(struct stream_section, memory),
     .fallback = "1GB",
     .min = 16 * MB,
     .max = INT64_MAX,
     .doc = "memory of one table's rows, or of one materialized view; at it writing fails with "
            "53200, and a view stops where it is"},
    {.name = "subscription_buffer",
     .type = CONF_SIZE,
     AT(struct stream_section, subscription_buffer),
     .fallback = "64MB",
     .min = 64 << 10,
     .max = INT64_MAX,
     .doc = "changes that wait for one SUBSCRIBE whose client is slow; beyond it the "
            "subscription ends with 53400"},
    {.name = "max_sessions",
     .type = CONF_INT,
     AT(struct stream_section, max_sessions),
     .fallback = "100",
     .min = 1,
     .max = 10000,
     .doc = "connections to the listener sql at once; who comes then is refused with 53300"},
};
static const struct conf_table stream_table = {
    .name = "sql",
    .doc = "The SQL engine",
    .keys = stream_keys,
    .count = array_count(stream_keys),
    .size = sizeof(struct stream_section),
};

const struct conf_key stream_key = {
    .name = "sql",
    .type = CONF_SECTION,
    .table = &stream_table,
    .doc = "tables and views over streams: their memory, and how many may connect",
};
