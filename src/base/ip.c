/*
 * ip.c - addresses read and written by the system's own functions, the rest is bits.
 */
#include "base/ip.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <errno.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int ip_parse(slice text, struct ip *ret_ip) {
    char copy[IP_TEXT_MAX];
    struct ip ip;
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = slice_make(text.ptr + 1, text.len - 2);
    if (slice_to_string(text, copy, sizeof copy))
        return -EINVAL;
    memcpy(ip.bytes, v4_prefix, sizeof v4_prefix);
    if (inet_pton(AF_INET, copy, ip.bytes + sizeof v4_prefix) != 1 &&
        inet_pton(AF_INET6, copy, ip.bytes) != 1)
        return -EINVAL;
    *ret_ip = ip;
    return 0;
}

int ip_parse_with_port(slice text, struct ip *ret_ip) {
    if (ip_parse(text, ret_ip) == 0)
        return 0;
    size_t host = text.len;
    while (host > 0 && text.ptr[host - 1] != ':')
        host--;
    return host > 1 ? ip_parse(slice_take(text, host - 1), ret_ip) : -EINVAL;
}

bool ip_is_v4(const struct ip *ip) {
    return memcmp(ip->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

struct ip ip_prefix(const struct ip *ip, unsigned bits) {
    struct ip prefix = {{0}};
    unsigned whole = bits / 8, rest = bits % 8;
    memcpy(prefix.bytes, ip->bytes, whole);
    if (rest)
        prefix.bytes[whole] = (uint8_t)(ip->bytes[whole] & (0xff00u >> rest));
    return prefix;
}

int ip_network_parse(slice text, struct ip_network *ret_network) {
    slice rest;
    struct ip_network network = {.bits = 128};
    slice address = slice_cut(text, '/', &rest);
    if (ip_parse(address, &network.address))
        return -EINVAL;
    unsigned before = ip_is_v4(&network.address) && slice_find(address, ':') < 0 ? 96 : 0;
    if (rest.ptr) {
        uint64_t bits;
        if (number_parse_u64(rest, &bits) || bits > 128 - before)
            return -EINVAL;
        network.bits = before + (unsigned)bits;
    }
    struct ip prefix = ip_prefix(&network.address, network.bits);
    if (memcmp(prefix.bytes, network.address.bytes, sizeof prefix.bytes) != 0)
        return -EINVAL;
    *ret_network = network;
    return 0;
}

bool ip_in_network(const struct ip *ip, const struct ip_network *network) {
    struct ip prefix = ip_prefix(ip, network->bits);
    return memcmp(prefix.bytes, network->address.bytes, sizeof prefix.bytes) == 0;
}

const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX]) {
    bool v4 = ip_is_v4(ip);
    const char *text = inet_ntop(v4 ? AF_INET : AF_INET6, ip->bytes + (v4 ? sizeof v4_prefix : 0),
                                 out, IP_TEXT_MAX);
    check(text);
    return text;
}
