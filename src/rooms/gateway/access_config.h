/*
 * access_config.h - who may ask, how often, and from which pages.
 *
 * The structs of gateway.auth.NAME, of a route's limit, and of its cors, as their tables in
 * access_config.c fill them. They live as long as the config; what serves requests is made of them
 * once (auth.h, table.h).
 */
#ifndef NONET_GATEWAY_ACCESS_CONFIG_H
#define NONET_GATEWAY_ACCESS_CONFIG_H

#include "base/conf_read.h"

struct gateway_api_key {
    struct conf_item item;
    slice name, key; /* key: the secret, or "sha256:" and 64 hex digits */
    slice as;        /* user of section auth whose rights on subjects it has; empty: none asked */
};
struct gateway_api_keys {
    struct conf_item item;
    slice header, query;
    struct conf_array keys; /* of struct gateway_api_key */
};
struct gateway_basic {
    struct conf_item item; /* users are those of section auth */
    slice realm;
};
struct gateway_jwt {
    struct conf_item item;
    slice jwks_url, jwks_file, public_key, secret; /* one of them */
    slice ca;                                      /* of an https jwks_url; empty: the system's */
    struct conf_array algorithms, audience;        /* of slice */
    struct conf_array claims;                      /* of struct conf_pair: must be equal */
    slice issuer, subject, header, cookie, as;
    uint64_t leeway_ns;
};
struct gateway_client_certificate {
    struct conf_item item;
    struct conf_array names; /* of slice: subject alternative names; none: any that is verified */
    slice as;
};
struct gateway_forward {
    struct conf_item item;
    slice url, ca; /* ca: of an https url; empty: the system's */
    uint64_t timeout_ns;
    struct conf_array request_headers, response_headers; /* of slice */
    slice principal; /* field of the answer that names who asks */
};
struct gateway_auth_config {
    struct conf_item item; /* item.given of the one way that is used */
    struct gateway_api_keys api_keys;
    struct gateway_basic basic;
    struct gateway_jwt jwt;
    struct gateway_client_certificate client_certificate;
    struct gateway_forward forward;
};

enum gateway_limit_per { GATEWAY_PER_CLIENT, GATEWAY_PER_KEY, GATEWAY_PER_ROUTE };
struct gateway_limit_config {
    struct conf_item item;
    int per; /* enum gateway_limit_per */
    struct number_rate rate;
    int64_t burst; /* 0: one second of the rate, at least 1 */
};

struct gateway_cors_config {
    struct conf_item item;
    struct conf_array origins, methods, headers, expose; /* of slice */
    bool credentials;
    uint64_t max_age_ns;
};

/* Judges of texts (struct conf_key), for all tables of the gateway. */
must_use int gateway_judge_header(slice text, struct error *e); /* name of a header */
must_use int gateway_judge_cookie(slice text, struct error *e); /* name of a cookie */
must_use int gateway_judge_method(slice text, struct error *e);

extern const struct conf_table gateway_auth_table, gateway_limit_table, gateway_cors_table;

#endif
