/*
 * address.h - "127.0.0.1:80", "[::1]:80", "name.example:80" to and from socket addresses.
 * Inside of io/ only. Numbers are read without asking anybody; names go through the resolver,
 * which blocks, so only listeners (at start) do that here and io_connect asks off the loop.
 */
#ifndef NONET_IO_ADDRESS_H
#define NONET_IO_ADDRESS_H

#include "base/check.h"
#include "base/slice.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define IO_ADDRESS_TEXT_MAX 56 /* "[v6%scope]:65535" and its NUL */
#define IO_HOST_NAME_MAX 254   /* RFC 1035, and its NUL */

struct io_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

/* Splits at the last colon; brackets around the host are taken off. 0 or -EINVAL. */
must_use int io_address_split(const char *text, char ret_host[IO_HOST_NAME_MAX],
                              uint16_t *ret_port);
/* Host given as numbers. 0 or -EINVAL where it is a name (or nothing at all). */
must_use int io_address_numeric(const char *host, uint16_t port, struct io_address *ret_address);
/* What getaddrinfo answers in one errno: -ENOENT no such name, -EAGAIN try later, -EIO. */
int io_address_error(int answer);
/* 0 or -EINVAL for a family that is neither IPv4 nor IPv6. */
must_use int io_address_from(const struct sockaddr *from, socklen_t size,
                             struct io_address *ret_address);
void io_address_text(const struct io_address *address, char ret_text[IO_ADDRESS_TEXT_MAX]);

#endif
