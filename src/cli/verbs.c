/*
 * verbs.c - the table of verbs: adding a verb is one file, one line in cli.h and one row here.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

#define HEADER                                                                                     \
    { .name = "header", .value = "'Key: value'", .help = "a header", .repeats = true }
#define RAW                                                                                        \
    { .name = "raw", .help = "print payloads and nothing else" }
#define HEADERS                                                                                    \
    { .name = "headers", .help = "print headers, too" }
#define READY                                                                                      \
    { .name = "ready", .help = "say on stderr when listening" }
#define JSON                                                                                       \
    { .name = "json", .help = "output for programs" }
#define INSECURE                                                                                   \
    { .name = "insecure", .help = "allow listeners off loopback without users" }
#define PARKED_SEQ                                                                                 \
    { .name = "seq", .value = "SEQ", .help = "this message of the stream" }
#define PARKED_ALL                                                                                 \
    { .name = "all", .help = "every parked message" }
#define SIZE                                                                                       \
    { .name = "size", .value = "BYTES", .help = "payload of a message (default 128)" }
#define ADMIN(timeout)                                                                             \
    {.name = "data", .value = "DIR", .help = "the node's data (default .nonet)"},                  \
        {.name = "timeout", .value = "DURATION", .help = "default " timeout},                      \
        {.name = "tls-ca", .value = "FILE", .help = "admin speaks TLS: whom to trust"}, {          \
        .name = "tls-insecure", .help = "admin speaks TLS: trust anybody"                          \
    }
#define COUNT(what)                                                                                \
    { .name = "count", .value = "N", .help = what }

#define PUBLISHERS                                                                                 \
    { .name = "publishers", .value = "N", .help = "connections that send (default 1)" }
#define SUBSCRIBERS(what)                                                                          \
    { .name = "subscribers", .value = "N", .help = what " (default 1)" }
#define IN_FLIGHT(what, usual)                                                                     \
    { .name = "in-flight", .value = "N", .help = what " under way each (default " usual ")" }
#define MEMORY                                                                                     \
    { .name = "memory", .help = "a stream in memory instead of on disk" }
#define THREADS                                                                                    \
    { .name = "threads", .value = "N", .help = "threads of the load (default 1)" }

static const struct cli_verb verbs[] = {
    {
        .name = "run",
        .words = "[APP]",
        .help = "run a node, with the app in folder APP or the defaults",
        .words_max = 1,
        .run = cli_run,
        .options =
            {
                {.name = "data",
                 .value = "DIR",
                 .help = "where the node keeps its data (default APP/.nonet)"},
                {.name = "listen",
                 .value = "NAME=ADDR",
                 .help = "nats=0, http=127.0.0.1:9000, admin=off",
                 .repeats = true},
                {.name = "ports-file",
                 .value = "FILE",
                 .help = "write the addresses really taken here, as JSON"},
                {.name = "shards",
                 .value = "N",
                 .help = "threads that serve connections (default of the config)"},
                {.name = "log", .value = "LEVEL", .help = "error, warn, info, debug or trace"},
                INSECURE,
                {.name = "quiet", .help = "no welcome text"},
            },
        .examples = "  nonet run examples/auction\n"
                    "  nonet run --data /var/lib/nonet --listen nats=0.0.0.0:4222 --insecure",
    },
    {
        .name = "check",
        .words = "[APP]",
        .help = "find every mistake in APP's nonet.yaml",
        .words_max = 1,
        .run = cli_check,
        .options = {INSECURE,
                    {.name = "routes",
                     .help = "list the gateway's routes, in the order in which they are tried"},
                    JSON},
        .examples = "  nonet check myapp --routes",
    },
    {
        .name = "nats-server",
        .words = "FLAGS",
        .help = "run a node in nats-server's place: its flags, files and signals",
        .words_max = CLI_WORDS_MAX,
        .run = cli_nats_server_help,
        .examples = "  nonet nats-server --help\n"
                    "  nonet nats-server -p -1 -js -sd store --ports_file_dir .\n"
                    "  nonet nats-server -c nats.conf -t",
    },
    {
        .name = "reload",
        .words = "",
        .help = "let a running node take up its changed nonet.yaml",
        .run = cli_reload,
        .options = {ADMIN("10s"), JSON},
        .examples = "  nonet reload --data examples/auction/.nonet",
    },
    {
        .name = "status",
        .words = "",
        .help = "what a running node is and does",
        .acts_on_node = true,
        .run = cli_status,
        .examples = "  nonet status\n  nonet status --json | jq .resident_bytes",
    },
    {
        .name = "pub",
        .words = "SUBJECT [DATA|-]",
        .help = "publish DATA, or stdin",
        .words_min = 1,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_pub,
        .options =
            {
                HEADER,
                {.name = "reply", .value = "SUBJECT", .help = "where answers should go"},
                COUNT("send it so many times"),
                {.name = "durable", .help = "wait until a stream has it on disk; print its seq"},
            },
        .examples = "  nonet pub bid.new '{\"price\":100}' --durable\n"
                    "  nonet pub greet hello --header 'Lang: en' --count 3\n"
                    "  cat picture.png | nonet pub pictures -",
    },
    {
        .name = "sub",
        .words = "SUBJECT",
        .help = "print messages as they come",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_sub,
        .options =
            {
                {.name = "queue", .value = "GROUP", .help = "share the messages with others in it"},
                COUNT("end after so many messages"),
                RAW,
                HEADERS,
                READY,
            },
        .examples = "  nonet sub 'bid.>'\n  nonet sub 'bid.*' --json | jq .payload",
    },
    {
        .name = "req",
        .words = "SUBJECT [DATA|-]",
        .help = "send a request, print the answer",
        .words_min = 1,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_req,
        .options =
            {
                HEADER,
                {.name = "replies",
                 .value = "N",
                 .help = "wait for N answers; 0: all within --timeout"},
                RAW,
                HEADERS,
            },
        .examples =
            "  nonet req auction.get.1007\n  nonet req '$SRV.PING' --replies 0 --timeout 1s",
    },
    {
        .name = "reply",
        .words = "SUBJECT",
        .help = "answer requests",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_reply,
        .options =
            {
                {.name = "command",
                 .value = "CMD",
                 .help = "run CMD for each: payload on stdin, subject in $NONET_SUBJECT"},
                {.name = "with", .value = "TEXT", .help = "answer with TEXT"},
                {.name = "echo", .help = "answer with the request"},
                HEADER,
                {.name = "queue",
                 .value = "GROUP",
                 .help = "share the requests with others in it (default nonet-reply)"},
                {.name = "concurrency", .value = "N", .help = "commands at once (default 8)"},
                COUNT("end after so many requests"),
                {.name = "verbose", .help = "a line a request on stderr"},
                READY,
            },
        .examples = "  nonet reply time.now --command date\n"
                    "  nonet reply 'shout.*' --command 'tr a-z A-Z'",
    },
    {
        .name = "stream ls",
        .words = "",
        .help = "list durable streams",
        .acts_on_node = true,
        .run = cli_stream_ls,
    },
    {
        .name = "stream info",
        .words = "NAME",
        .help = "what a stream holds and how it is set",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_stream_info,
        .examples =
            "  nonet stream info BIDS\n  nonet stream info BIDS --json | jq .state.messages",
    },
    {
        .name = "stream add",
        .words = "NAME",
        .help = "make a durable stream",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_stream_add,
        .options =
            {
                {.name = "subjects",
                 .value = "SUBJECT[,..]",
                 .help = "what it captures (default: NAME)",
                 .repeats = true},
                {.name = "storage", .value = "WHERE", .help = "file (default) or memory"},
                {.name = "description", .value = "TEXT", .help = "for people"},
                {.name = "max-age", .value = "DURATION", .help = "older messages go"},
                {.name = "max-bytes", .value = "SIZE", .help = "all messages together"},
                {.name = "max-msgs", .value = "N", .help = "all messages"},
                {.name = "max-msgs-per-subject", .value = "N", .help = "messages on one subject"},
                {.name = "max-msg-size", .value = "SIZE", .help = "one message"},
                {.name = "discard", .value = "WHICH", .help = "when full: old (default) or new"},
                {.name = "duplicate-window",
                 .value = "DURATION",
                 .help = "how long a Nats-Msg-Id counts"},
                {.name = "allow-atomic", .help = "takes atomic batches of messages"},
            },
        .examples = "  nonet stream add BIDS --subjects 'bid.>' --max-age 7d",
    },
    {
        .name = "stream rm",
        .words = "NAME",
        .help = "delete a stream and its messages",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_stream_rm,
    },
    {
        .name = "stream purge",
        .words = "NAME",
        .help = "delete a stream's messages",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_stream_purge,
        .options =
            {
                {.name = "subject", .value = "SUBJECT", .help = "only on this, wildcards allowed"},
                {.name = "keep", .value = "N", .help = "but the last N"},
                {.name = "before", .value = "SEQ", .help = "only what stands before SEQ"},
            },
    },
    {
        .name = "consumer add",
        .words = "STREAM NAME",
        .help = "make a durable consumer that workers share",
        .words_min = 2,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_consumer_add,
        .options =
            {
                {.name = "subject",
                 .value = "SUBJECT[,..]",
                 .help = "only these, wildcards allowed (default: all)",
                 .repeats = true},
                {.name = "deliver", .value = "WHICH", .help = "all (default), new or last"},
                {.name = "ordered", .help = "one message of a subject in flight at a time"},
                {.name = "park", .help = "keep what it gives up: nonet consumer parked"},
                {.name = "max-deliver", .value = "N", .help = "give up after so many deliveries"},
                {.name = "backoff",
                 .value = "DURATION[,..]",
                 .help = "how long a delivery may take, the first, the second ..."},
                {.name = "ack-wait", .value = "DURATION", .help = "the same for all (default 30s)"},
                {.name = "max-ack-pending", .value = "N", .help = "in flight (default 1000)"},
                {.name = "description", .value = "TEXT", .help = "for people"},
            },
        .examples = "  nonet consumer add ES billing --subject 'es.order.>' --ordered --park \\\n"
                    "      --max-deliver 3 --backoff 1s,10s",
    },
    {
        .name = "consumer info",
        .words = "STREAM NAME",
        .help = "how far a consumer is",
        .words_min = 2,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_consumer_info,
    },
    {
        .name = "consumer rm",
        .words = "STREAM NAME",
        .help = "delete a consumer, its stream keeps its messages",
        .words_min = 2,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_consumer_rm,
    },
    {
        .name = "consumer parked",
        .words = "STREAM CONSUMER",
        .help = "list what a consumer gave up and parked",
        .words_min = 2,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_consumer_parked,
        .examples = "nonet consumer parked ORDERS worker\n",
    },
    {
        .name = "consumer replay",
        .words = "STREAM CONSUMER",
        .help = "deliver parked messages once more",
        .words_min = 2,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_consumer_replay,
        .options = {PARKED_SEQ, PARKED_ALL},
    },
    {
        .name = "consumer drop",
        .words = "STREAM CONSUMER",
        .help = "be done with parked messages",
        .words_min = 2,
        .words_max = 2,
        .acts_on_node = true,
        .run = cli_consumer_drop,
        .options = {PARKED_SEQ, PARKED_ALL},
    },
    {
        .name = "stream view",
        .words = "NAME",
        .help = "print messages of a stream",
        .words_min = 1,
        .words_max = 1,
        .acts_on_node = true,
        .run = cli_stream_view,
        .options =
            {
                {.name = "from", .value = "SEQ", .help = "begin there (default: the first)"},
                COUNT("end after so many messages (default 10)"),
                {.name = "subject", .value = "SUBJECT", .help = "only on this, wildcards allowed"},
                RAW,
                HEADERS,
            },
        .examples = "  nonet stream view BIDS --from 1000 --count 5\n"
                    "  nonet stream view BIDS --count 100000 --json | jq .payload",
    },
    {
        .name = "events append",
        .words = "STREAM TYPE [DATA|-]",
        .help = "append an event to an event stream",
        .words_min = 2,
        .words_max = 3,
        .run = cli_events_append,
        .options =
            {
                {.name = "expect",
                 .value = "WHAT",
                 .help = "any (default), none, exists, deleted, or the last event's revision"},
                {.name = "id", .value = "ID", .help = "the event's own: appended once, for ever"},
                {.name = "tag", .value = "TEXT", .help = "a tag", .repeats = true},
                {.name = "unless-type",
                 .value = "TYPE",
                 .help = "not where there is an event of this type (or one of these)",
                 .repeats = true},
                {.name = "unless-tag",
                 .value = "TEXT",
                 .help = "not where there is an event with this tag (with all of these)",
                 .repeats = true},
                {.name = "after",
                 .value = "POSITION",
                 .help = "of --unless: events up to there do not count"},
                {.name = "metadata", .value = "JSON", .help = "an object: who, why, from what"},
                ADMIN("10s"),
                JSON,
            },
        .examples = "  nonet events append order-42 Placed '{\"item\":\"tea\"}' --expect none\n"
                    "  nonet events append order-42 Paid --expect 0 --id payment-7 --tag user:ann",
    },
    {
        .name = "events delete",
        .words = "STREAM",
        .help = "delete an event stream: it can be appended to again, or never",
        .words_min = 1,
        .words_max = 1,
        .run = cli_events_delete,
        .options =
            {
                {.name = "permanent", .help = "for ever: nothing of it stays, nothing is appended"},
                {.name = "expect", .value = "WHAT", .help = "exists, or its last revision"},
                {.name = "dry-run", .help = "say how many events would go, and change nothing"},
                ADMIN("10s"),
                JSON,
            },
        .examples = "  nonet events delete order-42 --dry-run\n"
                    "  nonet events delete order-42 --expect 3",
    },
    {
        .name = "events limits",
        .words = "STREAM",
        .help = "show what an event stream keeps, or set it: what is not given is no limit then",
        .words_min = 1,
        .words_max = 1,
        .run = cli_events_limits,
        .options =
            {
                {.name = "max-count", .value = "N", .help = "the newest N events"},
                {.name = "max-age", .value = "DURATION", .help = "events younger than this"},
                {.name = "truncate-before", .value = "R", .help = "events from revision R on"},
                {.name = "none", .help = "everything from now on"},
                {.name = "dry-run", .help = "say how many events would go, and change nothing"},
                ADMIN("10s"),
                JSON,
            },
        .examples = "  nonet events limits order-42\n"
                    "  nonet events limits order-42 --max-count 1000 --max-age 90d",
    },
    {
        .name = "events read",
        .words = "STREAM",
        .help = "print an event stream",
        .words_min = 1,
        .words_max = 1,
        .run = cli_events_read,
        .options =
            {
                {.name = "from", .value = "REVISION", .help = "begin there"},
                {.name = "backwards", .help = "the newest first"},
                {.name = "limit", .value = "N", .help = "end after so many events"},
                ADMIN("10s"),
                JSON,
            },
        .examples = "  nonet events read order-42\n"
                    "  nonet events read order-42 --backwards --limit 1 --json | jq .data",
    },
    {
        .name = "events state",
        .words = "STREAM",
        .help = "print what an event stream adds up to, now or at any time",
        .words_min = 1,
        .words_max = 1,
        .run = cli_events_state,
        .options =
            {
                {.name = "at",
                 .value = "REVISION|TIME",
                 .help = "after that event, or at that time"},
                {.name = "position", .value = "N", .help = "when all events had got so far"},
                ADMIN("30s"),
                JSON,
            },
        .examples = "  nonet events state order-42\n"
                    "  nonet events state order-42 --at 2026-11-30T12:00:00Z --json | jq .state",
    },
    {
        .name = "events tail",
        .words = "[STREAM]",
        .help = "print events as they come, of one stream or of all",
        .words_max = 1,
        .run = cli_events_tail,
        .options =
            {
                {.name = "category", .value = "NAME", .help = "only of streams NAME-..."},
                {.name = "types", .value = "TYPE[,..]", .help = "only events of one of these"},
                {.name = "tags", .value = "TAG[,..]", .help = "only events with all of these"},
                {.name = "from",
                 .value = "PLACE",
                 .help = "a position, or of one stream a revision (default: behind the last)"},
                ADMIN("10s"),
                JSON,
            },
        .examples = "  nonet events tail --category order --types Paid,Shipped\n"
                    "  nonet events tail --from 1 --json | jq .stream",
    },
    {
        .name = "events why",
        .words = "STREAM[@REVISION]",
        .help = "print what an event follows from, and what has followed from it",
        .words_min = 1,
        .words_max = 1,
        .run = cli_events_why,
        .options = {ADMIN("10s"), JSON},
        .examples = "  nonet events why order-42@1\n"
                    "  nonet events why order-42 --json | jq '.events[].event.type'",
    },
    {
        .name = "events verify",
        .words = "",
        .help = "check the chains of all event streams, of a running or a stopped node",
        .run = cli_events_verify,
        .options = {ADMIN("1h"), JSON},
        .examples = "  nonet events verify --data examples/auction/.nonet",
    },
    {
        .name = "sql",
        .words = "",
        .help = "SQL: typed, from files, or by -c",
        .run = cli_sql,
        .options =
            {
                {.name = "command",
                 .value = "QUERY",
                 .help = "run it",
                 .repeats = true,
                 .letter = 'c'},
                {.name = "file",
                 .value = "FILE",
                 .help = "run what it holds; -: stdin",
                 .repeats = true,
                 .letter = 'f'},
                {.name = "format", .value = "HOW", .help = "table (default), csv, json or ndjson"},
                JSON,
                {.name = "expanded", .help = "a line for each column", .letter = 'x'},
                {.name = "tuples-only", .help = "rows and nothing else", .letter = 't'},
                {.name = "null", .value = "TEXT", .help = "what NULL is shown as"},
                {.name = "quiet", .help = "no INSERT 0 1 and the like", .letter = 'q'},
                {.name = "timing", .help = "how long each statement takes"},
                {.name = "keep-going", .help = "on after an error, which ends it else"},
                {.name = "server",
                 .value = "URL",
                 .help = "postgresql://USER@HOST:5433 or HOST:PORT (else PGHOST and PGPORT, else "
                         "ports.json of --data)"},
                {.name = "user", .value = "NAME", .help = "who to log in as"},
                {.name = "password", .value = "SECRET", .help = "with --user"},
                {.name = "data",
                 .value = "DIR",
                 .help = "data folder of a local node (default .nonet)"},
                {.name = "timeout",
                 .value = "DURATION",
                 .help = "how long to wait for the connection (default 5s)"},
                {.name = "tls-ca", .value = "FILE", .help = "TLS only: whom to trust"},
                {.name = "tls-insecure", .help = "TLS only: trust anybody"},
                {.name = "tls-cert", .value = "FILE", .help = "our own certificate"},
                {.name = "tls-key", .value = "FILE", .help = "its key"},
            },
        .examples = "  nonet sql\n"
                    "  nonet sql -c 'SELECT * FROM bid LIMIT 5' --json\n"
                    "  nonet sql -f schema.sql --data examples/auction/.nonet\n"
                    "  nonet sql -c '\\d bid'",
    },
    {
        .name = "log verify",
        .words = "[DIR]",
        .help = "check every byte of a stopped node's log",
        .words_max = 1,
        .run = cli_log_verify,
        .options = {JSON},
        .examples = "  nonet log verify examples/auction/.nonet",
    },
    {
        .name = "backup",
        .words = "DIR",
        .help = "copy a running node's data to DIR, or check such a copy",
        .words_min = 1,
        .words_max = 1,
        .run = cli_backup,
        .options = {{.name = "verify", .help = "check the backup DIR; needs no node"},
                    ADMIN("24h"),
                    JSON},
        .examples = "  nonet backup /backups/monday --data examples/auction/.nonet\n"
                    "  nonet backup /backups/monday --verify",
    },
    {
        .name = "restore",
        .words = "DIR",
        .help = "make a data folder of a backup",
        .words_min = 1,
        .words_max = 1,
        .run = cli_restore,
        .options = {{.name = "data",
                     .value = "NEW",
                     .help = "the folder to be made: not there yet, or empty"},
                    JSON},
        .examples = "  nonet restore /backups/monday --data restored\n"
                    "  nonet run --data restored",
    },
    {
        .name = "config schema",
        .words = "",
        .help = "JSON Schema of nonet.yaml, for editors",
        .run = cli_config_schema,
    },
    {
        .name = "config reference",
        .words = "[SECTION]",
        .help = "every key of nonet.yaml, or of one section, as Markdown",
        .words_max = 1,
        .run = cli_config_reference,
    },
    {
        .name = "bench core",
        .words = "",
        .help = "load: publish to subscribers",
        .acts_on_node = true,
        .run = cli_bench_core,
        .options = {SIZE, COUNT("messages (default 1000000)"), PUBLISHERS,
                    SUBSCRIBERS("subscribers"), THREADS},
        .examples = "  nonet bench core --size 16 --subscribers 4",
    },
    {
        .name = "bench request",
        .words = "",
        .help = "load: requests and answers",
        .acts_on_node = true,
        .run = cli_bench_request,
        .options = {SIZE, COUNT("requests (default 1000000)"), PUBLISHERS, SUBSCRIBERS("answerers"),
                    IN_FLIGHT("requests", "64"), THREADS},
        .examples = "  nonet bench request --count 100000 --in-flight 1",
    },
    {
        .name = "bench publish",
        .words = "",
        .help = "load: publish into a durable stream",
        .acts_on_node = true,
        .run = cli_bench_publish,
        .options = {SIZE, COUNT("messages (default 1000000)"), PUBLISHERS,
                    IN_FLIGHT("unacknowledged messages", "1024"), MEMORY, THREADS},
        .examples = "  nonet bench publish --publishers 16 --in-flight 1",
    },
    {
        .name = "bench consume",
        .words = "",
        .help = "load: consume a durable stream",
        .acts_on_node = true,
        .run = cli_bench_consume,
        .options = {SIZE, COUNT("messages (default 1000000)"), PUBLISHERS,
                    SUBSCRIBERS("subscribers"), IN_FLIGHT("messages", "256"), MEMORY, THREADS},
        .examples = "  nonet bench consume --subscribers 4",
    },
    {.name = "version",
     .words = "",
     .help = "print the version",
     .run = cli_version,
     .options = {JSON}},
    {.name = "help", .words = "[VERB]", .help = "this text", .words_max = 2, .run = cli_help},
};

const struct cli_table cli_table = {verbs, array_count(verbs)};

int cli_main(int argc, char **argv) {
    struct cli_call call = {.verb = NULL};
    if (cli_is_nats_server(argc, argv))
        return cli_nats_server(argc, argv);
    if (argc < 2) {
        cli_help(&call);
        return CLI_USAGE;
    }
    int code = cli_parse(&cli_table, argc, argv, &call);
    if (code == CLI_OK && call.wants_help)
        cli_print_help(call.verb);
    else if (code == CLI_OK)
        code = call.verb->run(&call);
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    /* A reader that has gone has seen what it wanted; a full disk has not kept what we say. */
    return errno == EPIPE || code != CLI_OK
               ? CLI_FAILED
               : cli_failed("cannot write the output: %s", error_name(-errno));
}
