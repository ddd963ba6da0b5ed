/*
 * gateway_auth.c - what it costs to know a caller: a signature of each algorithm, a whole token, a
 * token seen before, an API key. One thread, no I/O; the best of several rounds is printed,
 * because the machine may be shared and noise only ever adds.
 */
#include "base/base64.h"
#include "base/buf.h"
#include "io/crypto.h"
#include "rooms/gateway/api_keys.h"
#include "rooms/gateway/token_cache.h"
#include "signatures.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 20, CACHED = 10000, TOKEN_BYTES = 800 };

#define NOW INT64_C(1700000000000000000)
#define SECRET slice_lit("0123456789abcdef0123456789abcdef")

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The best time of RUN(OWNER, i), called REPEATS times a round. */
static double best_ns(unsigned repeats, void (*run)(void *owner, unsigned i), void *owner) {
    double best = 1e12;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t start = now_ns();
        for (unsigned i = 0; i < repeats; i++)
            run(owner, i);
        double ns = (double)(now_ns() - start) / repeats;
        best = ns < best ? ns : best;
    }
    return best;
}

/* --- signatures ----------------------------------------------------------------------------- */

struct signature_bench {
    const struct signature_example *example;
    struct io_verifier *key;
    slice signature;
};

static void check_signature(void *owner, unsigned i) {
    const struct signature_bench *b = owner;
    (void)i;
    check(io_verifier_check(b->key, b->example->algorithm, slice_str(b->example->signed_part),
                            b->signature) == 0);
}

static void bench_signatures(void) {
    uint32_t done = 0;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        unsigned char bytes[IO_SIGNATURE_BYTES_MAX];
        if (done & IO_SIGNATURE_BIT(e->algorithm))
            continue;
        done |= IO_SIGNATURE_BIT(e->algorithm);
        struct signature_bench b = {e, signature_key(e),
                                    signature_bytes(e->signature, bytes, sizeof bytes)};
        printf("%-22s %10.0f ns\n", io_signature_name(e->algorithm),
               best_ns(100, check_signature, &b));
        io_verifier_free(b.key);
    }
}

/* --- tokens --------------------------------------------------------------------------------- */

struct token_bench {
    struct jwt_reader *reader;
    struct jwks *keys;
    struct token_cache *cache;
    struct buf tokens[CACHED];
    struct token_key keys_of[CACHED];
};

static const struct jwt_rules rules = {.algorithms = IO_SIGNATURE_BIT(IO_HS256)};

static void append_base64(struct buf *out, slice bytes) {
    check(buf_reserve(out, base64_encoded_len(BASE64_URL_RAW, bytes.len)) == 0);
    out->len += base64_encode(BASE64_URL_RAW, bytes, out->ptr + out->len);
}

/* A token of TOKEN_BYTES or a little more, as identity servers make them. */
static void make_token(struct buf *out, unsigned number) {
    char payload[1024];
    unsigned char digest[32];
    int len =
        snprintf(payload, sizeof payload,
                 "{\"iss\":\"https://id.example/realms/shop\",\"aud\":[\"shop\",\"account\"],"
                 "\"sub\":\"f:%08u\",\"exp\":1700000600,\"iat\":1700000000,\"jti\":\"%0300u\","
                 "\"scope\":\"openid profile email\",\"email\":\"ann@shop.example\","
                 "\"realm_access\":{\"roles\":[\"user\",\"offline_access\"]}}",
                 number, number);
    *out = buf_make(JWS_TOKEN_MAX);
    append_base64(out, slice_lit("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"2026-11\"}"));
    check(buf_append_byte(out, '.') == 0);
    append_base64(out, slice_make(payload, (size_t)len));
    io_hmac_sha256(SECRET, buf_slice(out), digest);
    check(buf_append_byte(out, '.') == 0);
    append_base64(out, slice_make(digest, sizeof digest));
    check(out->len >= TOKEN_BYTES);
}

