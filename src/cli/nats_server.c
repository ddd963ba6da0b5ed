/*
 * nats_server.c - nonet nats-server FLAGS: the node in nats-server's place.
 *
 *     -p 4222   --port 4222   -p=4222   -js   --js=true        one dash or two, '=' or the next
 * word
 *
 * A flag is a row: its names, and the key of nats-server's configuration that it stands for; the
 * node takes it up as if the file ended with it, so what is refused there is refused here. Where
 * the binary is called nats-server (a link to it, as in a CI image) the flags are its own.
 *
 * Exit: 0 after SIGINT and SIGUSR2, 1 after SIGTERM and after any failure, as nats-server does.
 */
#include "base/mem.h"
#include "base/number.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/process.h"
#include "node/node.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NAME "nats-server"
#define SETTINGS_MAX 64u

enum flag_kind {
    FLAG_VALUE,  /* takes a value */
    FLAG_SWITCH, /* true, unless "=false" says otherwise */
    FLAG_CONFIG, /* -c */
    FLAG_TEST,   /* -t */
    FLAG_SIGNAL, /* -sl */
    FLAG_VERSION,
    FLAG_HELP,
};

static const struct flag {
    const char *names; /* with blanks between them */
    enum flag_kind kind;
    const char *keys[2]; /* that get the value */
} flags[] = {
    {"a addr net", FLAG_VALUE, {"host"}},
    {"p port", FLAG_VALUE, {"port"}},
    {"n name server_name", FLAG_VALUE, {"server_name"}},
    {"P pid", FLAG_VALUE, {"pid_file"}},
    {"m http_port", FLAG_VALUE, {"http_port"}},
    {"ms https_port", FLAG_VALUE, {"https_port"}},
    {"c config", FLAG_CONFIG, {NULL}},
    {"t", FLAG_TEST, {NULL}},
    {"sl signal", FLAG_SIGNAL, {NULL}},
    {"ports_file_dir", FLAG_VALUE, {"ports_file_dir"}},
    {"l log", FLAG_VALUE, {"log_file"}},
    {"T logtime", FLAG_SWITCH, {"logtime"}},
    {"D debug", FLAG_SWITCH, {"debug"}},
    {"V VV trace", FLAG_SWITCH, {"trace"}},
    {"DV DVV", FLAG_SWITCH, {"debug", "trace"}},
    {"js jetstream", FLAG_SWITCH, {"jetstream"}},
    {"sd store_dir", FLAG_VALUE, {"--store_dir"}},
    {"user", FLAG_VALUE, {"authorization.user"}},
    {"pass", FLAG_VALUE, {"authorization.password"}},
    {"auth", FLAG_VALUE, {"authorization.token"}},
    {"tls", FLAG_SWITCH, {"--tls"}},
    {"tlsverify", FLAG_SWITCH, {"--tls", "tls.verify"}},
    {"tlscert", FLAG_VALUE, {"tls.cert_file"}},
    {"tlskey", FLAG_VALUE, {"tls.key_file"}},
    {"tlscacert", FLAG_VALUE, {"tls.ca_file"}},
    {"v version", FLAG_VERSION, {NULL}},
    {"h help help_tls", FLAG_HELP, {NULL}},
    /* refused where they are taken up */
    {"s syslog", FLAG_SWITCH, {"syslog"}},
    {"r remote_syslog", FLAG_VALUE, {"remote_syslog"}},
    {"log_size_limit", FLAG_VALUE, {"log_size_limit"}},
    {"max_traced_msg_len", FLAG_VALUE, {"max_traced_msg_len"}},
    {"profile", FLAG_VALUE, {"prof_port"}},
    {"client_advertise", FLAG_VALUE, {"client_advertise"}},
    {"cluster cluster_listen cluster_name routes cluster_advertise connect_retries",
     FLAG_VALUE,
     {"cluster"}},
    {"no_advertise", FLAG_SWITCH, {"cluster"}},
};

/* The command line, read. */
struct start {
    struct node_nats nats;
    struct node_nats_setting settings[SETTINGS_MAX];
    const char *signal; /* of -sl */
    bool test, version, help;
};

static int fail(const char *format, ...) printf_like(1, 2);

