// SPDX-License-Identifier: MIT
#include "config/contradictions.h"

#include <string.h>

/* A rule for an option that was given. Returns what is wrong with its value; NULL: nothing is. */
typedef const char *rule_fn(const struct config *config);

/* ---- Contradictions that `start` refuses ------------------------------------------- */

static const char *required_engine(const struct config *config)
{
	bool is_classic = config->steering == STEERING_CLASSIC;
	bool is_user = config->steering == STEERING_USER;

	if ((config->require_engine == REQUIRE_KERNEL && (is_classic || is_user)) ||
	    (config->require_engine == REQUIRE_CLASSIC && is_user))
		return "--steering names another engine than the one that is required";
	return NULL;
}

static const char *steering(const struct config *config)
{
	if (config->steering == STEERING_CLASSIC && config->proxy.behind != BEHIND_NO_PROXY)
		return "a classic BPF program can't send a proxy's connections to the threads that "
		       "read their heads: leave --steering or --behind-proxy out";
	return NULL;
}

static const char *worker_that_binds(const struct config *config)
{
	if (config->worker && worker_mode_parse(config->worker) == WORKER_BIND)
		return config_bind_conflict(config);
	return NULL;
}

static const char *worker_without_address(const struct config *config)
{
	if (config->worker && worker_mode_parse(config->worker) == WORKER_ACTIVATION &&
	    !config->listen.count)
		return "workers that take their sockets from LISTEN_FDS need an address: name one "
		       "by --listen, e.g. 127.0.0.1:3000";
	return NULL;
}

static const char *slot_address(const struct config *config)
{
	if (config->slot_listen && !strstr(config->slot_listen, "{slot}"))
		return "each slot needs an address of its own: write unix:/run/app/{slot}.sock, or "
		       "HOST:PORT with {slot} in it, e.g. 127.0.0.1:90{slot}";
	return NULL;
}

/* ---- Options without effect -------------------------------------------------------- */

static const char *only_with_xff(const struct config *config)
{
	return config->proxy.behind == BEHIND_PROXY_XFF
		       ? NULL
		       : "it has no effect without --behind-proxy=xff";
}

static const char *only_with_proxy_protocol(const struct config *config)
{
	return config->proxy.behind == BEHIND_PROXY_PROXY
		       ? NULL
		       : "it has no effect without --behind-proxy=proxy";
}

static const char *only_behind_proxy(const struct config *config)
{
	return config->proxy.behind != BEHIND_NO_PROXY ? NULL
						       : "it has no effect without --behind-proxy";
}

/* With --worker=auto the program decides, and this rule does not look at it. */
static const char *only_for_node(const struct config *config)
{
	enum worker_mode mode = config->worker ? worker_mode_parse(config->worker) : WORKER_AUTO;

	return mode == WORKER_ACTIVATION || mode == WORKER_BIND
		       ? "it has no effect: --worker says that the workers are not Node.js"
		       : NULL;
}

static const char *needs_preload(const struct config *config)
{
	return config->node_preload == NODE_PRELOAD_NO
		       ? "it has no effect: a script that workers load first gives it to them, and "
			 "--node-preload=no leaves that out"
		       : NULL;
}

static const char *stop_signal_after_kill(const struct config *config)
{
	if (config->timing.term_after_ms != TERM_AFTER_DEFAULT &&
	    config->timing.term_after_ms >= config->timing.hard_shutdown_delay_ms)
		return "SIGKILL comes first, after --hard-shutdown-delay";
	return NULL;
}

static const char *no_hang(const struct config *config)
{
	return config->timing.hang_timeout_ms
		       ? NULL
		       : "it has no effect: no worker is hung with --hang-timeout=0";
}

static const char *no_retry(const struct config *config)
{
	return config->waiting.max_retries
		       ? NULL
		       : "it has no effect: clients do not wait with --max-retries=0";
}

static const char *never_ready(const struct config *config)
{
	if (config->ready == READY_AUTO &&
	    config->timing.ready_timeout_ms < config->timing.min_uptime_ms)
		return "a worker that sends no READY=1 fails before it is ready: --min-uptime is "
		       "longer";
	return NULL;
}

static const struct {
	const char *option;
	rule_fn *rule;
	bool is_note;
} rules[] = {
	{"require-engine", required_engine, false},
	{"steering", steering, false},
	{"worker", worker_that_binds, false},
	{"worker", worker_without_address, false},
	{"slot-listen", slot_address, false},
	{"client-ip-header", only_with_xff, true},
	{"proxy-header", only_with_proxy_protocol, true},
	{"trusted-proxy", only_behind_proxy, true},
	{"proxy-keepalive", only_behind_proxy, true},
	{"head-timeout", only_behind_proxy, true},
	{"node-preload", only_for_node, true},
	{"serialization", only_for_node, true},
	{"term-after", only_for_node, true},
	{"stop-message", only_for_node, true},
	{"stop-message", needs_preload, true},
	{"term-after", stop_signal_after_kill, true},
	{"on-hang", no_hang, true},
	{"retry-delay", no_retry, true},
	{"ready-timeout", never_ready, true},
};

void contradictions_find(const struct config *config, const struct origins *origins,
			 struct problems *mistakes, struct problems *notes)
{
	char place[ORIGIN_TEXT_SIZE];
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct config_option *option = option_by_name(rules[i].option);
		const char *wrong = rules[i].rule(config);

		if (!wrong || origin_of(origins, option) == ORIGIN_DEFAULT)
			continue;
		origin_place(origins, option, place);
		problems_add(rules[i].is_note ? notes : mistakes, "%s: %s", place, wrong);
	}
}
