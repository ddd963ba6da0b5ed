/*
 * connect.c - where `nonet sql` finds the node's listener, and who it is there.
 *
 * The first of: --server (a postgresql:// URL, or host:port); PGHOST and PGPORT, as every client of
 * PostgreSQL reads them (unless --data names a folder); "sql" in DATA/ports.json (DATA: --data,
 * else
 * ./.nonet); and where there is no ./.nonet, the default listener 127.0.0.1:5433. What is then
 * still open (user, password, sslmode ...) libpq takes from its own environment and files.
 */
#include "cli/sql/console.h"
#include "cli/sql/width.h"

#include "cli/login.h"
#include "io/process.h"
#include "io/terminal.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>

#define DATA_DEFAULT ".nonet"
#define HOST_DEFAULT "127.0.0.1"
#define PORT_DEFAULT "5433"
#define DATABASE "nonet"
#define TIMEOUT_DEFAULT_NS (5 * 1000000000ull)
#define PARAMETERS_MAX 64u

/* What libpq is told: keywords and values, ended by NULL. The later of two counts. */
struct parameters {
    const char *keywords[PARAMETERS_MAX + 1], *values[PARAMETERS_MAX + 1];
    unsigned count;
    char host[LOGIN_NAME_MAX], port[8], timeout[24];
    char secret[LOGIN_NAME_MAX];
    PQconninfoOption *url; /* what the parameters of a URL point into */
    struct error error;
};

static void put(struct parameters *p, const char *keyword, const char *value) {
    if (!value || p->count == PARAMETERS_MAX)
        return;
    p->keywords[p->count] = keyword;
    p->values[p->count++] = value;
}

/* --- where ------------------------------------------------------------------------------------ */

static int read_place(struct parameters *p, slice place) {
    struct url_authority at;
    if (url_parse_authority(place, &at) || at.user.ptr || (at.has_port && !at.port) ||
        slice_to_string(at.host, p->host, sizeof p->host)) {
        error_set(&p->error, -EINVAL, "'%.*s' is not the address of a listener", slice_fmt(place));
        error_hint(&p->error, "write host:5433 or postgresql://user@host:5433");
        return -EINVAL;
    }
    if (at.has_port)
        snprintf(p->port, sizeof p->port, "%u", at.port);
    return 0;
}

/* A URL as libpq reads it. What it says of user and password is never repeated in an error. */
static int read_url(struct console *console, struct parameters *p, const char *url) {
    bool ours = slice_starts_with(slice_str(url), slice_lit("postgresql://")) ||
                slice_starts_with(slice_str(url), slice_lit("postgres://"));
    p->url = ours ? console->pq.PQconninfoParse(url, NULL) : NULL;
    if (!p->url) {
        error_set(&p->error, -EINVAL, "--server is no URL of a SQL listener");
        error_hint(&p->error, "write postgresql://user:password@host:5433 or host:5433");
        return -EINVAL;
    }
    for (PQconninfoOption *option = p->url; option->keyword; option++)
        put(p, option->keyword, option->val);
    return 0;
}

static int read_ports(struct console *console, struct parameters *p, const char *data) {
    char address[LOGIN_NAME_MAX];
    int failed = login_read_ports(console->host, data ? data : DATA_DEFAULT, "sql", address,
                                  sizeof address, &p->error);
    if (failed == -ENOENT && !data)
        return 0;
    if (failed == -EINVAL)
        error_hint(&p->error, "is its listener sql off? nonet run --listen sql=%s:%s", HOST_DEFAULT,
                   PORT_DEFAULT);
    return failed ? failed : read_place(p, slice_str(address));
}

static int find(struct console *console, struct parameters *p) {
    const char *server = cli_value(console->call, "server");
    const char *data = cli_value(console->call, "data");
    const char *host = io_environment("PGHOST"), *port = io_environment("PGPORT");
    snprintf(p->port, sizeof p->port, PORT_DEFAULT);
    snprintf(p->host, sizeof p->host, HOST_DEFAULT);
    if (!io_environment("PGDATABASE"))
        put(p, "dbname", DATABASE);
    if (!server && !data && ((host && *host) || (port && *port))) {
        put(p, "host", host && *host ? host : p->host);
        put(p, "port", port && *port ? port : p->port);
        return 0;
    }
    bool is_url = server && slice_find_slice(slice_str(server), slice_lit("://")) >= 0;
    int failed = !server  ? read_ports(console, p, data)
                 : is_url ? 0
                          : read_place(p, slice_str(server));
    put(p, "host", p->host);
    put(p, "port", p->port);
    return failed || !is_url ? failed : read_url(console, p, server);
}

