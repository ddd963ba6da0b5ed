#include "io/address.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

int io_address_split(const char *text, char ret_host[IO_HOST_NAME_MAX], uint16_t *ret_port) {
    const char *colon = strrchr(text, ':');
    if (!colon)
        return -EINVAL;
    slice host = slice_make(text, (size_t)(colon - text));
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = slice_make(host.ptr + 1, host.len - 2);
    else if (slice_find(host, ':') >= 0)
        return -EINVAL; /* IPv6 without brackets: which colon would be the port's? */
    uint64_t port;
    if (number_parse_u64(slice_str(colon + 1), &port) < 0 || port > UINT16_MAX || host.len == 0 ||
        slice_to_string(host, ret_host, IO_HOST_NAME_MAX) < 0)
        return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

int io_address_numeric(const char *host, uint16_t port, struct io_address *ret_address) {
    struct io_address address = {0};
    if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        address.size = sizeof address.v4;
    } else if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        address.size = sizeof address.v6;
    } else {
        return -EINVAL;
    }
    *ret_address = address;
    return 0;
}

int io_address_error(int answer) {
    switch (answer) {
    case 0:
        return 0;
    case EAI_NONAME:
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

int io_address_from(const struct sockaddr *from, socklen_t size, struct io_address *ret_address) {
    if ((from->sa_family != AF_INET && from->sa_family != AF_INET6) ||
        size > sizeof ret_address->v6)
        return -EINVAL;
    memcpy(&ret_address->any, from, size);
    ret_address->size = size;
    return 0;
}

void io_address_text(const struct io_address *address, char ret_text[IO_ADDRESS_TEXT_MAX]) {
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(ret_text, IO_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(ret_text, IO_ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    }
}
