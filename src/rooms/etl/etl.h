/*
 * etl.h - room 6, flows: records from a source, by way of the runner (flow/), to a sink.
 *
 * Section `flows` of nonet.yaml names them. This round has one source, the generator of the auction
 * example (nexmark.h), and one sink, publishing to a subject (publish.c); more come as files of
 * this room and rows of the tables in etl_config.c and etl.c. All flows run on shard 0.
 */
#ifndef NONET_ETL_ETL_H
#define NONET_ETL_ETL_H

#include "bus/room.h"

extern const struct room etl_room;

#endif
