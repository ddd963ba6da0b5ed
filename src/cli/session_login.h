/*
 * session_login.h - where a session connects and who it is: URL, credentials, the CONNECT line.
 *
 * --server takes nats://[user[:password]@]host[:port], tls://..., or host:port; a user without a
 * password is a token, as every NATS client reads it. --creds names a file with a user's JWT and
 * nkey seed between the usual BEGIN and END lines, or a bare seed.
 */
#ifndef NONET_CLI_SESSION_LOGIN_H
#define NONET_CLI_SESSION_LOGIN_H

#include "base/buf.h"
#include "cli/cli.h"
#include "io/file.h"

struct session_login {
    char address[300];
    bool tls; /* asked for by the URL; the server may ask, too */
    char user[256], password[256], token[256];
    char *creds; /* content of the file, NULL for none */
};

/* 0, or negative with words. */
must_use int session_login_find(struct io_host *host, const struct cli_call *call,
                                struct session_login *ret_login, struct error *ret_error);
void session_login_free(struct session_login *login);
/* "CONNECT {...}\r\n" for a server whose INFO had NONCE (may be empty). */
must_use int session_login_connect(const struct session_login *login, slice nonce, bool tls,
                                   struct buf *out, struct error *ret_error);

#endif
