/* cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/verifier.h"
#include "signatures.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

/* Whether a signature holds, and which keys are not taken at all. */

static const char rsa_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAn4EPtAOCc9AlkeQHPzHS\n"
                              "tgAbgs7bTZLwUBZdR8/KuKPEHLd4rHVTeT+O+XV2jRojdNhxJWTDvNd7nqQ0VEiZ\n"
                              "QHz/AJmSCpMaJMRBSFKrKb2wqVwGU/NsYOYL+QtiWN2lbzcEe6XC0dApr5ydQLrH\n"
                              "qkHHig3RBordaZ6Aj+oBHqFEHYpPe7Tpe+OfVfHd1E6cS6M1FZcD1NNLYD5lFHpP\n"
                              "I9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3+tVTU4fg/3L/vniUFAKw\n"
                              "uCLqKnS2BYwdq/mzSnbLY7h/qixoR7jig3//kRhuaxwUkRz5iaiQkqgc5gHdrNP5\n"
                              "zwIDAQAB\n"
                              "-----END PUBLIC KEY-----\n";

static const char p256_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                               "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                               "-----END PUBLIC KEY-----\n";

/* Of the same key; it was good for one day. */
static const char p256_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbTCCAROgAwIBAgIUarseRx30LijQw/pqIubCmYeDr1AwCgYIKoZIzj0EAwIw\n"
    "DDEKMAgGA1UEAwwBYTAeFw0yNjExMzAxMTExNDlaFw0yNjEyMDExMTExNDlaMAwx\n"
    "CjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR/zc4ncPbEXUGD\n"
    "y+5v20t7WAczNXvp7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpG\n"
    "IyiFiOWto1MwUTAdBgNVHQ4EFgQUzo0Wsckzjrf+OXmZrkW+7j+1hoYwHwYDVR0j\n"
    "BBgwFoAUzo0Wsckzjrf+OXmZrkW+7j+1hoYwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n"
    "hkjOPQQDAgNIADBFAiEAlyHI/Jz6T5pyfxJBfBd3S9vCtOg4EcnAxVnAePwlCdUC\n"
    "ICg+T+51LZRh8ERzXXpn85rVIWW+kewl3YkgDG3LlCPS\n"
    "-----END CERTIFICATE-----\n";

static const char ed25519_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                  "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                                  "-----END PUBLIC KEY-----\n";

/* Keys that are not taken: 1024 bits, a curve of another kind, another curve of Edwards. */
static const char rsa_1024_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCr9MrlClvgmLc9GFYZKQJ1C7t7\n"
    "+0iDvF6UYE5Dvo4+vkMFpUjESRFpXh/W6Kd717lkpDP1JZjw72+/Zz1gPhNZ/Gig\n"
    "sYw4t0MlKQTTeXgzGcPCwr1cseUta4Ur31Ej6YZ7lvswRljJ4Tdlrl9ztBz5bPfK\n"
    "vqbUKYoaCESSPQ01pQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

static const char secp256k1_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEPdXPRryu6LJ+US2ozImYXAqQOR9RUOqY\n"
    "qrMMioIZjnJC7peqxz3kp6fdqn+nWmr0AMAZliqA51f+EY03PnCPxw==\n"
    "-----END PUBLIC KEY-----\n";

static const char ed448_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                                "MEMwBQYDK2VxAzoAGwgJgWNj1YTmpJbjJHVpIKBW0D1FIcNZxMuEEi4b2OgxQAnv\n"
                                "4y+yRcPqJEjOBifc5tR/06MatfSA\n"
                                "-----END PUBLIC KEY-----\n";

static int check_example(const struct io_verifier *key, const struct signature_example *e,
                         enum io_signature algorithm) {
    unsigned char bytes[IO_SIGNATURE_BYTES_MAX];
    slice signature = signature_bytes(e->signature, bytes, sizeof bytes);
    return io_verifier_check(key, algorithm, slice_str(e->signed_part), signature);
}

static void test_signatures_of_others_hold(void **state) {
    (void)state;
    uint32_t seen = 0;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        struct io_verifier *key = signature_key(e);
        for (unsigned again = 0; again < 3; again++)
            if (check_example(key, e, e->algorithm) != 0)
                fail_msg("%s", e->name);
        seen |= IO_SIGNATURE_BIT(e->algorithm);
        io_verifier_free(key);
    }
    assert_int_equal(seen, IO_SIGNATURES_HMAC | IO_SIGNATURES_PUBLIC);
}

