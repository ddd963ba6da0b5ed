/*
 * ip.h - IP addresses as numbers: read, compared, matched against networks.
 *
 * IPv4 is kept as IPv6 (::ffff:a.b.c.d, RFC 4291), so that there is one form, and a client that
 * comes by a dual-stack socket is the one that comes by IPv4.
 */
#ifndef NONET_BASE_IP_H
#define NONET_BASE_IP_H

#include "base/check.h"
#include "base/slice.h"

#define IP_TEXT_MAX 46 /* with the closing NUL */

struct ip {
    uint8_t bytes[16];
};

struct ip_network {
    struct ip address; /* bits behind the prefix are zero */
    unsigned bits;     /* of 128 */
};

/* "10.1.2.3", "2001:db8::1", "[::1]" (RFC 4291, no zones). 0 or -EINVAL. */
must_use int ip_parse(slice text, struct ip *ret_ip);
/* The address in "host:port" or "[host]:port", or alone. 0 or -EINVAL (a name). */
must_use int ip_parse_with_port(slice text, struct ip *ret_ip);
/* "10.0.0.0/8", "::1/128", or an address alone. 0 or -EINVAL (also with bits behind the prefix). */
must_use int ip_network_parse(slice text, struct ip_network *ret_network);
bool ip_in_network(const struct ip *ip, const struct ip_network *network);
bool ip_is_v4(const struct ip *ip);
/* IP with all but its first BITS of 128 zeroed: who shares a limit (an IPv6 /64). */
struct ip ip_prefix(const struct ip *ip, unsigned bits);
/* "10.1.2.3", "2001:db8::1" (RFC 5952). Returns OUT. */
const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);

#endif
