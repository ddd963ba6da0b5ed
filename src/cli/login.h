/*
 * login.h - where the command line connects and who it is: URL, credentials, TLS, the CONNECT line.
 *
 * The node is the first of: --server; NATS_URL (unless --data names a folder); "nats" in
 * DATA/ports.json, which a running node keeps (DATA: --data, else ./.nonet); and where there is no
 * ./.nonet, the default listener 127.0.0.1:4222.
 *
 * A URL is nats://[user[:password]@]host[:port], tls://..., or host:port; escapes (%40) in user and
 * password are undone; a user without a password is a token, as every NATS client reads it. --user,
 * --password and --token replace what the URL says. --creds names a file with a user's JWT and nkey
 * seed between the usual BEGIN and END lines, or a bare seed.
 *
 * Secrets are kept in memory as long as the login lives and are never printed.
 */
#ifndef NONET_CLI_LOGIN_H
#define NONET_CLI_LOGIN_H

#include "base/buf.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/tls.h"

#define LOGIN_NAME_MAX 256u /* of a host, user, password or token, with its NUL */

struct login {
    char address[LOGIN_NAME_MAX + 8]; /* host:port, [v6]:port */
    char host[LOGIN_NAME_MAX];        /* without brackets and port: what the certificate must say */
    char user[LOGIN_NAME_MAX], password[LOGIN_NAME_MAX], token[LOGIN_NAME_MAX];
    char *creds;                                       /* content of the file, NULL for none */
    const char *ca_file, *certificate_file, *key_file; /* --tls-...; NULL: not given */
    bool tls;      /* asked for by the URL or a --tls option; the server may ask, too */
    bool insecure; /* --tls-insecure: whose certificate it is does not matter */
};

/* 0, or negative with words. */
must_use int login_find(struct io_host *host, const struct cli_call *call, struct login *ret_login,
                        struct error *ret_error);
void login_free(struct login *login);

/* TEXT of DATA/ports.json: the address of LISTENER ("nats", "admin"). 0, or negative with words
   (no such file: -ENOENT). */
must_use int login_read_ports(struct io_host *host, const char *data, const char *listener,
                              char *ret_address, size_t size, struct error *ret_error);

/* Reads URL over what LOGIN says of address, user and TLS. 0 or -EINVAL with words. */
must_use int login_read_url(slice url, struct login *login, struct error *ret_error);

/* "CONNECT {...}\r\n" for a server whose INFO had NONCE (may be empty). 0 or negative with words.
 */
must_use int login_write_connect(const struct login *login, slice nonce, bool tls, struct buf *out,
                                 struct error *ret_error);

/* The TLS context for this server: its certificate is checked unless --tls-insecure. */
must_use int login_make_tls(struct io_host *host, const struct login *login,
                            struct io_tls **ret_tls, struct error *ret_error);

#endif
