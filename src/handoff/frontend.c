// SPDX-License-Identifier: MIT
#include "handoff/frontend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/ranges.h"
#include "handoff/dispatch_notices.h"
#include "handoff/dispatcher.h"
#include "procfs/cpu_count.h"
#include "common/error_text.h"
#include "rights/privilege.h"
#include "common/log.h"

#define DISPATCHERS_DEFAULT_MAX 4

/*
 * One in so many connections of untrusted peers is looked at, to find a proxy that is missing in
 * the list of trusted ones.
 */
#define SAMPLE_ONE_IN 256

struct frontend {
	struct frontend_options options;
	struct delivery *delivery;
	struct sticky_dispatchers *sockets;
	struct dispatcher *dispatchers[STICKY_DISPATCHERS_LIMIT];
	int fds[STICKY_DISPATCHERS_LIMIT][STICKY_LISTENERS_LIMIT];
	uint32_t count;
	/*
	 * Connections whose heads the first dispatcher looks at when it starts. A previous program
	 * has accepted them, or dispatchers that have left.
	 */
	int *accepted;
	size_t accepted_count;
	const struct dispatch_rules *rules; /* the rules that the dispatchers have now */
	struct dispatch_notices notices;
};

/* ---- What the configuration says ---------------------------------------------------- */

static struct delivery_limits limits_of(const struct config *config)
{
	return (struct delivery_limits){
		.retries = config->waiting.max_retries,
		.delay_ms = config->waiting.retry_delay_ms,
		.max_held = config->waiting.max_held,
		.answer = (enum down_answer)config->waiting.down_answer,
	};
}

/* Make the dispatchers' rules: a copy of the parts of the configuration that they need. */
static int make_rules(const struct frontend *frontend, const struct ranges *trusted,
		      const struct dispatch_rules **ret_rules)
{
	static const enum dispatch_mode modes[BEHIND_PROXY_COUNT] = {
		[BEHIND_NO_PROXY] = DISPATCH_PEER,
		[BEHIND_PROXY_XFF] = DISPATCH_XFF,
		[BEHIND_PROXY_PROXY] = DISPATCH_PROXY,
	};
	const struct config *config = frontend->options.config;
	struct dispatch_rules rules = {
		.mode = modes[config->proxy.behind],
		.strips = config->proxy.header == PROXY_HEADER_STRIP,
		.samples = !frontend->options.accepts_all,
		.reports_keepalive = !config_closes_keepalive(config),
		.head_timeout_ms = config->proxy.head_timeout_ms,
	};

	snprintf(rules.header, sizeof(rules.header), "%s",
		 config->proxy.client_ip_header ? config->proxy.client_ip_header
						: "X-Forwarded-For");
	return dispatch_rules_new(&rules, trusted->list, trusted->count, ret_rules);
}

static uint32_t wanted_dispatchers(const struct config *config)
{
	uint32_t count = config->dispatchers ? config->dispatchers : cpus_usable();

	return config->dispatchers || count < DISPATCHERS_DEFAULT_MAX ? count
								      : DISPATCHERS_DEFAULT_MAX;
}

/* ---- Ranges ------------------------------------------------------------------------- */

/* Make the kernel send the connections of these peers to the dispatchers. */
static int send_to_dispatchers(const struct frontend *frontend, const struct ranges *trusted)
{
	const struct config *config = frontend->options.config;

	if (config->proxy.behind == BEHIND_NO_PROXY)
		return 0;
	/*
	 * If there is no dispatcher, a worker can still read an HTTP header itself, but not the
	 * PROXY protocol.
	 */
	return sticky_group_set_proxies(frontend->options.group, trusted->list, trusted->count,
					config->proxy.behind == BEHIND_PROXY_XFF ||
						config->proxy.header == PROXY_HEADER_KEEP);
}

/*
 * Replace the dispatchers' rules. Dispatchers that are still using the previous rules hold
 * references to them. The previous rules are freed with the last reference.
 */
static void frontend_set_rules(struct frontend *frontend, const struct dispatch_rules *rules)
{
	uint32_t i;

	for (i = 0; i < frontend->count; i++)
		dispatcher_set_rules(frontend->dispatchers[i], rules);
	dispatch_rules_unref(frontend->rules);
	frontend->rules = rules;
}

static int use_ranges(struct frontend *frontend, const struct ranges *trusted)
{
	const struct dispatch_rules *rules;
	int error = make_rules(frontend, trusted, &rules);

	if (error)
		return error;
	error = send_to_dispatchers(frontend, trusted);
	if (error) {
		dispatch_rules_unref(rules);
		return error;
	}
	frontend_set_rules(frontend, rules);
	return 0;
}

