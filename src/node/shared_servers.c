// SPDX-License-Identifier: MIT
#include "node/shared_servers.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "common/log.h"
#include "common/sanitize.h"
#include "rights/unix_path.h"
#include "node/shared_socket.h"

#define KEY_SIZE   192
#define SHARED_MAX 256	 /* limits applications that ask for ever more servers by mistake */
#define DATA_MAX   65536 /* bytes of JSON */

struct shared {
	char key[KEY_SIZE];
	/* of a UNIX socket, whose file is removed when the socket is closed */
	struct unix_path path;
	int fd;
	uint32_t holders; /* number of workers that have the socket open */
	json_t *data;
	UT_hash_handle hh;
};

/* A socket that workers have from a previous controller, and that no query has asked for yet. */
struct orphan {
	struct orphan *next;
	uint64_t cookie;
	int fd;
};

struct shared_servers {
	int backlog;
	const struct user_rights *rights; /* of the workers' user */
	struct orphan *orphans;
	uint32_t orphan_count;
	struct shared *shared; /* hash by key */
	bool is_over;	       /* the instance stops: no other worker follows */
};

/* ---- Sockets that only workers have -------------------------------------------------------- */

static bool is_known(const struct shared_servers *ports, uint64_t cookie)
{
	const struct orphan *orphan = ports->orphans;

	while (orphan && orphan->cookie != cookie)
		orphan = orphan->next;
	return orphan != NULL;
}

void shared_servers_offer(struct shared_servers *ports, int fd)
{
	uint64_t cookie = sharedsocket_cookie(fd);
	struct orphan *orphan = NULL;

	if (cookie && ports->orphan_count < SHARED_MAX && sharedsocket_is_server(fd) &&
	    !is_known(ports, cookie))
		orphan = malloc(sizeof(*orphan));
	if (!orphan) {
		close(fd);
		return;
	}
	*orphan = (struct orphan){.next = ports->orphans, .cookie = cookie, .fd = fd};
	ports->orphans = orphan;
	ports->orphan_count++;
}

/* Take an orphan that is at the address of a query. Returns its descriptor, or -ENOENT. */
static int reclaim(struct shared_servers *ports, const struct cluster_query *query)
{
	struct orphan **link = &ports->orphans, *orphan;
	int fd;

	while ((orphan = *link) && !sharedsocket_is_at(orphan->fd, query))
		link = &orphan->next;
	if (!orphan)
		return -ENOENT;
	fd = orphan->fd;
	*link = orphan->next;
	ports->orphan_count--;
	free(orphan);
	return fd;
}

bool shared_servers_has(const struct shared_servers *ports, const struct cluster_query *query)
{
	const struct orphan *orphan = ports->orphans;
	char key[KEY_SIZE];
	struct shared *shared;

	cluster_key(query, sizeof(key), key);
	HASH_FIND_STR(ports->shared, key, shared);
	while (orphan && !sharedsocket_is_at(orphan->fd, query))
		orphan = orphan->next;
	return shared || orphan;
}

/* ---- Those that are shared ------------------------------------------------------------------ */

/* Log that a socket's file is kept. The key contains the path, which a worker chose. */
static void report_kept_file(const struct shared *shared, int error)
{
	char key[KEY_SIZE];

	strcpy(key, shared->key);
	text_clean_value(key);
	report(STICKY_LOG_WARN, "socket_file_kept", "key=\"%s\" error=\"%s\"", key,
	       strerror(-error));
}

static void close_shared(struct shared_servers *ports, struct shared *shared)
{
	int error;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): out, then freed */
	HASH_DEL(ports->shared, shared);
	close(shared->fd);
	error = unix_path_remove(&shared->path);
	if (error)
		report_kept_file(shared, error);
	json_decref(shared->data);
	free(shared);
}

void shared_servers_hold(struct shared_servers *ports, const char *key)
{
	struct shared *shared;

	HASH_FIND_STR(ports->shared, key, shared);
	if (shared)
		shared->holders++;
}

