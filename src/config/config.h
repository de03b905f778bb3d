/* SPDX-License-Identifier: MIT */
/*
 * The configuration, as the user has given it. One table of options (options.h) serves the
 * configuration file, the environment (STICKYCTL_NAME) and the command line, and the same code
 * checks each value. The command line overrides the environment, and both override the file.
 */
#ifndef STICKY_CONFIG_CONFIG_H
#define STICKY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"
#include "common/stringlist.h"

enum ready_mode {
	/* ready when the worker sends READY=1; if it sends nothing, after min_uptime */
	READY_AUTO,
	READY_NOTIFY,	 /* ready when the worker sends READY=1 to NOTIFY_SOCKET */
	READY_STARTED,	 /* ready as soon as the worker runs */
	READY_LISTENING, /* Node.js: ready when listening on the address that clients connect to */
	READY_MESSAGE,	 /* Node.js: ready after it has sent "ready", or {"cmd":"ready"} */
	READY_MODE_COUNT
};

enum when_down {
	WHEN_DOWN_HOLD,	 /* the clients of a slot without a ready worker wait for one */
	WHEN_DOWN_SPILL, /* the clients of such a slot go to other slots in the meantime */
	WHEN_DOWN_COUNT
};

/* The response to a worker that accepts none of the connections that wait for it. */
enum on_hang {
	ON_HANG_REPORT,	 /* report it in the log, in events and in status */
	ON_HANG_SPILL,	 /* send the slot's clients elsewhere until the worker accepts again */
	ON_HANG_RESTART, /* kill and replace the worker */
	ON_HANG_COUNT
};

/* How workers get their sockets and their connections. */
enum worker_mode {
	WORKER_AUTO,	   /* see config_worker_mode() */
	WORKER_ACTIVATION, /* by socket activation: LISTEN_FDS */
	WORKER_BIND, /* the worker calls bind(), and gets the slot's socket in place of its own */
	WORKER_NODE, /* from the controller, which acts as Node.js's cluster primary */
	WORKER_STICKY_LISTEN, /* as WORKER_NODE, for workers written for the module sticky-listen */
	WORKER_STICKY_CLUSTER,
	WORKER_MODE_COUNT
};

enum behind_proxy {
	BEHIND_NO_PROXY,    /* clients connect directly */
	BEHIND_PROXY_XFF,   /* a header field names the client: X-Forwarded-For, for example */
	BEHIND_PROXY_PROXY, /* the header of the PROXY protocol names the client */
	BEHIND_PROXY_COUNT
};

enum steering_choice {
	STEERING_AUTO,	  /* the first one of the next three that is possible here */
	STEERING_KERNEL,  /* the BPF program chooses the worker */
	STEERING_USER,	  /* dispatchers, in the controller's process, choose the worker */
	STEERING_CLASSIC, /* a classic BPF program chooses the worker, without privilege */
	STEERING_COUNT
};

/* The engine that --require-engine demands: without it the start fails. */
enum engine_requirement { REQUIRE_ANY, REQUIRE_KERNEL, REQUIRE_CLASSIC, REQUIRE_COUNT };

enum node_preload {
	NODE_PRELOAD_AUTO, /* yes, but not with Node.js's permission model */
	NODE_PRELOAD_NO,
	NODE_PRELOAD_COUNT
};

/* The format of the messages between the controller and Node.js workers. */
enum node_serialization {
	NODE_SERIALIZATION_JSON,
	NODE_SERIALIZATION_ADVANCED, /* V8's format, which keeps Buffers, Maps and Dates */
	NODE_SERIALIZATION_COUNT
};

enum proxy_keepalive {
	PROXY_KEEPALIVE_AUTO,  /* close for workers of Node.js, else only warn */
	PROXY_KEEPALIVE_CLOSE, /* each request on a proxy's connection is the last one on it */
	PROXY_KEEPALIVE_WARN,
	PROXY_KEEPALIVE_COUNT
};

enum proxy_header_choice { PROXY_HEADER_STRIP, PROXY_HEADER_KEEP, PROXY_HEADER_COUNT };

/* The answer that a client gets while its worker is away. */
enum down_answer { DOWN_ANSWER_502, DOWN_ANSWER_503, DOWN_ANSWER_CLOSE, DOWN_ANSWER_COUNT };

/* How the output of workers is written. */
enum worker_log {
	WORKER_LOG_AUTO,    /* prefix on a terminal, else raw */
	WORKER_LOG_PREFIX,  /* each line with its slot, or as JSON */
	WORKER_LOG_RAW,	    /* each line unchanged */
	WORKER_LOG_INHERIT, /* workers write to our stdout and stderr by themselves */
	WORKER_LOG_COUNT
};

enum reload_order { RELOAD_NEW_FIRST, RELOAD_OLD_FIRST, RELOAD_ORDER_COUNT };

/* At most `count` events in any span of period_ms. If count is 0, there is no limit. */
struct rate {
	uint32_t count;
	uint32_t period_ms;
};