static void test_a_changed_message_is_another_message(void **state) {
    (void)state;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        struct io_verifier *key = signature_key(e);
        unsigned char bytes[IO_SIGNATURE_BYTES_MAX];
        slice signature = signature_bytes(e->signature, bytes, sizeof bytes);
        slice message = slice_str(e->signed_part);
        char text[1024];
        memcpy(text, message.ptr, message.len);
        text[message.len - 1] ^= 1;
        const slice others[] = {slice_make(text, message.len), slice_skip(message, 1),
                                slice_make(NULL, 0)};
        for (unsigned o = 0; o < array_count(others); o++)
            assert_int_equal(io_verifier_check(key, e->algorithm, others[o], signature), -EBADMSG);
        io_verifier_free(key);
    }
}

static void test_a_changed_signature_does_not_hold(void **state) {
    (void)state;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        struct io_verifier *key = signature_key(e);
        unsigned char bytes[IO_SIGNATURE_BYTES_MAX + 1] = {0};
        slice whole = signature_bytes(e->signature, bytes, sizeof bytes);
        slice message = slice_str(e->signed_part);
        for (size_t at = 0; at < whole.len; at += 1 + whole.len / 16) {
            bytes[at] ^= 0x10;
            assert_int_equal(io_verifier_check(key, e->algorithm, message, whole), -EBADMSG);
            bytes[at] ^= 0x10;
        }
        slice longer = slice_make(bytes, whole.len + 1);
        const slice lengths[] = {longer, slice_take(whole, whole.len - 1), slice_skip(whole, 1),
                                 slice_take(whole, whole.len / 2), slice_make(NULL, 0)};
        for (unsigned l = 0; l < array_count(lengths); l++)
            assert_int_equal(io_verifier_check(key, e->algorithm, message, lengths[l]), -EBADMSG);
        assert_int_equal(io_verifier_check(key, e->algorithm, message, whole), 0);
        io_verifier_free(key);
    }
}

/* Above all: no public key is ever used as a secret. */
static void test_a_key_serves_the_algorithms_of_its_kind_only(void **state) {
    (void)state;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        struct io_verifier *key = signature_key(e);
        uint32_t own = io_verifier_signatures(key);
        assert_true(own & IO_SIGNATURE_BIT(e->algorithm));
        assert_true((own & IO_SIGNATURES_HMAC) == 0 || (own & IO_SIGNATURES_PUBLIC) == 0);
        for (enum io_signature a = 0; a < IO_SIGNATURES; a++) {
            int served = own & IO_SIGNATURE_BIT(a) ? -EBADMSG : -EINVAL;
            assert_int_equal(check_example(key, e, a), a == e->algorithm ? 0 : served);
        }
        io_verifier_free(key);
    }
}

static void test_another_key_of_the_same_kind_has_not_signed(void **state) {
    (void)state;
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++) {
        const struct signature_example *e = &signature_examples[i];
        for (unsigned j = 0; j < SIGNATURE_EXAMPLES; j++) {
            const struct signature_example *other = &signature_examples[j];
            struct io_verifier *key = signature_key(other);
            bool same = strcmp(other->first, e->first) == 0;
            if (io_verifier_signatures(key) & IO_SIGNATURE_BIT(e->algorithm))
                assert_int_equal(check_example(key, e, e->algorithm), same ? 0 : -EBADMSG);
            io_verifier_free(key);
        }
    }
}

/* Numbers that a careless check of ECDSA takes: 0, the order of the curve, all ones. */
static void test_ecdsa_numbers_out_of_range_do_not_hold(void **state) {
    (void)state;
    static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                            0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    static const unsigned char zero[32] = {0}, one[32] = {[31] = 1};
    unsigned char ones[32];
    memset(ones, 0xff, sizeof ones);
    const unsigned char *const numbers[] = {zero, one, order, ones};
    const struct signature_example *e = &signature_examples[2];
    assert_int_equal(e->algorithm, IO_ES256);
    struct io_verifier *key = signature_key(e);
    for (unsigned r = 0; r < array_count(numbers); r++) {
        for (unsigned s = 0; s < array_count(numbers); s++) {
            unsigned char signature[64];
            memcpy(signature, numbers[r], 32);
            memcpy(signature + 32, numbers[s], 32);
            assert_int_equal(io_verifier_check(key, IO_ES256, slice_str(e->signed_part),
                                               slice_make(signature, sizeof signature)),
                             -EBADMSG);
        }
    }
    io_verifier_free(key);
}

