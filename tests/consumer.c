/* SPDX-License-Identifier: MIT */
/*
 * A program outside of the project's tree. It uses only the public header, as C99 and as C++11, and
 * only the shared library.
 */
#include <sticky.h>

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

int main(void)
{
	if (check_version())
		return 1;
	if (check_parse()) {
		fprintf(stderr, "sticky_address_parse is wrong\n");
		return 1;
	}
	printf("libsticky %s\n", sticky_version());
	return 0;
}
