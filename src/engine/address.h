/* SPDX-License-Identifier: MIT */
/* Addresses as text: those of listeners, and those of clients' keys. */
#ifndef STICKY_ENGINE_ADDRESS_H
#define STICKY_ENGINE_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/select.h"

#define ADDRESS_HOST_SIZE 256

/* A listening address, split into its parts, not yet resolved. */
struct listen_spec {
	char host[ADDRESS_HOST_SIZE]; /* without brackets; "": all addresses of the machine */
	uint16_t port;
	uint8_t is_v6; /* the host was in brackets */
};

/*
 * Split "HOST:PORT", "[V6]:PORT" or ":PORT".
 * Returns 0 or -EINVAL. Pure.
 */
int listen_spec_parse(const char *text, struct listen_spec *ret_spec);

/* Write an address as "1.2.3.4:80" or "[::1%lo]:80". Returns 0, -ENOSPC or -EAFNOSUPPORT. */
int address_format(const struct sockaddr *address, size_t size, char *ret_text);

/*
 * Compute the key of a client, by the code that the BPF program uses. Returns 0 or -EAFNOSUPPORT.
 * Pure.
 */
int address_key(const struct sticky_settings *settings, const struct sockaddr *client,
		struct sticky_key *ret_key);

/* Write a key as "203.0.113.9/32". Returns 0 or -ENOSPC. Pure. */
int key_format(const struct sticky_settings *settings, const struct sticky_key *key, size_t size,
	       char *ret_text);

/* Returns the number of leading one bits of a mask that prefix_fill_mask() made. */
uint32_t mask_prefix(const uint32_t *mask, uint32_t words);

/* Fill a mask of `words` words with `prefix` leading one bits, in network order. */
void prefix_fill_mask(uint32_t prefix, uint32_t words, uint32_t *ret_mask);

#endif
