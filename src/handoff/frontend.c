// SPDX-License-Identifier: MIT
#include "handoff/frontend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/ranges.h"
#include "handoff/dispatcher.h"
#include "procfs/cpu_count.h"
#include "common/privilege.h"
#include "common/log.h"

#define DISPATCHERS_DEFAULT_MAX 4
#define HEAD_PATIENCE_MS	250 /* before another program takes our place */

/* One in so many of those who are no proxies is looked at, for a proxy that was forgotten. */
#define SAMPLE_ONE_IN	256
#define SAMPLES_TO_WARN 5

struct front {
	struct front_options options;
	struct delivery *delivery;
	struct sticky_dispatchers *sockets;
	struct dispatcher *dispatchers[STICKY_DISPATCHERS_LIMIT];
	int fds[STICKY_DISPATCHERS_LIMIT][STICKY_LISTENERS_LIMIT];
	uint32_t count;
	const struct dispatch_rules *rules; /* the dispatchers' present ones */
	/* Counted by the dispatchers' threads, atomically. */
	uint32_t keepalive_noticed;
	uint32_t untrusted_noticed;
};

/* ---- What the configuration says ------------------------------------------------------- */

static struct delivery_limits limits_of(const struct config *config)
{
	return (struct delivery_limits){
		.retries = config->max_retries,
		.delay_ms = config->retry_delay_ms,
		.max_held = config->max_held,
		.answer = (enum answer_kind)config->down_answer,
	};
}

/* What the dispatchers need to know of the configuration, copied from it. */
static int make_rules(const struct front *front, const struct ranges *trusted,
		      const struct dispatch_rules **ret_rules)
{
	static const enum dispatch_mode modes[BEHIND_PROXY_COUNT] = {
		[BEHIND_NO_PROXY] = DISPATCH_PEER,
		[BEHIND_PROXY_XFF] = DISPATCH_XFF,
		[BEHIND_PROXY_PROXY] = DISPATCH_PROXY,
	};
	const struct config *config = front->options.config;
	struct dispatch_rules rules = {
		.mode = modes[config->behind_proxy],
		.strips = config->proxy_header == PROXY_HEADER_STRIP,
		.samples = !front->options.is_user,
		.reports_keepalive = !config_closes_keepalive(config),
		.head_timeout_ms = config->head_timeout_ms,
	};

	snprintf(rules.header, sizeof(rules.header), "%s",
		 config->client_ip_header ? config->client_ip_header : "X-Forwarded-For");
	return dispatch_rules_new(&rules, trusted->list, trusted->count, ret_rules);
}

static uint32_t wanted_dispatchers(const struct config *config)
{
	uint32_t count = config->dispatchers ? config->dispatchers : cpus_usable();

	return config->dispatchers || count < DISPATCHERS_DEFAULT_MAX ? count
								      : DISPATCHERS_DEFAULT_MAX;
}

/* ---- Notices, in the dispatchers' threads: the configuration is not read here ------------------
 */

/* Each is said once: it would be true of every connection. */
static bool is_first(uint32_t *noticed, uint32_t after)
{
	return __atomic_add_fetch(noticed, 1, __ATOMIC_RELAXED) == after;
}

static void warn_of_keepalive(const char *peer)
{
	report(STICKY_LOG_WARN, "proxy_keepalive",
	       "proxy=%s why=\"it keeps connections open, and may put several clients' requests on "
	       "one: all go to the first one's worker\" so=\"let it close each: HAProxy 'option "
	       "http-server-close' and 'http-reuse never'; nginx without 'keepalive' in the "
	       "upstream\"",
	       peer);
}

static void warn_of_untrusted(const char *peer)
{
	report(STICKY_LOG_WARN, "untrusted_proxy",
	       "peer=%s why=\"it says who its clients are, and is not believed: they all go to one "
	       "worker\" so=\"if it is a proxy of yours, name it by --trusted-proxy\"",
	       peer);
}

