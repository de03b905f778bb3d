// SPDX-License-Identifier: MIT
#include "api/api_clients.h"

#include <errno.h>
#include <event2/keyvalq_struct.h>

#include "api/api_stream.h"
#include "api/client_ranking.h"
#include "api/clients.h"
#include "api/query.h"
#include "common/error_text.h"
#include "common/units.h"
#include "supervise/supervisor.h"

struct query {
	int slot;
	uint32_t limit;
};

static int read_slot(const struct instance *instance, const char *text, int *ret_slot,
		     struct error_text *ret_error)
{
	uint32_t slots = supervisor_slots(instance->supervisor);
	uint64_t slot;

	if (!text)
		return 0;
	if (parse_number(text, 0, slots - 1, &slot)) {
		error_text_set(ret_error, "clients: there is no such slot; the slots are 0 to %u",
			       slots - 1);
		return -EINVAL;
	}
	*ret_slot = (int)slot;
	return 0;
}

static int read_limit(const char *text, uint32_t *ret_limit, struct error_text *ret_error)
{
	uint64_t limit;

	if (!text)
		return 0;
	if (parse_number(text, 1, CLIENT_LIMIT_MAX, &limit)) {
		error_text_set(ret_error, "clients: the limit is a number from 1 to %u",
			       CLIENT_LIMIT_MAX);
		return -EINVAL;
	}
	*ret_limit = (uint32_t)limit;
	return 0;
}

static int read_query(const struct instance *instance, struct evhttp_request *request,
		      struct query *ret_query, struct error_text *ret_error)
{
	struct query query = {.slot = CLIENT_OF_NO_SLOT, .limit = CLIENT_LIMIT_DEFAULT};
	struct evkeyvalq list;
	int error = query_read(request, &list);

	if (error) {
		evhttp_clear_headers(&list);
		error_text_set(ret_error, "clients: the query is not of the form name=value");
		return -EINVAL;
	}
	error = read_slot(instance, evhttp_find_header(&list, "slot"), &query.slot, ret_error);
	if (!error)
		error = read_limit(evhttp_find_header(&list, "limit"), &query.limit, ret_error);
	evhttp_clear_headers(&list);
	if (!error)
		*ret_query = query;
	return error;
}

void api_serve_clients(const struct instance *instance, struct evhttp_request *request)
{
	struct error_text error;
	struct query query;
	json_t *json;

	if (read_query(instance, request, &query, &error))
		api_answer_error(request, HTTP_BADREQUEST, error.text);
	else if (clients_list(instance, query.slot, query.limit, &json, &error))
		api_answer_error(request, HTTP_INTERNAL, error.text);
	else
		api_answer(request, HTTP_OK, json);
}
