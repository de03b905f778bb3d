// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The program that the kernel runs for each new connection to a steered address: client -> key ->
 * bucket -> slot -> the slot's present socket.
 *
 * The kernel also runs it ("/migrate", Linux 5.14) when a listening socket is closed while
 * connections are in its queue. The program moves each of these connections, in order, to the
 * present socket of its own slot. A slot thus changes hands by one map update and a close().
 *
 * The program never returns SK_PASS without having selected a socket: the kernel would then hash
 * over all sockets of the group, and these include the sockets of workers that are not ready.
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
 * The table, bucket -> slot: one inner array with one value, a struct sticky_table. A change
 * replaces the whole inner array, so that no run of the program sees half a table. The inner map is
 * declared by value_size: libbpf 1.1 can't determine the size of a struct here.
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

/*
 * The sockets of all listeners. The index of a slot's socket is listener * STICKY_ENTRIES_MAX +
 * slot. For a dispatcher, STICKY_SLOTS_MAX + dispatcher takes the place of the slot. One loaded
 * program serves every listener: a listener that is added later needs neither BPF_PROG_LOAD nor
 * BPF_MAP_CREATE. The kernel refuses a socket of another group than the packet came to. A mistake
 * here can thus not mix listeners up.
 */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, STICKY_LISTENERS_MAX *STICKY_ENTRIES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} entries SEC(".maps");

/*
 * The ranges whose connections go to the dispatchers. A peer that matches any of them is a proxy.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, STICKY_PROXIES_ROOM);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sticky_proxy_key);
	__type(value, __u32);
} proxies SEC(".maps");

/*
 * The listener that a listening socket belongs to. The map is not read while there is only one
 * listener.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STICKY_LISTENERS_MAX);
	__type(key, struct sticky_listener_key);
	__type(value, __u32);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sticky_cpu_counters);
} counters SEC(".maps");

/*
 * Rules of the verifier that the functions below obey. A process with CAP_BPF but without
 * CAP_PERFMON gets a stricter verifier than root: it also follows the paths that a processor
 * may take speculatively, and it protects spilled registers. Seen on Linux 5.15 to 6.16:
 *
 * (stack) Once a known number has been stored in the first half of an 8-byte stack word, a
 *         store of 4 bytes into that word is refused: "attempt to corrupt spilled pointer on
 *         stack". The same happens when the compiler joins two initialisations of 4 bytes
 *         into one of 8, and writes one half again later. Hence a map key that is built on the
 *         stack consists of 8-byte words, each written once, in a function that is __noinline
 *         and thus has a frame of its own. The rule does not apply to the bytes that a helper
 *         writes to the stack.
 * (loop)  A loop whose end depends on data is refused: the speculative path beyond its end
 *         looks like an "infinite loop". Hence every loop is unrolled by the compiler.
 *
 * tests/kernel/test_load.c loads the program with CAP_BPF alone. `make test-kernels` does so on
 * other kernels.
 */

/* Returns two 32-bit words as they lie in memory, the first one at the lower address. */
static __always_inline __u64 pair(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (__u64)first << 32 | second;
#else
	return first | (__u64)second << 32;
#endif
}

/* hash_of_client() and the functions that it calls return this if no address could be read. */
#define NO_HASH (-1L)

/*
 * (stack) hash_v4() and hash_v6_key() are not inlined: within another function the compiler would
 * have too few registers for the state of a hash, and would spill it in words of 4 bytes. Only the
 * hash of a new IPv4 connection is computed in sticky_select() itself, which has few values to keep
 * before that.
 */
static __noinline __u32 hash_v4(const struct sticky_settings *set, __u32 address)
{
	return sticky_hash_v4(set, address);
}

static __noinline __u32 hash_v6_key(const struct sticky_settings *set, __u32 k0, __u32 k1, __u32 k2,
				    __u32 k3)
{
	const __u32 key[] = {k0, k1, k2, k3};

	return sticky_halfsiphash13(set->hash_seed, key, 4);
}

static __always_inline __u32 hash_v6(const struct sticky_settings *set, __u32 a0, __u32 a1,
				     __u32 a2, __u32 a3)
{
	if (sticky_is_v4_mapped(a0, a1, a2))
		return hash_v4(set, a3);
	return hash_v6_key(set, a0 & set->v6_mask[0], a1 & set->v6_mask[1], a2 & set->v6_mask[2],
			   a3 & set->v6_mask[3]);
}

/*
 * (stack) Hash the client of a new IPv6 connection. Extension headers don't move the address. The
 * address is never v4-mapped: the kernel drops such packets (ip6_rcv_core()).
 */
