/*
 * stream_config.h - stream and consumer configurations in JetStream's JSON, both ways.
 *
 * The one form serves the API (rooms/pubsub), the log (a stream's config blob, a consumer's record)
 * and `nonet stream info`. Fields and defaults: nats-server 2.9, server/stream.go StreamConfig,
 * server/consumer.go ConsumerConfig. A field that names something this server does not do is
 * refused by name, unless it holds the value that means "not used" (false, 0, null, "", {}, []),
 * because clients send such fields along; an unknown field likewise.
 */
#ifndef NONET_BUS_STREAM_CONFIG_H
#define NONET_BUS_STREAM_CONFIG_H

#include "base/arena.h"
#include "bus/consumer.h"
#include "wire/json.h"
#include "wire/json_write.h"

/* Slices of *ret_config point into the document's text or ARENA. False with *E on a bad one. */
bool stream_config_read(json_value object, struct arena *arena, struct stream_config *ret_config,
                        struct streams_error *e);
/* Whole-config rules and defaults: name, subjects valid and not overlapping each other, windows. */
bool stream_config_judge(struct stream_config *config, struct streams_error *e);
/* May a stream that is as NOW become WANTED (both judged)? */
bool stream_config_may_update(const struct stream_config *now, const struct stream_config *wanted,
                              struct streams_error *e);
void stream_config_write(struct json_writer *w, const struct stream_config *config);
bool stream_config_equal(const struct stream_config *a, const struct stream_config *b);
/* Copies everything CONFIG points to into ARENA. 0 or -ENOMEM. */
must_use int stream_config_copy(const struct stream_config *config, struct arena *arena,
                                struct stream_config *ret_copy);
/* A stream's limits on CONSUMER: fills in what it leaves open, refuses what goes beyond. */
bool stream_config_limit_consumer(const struct stream_config *config,
                                  struct consumer_config *consumer, struct streams_error *e);
struct log_limits stream_config_limits(const struct stream_config *config);

bool consumer_config_read(json_value object, struct arena *arena,
                          struct consumer_config *ret_config, struct streams_error *e);
/* STREAM's own config is needed for the filter and the deliver policy. */
bool consumer_config_judge(struct consumer_config *config, const struct stream_config *stream,
                           struct streams_error *e);
/* Before it: refuses what that would put right in silence, as who asks to be "pedantic" wants. */
bool consumer_config_judge_pedantic(const struct consumer_config *config,
                                    const struct stream_config *stream, struct streams_error *e);
void consumer_config_write(struct json_writer *w, const struct consumer_config *config);
bool consumer_config_equal(const struct consumer_config *a, const struct consumer_config *b);
must_use int consumer_config_copy(const struct consumer_config *config, struct arena *arena,
                                  struct consumer_config *ret_copy);

/* Does its metadata ask for parked messages (consumer_park.c)? */
bool consumer_config_parks(const struct consumer_config *config);
/* For delivery in order per subject (consumer_order.c)? */
bool consumer_config_orders(const struct consumer_config *config);
/* Percent of the acknowledgements to tell of. */
unsigned consumer_config_sample(const struct consumer_config *config);

/* Helpers both share: a field's typed value, refused with its name where the type is wrong. */
bool config_read_text(json_value v, const char *key, slice *into, struct streams_error *e);
bool config_read_flag(json_value v, const char *key, bool *into, struct streams_error *e);
bool config_read_number(json_value v, const char *key, int64_t *into, struct streams_error *e);
/* RFC 3339; INTO stays where there is none. */
bool config_read_time(json_value v, const char *key, int64_t *into, struct streams_error *e);
/* A member KEY with a time in RFC 3339. */
void config_write_time(struct json_writer *w, const char *key, int64_t unix_ns);
/* Refuses the field unless it holds nothing. */
bool config_refuse(json_value v, slice key, struct streams_error *e);
/* A stream's or consumer's name: 1-255 bytes of UTF-8, no blank, '.', '*', '>', path separator. */
bool config_name_valid(slice name);

#endif
