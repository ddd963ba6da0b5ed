/*
 * reload.c - nonet reload: the running node takes up its nonet.yaml as it is now.
 *
 * POST /v1/reload on the admin listener of the node in --data, with the token that lies there (mode
 * 0600: who may read the folder may do this). A config with mistakes is refused whole, and the node
 * goes on with the one it has. --json: {"reloaded":true}.
 */
#include "base/mem.h"
#include "cli/http_call.h"
#include "cli/login.h"
#include "wire/json.h"

#include <errno.h>
#include <stdio.h>

#define DATA_DEFAULT ".nonet"
#define TOKEN_FILE_MAX 256u
#define TIMEOUT_DEFAULT_NS (10 * 1000000000ull)

static int read_token(struct io_host *host, const char *data, char **ret_token,
                      struct error *ret_error) {
    char path[1024];
    size_t size;
    if (snprintf(path, sizeof path, "%s/admin.token", data) >= (int)sizeof path)
        return error_set(ret_error, -ENAMETOOLONG, "the name of the data folder is too long");
    int failed = io_file_load(host, path, TOKEN_FILE_MAX, ret_token, &size);
    if (failed)
        error_set(ret_error, failed, "cannot read %s: %s", path, error_name(failed));
    return failed;
}

static int find_admin(struct io_host *host, const struct cli_call *call, const char *data,
                      struct login *login, struct error *ret_error) {
    char address[sizeof login->address];
    login->ca_file = cli_value(call, "tls-ca");
    login->insecure = cli_flag(call, "tls-insecure");
    login->tls = login->ca_file || login->insecure;
    int failed = login_read_ports(host, data, "admin", address, sizeof address, ret_error);
    return failed ? failed : login_read_url(slice_str(address), login, ret_error);
}

/* What a problem document (RFC 9457) says, or the body itself. */
static int refused(unsigned status, slice body) {
    struct json_doc doc;
    slice words;
    json_init(&doc);
    if (json_parse(&doc, body) || json_string(json_path(json_root(&doc), "detail"), &words))
        words = slice_trim(body);
    int code = cli_failed("the node refuses (%u): %.*s", status, slice_fmt(words));
    json_free(&doc);
    return code;
}

static int reload(const struct cli_call *call, struct io_host *host, uint64_t timeout_ns) {
    const char *data = cli_value(call, "data");
    struct login login = {.tls = false};
    struct error error = {0};
    char *token = NULL;
    unsigned status = 0;
    _cleanup_buf_ struct buf body = buf_make(HTTP_CALL_BODY_MAX);
    if (!data)
        data = DATA_DEFAULT;
    int failed = find_admin(host, call, data, &login, &error);
    if (!failed)
        failed = read_token(host, data, &token, &error);
    if (!failed) {
        const struct http_call http = {&login, "POST", "/v1/reload", token, timeout_ns};
        failed = http_call_run(host, &http, &status, &body, &error);
    }
    mem_free(token);
    if (failed)
        return cli_fail(&error);
    if (status < 200 || status > 299)
        return refused(status, buf_slice(&body));
    puts(cli_flag(call, "json") ? "{\"reloaded\":true}" : "reloaded");
    return CLI_OK;
}

int cli_reload(const struct cli_call *call) {
    struct io_host *host;
    uint64_t timeout_ns;
    if (!cli_duration(call, "timeout", TIMEOUT_DEFAULT_NS, &timeout_ns))
        return CLI_USAGE;
    if (io_host_create(&host))
        return cli_failed("no memory");
    int code = reload(call, host, timeout_ns);
    io_host_free(host);
    return code;
}
