// SPDX-License-Identifier: MIT
#include "terminal/clients_view.h"

#include <stdbool.h>
#include <string.h>

#include "common/json_fields.h"

#define SHARE_SIZE 16

/* Write a share as "12.34%", or "-" if there is none. */
static void format_share(const json_t *share, char ret_text[SHARE_SIZE])
{
	if (json_is_number(share))
		snprintf(ret_text, SHARE_SIZE, "%.2f%%", 100 * json_number_value(share));
	else
		strcpy(ret_text, "-");
}

static void show_client(const json_t *client, FILE *out)
{
	char slot[24] = "proxy", of_slot[SHARE_SIZE], of_all[SHARE_SIZE];

	if (!json_is_true(json_object_get(client, "proxy")))
		snprintf(slot, sizeof(slot), "%llu", field_number(client, "slot"));
	format_share(json_object_get(client, "share_of_slot"), of_slot);
	format_share(json_object_get(client, "share"), of_all);
	fprintf(out, "%-43s %5s %8llu %8s %8s\n", field_text(client, "key"), slot,
		field_number(client, "connections"), of_slot, of_all);
}

static const char *plural(unsigned long long count)
{
	return count == 1 ? "" : "s";
}

static void show_sums(const json_t *clients, FILE *out)
{
	unsigned long long all = field_number(clients, "connections");
	unsigned long long keys = field_number(clients, "keys");
	unsigned long long here = field_number(clients, "of_slot");

	fprintf(out, "%s: ", field_text(clients, "name"));
	if (json_is_integer(json_object_get(clients, "slot")))
		fprintf(out, "slot %llu has %llu of %llu open connection%s, of %llu client%s\n",
			field_number(clients, "slot"), here, all, plural(all), keys, plural(keys));
	else
		fprintf(out, "%llu open connection%s of %llu client%s\n", all, plural(all), keys,
			plural(keys));
}

/* Say which clients and connections the list leaves out. */
static void show_limits(const json_t *clients, FILE *out)
{
	unsigned long long keys = field_number(clients, "keys");
	size_t shown = json_array_size(json_object_get(clients, "clients"));
	const char *proxy = field_text(clients, "behind_proxy");

	if (keys > shown)
		fprintf(out, "and %llu more: --limit\n", keys - shown);
	if (strcmp(proxy, "no") != 0)
		fprintf(out,
			"\nbehind a proxy (%s): %llu of the connections are those of trusted "
			"proxies;\nwho their clients are is known only while a connection is "
			"passed to its worker\n",
			proxy, field_number(clients, "of_proxies"));
	if (json_is_false(json_object_get(clients, "complete")))
		fputs("\nthere are more connections than are counted: the shares are those of a "
		      "part\n",
		      out);
}

void clients_view(const json_t *clients, FILE *out)
{
	const json_t *list = json_object_get(clients, "clients");
	size_t count = json_array_size(list), i;

	show_sums(clients, out);
	if (count)
		fprintf(out, "\n%-43s %5s %8s %8s %8s\n", "CLIENT", "SLOT", "OPEN", "OF SLOT",
			"OF ALL");
	for (i = 0; i < count; i++)
		show_client(json_array_get(list, i), out);
	show_limits(clients, out);
}