static __noinline long hash_of_v6_packet(struct sk_reuseport_md *ctx,
					 const struct sticky_settings *set)
{
	__u32 address[4];
	int i;

	if (bpf_skb_load_bytes_relative(ctx, 8, address, 16, BPF_HDR_START_NET))
		return NO_HASH;
#pragma clang loop unroll(full)
	for (i = 0; i < 4; i++)
		address[i] &= set->v6_mask[i];
	return sticky_halfsiphash13(set->hash_seed, address, 4);
}

/*
 * Hash the client of a connection that is being moved. The address comes from the connection's
 * socket, as the packet is empty when an accept queue is moved. dst_ip4 of an IPv6 socket means
 * nothing: the address of a v4-mapped client is in dst_ip6.
 *
 * (stack) The socket pointer is read from the context wherever it is needed: a pointer that is kept
 * across calls may be spilled.
 */
static __noinline long hash_of_moved(struct sk_reuseport_md *ctx, const struct sticky_settings *set)
{
	const struct bpf_sock *sk = ctx->migrating_sk;

	if (!sk)
		return NO_HASH;
	if (sk->family == AF_INET)
		return hash_v4(set, sk->dst_ip4);
	if (sk->family == AF_INET6)
		return hash_v6(set, sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]);
	return NO_HASH;
}

/*
 * Returns the hash of the client's key, 32 bits, or NO_HASH. eth_protocol tells which header the
 * packet has. The socket's family does not, as an IPv4 client of a [::] socket sends IPv4 packets.
 */
static __always_inline long hash_of_client(struct sk_reuseport_md *ctx,
					   const struct sticky_settings *set)
{
	__u32 address;

	if (ctx->migrating_sk)
		return hash_of_moved(ctx, set);
	if (ctx->eth_protocol == bpf_htons(ETH_P_IPV6))
		return hash_of_v6_packet(ctx, set);
	if (ctx->eth_protocol != bpf_htons(ETH_P_IP) ||
	    bpf_skb_load_bytes_relative(ctx, 12, &address, sizeof(address), BPF_HDR_START_NET))
		return NO_HASH;
	return sticky_hash_v4(set, address);
}

/*
 * (stack) Returns true if an address is in a range of proxies. The key is a struct
 * sticky_proxy_key, padded to whole words.
 */
static __noinline bool is_proxy(__u32 a0, __u32 a1, __u32 a2, __u32 a3)
{
	const __u64 key[] = {pair(128, a0), pair(a1, a2), pair(a3, 0)};

	_Static_assert(sizeof(key) >= sizeof(struct sticky_proxy_key), "the key is shorter");
	return bpf_map_lookup_elem(&proxies, key) != NULL;
}

static __always_inline bool is_v4_proxy(__u32 v4)
{
	return is_proxy(0, 0, sticky_be32(0xffffu), v4);
}

/* (stack) Returns true if the source of an IPv6 packet is a proxy. */
static __noinline bool v6_packet_is_of_proxy(struct sk_reuseport_md *ctx)
{
	__u32 address[4];

	return !bpf_skb_load_bytes_relative(ctx, 8, address, 16, BPF_HDR_START_NET) &&
	       is_proxy(address[0], address[1], address[2], address[3]);
}

/*
 * Returns true if the peer is a proxy. hash_of_client() and hash_of_moved() explain how its address
 * is found.
 */
static __always_inline bool peer_is_proxy(struct sk_reuseport_md *ctx)
{
	const struct bpf_sock *moved = ctx->migrating_sk;
	__u32 v4;

	if (moved && moved->family == AF_INET6)
		return is_proxy(moved->dst_ip6[0], moved->dst_ip6[1], moved->dst_ip6[2],
				moved->dst_ip6[3]);
	if (moved)
		return is_v4_proxy(moved->dst_ip4);
	if (ctx->eth_protocol != bpf_htons(ETH_P_IP))
		return v6_packet_is_of_proxy(ctx);
	return !bpf_skb_load_bytes_relative(ctx, 12, &v4, sizeof(v4), BPF_HDR_START_NET) &&
	       is_v4_proxy(v4);
}

enum peer {
	PEER_CLIENT,
	PEER_SAMPLE, /* a client that is chosen by chance: see sample_mask */
	PEER_PROXY
};

static __always_inline enum peer kind_of_peer(struct sk_reuseport_md *ctx,
					      const struct sticky_settings *set)
{
	if (peer_is_proxy(ctx))
		return PEER_PROXY;
	if (set->sample_mask && !ctx->migrating_sk && !(bpf_get_prandom_u32() & set->sample_mask))
		return PEER_SAMPLE;
	return PEER_CLIENT;
}