/* Read the ranges, and make the dispatchers' rules from them and the configuration. */
static int read_rules(struct frontend *frontend, struct error_text *ret_error)
{
	const struct config *config = frontend->options.config;
	struct ranges trusted = {0};
	int error;

	if (config->proxy.behind != BEHIND_NO_PROXY &&
	    ranges_read(&config->proxy.trusted, &trusted, ret_error))
		return -EBADMSG;
	error = use_ranges(frontend, &trusted);
	if (error)
		error_text_set(ret_error, "--trusted-proxy: %s", strerror(-error));
	ranges_fini(&trusted);
	return error;
}

int frontend_apply_config(struct frontend *frontend, struct error_text *ret_error)
{
	struct delivery_limits limits;

	if (!frontend)
		return 0;
	limits = limits_of(frontend->options.config);
	delivery_set_limits(frontend->delivery, &limits);
	return read_rules(frontend, ret_error);
}

/* ---- Open, start, stop -------------------------------------------------------------- */

int frontend_open(const struct frontend_options *options, struct frontend **ret_frontend,
		  struct error_text *ret_error)
{
	const struct delivery_options delivery = {
		.base = options->base,
		.group = options->group,
		.counters = &options->traffic->delivery,
		.exits = options->exits,
	};
	struct delivery_limits limits = limits_of(options->config);
	struct frontend *frontend = calloc(1, sizeof(*frontend));
	int error;

