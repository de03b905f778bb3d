// SPDX-License-Identifier: MIT
#include "service/service_outbox.h"

#include <assert.h>
#include <stdio.h>

void service_outbox_add(struct service_outbox *outbox, const char *text)
{
	if (outbox->count == SERVICE_OUTBOX_MAX)
		service_outbox_remove(outbox);
	snprintf(outbox->texts[(outbox->first + outbox->count) % SERVICE_OUTBOX_MAX],
		 SERVICE_TEXT_SIZE, "%s", text);
	outbox->count++;
}

const char *service_outbox_first(const struct service_outbox *outbox)
{
	return outbox->count ? outbox->texts[outbox->first] : NULL;
}

void service_outbox_remove(struct service_outbox *outbox)
{
	assert(outbox->count);
	outbox->first = (outbox->first + 1) % SERVICE_OUTBOX_MAX;
	outbox->count--;
}
