// SPDX-License-Identifier: MIT
#include "netns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
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

/* Without IPv6 the tests that need it skip themselves, and the others still run. */
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
	/* The value of a fresh namespace, whatever the host's own value is. */
	write_setting("/proc/sys/net/ipv4/ip_unprivileged_port_start", "1024");
	/*
	 * The kernel's default depends on the size of the memory. If there are more connections in
	 * TIME_WAIT, a connection ends without TIME_WAIT: its last packets are then looked up as
	 * new ones, and the program counts them.
	 */
	write_setting("/proc/sys/net/ipv4/tcp_max_tw_buckets", "262144");
	set_v6_up();
	return NULL;
}

int netns_switch(int peer)
{
	int previous = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (previous < 0 || !setns(peer, CLONE_NEWNET))
		return previous;
	close(previous);
	return -1;
}

/* The namespace lives as long as this process, and then as long as a descriptor of it. */
static pid_t start_peer(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) || set_lo_up() || write(ends[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (pid > 0 && read(ends[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(ends[0]);
	return pid;
}

static int set_up_device(char *name, char *address)
{
	char *const add[] = {"ip", "address", "add", address, "dev", name, NULL};
	char *const up[] = {"ip", "link", "set", name, "up", NULL};

	return run(add) || run(up) ? -1 : 0;
}

static int join_peer(pid_t pid, int peer)
{
	static char near[] = "near", near_address[] = "10.9.0.1/24";
	static char far[] = "far", far_address[] = "10.9.0.2/24";
	char number[16];
	char *const add[] = {"ip",   "link", "add", near,    "type", "veth",
			     "peer", "name", far,   "netns", number, NULL};
	int home, error;

	snprintf(number, sizeof(number), "%d", (int)pid);
	if (run(add) || set_up_device(near, near_address))
		return -1;
	home = netns_switch(peer);
	if (home < 0)
		return -1;
	error = set_up_device(far, far_address);
	peer = netns_switch(home);
	if (peer >= 0)
		close(peer);
	close(home);
	return peer < 0 ? -1 : error;
}

int netns_open_peer(void)
{
	pid_t pid = start_peer();
	char path[64];
	int peer;

	if (pid < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	peer = open(path, O_RDONLY | O_CLOEXEC);
	if (peer >= 0 && join_peer(pid, peer)) {
		close(peer);
		peer = -1;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return peer;
}

int netns_skip(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	return STATUS_SKIPPED;
}
