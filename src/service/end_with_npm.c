// SPDX-License-Identifier: MIT
#include "service/end_with_npm.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

void end_with_npm(void)
{
	if (getenv("npm_lifecycle_event"))
		prctl(PR_SET_PDEATHSIG, SIGTERM);
}
