// SPDX-License-Identifier: MIT
#include "stray.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>

/* The source port. No client has a socket at it, and no listener of ours is bound below 1024. */
#define SOURCE_PORT 999

struct packet {
	size_t length;
	union {
		struct {
			struct iphdr ip;
			struct tcphdr tcp;
		} v4;
		struct {
			struct ip6_hdr ip;
			struct tcphdr tcp;
		} v6;
		uint8_t bytes[sizeof(struct ip6_hdr) + sizeof(struct tcphdr)];
	};
};

int stray_open(enum client_family family)
{
	int domain = family == CLIENT_V6 ? AF_INET6 : AF_INET;
	int fd = socket(domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	return fd < 0 ? -errno : fd;
}

/* Returns the sum for an Internet checksum (RFC 1071) over an even number of bytes. */
static uint32_t sum_words(const void *from, size_t length, uint32_t sum)
{
	const uint8_t *bytes = from;
	size_t i;

	for (i = 0; i < length; i += 2) {
		uint16_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/*
 * Fill in the TCP header. `addresses` are source and destination as in the IP header, for the
 * pseudo-header.
 */
static void fill_tcp(struct tcphdr *tcp, const void *addresses, size_t addresses_length,
		     uint16_t port)
{
	uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof(*tcp));

	*tcp = (struct tcphdr){
		.th_sport = htons(SOURCE_PORT),
		.th_dport = htons(port),
		.th_off = sizeof(*tcp) / 4,
		.th_flags = TH_ACK,
	};
	sum = sum_words(addresses, addresses_length, sum);
	tcp->th_sum = fold(sum_words(tcp, sizeof(*tcp), sum));
}

/* Fill in an IPv4 packet. The kernel fills in the IP header's checksum: raw(7). */
static void fill_v4(const struct sockaddr_in *from, const struct sockaddr_in *to, uint16_t port,
		    struct packet *packet)
{
	packet->length = sizeof(packet->v4);
	packet->v4.ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(packet->v4.ip) / 4,
		.tot_len = htons(sizeof(packet->v4)),
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.saddr = from->sin_addr.s_addr,
		.daddr = to->sin_addr.s_addr,
	};
	fill_tcp(&packet->v4.tcp, &packet->v4.ip.saddr, 2 * sizeof(packet->v4.ip.saddr), port);
}

static void fill_v6(const struct sockaddr_in6 *from, const struct sockaddr_in6 *to, uint16_t port,
		    struct packet *packet)
{
	packet->length = sizeof(packet->v6);
	packet->v6.ip = (struct ip6_hdr){
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(sizeof(packet->v6.tcp)),
		.ip6_nxt = IPPROTO_TCP,
		.ip6_hlim = 64,
		.ip6_src = from->sin6_addr,
		.ip6_dst = to->sin6_addr,
	};
	fill_tcp(&packet->v6.tcp, &packet->v6.ip.ip6_src, 2 * sizeof(packet->v6.ip.ip6_src), port);
}

int stray_send(int fd, enum client_family family, uint32_t client, uint16_t port)
{
	struct sockaddr_storage from, to;
	struct packet packet;
	socklen_t length;

	loopback_client_address(family, client, &from);
	length = loopback_target_address(family, 0, &to); /* a raw socket has no port */
	if (family == CLIENT_V6)
		fill_v6((void *)&from, (void *)&to, port, &packet);
	else
		fill_v4((void *)&from, (void *)&to, port, &packet);
	return sendto(fd, packet.bytes, packet.length, 0, (void *)&to, length) < 0 ? -errno : 0;
}
