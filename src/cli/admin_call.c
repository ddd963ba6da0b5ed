/* admin_call.c - see admin_call.h. */
#include "cli/admin_call.h"

#include "base/mem.h"
#include "cli/http_call.h"

#include <errno.h>
#include <stdio.h>

#define DATA_DEFAULT ".nonet"
#define TOKEN_FILE_MAX 256u

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

int admin_call_open(const struct cli_call *call, uint64_t timeout_ns, struct admin_call *admin) {
    const char *data = cli_value(call, "data");
    struct error error = {0};
    *admin = (struct admin_call){.login = {.tls = false}};
    if (!data)
        data = DATA_DEFAULT;
    if (!cli_duration(call, "timeout", timeout_ns, &admin->timeout_ns))
        return CLI_USAGE;
    if (io_host_create(&admin->host))
        return cli_failed("no memory");
    int failed = find_admin(admin->host, call, data, &admin->login, &error);
    if (!failed)
        failed = read_token(admin->host, data, &admin->token, &error);
    return failed ? cli_fail(&error) : CLI_OK;
}

void admin_call_close(struct admin_call *admin) {
    mem_free(admin->token);
    if (admin->host)
        io_host_free(admin->host);
}

int admin_call_request(struct admin_call *admin, const char *method, const char *path, slice body,
                       unsigned *ret_status, struct buf *out) {
    const struct http_call http = {
        .login = &admin->login,
        .method = method,
        .path = path,
        .token = admin->token,
        .body = body,
        .timeout_ns = admin->timeout_ns,
        .on_bytes = admin->on_bytes,
        .self = admin->self,
    };
    struct error error = {0};
    int failed = http_call_run(admin->host, &http, ret_status, out, &error);
    return failed ? cli_fail(&error) : CLI_OK;
}

int admin_call_ask(struct admin_call *admin, const char *method, const char *path, slice body,
                   struct buf *out) {
    unsigned status = 0;
    int code = admin_call_request(admin, method, path, body, &status, out);
    if (code == CLI_OK && (status < 200 || status > 299))
        code = admin_call_refused(status, buf_slice(out));
    return code;
}

int admin_call_refused(unsigned status, slice body) {
    struct json_doc doc;
    slice words;
    json_init(&doc);
    if (json_parse(&doc, body) || json_string(json_path(json_root(&doc), "detail"), &words))
        words = slice_trim(body);
    int code = cli_failed("the node refuses (%u): %.*s", status, slice_fmt(words));
    json_free(&doc);
    return code;
}
