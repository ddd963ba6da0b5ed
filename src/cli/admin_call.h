/*
 * admin_call.h - verbs that ask the admin listener of the node in --data (reload, events).
 *
 * The listener's address is in DATA/ports.json, the token in DATA/admin.token (mode 0600: who may
 * read the folder may ask). Options of such a verb: --data, --timeout, --tls-ca, --tls-insecure.
 * A failure is complained about here, so a verb ends with the exit code that it is given.
 */
#ifndef NONET_CLI_ADMIN_CALL_H
#define NONET_CLI_ADMIN_CALL_H

#include "base/buf.h"
#include "cli/login.h"
#include "wire/json.h"

struct admin_call {
    struct io_host *host;
    struct login login;
    char *token;
    uint64_t timeout_ns;
    void (*on_bytes)(void *self, slice all); /* of the answer, as in http_call.h; may be NULL */
    void *self;
};

/* TIMEOUT_NS: where --timeout is not given. CLI_OK, or an exit code. Close in any case. */
int admin_call_open(const struct cli_call *call, uint64_t timeout_ns, struct admin_call *ret_admin);
void admin_call_close(struct admin_call *admin);

/* One request; BODY is JSON, or empty. CLI_OK with the status and the answer in OUT, whatever the
   status is. */
int admin_call_request(struct admin_call *admin, const char *method, const char *path, slice body,
                       unsigned *ret_status, struct buf *out);
/* The same where every status but 200 to 299 is a failure, with the words of the answer. */
int admin_call_ask(struct admin_call *admin, const char *method, const char *path, slice body,
                   struct buf *out);
/* What a problem document (RFC 9457) says, or BODY itself; returns CLI_FAILED. */
int admin_call_refused(unsigned status, slice body);

#endif
