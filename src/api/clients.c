// SPDX-License-Identifier: MIT
#include "api/clients.h"

#include <errno.h>
#include <string.h>

#include "api/client_ranking.h"
#include "api/status.h"
#include "listen/listeners.h"
#include "policy/listener_overlap.h"
#include "procfs/sockdiag.h"

/* The connections of this instance, while the kernel's list is read. */
struct reading {
	struct listener_place places[STICKY_LISTENERS_LIMIT];
	uint32_t place_count;
	struct client_addresses addresses;
	bool is_cut; /* more connections are open than are counted */
};

/* ---- The connections ---------------------------------------------------------------- */

static void read_places(struct sticky_group *group, struct reading *reading)
{
	uint32_t count = sticky_group_listener_count(group), i;
	char text[STICKY_ADDRESS_TEXT_SIZE];

	for (i = 0; i < count; i++)
		if (!sticky_group_listener_address(group, i, sizeof(text), text) &&
		    !listener_place_parse(text, &reading->places[reading->place_count]))
			reading->place_count++;
}

/*
 * Returns true if a connection's local address is one of the instance's listeners. Another service
 * may listen at the same port of another address.
 */
static bool is_ours(const struct reading *reading, const struct listener_place *local)
{
	uint32_t i;

	for (i = 0; i < reading->place_count; i++)
		if (listener_overlap(&reading->places[i], local) != OVERLAP_NONE)
			return true;
	return false;
}

static int add_connection(void *context, const struct sockdiag_connection *connection)
{
	struct reading *reading = context;
	struct listener_place local = {.port = connection->port, .family = connection->family};
	int error;

	memcpy(local.address, connection->address, sizeof(local.address));
	if (!is_ours(reading, &local))
		return 0;
	error = client_addresses_add(&reading->addresses, (const void *)&connection->peer);
	reading->is_cut = error == -E2BIG;
	return error;
}

static int read_connections(struct sticky_group *group, struct reading *reading)
{
	uint16_t ports[STICKY_LISTENERS_LIMIT];
	size_t port_count = listen_ports(group, ports);
	int error;

	read_places(group, reading);
	if (!port_count)
		return 0;
	error = sockdiag_each_connection(ports, port_count, add_connection, reading);
	return error == -E2BIG && reading->is_cut ? 0 : error;
}

/* ---- The document ------------------------------------------------------------------- */

static int key_of(void *context, const struct sockaddr *address, struct client_key *ret_key)
{
	const struct instance *instance = context;
	struct sticky_where where = {.size = sizeof(where)};
	int error = sticky_group_where(instance->group, address, &where);

	if (error)
		return error;
	memcpy(ret_key->text, where.key, sizeof(ret_key->text));
	ret_key->slot =
		frontend_trusts(instance->frontend, address) ? CLIENT_OF_NO_SLOT : (int)where.slot;
	return 0;
}

static json_t *share(uint32_t part, uint32_t whole)
{
	return whole ? json_real((double)part / whole) : json_null();
}

static json_t *client_json(const struct client_ranking *ranking, const struct client_count *count)
{
	int slot = count->key.slot;
	bool is_proxy = slot == CLIENT_OF_NO_SLOT;

	return json_pack("{s:s, s:o, s:b, s:i, s:o, s:o}", "key", count->key.text, "slot",
			 is_proxy ? json_null() : json_integer(slot), "proxy", is_proxy,
			 "connections", (int)count->connections, "share_of_slot",
			 is_proxy ? json_null() : share(count->connections, ranking->of_slot[slot]),
			 "share", share(count->connections, ranking->connections));
}

static json_t *list_json(const struct client_ranking *ranking)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < ranking->top_count; i++)
		json_array_append_new(list, client_json(ranking, &ranking->top[i]));
	return list;
}

static json_t *document(const struct instance *instance, int slot, const struct reading *reading,
			const struct client_ranking *ranking)
{
	return json_pack(
		"{s:s, s:o, s:i, s:o, s:i, s:s, s:i, s:b, s:o}", "name", instance->config->name,
		"slot", slot < 0 ? json_null() : json_integer(slot), "connections",
		(int)ranking->connections, "of_slot",
		slot < 0 ? json_null() : json_integer(ranking->of_slot[slot]), "keys",
		(int)ranking->keys, "behind_proxy", status_behind_proxy(instance), "of_proxies",
		(int)ranking->proxied, "complete", !reading->is_cut, "clients", list_json(ranking));
}

int clients_list(const struct instance *instance, int slot, uint32_t limit, json_t **ret_json,
		 struct error_text *ret_error)
{
	struct reading reading = {.is_cut = false};
	struct client_ranking ranking;
	int error = read_connections(instance->group, &reading);

	if (!error)
		error = client_ranking_make(&reading.addresses, slot, limit, key_of,
					    (void *)instance, &ranking);
	if (!error) {
		*ret_json = document(instance, slot, &reading, &ranking);
		client_ranking_fini(&ranking);
	} else {
		error_text_set(ret_error,
			       "clients: the kernel's list of connections can't be read "
			       "(sock_diag): %s; it needs the module tcp_diag, and no seccomp "
			       "filter that refuses netlink sockets",
			       strerror(-error));
	}
	client_addresses_fini(&reading.addresses);
	return error;
}
