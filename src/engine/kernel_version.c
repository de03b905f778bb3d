// SPDX-License-Identifier: MIT
#include "engine/kernel_version.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The first release of each stable series that has the fix of CVE-2026-52910. */
static const struct kernel_version fixed[] = {
	{5, 10, 259}, {5, 15, 210}, {6, 1, 176}, {6, 6, 143}, {6, 12, 94}, {6, 18, 36}, {7, 0, 13},
};
#define FIXED_MAJOR 7
#define FIXED_MINOR 1

bool kernel_version_parse(const char *text, struct kernel_version *ret_version)
{
	struct kernel_version version = {0};

	if (sscanf(text, "%d.%d.%d", &version.major, &version.minor, &version.patch) < 2)
		return false;
	*ret_version = version;
	return true;
}

/*
 * Find the version of a kernel. Debian's `release` "6.1.0-47-amd64", for example, has the `text`
 * "#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-3 (2026-05-01)": its version is 6.1.170.
 */
static bool find(const char *release, const char *text, struct kernel_version *ret_version)
{
	static const char debian[] = "Debian ";
	const char *word = strstr(text, debian);

	if (word && kernel_version_parse(word + sizeof(debian) - 1, ret_version))
		return true;
	return kernel_version_parse(release, ret_version);
}

bool kernel_frees_programs_safely(const char *release, const char *version)
{
	struct kernel_version kernel;
	size_t i;

	if (!find(release, version, &kernel))
		return false;
	if (kernel.major > FIXED_MAJOR ||
	    (kernel.major == FIXED_MAJOR && kernel.minor >= FIXED_MINOR))
		return true;
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (kernel.major == fixed[i].major && kernel.minor == fixed[i].minor)
			return kernel.patch >= fixed[i].patch;
	return false;
}
