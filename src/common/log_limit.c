// SPDX-License-Identifier: MIT
#include "common/log_limit.h"

bool log_limit_allows(struct log_limit *limit, uint64_t now_ms, uint64_t *ret_left_out)
{
	uint64_t next_ms = __atomic_load_n(&limit->next_ms, __ATOMIC_RELAXED);

	/* Of several threads whose time has come, one replaces `next_ms`, and logs. */
	if (now_ms < next_ms ||
	    !__atomic_compare_exchange_n(&limit->next_ms, &next_ms, now_ms + LOG_LIMIT_REST_MS,
					 false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&limit->left_out, 1, __ATOMIC_RELAXED);
		return false;
	}
	*ret_left_out = __atomic_exchange_n(&limit->left_out, 0, __ATOMIC_RELAXED);
	return true;
}
