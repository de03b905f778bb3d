// SPDX-License-Identifier: MIT
#include <cap-ng.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "common/exit_code.h"
#include "rights/privilege.h"
#include "procfs/cpu_count.h"
#include "client/client.h"
#include "cli/command.h"
#include "common/json_fields.h"
#include "sticky.h"

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_MISSING, VERDICT_COUNT };

static const char *const verdict_words[VERDICT_COUNT] = {
	[VERDICT_OK] = "ok",
	[VERDICT_WARNING] = "warning",
	[VERDICT_MISSING] = "missing",
};

/* The results of the checks so far. */
struct findings {
	enum verdict worst;
	bool loads; /* the kernel accepts the BPF program */
	bool is_verbose;
};

/*
 * Print the result of one check: verdict, subject and details. If the verdict is not OK, the remedy
 * follows in the next line.
 */
static void __attribute__((format(printf, 5, 6)))
say(struct findings *findings, enum verdict verdict, const char *what, const char *remedy,
    const char *format, ...)
{
	va_list args;

	printf("%-8s %-21s ", verdict_words[verdict], what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (verdict != VERDICT_OK)
		printf("%30s -> %s\n", "", remedy);
	if (verdict > findings->worst)
		findings->worst = verdict;
}

/* Returns the first number in a file, or -1 if it can't be read. */
static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long number;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static void check_kernel(struct findings *findings)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	if (sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	    (major > 5 || (major == 5 && minor >= 14)))
		say(findings, VERDICT_OK, "kernel", "", "Linux %s", name.release);
	else
		say(findings, VERDICT_MISSING, "kernel",
		    "install a newer kernel: from 5.14 on, connections can move with their slot",
		    "Linux 5.14 or later is needed; this is %s", name.release);
}

static void check_capabilities(struct findings *findings)
{
	static const struct {
		int number;
		const char *name;
		enum verdict without;
		const char *remedy;
	} wanted[] = {
		{CAP_BPF, "CAP_BPF", VERDICT_MISSING,
		 "run it as root, by sudo, or after: setcap cap_bpf,cap_net_bind_service+ep "
		 "stickyctl"},
		{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", VERDICT_WARNING,
		 "without it stickyctl can only listen on ports from "
		 "net.ipv4.ip_unprivileged_port_start on"},
		{CAP_SETUID, "CAP_SETUID", VERDICT_WARNING, "without it --user does not work"},
		{CAP_SETGID, "CAP_SETGID", VERDICT_WARNING, "without it --user does not work"},
		{CAP_CHOWN, "CAP_CHOWN", VERDICT_WARNING, "without it --user does not work"},
		{CAP_KILL, "CAP_KILL", VERDICT_WARNING, "without it --user does not work"},
		{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", VERDICT_WARNING,
		 "without it 'stickyctl status' can't count the connections of workers of another "
		 "user"},
	};
	size_t i;

	if (capng_get_caps_process()) {
		say(findings, VERDICT_WARNING, "capabilities",
		    "does a seccomp filter forbid capget()?", "could not be read");
		return;
	}
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool has = capng_have_capability(CAPNG_PERMITTED, (unsigned int)wanted[i].number);

		say(findings, has ? VERDICT_OK : wanted[i].without, wanted[i].name,
		    wanted[i].remedy, "%s", has ? "permitted" : "not permitted");
	}
}

static void check_wake_ups(struct findings *findings, struct sticky_group *group)
{
	int wakes = sticky_group_wakes(group);

	if (wakes < 0)
		say(findings, VERDICT_WARNING, "wake-ups",
		    "stickyctl will wake the acceptors itself; is the loopback interface up (ip "
		    "link "
		    "set lo up)?",
		    "could not be tried: %s", strerror(-wakes));
	else if (wakes == 0)
		say(findings, VERDICT_OK, "wake-ups", "",
		    "not by this kernel: stickyctl wakes the acceptor of a moved connection");
	else
		say(findings, VERDICT_OK, "wake-ups", "",
		    "a moved connection wakes its acceptor (tried)");
}

/* With --verbose, show the messages of libbpf and of the kernel's verifier. */
static void print_message(void *context, enum sticky_log_level level, const char *event,
			  const char *detail)
{
	(void)context;
	(void)level;
	if (!strcmp(event, "libbpf"))
		printf("%30s  | %s\n", "", detail);
}

static void check_bpf(struct findings *findings)
{
	struct sticky_group_options options = {.size = sizeof(options),
					       .slots = 1,
					       .log = findings->is_verbose ? print_message : NULL};
	char why[STICKY_EXPLANATION_SIZE], *remedy;
	struct sticky_group *group;
	int error = sticky_group_open(&options, &group);

	findings->loads = error == 0;
	if (error) {
		sticky_explain(error, sizeof(why), why);
		remedy = strchr(why, '\n');
		*remedy++ = '\0';
		say(findings, VERDICT_MISSING, "bpf program", remedy, "%s", why);
		return;
	}
	say(findings, VERDICT_OK, "bpf program", "", "loads, and passes this kernel's verifier");
	check_wake_ups(findings, group);
	sticky_group_close(group);
}

static void check_jit(struct findings *findings)
{
	long jit = read_number("/proc/sys/net/core/bpf_jit_enable");

	/* The file can't be read if the JIT is always on, or if only root may read it. */
	say(findings, jit == 0 ? VERDICT_WARNING : VERDICT_OK, "bpf jit",
	    "sysctl net.core.bpf_jit_enable=1: interpreted programs are several times slower", "%s",
	    jit == 0  ? "off"
	    : jit < 0 ? "not known"
		      : "on");
}