static void describe(const struct sockaddr *peer, char text[INET6_ADDRSTRLEN])
{
	const void *address = peer->sa_family == AF_INET
				      ? (const void *)&((const struct sockaddr_in *)peer)->sin_addr
				      : &((const struct sockaddr_in6 *)peer)->sin6_addr;

	if (!inet_ntop(peer->sa_family, address, text, INET6_ADDRSTRLEN))
		strcpy(text, "?");
}

static void on_notice(void *context, enum dispatch_notice notice, const struct sockaddr *peer)
{
	struct front *front = context;
	char text[INET6_ADDRSTRLEN];

	describe(peer, text);
	if (notice == DISPATCH_KEEPS_ALIVE) {
		__atomic_fetch_add(&front->options.traffic->proxy_keepalive, 1, __ATOMIC_RELAXED);
		if (is_first(&front->keepalive_noticed, 1))
			warn_of_keepalive(text);
	} else if (is_first(&front->untrusted_noticed, SAMPLES_TO_WARN)) {
		warn_of_untrusted(text);
	}
}

/* ---- Ranges --------------------------------------------------------------------------------- */

/* Have the kernel send the connections of these peers to the dispatchers. */
static int send_to_dispatchers(const struct front *front, const struct ranges *trusted)
{
	const struct config *config = front->options.config;

	if (config->behind_proxy == BEHIND_NO_PROXY)
		return 0;
	/* Without a dispatcher a worker still reads a header itself, but no PROXY protocol. */
	return sticky_group_set_proxies(front->options.group, trusted->list, trusted->count,
					config->behind_proxy == BEHIND_PROXY_XFF ||
						config->proxy_header == PROXY_HEADER_KEEP);
}

/* The dispatchers that look at a connection by the previous rules keep these alive until then. */
static void set_rules(struct front *front, const struct dispatch_rules *rules)
{
	uint32_t i;

	for (i = 0; i < front->count; i++)
		dispatcher_set_rules(front->dispatchers[i], rules);
	dispatch_rules_unref(front->rules);
	front->rules = rules;
}

static int use_ranges(struct front *front, const struct ranges *trusted)
{
	const struct dispatch_rules *rules;
	int error = make_rules(front, trusted, &rules);

	if (error)
		return error;
	error = send_to_dispatchers(front, trusted);
	if (error) {
		dispatch_rules_unref(rules);
		return error;
	}
	set_rules(front, rules);
	return 0;
}

/* Read the ranges, and make the dispatchers' rules from them and the configuration. */
static int read_rules(struct front *front, size_t error_size, char *ret_error)
{
	const struct config *config = front->options.config;
	struct ranges trusted = {0};
	int error;

	if (config->behind_proxy != BEHIND_NO_PROXY &&
	    ranges_read(&config->trusted_proxies, &trusted, error_size, ret_error))
		return -EBADMSG;
	error = use_ranges(front, &trusted);
	if (error)
		snprintf(ret_error, error_size, "--trusted-proxy: %s", strerror(-error));
	ranges_fini(&trusted);
	return error;
}

int front_apply_config(struct front *front, size_t error_size, char *ret_error)
{
	struct delivery_limits limits;

	if (!front)
		return 0;
	limits = limits_of(front->options.config);
	delivery_set_limits(front->delivery, &limits);
	return read_rules(front, error_size, ret_error);
}

/* ---- Open, start, stop ------------------------------------------------------------------------
 */

int front_open(const struct front_options *options, size_t error_size, char *ret_error,
	       struct front **ret_front)
{
	const struct delivery_options delivery = {
		.base = options->base,
		.group = options->group,
		.counters = &options->traffic->delivery,
	};
	struct delivery_limits limits = limits_of(options->config);
	struct front *front = calloc(1, sizeof(*front));
	int error;

