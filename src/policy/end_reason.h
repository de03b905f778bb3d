/* SPDX-License-Identifier: MIT */
/*
 * Why the supervisor ended a worker, as text. The signal that ended its process would not tell the
 * reason. Pure.
 */
#ifndef STICKY_POLICY_END_REASON_H
#define STICKY_POLICY_END_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum end_reason {
	/* the worker ended by itself, or the supervisor was asked to stop it */
	END_NONE = 0,
	END_NOT_READY,		  /* not READY within --ready-timeout */
	END_TAKES_NO_CONNECTIONS, /* connections are passed to workers, and it takes none */
	END_CHANNEL_CLOSED,	  /* it closed its channel for passed connections, and runs on */
	END_NOT_LISTENING,	  /* its listening sockets do not listen, or do not any more */
	END_HUNG,		  /* it accepted nothing for --hang-timeout */
	END_SILENT,		  /* no WATCHDOG=1 for --watchdog */
	END_NOT_ANSWERED,	  /* a request on Node.js's channel could not be answered */
	END_NO_ROOM_FOR_SOCKET,	  /* a listening socket could not be sent to it */
	END_REASON_COUNT
};

/* Facts for the texts. */
struct end_facts {
	uint32_t ready_timeout_ms;
	uint32_t watchdog_ms;
	uint32_t hang_timeout_ms;
	bool sent_alive;	      /* the worker has sent WATCHDOG=1 before */
	const char *passed_by;	      /* the option by which connections are passed */
	const char *not_ready_reason; /* what was missing for READY; "": not known */
	/* what the user can do about not_ready_reason; NULL: the general hint for END_NOT_READY */
	const char *not_ready_hint;
};

/*
 * Describe an end.
 *
 * reason    not END_NONE
 * size      of ret_text, in bytes; the text is cut to it
 * ret_text  what happened; the text continues a sentence that begins with "the worker"
 *
 * Returns what the user can do about it: a static text, or not_ready_hint of the facts; NULL:
 * nothing is known.
 */
const char *end_reason_describe(enum end_reason reason, const struct end_facts *facts, size_t size,
				char *ret_text);

#endif