	if (!frontend) {
		error_text_set(ret_error, "cannot pass connections on: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	frontend->options = *options;
	frontend->notices.traffic = options->traffic;
	frontend->notices.heads = options->heads;
	error = delivery_open(&delivery, &limits, &frontend->delivery);
	if (error)
		error_text_set(ret_error, "cannot pass connections on: %s", strerror(-error));
	if (!error)
		error = read_rules(frontend, ret_error);
	if (error) {
		frontend_close(frontend);
		return error;
	}
	*ret_frontend = frontend;
	return 0;
}

/* Forget the connections in `accepted`, after a dispatcher has taken them. */
static void forget_accepted(struct frontend *frontend)
{
	free(frontend->accepted);
	frontend->accepted = NULL;
	frontend->accepted_count = 0;
}

static int start_dispatcher(struct frontend *frontend, uint32_t index)
{
	struct dispatcher_options options = {
		.fds = frontend->fds[index],
		.delivery = frontend->delivery,
		.counters = &frontend->options.traffic->dispatch,
		.exits = frontend->options.exits,
		.notice = dispatch_notices_take,
		.context = &frontend->notices,
		.thread_begins = privilege_drop, /* the thread reads bytes of strangers */
		.accepted = frontend->accepted,
		.accepted_count = frontend->accepted_count,
	};
	int fd, error;

	while ((fd = sticky_dispatchers_fd(frontend->sockets, index, options.fd_count)) >= 0)
		frontend->fds[index][options.fd_count++] = fd;
	error = dispatcher_start(&options, frontend->rules, &frontend->dispatchers[index]);
	if (!error)
		forget_accepted(frontend);
	return error;
}

static int start_dispatchers(struct frontend *frontend)
{
	uint32_t wanted = wanted_dispatchers(frontend->options.config), i;
	int error = 0;

	for (i = 0; i < wanted && !error; i++) {
		error = start_dispatcher(frontend, i);
		frontend->count += !error;
	}
	return error;
}

int frontend_start(struct frontend *frontend)
{
	uint32_t wanted = wanted_dispatchers(frontend->options.config);
	unsigned int previous;
	int error;

	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	error = sticky_dispatchers_open(frontend->options.group, wanted, &frontend->sockets);
	if (!error && !frontend->options.accepts_all)
		error = sticky_group_set_sample(frontend->options.group, SAMPLE_ONE_IN);
	privilege_restore(previous);
	return error ? error : start_dispatchers(frontend);
}

static void stop_dispatchers(struct frontend *frontend)
{
	uint32_t i;

	for (i = 0; i < frontend->count; i++)
		dispatcher_stop(frontend->dispatchers[i]);
	frontend->count = 0;
}

void frontend_stop(struct frontend *frontend)
{
	if (!frontend)
		return;
	stop_dispatchers(frontend);
	sticky_dispatchers_close(frontend->sockets);
	frontend->sockets = NULL;
	if (frontend->delivery)
		delivery_give_up(frontend->delivery);
}

static void close_accepted(struct frontend *frontend)
{
	size_t i;

	for (i = 0; i < frontend->accepted_count; i++)
		exits_close(frontend->accepted[i], &frontend->options.exits->stop);
	forget_accepted(frontend);
}

/* Let the first dispatcher that starts look at this connection's head. */
static void add_accepted(struct frontend *frontend, int fd)
{
	int *larger = realloc(frontend->accepted,
			      (frontend->accepted_count + 1) * sizeof(*frontend->accepted));

	if (!larger) {
		exits_close(fd, &frontend->options.exits->no_memory);
		return;
	}
	frontend->accepted = larger;
	frontend->accepted[frontend->accepted_count++] = fd;
}

static void take_in_one(struct frontend *frontend, const struct carried_connection *connection)
{
	const struct delivery_item *item = &connection->item;
	int error = 0;

	if (!frontend)
		error = -EOPNOTSUPP;
	else if (!carried_has_client(connection))
		add_accepted(frontend, item->fd);
	else if (connection->id)
		error = delivery_expect(frontend->delivery, connection);
	else
		error = delivery_submit(frontend->delivery, item);
	if (!error)
		return;
	close(item->fd);
	if (frontend)
		counter_add(&frontend->options.exits->no_memory, 1);
}

void frontend_take_in(struct frontend *frontend, const struct carried *carried)
{
	size_t i;

	for (i = 0; i < carried->count; i++)
		take_in_one(frontend, &carried->items[i]);
}

void frontend_end_takeover(struct frontend *frontend)
{
	if (frontend)
		delivery_end_expecting(frontend->delivery);
}

void frontend_resume(struct frontend *frontend, const struct carried *carried)
{
	int error = 0;
	size_t i;

	if (!frontend)
		return;
	/* Connections whose client is known still wait in the delivery. */
	for (i = 0; i < carried->count; i++)
		if (!carried_has_client(&carried->items[i]))
			add_accepted(frontend, carried->items[i].item.fd);
	if (frontend->sockets)
		error = start_dispatchers(frontend);
	if (error)
		report(STICKY_LOG_ERROR, "dispatchers_failed",
		       "error=\"%s\" hint=\"connections of proxies wait; stickyctl upgrade tries "
		       "again\"",
		       strerror(-error));
}

int frontend_pause(struct frontend *frontend, struct carried *ret_carried)
{
	struct carried carried = {0};
	int error = 0, result;
	uint32_t i;

	for (i = 0; frontend && i < frontend->count; i++) {
		result = dispatcher_leave(frontend->dispatchers[i], &carried);
		error = result ? result : error;
	}
	if (frontend) {
		frontend->count = 0;
		delivery_take_in(frontend->delivery);
		result = delivery_carry(frontend->delivery, &carried);
		error = result ? result : error;
	}
	if (error) {
		frontend_resume(frontend, &carried);
		carried_fini(&carried);
		return error;
	}
	*ret_carried = carried;
	return 0;
}

uint32_t frontend_sockets(const struct frontend *frontend, uint32_t size, int *ret_fds)
{
	uint32_t dispatcher, listener, count = 0;
	int fd;

	if (!frontend || !frontend->sockets)
		return 0;
	for (dispatcher = 0; dispatcher < STICKY_DISPATCHERS_LIMIT; dispatcher++)
		for (listener = 0; listener < STICKY_LISTENERS_LIMIT; listener++) {
			fd = sticky_dispatchers_fd(frontend->sockets, dispatcher, listener);
			if (fd >= 0 && count < size)
				ret_fds[count++] = fd;
		}
	return count;
}

void frontend_close(struct frontend *frontend)
{
	if (!frontend)
		return;
	frontend_stop(frontend);
	close_accepted(frontend);
	delivery_close(frontend->delivery);
	dispatch_rules_unref(frontend->rules);
	free(frontend);
}

struct delivery *frontend_delivery(const struct frontend *frontend)
{
	return frontend ? frontend->delivery : NULL;
}

bool frontend_trusts(const struct frontend *frontend, const struct sockaddr *peer)
{
	return frontend && frontend->rules->mode != DISPATCH_PEER &&
	       prefixes_contain(&frontend->rules->trusted, peer);
}

uint32_t frontend_waiting(const struct frontend *frontend)
{
	return frontend ? delivery_waiting(frontend->delivery) : 0;
}

uint32_t frontend_submitted(const struct frontend *frontend)
{
	return frontend ? delivery_submitted(frontend->delivery) : 0;
}

uint32_t frontend_pending(const struct frontend *frontend)
{
	uint32_t sum = frontend ? (uint32_t)frontend->accepted_count : 0, i;

	for (i = 0; frontend && i < frontend->count; i++)
		sum += dispatcher_pending(frontend->dispatchers[i]);
	return sum;
}