	if (!front)
		return -ENOMEM;
	front->options = *options;
	error = delivery_open(&delivery, &limits, &front->delivery);
	if (error)
		snprintf(ret_error, error_size, "cannot pass connections on: %s", strerror(-error));
	if (!error)
		error = read_rules(front, error_size, ret_error);
	if (error) {
		front_close(front);
		return error;
	}
	*ret_front = front;
	return 0;
}

static int start_dispatcher(struct front *front, uint32_t index)
{
	struct dispatcher_options options = {
		.fds = front->fds[index],
		.delivery = front->delivery,
		.counters = &front->options.traffic->dispatch,
		.notice = on_notice,
		.context = front,
		.thread_begins = privilege_drop, /* it reads what strangers send */
	};
	int fd;

	while ((fd = sticky_dispatchers_fd(front->sockets, index, options.fd_count)) >= 0)
		front->fds[index][options.fd_count++] = fd;
	return dispatcher_start(&options, front->rules, &front->dispatchers[index]);
}

static int start_dispatchers(struct front *front)
{
	uint32_t wanted = wanted_dispatchers(front->options.config), i;
	int error = 0;

	for (i = 0; i < wanted && !error; i++) {
		error = start_dispatcher(front, i);
		front->count += !error;
	}
	return error;
}

int front_start(struct front *front)
{
	uint32_t wanted = wanted_dispatchers(front->options.config);
	unsigned int previous;
	int error;

	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	error = sticky_dispatchers_open(front->options.group, wanted, &front->sockets);
	if (!error && !front->options.is_user)
		error = sticky_group_set_sample(front->options.group, SAMPLE_ONE_IN);
	privilege_restore(previous);
	return error ? error : start_dispatchers(front);
}

static void stop_dispatchers(struct front *front)
{
	uint32_t i;

	for (i = 0; i < front->count; i++)
		dispatcher_stop(front->dispatchers[i]);
	front->count = 0;
}

void front_stop(struct front *front)
{

	if (!front)
		return;
	stop_dispatchers(front);
	sticky_dispatchers_close(front->sockets);
	front->sockets = NULL;
	if (front->delivery)
		delivery_give_up(front->delivery);
}

void front_resume(struct front *front)
{
	int error = front && front->sockets ? start_dispatchers(front) : 0;

	if (error)
		report(STICKY_LOG_ERROR, "dispatchers_failed",
		       "error=\"%s\" hint=\"connections of proxies wait; stickyctl upgrade tries "
		       "again\"",
		       strerror(-error));
}

int front_pause(struct front *front)
{
	uint32_t i;

	if (!front)
		return 0;
	for (i = 0; i < front->count; i++)
		dispatcher_leave(front->dispatchers[i], HEAD_PATIENCE_MS);
	front->count = 0;
	delivery_take_in(front->delivery);
	if (!delivery_waiting(front->delivery))
		return 0;
	front_resume(front);
	return -EBUSY;
}

uint32_t front_sockets(const struct front *front, uint32_t size, int *ret_fds)
{
	uint32_t dispatcher, listener, count = 0;
	int fd;

	if (!front || !front->sockets)
		return 0;
	for (dispatcher = 0; dispatcher < STICKY_DISPATCHERS_LIMIT; dispatcher++)
		for (listener = 0; listener < STICKY_LISTENERS_LIMIT; listener++) {
			fd = sticky_dispatchers_fd(front->sockets, dispatcher, listener);
			if (fd >= 0 && count < size)
				ret_fds[count++] = fd;
		}
	return count;
}

void front_close(struct front *front)
{
	if (!front)
		return;
	front_stop(front);
	delivery_close(front->delivery);
	dispatch_rules_unref(front->rules);
	free(front);
}

struct delivery *front_delivery(const struct front *front)
{
	return front ? front->delivery : NULL;
}

uint32_t front_waiting(const struct front *front)
{
	return front ? delivery_waiting(front->delivery) : 0;
}

uint32_t front_pending(const struct front *front)
{
	uint32_t sum = 0, i;

	for (i = 0; front && i < front->count; i++)
		sum += dispatcher_pending(front->dispatchers[i]);
	return sum;
}
