// SPDX-License-Identifier: MIT
#include "answers.h"

#include <stdlib.h>
#include <string.h>

/* Parse a field "name=123". */
static bool parse_field(const char *text, const char *name, unsigned long limit,
			uint32_t *ret_value)
{
	const char *found = strstr(text, name);
	unsigned long value;
	char *end;

	if (!found)
		return false;
	found += strlen(name);
	value = strtoul(found, &end, 10);
	if (end == found || (*end != ' ' && *end != '\n') || value > limit)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

bool answers_parse(const char *text, struct answer *ret_answer)
{
	struct answer answer = {0};

	if (!strchr(text, '\n') || !parse_field(text, "slot=", SLOTS_MAX - 1, &answer.slot))
		return false;
	parse_field(text, " gen=", UINT32_MAX, &answer.generation);
	*ret_answer = answer;
	return true;
}

enum stickiness answers_check(struct client *client, uint32_t known_generation,
			      const struct answer *answer)
{
	if (client->slot == NO_SLOT)
		client->slot = (int)answer->slot;
	if (client->slot != (int)answer->slot)
		return STICKINESS_LOST;
	if (answer->generation > client->generation)
		client->generation = answer->generation;
	return answer->generation < known_generation ? STICKINESS_BACKWARD : STICKINESS_KEPT;
}
