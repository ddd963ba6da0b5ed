/*
 * fuzz_conf.c - nonet.yaml from its text to the checked structs.
 *
 * Properties: a file is refused with at least one error, each with words and a place, in the order
 * of the file, or taken with none; reading it twice gives the same; what was taken keeps the
 * promises that rooms rely on (valid subjects, named streams, addresses).
 */
#include "node/config_load.h"
#include "wire/nats_subject.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7 forgets its scratch memory where quoted text it was collecting turns out wrong. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml";
}

static int variable(void *argument, slice name, struct arena *arena, slice *ret_value) {
    (void)argument;
    return name.len > 3 ? -ENOENT : arena_copy(arena, name, ret_value);
}

static int file(void *argument, slice path, struct arena *arena, slice *ret_content) {
    (void)argument;
    return path.len > 3 ? -EACCES : arena_copy(arena, path, ret_content);
}

static void check_config(const struct config *c) {
    const struct config_stream *streams = c->streams.items;
    for (size_t i = 0; i < c->streams.count; i++) {
        const slice *subjects = streams[i].subjects.items;
        check(streams[i].item.name.len > 0 && streams[i].subjects.count > 0);
        for (size_t j = 0; j < streams[i].subjects.count; j++) {
            check(nats_subject_valid(subjects[j]));
        }
    }
    const struct config_user *users = c->auth.users.items;
    for (size_t i = 0; i < c->auth.users.count; i++) {
        check((users[i].user.len > 0) + (users[i].nkey.len > 0) + (users[i].token.len > 0) == 1);
    }
    check(c->listen.nats.item.off || c->listen.nats.address.text.len > 0);
    check(c->node.shards >= 0 && c->node.shards <= 64 && c->node.name.len > 0);
    check(c->limits.max_payload >= 1 && c->limits.ping_interval_ns > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct conf_errors errors;
    static char first[sizeof(errors.items[0].message)];
    struct config_source source = {
        .text = slice_make(data, size),
        .file = slice_lit("nonet.yaml"),
        .directory = slice_lit("app"),
        .lookup = {variable, file, NULL},
    };
    for (int round = 0; round < 2; round++) {
        struct config *config = NULL;
        memset(&errors, 0, sizeof(errors));
        int r = config_load(&source, &config, &errors);
        check(r == 0 || r == -EINVAL || r == -ENOMEM);
        check((r == 0) == (errors.count == 0) && (r == 0) == (config != NULL));
        check(errors.count <= CONF_ERRORS_MAX && (errors.more == 0 || errors.count > 1));
        for (size_t i = 0; i < errors.count; i++) {
            check(errors.items[i].message[0] && errors.items[i].place[0]);
            check(i == 0 || errors.line[i] >= errors.line[i - 1]);
        }
        check(round == 0 || strcmp(first, errors.items[0].message) == 0);
        memcpy(first, errors.items[0].message, sizeof(first));
        if (config) {
            check_config(config);
        }
        config_free(config);
    }
    return 0;
}
