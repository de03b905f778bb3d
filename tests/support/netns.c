// SPDX-License-Identifier: MIT
#include "netns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"

#define STATUS_SKIPPED 77

extern char **environ;

static int set_lo_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -1;
	result = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return result;
}

static int write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, value, strlen(value));
	close(fd);
	return written > 0 ? 0 : -1;
}

static int run(char *const argv[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/*
 * Add the IPv6 addresses. An error is ignored: without IPv6 the tests that need it skip themselves,
 * and the others still run.
 */
static void set_v6_up(void)
{
	static char *const route[] = {"ip",  "-6", "route", "add", "local", "2001:db8::/32",
				      "dev", "lo", NULL};

	if (write_setting("/proc/sys/net/ipv6/ip_nonlocal_bind", "1") == 0)
		run(route);
}

int netns_disable_v6(bool disable)
{
	return write_setting("/proc/sys/net/ipv6/conf/all/disable_ipv6", disable ? "1" : "0");
}

bool netns_has_kernel_engine(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	return major > 5 || (major == 5 && minor >= 14);
}

const char *netns_enter(void)
{
	if (!netns_has_kernel_engine())
		return "needs Linux 5.14";
	if (!caps_has(CAP_BPF) && !caps_has(CAP_SYS_ADMIN))
		return "needs CAP_BPF";
	return netns_enter_without_bpf();
}

const char *netns_enter_without_bpf(void)
{
	if (unshare(CLONE_NEWNET))
		return "may not make a network namespace";
	if (set_lo_up())
		return "may not set lo up";
	/* This is the value of a fresh namespace. The value of the host may be another one. */
	write_setting("/proc/sys/net/ipv4/ip_unprivileged_port_start", "1024");
	/*
	 * The kernel's default depends on the size of the memory. If more connections are in
	 * TIME_WAIT than this limit, a further connection ends without TIME_WAIT. Its last packets
	 * are then looked up as those of a new connection, and the program counts them.
	 */
	write_setting("/proc/sys/net/ipv4/tcp_max_tw_buckets", "262144");
	set_v6_up();
	return NULL;
}

int netns_skip(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	return STATUS_SKIPPED;
}
