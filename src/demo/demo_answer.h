/* SPDX-License-Identifier: MIT */
/* Answers one request to the built-in demo. */
#ifndef STICKY_DEMO_DEMO_ANSWER_H
#define STICKY_DEMO_DEMO_ANSWER_H

#include <event2/http.h>
#include <stdbool.h>

#include "demo/demo_page.h"
#include "sticky.h"

/*
 * Send the page, or JSON if the client prefers it.
 *
 * thread_facts  the facts that the answering thread knows: slot, generation, process, thread,
 *               served. The facts about the client and the group are filled in here
 *
 * Returns false if the client's slot could not be found out. The client has then got a 500.
 */
bool demo_answer(struct evhttp_request *request, struct sticky_group *group,
		 const struct demo_facts *thread_facts);

#endif
