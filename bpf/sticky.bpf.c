// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The program that the kernel runs for each new connection to a steered address:
 * client -> key -> bucket -> slot -> the slot's present socket.
 *
 * It also runs when a listening socket is closed with connections in it
 * ("/migrate", Linux 5.14): each is moved, in order, to its own slot's present
 * socket. A slot thus changes hands by one map update and a close().
 *
 * It never returns SK_PASS without having selected a socket: the kernel would then
 * hash over every socket of the group, those of workers that are not ready among
 * them.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "select.h"

#define AF_INET	 2
#define AF_INET6 10

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sticky_settings);
} settings SEC(".maps");

/*
 * bucket -> slot: one inner array with one value, a struct sticky_table. A change
 * replaces the inner array whole, so that no run sees half a table. The inner map
 * is declared by value_size: libbpf 1.1 can't determine the size of a struct here.
 */
struct table_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct sticky_table));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct table_map);
} table SEC(".maps");

/* slot, or 1024 + dispatcher -> socket: one such map for each listener, everything else is shared.
 */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, STICKY_ENTRIES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} entries SEC(".maps");

/* Whose connections are for the dispatchers: the longest prefix decides, and any does. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, STICKY_PROXIES_ROOM);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sticky_proxy_key);
	__type(value, __u32);
} proxies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sticky_cpu_counters);
} counters SEC(".maps");

/*
 * The client's key from the packet. eth_protocol tells which header it has: the
 * socket's family does not, as an IPv4 client of a [::] socket comes in an IPv4
 * packet. Extension headers don't move the IPv6 source address.
 */
static __always_inline int key_from_packet(struct sk_reuseport_md *ctx,
					   const struct sticky_settings *set,
					   struct sticky_key *ret_key)
{
	__u32 address[4];

	if (ctx->eth_protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes_relative(ctx, 12, address, 4, BPF_HDR_START_NET))
			return -1;
		sticky_key_v4(set, address[0], ret_key);
		return 0;
	}
	if (ctx->eth_protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes_relative(ctx, 8, address, 16, BPF_HDR_START_NET))
			return -1;
		sticky_key_v6(set, address, ret_key);
		return 0;
	}
	return -1;
}

/*
 * The client's key from a connection that is being moved: a whole accept queue is
 * moved with an empty packet. dst_ip4 of an IPv6 socket means nothing, so that a
 * v4-mapped client is told by its dst_ip6.
 */
static __always_inline int key_from_socket(const struct bpf_sock *sk,
					   const struct sticky_settings *set,
					   struct sticky_key *ret_key)
{
	if (sk->family == AF_INET) {
		sticky_key_v4(set, sk->dst_ip4, ret_key);
		return 0;
	}
	if (sk->family == AF_INET6) {
		__u32 address[4] = {sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]};

		sticky_key_v6(set, address, ret_key);
		return 0;
	}
	return -1;
}

/*
 * The socket pointer is read from the context here and wherever else it is asked for: one that
 * is kept across calls may be spilled to the stack, and overwritten there, which the verifier
 * grants only with CAP_PERFMON.
 */
static __always_inline int key_of_client(struct sk_reuseport_md *ctx,
					 const struct sticky_settings *set,
					 struct sticky_key *ret_key)
{
	const struct bpf_sock *migrating = ctx->migrating_sk;

	if (migrating)
		return key_from_socket(migrating, set, ret_key);
	return key_from_packet(ctx, set, ret_key);
}

static __always_inline void map_v4(__u32 v4, __u32 address[4])
{
	address[0] = 0;
	address[1] = 0;
	address[2] = sticky_be32(0xffffu);
	address[3] = v4;
}

/* The peer's whole address; see key_from_packet() and key_from_socket() for what tells which. */
static __always_inline int address_of_peer(struct sk_reuseport_md *ctx, __u32 address[4])
{
	const struct bpf_sock *migrating = ctx->migrating_sk;
	__u32 v4;

	if (migrating && migrating->family == AF_INET6) {
		address[0] = migrating->dst_ip6[0];
		address[1] = migrating->dst_ip6[1];
		address[2] = migrating->dst_ip6[2];
		address[3] = migrating->dst_ip6[3];
		return 0;
	}
	if (migrating) {
		map_v4(migrating->dst_ip4, address);
		return 0;
	}
	if (ctx->eth_protocol != bpf_htons(ETH_P_IP))
		return bpf_skb_load_bytes_relative(ctx, 8, address, 16, BPF_HDR_START_NET);
	if (bpf_skb_load_bytes_relative(ctx, 12, &v4, 4, BPF_HDR_START_NET))
		return -1;
	map_v4(v4, address);
	return 0;
}

enum peer { PEER_CLIENT, PEER_SAMPLE /* a client that is looked at */, PEER_PROXY };

static __always_inline enum peer kind_of_peer(struct sk_reuseport_md *ctx,
					      const struct sticky_settings *set)
{
	struct sticky_proxy_key key = {.bits = 128};

	if (address_of_peer(ctx, key.address))
		return PEER_CLIENT;
	if (bpf_map_lookup_elem(&proxies, &key))
		return PEER_PROXY;
	if (set->sample_mask && !ctx->migrating_sk && !(bpf_get_prandom_u32() & set->sample_mask))
		return PEER_SAMPLE;
	return PEER_CLIENT;
}

