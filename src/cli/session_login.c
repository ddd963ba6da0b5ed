/* session_login.c - see session_login.h. */
#include "cli/session_login.h"

#include "base/base32.h"
#include "base/base64.h"
#include "base/crc16.h"
#include "base/mem.h"
#include "io/crypto.h"
#include "io/process.h"
#include "wire/json.h"
#include "wire/json_write.h"

#include <errno.h>
#include <stdio.h>

#define CREDS_FILE_MAX (64u << 10)
#define SEED_BYTES 36 /* two of prefix, 32 of seed, crc16 */
#define DEFAULT_PORT "4222"
#define NKEY_LEN 56
#define NKEY_USER_PREFIX (20 << 3)

static int bad_url(slice url, struct error *ret_error) {
    error_set(ret_error, -EINVAL, "'%.*s' is not the address of a server", slice_fmt(url));
    error_hint(ret_error, "write nats://user:password@host:4222 or host:4222");
    return -EINVAL;
}

static int read_user(slice text, struct session_login *login) {
    slice password;
    slice user = slice_cut(text, ':', &password);
    if (!password.ptr)
        return slice_to_string(user, login->token, sizeof login->token);
    int failed = slice_to_string(user, login->user, sizeof login->user);
    return failed ? failed : slice_to_string(password, login->password, sizeof login->password);
}

static int read_url(slice url, struct session_login *login, struct error *ret_error) {
    slice rest = url;
    ptrdiff_t scheme = slice_find_slice(url, slice_lit("://"));
    if (scheme >= 0) {
        slice name = slice_take(url, (size_t)scheme);
        login->tls = slice_equal(name, slice_lit("tls"));
        if (!login->tls && !slice_equal(name, slice_lit("nats")))
            return bad_url(url, ret_error);
        rest = slice_skip(url, (size_t)scheme + 3);
    }
    while (rest.len && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    ptrdiff_t at = slice_find(rest, '@');
    if (at >= 0) {
        if (read_user(slice_take(rest, (size_t)at), login))
            return bad_url(url, ret_error);
        rest = slice_skip(rest, (size_t)at + 1);
    }
    if (!rest.len)
        return bad_url(url, ret_error);
    bool has_port = rest.ptr[rest.len - 1] != ']' && slice_find(rest, ':') >= 0;
    int written = snprintf(login->address, sizeof login->address, "%.*s%s", slice_fmt(rest),
                           has_port ? "" : ":" DEFAULT_PORT);
    return written >= (int)sizeof login->address ? bad_url(url, ret_error) : 0;
}

/* DATA/ports.json of a node on this machine. */
static int read_ports(struct io_host *host, const char *data, struct session_login *login,
                      struct error *ret_error) {
    char path[1024];
    snprintf(path, sizeof path, "%s/ports.json", data);
    char *text;
    size_t size;
    int failed = io_file_load(host, path, 64u << 10, &text, &size);
    if (failed) {
        error_set(ret_error, failed, "no node is known: there is no %s", path);
        error_hint(ret_error, "name one with --server nats://host:port, NATS_URL or --data DIR");
        return failed;
    }
    struct json_doc doc;
    json_init(&doc);
    slice address;
    failed = json_parse(&doc, slice_make(text, size));
    if (!failed)
        failed = json_string(json_member(json_root(&doc), slice_lit("nats")), &address);
    failed = failed ? error_set(ret_error, failed, "%s does not say where the node listens", path)
                    : read_url(address, login, ret_error);
    json_free(&doc);
    mem_free(text);
    return failed;
}

static int override(const struct cli_call *call, const char *name, char *into, size_t size,
                    struct error *ret_error) {
    const char *value = cli_value(call, name);
    if (!value || slice_to_string(slice_str(value), into, size) == 0)
        return 0;
    return error_set(ret_error, -EINVAL, "--%s is too long", name);
}

int session_login_find(struct io_host *host, const struct cli_call *call,
                       struct session_login *login, struct error *ret_error) {
    *login = (struct session_login){0};
    const char *url = cli_value(call, "server");
    const char *data = cli_value(call, "data");
    if (!url && !data)
        url = io_environment("NATS_URL");
    int failed = url ? read_url(slice_str(url), login, ret_error)
                     : read_ports(host, data ? data : ".nonet", login, ret_error);
    if (!failed)
        failed = override(call, "user", login->user, sizeof login->user, ret_error);
    if (!failed)
        failed = override(call, "password", login->password, sizeof login->password, ret_error);
    if (!failed)
        failed = override(call, "token", login->token, sizeof login->token, ret_error);
    const char *creds = cli_value(call, "creds");
    size_t size;
    if (!failed && creds) {
        failed = io_file_load(host, creds, CREDS_FILE_MAX, &login->creds, &size);
        if (failed)
            error_set(ret_error, failed, "cannot read %s: %s", creds, error_name(failed));
    }
    return failed;
}

void session_login_free(struct session_login *login) {
    login->creds = mem_free(login->creds);
}

/* --- CONNECT
 * ------------------------------------------------------------------------------------------- */

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

static int prove(slice seed, slice nonce, struct proof *proof) {
    unsigned char bytes[SEED_BYTES], key[32], signature[64];
    size_t len;
    int failed = base32_decode(seed, bytes, sizeof bytes, &len);
    if (!failed && len != SEED_BYTES)
        failed = -EINVAL;
    if (!failed)
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

static void write_text(struct json_writer *w, const char *key, slice text) {
    if (text.len) {
        json_write_key(w, key);
        json_write_string(w, text);
    }
}

int session_login_connect(const struct session_login *login, slice nonce, bool tls, struct buf *out,
                          struct error *ret_error) {
    slice creds = slice_str(login->creds);
    slice jwt = section(creds, slice_lit("-----BEGIN NATS USER JWT"));
    slice seed = section(creds, slice_lit("-----BEGIN USER NKEY SEED"));
    if (creds.len && !seed.len)
        seed = slice_trim(slice_cut(creds, '\n', &(slice){0}));
    struct proof proof = {.signature_len = 0};
    if (seed.len && prove(seed, nonce, &proof))
        return error_set(ret_error, -EINVAL, "the --creds file holds no usable nkey seed");
    int failed = buf_append(out, slice_lit("CONNECT "));
    struct json_writer w = json_writer_make(out, false);
    json_write_object(&w);
    json_write_key(&w, "verbose");
    json_write_bool(&w, false);
    json_write_key(&w, "pedantic");
    json_write_bool(&w, false);
    json_write_key(&w, "headers");
    json_write_bool(&w, true);
    json_write_key(&w, "no_responders");
    json_write_bool(&w, true);
    json_write_key(&w, "tls_required");
    json_write_bool(&w, tls);
    write_text(&w, "name", slice_lit("nonet"));
    write_text(&w, "lang", slice_lit("c"));
    write_text(&w, "version", slice_lit(NONET_VERSION));
    write_text(&w, "user", slice_str(login->user));
    write_text(&w, "pass", slice_str(login->password));
    write_text(&w, "auth_token", slice_str(login->token));
    write_text(&w, "jwt", jwt);
    if (seed.len && !jwt.len)
        write_text(&w, "nkey", slice_make(proof.nkey, NKEY_LEN));
    write_text(&w, "sig", slice_make(proof.signature, proof.signature_len));
    json_write_end(&w);
    if (json_write_finish(&w) || failed || buf_append(out, slice_lit("\r\n")))
        return error_set(ret_error, -ENOMEM, "no memory to log in");
    return 0;
}
