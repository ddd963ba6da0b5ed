/*
 * members.c - see members.h.
 */
#include "cli/members.h"

slice member_text(json_value v, const char *path) {
    slice text;
    return json_string(json_path(v, path), &text) ? (slice){0} : text;
}

uint64_t member_number(json_value v, const char *path) {
    uint64_t number;
    return json_u64(json_path(v, path), &number) ? 0 : number;
}

bool member_of_option(const struct cli_call *call, struct json_writer *w, const char *option,
                      const char *key,
                      bool (*parse)(const struct cli_call *, const char *, uint64_t, uint64_t *)) {
    uint64_t number;
    if (!cli_value(call, option))
        return true;
    if (!parse(call, option, 0, &number))
        return false;
    json_write_key(w, key);
    json_write_u64(w, number);
    return true;
}
