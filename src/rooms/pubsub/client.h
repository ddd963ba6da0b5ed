/*
 * client.h - one NATS client connection: its state, and what the files of this room share.
 *
 *                  CONNECT ok            lame duck, error, limits
 *   NEW ---INFO sent---> ANONYMOUS ----> OPEN ----------------------> CLOSING ---> freed
 *    |                      |  first bytes on a TLS listener: handshake, then the same
 *    '---- auth_timeout ----'----------> CLOSING (-ERR, flushed)
 *
 *   NEW is not seen by anyone: INFO goes out in on_accept. A node without users treats ANONYMOUS
 *   like OPEN, as nats-server does: a CONNECT is not required then.
 *
 * Files: client.c (life, bytes in), client_connect.c (INFO, CONNECT), client_login.c (auth),
 * client_verbs.c (PUB, SUB ...), client_deliver.c (messages out), client_responses.c
 * (allow_responses), client_trace.c (the protocol in the log), client_link.c (stream or WebSocket),
 * websocket.c (that listener), pubsub.c (the room: listener,
 * shards, drain, reload), monitor.c (/varz ...), system.c ($SYS.REQ...), jetstream*.c ($JS.API...).
 *
 * A client's memory when idle: this struct, a map of its subscriptions, the stream. Input that
 * ends in the middle of a message is kept in `rest`, bounded by one message and, while the client
 * is HELD, by what one read brings: then nothing is taken from it, and its socket is not read.
 */
#ifndef NONET_PUBSUB_CLIENT_H
#define NONET_PUBSUB_CLIENT_H

#include "base/map.h"
#include "bus/room.h"
#include "io/tls.h"
#include "rooms/pubsub/pubsub.h"
#include "wire/nats.h"

enum client_state { CLIENT_ANONYMOUS, CLIENT_OPEN, CLIENT_CLOSING };

/* Why a connection ended; words in client_reason_text, for logs and /connz?state=closed. */
enum client_reason {
    CLIENT_CLOSED_BY_PEER,
    CLIENT_PROTOCOL_ERROR,
    CLIENT_AUTH_FAILED,
    CLIENT_AUTH_TIMEOUT,
    CLIENT_TLS_FAILED,
    CLIENT_STALE,
    CLIENT_SLOW_PENDING,
    CLIENT_SLOW_WRITE,
    CLIENT_TOO_MANY,
    CLIENT_SERVER_SHUTDOWN,
    CLIENT_AUTH_CHANGED,
    CLIENT_NO_MEMORY,
    CLIENT_REASONS
};

struct client_subscription {
    struct client *client;
    struct bus_subscription *subscription;
    uint64_t delivered, delivered_max; /* max 0 = without end */
    bool filtered;                     /* deliveries go through the deny list */
    uint16_t sid_len;
    char sid[];
};

struct client {
    struct pubsub_shard *room;
    struct io_stream *stream;      /* NULL: it comes by a WebSocket */
    struct client_socket *socket;  /* client_link.h; NULL: it comes by a stream */
    const struct io_stream *below; /* the stream of either, only to be asked */
    struct principal *principal;
    struct client_responses *responses; /* NULL until a request has come that it may answer */
    struct auth_job *login;             /* being judged on the worker's thread; NULL: none */
    struct bus *bus;
    struct nats_parser parser;
    struct buf rest;
    struct bus_route route;
    struct map subscriptions; /* sid -> struct client_subscription */
    struct list_node in_room, in_stalled;
    struct bus_waiter waiter;
    struct io_timer timer; /* auth deadline, then ping */
    struct io_timer again; /* held until the others have had their turn */
    uint64_t id;
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    uint64_t stalled_since_ns, stalled_accepted;
    uint64_t subscribed_tokens;  /* of all subscriptions' subjects */
    uint64_t turn_ns, looked_ns; /* the clock, first and last seen in this turn; 0: not yet */
    unsigned turn_messages, next_look;
    int64_t started_ns, active_ns;
    enum client_state state;
    enum client_reason reason;
    unsigned pings_out;
    unsigned pongs_owed, pongs_after; /* when the fence under way is done; when the next one is */
    uint64_t round_trip_ns, ping_sent_ns;
    bool verbose, pedantic, echo, headers, no_responders, unlimited, tls, tls_wanted, waiting,
        published, interest_changed, held, dear, rest_is_whole;
    /* Allow_responses; the log wants its protocol; without a login, with no_auth_user's rights. */
    bool responds, traced, stranger;
    char nonce[AUTH_NONCE_SIZE + 1];
    char *name, *language, *version; /* of CONNECT; may be NULL */
};

/* client.c: one of STREAM and SOCKET, the other NULL. */
void client_accept(struct pubsub_shard *room, struct io_stream *stream,
                   struct client_socket *socket);
/* Sends -ERR (unless NULL), ends all subscriptions, flushes, closes; later calls change nothing. */
void client_close(struct client *client, enum client_reason reason, const char *error_text);
/* Aborts the stream and frees the client at once: the shard is going away. */
void client_drop(struct client *client);
void client_send(struct client *client, slice bytes);
void client_error(struct client *client, const char *format, ...) printf_like(2, 3);
const char *client_reason_text(enum client_reason reason);
/* Nothing more is taken from the client until client_go_on; its socket is not read meanwhile. */
void client_hold(struct client *client);
void client_go_on(struct client *client);

/* client_connect.c */
void client_send_info(struct client *client, bool lame_duck);
void client_connect(struct client *client, slice json);
/* The login, where one is asked for, has been accepted. */
void client_open(struct client *client);
void client_arm_auth(struct client *client);
bool client_login_required(const struct pubsub_shard *room); /* before anything but CONNECT */
void client_arm_ping(struct client *client);

/* client_login.c: opens the client or closes it, in this call or, where that takes long, later;
   until then the client is held. */
void client_log_in(struct client *client, const struct auth_login *login);
/* It closes, so its login need not be judged; it is held until its turn all the same. */
void client_login_skip(struct client *client);
/* It goes: nobody waits for the login any more. */
void client_login_forget(struct client *client);

/* client_deliver.c */
extern const struct bus_receiver client_receiver;
/* Output has been written: where much of it waits, the write deadline looks at it. */
void client_watch_output(struct client *client);
void client_check_stalled(struct pubsub_shard *room);

/* client_responses.c: a request was delivered; may SUBJECT be published to for one? Counts it. */
void client_note_request(struct client *client, slice reply);
bool client_may_respond(struct client *client, slice subject);
void client_forget_requests(struct client *client);

/* client_trace.c: for a client that is `traced`. */
void client_trace_in(const struct client *client, const struct nats_event *event);
void client_trace_out(const struct client *client, slice subject, slice sid, slice payload);

/* client_verbs.c: what the client asked for; end_subscription frees CS. */
void client_publish(struct client *client, const struct nats_event *event);
void client_subscribe(struct client *client, const struct nats_event *event);
void client_unsubscribe(struct client *client, const struct nats_event *event);
void client_ping(struct client *client);
void client_pong(struct client *client);
void client_end_subscription(struct client_subscription *cs);

#endif