static void test_pss_wants_a_salt_as_long_as_the_hash(void **state) {
    (void)state;
    static const char salt_of_20_bytes[] =
        "Jx5Q3U5Br-e0mkNJzR8XW9e-oBsc4wsWOePEtMLxNHi93e_vj_zETSjMZ-_-QBx4VaJqHjJFnEQBaJtX"
        "Ua8ND7IEOnFto0rxi2VWx-ws2BoWpPdryyXzdH7PK5rfGDreZf11I5XNfaXShWf0SvwBhIhuNlgdrUqa"
        "YiJ-HzSnZgqupPSI2oYDmQhKn_rMvrEd39bobRF2dFcS2Ww4qFrpNxglquzQZMyvEf4O2mPGuIgSxAYE"
        "miZPrEZvKbXBs5DD8RVBjKdeMPZabr7mZy8t5laFvXZXRFoDOjqQwlwldtra65eGFNL1GUh8uIqRqhBH"
        "6KEarcZCcKRKdkXSMLCLCA";
    const struct signature_example *e = &signature_examples[11];
    assert_int_equal(e->algorithm, IO_PS256);
    struct signature_example other = *e;
    other.signature = salt_of_20_bytes;
    struct io_verifier *key = signature_key(e);
    assert_int_equal(check_example(key, &other, IO_PS256), -EBADMSG);
    io_verifier_free(key);
}

static void *check_often(void *argument) {
    struct io_verifier *const *keys = argument;
    unsigned long held = 0;
    for (unsigned round = 0; round < 20; round++)
        for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++)
            held += check_example(keys[i], &signature_examples[i],
                                  signature_examples[i].algorithm) == 0;
    return (void *)held;
}

static void test_threads_share_a_key(void **state) {
    (void)state;
    struct io_verifier *keys[SIGNATURE_EXAMPLES];
    pthread_t threads[4];
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++)
        keys[i] = signature_key(&signature_examples[i]);
    for (unsigned i = 0; i < array_count(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, keys), 0);
    for (unsigned i = 0; i < array_count(threads); i++) {
        void *held = NULL;
        assert_int_equal(pthread_join(threads[i], &held), 0);
        assert_int_equal((unsigned long)held, 20 * SIGNATURE_EXAMPLES);
    }
    for (unsigned i = 0; i < SIGNATURE_EXAMPLES; i++)
        io_verifier_free(keys[i]);
}

/* --- keys ----------------------------------------------------------------------------------- */

static void assert_refused(int failed, struct io_verifier *key, const struct error *error) {
    assert_int_equal(failed, -EINVAL);
    assert_null(key);
    assert_int_equal(error->code, -EINVAL);
    assert_true(error->message[0] != 0);
}

static void test_rsa_keys_must_be_large_enough_and_odd(void **state) {
    (void)state;
    static const char modulus_1024[] =
        "q_TK5Qpb4Ji3PRhWGSkCdQu7e_tIg7xelGBOQ76OPr5DBaVIxEkRaV4f1uine9e5ZKQz9SWY8O9vv2c9"
        "YD4TWfxooLGMOLdDJSkE03l4MxnDwsK9XLHlLWuFK99RI-mGe5b7MEZYyeE3Za5fc7Qc-Wz3yr6m1CmK"
        "GghEkj0NNaU";
    struct io_verifier *key = NULL;
    struct error error;
    unsigned char small[256], big[1100], large[256];
    static const unsigned char f4[] = {1, 0, 1}, one[] = {1}, even[] = {4},
                               long_e[9] = {1, [8] = 1};
    slice n = signature_bytes(signature_examples[1].first, large, sizeof large);
    slice n_1024 = signature_bytes(modulus_1024, small, sizeof small);
    slice e = slice_make(f4, sizeof f4);
    assert_refused(io_verifier_rsa(n_1024, e, &key, &error), key, &error);
    assert_non_null(strstr(error.message, "1024"));
    memset(big, 0xff, sizeof big);
    assert_refused(io_verifier_rsa(slice_make(big, 1025), e, &key, &error), key, &error);
    assert_refused(io_verifier_rsa(slice_make(big, sizeof big), e, &key, &error), key, &error);
    assert_refused(io_verifier_rsa(n, slice_make(one, 1), &key, &error), key, &error);
    assert_refused(io_verifier_rsa(n, slice_make(even, 1), &key, &error), key, &error);
    assert_refused(io_verifier_rsa(n, slice_make(long_e, 9), &key, &error), key, &error);
    assert_refused(io_verifier_rsa(n, slice_make(NULL, 0), &key, &error), key, &error);
    assert_refused(io_verifier_rsa(slice_make(NULL, 0), e, &key, &error), key, &error);
    large[255] &= 0xfe;
    assert_refused(io_verifier_rsa(n, e, &key, &error), key, &error);
}

