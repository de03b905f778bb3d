// SPDX-License-Identifier: MIT
#include "api/query.h"

#include <errno.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <sys/queue.h>

#include "common/units.h"

int query_read(struct evhttp_request *request, struct evkeyvalq *ret_list)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

	TAILQ_INIT(ret_list);
	return text && evhttp_parse_query_str(text, ret_list) ? -EINVAL : 0;
}

bool query_has(struct evhttp_request *request, const char *name)
{
	struct evkeyvalq list;
	bool has = !query_read(request, &list) && evhttp_find_header(&list, name);

	evhttp_clear_headers(&list);
	return has;
}

bool query_says(struct evhttp_request *request, const char *name, const char *value)
{
	struct evkeyvalq list;
	const char *text = query_read(request, &list) ? NULL : evhttp_find_header(&list, name);
	bool says = text && !strcmp(text, value);

	evhttp_clear_headers(&list);
	return says;
}

int query_number(struct evhttp_request *request, const char *name, uint64_t max,
		 uint32_t *ret_number)
{
	struct evkeyvalq list;
	const char *text = query_read(request, &list) ? NULL : evhttp_find_header(&list, name);
	uint64_t number = 0;
	int error = text ? parse_number(text, 0, max, &number) : -EINVAL;

	evhttp_clear_headers(&list);
	if (error)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}
