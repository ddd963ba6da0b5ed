/*
 * reload.c - nonet reload: the running node takes up its nonet.yaml as it is now.
 *
 * POST /v1/reload on the admin listener of the node in --data (admin_call.h). A config with
 * mistakes is refused whole, and the node goes on with the one it has. --json: {"reloaded":true}.
 */
#include "cli/admin_call.h"
#include "cli/http_call.h"

#include <stdio.h>

#define TIMEOUT_DEFAULT_NS (10 * 1000000000ull)

int cli_reload(const struct cli_call *call) {
    struct admin_call admin;
    _cleanup_buf_ struct buf body = buf_make(HTTP_CALL_BODY_MAX);
    int code = admin_call_open(call, TIMEOUT_DEFAULT_NS, &admin);
    if (code == CLI_OK)
        code = admin_call_ask(&admin, "POST", "/v1/reload", (slice){0}, &body);
    if (code == CLI_OK)
        puts(cli_flag(call, "json") ? "{\"reloaded\":true}" : "reloaded");
    admin_call_close(&admin);
    return code;
}
