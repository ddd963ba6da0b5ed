#include "rooms/gateway/token_cache.h"

#include "base/mem.h"
#include "token_kit.h"

/* Verified tokens, kept as long as they may be. */

#define SECOND INT64_C(1000000000)
#define NOW (1700000000 * SECOND)
#define BYTES_MAX ((size_t)1 << 20)

static struct jwt_reader *reader;
static struct jwks *keys;
static struct token_cache *cache;

static int set_up_for(unsigned entries_max, size_t bytes_max) {
    keys = token_secret_set(slice_lit(""));
    return jwt_reader_new(&reader) ||
           token_cache_new((struct hash_key){1, 2}, entries_max, bytes_max, &cache);
}

static int set_up(void **state) {
    (void)state;
    return set_up_for(4, BYTES_MAX);
}

static int tear_down(void **state) {
    (void)state;
    cache = token_cache_free(cache);
    reader = jwt_reader_free(reader);
    keys = jwks_unref(keys);
    return 0;
}

/* The token of user NUMBER, verified, and its key. It expires NUMBER seconds from now; PADDING
   bytes of it say nothing. */
static struct jwt *make(unsigned number, unsigned padding, struct token_key *ret_key) {
    static const struct jwt_rules rules = {.algorithms = IO_SIGNATURE_BIT(IO_HS256)};
    _cleanup_buf_ struct buf token = buf_make(TOKEN_TEXT_MAX), payload = buf_make(TOKEN_TEXT_MAX);
    struct jwt *jwt = NULL;
    assert_int_equal(buf_printf(&payload, "{\"sub\":%u,\"exp\":%u,\"x\":\"%0*d\"}", number,
                                1700000000 + number, (int)padding, 0),
                     0);
    slice text = token_sign(&token, slice_lit(HS256_HEADER), buf_slice(&payload));
    *ret_key = token_key(text);
    assert_int_equal(jwt_verify(reader, text, &rules, keys, NOW, &jwt), 0);
    return jwt;
}

/* Puts the token of user NUMBER, which nobody else holds then. */
static struct jwt *put(unsigned number, struct token_key *ret_key) {
    struct jwt *jwt = make(number, 1, ret_key);
    assert_int_equal(token_cache_put(cache, ret_key, 0, 0, jwt), 0);
    jwt_unref(jwt);
    return jwt;
}

static struct jwt *find(const struct token_key *key) {
    return token_cache_find(cache, key, 0, 0, NOW);
}

static void test_a_token_put_is_found(void **state) {
    (void)state;
    struct token_key key, other;
    jwt_unref(make(2, 1, &other));
    struct jwt *jwt = put(1, &key);
    assert_ptr_equal(find(&key), jwt);
    assert_true(slice_equal(find(&key)->principal, slice_lit("1")));
    assert_null(find(&other));
    struct token_cache_stats stats = token_cache_stats(cache);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 1);
    assert_true(stats.bytes >= jwt->bytes);
}

static void test_the_whole_digest_counts(void **state) {
    (void)state;
    struct token_key key;
    put(1, &key);
    for (unsigned i = 0; i < sizeof key.digest; i++) {
        key.digest[i] ^= 1;
        assert_null(find(&key));
        key.digest[i] ^= 1;
    }
    assert_non_null(find(&key));
}

static void test_an_entry_dies_with_its_token(void **state) {
    (void)state;
    struct token_key key;
    put(10, &key);
    assert_non_null(token_cache_find(cache, &key, 0, 0, NOW + 10 * SECOND - 1));
    assert_null(token_cache_find(cache, &key, 0, 0, NOW + 10 * SECOND));
    assert_int_equal(token_cache_stats(cache).entries, 0);
    assert_int_equal(token_cache_stats(cache).bytes, 0);
}

static void test_an_entry_dies_with_its_generation(void **state) {
    (void)state;
    struct token_key key;
    put(1, &key);
    assert_null(token_cache_find(cache, &key, 0, 1, NOW));
    assert_null(token_cache_find(cache, &key, 0, 0, NOW));
    assert_int_equal(token_cache_stats(cache).entries, 0);
}

static void test_a_realm_knows_nothing_of_another(void **state) {
    (void)state;
    struct token_key key;
    struct jwt *jwt = put(1, &key);
    assert_null(token_cache_find(cache, &key, 1, 0, NOW));
    assert_int_equal(token_cache_put(cache, &key, 1, 5, jwt), 0);
    assert_ptr_equal(token_cache_find(cache, &key, 1, 5, NOW), jwt);
    assert_ptr_equal(find(&key), jwt);
    assert_null(token_cache_find(cache, &key, 1, 6, NOW));
    assert_ptr_equal(find(&key), jwt);
}

