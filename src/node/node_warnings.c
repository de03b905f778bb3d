// SPDX-License-Identifier: MIT
/* Warnings about messages of a Node.js worker that are lost, or arrive changed. */
#include "common/log.h"
#include "node/node_input.h"
#include "node/node_worker_internal.h"

void node_warn_unheard(const struct node_worker *node, const struct node_message *message)
{
	char kind[UNHEARD_KIND_SIZE];
	const char *cure;

	if (unheard_note(node->options.unheard, message, kind, &cure))
		report(STICKY_LOG_WARN, "message_unheard", "slot=%u kind=\"%s\" hint=\"%s\"",
		       worker_slot(node->options.worker), kind, cure);
}

/* JSON has no binary data: a Buffer arrives at the clients of other workers as an object. */
void node_warn_buffer(const struct node_worker *node, const struct node_message *message)
{
	struct unheard *told = node->options.unheard;

	if (told->has_buffer || !relay_has_buffer(message))
		return;
	told->has_buffer = true;
	report(STICKY_LOG_WARN, "binary_broadcast",
	       "slot=%u so=\"a Buffer arrives at the other workers as {type: 'Buffer', data: "
	       "[...]}\" "
	       "hint=\"--serialization advanced keeps Buffers as they are\"",
	       worker_slot(node->options.worker));
}

void node_warn_too_long(void *context)
{
	const struct node_worker *node = context;

	report(STICKY_LOG_WARN, "message_too_long",
	       "slot=%u limit_mib=%u so=\"the message is lost\" hint=\"send large data by another "
	       "way "
	       "than process.send(), or in parts\"",
	       worker_slot(node->options.worker), NODE_MESSAGE_MAX >> 20);
}
