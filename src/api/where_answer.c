// SPDX-License-Identifier: MIT
#include "api/where_answer.h"

#include <event2/keyvalq_struct.h>

#include "api/api_stream.h"
#include "api/query.h"
#include "api/status.h"
#include "sticky.h"

void where_answer(const struct instance *instance, struct evhttp_request *request)
{
	struct evkeyvalq list;
	struct sockaddr_storage client;
	const char *text = query_read(request, &list) ? NULL : evhttp_find_header(&list, "address");

	if (!text || sticky_address_parse(text, &client))
		api_answer_error(request, HTTP_BADREQUEST,
				 "address: not an IP address, such as 203.0.113.9 or 2001:db8::1");
	else
		api_answer(request, HTTP_OK,
			   status_of_client(instance, text, (const void *)&client));
	evhttp_clear_headers(&list);
}
