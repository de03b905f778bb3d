// SPDX-License-Identifier: MIT
#include "rights/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/log.h"

#define KEPT (sizeof(kept) / sizeof(kept[0]))

static const struct {
	enum privilege bit;
	unsigned int number; /* the number of the capability in the kernel */
} kept[] = {
	{PRIVILEGE_NET_BIND_SERVICE, CAP_NET_BIND_SERVICE},
	{PRIVILEGE_SETUID, CAP_SETUID},
	{PRIVILEGE_SETGID, CAP_SETGID},
	{PRIVILEGE_KILL, CAP_KILL},
	{PRIVILEGE_BPF, CAP_BPF},
	{PRIVILEGE_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH},
	{PRIVILEGE_SYS_PTRACE, CAP_SYS_PTRACE},
	{PRIVILEGE_NET_ADMIN, CAP_NET_ADMIN},
};

/*
 * Returns one of this thread's sets from the copy that libcap-ng keeps. libcap-ng reads it from the
 * kernel at the first call.
 */
static unsigned int find(capng_type_t type)
{
	unsigned int set = 0;
	size_t i;

	for (i = 0; i < KEPT; i++)
		if (capng_have_capability(type, kept[i].number) > 0)
			set |= kept[i].bit;
	return set;
}

static int update(capng_act_t action, capng_type_t type, unsigned int set)
{
	size_t i;

	for (i = 0; i < KEPT; i++)
		if (set & kept[i].bit && capng_update(action, type, kept[i].number))
			return -EINVAL;
	return 0;
}

/* Returns errno as -errno; -EPERM where libcap-ng has not set it. */
static int last_error(void)
{
	return errno ? -errno : -EPERM;
}

/*
 * Write libcap-ng's copy to the kernel. If the kernel refuses, read the kernel's sets into the copy
 * again.
 */
static int apply(void)
{
	int error;

	errno = 0;
	if (capng_apply(CAPNG_SELECT_CAPS) == 0)
		return 0;
	error = last_error();
	if (capng_get_caps_process())
		report(STICKY_LOG_ERROR, "capget_failed", "error=\"%s\"", strerror(errno));
	return error;
}

static int make_effective(unsigned int wanted)
{
	unsigned int effective = find(CAPNG_EFFECTIVE);
	int error;

	if (wanted == effective)
		return 0;
	error = update(CAPNG_ADD, CAPNG_EFFECTIVE, wanted & ~effective);
	if (!error)
		error = update(CAPNG_DROP, CAPNG_EFFECTIVE, effective & ~wanted);
	return error ? error : apply();
}

/* Exit from any thread, by _exit(): exit() would run handlers while other threads still run. */
static _Noreturn void refuse_to_go_on(int error)
{
	report(STICKY_LOG_ERROR, "privilege_not_dropped",
	       "error=\"%s\" hint=\"stickyctl exits, as it would go on with capabilities that it "
	       "does not need; let it call capset(), which a seccomp filter may forbid "
	       "(SystemCallFilter= in a systemd unit)\"",
	       strerror(-error));
	_exit(EXIT_FAILURE);
}

int privilege_shrink(unsigned int options)
{
	unsigned int permitted;
	int error;

	errno = 0;
	if (capng_get_caps_process())
		return last_error();
	permitted = find(CAPNG_PERMITTED) & (~(unsigned int)PRIVILEGE_OPTIONAL | options);
	/*
	 * This also clears capabilities that this kernel has and that the headers of this build do
	 * not know.
	 */
	capng_clear(CAPNG_SELECT_CAPS);
	error = update(CAPNG_ADD, CAPNG_PERMITTED, permitted);
	return error ? error : apply();
}

unsigned int privilege_raise(unsigned int set)
{
	unsigned int previous = find(CAPNG_EFFECTIVE);
	int error = make_effective(previous | (set & find(CAPNG_PERMITTED)));

	if (error)
		report(STICKY_LOG_ERROR, "privilege_not_raised", "error=\"%s\"", strerror(-error));
	return previous;
}

void privilege_restore(unsigned int previous)
{
	int error = make_effective(previous);

	if (error)
		refuse_to_go_on(error);
}

unsigned int privilege_ambient(void)
{
	unsigned int set = 0;
	size_t i;

	for (i = 0; i < KEPT; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, kept[i].number, 0, 0) == 1)
			set |= kept[i].bit;
	return set;
}

/*
 * Add the set to the inheritable capabilities, or drop it from them. A capability can be ambient
 * only while it is inheritable.
 */
static int make_inheritable(capng_act_t action, unsigned int set)
{
	int error = update(action, CAPNG_INHERITABLE, set);

	return error ? error : apply();
}

void privilege_pass_on(unsigned int ambient)
{
	unsigned int set = ambient & find(CAPNG_PERMITTED);
	size_t i;
	int error = set ? make_inheritable(CAPNG_ADD, set) : 0;

	for (i = 0; i < KEPT && !error; i++)
		if (set & kept[i].bit &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i].number, 0, 0))
			error = -errno;
	if (error)
		report(STICKY_LOG_ERROR, "privilege_not_passed_on", "error=\"%s\"",
		       strerror(-error));
}

void privilege_end_passing_on(unsigned int ambient)
{
	int error = ambient ? make_inheritable(CAPNG_DROP, ambient) : 0;

	if (error)
		refuse_to_go_on(error);
}

void privilege_drop(void)
{
	int error;

	capng_clear(CAPNG_SELECT_CAPS);
	error = apply();
	if (error)
		refuse_to_go_on(error);
}