/* The times that bound how workers start, run and stop. */
struct config_timing {
	uint32_t min_uptime_ms;
	uint32_t ready_timeout_ms;
	uint32_t hard_shutdown_delay_ms;
	/* Node.js: SIGTERM follows the disconnect after this time; may be TERM_AFTER_DEFAULT */
	uint32_t term_after_ms;
	uint32_t stop_delay_ms;
	uint32_t watchdog_ms; /* 0: off */
	/* a worker that accepts nothing for this long is hung; 0: no worker ever is */
	uint32_t hang_timeout_ms;
	uint32_t on_hang; /* enum on_hang */
};

/* How clients wait while their worker is away. */
struct config_waiting {
	uint32_t when_down; /* enum when_down */
	uint32_t max_retries;
	uint32_t retry_delay_ms;
	uint32_t down_answer; /* enum down_answer */
	/* connections that dispatchers may hold at the same time */
	uint32_t max_held;
};

/* The proxies that clients come through. */
struct config_proxy {
	uint32_t behind;	/* enum behind_proxy */
	char *client_ip_header; /* NULL: X-Forwarded-For */
	/* each item is a CIDR or @FILE; empty: loopback and the private ranges */
	struct string_list trusted;
	uint32_t keepalive; /* enum proxy_keepalive */
	uint32_t header;    /* enum proxy_header_choice */
	uint32_t head_timeout_ms;
};

/* When and how a running worker is replaced. */
struct config_reload {
	uint32_t parallel;
	uint32_t order; /* enum reload_order */
	/* limit of workers that drain in a slot at the same time; a reload waits for it */
	uint32_t max_draining;
	/* longest wait for handshakes; 0: a previous worker's sockets are closed at once */
	uint32_t handshake_grace_ms;
	uint64_t max_rss_bytes;	  /* 0: off */
	uint32_t max_lifetime_ms; /* 0: off */
};

/* The user, the directory and the environment of each worker process. */
struct config_identity {
	char *user;		/* USER[:GROUP]; NULL: the user who called sudo, if any */
	char *chdir;		/* NULL: the directory in which stickyctl was started */
	struct string_list env; /* each item is NAME=VALUE */
	struct string_list env_files;
};

struct known_server; /* known_servers.h */
struct file_report;  /* file_report.h */
struct problems;     /* problems.h */

/* Options of the listening sockets: see socket(7), tcp(7), ip(7). */
struct config_sockets {
	uint32_t defer_accept_s; /* TCP_DEFER_ACCEPT; 0: off */
	uint32_t fastopen;	 /* TCP_FASTOPEN; 0: off */
	uint32_t freebind;	 /* IP_FREEBIND: 0 or 1 */
	char *bind_device;	 /* SO_BINDTODEVICE; NULL: none */
	uint32_t mark;		 /* SO_MARK; 0: none */
	uint32_t transparent;	 /* IP_TRANSPARENT: 0 or 1 */
};

struct config {
	char *name;
	char *file;	 /* -c; NULL: none */
	char *run_dir;	 /* NULL: the default, see rundir.h */
	char *state_dir; /* NULL: the default, see seed.h */
	char *seed_file; /* a file with the seed, used instead of state_dir's; NULL: none */
	struct string_list listen;
	/* a private address for each slot, with {slot} in its name; NULL: none */
	char *slot_listen;
	char *admin; /* the address of read-only HTTP; NULL or "off": none */
	struct config_sockets sockets;
	uint32_t workers; /* number of slots; 0: one for each CPU that may be used */
	uint32_t backlog;
	uint32_t v4_prefix;
	uint32_t v6_prefix;
	uint32_t steering;	 /* enum steering_choice */
	uint32_t require_engine; /* enum engine_requirement */
	uint32_t dispatchers;	 /* 0: one for each CPU that may be used, at most 4 */
	uint32_t log_level;	 /* enum sticky_log_level */
	uint32_t log_format;	 /* enum log_format */
	uint32_t worker_log;	 /* enum worker_log */
	char *log_file;		 /* NULL: stdout and stderr, or with `daemon` syslog */
	uint32_t daemon;	 /* 0 or 1 */
	char *worker;		 /* for config_worker_mode(); NULL: auto */
	uint32_t node_preload;	 /* enum node_preload */
	uint32_t serialization;	 /* enum node_serialization */
	uint32_t ready;		 /* enum ready_mode */
	char *stop_message;	 /* Node.js: NULL: none */
	uint32_t stop_signal;	 /* an index into the choices, 0: auto; see config_stop_signal() */
	struct rate restart_limit;
	struct config_timing timing;
	struct config_waiting waiting;
	struct config_proxy proxy;
	struct config_reload reload;
	struct config_identity identity;
	char **arguments; /* the words of the command line from "start" on, for upgrade; borrowed */
	struct string_list file_command;
	char **command; /* NULL: the demo; borrowed from main()'s argv, or from file_command */
	/* The program was found to be Node.js, though it has another name; see node_command.h. */
	bool runs_node;
};

/* A value of timing.term_after_ms: half of the hard-shutdown delay. */
#define TERM_AFTER_DEFAULT UINT32_MAX

/*
 * Returns how workers get their sockets. `auto` is resolved, except for the demo: to WORKER_NODE if
 * the command is node, else to WORKER_BIND if -l names no address and config_bind_conflict() finds
 * nothing, else to WORKER_ACTIVATION.
 */
