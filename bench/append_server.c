/*
 * append_server.c - the least that "acknowledged means on disk" can cost: one thread, one
 * connection at a time, that appends what it reads to a preallocated file, syncs it, and answers.
 *
 *     append_server PORT FILE MESSAGE_BYTES
 *
 * The file is written once with zeros, so that later writes change no metadata, and used again from
 * the start when its end is reached. `make bench` holds Nonet's lone publisher against this.
 */
#include "nats_load.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_BYTES ((off_t)64 << 20)
#define READ_BYTES (64u << 10)

static int open_file(const char *path) {
    static const char zeros[READ_BYTES];
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        load_die("%s: %s", path, strerror(errno));
    for (off_t at = 0; at < FILE_BYTES; at += READ_BYTES)
        if (pwrite(file, zeros, READ_BYTES, at) != READ_BYTES)
            load_die("%s: %s", path, strerror(errno));
    if (fsync(file) != 0)
        load_die("%s: %s", path, strerror(errno));
    return file;
}

static int open_listener(uint64_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 8) != 0)
        load_die("cannot listen: %s", strerror(errno));
    return listener;
}

/* Until the other side closes. *AT is where the next bytes go. */
static void serve(int connection, int file, uint64_t message_bytes, off_t *at) {
    static char bytes[READ_BYTES];
    static const char answer[LOAD_APPEND_ANSWER];
    uint64_t pending = 0;
    ssize_t got;
    while ((got = read(connection, bytes, sizeof bytes)) > 0) {
        if (*at + got > FILE_BYTES)
            *at = 0;
        if (pwrite(file, bytes, (size_t)got, *at) != got || fdatasync(file) != 0)
            load_die("cannot append: %s", strerror(errno));
        *at += got;
        for (pending += (uint64_t)got; pending >= message_bytes; pending -= message_bytes)
            if (write(connection, answer, sizeof answer) != (ssize_t)sizeof answer)
                return;
    }
}

int main(int argc, char **argv) {
    uint64_t port, message_bytes;
    int one = 1;
    off_t at = 0;
    if (argc != 4 || number_parse_u64(slice_str(argv[1]), &port) || port > 65535 ||
        number_parse_u64(slice_str(argv[3]), &message_bytes) || !message_bytes)
        load_die("usage: append_server PORT FILE MESSAGE_BYTES");
    int file = open_file(argv[2]);
    int listener = open_listener(port);
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            load_die("accept: %s", strerror(errno));
        if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0)
            serve(connection, file, message_bytes, &at);
        close(connection);
    }
}