/* Is this a wake-up connection of the library itself? The TCP header starts with its port. */
static __always_inline bool is_wake_up(struct sk_reuseport_md *ctx,
				       const struct sticky_settings *set)
{
	__u16 source_port;

	return set->wake_port && !ctx->migrating_sk &&
	       !bpf_skb_load_bytes(ctx, 0, &source_port, sizeof(source_port)) &&
	       source_port == set->wake_port;
}

static __always_inline bool select_slot(struct sk_reuseport_md *ctx, __u32 slot)
{
	return bpf_sk_select_reuseport(ctx, &entries, &slot, 0) == 0;
}

/* Any of the dispatchers; a proxy has one address, and many ports. */
static __always_inline bool select_dispatcher(struct sk_reuseport_md *ctx, __u32 dispatchers)
{
	const struct bpf_sock *migrating = ctx->migrating_sk;
	__u32 first = migrating ? bpf_ntohs(migrating->dst_port) : ctx->hash;
	__u32 probe;

	for (probe = 0; probe < STICKY_DISPATCHERS_MAX && probe < dispatchers; probe++)
		if (select_slot(ctx, STICKY_SLOTS_MAX + (first + probe) % dispatchers))
			return true;
	return false;
}

enum placing { NOT_PLACED, PLACED, NO_PLACE };

/*
 * A function of its own, with its own stack: in one with the rest the compiler spills pointers,
 * and puts other things in their place later, which the verifier grants only with CAP_PERFMON.
 */
static __noinline int place_with_dispatcher(struct sk_reuseport_md *ctx,
					    const struct sticky_settings *set)
{
	enum peer peer = kind_of_peer(ctx, set);

	if (peer == PEER_CLIENT)
		return NOT_PLACED;
	if (select_dispatcher(ctx, set->dispatchers))
		return PLACED;
	return peer == PEER_PROXY && !set->proxies_may_go_direct ? NO_PLACE : NOT_PLACED;
}

/* The slot's entry is empty: its worker died while no controller was there to hold it. */
static __always_inline bool select_other_slot(struct sk_reuseport_md *ctx, __u32 hash, __u32 slot,
					      __u32 slots)
{
	__u32 probe;

	for (probe = 0; probe < STICKY_PROBES_MAX && probe + 1 < slots; probe++)
		if (select_slot(ctx, sticky_probe_slot(hash, slot, slots, probe)))
			return true;
	return false;
}

static __always_inline int count_exit(struct sticky_cpu_counters *count, enum sticky_exit exit,
				      int verdict)
{
	count->exits[exit]++;
	return verdict;
}

SEC("sk_reuseport/migrate")
int sticky_select(struct sk_reuseport_md *ctx)
{
	__u32 zero = 0, hash, slot;
	struct sticky_cpu_counters *count = bpf_map_lookup_elem(&counters, &zero);
	struct sticky_settings *set = bpf_map_lookup_elem(&settings, &zero);
	void *inner = bpf_map_lookup_elem(&table, &zero);
	const struct sticky_table *slots;
	struct sticky_key key;

	if (!count) /* can't be: element 0 of an array; the verifier wants it said */
		return SK_DROP;
	if (!set || !inner || set->abi_version != STICKY_ABI_VERSION)
		return count_exit(count, STICKY_EXIT_DROPPED_NO_TABLE, SK_DROP);
	slots = bpf_map_lookup_elem(inner, &zero);
	if (!slots)
		return count_exit(count, STICKY_EXIT_DROPPED_NO_TABLE, SK_DROP);

	if (is_wake_up(ctx, set))
		return count_exit(count, STICKY_EXIT_WOKEN,
				  select_slot(ctx, set->wake_slot) ? SK_PASS : SK_DROP);

	switch (set->dispatchers ? place_with_dispatcher(ctx, set) : NOT_PLACED) {
	case PLACED:
		return count_exit(count, STICKY_EXIT_DISPATCHED, SK_PASS);
	case NO_PLACE:
		return count_exit(count, STICKY_EXIT_DROPPED_EMPTY, SK_DROP);
	default:
		break;
	}

	if (key_of_client(ctx, set, &key))
		return count_exit(count, STICKY_EXIT_DROPPED_UNREADABLE, SK_DROP);
	hash = sticky_key_hash(set, &key);
	slot = sticky_table_slot(slots, sticky_hash_bucket(hash));

	if (select_slot(ctx, slot)) {
		if (ctx->migrating_sk)
			return count_exit(count, STICKY_EXIT_MIGRATED, SK_PASS);
		if (slot < STICKY_SLOTS_MAX)
			count->steered[slot]++;
		return SK_PASS;
	}
	if (select_other_slot(ctx, hash, slot, set->slots))
		return count_exit(count, STICKY_EXIT_EMPTY_SLOT, SK_PASS);
	return count_exit(count, STICKY_EXIT_DROPPED_EMPTY, SK_DROP);
}

/* "Dual MIT/GPL": the kernel's own spelling, which it takes for GPL-compatible. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
