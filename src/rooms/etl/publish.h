/*
 * publish.h - the sink that publishes each record to a subject made from its kind.
 *
 * Where a stream captures the subject, the publish is durable: each message carries
 * `Nats-Msg-Id: <flow>-<position>`, its acknowledgement says that it is on disk, and after a
 * restart the flow goes on behind the highest such id found at the end of the streams (publishes go
 * to one shard in order and commits keep that order, so what is on disk is a prefix of what was
 * published). Others may publish to the same subjects: of each stream's end so many messages are
 * looked at (PUBLISH_LOOK_BACK_MAX) until one is the flow's. A message repeated after a failure
 * meets its own id and is not stored twice. Where no stream captures a kind, publishing is all
 * there is; where none captures any, a restart begins at 0.
 */
#ifndef NONET_ETL_PUBLISH_H
#define NONET_ETL_PUBLISH_H

#include "flow/flow.h"

#define PUBLISH_LOOK_BACK_MAX 256u

/* Its config is a struct etl_to. */
extern const struct flow_sink publish_sink;

#endif
