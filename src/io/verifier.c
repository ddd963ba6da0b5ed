#include "io/verifier.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define EXPONENT_BITS_MAX 64 /* real ones have 17; a long one makes each check slow */
#define COORDINATE_MAX 66    /* bytes of a number of P-521 */
#define DER_MAX 160          /* two such numbers as DER */
#define ED25519_BYTES 32u

enum kind { KIND_RSA, KIND_P256, KIND_P384, KIND_P521, KIND_ED25519, KIND_SECRET };

struct io_verifier {
    enum kind kind;
    uint32_t signatures;
    EVP_PKEY *key;           /* NULL for a secret */
    size_t signature_bytes;  /* 0 for a secret, whose algorithms differ in that */
    size_t coordinate_bytes; /* 0 but for the curves of ECDSA */
    size_t secret_len;
    char secret[];
};

struct algorithm {
    const char *name;
    enum kind kind;
    const EVP_MD *(*digest)(void); /* NULL: the algorithm has its own */
    bool pss;
};

static const struct algorithm algorithms[IO_SIGNATURES] = {
    [IO_RS256] = {"RS256", KIND_RSA, EVP_sha256, false},
    [IO_RS384] = {"RS384", KIND_RSA, EVP_sha384, false},
    [IO_RS512] = {"RS512", KIND_RSA, EVP_sha512, false},
    [IO_PS256] = {"PS256", KIND_RSA, EVP_sha256, true},
    [IO_PS384] = {"PS384", KIND_RSA, EVP_sha384, true},
    [IO_PS512] = {"PS512", KIND_RSA, EVP_sha512, true},
    [IO_ES256] = {"ES256", KIND_P256, EVP_sha256, false},
    [IO_ES384] = {"ES384", KIND_P384, EVP_sha384, false},
    [IO_ES512] = {"ES512", KIND_P521, EVP_sha512, false},
    [IO_EDDSA] = {"EdDSA", KIND_ED25519, NULL, false},
    [IO_HS256] = {"HS256", KIND_SECRET, EVP_sha256, false},
    [IO_HS384] = {"HS384", KIND_SECRET, EVP_sha384, false},
    [IO_HS512] = {"HS512", KIND_SECRET, EVP_sha512, false},
};

struct curve {
    const char *name;  /* of JWK */
    const char *group; /* of OpenSSL */
    enum kind kind;
    size_t bytes; /* of a coordinate, and of each half of a signature */
};

static const struct curve curves[] = {
    {"P-256", "prime256v1", KIND_P256, 32},
    {"P-384", "secp384r1", KIND_P384, 48},
    {"P-521", "secp521r1", KIND_P521, COORDINATE_MAX},
};

static const unsigned char *bytes_of(slice s) {
    return (const unsigned char *)(s.len ? s.ptr : "");
}

const char *io_signature_name(enum io_signature algorithm) {
    check(algorithm < IO_SIGNATURES);
    return algorithms[algorithm].name;
}

int io_signature_named(slice name, enum io_signature *ret_algorithm) {
    for (enum io_signature i = 0; i < IO_SIGNATURES; i++) {
        if (slice_equal(name, slice_str(algorithms[i].name))) {
            *ret_algorithm = i;
            return 0;
        }
    }
    return -EINVAL;
}

/* --- keys ----------------------------------------------------------------------------------- */

struct io_verifier *io_verifier_free(struct io_verifier *v) {
    if (!v)
        return NULL;
    EVP_PKEY_free(v->key);
    OPENSSL_cleanse(v->secret, v->secret_len);
    return mem_free(v);
}

uint32_t io_verifier_signatures(const struct io_verifier *v) {
    return v->signatures;
}

static uint32_t signatures_of(enum kind kind) {
    uint32_t signatures = 0;
    for (enum io_signature i = 0; i < IO_SIGNATURES; i++)
        if (algorithms[i].kind == kind)
            signatures |= IO_SIGNATURE_BIT(i);
    return signatures;
}

