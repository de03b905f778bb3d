/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The interface between the BPF program and user space: limits, settings, counters. Both sides
 * include this file. A change of any layout in it must change STICKY_ABI_VERSION.
 */
#ifndef STICKY_BPF_ABI_H
#define STICKY_BPF_ABI_H

#include <linux/types.h>

#define STICKY_ABI_VERSION 5

/*
 * The number of buckets. A bucket's number is a u16, the low half of the hash. With 1,024 slots
 * each slot still gets 64 buckets. The shares of two slots thus differ by 1/64 at most.
 */
#define STICKY_BUCKETS	 65536
#define STICKY_SLOTS_MAX 1024

/*
 * The most dispatchers that a group can have. A dispatcher finds out who the client of a proxy's
 * connection is. The dispatchers' sockets are in the entries behind those of the slots.
 */
#define STICKY_DISPATCHERS_MAX 16
#define STICKY_ENTRIES_MAX     (STICKY_SLOTS_MAX + STICKY_DISPATCHERS_MAX)

/* The most listening addresses that a group can have. */
#define STICKY_LISTENERS_MAX 16

/* The most address ranges of proxies. */
#define STICKY_PROXIES_MAX 16384
/*
 * The map has room for two lists of ranges: a new one is added before the previous one is removed.
 */
#define STICKY_PROXIES_ROOM (2 * STICKY_PROXIES_MAX)

/* The number of other slots that are tried for a client whose own slot has no socket. */
#define STICKY_PROBES_MAX 8

/*
 * The table, bucket -> slot, with a short form in front of it. In the short form one word describes
 * a block of 64 buckets, and all blocks fill one page. The full table is 128 KiB: with many clients
 * nearly every read of it misses the processor's nearest caches. These misses were measured to cost
 * more than all the rest of the program. The full table is read only for a block with more than two
 * runs of equal slots. With 8 slots there is no such block; with 32 slots it is one block in
 * thirty.
 *
 * The word of a block contains the slot of its first buckets (10 bits), the slot of its other
 * buckets (10 bits) and the number of its first buckets (6 bits). A block with more runs has the
 * word STICKY_BLOCK_MIXED.
 */
#define STICKY_BLOCK_BUCKETS	64
#define STICKY_BLOCKS		(STICKY_BUCKETS / STICKY_BLOCK_BUCKETS)
#define STICKY_BLOCK_MIXED	0x80000000u
#define STICKY_BLOCK_OTHER_BITS 10
#define STICKY_BLOCK_FIRST_BITS 20

struct sticky_table {
	__u32 blocks[STICKY_BLOCKS];
	__u16 slots[STICKY_BUCKETS];
};

/* The only element of the map `settings`. The program reads it at every run. */
struct sticky_settings {
	__u32 abi_version;
	__u32 slots;	    /* slots in the table: 1 to STICKY_SLOTS_MAX */
	__u32 hash_seed[2]; /* the HalfSipHash key, as two host-order words */
	__u32 v4_mask;	    /* which bits of an IPv4 address belong to the key; network order */
	__u32 v6_mask[4];   /* the same for IPv6; network order */
	/* The number of dispatchers, to which proxies' connections go; 0: there are no proxies. */
	__u32 dispatchers;
	/*
	 * One in sample_mask + 1 of the clients' own connections also goes to a dispatcher, which
	 * looks at the connection and passes it on to its slot. 0: none does.
	 */
	__u32 sample_mask;
	/*
	 * The number of listeners. If it is 0 or 1, every socket belongs to listener 0, and the map
	 * `listeners` is not read.
	 */
	__u32 listeners;
	/*
	 * 1: while no dispatcher has a socket, a proxy's connections go to the slot of the proxy's
	 * own address. 0: they are dropped.
	 */
	__u32 proxies_may_go_direct;
	/*
	 * The source of the test connection by which user space finds out whether this program runs
	 * (src/lib/check.c). The program refuses that connection. Port and address are in network
	 * order, IPv4 as ::ffff:0:0/96. If the port is 0, there is no such connection.
	 */
	__u32 check_port;
	__u32 check_address[4];
};

/* A range of addresses in the map `proxies`. IPv4 is stored as ::ffff:0:0/96 with more bits. */
struct sticky_proxy_key {
	__u32 bits;
	__u32 address[4]; /* network order */
};

/*
 * The key of the map `listeners`: the address that a listener's sockets are bound to, as in
 * struct bpf_sock.
 */
struct sticky_listener_key {
	__u32 port;	  /* host order */
	__u32 family;	  /* AF_INET or AF_INET6 */
	__u32 device;	  /* index of the interface that they are bound to; 0: none */
	__u32 unused;	  /* always 0: the program writes keys in words of 8 bytes */
	__u32 address[4]; /* network order; IPv4: the first word */
};

/* How a run of the program ended, if it did not simply place a new connection in its own slot. */
enum sticky_exit {
	STICKY_EXIT_MIGRATED,		/* moved from a closing socket to its slot's present one */
	STICKY_EXIT_EMPTY_SLOT,		/* its own slot had no socket: another slot got it */
	STICKY_EXIT_DISPATCHED,		/* given to a dispatcher */
	STICKY_EXIT_DROPPED_EMPTY,	/* no slot or dispatcher that was tried had a socket */
	STICKY_EXIT_DROPPED_NO_TABLE,	/* no settings, no table or no listener: not set up yet */
	STICKY_EXIT_DROPPED_UNREADABLE, /* neither IPv4 nor IPv6, or its header could not be read */
	STICKY_EXIT_CHECKED, /* the connection of check_port was refused, as it should be */
	STICKY_EXIT_COUNT
};

/* The element of the map `counters`, one for each CPU. Counters only grow. */
struct sticky_cpu_counters {
	__u64 exits[STICKY_EXIT_COUNT];
	/* New connections placed in each slot. Their sum is the number of normal runs. */
	__u64 steered[STICKY_SLOTS_MAX];
};

#endif