static struct jwt *verify(struct token_bench *b, unsigned i) {
    struct jwt *jwt = NULL;
    check(jwt_verify(b->reader, buf_slice(&b->tokens[i]), &rules, b->keys, NOW, &jwt) == JWT_FINE);
    return jwt;
}

static void verify_token(void *owner, unsigned i) {
    jwt_unref(verify(owner, i));
}

/* In a far stride, so that no entry is in the processor's cache by chance. */
static void find_token(void *owner, unsigned i) {
    struct token_bench *b = owner;
    check(token_cache_find(b->cache, &b->keys_of[i * 7919 % CACHED], 0, 0, NOW) != NULL);
}

static void hash_and_find_token(void *owner, unsigned i) {
    struct token_bench *b = owner;
    (void)i;
    struct token_key key = token_key(buf_slice(&b->tokens[0]));
    check(token_cache_find(b->cache, &key, 0, 0, NOW) != NULL);
}

static void hash_token(void *owner, unsigned i) {
    struct token_bench *b = owner;
    (void)i;
    struct token_key key = token_key(buf_slice(&b->tokens[0]));
    __asm__ volatile("" : : "r"(&key) : "memory");
}

static void bench_tokens(void) {
    static struct token_bench b;
    struct jwks_given given = {.kid = slice_lit("2026-11"), .secret = SECRET};
    struct error error;
    unsigned number;
    check(jwt_reader_new(&b.reader) == 0);
    check(jwks_create(&given, 1, &b.keys, &number, &error) == 0);
    check(token_cache_new((struct hash_key){1, 2}, CACHED, (size_t)1 << 30, &b.cache) == 0);
    for (unsigned i = 0; i < CACHED; i++) {
        make_token(&b.tokens[i], i);
        struct jwt *jwt = verify(&b, i);
        b.keys_of[i] = token_key(buf_slice(&b.tokens[i]));
        check(token_cache_put(b.cache, &b.keys_of[i], 0, 0, jwt) == 0);
        jwt_unref(jwt);
    }
    printf("a token of %zu bytes; a cached one takes %zu bytes\n", b.tokens[0].len,
           token_cache_stats(b.cache).bytes / CACHED);
    printf("%-22s %10.0f ns\n", "verified, HS256", best_ns(CACHED, verify_token, &b));
    printf("%-22s %10.0f ns\n", "hashed", best_ns(CACHED, hash_token, &b));
    printf("%-22s %10.0f ns\n", "hashed and found", best_ns(CACHED, hash_and_find_token, &b));
    printf("%-22s %10.0f ns\n", "found, one of 10,000", best_ns(CACHED, find_token, &b));
    for (unsigned i = 0; i < CACHED; i++)
        buf_free(&b.tokens[i]);
    token_cache_free(b.cache);
    jwks_unref(b.keys);
    jwt_reader_free(b.reader);
}

/* --- API keys ------------------------------------------------------------------------------- */

struct key_bench {
    char secrets[CACHED][48];
    struct api_key_given given[CACHED];
    struct api_keys *set;
};

static void find_key(void *owner, unsigned i) {
    const struct key_bench *b = owner;
    const struct api_key *key;
    check(api_keys_find(b->set, b->given[i * 7919 % CACHED].secret, NOW, &key) == 0);
}

static void bench_api_keys(void) {
    static struct key_bench b;
    struct error error;
    unsigned number;
    for (unsigned i = 0; i < CACHED; i++) {
        snprintf(b.secrets[i], sizeof b.secrets[i], "nk_live_%032u", i);
        b.given[i] = (struct api_key_given){.name = slice_lit("ann"),
                                            .secret = slice_str(b.secrets[i]),
                                            .expires_ns = API_KEY_NEVER};
    }
    check(api_keys_create((struct hash_key){1, 2}, b.given, CACHED, &b.set, &number, &error) == 0);
    printf("%-22s %10.0f ns\n", "API key of 10,000", best_ns(CACHED, find_key, &b));
    api_keys_unref(b.set);
}

int main(void) {
    bench_signatures();
    bench_tokens();
    bench_api_keys();
    return 0;
}