static void check_bpffs(struct findings *findings)
{
	struct statfs info;
	bool mounted =
		statfs("/sys/fs/bpf", &info) == 0 && (unsigned long)info.f_type == BPF_FS_MAGIC;

	say(findings, mounted ? VERDICT_OK : VERDICT_WARNING, "bpffs",
	    "mount -t bpf bpf /sys/fs/bpf: not needed to serve; maps can't be pinned without it",
	    "%s at /sys/fs/bpf", mounted ? "mounted" : "not mounted");
}

static void check_descriptors(struct findings *findings)
{
	struct rlimit limit;
	unsigned long slots = cpus_usable();

	getrlimit(RLIMIT_NOFILE, &limit);
	/* A slot needs a socket and three pipes, and twice as many while its worker is replaced. */
	say(findings, limit.rlim_max >= slots * 10 + 64 ? VERDICT_OK : VERDICT_WARNING,
	    "descriptors", "raise the hard limit: ulimit -Hn, LimitNOFILE= of the unit",
	    "%llu, up to %llu", (unsigned long long)limit.rlim_cur,
	    (unsigned long long)limit.rlim_max);
}

static void check_somaxconn(struct findings *findings)
{
	long limit = read_number("/proc/sys/net/core/somaxconn");

	say(findings, limit >= 4096 ? VERDICT_OK : VERDICT_WARNING, "somaxconn",
	    "sysctl net.core.somaxconn=4096: it limits --backlog, and thus how many connections "
	    "can wait while a slot has no worker",
	    "%ld", limit);
}

static void check_ipv6(struct findings *findings)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say(findings, fd >= 0 ? VERDICT_OK : VERDICT_WARNING, "ipv6",
	    "nothing to do: ':PORT' listens on 0.0.0.0 alone", "%s",
	    fd >= 0 ? "':PORT' is dual-stack" : "not there");
	if (fd >= 0)
		close(fd);
}

/* Print which engine --steering=auto would choose. */
static void check_engine(struct findings *findings)
{
	int most = sticky_engine_slots_max(STICKY_ENGINE_CLASSIC);

	if (findings->loads)
		say(findings, VERDICT_OK, "steering", "", "kernel: the program loads here");
	else if (most > 0)
		say(findings, VERDICT_WARNING, "steering",
		    "it needs no privilege; the lines above say what the kernel engine needs, "
		    "which moves waiting connections, and takes 1024 slots",
		    "classic: a classic BPF program, for up to %d slots", most);
	else
		say(findings, VERDICT_WARNING, "steering",
		    "each connection is accepted by stickyctl and passed on, which workers must "
		    "support (sticky_process_open); the lines above say what the others need",
		    "user: by --steering=user, behind a proxy, or for Node.js");
}

/* Print a fault of this kernel that affects the classic engine, if it has one. */
static void check_classic(struct findings *findings)
{
	const char *caveat = sticky_engine_caveat(STICKY_ENGINE_CLASSIC);

	if (caveat)
		say(findings, VERDICT_WARNING, "classic",
		    "update the kernel, or use --steering=kernel, or --steering=user", "%s",
		    caveat);
}

/* If an instance of this name runs, check whether another process takes its connections. */
static void check_instance(struct findings *findings, const struct config *config)
{
	json_t *status = NULL, *foreign;

	if (client_ask_quietly(config, "/v1/status", 5, &status))
		return;
	foreign = json_array_get(json_object_get(status, "foreign_listeners"), 0);
	if (foreign)
		say(findings, VERDICT_WARNING, "ports",
		    "end this process, or let it listen elsewhere: it takes connections of the "
		    "workers",
		    "pid %llu (%s) listens at %s, too", field_number(foreign, "pid"),
		    field_text(foreign, "command"), field_text(foreign, "address"));
	else
		say(findings, VERDICT_OK, "ports", "", "the workers of '%s' have them alone",
		    config->name);
	json_decref(status);
}

static void check_bind(struct findings *findings)
{
	int error = bind_install_try();

	say(findings, error ? VERDICT_WARNING : VERDICT_OK, "bind",
	    "servers must take a socket from LISTEN_FDS, or be Node.js", "%s",
	    error ? bind_install_reason(error)
		  : "servers that bind their address themselves can be workers");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct findings *findings = state->input;

	if (key != 'v')
		return command_parse_nothing(key, arg, state);
	findings->is_verbose = true;
	return 0;
}

const struct argp_option command_doctor_options[] = {
	{.name = "verbose",
	 .key = 'v',
	 .doc = "Also show the kernel's verifier log if it refuses the program"},
	{0}};

int command_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_doctor_options,
		.parser = parse,
		.doc = "Check what this machine can do for the user that runs this command. Each "
		       "line says ok, warning (it works, with a limit) or missing, with a remedy. "
		       "Exit code 1 if something is missing.",
	};
	static void (*const checks[])(struct findings *) = {
		check_kernel, check_capabilities, check_bpf,	   check_jit,
		check_bpffs,  check_descriptors,  check_somaxconn, check_ipv6,
		check_engine, check_classic,	  check_bind,
	};
	struct findings findings = {0};
	struct config config;
	size_t i;

	command_parse(&argp, argc, argv, &findings, &config);
	privilege_raise(PRIVILEGE_BPF); /* `start`, too, needs it only permitted */
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&findings);
	check_instance(&findings, &config);
	config_fini(&config);
	return findings.worst == VERDICT_MISSING ? EXIT_FAILED : EXIT_DONE;
}
