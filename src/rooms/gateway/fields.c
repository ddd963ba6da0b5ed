/*
 * fields.c - a route's changes to the fields of a message: remove, set, add. A field that is
 * removed or set does not stay, whoever it comes from; what is set and added is put behind those
 * that do.
 */
#include "rooms/gateway/table.h"

static bool is_set(const struct gateway_fields *changes, slice name) {
    for (unsigned i = 0; i < changes->set_count; i++)
        if (slice_equal_nocase(changes->set[i].name, name))
            return true;
    return false;
}

bool gateway_field_stays(const struct gateway_fields *changes, slice name) {
    for (unsigned i = 0; i < changes->remove_count; i++)
        if (slice_equal_nocase(changes->remove[i], name))
            return false;
    return changes->set_count == 0 || !is_set(changes, name);
}
