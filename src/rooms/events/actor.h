/*
 * actor.h - who appends, named in the metadata of what is appended. Pure.
 *
 *     SURE      the gateway has let in the actor and nobody else: `actor` is its name, whatever the
 *               event says; another one that the event names stands in `on_behalf_of` then
 *     not sure  a user of the admin listener, whom the node trusts with everything: its name is the
 *               `actor` of an event that names none
 *     no name   the node's token, NATS: `actor` is what the event says
 */
#ifndef NONET_EVENTS_ACTOR_H
#define NONET_EVENTS_ACTOR_H

#include "base/arena.h"

struct append;

struct actor {
    slice name; /* empty: nobody in particular */
    bool is_sure;
};

/* Changes the metadata of all events of APPEND, in ARENA. 0 or -ENOMEM. */
must_use int actor_name(struct append *append, const struct actor *actor, struct arena *arena);

#endif
