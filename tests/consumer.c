/* SPDX-License-Identifier: MIT */
/*
 * A program outside of the project's tree. It uses only the public header, as C99 and as C++11, and
 * only what the libraries show.
 */
#include <sticky.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_version(void)
{
	char numbers[32];

	snprintf(numbers, sizeof(numbers), "%d.%d.%d", STICKY_VERSION_MAJOR, STICKY_VERSION_MINOR,
		 STICKY_VERSION_PATCH);
	if (strcmp(sticky_version(), STICKY_VERSION) == 0 && strcmp(numbers, STICKY_VERSION) == 0)
		return 0;
	fprintf(stderr, "library %s, header %s (%s)\n", sticky_version(), STICKY_VERSION, numbers);
	return -1;
}

static int check_parse(void)
{
	struct sockaddr_storage address;

	if (sticky_address_parse("2001:db8::1", &address) || address.ss_family != AF_INET6)
		return -1;
	return sticky_address_parse("nobody", &address) == 0 ? -1 : 0;
}

/* Open a group that needs no privilege, and find the slots of a client by the public structures. */
static int check_group(void)
{
	struct sticky_group_options options;
	struct sticky_where where;
	struct sockaddr_storage client;
	struct sticky_group *group;
	int slot, error;

	memset(&options, 0, sizeof(options));
	memset(&where, 0, sizeof(where));
	options.size = sizeof(options);
	options.slots = 3;
	options.engine = STICKY_ENGINE_USER;
	where.size = sizeof(where);
	error = sticky_address_parse("203.0.113.9", &client);
	if (!error)
		error = sticky_group_open(&options, &group);
	if (error)
		return error;
	slot = sticky_group_slot_of(group, (const struct sockaddr *)&client);
	error = sticky_group_where(group, (const struct sockaddr *)&client, &where);
	if (!error && (slot != (int)where.slot || sticky_group_slots(group) != 3 || slot > 2))
		error = -EPROTO;
	sticky_group_close(group);
	return error;
}

int main(void)
{
	int error;

	if (check_version())
		return 1;
	if (check_parse()) {
		fprintf(stderr, "sticky_address_parse is wrong\n");
		return 1;
	}
	error = check_group();
	if (error) {
		fprintf(stderr, "a group: %s\n", sticky_strerror(error));
		return 1;
	}
	printf("libsticky %s\n", sticky_version());
	return 0;
}
