/*
 * town.h - the proxy between the desk (tests/unit/http), which is the gateway's server with one
 * route, and services of a simulated world. What exchanges ask of the room's other files is
 * written down in town.c.
 *
 *     town_make(seed, services);  ...town.config, town.services...  town_open();
 *     ask(ASK), run(span)                                          town_close();
 */
#ifndef NONET_TESTS_ROOMS_TOWN_H
#define NONET_TESTS_ROOMS_TOWN_H

#include "desk.h"

#include "rooms/gateway/proxy.h"
#include "rooms/gateway/table.h"

#define SERVICES_MAX 2u
#define LINES_MAX 256u
#define OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define BROKEN "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
#define SWITCHES "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: wire\r\n\r\n"
#define WISHES "GET /wire HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: wire\r\n\r\n"

#define ASK GET("/x")
/* Where the services' machines are. */
#define FAR "10.0.0.3"
#define NEAR "10.0.0.4"

struct service;
struct line {
    struct service *service;
    struct io_stream *stream; /* NULL: closed */
    struct buf got;           /* of the head that is coming, or of the tunnel */
    bool tunnel;
};
struct service {
    const char *says; /* to each head, or to each question about health; NULL: nothing */
    const char *health_says;
    unsigned accepted, open, asked, questions;
    struct line lines[LINES_MAX];
    char last[1024]; /* head */
    bool gave_up;
    struct io_listener *listener;
};

struct town {
    struct desk *desk;
    struct io_host *host;
    struct io_group *group, *near; /* near: NULL where there is none */
    struct io_listener *near_listener;
    struct service services[SERVICES_MAX];
    struct metrics *metrics;
    struct room_node node;
    struct room_shard room;
    struct gateway gateway;
    struct gateway_shard shard;
    struct gateway_table table;
    struct gateway_route route;
    struct gateway_route_config config;
};

extern struct town town;
extern const slice town_urls[SERVICES_MAX]; /* "http://far:81", "http://far:82" */

/* The usual defaults, as the config's tables have them, and the first SERVICES of the urls. */
void town_make(uint64_t seed, unsigned services);
/* Another machine, with the second service at the first one's port. */
void town_make_near(void);
/* The service INDEX accepts connections, as after town_make. */
void town_listen(unsigned index);
struct proxy_target *town_open(void);
void town_close(void);

void run(uint64_t span_ns);
/* The service at the other end of LINE says TEXT, if that is not NULL. */
void say(struct line *line, const char *text);
/* The status that a stranger is answered, soon. */
unsigned ask(const char *text);
const struct upstream *upstream_at(unsigned index);

#endif