static int fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs(NAME ": ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CLI_FAILED;
}

/* --- flags -------------------------------------------------------------------------------- */

static const struct flag *find_flag(slice name) {
    for (size_t i = 0; i < array_count(flags); i++) {
        slice rest = slice_str(flags[i].names);
        while (rest.len)
            if (slice_equal(slice_cut(rest, ' ', &rest), name))
                return &flags[i];
    }
    return NULL;
}

static int add_settings(struct start *start, const struct flag *flag, const char *word,
                        const char *value) {
    for (size_t i = 0; i < array_count(flag->keys) && flag->keys[i]; i++) {
        if (start->nats.setting_count == SETTINGS_MAX)
            return fail("more than %u flags", SETTINGS_MAX);
        start->settings[start->nats.setting_count++] =
            (struct node_nats_setting){word, flag->keys[i], value};
    }
    return CLI_OK;
}

static int take_flag(struct start *start, const struct flag *flag, const char *word,
                     const char *value) {
    switch (flag->kind) {
    case FLAG_CONFIG:
        start->nats.config = value;
        return CLI_OK;
    case FLAG_TEST:
        start->test = true;
        return CLI_OK;
    case FLAG_SIGNAL:
        start->signal = value;
        return CLI_OK;
    case FLAG_VERSION:
        start->version = true;
        return CLI_OK;
    case FLAG_HELP:
        start->help = true;
        return CLI_OK;
    default:
        return add_settings(start, flag, word, value);
    }
}

static bool takes_value(const struct flag *flag) {
    return flag->kind == FLAG_VALUE || flag->kind == FLAG_CONFIG || flag->kind == FLAG_SIGNAL;
}

/* One flag; *AT moves over a value that is a word of its own. */
static int read_flag(struct start *start, int argc, char **argv, int *at) {
    const char *word = argv[*at];
    slice value, name = slice_cut(slice_str(word + (word[1] == '-' ? 2 : 1)), '=', &value);
    const struct flag *flag = find_flag(name);
    if (!flag)
        return fail("flag provided but not defined: -%.*s\n  nonet nats-server --help lists them",
                    slice_fmt(name));
    if (value.ptr)
        return take_flag(start, flag, word, value.ptr);
    if (!takes_value(flag))
        return take_flag(start, flag, word, "true");
    if (*at + 1 >= argc)
        return fail("flag needs an argument: -%.*s", slice_fmt(name));
    return take_flag(start, flag, word, argv[++*at]);
}

static int read_flags(struct start *start, int argc, char **argv) {
    for (int at = 0; at < argc; at++) {
        const char *word = argv[at];
        if (strcmp(word, "version") == 0 || strcmp(word, "help") == 0) {
            start->version |= word[0] == 'v';
            start->help |= word[0] == 'h';
            continue;
        }
        if (word[0] != '-' || !word[1] || strcmp(word, "--") == 0)
            return fail("unrecognized command: \"%s\"", word);
        int failed = read_flag(start, argc, argv, &at);
        if (failed)
            return failed;
    }
    start->nats.settings = start->settings;
    return CLI_OK;
}

/* --- signals ------------------------------------------------------------------------------ */

static int load_pid(slice where, int64_t *ret_pid) {
    struct io_host *host;
    char path[1024], *text;
    size_t size;
    if (number_parse_i64(where, 1, INT32_MAX, ret_pid) == 0)
        return 0;
    int failed = slice_to_string(where, path, sizeof path);
    if (!failed)
        failed = io_host_create(&host);
    if (failed)
        return failed;
    failed = io_file_load(host, path, 64, &text, &size);
    io_host_free(host);
    if (failed)
        return failed;
    failed = number_parse_i64(slice_trim(slice_make(text, size)), 1, INT32_MAX, ret_pid);
    mem_free(text);
    return failed;
}

