// SPDX-License-Identifier: MIT
#include "api/metrics_answer.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "api/metrics.h"
#include "api/reload_times.h"
#include "api/status.h"
#include "supervise/supervisor.h"

static char *render(const struct instance *instance, enum metrics_format format)
{
	const struct delivery *delivery = frontend_delivery(instance->frontend);
	json_t *status = status_of_instance(instance);
	struct metrics_input input = {
		.status = status,
		.reloads = reload_times_totals(instance->reload_times),
		.waits = delivery ? delivery_waits(delivery) : NULL,
		.holding_waits = supervisor_holding_waits(instance->supervisor),
		.heads = frontend_pending(instance->frontend),
		.waiting = frontend_waiting(instance->frontend) +
			   frontend_submitted(instance->frontend),
		.on_the_way = delivery ? delivery_on_the_way(delivery) : 0,
	};
	char *text = status ? metrics_render(&input, format) : NULL;

	json_decref(status);
	return text;
}

void metrics_answer(const struct instance *instance, struct evhttp_request *request)
{
	const char *accept =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
	enum metrics_format format = metrics_choose_format(accept);
	char *text = render(instance, format);
	struct evbuffer *body = evbuffer_new();

	if (!text || !body || evbuffer_add(body, text, strlen(text))) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				  metrics_content_type(format));
		evhttp_send_reply(request, HTTP_OK, NULL, body);
	}
	if (body)
		evbuffer_free(body);
	free(text);
}
