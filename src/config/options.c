// SPDX-License-Identifier: MIT
#include "config/options.h"

#include <string.h>

#include "config/config.h"
#include "sticky.h"

enum {
	KEY_RUN_DIR = 256,
	KEY_STATE_DIR,
	KEY_BACKLOG,
	KEY_V4_PREFIX,
	KEY_V6_PREFIX,
	KEY_READY,
	KEY_MIN_UPTIME,
	KEY_READY_TIMEOUT,
	KEY_HARD_SHUTDOWN_DELAY,
	KEY_CHDIR,
	KEY_ENV,
	KEY_ENV_FILE,
	KEY_USER,
	KEY_STOP_DELAY,
	KEY_WATCHDOG,
	KEY_RESTART_LIMIT,
	KEY_WHEN_DOWN,
	KEY_MAX_RETRIES,
	KEY_RETRY_DELAY,
	KEY_RELOAD_PARALLEL,
	KEY_RELOAD_ORDER,
	KEY_MAX_RSS,
	KEY_MAX_LIFETIME,
	KEY_DOWN_ANSWER,
	KEY_MAX_HELD,
	KEY_STEERING,
	KEY_BEHIND_PROXY,
	KEY_CLIENT_IP_HEADER,
	KEY_TRUSTED_PROXY,
	KEY_PROXY_HEADER,
	KEY_DISPATCHERS,
	KEY_HEAD_TIMEOUT,
	KEY_SLOT_LISTEN,
	KEY_WORKER,
	KEY_TERM_AFTER,
	KEY_PROXY_KEEPALIVE,
	KEY_STOP_SIGNAL,
	KEY_LOG_LEVEL
};

#define AT(member) .offset = offsetof(struct config, member)
#define FIXED	   .change = CHANGES_AT_START