/* "SIGNAL=PID" or "SIGNAL=FILE". */
static int send_signal(const char *text) {
    static const struct {
        const char *name;
        int signum;
    } signals[] = {{"stop", SIGKILL},   {"quit", SIGINT},   {"term", SIGTERM},
                   {"reopen", SIGUSR1}, {"reload", SIGHUP}, {"ldm", SIGUSR2}};
    slice where, name = slice_cut(slice_str(text), '=', &where);
    size_t i = 0;
    while (i < array_count(signals) && !slice_equal(slice_str(signals[i].name), name))
        i++;
    if (i == array_count(signals))
        return fail("unknown signal \"%.*s\"\n  hint: there are stop, quit, term, reopen, reload "
                    "and ldm",
                    slice_fmt(name));
    if (!where.len)
        return fail("which process is to get the signal?\n  hint: write -sl %.*s=PID or "
                    "-sl %.*s=FILE, the file that -P names",
                    slice_fmt(name), slice_fmt(name));
    int64_t pid;
    int failed = load_pid(where, &pid);
    if (failed)
        return fail("%.*s is neither the number of a process nor a file with one: %s",
                    slice_fmt(where), error_name(failed));
    failed = io_process_tell((int)pid, signals[i].signum);
    return failed ? fail("cannot signal process %lld: %s", (long long)pid, error_name(failed))
                  : CLI_OK;
}

/* --- start -------------------------------------------------------------------------------- */

static const char usage[] =
    "Usage: nonet nats-server [flags]          nats-server's flags, with one dash or two\n"
    "\n"
    "Server:\n"
    "    -a, --addr, --net HOST         listen there (default 0.0.0.0)\n"
    "    -p, --port PORT                for clients (default 4222); -1 takes a free one\n"
    "    -n, --name, --server_name NAME\n"
    "    -P, --pid FILE                 gets the number of the process\n"
    "    -m, --http_port PORT           monitoring by HTTP (-ms: by HTTPS)\n"
    "    -c, --config FILE              configuration in nats-server's form\n"
    "    -t                             check the configuration and exit\n"
    "    -sl, --signal SIGNAL=PID|FILE  stop, quit, term, reopen, reload or ldm\n"
    "    --ports_file_dir DIR           gets nats-server_PID.ports\n"
    "Log:\n"
    "    -l, --log FILE    -T, --logtime (default true)    -D debug    -V trace    -DV both\n"
    "JetStream:\n"
    "    -js, --jetstream    -sd, --store_dir DIR\n"
    "Who may connect:\n"
    "    --user NAME    --pass SECRET    --auth TOKEN\n"
    "TLS:\n"
    "    --tls    --tlscert FILE    --tlskey FILE    --tlscacert FILE    --tlsverify\n"
    "Common:\n"
    "    -h, --help    -v, --version\n"
    "\n"
    "What is not served (clusters, accounts, MQTT ...) is refused by name: docs/nats-server.md.";

static int check_config(const struct start *start) {
    struct error error = {0};
    if (!start->nats.config && !start->nats.setting_count)
        return fail("must specify a configuration file to test: -t -c FILE");
    if (node_check_nats(&start->nats, &error)) {
        cli_fail(&error);
        return CLI_FAILED;
    }
    if (start->nats.config)
        fprintf(stderr, NAME ": configuration file %s is valid\n", start->nats.config);
    return CLI_OK;
}

static int run(const struct start *start) {
    struct node_options options = {.nats = &start->nats, .insecure = true, .quiet = true};
    struct error error = {0};
    int ended_by = 0;
    if (node_run(&options, &ended_by, &error))
        return cli_fail(&error);
    return ended_by == SIGTERM ? CLI_FAILED : CLI_OK;
}

bool cli_is_nats_server(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    return strcmp(slash ? slash + 1 : argv[0], NAME) == 0 ||
           (argc > 1 && strcmp(argv[1], NAME) == 0);
}

int cli_nats_server(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    bool by_name = strcmp(slash ? slash + 1 : argv[0], NAME) == 0;
    int skip = by_name ? 1 : 2;
    struct start start = {0};
    int failed = read_flags(&start, argc - skip, argv + skip);
    if (failed)
        return failed;
    if (start.version)
        printf(NAME ": v%s\n", node_nats_version());
    else if (start.help)
        puts(usage);
    else if (start.signal)
        return send_signal(start.signal);
    else
        return start.test ? check_config(&start) : run(&start);
    return fflush(stdout) ? CLI_FAILED : CLI_OK;
}

int cli_nats_server_help(const struct cli_call *call) {
    (void)call;
    puts(usage);
    return CLI_OK;
}
