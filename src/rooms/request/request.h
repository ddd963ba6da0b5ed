/*
 * request.h - room 4, request and response: the services this node itself offers.
 *
 * What makes requests work lies in the bus, for every room and client alike: deadlines, "no
 * responders" at once, scatter-gather (bus_request). This room gives the node a face among the
 * services of its users: it answers discovery on `$SRV.PING|INFO|STATS[.<name>[.<id>]]` as every
 * NATS micro service does (ADR-32), for a table of services (service.h), and brings the first of
 * them, "nonet", whose endpoint `nonet.status` answers what this node is and does.
 *
 * All of it lives on shard 0: discovery is rare, and one place can count without gathering.
 */
#ifndef NONET_REQUEST_REQUEST_H
#define NONET_REQUEST_REQUEST_H

#include "bus/room.h"

extern const struct room request_room;

#endif
