// SPDX-License-Identifier: MIT
#include "privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>

static const int needed[] = {
	CAP_NET_BIND_SERVICE, /* each life of a worker binds its sockets anew */
	CAP_SETUID,	      /* --user */
	CAP_SETGID,
	CAP_KILL,	     /* workers of another uid */
	CAP_BPF,	     /* updates of maps, where unprivileged BPF is off on old kernels */
	CAP_DAC_READ_SEARCH, /* /proc/PID/fd of workers of another uid */
	CAP_SYS_PTRACE,	     /* which connections a worker of another uid has; takeovers */
};

/* Until then everything is effective, and stays: what is set up needs more than one of them. */
static bool is_shrunk;

int privilege_shrink(void)
{
	size_t i;

	if (capng_get_caps_process())
		return -EPERM;
	for (i = 0; i < CAP_LAST_CAP + 1u; i++) {
		size_t k;
		int keep = 0;

		for (k = 0; k < sizeof(needed) / sizeof(needed[0]); k++)
			keep |= needed[k] == (int)i;
		capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_INHERITABLE, (unsigned int)i);
		if (!keep)
			capng_update(CAPNG_DROP, CAPNG_PERMITTED, (unsigned int)i);
	}
	is_shrunk = true;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

void privilege_raise(int capability)
{
	if (!is_shrunk || !capng_have_capability(CAPNG_PERMITTED, (unsigned int)capability))
		return;
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, (unsigned int)capability);
	capng_apply(CAPNG_SELECT_CAPS);
}

void privilege_lower(void)
{
	size_t i;

	if (!is_shrunk)
		return;
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, (unsigned int)needed[i]);
	capng_apply(CAPNG_SELECT_CAPS);
}

void privilege_drop(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	capng_apply(CAPNG_SELECT_CAPS);
}
