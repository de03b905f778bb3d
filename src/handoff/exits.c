// SPDX-License-Identifier: MIT
#include "handoff/exits.h"

void exits_balance(const struct traffic *traffic, uint64_t carried, struct exit_counters *exits)
{
	uint64_t accepted = traffic->dispatch.accepted + exits->accepted_from_holding;
	uint64_t gone = carried + traffic->delivery.handed + traffic->delivery.answered +
			traffic->delivery.client_gone + traffic->dispatch.client_gone +
			traffic->dispatch.bad_header + traffic->dispatch.head_timeout +
			exits->stop + exits->no_memory + exits->controller_ended;

	if (accepted > gone)
		counter_add(&exits->controller_ended, accepted - gone);
	else
		counter_add(&exits->accepted_from_holding, gone - accepted);
}
