/*
 * store.h - how much all streams may hold together, in memory and in files. Inside the engine only.
 *
 *     create, update    the max_bytes of all streams, as reserved, must fit          10028, 10047
 *     publish           what is held and the message must fit                        10023
 *
 * What a stream holds is looked at when it is published into; purges and age of other streams make
 * the sum too high until the limit is met: then all are counted anew, at most every RECOUNT_NS.
 */
#ifndef NONET_BUS_STORE_H
#define NONET_BUS_STORE_H

#include "bus/streams.h"

enum store_kind { STORE_FILES, STORE_MEMORY, STORE_KINDS };

struct store {
    uint64_t max, held; /* bytes; max 0 = without limit */
    uint64_t recounted_ns;
};

/* False with *E: the stream's store has no room for BYTES more. */
bool store_takes(struct stream *stream, size_t bytes, struct streams_error *e);
/* False with *E: CONFIG, of a new stream or a changed one, reserves more than there is. */
bool store_reserves(struct streams *streams, const struct stream_config *config,
                    struct streams_error *e);
/* The stream goes. */
void store_forget(struct stream *stream);

#endif