/* Wraps KEY, which is the verifier's from now on, also on failure. */
static int wrap(EVP_PKEY *key, enum kind kind, struct io_verifier **ret_verifier,
                struct error *ret_error) {
    struct io_verifier *v = mem_zalloc(1, sizeof *v);
    if (!v) {
        EVP_PKEY_free(key);
        return error_set(ret_error, -ENOMEM, "no memory for a key");
    }
    v->kind = kind;
    v->signatures = signatures_of(kind);
    v->key = key;
    for (size_t i = 0; i < array_count(curves); i++)
        if (curves[i].kind == kind)
            v->coordinate_bytes = curves[i].bytes;
    v->signature_bytes =
        v->coordinate_bytes ? 2 * v->coordinate_bytes : (size_t)EVP_PKEY_get_size(key);
    *ret_verifier = v;
    return 0;
}

static int judge_rsa(EVP_PKEY *key, struct error *ret_error) {
    BIGNUM *modulus = NULL, *exponent = NULL;
    int failed = -EINVAL;
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1 ||
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
        error_set(ret_error, -EINVAL, "an RSA key without its two numbers");
    else if (BN_num_bits(modulus) < IO_RSA_BITS_MIN || BN_num_bits(modulus) > IO_RSA_BITS_MAX)
        error_set(ret_error, -EINVAL, "an RSA key of %d bits; %d to %d are allowed",
                  BN_num_bits(modulus), IO_RSA_BITS_MIN, IO_RSA_BITS_MAX);
    else if (!BN_is_odd(modulus) || !BN_is_odd(exponent) || BN_is_one(exponent) ||
             BN_num_bits(exponent) > EXPONENT_BITS_MAX)
        error_set(ret_error, -EINVAL, "the numbers are not those of an RSA key");
    else
        failed = 0;
    BN_free(modulus);
    BN_free(exponent);
    return failed;
}

static int wrap_rsa(EVP_PKEY *key, struct io_verifier **ret_verifier, struct error *ret_error) {
    int failed = judge_rsa(key, ret_error);
    if (!failed)
        return wrap(key, KIND_RSA, ret_verifier, ret_error);
    EVP_PKEY_free(key);
    return failed;
}

/* y of the points whose order divides 8, the sign of x left out. With one of them as the key there
   are signatures that hold although nobody has a private key. */
static const unsigned char small_order[][ED25519_BYTES] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

static int judge_ed25519(const unsigned char point[ED25519_BYTES], struct error *ret_error) {
    static const unsigned char prime_low = 0xed; /* p = 2^255 - 19, little end first */
    unsigned char y[ED25519_BYTES];
    memcpy(y, point, sizeof y);
    y[ED25519_BYTES - 1] &= 0x7f; /* the sign of x */
    bool below_prime = y[0] < prime_low || y[ED25519_BYTES - 1] != 0x7f;
    for (size_t i = 1; i < ED25519_BYTES - 1 && !below_prime; i++)
        below_prime = y[i] != 0xff;
    if (!below_prime)
        return error_set(ret_error, -EINVAL, "not a point of Ed25519");
    for (size_t i = 0; i < array_count(small_order); i++)
        if (memcmp(y, small_order[i], sizeof y) == 0)
            return error_set(ret_error, -EINVAL, "an Ed25519 point that protects nothing");
    return 0;
}

/* The key of TYPE with the parameters in BUILDER, which is freed; or NULL. */
static EVP_PKEY *build_key(const char *type, OSSL_PARAM_BLD *builder) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!parameters || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    ERR_clear_error();
    return key;
}

