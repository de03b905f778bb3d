// SPDX-License-Identifier: MIT
#include "engine/bpf_pin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int make_path(const char *directory, const char *name, char ret_path[PATH_MAX])
{
	int length = snprintf(ret_path, PATH_MAX, "%s/%s", directory, name);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int bpf_pin_make(const char *directory, const char *name, const struct bpf_map *map)
{
	char path[PATH_MAX];

	if (make_path(directory, name, path))
		return -ENAMETOOLONG;
	return bpf_obj_pin(bpf_map__fd(map), path);
}

void bpf_pin_remove(const char *directory, const char *name)
{
	char path[PATH_MAX];

	if (make_path(directory, name, path) == 0)
		unlink(path);
}

int bpf_pin_reuse(const char *directory, const char *name, struct bpf_map *map)
{
	char path[PATH_MAX];
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int fd, error;

	if (make_path(directory, name, path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	error = bpf_obj_get_info_by_fd(fd, &info, &size);
	/* A map of another version can't be used with this program. */
	if (!error &&
	    (info.type != bpf_map__type(map) || info.value_size != bpf_map__value_size(map) ||
	     info.max_entries != bpf_map__max_entries(map)))
		error = -EPROTO;
	if (!error)
		error = bpf_map__reuse_fd(map, fd);
	close(fd); /* libbpf keeps a duplicate */
	return error;
}
