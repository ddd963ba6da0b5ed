/*
 * nexmark.h - the generator of the auction example: persons, auctions and bids by Nexmark's rules.
 *
 * Of every 50 events number 0 is a person, 1 to 3 are auctions, 4 to 49 are bids. Ids, hot sellers
 * and bidders, prices, lengths and padding follow the Nexmark generator as Flink and Beam have it
 * (GeneratorConfig, PersonGenerator, AuctionGenerator, BidGenerator); the bidder's id counts its
 * base once, as RisingWave's data does. Event n happens at 2015-07-15T00:00:00Z plus n / rate.
 *
 * Event n is a pure function of (seed, rate, n): each has its own random stream, so a flow may
 * start anywhere and any two runs with one seed are the same. With out_of_order g the events of
 * each group of g are given in the order k x 953 mod g.
 *
 * Records are JSON objects; times are RFC 3339 with milliseconds. Pacing: event n is due n / rate
 * after the position that the flow started from.
 */
#ifndef NONET_ETL_NEXMARK_H
#define NONET_ETL_NEXMARK_H

#include "flow/flow.h"
#include "rooms/etl/etl_config.h"

/* Its config is a struct etl_nexmark. */
extern const struct flow_source nexmark_source;

enum nexmark_kind { NEXMARK_PERSON, NEXMARK_AUCTION, NEXMARK_BID };
/* The event NUMBER as JSON in OUT (cleared first). 0, -ENOMEM or -ENOBUFS. */
must_use int nexmark_event(const struct etl_nexmark *config, uint64_t number, struct buf *out,
                           enum nexmark_kind *ret_kind);

#endif