/* --- who, and how ----------------------------------------------------------------------------- */

static int read_options(struct console *console, struct parameters *p) {
    const struct cli_call *call = console->call;
    const char *trusted = cli_value(call, "tls-ca");
    uint64_t timeout_ns;
    if (!cli_duration(call, "timeout", TIMEOUT_DEFAULT_NS, &timeout_ns))
        return CLI_USAGE;
    snprintf(p->timeout, sizeof p->timeout, "%llu",
             (unsigned long long)(timeout_ns / 1000000000u + (timeout_ns % 1000000000u > 0)));
    put(p, "connect_timeout", p->timeout);
    put(p, "user", cli_value(call, "user"));
    put(p, "password", cli_value(call, "password"));
    if (trusted && cli_flag(call, "tls-insecure"))
        return cli_misused(call, "--tls-ca and --tls-insecure: one or the other");
    if (trusted)
        put(p, "sslmode", "verify-full");
    else if (cli_flag(call, "tls-insecure"))
        put(p, "sslmode", "require");
    put(p, "sslrootcert", trusted);
    put(p, "sslcert", cli_value(call, "tls-cert"));
    put(p, "sslkey", cli_value(call, "tls-key"));
    put(p, "client_encoding", "UTF8");
    put(p, "application_name", "nonet sql");
    return CLI_OK;
}

/* libpq's words without its own advice, and ours. */
static int tell_failure(struct console *console) {
    slice rest, words = slice_str(console->pq.PQerrorMessage(console->connection));
    words = slice_cut(words, '\n', &rest);
    bool closed = slice_find_slice(words, slice_lit("refused")) >= 0;
    if (closed)
        cli_failed(
            "%.*s\n  hint: is the node running, and its listener sql open? nonet run --listen "
            "sql=%s:%s; --data DIR or --server HOST:PORT name another",
            slice_fmt(words), HOST_DEFAULT, PORT_DEFAULT);
    else
        cli_failed("%.*s", slice_fmt(words));
    return CONSOLE_NO_SERVER;
}

static PGconn *open_connection(struct console *console, const struct parameters *p) {
    return console->pq.PQconnectdbParams(p->keywords, p->values, 0);
}

static int log_in(struct console *console, struct parameters *p) {
    const struct io_postgres *pq = &console->pq;
    console->connection = open_connection(console, p);
    if (console->connection && pq->PQconnectionNeedsPassword(console->connection)) {
        char prompt[LOGIN_NAME_MAX + 32];
        snprintf(prompt, sizeof prompt, "Password of %s: ", pq->PQuser(console->connection));
        if (io_terminal_secret(prompt, p->secret, sizeof p->secret) == 0) {
            put(p, "password", p->secret);
            pq->PQfinish(console->connection);
            console->connection = open_connection(console, p);
            explicit_bzero(p->secret, sizeof p->secret);
        }
    }
    if (!console->connection)
        return cli_failed("no memory");
    return pq->PQstatus(console->connection) == CONNECTION_OK ? CLI_OK : tell_failure(console);
}

static void on_notice(void *owner, const char *message) {
    const struct console *console = owner;
    fflush(console->out);
    width_write(stderr, slice_str(message));
}

int console_connect(struct console *console) {
    struct parameters p = {.count = 0};
    if (io_postgres_load(&console->pq, &p.error)) {
        cli_fail(&p.error);
        return CONSOLE_NO_SERVER;
    }
    int code = CLI_OK;
    if (find(console, &p)) {
        cli_fail(&p.error);
        code = CONSOLE_NO_SERVER;
    }
    if (code == CLI_OK)
        code = read_options(console, &p);
    if (code == CLI_OK)
        code = log_in(console, &p);
    if (p.url)
        console->pq.PQconninfoFree(p.url);
    if (code == CLI_OK)
        console->pq.PQsetNoticeProcessor(console->connection, on_notice, console);
    return code;
}

void console_reconnect(struct console *console) {
    PGconn *before = console->connection;
    console->connection = NULL;
    fputs("nonet: connecting again ... ", stderr);
    if (console_connect(console) == CLI_OK) {
        fputs("done\n", stderr);
        console->pq.PQfinish(before);
        return;
    }
    if (console->connection)
        console->pq.PQfinish(console->connection);
    console->connection = before;
}