static const struct config_option options[] = {
	{{"name", 'n', "NAME", "The instance (default)", true}, KIND_NAME, AT(name), FIXED},
	{{"run-dir", KEY_RUN_DIR, "DIR",
	  "Where the control socket is, in DIR/NAME (root: /run/sticky; else "
	  "$XDG_RUNTIME_DIR/sticky, /run/user/UID/sticky or /tmp/sticky-UID)",
	  true},
	 KIND_TEXT,
	 AT(run_dir),
	 FIXED},
	{{"config", 'c', "FILE",
	  "YAML: options by their long names, with _ for -, and command (/etc/sticky/NAME.yaml "
	  "where -n names one and it exists)",
	  false},
	 KIND_TEXT,
	 AT(file)},
	{{"listen", 'l', "ADDRESS",
	  "HOST:PORT, [V6]:PORT, or :PORT for every address; may be repeated (the demo: :8080)",
	  false},
	 KIND_LIST,
	 AT(listen),
	 FIXED},
	{{"workers", 'w', "N", "Slots, 1 to 1024 (the CPUs that we may use)", false},
	 KIND_NUMBER,
	 AT(workers),
	 1,
	 STICKY_SLOTS_LIMIT},
	{{"ready", KEY_READY, "HOW",
	  "When a worker is ready: notify (it sends READY=1), started (at once), listening or "
	  "message (Node.js: it listens, it sent \"ready\"), auto: what it speaks, else after "
	  "--min-uptime (auto)",
	  false},
	 KIND_CHOICE,
	 AT(ready),
	 .choices = "auto notify started listening message"},
	{{"worker", KEY_WORKER, "MODE",
	  "How workers get their sockets: activation (LISTEN_FDS); node (we are the cluster "
	  "primary "
	  "of an unchanged Node.js application), node:sticky-listen, "
	  "node:sticky-cluster[,prefix=P] (written for these modules); auto: node where COMMAND is "
	  "node (auto)",
	  false},
	 KIND_WORKER,
	 AT(worker),
	 FIXED},
	{{"term-after", KEY_TERM_AFTER, "TIME",
	  "Node.js: from the request to finish to the stop signal (half of the hard-shutdown "
	  "delay)",
	  false},
	 KIND_TIME,
	 AT(term_after_ms)},
	{{"stop-signal", KEY_STOP_SIGNAL, "SIGNAL", "The polite stop of a worker (TERM)", false},
	 KIND_CHOICE,
	 AT(stop_signal),
	 .choices = "TERM INT QUIT HUP USR1 USR2"},
	{{"min-uptime", KEY_MIN_UPTIME, "TIME",
	  "A worker that says nothing is ready after this; dying younger is a crash that "
	  "backs off (1s)",
	  false},
	 KIND_TIME,
	 AT(min_uptime_ms)},
	{{"ready-timeout", KEY_READY_TIMEOUT, "TIME",
	  "Starting for longer than this is a failed start (30s)", false},
	 KIND_TIME,
	 AT(ready_timeout_ms)},
	{{"hard-shutdown-delay", KEY_HARD_SHUTDOWN_DELAY, "TIME",
	  "From the polite stop of a worker to SIGKILL (60s)", false},
	 KIND_TIME,
	 AT(hard_shutdown_delay_ms)},
	{{"chdir", KEY_CHDIR, "DIR", "Where workers run, looked up at each start (here)", false},
	 KIND_TEXT,
	 AT(chdir)},
	{{"env", KEY_ENV, "NAME=VALUE",
	  "A variable for every worker; {slot} and {name} are replaced; may be repeated", false},
	 KIND_ASSIGNMENTS,
	 AT(env)},
	{{"env-file", KEY_ENV_FILE, "FILE",
	  "Lines of NAME=VALUE for every worker, read at each start of one; may be repeated",
	  false},
	 KIND_FILES,
	 AT(env_files)},
	{{"stop-delay", KEY_STOP_DELAY, "TIME",
	  "Before a stop begins: connections are still served, for load balancers to notice (0)",
	  false},
	 KIND_TIME,
	 AT(stop_delay_ms)},
	{{"watchdog", KEY_WATCHDOG, "TIME",
	  "A worker that sent no WATCHDOG=1 for this long is killed and replaced (off)", false},
	 KIND_TIME,
	 AT(watchdog_ms)},
	{{"restart-limit", KEY_RESTART_LIMIT, "N/TIME",
	  "More deaths than N in TIME: the slot is failed until restart or reload (none)", false},
	 KIND_RATE,
	 AT(restart_limit),
	 .max = CONFIG_RESTART_LIMIT_MAX},
	{{"when-down", KEY_WHEN_DOWN, "HOW",
	  "While a slot has no ready worker its clients wait (hold) or go to others (spill) (hold)",
	  false},
	 KIND_CHOICE,
	 AT(when_down),
	 .choices = "hold spill"},
	{{"max-retries", KEY_MAX_RETRIES, "N",
	  "How many times --retry-delay a client waits for its worker before it gets a 502 (20)",
	  false},
	 KIND_NUMBER,
	 AT(max_retries),
	 0,
	 4000},
	{{"retry-delay", KEY_RETRY_DELAY, "TIME", "See --max-retries (150ms)", false},
	 KIND_TIME,
	 AT(retry_delay_ms)},
	{{"down-answer", KEY_DOWN_ANSWER, "WHAT",
	  "What a client gets that has waited in vain: 502, 503, or close, for what is not HTTP "
	  "(502)",
	  false},
	 KIND_CHOICE,
	 AT(down_answer),
	 .choices = "502 503 close"},
	{{"behind-proxy", KEY_BEHIND_PROXY, "HOW",
	  "Where a client's address comes from: no (the connection), xff (a header that proxies "
	  "set), proxy (PROXY protocol, v1 or v2) (no)",
	  false},
	 KIND_CHOICE,
	 AT(behind_proxy),
	 FIXED,
	 .choices = "no xff proxy"},
	{{"client-ip-header", KEY_CLIENT_IP_HEADER, "NAME",
	  "The header of --behind-proxy=xff (X-Forwarded-For)", false},
	 KIND_TOKEN,
	 AT(client_ip_header)},
	{{"trusted-proxy", KEY_TRUSTED_PROXY, "CIDR|@FILE",
	  "Whose word counts about who the client is; a file has a range on each line; may be "
	  "repeated (loopback and private ranges)",
	  false},
	 KIND_RANGES,
	 AT(trusted_proxies)},
	{{"proxy-keepalive", KEY_PROXY_KEEPALIVE, "HOW",
	  "A proxy may put several clients' requests on one connection: close (Node.js workers "
	  "answer with Connection: close), warn (count them, and say the remedy once), auto: close "
	  "for Node.js (auto)",
	  false},
	 KIND_CHOICE,
	 AT(proxy_keepalive),
	 .choices = "auto close warn"},
	{{"proxy-header", KEY_PROXY_HEADER, "WHAT",
	  "Whether the worker sees the PROXY protocol's header: strip or keep (strip)", false},
	 KIND_CHOICE,
	 AT(proxy_header),
	 .choices = "strip keep"},
	{{"dispatchers", KEY_DISPATCHERS, "N",
	  "Threads that read who the client is (the CPUs that we may use, at most 4)", false},
	 KIND_NUMBER,
	 AT(dispatchers),
	 FIXED,
	 .min = 1,
	 .max = STICKY_DISPATCHERS_LIMIT},
	{{"head-timeout", KEY_HEAD_TIMEOUT, "TIME",
	  "A proxy's connection that says too little for so long is closed (10s)", false},
	 KIND_TIME,
	 AT(head_timeout_ms)},
	{{"max-held", KEY_MAX_HELD, "N",
	  "Connections that wait in our own hands, at most; then the oldest gets its answer "
	  "(65536)",
	  false},
	 KIND_NUMBER,
	 AT(max_held),
	 .min = 1,
	 .max = 1 << 20},
	{{"steering", KEY_STEERING, "HOW",
	  "kernel (the BPF program), user (threads that accept and pass on, without privilege), "
	  "auto: kernel where it can be (auto)",
	  false},
	 KIND_CHOICE,
	 AT(steering),
	 FIXED,
	 .choices = "auto kernel user"},
	{{"log-level", KEY_LOG_LEVEL, "LEVEL",
	  "The least important messages that are shown: error, warn, info, debug (info)", false},
	 KIND_CHOICE,
	 AT(log_level),
	 .choices = "error warn info debug"},
	{{"slot-listen", KEY_SLOT_LISTEN, "ADDRESS",
	  "A private way to each slot, behind the other sockets: unix:/run/app/{slot}.sock, or "
	  "127.0.0.1:90{slot}: for a proxy that chooses the worker itself",
	  false},
	 KIND_TEXT,
	 AT(slot_listen),
	 FIXED},
	{{"reload-parallel", KEY_RELOAD_PARALLEL, "N",
	  "Slots that get their new workers at once in a reload (1)", false},
	 KIND_NUMBER,
	 AT(reload_parallel),
	 1,
	 STICKY_SLOTS_LIMIT},
	{{"reload-order", KEY_RELOAD_ORDER, "ORDER",
	  "new-first, or old-first for workers that can't live side by side (new-first)", false},
	 KIND_CHOICE,
	 AT(reload_order),
	 .choices = "new-first old-first"},
	{{"max-rss", KEY_MAX_RSS, "SIZE", "Replace a worker that uses more memory: 512M, 2G (off)",
	  false},
	 KIND_SIZE,
	 AT(max_rss_bytes)},
	{{"max-lifetime", KEY_MAX_LIFETIME, "TIME",
	  "Replace a worker after 90 to 100% of this time (off)", false},
	 KIND_TIME,
	 AT(max_lifetime_ms)},
	{{"user", KEY_USER, "USER[:GROUP]", "Whom workers run as (who called sudo; else unchanged)",
	  false},
	 KIND_TEXT,
	 AT(user),
	 .change = CHANGES_AT_TAKEOVER},
	{{"state-dir", KEY_STATE_DIR, "DIR",
	  "Where the hash seed is kept, in DIR/NAME (root: /var/lib/sticky; else "
	  "$XDG_STATE_HOME/sticky or ~/.local/state/sticky)",
	  false},
	 KIND_TEXT,
	 AT(state_dir),
	 FIXED},
	{{"backlog", KEY_BACKLOG, "N",
	  "Of each listening socket, in connections, whatever the worker says (4096)", false},
	 KIND_NUMBER,
	 AT(backlog),
	 .change = CHANGES_AT_TAKEOVER,
	 .min = 1,
	 .max = INT32_MAX},
	{{"v4-prefix", KEY_V4_PREFIX, "N", "Bits of an IPv4 address that tell clients apart (32)",
	  false},
	 KIND_NUMBER,
	 AT(v4_prefix),
	 FIXED,
	 .min = 1,
	 .max = 32},
	{{"v6-prefix", KEY_V6_PREFIX, "N", "Bits of an IPv6 address that tell clients apart (64)",
	  false},
	 KIND_NUMBER,
	 AT(v6_prefix),
	 FIXED,
	 .min = 1,
	 .max = 128},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

const struct config_option *option_at(size_t index)
{
	return index < OPTION_COUNT ? &options[index] : NULL;
}

const struct config_option *option_by_key(int key)
{
	size_t i;

	for (i = 0; i < OPTION_COUNT; i++)
		if (options[i].doc.key == key)
			return &options[i];
	return NULL;
}

static bool is_spelled(const char *name, const char *text, size_t length, int (*spell)(int))
{
	size_t i;

	if (strlen(name) != length)
		return false;
	for (i = 0; i < length; i++)
		if (text[i] != (name[i] == '-' ? '_' : (char)spell((unsigned char)name[i])))
			return false;
	return true;
}

const struct config_option *option_by_spelling(const char *text, size_t length, int (*spell)(int))
{
	size_t i;

	for (i = 0; i < OPTION_COUNT; i++)
		if (is_spelled(options[i].doc.name, text, length, spell))
			return &options[i];
	return NULL;
}

bool option_is_text(const struct config_option *option)
{
	return option->kind == KIND_TEXT || option->kind == KIND_NAME ||
	       option->kind == KIND_TOKEN || option->kind == KIND_WORKER;
}

bool option_is_list(const struct config_option *option)
{
	return option->kind == KIND_LIST || option->kind == KIND_RANGES ||
	       option->kind == KIND_FILES || option->kind == KIND_ASSIGNMENTS;
}