/*
 * (stack) Find a listener. The arguments are a struct sticky_listener_key in words. Returns the
 * listener's first entry, or -1 if the map does not have it.
 */
static __noinline long find_entries(__u64 port_family, __u64 device, __u64 address01,
				    __u64 address23)
{
	const __u64 key[] = {port_family, device, address01, address23};
	const __u32 *listener;

	_Static_assert(sizeof(key) == sizeof(struct sticky_listener_key), "another key");
	listener = bpf_map_lookup_elem(&listeners, key);
	return listener ? (long)*listener * STICKY_ENTRIES_MAX : -1;
}

/*
 * Returns the first entry of the listener that the packet came to, or -1 if it is not known.
 * ctx->sk is a listening socket of the group, whichever the kernel found first. A socket that is
 * being closed still has its address and port, because it was bound to a port by its number
 * (src/engine/listener.h).
 */
static __noinline long find_listener(struct sk_reuseport_md *ctx)
{
	const struct bpf_sock *sk = ctx->sk;
	__u64 port_family = pair(sk->src_port, sk->family), device = pair(sk->bound_dev_if, 0);

	if (sk->family == AF_INET6)
		return find_entries(port_family, device, pair(sk->src_ip6[0], sk->src_ip6[1]),
				    pair(sk->src_ip6[2], sk->src_ip6[3]));
	return find_entries(port_family, device, pair(sk->src_ip4, 0), 0);
}

static __always_inline long first_entry(struct sk_reuseport_md *ctx,
					const struct sticky_settings *set)
{
	return set->listeners > 1 ? find_listener(ctx) : 0;
}

/*
 * Select the socket of an entry. Returns 0, or the helper's error: -ENOENT if the entry is empty.
 * The type is long and not bool, as the compiler spills a bool by a store of 4 bytes (stack).
 */
static __always_inline long select_entry(struct sk_reuseport_md *ctx, __u32 entry)
{
	__u64 key = pair(entry, 0); /* (stack) */

	return bpf_sk_select_reuseport(ctx, &entries, &key, 0);
}

#define TRIES_AT_A_TIME 8

/* (loop) Try TRIES_AT_A_TIME dispatchers, for select_dispatcher(). Returns 0 or -1. */
static __noinline long try_dispatchers(struct sk_reuseport_md *ctx, __u32 first_entry,
				       __u32 dispatchers, __u32 from)
{
	__u32 try;

#pragma clang loop unroll(full)
	for (try = 0; try < TRIES_AT_A_TIME; try++)
		if (!select_entry(ctx, first_entry + STICKY_SLOTS_MAX + (from + try) % dispatchers))
			return 0;
	return -1;
}

/*
 * Select any dispatcher that has a socket. The connections of a proxy differ by their port. The
 * first try therefore depends on the packet's hash, which includes the port, or on the port itself.
 * If there are fewer dispatchers than tries, some are tried again, which does no harm.
 */
static __always_inline long select_dispatcher(struct sk_reuseport_md *ctx, __u32 first_entry,
					      __u32 dispatchers)
{
	const struct bpf_sock *migrating = ctx->migrating_sk;
	__u32 from = migrating ? bpf_ntohs(migrating->dst_port) : ctx->hash;

	_Static_assert(2 * TRIES_AT_A_TIME == STICKY_DISPATCHERS_MAX, "some are not tried");
	if (!try_dispatchers(ctx, first_entry, dispatchers, from))
		return 0;
	return try_dispatchers(ctx, first_entry, dispatchers, from + TRIES_AT_A_TIME);
}

enum placing { NOT_PLACED, PLACED, NO_PLACE };

static __noinline int place_with_dispatcher(struct sk_reuseport_md *ctx,
					    const struct sticky_settings *set, __u32 first_entry)
{
	enum peer peer = kind_of_peer(ctx, set);

	if (peer == PEER_CLIENT)
		return NOT_PLACED;
	if (!select_dispatcher(ctx, first_entry, set->dispatchers))
		return PLACED;
	return peer == PEER_PROXY && !set->proxies_may_go_direct ? NO_PLACE : NOT_PLACED;
}

/*
 * (stack) Try one other slot, for select_other_slot(). A separate function has few values to keep.
 * Returns 0 or an error.
 */
static __noinline long try_other_slot(struct sk_reuseport_md *ctx,
				      const struct sticky_settings *set, __u32 first_entry,
				      __u64 hash_slot, __u32 probe)
{
	__u32 slots = set->slots;

	if (probe + 1 >= slots)
		return -1;
	return select_entry(
		ctx, first_entry + sticky_probe_slot(hash_slot >> 32, hash_slot, slots, probe));
}