/* Some libraries write the sign of the number, too. */
static void test_a_zero_before_the_modulus_does_no_harm(void **state) {
    (void)state;
    const struct signature_example *e = &signature_examples[1];
    static const unsigned char f4[] = {0, 1, 0, 1};
    unsigned char bytes[257] = {0};
    struct io_verifier *key = NULL;
    struct error error;
    signature_bytes(e->first, bytes + 1, 256);
    assert_int_equal(
        io_verifier_rsa(slice_make(bytes, sizeof bytes), slice_make(f4, sizeof f4), &key, &error),
        0);
    assert_int_equal(check_example(key, e, IO_RS256), 0);
    io_verifier_free(key);
}

static void test_points_must_lie_on_their_curve(void **state) {
    (void)state;
    struct io_verifier *key = NULL;
    struct error error;
    unsigned char x_bytes[66], y_bytes[66];
    static const unsigned char zeros[66] = {0};
    slice p256 = slice_lit("P-256");
    slice x = signature_bytes(signature_examples[2].first, x_bytes, sizeof x_bytes);
    slice y = signature_bytes(signature_examples[2].second, y_bytes, sizeof y_bytes);
    assert_refused(io_verifier_ec(p256, x, slice_take(y, 31), &key, &error), key, &error);
    assert_refused(io_verifier_ec(p256, slice_make(NULL, 0), y, &key, &error), key, &error);
    assert_refused(io_verifier_ec(slice_lit("P-384"), x, y, &key, &error), key, &error);
    assert_refused(io_verifier_ec(slice_lit("secp256k1"), x, y, &key, &error), key, &error);
    assert_refused(io_verifier_ec(slice_lit(""), x, y, &key, &error), key, &error);
    assert_refused(io_verifier_ec(p256, y, x, &key, &error), key, &error);
    slice nothing = slice_make(zeros, 32);
    assert_refused(io_verifier_ec(p256, nothing, nothing, &key, &error), key, &error);
    y_bytes[31] ^= 1;
    assert_refused(io_verifier_ec(p256, x, y, &key, &error), key, &error);
}

static void test_ed25519_points_that_protect_nothing_are_refused(void **state) {
    (void)state;
    static const struct {
        unsigned char first, middle, last;
    } bad[] = {
        {0, 0, 0},          {1, 0, 0},          {0, 0, 0x80},       {1, 0, 0x80},
        {0xec, 0xff, 0x7f}, {0xec, 0xff, 0xff}, {0xed, 0xff, 0x7f}, {0xee, 0xff, 0x7f},
        {0xed, 0xff, 0xff}, {0xff, 0xff, 0xff},
    };
    static const unsigned char order_8[32] = {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0,
                                              0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
                                              0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
                                              0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05};
    struct io_verifier *key = NULL;
    struct error error;
    unsigned char point[33];
    for (unsigned i = 0; i < array_count(bad); i++) {
        memset(point, bad[i].middle, sizeof point);
        point[0] = bad[i].first;
        point[31] = bad[i].last;
        assert_refused(io_verifier_ed25519(slice_make(point, 32), &key, &error), key, &error);
    }
    assert_refused(io_verifier_ed25519(slice_make(order_8, 32), &key, &error), key, &error);
    assert_refused(io_verifier_ed25519(slice_make(point, 31), &key, &error), key, &error);
    assert_refused(io_verifier_ed25519(slice_make(point, 33), &key, &error), key, &error);
}

static void test_a_secret_is_fit_for_hashes_of_its_length(void **state) {
    (void)state;
    static const struct {
        size_t len;
        uint32_t signatures; /* 0: refused */
    } cases[] = {
        {0, 0},
        {31, 0},
        {32, IO_SIGNATURE_BIT(IO_HS256)},
        {47, IO_SIGNATURE_BIT(IO_HS256)},
        {48, IO_SIGNATURE_BIT(IO_HS256) | IO_SIGNATURE_BIT(IO_HS384)},
        {64, IO_SIGNATURES_HMAC},
        {IO_SECRET_BYTES_MAX, IO_SIGNATURES_HMAC},
        {IO_SECRET_BYTES_MAX + 1, 0},
    };
    static const char bytes[IO_SECRET_BYTES_MAX + 1] = "s";
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct io_verifier *key = NULL;
        struct error error;
        int failed = io_verifier_secret(slice_make(bytes, cases[i].len), &key, &error);
        if (cases[i].signatures) {
            assert_int_equal(failed, 0);
            assert_int_equal(io_verifier_signatures(key), cases[i].signatures);
        } else {
            assert_refused(failed, key, &error);
        }
        io_verifier_free(key);
    }
}

