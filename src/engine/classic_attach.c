// SPDX-License-Identifier: MIT
#include "engine/classic_attach.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/table.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

int classic_attach(int socket, const struct classic_program *program)
{
	struct sock_filter *code = (struct sock_filter *)program->code; /* it is only read */
	struct sock_fprog argument = {.len = (unsigned short)program->length, .filter = code};

	if (!setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &argument, sizeof(argument)))
		return 0;
	switch (errno) {
	case ENOMEM: /* over net.core.optmem_max, or no memory: the errno is the same */
		return -E2BIG;
	case ENOPROTOOPT:
	case ENOSYS:
		return -EOPNOTSUPP;
	default:
		return -errno;
	}
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0 && errno == EAFNOSUPPORT)
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int try_program(const struct classic_spec *spec, struct classic_program *program)
{
	int fd, error = classic_program_make(spec, program->code, &program->length);

	if (error)
		return error;
	fd = open_socket();
	if (fd < 0)
		return fd;
	error = classic_attach(fd, program);
	close(fd);
	return error;
}

int classic_attach_try(uint32_t slots)
{
	/*
	 * The length of the program depends on the number of slots. Masks make it a little longer:
	 * here all of them are 0.
	 */
	const struct sticky_settings settings = {.slots = slots};
	uint16_t index[STICKY_SLOTS_MAX] = {0};
	uint16_t *table = malloc(STICKY_BUCKETS * sizeof(*table));
	struct classic_program *program = malloc(sizeof(*program));
	struct classic_spec spec = {.settings = &settings, .slots = table, .index = index};
	int error = -ENOMEM;

	/* A check makes the program as long as it can be. */
	spec.check.has_v4 = spec.check.has_v6 = true;
	if (table && program) {
		table_fill(slots, table);
		error = try_program(&spec, program);
	}
	free(table);
	free(program);
	return error;
}