/*
 * (loop) Select the socket of another slot, as the client's own slot has none. Either its worker
 * died while no controller was alive to hold the slot, or its worker does not serve this address.
 * Returns 0 or -1.
 */
static __noinline long select_other_slot(struct sk_reuseport_md *ctx,
					 const struct sticky_settings *set, __u32 first_entry,
					 __u64 hash_slot)
{
	__u32 probe;

#pragma clang loop unroll(full)
	for (probe = 0; probe < STICKY_PROBES_MAX; probe++)
		if (!try_other_slot(ctx, set, first_entry, hash_slot, probe))
			return 0;
	return -1;
}

static __always_inline int count_exit(enum sticky_exit exit, int verdict)
{
	const __u64 zero = 0; /* on the stack, where a map key must be */
	struct sticky_cpu_counters *count = bpf_map_lookup_elem(&counters, &zero);

	if (count) /* never NULL for element 0 of an array, but the verifier requires the check */
		count->exits[exit]++;
	return verdict;
}

/* Returns the table in use; NULL: there is none. */
static __always_inline const struct sticky_table *find_table(void)
{
	const __u64 zero = 0; /* on the stack, where a map key must be */
	void *inner = bpf_map_lookup_elem(&table, &zero);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

static __always_inline void count_steered(__u32 slot)
{
	const __u64 zero = 0; /* on the stack, where a map key must be */
	struct sticky_cpu_counters *count = bpf_map_lookup_elem(&counters, &zero);

	if (count && slot < STICKY_SLOTS_MAX)
		count->steered[slot]++;
}

/*
 * Returns whether this is the test connection by which user space finds out whether this program
 * runs. The packet begins at the TCP header here, whose first field is the source port. A
 * connection that is being moved has an empty packet, and can't be the test connection.
 */
static __noinline long is_check(struct sk_reuseport_md *ctx, const struct sticky_settings *set)
{
	__u32 address[4];
	__u16 port;

	if (bpf_skb_load_bytes(ctx, 0, &port, sizeof(port)) || port != set->check_port)
		return 0;
	if (ctx->eth_protocol == bpf_htons(ETH_P_IP))
		return !bpf_skb_load_bytes_relative(ctx, 12, address, 4, BPF_HDR_START_NET) &&
		       address[0] == set->check_address[3] &&
		       set->check_address[2] == sticky_be32(0xffffu);
	return !bpf_skb_load_bytes_relative(ctx, 8, address, 16, BPF_HDR_START_NET) &&
	       address[0] == set->check_address[0] && address[1] == set->check_address[1] &&
	       address[2] == set->check_address[2] && address[3] == set->check_address[3];
}

SEC("sk_reuseport/migrate")
int sticky_select(struct sk_reuseport_md *ctx)
{
	const __u64 zero = 0; /* on the stack, where a map key must be */
	const struct sticky_settings *set = bpf_map_lookup_elem(&settings, &zero);
	const struct sticky_table *slots;
	long hash, first;
	__u32 slot;

	if (!set || set->abi_version != STICKY_ABI_VERSION)
		return count_exit(STICKY_EXIT_DROPPED_NO_TABLE, SK_DROP);
	if (set->check_port && is_check(ctx, set))
		return count_exit(STICKY_EXIT_CHECKED, SK_DROP);
	first = first_entry(ctx, set);
	if (first < 0)
		return count_exit(STICKY_EXIT_DROPPED_NO_TABLE, SK_DROP);

	switch (set->dispatchers ? place_with_dispatcher(ctx, set, first) : NOT_PLACED) {
	case PLACED:
		return count_exit(STICKY_EXIT_DISPATCHED, SK_PASS);
	case NO_PLACE:
		return count_exit(STICKY_EXIT_DROPPED_EMPTY, SK_DROP);
	default:
		break;
	}

	hash = hash_of_client(ctx, set);
	if (hash < 0)
		return count_exit(STICKY_EXIT_DROPPED_UNREADABLE, SK_DROP);
	slots = find_table();
	if (!slots)
		return count_exit(STICKY_EXIT_DROPPED_NO_TABLE, SK_DROP);
	slot = sticky_table_slot(slots, sticky_hash_bucket(hash));

	if (!select_entry(ctx, first + slot)) {
		if (ctx->migrating_sk)
			return count_exit(STICKY_EXIT_MIGRATED, SK_PASS);
		count_steered(slot);
		return SK_PASS;
	}
	if (!select_other_slot(ctx, set, first, (__u64)hash << 32 | slot))
		return count_exit(STICKY_EXIT_EMPTY_SLOT, SK_PASS);
	return count_exit(STICKY_EXIT_DROPPED_EMPTY, SK_DROP);
}

/* The kernel accepts this spelling as compatible with the GPL. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
