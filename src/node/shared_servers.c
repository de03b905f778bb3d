// SPDX-License-Identifier: MIT
#include "node/shared_servers.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "node/shared_socket.h"

#define KEY_SIZE   192
#define SHARED_MAX 256 /* a limit for applications that ask for ever more servers by mistake */

struct shared {
	char key[KEY_SIZE];
	char path[CLUSTER_ADDRESS_SIZE]; /* of a UNIX socket, removed when it is closed; "": none */
	int fd;
	uint32_t holders; /* number of workers that have it open */
	json_t *data;
	UT_hash_handle hh;
};

/*
 * A socket that workers have got from a previous controller, and that no query has asked for yet.
 */
struct orphan {
	struct orphan *next;
	uint64_t cookie;
	int fd;
};

struct sharedports {
	int backlog;
	struct orphan *orphans;
	struct shared *shared; /* hash by key */
	bool is_over;	       /* the instance stops: no other worker follows */
};

/* ---- Sockets that only workers have -------------------------------------------------------- */

static bool is_known(const struct sharedports *ports, uint64_t cookie)
{
	const struct orphan *orphan = ports->orphans;

	while (orphan && orphan->cookie != cookie)
		orphan = orphan->next;
	return orphan != NULL;
}

void sharedports_offer(struct sharedports *ports, int fd)
{
	uint64_t cookie = sharedsocket_cookie(fd);
	struct orphan *orphan = NULL;

	if (cookie && sharedsocket_is_server(fd) && !is_known(ports, cookie))
		orphan = malloc(sizeof(*orphan));
	if (!orphan) {
		close(fd);
		return;
	}
	*orphan = (struct orphan){.next = ports->orphans, .cookie = cookie, .fd = fd};
	ports->orphans = orphan;
}

/* Take an orphan that is at the address of a query. Returns its descriptor, or -ENOENT. */
static int reclaim(struct sharedports *ports, const struct cluster_query *query)
{
	struct orphan **link = &ports->orphans, *orphan;
	int fd;

	while ((orphan = *link) && !sharedsocket_is_at(orphan->fd, query))
		link = &orphan->next;
	if (!orphan)
		return -ENOENT;
	fd = orphan->fd;
	*link = orphan->next;
	free(orphan);
	return fd;
}

/* ---- Those that are shared ------------------------------------------------------------------ */

static void close_shared(struct sharedports *ports, struct shared *shared)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): out, then freed */
	HASH_DEL(ports->shared, shared);
	close(shared->fd);
	if (shared->path[0])
		unlink(shared->path);
	json_decref(shared->data);
	free(shared);
}

void sharedports_hold(struct sharedports *ports, const char *key)
{
	struct shared *shared;

	HASH_FIND_STR(ports->shared, key, shared);
	if (shared)
		shared->holders++;
}

void sharedports_release(struct sharedports *ports, const char *key, bool is_wanted)
{
	struct shared *shared;

	HASH_FIND_STR(ports->shared, key, shared);
	if (shared && shared->holders && !--shared->holders && !(is_wanted && !ports->is_over))
		close_shared(ports, shared);
}

/* Close the sockets that at most `holders` workers have open. */
static void close_those(struct sharedports *ports, uint32_t holders)
{
	struct shared *shared, *next;

	for (shared = ports->shared; shared; shared = next) {
		next = shared->hh.next;
		if (shared->holders <= holders)
			close_shared(ports, shared);
	}
}

void sharedports_stop(struct sharedports *ports)
{
	ports->is_over = true;
	close_those(ports, 0);
}

/* All workers of a server share the data that the first one of them sent. */
const json_t *sharedports_keep_data(json_t **kept, const json_t *data)
{
	if (!*kept && data && !json_is_null(data))
		*kept = json_deep_copy(data);
	return *kept;
}

int sharedports_find(struct sharedports *ports, const struct cluster_query *query,
		     const json_t *data, int *ret_fd, const json_t **ret_data)
{
	char key[KEY_SIZE];
	struct shared *shared;
	bool was_theirs;
	int fd;

	cluster_key(query, sizeof(key), key);
	HASH_FIND_STR(ports->shared, key, shared);
	if (shared) {
		*ret_fd = shared->fd;
		*ret_data = sharedports_keep_data(&shared->data, data);
		return 0;
	}
	if (HASH_COUNT(ports->shared) >= SHARED_MAX)
		return -ENFILE;
	/*
	 * Try the orphans first: with reuseAddr a second UDP socket could be bound to the same
	 * address, and each datagram would come to only one of the two.
	 */
	fd = reclaim(ports, query);
	was_theirs = fd >= 0;
	if (!was_theirs)
		fd = sharedsocket_open(query, ports->backlog);
	if (fd < 0)
		return fd;
	shared = calloc(1, sizeof(*shared));
	if (!shared) {
		close(fd);
		return -ENOMEM;
	}
	memcpy(shared->key, key, sizeof(key));
	if (!query->udp && query->port < 0)
		memcpy(shared->path, query->address, sizeof(shared->path));
	shared->fd = fd;
	/*
	 * It is not known how many workers of a previous controller have this socket. One holder is
	 * counted for all of them, and never subtracted, so that the socket stays open.
	 */
	shared->holders = was_theirs;
	HASH_ADD_STR(ports->shared, key, shared);
	*ret_fd = fd;
	*ret_data = sharedports_keep_data(&shared->data, data);
	return 0;
}

int sharedports_open(int backlog, struct sharedports **ret_ports)
{
	*ret_ports = calloc(1, sizeof(**ret_ports));
	if (!*ret_ports)
		return -ENOMEM;
	(*ret_ports)->backlog = backlog;
	return 0;
}

void sharedports_close(struct sharedports *ports)
{
	struct orphan *orphan;

	if (!ports)
		return;
	while ((orphan = ports->orphans)) {
		ports->orphans = orphan->next;
		close(orphan->fd);
		free(orphan);
	}
	close_those(ports, UINT32_MAX);
	free(ports);
}