static void test_pem_is_another_way_to_write_a_key(void **state) {
    (void)state;
    static const struct {
        const char *pem;
        unsigned example;
    } cases[] = {{rsa_pem, 4}, {p256_pem, 2}, {p256_certificate, 2}, {ed25519_pem, 8}};
    for (unsigned i = 0; i < array_count(cases); i++) {
        const struct signature_example *e = &signature_examples[cases[i].example];
        struct io_verifier *key = NULL, *same = signature_key(e);
        struct error error;
        assert_int_equal(io_verifier_pem(slice_str(cases[i].pem), &key, &error), 0);
        assert_int_equal(check_example(key, e, e->algorithm), 0);
        assert_int_equal(io_verifier_signatures(key), io_verifier_signatures(same));
        io_verifier_free(key);
        io_verifier_free(same);
    }
}

static void test_pem_of_other_keys_is_refused_with_words(void **state) {
    (void)state;
    static const struct {
        const char *pem, *word;
    } cases[] = {
        {"", "no public key"},
        {"not PEM at all", "no public key"},
        {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key"},
        {"-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\n", "private"},
        {"-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
         "0123456789ABCDEF0123456789ABCDEF\n\nAAAA\n-----END PUBLIC KEY-----\n",
         "no public key"},
        {rsa_1024_pem, "1024"},
        {secp256k1_pem, "neither"},
        {ed448_pem, "neither"},
    };
    for (unsigned i = 0; i < array_count(cases); i++) {
        struct io_verifier *key = NULL;
        struct error error = {0};
        assert_refused(io_verifier_pem(slice_str(cases[i].pem), &key, &error), key, &error);
        if (!strstr(error.message, cases[i].word))
            fail_msg("'%s' does not say '%s'", error.message, cases[i].word);
    }
    static const char long_pem[IO_PEM_BYTES_MAX + 1] = "-----BEGIN PUBLIC KEY-----";
    struct io_verifier *key = NULL;
    struct error error = {0};
    assert_refused(io_verifier_pem(slice_make(long_pem, sizeof long_pem), &key, &error), key,
                   &error);
}

static void test_names_are_those_of_the_registry(void **state) {
    (void)state;
    enum io_signature algorithm;
    for (enum io_signature a = 0; a < IO_SIGNATURES; a++) {
        assert_int_equal(io_signature_named(slice_str(io_signature_name(a)), &algorithm), 0);
        assert_int_equal(algorithm, a);
    }
    static const char *const others[] = {"", "none", "None", "rs256", "RS256 ", "ES256K", "HS1"};
    for (unsigned i = 0; i < array_count(others); i++)
        assert_int_equal(io_signature_named(slice_str(others[i]), &algorithm), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures_of_others_hold),
        cmocka_unit_test(test_a_changed_message_is_another_message),
        cmocka_unit_test(test_a_changed_signature_does_not_hold),
        cmocka_unit_test(test_a_key_serves_the_algorithms_of_its_kind_only),
        cmocka_unit_test(test_another_key_of_the_same_kind_has_not_signed),
        cmocka_unit_test(test_ecdsa_numbers_out_of_range_do_not_hold),
        cmocka_unit_test(test_pss_wants_a_salt_as_long_as_the_hash),
        cmocka_unit_test(test_threads_share_a_key),
        cmocka_unit_test(test_rsa_keys_must_be_large_enough_and_odd),
        cmocka_unit_test(test_a_zero_before_the_modulus_does_no_harm),
        cmocka_unit_test(test_points_must_lie_on_their_curve),
        cmocka_unit_test(test_ed25519_points_that_protect_nothing_are_refused),
        cmocka_unit_test(test_a_secret_is_fit_for_hashes_of_its_length),
        cmocka_unit_test(test_pem_is_another_way_to_write_a_key),
        cmocka_unit_test(test_pem_of_other_keys_is_refused_with_words),
        cmocka_unit_test(test_names_are_those_of_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