void shared_servers_release(struct shared_servers *ports, const char *key, bool is_wanted)
{
	struct shared *shared;

	HASH_FIND_STR(ports->shared, key, shared);
	if (shared && shared->holders && !--shared->holders && !(is_wanted && !ports->is_over))
		close_shared(ports, shared);
}

/* Close the sockets that at most `holders` workers have open. */
static void close_those(struct shared_servers *ports, uint32_t holders)
{
	struct shared *shared, *next;

	for (shared = ports->shared; shared; shared = next) {
		next = shared->hh.next;
		if (shared->holders <= holders)
			close_shared(ports, shared);
	}
}

void shared_servers_stop(struct shared_servers *ports)
{
	ports->is_over = true;
	close_those(ports, 0);
}

const json_t *shared_servers_keep_data(json_t **kept, const json_t *data)
{
	if (!*kept && data && !json_is_null(data) &&
	    json_dumpb(data, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) <= DATA_MAX)
		*kept = json_deep_copy(data);
	return *kept;
}

/*
 * Open a socket, unless one of the orphans is at its address. With reuseAddr a second UDP socket
 * could be bound to the same address, and each datagram would arrive at only one of the two.
 */
static int reclaim_or_open(struct shared_servers *ports, const struct cluster_query *query,
			   bool may_be_low, struct shared *shared)
{
	bool is_path = sharedsocket_is_path(query);
	int error;

	shared->fd = reclaim(ports, query);
	if (shared->fd >= 0) {
		/*
		 * It is not known how many workers of a previous controller have this socket. One
		 * holder is counted for all of them, and never subtracted, so that the socket stays
		 * open.
		 */
		shared->holders = 1;
		error = is_path ? unix_path_find(query->address, ports->rights, &shared->path) : 0;
		if (error)
			report_kept_file(shared, error);
		return 0;
	}
	shared->fd = is_path ? unix_path_listen(query->address, ports->backlog, UNIX_PATH_UMASK,
						ports->rights, &shared->path)
			     : sharedsocket_open(query, ports->backlog, ports->rights, may_be_low);
	return shared->fd < 0 ? shared->fd : 0;
}

static int add_shared(struct shared_servers *ports, const struct cluster_query *query,
		      bool may_be_low, const char *key, struct shared **ret_shared)
{
	struct shared *shared;
	int error;

	if (HASH_COUNT(ports->shared) >= SHARED_MAX)
		return -ENFILE;
	shared = calloc(1, sizeof(*shared));
	if (!shared)
		return -ENOMEM;
	strcpy(shared->key, key);
	shared->path = UNIX_PATH_NONE;
	error = reclaim_or_open(ports, query, may_be_low, shared);
	if (error) {
		free(shared);
		return error;
	}
	HASH_ADD_STR(ports->shared, key, shared);
	*ret_shared = shared;
	return 0;
}

int shared_servers_find(struct shared_servers *ports, const struct cluster_query *query,
			bool may_be_low, const json_t *data, int *ret_fd, const json_t **ret_data)
{
	char key[KEY_SIZE];
	struct shared *shared;
	int error = 0;

	cluster_key(query, sizeof(key), key);
	HASH_FIND_STR(ports->shared, key, shared);
	if (!shared)
		error = add_shared(ports, query, may_be_low, key, &shared);
	if (error)
		return error;
	*ret_fd = shared->fd;
	*ret_data = shared_servers_keep_data(&shared->data, data);
	return 0;
}

int shared_servers_open(int backlog, const struct user_rights *rights,
			struct shared_servers **ret_ports)
{
	*ret_ports = calloc(1, sizeof(**ret_ports));
	if (!*ret_ports)
		return -ENOMEM;
	(*ret_ports)->backlog = backlog;
	(*ret_ports)->rights = rights;
	return 0;
}

void shared_servers_close(struct shared_servers *ports)
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
