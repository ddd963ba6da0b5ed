#include "base/hash.h"

uint64_t hash_slice_sip24(const struct hash_key *key, slice bytes) {
    return hash_sip(key, bytes, 2, 4);
}
