// SPDX-License-Identifier: MIT
#include "engine/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/kernel_version.h"

/*
 * Linux 5.14: the first kernel that runs a reuseport program to choose where a closed socket's
 * queue is moved.
 */
#define NEEDED_MAJOR 5
#define NEEDED_MINOR 14

bool refusal_is_kernel_too_old(const char *release)
{
	struct kernel_version kernel;

	if (!kernel_version_parse(release, &kernel))
		return false;
	return kernel.major < NEEDED_MAJOR ||
	       (kernel.major == NEEDED_MAJOR && kernel.minor < NEEDED_MINOR);
}

int refusal_classify(int error, bool verifier_spoke)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return verifier_spoke ? -ENOEXEC : -EPERM;
	case -EINVAL:
	case -E2BIG:
	case -EFAULT:
	case -ENOSPC:
		return verifier_spoke ? -ENOEXEC : error == -EINVAL ? -EOPNOTSUPP : error;
	case -ENOSYS:
	case -ESRCH:
	case -ENOTSUP:
		return -EOPNOTSUPP;
	default:
		return error;
	}
}

/* How to give the process CAP_BPF. */
static const char *const grants[PLACE_COUNT] = {
	[PLACE_HOST] = "run it as root or by sudo, or give it the capability: setcap "
		       "cap_bpf,cap_net_bind_service+ep stickyctl; in a container: --cap-add BPF",
	[PLACE_DOCKER] = "give the container the capability: docker run --cap-add BPF, for a user "
			 "other than root also --security-opt seccomp=PROFILE and file "
			 "capabilities on stickyctl (make install SETCAP=1)",
	[PLACE_PODMAN] = "give the container the capability: podman run --cap-add BPF, not "
			 "rootless; for a user other than root also file capabilities on "
			 "stickyctl (make install SETCAP=1)",
	[PLACE_KUBERNETES] = "give the container the capability: securityContext: {capabilities: "
			     "{add: [BPF]}}; for runAsNonRoot also file capabilities on stickyctl "
			     "(make install SETCAP=1)",
	[PLACE_SYSTEMD] = "give the service the capability: AmbientCapabilities=CAP_BPF "
			  "CAP_NET_BIND_SERVICE in its unit",
};

/* Returns why BPF is not permitted; NULL: the capability is missing. */
static const char *explain_permission(const struct refusal_facts *facts)
{
	if (facts->in_user_namespace)
		return "BPF is not permitted: the kernel wants CAP_BPF of the first user "
		       "namespace, and this process is in another one\n"
		       "run it outside of the container or user namespace; no capability that is "
		       "given to it in there helps";
	if (!facts->has_capability)
		return NULL; /* see refusal_explain() */
	if (facts->has_seccomp_filter)
		return "BPF is not permitted: CAP_BPF is there, but a seccomp filter refuses "
		       "bpf(2)\n"
		       "let the container's seccomp profile allow bpf(2), e.g. --security-opt "
		       "seccomp=PROFILE";
	if (facts->is_locked_down)
		return "BPF is not permitted: the kernel is locked down "
		       "(lockdown=confidentiality)\n"
		       "start the kernel with lockdown=integrity or without";
	return "BPF is not permitted although CAP_BPF is there: a security module (SELinux, "
	       "AppArmor) refuses it\n"
	       "see the kernel's audit log (dmesg, ausearch)";
}

void refusal_explain(int error, const struct refusal_facts *facts, size_t size, char *ret_text)
{
	/* On an old kernel a permission alone would not help. */
	if ((error == -EOPNOTSUPP || error == -EPERM) && refusal_is_kernel_too_old(facts->release))
		snprintf(ret_text, size,
			 "Linux %d.%d or later is needed; this is %s\n"
			 "install a newer kernel; Debian 12 and later have one",
			 NEEDED_MAJOR, NEEDED_MINOR, facts->release);
	else if (error == -EOPNOTSUPP && facts->has_seccomp_filter)
		snprintf(ret_text, size,
			 "there is no bpf(2): this kernel was built without BPF, or a seccomp "
			 "filter "
			 "hides the call\n"
			 "let the container's seccomp profile allow bpf(2); the kernel needs "
			 "CONFIG_BPF_SYSCALL and CONFIG_INET");
	else if (error == -EOPNOTSUPP)
		snprintf(ret_text, size,
			 "this kernel (%s) was built without the BPF features that are needed\n"
			 "it needs CONFIG_BPF_SYSCALL and CONFIG_INET",
			 facts->release);
	else if (error == -ENOEXEC)
		snprintf(ret_text, size,
			 "this kernel's verifier refuses the program; this is Linux %s\n"
			 "please report it with the verifier's last lines, which --log-level=debug "
			 "shows",
			 facts->release);
	else if (error == -EPERM && explain_permission(facts))
		snprintf(ret_text, size, "%s", explain_permission(facts));
	else if (error == -EPERM)
		snprintf(ret_text, size,
			 "BPF is not permitted: the capability CAP_BPF is missing\n%s",
			 grants[facts->place]);
	else
		snprintf(ret_text, size, "the BPF program cannot be loaded: %s\nsee 'dmesg'",
			 strerror(-error));
}