int io_verifier_rsa(slice modulus, slice exponent, struct io_verifier **ret_verifier,
                    struct error *ret_error) {
    if (modulus.len > IO_RSA_BITS_MAX / 8 + 1 || exponent.len > IO_RSA_BITS_MAX / 8)
        return error_set(ret_error, -EINVAL, "an RSA key of more than %d bits", IO_RSA_BITS_MAX);
    BIGNUM *n = BN_bin2bn(bytes_of(modulus), (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(bytes_of(exponent), (int)exponent.len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = build_key("RSA", builder);
    else
        OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    if (!key)
        return error_set(ret_error, -EINVAL, "the numbers are not those of an RSA key");
    return wrap_rsa(key, ret_verifier, ret_error);
}

static bool on_curve(EVP_PKEY *key) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool valid = context && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return valid;
}

static int wrap_point(EVP_PKEY *key, enum kind kind, struct io_verifier **ret_verifier,
                      struct error *ret_error) {
    if (key && on_curve(key))
        return wrap(key, kind, ret_verifier, ret_error);
    EVP_PKEY_free(key);
    return error_set(ret_error, -EINVAL, "the point is not on its curve");
}

int io_verifier_ec(slice name, slice x, slice y, struct io_verifier **ret_verifier,
                   struct error *ret_error) {
    const struct curve *curve = NULL;
    for (size_t i = 0; i < array_count(curves); i++)
        if (slice_equal(name, slice_str(curves[i].name)))
            curve = &curves[i];
    if (!curve)
        return error_set(ret_error, -EINVAL, "the curve '%.*s' is not known",
                         slice_fmt(slice_take(name, 32)));
    if (x.len != curve->bytes || y.len != curve->bytes)
        return error_set(ret_error, -EINVAL, "a coordinate of %s has %zu bytes", curve->name,
                         curve->bytes);
    unsigned char point[1 + 2 * COORDINATE_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, x.ptr, x.len);
    memcpy(point + 1 + x.len, y.ptr, y.len);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + x.len + y.len) == 1)
        key = build_key("EC", builder);
    else
        OSSL_PARAM_BLD_free(builder);
    return wrap_point(key, curve->kind, ret_verifier, ret_error);
}

int io_verifier_ed25519(slice public_key, struct io_verifier **ret_verifier,
                        struct error *ret_error) {
    if (public_key.len != ED25519_BYTES)
        return error_set(ret_error, -EINVAL, "a key of Ed25519 has %u bytes", ED25519_BYTES);
    int failed = judge_ed25519(bytes_of(public_key), ret_error);
    if (failed)
        return failed;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes_of(public_key), public_key.len);
    if (!key)
        return error_set(ret_error, -ENOMEM, "no memory for a key");
    return wrap(key, KIND_ED25519, ret_verifier, ret_error);
}

int io_verifier_secret(slice secret, struct io_verifier **ret_verifier, struct error *ret_error) {
    if (secret.len < IO_SECRET_BYTES_MIN || secret.len > IO_SECRET_BYTES_MAX)
        return error_set(ret_error, -EINVAL, "a secret of %zu bytes; %u to %u are allowed",
                         secret.len, IO_SECRET_BYTES_MIN, IO_SECRET_BYTES_MAX);
    struct io_verifier *v = mem_zalloc(1, sizeof *v + secret.len);
    if (!v)
        return error_set(ret_error, -ENOMEM, "no memory for a key");
    v->kind = KIND_SECRET;
    v->secret_len = secret.len;
    memcpy(v->secret, secret.ptr, secret.len);
    for (enum io_signature i = 0; i < IO_SIGNATURES; i++)
        if (algorithms[i].kind == KIND_SECRET &&
            secret.len >= (size_t)EVP_MD_get_size(algorithms[i].digest()))
            v->signatures |= IO_SIGNATURE_BIT(i);
    *ret_verifier = v;
    return 0;
}

/* --- PEM ------------------------------------------------------------------------------------ */

/* OpenSSL would ask the terminal. */
static int no_password(char *out, int size, int writing, void *user) {
    (void)out, (void)size, (void)writing, (void)user;
    return -1;
}

/* The key in the first public key or else the first certificate of PEM, or NULL. */
static EVP_PKEY *read_pem(slice pem) {
    BIO *bio = BIO_new_mem_buf(bytes_of(pem), (int)pem.len);
    if (!bio)
        return NULL;
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (!key && (bio = BIO_new_mem_buf(bytes_of(pem), (int)pem.len))) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        key = certificate ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
        BIO_free(bio);
    }
    ERR_clear_error();
    return key;
}

/* A curve of ours, or NULL. */
static const struct curve *curve_of(EVP_PKEY *key) {
    char group[64];
    size_t len;
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1)
        for (size_t i = 0; i < array_count(curves); i++)
            if (slice_equal(slice_make(group, len), slice_str(curves[i].group)))
                return &curves[i];
    ERR_clear_error();
    return NULL;
}

