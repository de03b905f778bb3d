// SPDX-License-Identifier: MIT
/* The engine of a BPF program: listeners, and the sockets of their slots. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/engine_kernel.h"

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

static struct kernel_engine *of(struct engine *engine)
{
	return (struct kernel_engine *)engine;
}

/* ---- Listeners ---------------------------------------------------------------------- */

/* Read the key of a listener's sockets, as the program finds it in their struct bpf_sock. */
static int read_key(int socket, struct sticky_listener_key *ret_key)
{
	struct sockaddr_in6 v6 = {0}; /* has room for a struct sockaddr_in */
	struct sockaddr_in v4;
	struct sticky_listener_key key = {0};
	socklen_t length = sizeof(v6);
	int error;

	if (getsockname(socket, (void *)&v6, &length))
		return -errno;
	memcpy(&v4, &v6, sizeof(v4));
	error = listener_read_device(socket, &key.device);
	if (error)
		return error;
	key.family = v4.sin_family;
	if (key.family == AF_INET6) {
		key.port = ntohs(v6.sin6_port);
		memcpy(key.address, &v6.sin6_addr, sizeof(key.address));
	} else {
		key.port = ntohs(v4.sin_port);
		memcpy(key.address, &v4.sin_addr, sizeof(v4.sin_addr));
	}
	*ret_key = key;
	return 0;
}

/*
 * Tell the program of a new listener. While the settings say that there is only one, the program
 * does not read the map of listeners. A second listener is therefore put in the map before the
 * settings say that there are two.
 */
static int announce_listener(struct kernel_engine *kernel, const struct sticky_listener_key *key)
{
	uint32_t index = kernel->engine.listener_count;
	int error =
		bpf_access_update(&kernel->access, kernel_map(kernel, MAP_LISTENERS), key, &index);

	if (error)
		return error;
	kernel->listeners[index] = *key;
	kernel->engine.settings.listeners = ++kernel->engine.listener_count;
	error = kernel_write_settings(&kernel->engine);
	if (error)
		kernel_remove_last_listener(&kernel->engine);
	return error;
}

int kernel_attach(struct engine *engine, int socket)
{
	int program = program_fd(of(engine)->program);

	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program))
		       ? -errno
		       : 0;
}

/*
 * Attach the program through a new socket, which is closed again: the sockets of workers are
 * locked.
 */
int kernel_restore(struct engine *engine, uint32_t listener, const struct listener *address)
{
	int fd = listener_bind(address);
	int error;

	(void)listener;
	if (fd < 0)
		return fd;
	error = listen(fd, 1) ? -errno : kernel_attach(engine, fd);
	close(fd);
	return error;
}

int kernel_add_listener(struct engine *engine, int first_socket)
{
	struct sticky_listener_key key;
	int error = read_key(first_socket, &key);

	if (!error)
		error = announce_listener(of(engine), &key);
	if (error)
		return error;
	error = kernel_attach(engine, first_socket);
	if (error) {
		kernel_remove_last_listener(engine);
		return error;
	}
	return (int)engine->listener_count - 1;
}

void kernel_remove_last_listener(struct engine *engine)
{
	struct kernel_engine *kernel = of(engine);
	const struct sticky_listener_key *key = &kernel->listeners[--engine->listener_count];

	engine->settings.listeners = engine->listener_count;
	kernel_write_settings(engine);
	bpf_access_delete(&kernel->access, kernel_map(kernel, MAP_LISTENERS), key);
}

int kernel_adopt_listener(struct engine *engine, int socket)
{
	struct kernel_engine *kernel = of(engine);
	struct sticky_listener_key key;
	uint32_t index;
	int error;

	if (engine->listener_count == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	if (socket < 0) {
		kernel->listeners[engine->listener_count] = (struct sticky_listener_key){0};
		return (int)engine->listener_count++;
	}
	error = read_key(socket, &key);
	if (!error)
		error = bpf_access_lookup(&kernel->access, kernel_map(kernel, MAP_LISTENERS), &key,
					  &index);
	if (error)
		return error;
	if (index != engine->listener_count)
		return -EPROTO; /* the previous process added it at another index */
	kernel->listeners[index] = key;
	return (int)engine->listener_count++;
}

/* ---- Slots -------------------------------------------------------------------------- */

static uint32_t entry_of(uint32_t listener, uint32_t slot)
{
	return listener * STICKY_ENTRIES_MAX + slot;
}

int kernel_cookie(const struct engine *engine, uint32_t listener, uint32_t slot,
		  uint64_t *ret_cookie)
{
	const struct kernel_engine *kernel = (const struct kernel_engine *)engine;
	uint32_t entry = entry_of(listener, slot);

	return bpf_access_lookup(&kernel->access, kernel_map(kernel, MAP_ENTRIES), &entry,
				 ret_cookie);
}

int kernel_put(struct engine *engine, uint32_t listener, uint32_t slot, int socket)
{
	struct kernel_engine *kernel = of(engine);
	uint32_t entry = entry_of(listener, slot);
	uint64_t value = (uint64_t)socket;

	/*
	 * BPF_ANY replaces atomically. BPF_EXIST would fail after a worker has shut its socket
	 * down.
	 */
	return bpf_access_update(&kernel->access, kernel_map(kernel, MAP_ENTRIES), &entry, &value);
}

int kernel_empty(struct engine *engine, uint32_t listener, uint32_t slot)
{
	struct kernel_engine *kernel = of(engine);
	uint32_t entry = entry_of(listener, slot);
	int error = bpf_access_delete(&kernel->access, kernel_map(kernel, MAP_ENTRIES), &entry);

	return error == -ENOENT ? 0 : error;
}
