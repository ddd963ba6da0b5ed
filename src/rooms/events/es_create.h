/*
 * es_create.h - ES and its companion ES_NOTES (notes.h), made when they are wanted: with the first
 * append, or at the start (engine_want_stream).
 *
 * Where they cannot be made, all jobs that wait are refused with the reason, and the next append
 * tries again.
 */
#ifndef NONET_EVENTS_ES_CREATE_H
#define NONET_EVENTS_ES_CREATE_H

#include "rooms/events/engine.h"

/* Are both there? */
bool es_there(const struct engine *engine);
/* Those that are not. While engine->creating is not 0 they are on their way to the disk; the pump
   runs when they are there. */
void es_create(struct engine *engine);

#endif
