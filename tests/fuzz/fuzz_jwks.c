/*
 * fuzz_jwks.c - sets of keys as any server might answer with them.
 *
 * Properties: a set has keys, no more than the bound together with those skipped; each skip has a
 * reason; the same text makes an equal set; no key takes a signature of zeros, nor an algorithm it
 * is not for; what is refused says why.
 */
#include "rooms/gateway/jwks.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(const struct jwks *set) {
    static const char zeros[IO_SIGNATURE_BYTES_MAX] = {0};
    static const size_t lengths[] = {0, 32, 64, 132, 256};
    const char *reason;
    unsigned skipped = jwks_skipped(set, &reason);
    check(jwks_count(set) > 0 && jwks_count(set) + skipped <= JWKS_KEYS_MAX);
    check((skipped > 0) == (reason[0] != 0));
    check(jwks_signatures(set) != 0);
    for (enum io_signature a = 0; a < IO_SIGNATURES; a += 3)
        for (size_t i = 0; i < array_count(lengths); i++) {
            slice signature = slice_make(zeros, lengths[i]);
            int failed = jwks_check(set, slice_lit(""), a, slice_lit("a.b"), signature);
            check(failed == -ENOKEY);
            failed = jwks_check(set, slice_lit("a"), a, slice_lit("a.b"), signature);
            check(failed == -ENOKEY || failed == -EINVAL || failed == -EBADMSG);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct jwks *set = NULL, *again = NULL;
    struct error error = {0};
    slice text = slice_make(data, size);
    int failed = jwks_parse(text, &set, &error);
    check(failed == 0 || failed == -EINVAL || failed == -E2BIG || failed == -ENOKEY);
    check((failed == 0) == (set != NULL));
    check(failed == 0 || (error.code == failed && error.message[0]));
    if (!set)
        return 0;
    check_set(set);
    check(jwks_parse(text, &again, &error) == 0 && jwks_equal(set, again));
    check(jwks_count(again) == jwks_count(set) && jwks_signatures(again) == jwks_signatures(set));
    jwks_unref(again);
    jwks_unref(set);
    return 0;
}
