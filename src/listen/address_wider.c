// SPDX-License-Identifier: MIT
#include "listen/address_wider.h"

#include "common/log.h"

void address_wider_report(const char *asked, const char *listens)
{
	report(STICKY_LOG_WARN, "address_wider",
	       "asked=%s listens=%s so=\"-l decides: clients of every address are served\" "
	       "hint=\"-l %s\"",
	       asked, listens, asked);
}
