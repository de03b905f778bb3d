// SPDX-License-Identifier: MIT
/* The example at the top of sticky.h: slot 0, and one client. */
#include <stdio.h>
#include <sticky.h>
#include <unistd.h>

int main(void)
{
	uint32_t slot = 0;
	int fd;

	CODE;
	printf("%s\n", fd >= 0 ? "accepted" : "not accepted");
	close(fd);
	sticky_group_close(group);
	return 0;
}
