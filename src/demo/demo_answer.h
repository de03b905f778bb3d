/* SPDX-License-Identifier: MIT */
/* Answers one request to the built-in demo. */
#ifndef STICKY_DEMO_DEMO_ANSWER_H
#define STICKY_DEMO_DEMO_ANSWER_H

#include <event2/http.h>
#include <stdbool.h>

#include "demo/demo_page.h"
#include "sticky.h"

/*
 * Sends the page, or JSON where the client prefers it.
 *
 * thread_facts  what the answering thread knows: slot, generation, process, thread, served. The
 * members that depend on the client and the group are filled in here.
 *
 * Returns false where the client's slot could not be found out; the client has got a 500 then.
 */
bool demo_answer(struct evhttp_request *request, struct sticky_group *group,
		 const struct demo_facts *thread_facts);

#endif