enum worker_mode config_worker_mode(const struct config *config);

/*
 * Returns true if bind() of workers that get their sockets as LISTEN_FDS is answered, too. This is
 * so with `auto`, unless the command is a server that is known to use LISTEN_FDS.
 */
bool config_helps_with_bind(const struct config *config);

/*
 * Returns why another option keeps a server from binding its address itself; NULL: no option does.
 */
const char *config_bind_conflict(const struct config *config);

/* Returns the prefix of the messages of sticky-cluster's workers. */
const char *config_worker_prefix(const struct config *config);

/*
 * Returns the mode that a value of --worker names. WORKER_MODE_COUNT: there is no such mode. Pure.
 */
enum worker_mode worker_mode_parse(const char *text);

/* Returns true if the command is Node.js, with the controller as its cluster primary. */
bool config_is_node(const struct config *config);

/*
 * Returns true if the workers load scripts of stickyctl first (node/preload.h). They do not if the
 * command has Node.js's permission model: such a worker may not read the files, and would not
 * start.
 */
bool config_preloads(const struct config *config);

/* Returns true if requests on proxies' connections are answered with `Connection: close`. */
bool config_closes_keepalive(const struct config *config);

/* Returns the signal that asks a worker to stop, as a number of signal(7). */
int config_stop_signal(const struct config *config);

/*
 * Returns the server because of which config_stop_signal() is another one than SIGTERM. NULL: there
 * is none, or --stop-signal is given.
 */
const struct known_server *config_known_server(const struct config *config);

#define CONFIG_RESTART_LIMIT_MAX 63 /* this many worker exits are remembered for each slot */

/* Set every option to its default. */
void config_init(struct config *config);

/* Free the texts and lists of a configuration, and set every option to its default again. */
void config_fini(struct config *config);

/*
 * Returns a hash of the options that decide which program the workers run, and how: command,
 * directory, environment, user. If two configurations have the same hash, they almost certainly
 * start the same workers.
 */
uint64_t config_id(const struct config *config, const char *directory);

/*
 * Set an option by its key.
 *
 * origin     where the value comes from, for the message: "--workers", "STICKYCTL_WORKERS"
 * ret_error  what is wrong, and which values are right
 *
 * Returns 0, -EINVAL or -ENOMEM.
 */
int config_set(struct config *config, int key, const char *value, const char *origin,
	       struct error_text *ret_error);

/*
 * Begin the next source of options. If the source sets an option that can be given more than once
 * (listen, trusted-proxy), its values replace those of the previous source. The values of env are
 * added instead.
 */
void config_begin_source(struct config *config);

/*
 * Set the options that a YAML file names. The file is a mapping of option names, with '_' instead
 * of '-', to values. Several values are written as a list. `env` can also be a mapping. `command`
 * is a list of the command's words.
 *
 * report  gets all mistakes, with file:line:column, and the place of each option; all zero before
 *
 * Returns 0, -EBADMSG (bad content), -ENOMEM, or another -errno if the file can't be read.
 */
int config_set_from_file(struct config *config, const char *path, struct file_report *report);

/*
 * Set the options that STICKYCTL_... variables of an environment name. Several values of one option
 * are separated by white space (listen, trusted-proxy) or line ends (env). A STICKYCTL_ variable
 * that is no option is a mistake, as a typing mistake would otherwise go unnoticed.
 *
 * problems  gets all mistakes; after one the other variables are read nevertheless
 *
 * Returns 0, -EINVAL or -ENOMEM.
 */
int config_set_from_environment(struct config *config, char *const *environment,
				struct problems *problems);

struct config_option; /* options.h */

/*
 * Returns the variable of an option in an environment, as "STICKYCTL_NAME=VALUE"; NULL: it is not
 * set.
 */
const char *config_variable(char *const *environment, const struct config_option *option);

#define CONFIG_NAMES_SIZE 512 /* room for the names of all options that can't change */

/*
 * Replace a configuration that is in use, except for the options that can't change while an
 * instance runs.
 *
 * running    replaced in place: pointers to the structure stay valid, pointers to its texts do not
 * next       the new configuration, which is empty afterwards
 * size       of ret_names, in bytes
 * ret_names  options whose values in `next` were not taken, separated by spaces; "": none
 */
void config_replace(struct config *running, struct config *next, size_t size, char *ret_names);

#define CONFIG_FIXED_MAX 32 /* there are fewer such options */

/*
 * Hash the values of the options that do not change when another controller takes over. The state
 * file keeps the hashes, and the next controller compares them with its own. 0 stands behind the
 * last option.
 */
void config_fixed_ids(const struct config *config, uint64_t ret_ids[CONFIG_FIXED_MAX]);

/*
 * Write the names of the options whose hashes differ, in the form of config_replace(). An option
 * that one side does not know (its hash is 0) does not differ.
 */
void config_fixed_differences(const uint64_t a[CONFIG_FIXED_MAX],
			      const uint64_t b[CONFIG_FIXED_MAX], size_t size, char *ret_names);

#endif
