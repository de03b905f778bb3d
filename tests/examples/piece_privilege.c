// SPDX-License-Identifier: MIT
/* The functions that raise CAP_BPF, and lower it again. It is lowered to begin with. */
#include <stdio.h>
#include <sticky.h>

CODE;

static unsigned int effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	syscall(SYS_capget, &header, sets);
	return sets[1].effective;
}

/* CAP_SYS_ADMIN is enough to load a program, too. */
static int lower(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	syscall(SYS_capget, &header, sets);
	sets[0].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	sets[0].permitted &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	sets[1].effective &= ~CAP_TO_MASK(CAP_BPF);
	return (int)syscall(SYS_capset, &header, sets);
}

int main(void)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = 1};
	struct sticky_group *group;

	if (lower() || sticky_group_open(&options, &group) == 0)
		return 1;
	printf("refused\n");
	options.raise_bpf = raise_bpf;
	options.restore_bpf = restore_bpf;
	if (sticky_group_open(&options, &group))
		return 1;
	printf("opened\n");
	sticky_group_close(group);
	printf("%s\n", effective() & CAP_TO_MASK(CAP_BPF) ? "not lowered" : "lowered");
	return 0;
}
