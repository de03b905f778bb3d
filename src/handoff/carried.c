// SPDX-License-Identifier: MIT
#include "handoff/carried.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_MIN 64

/* The first bytes of the file. The connections follow, each a struct carried_connection. */
struct header {
	uint32_t version;
	uint32_t item_size;
	uint64_t count;
};

int carried_add(struct carried *carried, const struct carried_connection *connection)
{
	if (carried->count == carried->room) {
		size_t room = carried->room ? 2 * carried->room : ROOM_MIN;
		struct carried_connection *items = realloc(carried->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		carried->items = items;
		carried->room = room;
	}
	carried->items[carried->count++] = *connection;
	return 0;
}

bool carried_has_client(const struct carried_connection *connection)
{
	return connection->item.client.any.sa_family != AF_UNSPEC;
}

/* Write all bytes. Returns 0 or -errno. */
static int write_whole(int fd, const void *bytes, size_t size)
{
	const char *next = bytes;

	while (size) {
		ssize_t written = write(fd, next, size);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			next += written;
			size -= (size_t)written;
		}
	}
	return 0;
}

int carried_write(const struct carried *carried)
{
	const struct header header = {
		.version = CARRIED_VERSION,
		.item_size = sizeof(*carried->items),
		.count = carried->count,
	};
	int fd = memfd_create("sticky-connections", MFD_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = write_whole(fd, &header, sizeof(header));
	if (!error)
		error = write_whole(fd, carried->items, carried->count * sizeof(*carried->items));
	if (!error)
		return fd;
	close(fd);
	return error;
}

int carried_keep(const struct carried *carried, bool keeps)
{
	size_t i;

	for (i = 0; i < carried->count; i++)
		if (fcntl(carried->items[i].item.fd, F_SETFD, keeps ? 0 : FD_CLOEXEC))
			return -errno;
	return 0;
}

/* Read bytes of the file. Returns 0, -EPROTO if the file is too short, or another -errno. */
static int read_whole(int fd, void *bytes, size_t size, off_t offset)
{
	char *next = bytes;

	while (size) {
		ssize_t length = pread(fd, next, size, offset);

		if (length == 0)
			return -EPROTO;
		if (length < 0 && errno != EINTR)
			return -errno;
		if (length > 0) {
			next += length;
			size -= (size_t)length;
			offset += length;
		}
	}
	return 0;
}

/*
 * Read the header. Its number of connections is compared with the file's size, and not simply
 * believed.
 */
static int read_header(int fd, struct header *ret_header)
{
	struct header header;
	struct stat info;
	int error = read_whole(fd, &header, sizeof(header), 0);

	if (!error && fstat(fd, &info))
		error = -errno;
	if (error)
		return error;
	if (header.version != CARRIED_VERSION ||
	    header.item_size != sizeof(struct carried_connection) ||
	    header.count != ((uint64_t)info.st_size - sizeof(header)) / header.item_size)
		return -EPROTO;
	*ret_header = header;
	return 0;
}

int carried_read(int fd, struct carried *ret_carried)
{
	struct carried carried = {0};
	struct header header;
	int error = read_header(fd, &header);

	if (error)
		return error;
	if (header.count) {
		carried.items = calloc(header.count, sizeof(*carried.items));
		if (!carried.items)
			return -ENOMEM;
		error = read_whole(fd, carried.items, header.count * sizeof(*carried.items),
				   sizeof(header));
	}
	carried.count = carried.room = header.count;
	if (!error)
		error = carried_keep(&carried, false);
	if (error) {
		carried_fini(&carried);
		return error;
	}
	*ret_carried = carried;
	return 0;
}

void carried_fini(struct carried *carried)
{
	free(carried->items);
	*carried = (struct carried){0};
}
