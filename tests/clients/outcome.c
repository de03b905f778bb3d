// SPDX-License-Identifier: MIT
#include "outcome.h"

#include <errno.h>

const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_ANSWERED] = "answered", [OUTCOME_REFUSED] = "refused",
	[OUTCOME_RESET] = "reset",	 [OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_EMPTY] = "empty",	 [OUTCOME_OTHER] = "other_errors",
};

enum outcome outcome_of_error(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return OUTCOME_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return OUTCOME_RESET;
	case ETIMEDOUT:
		return OUTCOME_TIMEOUT;
	default:
		return OUTCOME_OTHER;
	}
}
