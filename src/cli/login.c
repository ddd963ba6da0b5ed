/* login.c - see login.h. */
#include "cli/login.h"

#include "base/base32.h"
#include "base/base64.h"
#include "base/crc16.h"
#include "base/mem.h"
#include "io/crypto.h"
#include "io/process.h"
#include "wire/json.h"
#include "wire/json_write.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

#define CREDS_FILE_MAX (64u << 10)
#define PORTS_FILE_MAX (64u << 10)
#define SEED_BYTES 36        /* two of prefix, 32 of seed, crc16 */
#define SEED_USER_FIRST 0x95 /* with 5 bits each: 'S' (seed), 'U' (of a user), and three of 0 */
#define DEFAULT_ADDRESS "127.0.0.1:4222"
#define DEFAULT_PORT 4222u
#define DEFAULT_DATA ".nonet"
#define NKEY_LEN 56
#define NKEY_USER_PREFIX (20 << 3)

/* --- URL -------------------------------------------------------------------------------------- */

static int bad_url(slice url, struct error *ret_error) {
    /* Of a URL only what stands behind '@' is shown: before it there may be a password. */
    ptrdiff_t at;
    while ((at = slice_find(url, '@')) >= 0)
        url = slice_skip(url, (size_t)at + 1);
    error_set(ret_error, -EINVAL, "'%.*s' is not the address of a server", slice_fmt(url));
    error_hint(ret_error, "write nats://user:password@host:4222 or host:4222");
    return -EINVAL;
}

/* TEXT without its escapes into OUT, which holds LOGIN_NAME_MAX bytes. */
static int unescape(slice text, char *out) {
    char decoded[LOGIN_NAME_MAX];
    size_t len;
    if (text.len >= sizeof decoded || url_decode(text, false, decoded, &len))
        return -EINVAL;
    return slice_to_string(slice_make(decoded, len), out, LOGIN_NAME_MAX);
}

static int read_user(slice text, struct login *login) {
    slice password;
    slice user = slice_cut(text, ':', &password);
    if (!password.ptr)
        return unescape(user, login->token);
    int failed = unescape(user, login->user);
    return failed ? failed : unescape(password, login->password);
}

static int read_place(slice text, struct login *login) {
    struct url_authority place;
    if (url_parse_authority(text, &place) || (place.has_port && place.port == 0))
        return -EINVAL;
    int failed = slice_to_string(place.host, login->host, sizeof login->host);
    snprintf(login->address, sizeof login->address, place.is_ipv6 ? "[%s]:%u" : "%s:%u",
             login->host, place.has_port ? place.port : DEFAULT_PORT);
    return failed;
}

