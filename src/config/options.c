// SPDX-License-Identifier: MIT
#include "config/options.h"

#include <stddef.h>

#include "config/config.h"
#include "sticky.h"

/* The key of an option without a letter. */
#define NO_LETTER (256 + __COUNTER__)

#define AT(member) .offset = offsetof(struct config, member)
#define FIXED	   .change = CHANGES_AT_START

static const struct config_option options[] = {
	{{"name", 'n', "NAME", "The instance (default)", true}, KIND_NAME, AT(name), FIXED},
	{{"run-dir", NO_LETTER, "DIR",
	  "Where the control socket is, in DIR/NAME (root: /run/sticky; else "
	  "$XDG_RUNTIME_DIR/sticky, /run/user/UID/sticky or /tmp/sticky-UID)",
	  true},
	 KIND_TEXT,
	 AT(run_dir),
	 FIXED},
	{{"config", 'c', "FILE",
	  "A YAML file with options by their long names, with _ in place of -, and 'command' "
	  "(/etc/sticky/NAME.yaml, if -n is given and the file exists)",
	  false},
	 KIND_TEXT,
	 AT(file)},
	{{"listen", 'l', "ADDRESS",
	  "HOST:PORT, [V6ADDRESS]:PORT, or :PORT for every address; may be repeated (the demo: "
	  ":8080)",
	  false},
	 KIND_ADDRESSES,
	 AT(listen),
	 FIXED},
	{{"workers", 'w', "N",
	  "Number of slots, each with one worker, 1 to 1024 (the number of CPUs that may be used)",
	  false},
	 KIND_NUMBER,
	 AT(workers),
	 1,
	 STICKY_SLOTS_LIMIT},
	{{"daemon", 'd', NULL,
	  "Go to the background once all slots are ready; the exit code says whether the start "
	  "succeeded. It logs to syslog, or to --log-file",
	  false},
	 KIND_FLAG,
	 AT(daemon),
	 .change = CHANGES_AT_TAKEOVER,
	 .choices = "no yes"},
	{{"ready", NO_LETTER, "HOW",
	  "When a worker is ready: notify (it has sent READY=1), started (at once), listening "
	  "(it has called listen(), with --worker=node or bind), message (Node.js: it has sent "
	  "\"ready\"), auto (whichever of "
	  "these the worker uses, else after --min-uptime) (auto)",
	  false},
	 KIND_CHOICE,
	 AT(ready),
	 .choices = "auto notify started listening message"},
	{{"worker", NO_LETTER, "MODE",
	  "How workers get their sockets: activation (LISTEN_FDS), bind (a server that binds its "
	  "address itself gets its socket in the place of its own), node (stickyctl acts as the "
	  "cluster primary of an unchanged Node.js application), node:sticky-listen or "
	  "node:sticky-cluster[,prefix=P] (for applications written for these modules), auto (node "
	  "if COMMAND is node or a script of it, bind without -l, else activation or bind, as "
	  "the server does) (auto)",
	  false},
	 KIND_WORKER,
	 AT(worker),
	 FIXED},
	{{"node-preload", NO_LETTER, "HOW",
	  "Node.js: scripts of stickyctl that workers load first, for kept connections at a "
	  "reload, passed ones, and handlers of the stop signal: auto (not with Node's permission "
	  "model, which would refuse them), no (auto)",
	  false},
	 KIND_CHOICE,
	 AT(node_preload),
	 .choices = "auto no"},
	{{"serialization", NO_LETTER, "HOW",
	  "Node.js: the format of messages between workers, as in cluster.setupPrimary(): json, "
	  "advanced (which keeps Buffers, Maps and Dates as they are) (json)",
	  false},
	 KIND_CHOICE,
	 AT(serialization),
	 .choices = "json advanced"},
	{{"term-after", NO_LETTER, "TIME",
	  "Node.js: how long connections may go on until the stop signal, or the application's "
	  "handler of it (half of --hard-shutdown-delay; with a handler: until no request is being "
	  "answered, at most 5s)",
	  false},
	 KIND_TIME,
	 AT(timing.term_after_ms)},
	{{"stop-signal", NO_LETTER, "SIGNAL",
	  "The signal that asks a worker to stop; auto: QUIT for nginx, and likewise for other "
	  "servers that cut their requests off on TERM; else TERM (auto)",
	  false},
	 KIND_CHOICE,
	 AT(stop_signal),
	 .choices = "auto TERM INT QUIT HUP USR1 USR2 WINCH"},
	{{"stop-message", NO_LETTER, "TEXT",
	  "Node.js: the message that asks a worker to stop, in the place of the stop signal, where "
	  "its application listens for messages; for pm2's shutdown_with_message: shutdown (none)",
	  false},
	 KIND_TEXT,
	 AT(stop_message)},
	{{"min-uptime", NO_LETTER, "TIME",
	  "A worker that sends no READY=1 is ready after this time; one that ends earlier has "
	  "crashed, and the next one starts after a delay (1s)",
	  false},
	 KIND_TIME,
	 AT(timing.min_uptime_ms)},
	{{"ready-timeout", NO_LETTER, "TIME",
	  "A worker that is not ready after this time has failed to start (30s)", false},
	 KIND_TIME,
	 AT(timing.ready_timeout_ms)},
	{{"hard-shutdown-delay", NO_LETTER, "TIME",
	  "Time from the request to stop to SIGKILL (60s)", false},
	 KIND_TIME,
	 AT(timing.hard_shutdown_delay_ms)},
	{{"chdir", NO_LETTER, "DIR",
	  "The workers' directory, resolved each time a worker starts (the present one)", false},
	 KIND_TEXT,
	 AT(identity.chdir)},
	{{"env", NO_LETTER, "NAME=VALUE",
	  "A variable for every worker; {slot} and {name} are replaced; may be repeated", false},
	 KIND_ASSIGNMENTS,
	 AT(identity.env)},
	{{"env-file", NO_LETTER, "FILE",
	  "A file with lines of NAME=VALUE for every worker, read each time a worker starts; may "
	  "be repeated",
	  false},
	 KIND_FILES,
	 AT(identity.env_files)},
	{{"stop-delay", NO_LETTER, "TIME",
	  "How long a stop still serves new connections, so that load balancers notice it (0)",
	  false},
	 KIND_TIME,
	 AT(timing.stop_delay_ms)},
	{{"watchdog", NO_LETTER, "TIME",
	  "A worker that sent no WATCHDOG=1 for this long is killed and replaced (off)", false},
	 KIND_TIME,
	 AT(timing.watchdog_ms)},
	{{"hang-timeout", NO_LETTER, "TIME",
	  "A worker that accepts none of the connections that wait for it for this long is hung; "
	  "0: none is (10s)",
	  false},
	 KIND_TIME,
	 AT(timing.hang_timeout_ms)},
	{{"on-hang", NO_LETTER, "WHAT",
	  "What is done about a worker that is hung: it is reported (report); its slot's clients "
	  "also go to other slots until it accepts again (spill); it is killed and replaced "
	  "(restart) (report)",
	  false},
	 KIND_CHOICE,
	 AT(timing.on_hang),
	 .choices = "report spill restart"},
	{{"restart-limit", NO_LETTER, "N/TIME",
	  "If more than N workers of a slot die within TIME, the slot has failed, until a restart "
	  "or reload (none)",
	  false},
	 KIND_RATE,
	 AT(restart_limit),
	 .max = CONFIG_RESTART_LIMIT_MAX},
	{{"when-down", NO_LETTER, "HOW",
	  "While a slot has no ready worker, its clients wait (hold) or go to other slots (spill) "
	  "(hold)",
	  false},
	 KIND_CHOICE,
	 AT(waiting.when_down),
	 .choices = "hold spill"},
	{{"max-retries", NO_LETTER, "N",
	  "A client waits N times --retry-delay for its worker, before it gets a 502 (20)", false},
	 KIND_NUMBER,
	 AT(waiting.max_retries),
	 0,
	 4000},
	{{"retry-delay", NO_LETTER, "TIME", "See --max-retries (150ms)", false},
	 KIND_TIME,
	 AT(waiting.retry_delay_ms)},
	{{"down-answer", NO_LETTER, "WHAT",
	  "The answer to a client that has waited too long: 502, 503, or close, if it is not HTTP "
	  "(502)",
	  false},
	 KIND_CHOICE,
	 AT(waiting.down_answer),
	 .choices = "502 503 close"},
	{{"behind-proxy", NO_LETTER, "HOW",
	  "Where a client's address comes from: no (the connection), xff (a header that proxies "
	  "set), proxy (PROXY protocol, v1 or v2) (no)",
	  false},
	 KIND_CHOICE,
	 AT(proxy.behind),
	 FIXED,
	 .choices = "no xff proxy"},
	{{"client-ip-header", NO_LETTER, "NAME",
	  "The header of --behind-proxy=xff (X-Forwarded-For)", false},
	 KIND_TOKEN,
	 AT(proxy.client_ip_header)},
	{{"trusted-proxy", NO_LETTER, "CIDR|@FILE",
	  "Proxies that are believed when they say who the client is; a file has one range on each "
	  "line; may be repeated (loopback and private ranges)",
	  false},
	 KIND_RANGES,
	 AT(proxy.trusted)},
	{{"proxy-keepalive", NO_LETTER, "HOW",
	  "A proxy may send several clients' requests on one connection: close (Node.js workers "
	  "answer with Connection: close), warn (count such connections, and log a remedy once), "
	  "auto (close for Node.js, else warn) (auto)",
	  false},
	 KIND_CHOICE,
	 AT(proxy.keepalive),
	 .choices = "auto close warn"},
	{{"proxy-header", NO_LETTER, "WHAT",
	  "Remove the PROXY protocol's header (strip), or leave it to the worker (keep) (strip)",
	  false},
	 KIND_CHOICE,
	 AT(proxy.header),
	 .choices = "strip keep"},
	{{"dispatchers", NO_LETTER, "N",
	  "Number of threads that find out who the client is (the number of CPUs that may be used, "
	  "at most 4)",
	  false},
	 KIND_NUMBER,
	 AT(dispatchers),
	 FIXED,
	 .min = 1,
	 .max = STICKY_DISPATCHERS_LIMIT},
	{{"head-timeout", NO_LETTER, "TIME",
	  "A proxy's connection that has not said who the client is after this time is closed "
	  "(10s)",
	  false},
	 KIND_TIME,
	 AT(proxy.head_timeout_ms)},
	{{"max-held", NO_LETTER, "N",
	  "At most N connections wait in stickyctl; then the oldest one is answered by "
	  "--down-answer (65536)",
	  false},
	 KIND_NUMBER,
	 AT(waiting.max_held),
	 .min = 1,
	 .max = 1 << 20},
	{{"steering", NO_LETTER, "HOW",
	  "kernel (the BPF program), classic (a classic BPF program, without privileges), user "
	  "(threads that accept connections and pass them on, without privileges), auto (the first "
	  "one that is possible) (auto)",
	  false},
	 KIND_CHOICE,
	 AT(steering),
	 FIXED,
	 .choices = "auto kernel user classic"},
	{{"log-level", NO_LETTER, "LEVEL",
	  "The least important messages that are logged: error, warn, info, debug (info)", false},
	 KIND_CHOICE,
	 AT(log_level),
	 .choices = "error warn info debug"},
	{{"log-format", NO_LETTER, "FORMAT",
	  "The log's lines: text (key=value), json (one object on each line; workers' lines, too, "
	  "with --worker-log=prefix) (text)",
	  false},
	 KIND_CHOICE,
	 AT(log_format),
	 .choices = "text json"},
	{{"log-file", NO_LETTER, "FILE",
	  "Append the log and the workers' output to FILE; SIGUSR1 opens it again (stderr, stdout)",
	  false},
	 KIND_TEXT,
	 AT(log_file),
	 .change = CHANGES_AT_TAKEOVER},
	{{"worker-log", NO_LETTER, "HOW",
	  "What workers print: prefix (each line with its slot), raw (as it is), inherit (they "
	  "write to stickyctl's stdout and stderr themselves, and 'stickyctl logs' has nothing), "
	  "auto (prefix on a terminal, else raw) (auto)",
	  false},
	 KIND_CHOICE,
	 AT(worker_log),
	 .choices = "auto prefix raw inherit"},
	{{"slot-listen", NO_LETTER, "ADDRESS",
	  "One more address for each slot, for a proxy that chooses the worker itself: "
	  "unix:/run/app/{slot}.sock, or 127.0.0.1:90{slot} (none)",
	  false},
	 KIND_TEXT,
	 AT(slot_listen),
	 FIXED},
	{{"reload-parallel", NO_LETTER, "N",
	  "Number of slots that a reload handles at the same time (1)", false},
	 KIND_NUMBER,
	 AT(reload.parallel),
	 1,
	 STICKY_SLOTS_LIMIT},
	{{"max-draining", NO_LETTER, "N",
	  "Number of workers that may be draining in a slot; a reload waits where it would be "
	  "exceeded, and ends no request for it (8)",
	  false},
	 KIND_NUMBER,
	 AT(reload.max_draining),
	 1,
	 1000},
	{{"handshake-grace", NO_LETTER, "TIME",
	  "How long, at most, a worker that leaves its slot still accepts the connections whose "
	  "handshake began before (1500ms)",
	  false},
	 KIND_TIME,
	 AT(reload.handshake_grace_ms)},
	{{"reload-order", NO_LETTER, "ORDER",
	  "Start the new worker before the old one stops (new-first), or after it, for workers "
	  "that can't run side by side (old-first) (new-first)",
	  false},
	 KIND_CHOICE,
	 AT(reload.order),
	 .choices = "new-first old-first"},
	{{"max-rss", NO_LETTER, "SIZE",
	  "Replace a worker that uses more memory than SIZE, such as 512M or 2G (off)", false},
	 KIND_SIZE,
	 AT(reload.max_rss_bytes),
	 1 << 20},
	{{"max-lifetime", NO_LETTER, "TIME", "Replace a worker after 90 to 100% of this time (off)",
	  false},
	 KIND_TIME,
	 AT(reload.max_lifetime_ms)},
	{{"user", NO_LETTER, "USER[:GROUP]",
	  "The user that workers run as (the one who called sudo; else unchanged)", false},
	 KIND_TEXT,
	 AT(identity.user),
	 .change = CHANGES_AT_TAKEOVER},
	{{"state-dir", NO_LETTER, "DIR",
	  "Where the hash seed is kept, in DIR/NAME (root: /var/lib/sticky; else "
	  "$XDG_STATE_HOME/sticky or ~/.local/state/sticky)",
	  false},
	 KIND_TEXT,
	 AT(state_dir),
	 FIXED},
	{{"backlog", NO_LETTER, "N",
	  "Connections that may wait at each listening socket, whatever backlog the worker asks "
	  "for (4096)",
	  false},
	 KIND_NUMBER,
	 AT(backlog),
	 .change = CHANGES_AT_TAKEOVER,
	 .min = 1,
	 .max = INT32_MAX},
	{{"v4-prefix", NO_LETTER, "N", "Bits of an IPv4 address that tell clients apart (32)",
	  false},
	 KIND_NUMBER,
	 AT(v4_prefix),
	 FIXED,
	 .min = 1,
	 .max = 32},
	{{"v6-prefix", NO_LETTER, "N", "Bits of an IPv6 address that tell clients apart (64)",
	  false},
	 KIND_NUMBER,
	 AT(v6_prefix),
	 FIXED,
	 .min = 1,
	 .max = 128},
	{{"tcp-defer-accept", NO_LETTER, "SECONDS",
	  "A connection comes to the worker with its first bytes, or after this time; 0: at once "
	  "(0)",
	  false},
	 KIND_NUMBER,
	 AT(sockets.defer_accept_s),
	 FIXED,
	 .max = 3600},
	{{"tcp-fastopen", NO_LETTER, "N",
	  "TCP Fast Open: at most N connections that wait for the end of their handshake, at each "
	  "socket; 0: none (0)",
	  false},
	 KIND_NUMBER,
	 AT(sockets.fastopen),
	 FIXED,
	 .max = 65535},
	{{"freebind", NO_LETTER, "HOW",
	  "Listen also on an address that this machine does not have yet: no, yes (no)", false},
	 KIND_CHOICE,
	 AT(sockets.freebind),
	 FIXED,
	 .choices = "no yes"},
	{{"bind-device", NO_LETTER, "NAME",
	  "Accept only what comes in by this network device (any)", false},
	 KIND_TEXT,
	 AT(sockets.bind_device),
	 FIXED},
	{{"require-engine", NO_LETTER, "ENGINE",
	  "Do not start without it: kernel (the BPF program), classic (that, or a classic BPF "
	  "program), any (any)",
	  false},
	 KIND_CHOICE,
	 AT(require_engine),
	 FIXED,
	 .choices = "any kernel classic"},
	{{"admin", NO_LETTER, "ADDRESS",
	  "Read-only HTTP for people and monitoring: a status page, /metrics, /healthz, /readyz; "
	  "HOST:PORT or unix:PATH, such as 127.0.0.1:9180 (off)",
	  false},
	 KIND_ADMIN,
	 AT(admin),
	 .change = CHANGES_AT_TAKEOVER},
	{{"seed-file", NO_LETTER, "FILE",
	  "The seed of the hash, in the place of that in --state-dir: the same file on several "
	  "machines gives each client the same slot on all of them",
	  false},
	 KIND_TEXT,
	 AT(seed_file),
	 FIXED},
	{{"mark", NO_LETTER, "N",
	  "The mark (SO_MARK) of all packets of listening sockets and their connections, for "
	  "routing rules and the firewall; needs CAP_NET_ADMIN; 0: none (0)",
	  false},
	 KIND_NUMBER,
	 AT(sockets.mark),
	 FIXED,
	 .max = UINT32_MAX},
	{{"transparent", NO_LETTER, "HOW",
	  "Accept also connections to addresses of other machines that the firewall (TPROXY) or a "
	  "route leads here; needs CAP_NET_ADMIN: no, yes (no)",
	  false},
	 KIND_CHOICE,
	 AT(sockets.transparent),
	 FIXED,
	 .choices = "no yes"},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))
_Static_assert(OPTION_COUNT < OPTIONS_LIMIT, "arrays of OPTIONS_LIMIT have room for all options");

const struct config_option *option_at(size_t index)
{
	return index < OPTION_COUNT ? &options[index] : NULL;
}

size_t option_index(const struct config_option *option)
{
	return (size_t)(option - options);
}

const struct config_option *option_by_key(int key)
{
	size_t i;

	for (i = 0; i < OPTION_COUNT; i++)
		if (options[i].doc.key == key)
			return &options[i];
	return NULL;
}
