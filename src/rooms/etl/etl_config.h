/*
 * etl_config.h - section `flows` of nonet.yaml: its table and the structs it fills.
 *
 *     flows:
 *       bids: {from: {nexmark: {rate: 10000/s, seed: 7}}, to: {publish: "{kind}.new"}}
 */
#ifndef NONET_ETL_ETL_CONFIG_H
#define NONET_ETL_ETL_CONFIG_H

#include "base/conf.h"

struct etl_nexmark {
    struct conf_item item;
    struct number_rate rate;
    int64_t seed, out_of_order, limit; /* limit 0 = none */
};

struct etl_from {
    struct conf_item item;
    struct etl_nexmark nexmark;
};

struct etl_to {
    struct conf_item item;
    slice publish; /* subject, may hold "{kind}" */
};

struct etl_flow {
    struct conf_item item;
    struct etl_from from;
    struct etl_to to;
};

/* A CONF_MAP of struct etl_flow. */
extern const struct conf_key etl_flows_key;

#endif