int login_read_url(slice url, struct login *login, struct error *ret_error) {
    slice rest = url;
    bool tls = false;
    ptrdiff_t scheme = slice_find_slice(url, slice_lit("://"));
    if (scheme >= 0) {
        slice name = slice_take(url, (size_t)scheme);
        tls = slice_equal_nocase(name, slice_lit("tls"));
        if (!tls && !slice_equal_nocase(name, slice_lit("nats")))
            return bad_url(url, ret_error);
        rest = slice_skip(url, (size_t)scheme + 3);
    }
    while (rest.len && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    const char *at = rest.len ? memrchr(rest.ptr, '@', rest.len) : NULL;
    if (at) {
        size_t len = (size_t)(at - rest.ptr);
        if (read_user(slice_take(rest, len), login))
            return bad_url(url, ret_error);
        rest = slice_skip(rest, len + 1);
    }
    if (read_place(rest, login))
        return bad_url(url, ret_error);
    login->tls |= tls;
    return 0;
}

/* --- finding ---------------------------------------------------------------------------------- */

int login_read_ports(struct io_host *host, const char *data, const char *listener,
                     char *ret_address, size_t size, struct error *ret_error) {
    char path[1024], *text;
    size_t text_size;
    if (snprintf(path, sizeof path, "%s/ports.json", data) >= (int)sizeof path)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the data folder is too long");
    int failed = io_file_load(host, path, PORTS_FILE_MAX, &text, &text_size);
    if (failed) {
        error_set(ret_error, failed, "no node is known: cannot read %s: %s", path,
                  error_name(failed));
        error_hint(ret_error, "is the node running? --data DIR names its data folder");
        return failed;
    }
    struct json_doc doc;
    json_init(&doc);
    slice address;
    failed = json_parse(&doc, slice_make(text, text_size));
    if (!failed)
        failed = json_string(json_member(json_root(&doc), slice_str(listener)), &address);
    if (!failed)
        failed = slice_to_string(address, ret_address, size);
    if (failed)
        error_set(ret_error, failed = -EINVAL, "%s does not say where '%s' listens", path,
                  listener);
    json_free(&doc);
    mem_free(text);
    return failed;
}

/* The address in ports.json, or the default one where nobody named a folder and there is none. */
static int find_local(struct io_host *host, const char *data, struct login *login,
                      struct error *ret_error) {
    char address[sizeof login->address];
    int failed = login_read_ports(host, data ? data : DEFAULT_DATA, "nats", address, sizeof address,
                                  ret_error);
    if (failed == -ENOENT && !data)
        return login_read_url(slice_lit(DEFAULT_ADDRESS), login, NULL);
    return failed ? failed : login_read_url(slice_str(address), login, ret_error);
}

static int override(const struct cli_call *call, const char *name, char into[LOGIN_NAME_MAX],
                    struct error *ret_error) {
    const char *value = cli_value(call, name);
    if (!value || slice_to_string(slice_str(value), into, LOGIN_NAME_MAX) == 0)
        return 0;
    return error_set(ret_error, -EINVAL, "--%s is too long", name);
}

static int read_options(struct io_host *host, const struct cli_call *call, struct login *login,
                        struct error *ret_error) {
    login->ca_file = cli_value(call, "tls-ca");
    login->certificate_file = cli_value(call, "tls-cert");
    login->key_file = cli_value(call, "tls-key");
    login->insecure = cli_flag(call, "tls-insecure");
    login->tls |= login->ca_file || login->certificate_file || login->key_file || login->insecure;
    int failed = override(call, "user", login->user, ret_error);
    if (!failed)
        failed = override(call, "password", login->password, ret_error);
    if (!failed)
        failed = override(call, "token", login->token, ret_error);
    const char *creds = cli_value(call, "creds");
    size_t size;
    if (!failed && creds) {
        failed = io_file_load(host, creds, CREDS_FILE_MAX, &login->creds, &size);
        if (failed)
            error_set(ret_error, failed, "cannot read %s: %s", creds, error_name(failed));
    }
    return failed;
}

int login_find(struct io_host *host, const struct cli_call *call, struct login *ret_login,
               struct error *ret_error) {
    struct login login = {.tls = false};
    const char *url = cli_value(call, "server");
    const char *data = cli_value(call, "data");
    if (!url && !data)
        url = io_environment("NATS_URL");
    int failed = url && *url ? login_read_url(slice_str(url), &login, ret_error)
                             : find_local(host, data, &login, ret_error);
    if (!failed)
        failed = read_options(host, call, &login, ret_error);
    if (!failed)
        *ret_login = login;
    return failed;
}

void login_free(struct login *login) {
    login->creds = mem_free(login->creds);
}

int login_make_tls(struct io_host *host, const struct login *login, struct io_tls **ret_tls,
                   struct error *ret_error) {
    struct io_tls_options options = {
        .ca_file = login->ca_file,
        .cert_file = login->certificate_file,
        .key_file = login->key_file,
        .verify_peer = !login->insecure,
        .server_name = login->host,
    };
    return io_tls_create(host, &options, ret_tls, ret_error);
}

/* --- CONNECT ---------------------------------------------------------------------------------- */

/* The line behind "-----BEGIN WHAT-----", or empty. */
static slice section(slice creds, slice what) {
    ptrdiff_t at = slice_find_slice(creds, what);
    if (at < 0)
        return (slice){0};
    slice rest = slice_skip(creds, (size_t)at);
    ptrdiff_t line_end = slice_find(rest, '\n');
    if (line_end < 0)
        return (slice){0};
    slice after;
    slice line = slice_cut(slice_skip(rest, (size_t)line_end + 1), '\n', &after);
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return slice_trim(line);
}

/* A file with nothing but a seed: its first line that is not empty. */
static slice bare_seed(slice creds) {
    while (creds.len) {
        slice line = slice_cut(creds, '\n', &creds);
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        line = slice_trim(line);
        if (line.len)
            return line;
    }
    return (slice){0};
}

struct proof {
    char nkey[NKEY_LEN], signature[96];
    size_t signature_len;
};

/* The public key as text: base32 of prefix, key and little-endian CRC-16. */
static void write_nkey(const unsigned char key[32], char out[NKEY_LEN]) {
    unsigned char bytes[35] = {NKEY_USER_PREFIX};
    memcpy(bytes + 1, key, 32);
    unsigned crc = crc16_update(0, bytes, 33);
    bytes[33] = (unsigned char)(crc & 0xff);
    bytes[34] = (unsigned char)(crc >> 8);
    base32_encode(slice_make(bytes, sizeof bytes), out);
}

/* SEED is two bytes that say "a user's seed", 32 of seed and a checksum, in base32. */
static int prove(slice seed, slice nonce, struct proof *proof) {
    unsigned char bytes[SEED_BYTES], key[32], signature[64];
    size_t len;
    int failed = base32_decode(seed, bytes, sizeof bytes, &len);
    if (failed || len != SEED_BYTES || bytes[0] != SEED_USER_FIRST || bytes[1] != 0)
        return -EINVAL;
    unsigned crc = crc16_update(0, bytes, SEED_BYTES - 2);
    if (bytes[SEED_BYTES - 2] != (crc & 0xff) || bytes[SEED_BYTES - 1] != crc >> 8)
        return -EINVAL;
    failed = io_ed25519_public(bytes + 2, key);
    if (!failed)
        failed = io_ed25519_sign(bytes + 2, nonce, signature);
    if (failed)
        return failed;
    write_nkey(key, proof->nkey);
    proof->signature_len =
        base64_encode(BASE64_URL_RAW, slice_make(signature, sizeof signature), proof->signature);
    return 0;
}

int login_write_connect(const struct login *login, slice nonce, bool tls, struct buf *out,
                        struct error *ret_error) {
    slice creds = slice_str(login->creds);
    slice jwt = section(creds, slice_lit("-----BEGIN NATS USER JWT"));
    slice seed = section(creds, slice_lit("-----BEGIN USER NKEY SEED"));
    struct proof proof = {.signature_len = 0};
    if (creds.len && !seed.len)
        seed = bare_seed(creds);
    if (login->creds && prove(seed, nonce, &proof))
        return error_set(ret_error, -EINVAL, "the --creds file holds no usable nkey seed");
    int failed = buf_append(out, slice_lit("CONNECT "));
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_put_bool(&w, "verbose", false);
    json_put_bool(&w, "pedantic", false);
    json_put_bool(&w, "headers", true);
    json_put_bool(&w, "no_responders", true);
    json_put_bool(&w, "tls_required", tls);
    json_write_key(&w, "protocol");
    json_write_u64(&w, 1);
    json_put_nonempty(&w, "name", slice_lit("nonet"));
    json_put_nonempty(&w, "lang", slice_lit("c"));
    json_put_nonempty(&w, "version", slice_lit(NONET_VERSION));
    json_put_nonempty(&w, "user", slice_str(login->user));
    json_put_nonempty(&w, "pass", slice_str(login->password));
    json_put_nonempty(&w, "auth_token", slice_str(login->token));
    json_put_nonempty(&w, "jwt", jwt);
    if (proof.signature_len && !jwt.len)
        json_put_nonempty(&w, "nkey", slice_make(proof.nkey, NKEY_LEN));
    json_put_nonempty(&w, "sig", slice_make(proof.signature, proof.signature_len));
    json_write_end(&w);
    if (json_write_finish(&w) || failed || buf_append(out, slice_lit("\r\n")))
        return error_set(ret_error, -ENOMEM, "no memory to log in");
    return 0;
}