static void test_the_least_recently_used_makes_room(void **state) {
    (void)state;
    struct token_key key[6];
    for (unsigned i = 0; i < 4; i++)
        put(i + 1, &key[i]);
    assert_non_null(find(&key[0]));
    put(5, &key[4]);
    assert_null(find(&key[1]));
    assert_non_null(find(&key[2]));
    put(6, &key[5]);
    assert_null(find(&key[3]));
    assert_non_null(find(&key[0]));
    assert_non_null(find(&key[2]));
    assert_non_null(find(&key[4]));
    assert_non_null(find(&key[5]));
    assert_int_equal(token_cache_stats(cache).entries, 4);
    assert_int_equal(token_cache_stats(cache).evicted, 2);
}

static void test_a_second_put_replaces(void **state) {
    (void)state;
    struct token_key key;
    put(1, &key);
    size_t bytes = token_cache_stats(cache).bytes;
    struct jwt *again = put(1, &key);
    assert_ptr_equal(find(&key), again);
    assert_int_equal(token_cache_stats(cache).entries, 1);
    assert_int_equal(token_cache_stats(cache).bytes, bytes);
    assert_int_equal(token_cache_stats(cache).evicted, 0);
    /* Even with itself. */
    assert_int_equal(token_cache_put(cache, &key, 0, 0, jwt_ref(again)), 0);
    jwt_unref(again);
    assert_ptr_equal(find(&key), again);
}

static void test_a_counted_token_outlives_its_entry(void **state) {
    (void)state;
    struct token_key key;
    struct jwt *jwt = jwt_ref(put(1, &key));
    token_cache_clear(cache);
    assert_null(find(&key));
    assert_true(slice_equal(jwt->principal, slice_lit("1")));
    jwt_unref(jwt);
}

static void test_memory_has_a_bound(void **state) {
    (void)state;
    struct token_key key;
    tear_down(NULL);
    assert_int_equal(set_up_for(1000, 64 << 10), 0);
    for (unsigned i = 1; i <= 100; i++) {
        struct jwt *jwt = make(i, 1000, &key);
        assert_int_equal(token_cache_put(cache, &key, 0, 0, jwt), 0);
        jwt_unref(jwt);
        assert_non_null(find(&key));
        assert_true(token_cache_stats(cache).bytes <= 64 << 10);
    }
    assert_in_range(token_cache_stats(cache).entries, 10, 30);
    tear_down(NULL);
    assert_int_equal(set_up_for(1000, 4 << 10), 0);
    struct jwt *jwt = make(1, 8000, &key);
    assert_int_equal(token_cache_put(cache, &key, 0, 0, jwt), -ENOBUFS);
    assert_null(find(&key));
    jwt_unref(jwt);
}

static void test_a_find_allocates_nothing(void **state) {
    (void)state;
    struct token_key key;
    put(1, &key);
    unsigned long before = mem_attempts();
    for (unsigned i = 0; i < 1000; i++) {
        key = token_key(slice_lit("some token"));
        assert_null(find(&key));
    }
    struct jwt *jwt = put(1, &key);
    before = mem_attempts();
    for (unsigned i = 0; i < 1000; i++)
        assert_ptr_equal(find(&key), jwt);
    assert_int_equal(mem_attempts(), before);
}

static void test_without_memory_nothing_is_kept(void **state) {
    (void)state;
    struct token_key key;
    struct jwt *jwt = make(1, 1, &key);
    unsigned long i = 0;
    int failed;
    do {
        mem_fail_at(++i, true);
        failed = token_cache_put(cache, &key, 0, 0, jwt);
        mem_fail_at(0, false);
        assert_true(failed == 0 || failed == -ENOMEM);
        assert_ptr_equal(find(&key), failed ? NULL : jwt);
    } while (failed);
    assert_true(i > 1);
    jwt_unref(jwt);
}

#define cache_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cache_test(test_a_token_put_is_found),
        cache_test(test_the_whole_digest_counts),
        cache_test(test_an_entry_dies_with_its_token),
        cache_test(test_an_entry_dies_with_its_generation),
        cache_test(test_a_realm_knows_nothing_of_another),
        cache_test(test_the_least_recently_used_makes_room),
        cache_test(test_a_second_put_replaces),
        cache_test(test_a_counted_token_outlives_its_entry),
        cache_test(test_memory_has_a_bound),
        cache_test(test_a_find_allocates_nothing),
        cache_test(test_without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
