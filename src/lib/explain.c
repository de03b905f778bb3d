// SPDX-License-Identifier: MIT
/* Collects the facts about this process and machine that explain a refusal: see refusal.h. */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/refusal.h"
#include "sticky.h"

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static bool has_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t permitted;

	if (syscall(SYS_capget, &header, data))
		return false;
	permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return permitted & (UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_SYS_ADMIN);
}

/* The initial user namespace maps all ids to themselves: user_namespaces(7). */
static bool in_user_namespace(void)
{
	FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned long long inside, outside, count;
	bool is_first = true;

	if (!file)
		return false;
	if (fscanf(file, "%llu %llu %llu", &inside, &outside, &count) == 3)
		is_first = inside == 0 && outside == 0 && count == UINT32_MAX;
	fclose(file);
	return !is_first;
}

static bool is_locked_down(void)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[64] = "";

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strstr(line, "[confidentiality]");
}

/*
 * The runtimes leave these marks: Kubernetes the address of its API in the environment, Podman and
 * Docker a file each, systemd the id of the service's run.
 */
static enum refusal_place find_place(void)
{
	if (getenv("KUBERNETES_SERVICE_HOST"))
		return PLACE_KUBERNETES;
	if (access("/run/.containerenv", F_OK) == 0)
		return PLACE_PODMAN;
	if (access("/.dockerenv", F_OK) == 0)
		return PLACE_DOCKER;
	return getenv("INVOCATION_ID") ? PLACE_SYSTEMD : PLACE_HOST;
}

void sticky_explain(int error, size_t size, char *ret_text)
{
	struct utsname name = {.release = "unknown"};
	struct refusal_facts facts = {
		.has_capability = has_capability(),
		.in_user_namespace = in_user_namespace(),
		.has_seccomp_filter = prctl(PR_GET_SECCOMP) == 2,
		.is_locked_down = is_locked_down(),
		.place = find_place(),
	};

	uname(&name);
	facts.release = name.release;
	refusal_explain(error, &facts, size, ret_text);
}
