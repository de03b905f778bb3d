// SPDX-License-Identifier: MIT
/*
 * The configuration is replaced again and again while dispatcher threads read heads of connections.
 * Each time the strings of the previous configuration are freed. If a thread read the configuration
 * itself, AddressSanitizer and ThreadSanitizer would report it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "common/error_text.h"
#include "config/config.h"
#include "config/options.h"
#include "handoff/frontend.h"
#include "sticky.h"

#define RELOADS	    200
#define CONNECTIONS 4 /* number for each reload */
#define REQUEST	    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
#define PROXIED	    "PROXY TCP4 203.0.113.9 192.0.2.1 1000 80\r\nGET / HTTP/1.1\r\n\r\n"

struct scene {
	struct event_base *base;
	struct sticky_group *group;
	struct config config;
	struct traffic *traffic;
	struct exit_counters exits;
	struct head_counters heads;
	struct frontend *frontend;
	struct sockaddr_storage server;
	const char *request;
};

static struct error_text complaint;

static void set(struct config *config, const char *name, const char *value)
{
	size_t i;

	for (i = 0; strcmp(option_at(i)->doc.name, name); i++)
		;
	assert_int_equal(config_set(config, option_at(i)->doc.key, value, name, &complaint), 0);
}

/*
 * Fill in a configuration. All options from which the dispatchers' rules are made depend on the
 * number.
 */
static void fill(struct config *config, const char *mode, uint32_t number)
{
	static char *command[] = {"/usr/bin/node", NULL};

	config_init(config);
	set(config, "behind-proxy", mode);
	set(config, "worker", number % 2 ? "node" : "activation");
	set(config, "client-ip-header", number % 3 ? "X-Forwarded-For" : "X-Client");
	set(config, "trusted-proxy", "127.0.0.0/8");
	if (number % 5)
		set(config, "trusted-proxy", "10.0.0.0/8");
	set(config, "head-timeout", number % 2 ? "5s" : "10s");
	set(config, "max-retries", "0");
	config->command = command;
}

static void begin(struct scene *scene, const char *mode, const char *request)
{
	struct sticky_group_options options = {
		.size = sizeof(options), .slots = 2, .engine = STICKY_ENGINE_USER};
	struct frontend_options frontend;

	*scene = (struct scene){.base = event_base_new(),
				.traffic = calloc(1, sizeof(*scene->traffic)),
				.request = request};
	assert_non_null(scene->base);
	assert_non_null(scene->traffic);
	assert_int_equal(sticky_group_open(&options, &scene->group), 0);
	assert_int_equal(sticky_group_listen(scene->group, "127.0.0.1:0"), 0);
	scene->server = group_server(scene->group, 0, AF_INET);
	fill(&scene->config, mode, 0);
	frontend = (struct frontend_options){.base = scene->base,
					     .group = scene->group,
					     .config = &scene->config,
					     .traffic = scene->traffic,
					     .exits = &scene->exits,
					     .heads = &scene->heads,
					     .accepts_all = true};
	assert_int_equal(frontend_open(&frontend, &scene->frontend, &complaint), 0);
	assert_int_equal(frontend_start(scene->frontend), 0);
}

static void end(struct scene *scene)
{
	frontend_close(scene->frontend);
	sticky_group_close(scene->group);
	config_fini(&scene->config);
	event_base_free(scene->base);
	free(scene->traffic);
}

static void connect_some(const struct scene *scene, int *fds)
{
	struct sockaddr_storage source = address_of("127.0.0.1", 0);
	size_t length = strlen(scene->request);
	uint32_t i;

	for (i = 0; i < CONNECTIONS; i++) {
		fds[i] = client_connect(&source, &scene->server);
		assert_true(fds[i] >= 0);
		assert_int_equal(send(fds[i], scene->request, length, MSG_NOSIGNAL), length);
	}
}

/* Replace the configuration as controller_reload() does. */
static void reload(struct scene *scene, const char *mode, uint32_t number)
{
	char names[CONFIG_NAMES_SIZE];
	struct config next;

	fill(&next, mode, number);
	config_replace(&scene->config, &next, sizeof(names), names);
	assert_int_equal(frontend_apply_config(scene->frontend, &complaint), 0);
}

static bool are_all_answered(void *context)
{
	struct scene *scene = context;

	event_base_loop(scene->base, EVLOOP_NONBLOCK);
	return scene->traffic->delivery.answered == (uint64_t)RELOADS * CONNECTIONS;
}

static void check_mode(const char *mode, const char *request)
{
	int fds[CONNECTIONS];
	struct scene scene;
	uint32_t i;

	begin(&scene, mode, request);
	for (i = 1; i <= RELOADS; i++) {
		connect_some(&scene, fds);
		reload(&scene, mode, i);
		event_base_loop(scene.base, EVLOOP_NONBLOCK);
		close_all(fds, CONNECTIONS);
	}
	/* No slot has a worker: each connection was read, and got an error response. */
	assert_int_equal(wait_until(are_all_answered, &scene), 0);
	end(&scene);
}

static void heads_are_read_while_the_configuration_changes(void **state)
{
	(void)state;
	check_mode("xff", REQUEST);
}

static void proxy_headers_are_read_while_the_configuration_changes(void **state)
{
	(void)state;
	check_mode("proxy", PROXIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_read_while_the_configuration_changes),
		cmocka_unit_test(proxy_headers_are_read_while_the_configuration_changes),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