int io_verifier_pem(slice pem, struct io_verifier **ret_verifier, struct error *ret_error) {
    if (pem.len > IO_PEM_BYTES_MAX)
        return error_set(ret_error, -EINVAL, "more than %zu bytes of PEM", IO_PEM_BYTES_MAX);
    if (slice_find_slice(pem, slice_lit("PRIVATE KEY-----")) >= 0) {
        error_set(ret_error, -EINVAL, "this is a private key, and checking takes the public one");
        error_hint(ret_error, "openssl pkey -in KEY -pubout");
        return -EINVAL;
    }
    EVP_PKEY *key = read_pem(pem);
    if (!key) {
        error_set(ret_error, -EINVAL, "no public key can be read here");
        error_hint(ret_error, "PEM begins with -----BEGIN PUBLIC KEY----- or a certificate");
        return -EINVAL;
    }
    const struct curve *curve = curve_of(key);
    if (curve)
        return wrap_point(key, curve->kind, ret_verifier, ret_error);
    if (EVP_PKEY_is_a(key, "RSA"))
        return wrap_rsa(key, ret_verifier, ret_error);
    unsigned char point[ED25519_BYTES];
    size_t len = sizeof point;
    bool raw = EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, point, &len) == 1;
    EVP_PKEY_free(key);
    if (raw)
        return io_verifier_ed25519(slice_make(point, len), ret_verifier, ret_error);
    return error_set(ret_error, -EINVAL, "a key neither of RSA nor of a curve that is known");
}

/* --- checking ------------------------------------------------------------------------------- */

static int check_secret(const struct io_verifier *v, const struct algorithm *a, slice message,
                        slice signature) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!HMAC(a->digest(), v->secret, (int)v->secret_len, bytes_of(message), message.len, digest,
              &size))
        return -ENOMEM;
    bool holds = signature.len == size && CRYPTO_memcmp(digest, signature.ptr, size) == 0;
    return holds ? 0 : -EBADMSG;
}

/* Turns a JWS's two numbers of BYTES each into DER. Returns its length, 0 where it cannot be. */
static size_t der_of(slice signature, size_t bytes, unsigned char der[DER_MAX]) {
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes_of(signature), (int)bytes, NULL);
    BIGNUM *s = BN_bin2bn(bytes_of(signature) + bytes, (int)bytes, NULL);
    int len = 0;
    if (numbers && r && s && ECDSA_SIG_set0(numbers, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        len = i2d_ECDSA_SIG(numbers, NULL);
        check(len <= DER_MAX);
        len = i2d_ECDSA_SIG(numbers, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(numbers);
    return len > 0 ? (size_t)len : 0;
}

static int check_public(const struct io_verifier *v, const struct algorithm *a, slice message,
                        slice signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* the context's */
    if (!context)
        return -ENOMEM;
    bool holds = EVP_DigestVerifyInit(context, &parameters, a->digest ? a->digest() : NULL, NULL,
                                      v->key) == 1;
    if (holds && a->pss)
        holds = EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1;
    holds = holds && EVP_DigestVerify(context, bytes_of(signature), signature.len,
                                      bytes_of(message), message.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return holds ? 0 : -EBADMSG;
}

int io_verifier_check(const struct io_verifier *v, enum io_signature algorithm, slice message,
                      slice signature) {
    check(algorithm < IO_SIGNATURES);
    if (!(v->signatures & IO_SIGNATURE_BIT(algorithm)))
        return -EINVAL;
    const struct algorithm *a = &algorithms[algorithm];
    check(a->kind == v->kind);
    if (v->kind == KIND_SECRET)
        return check_secret(v, a, message, signature);
    if (signature.len != v->signature_bytes)
        return -EBADMSG;
    if (!v->coordinate_bytes)
        return check_public(v, a, message, signature);
    unsigned char der[DER_MAX];
    size_t len = der_of(signature, v->coordinate_bytes, der);
    return len ? check_public(v, a, message, slice_make(der, len)) : -ENOMEM;
}
