/* SPDX-License-Identifier: MIT */
/*
 * What the user asked for: one table of options (options.h) serves the configuration file, the
 * environment (STICKYCTL_NAME) and the command line, by the same setters. Later wins.
 */
#ifndef STICKY_CONFIG_CONFIG_H
#define STICKY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/stringlist.h"

enum ready_mode {
	READY_AUTO,	 /* what the worker speaks; one that speaks nothing: after min_uptime */
	READY_NOTIFY,	 /* READY=1 through NOTIFY_SOCKET */
	READY_STARTED,	 /* as soon as it runs */
	READY_LISTENING, /* Node.js: it listens where clients come to */
	READY_MESSAGE,	 /* Node.js: it has sent "ready", or {"cmd":"ready"} */
	READY_MODE_COUNT
};

enum when_down {
	WHEN_DOWN_HOLD,	 /* clients of a slot without a ready worker wait for it */
	WHEN_DOWN_SPILL, /* they go to the other slots meanwhile */
	WHEN_DOWN_COUNT
};

/* How a worker gets its sockets. */
enum worker_mode {
	WORKER_AUTO,	      /* node where the command is Node.js */
	WORKER_ACTIVATION,    /* LISTEN_FDS */
	WORKER_NODE,	      /* we are its cluster primary */
	WORKER_STICKY_LISTEN, /* the same, of workers that were written for that module */
	WORKER_STICKY_CLUSTER,
	WORKER_MODE_COUNT
};

enum behind_proxy {
	BEHIND_NO_PROXY,    /* clients come by themselves */
	BEHIND_PROXY_XFF,   /* who they are stands in a header: X-Forwarded-For */
	BEHIND_PROXY_PROXY, /* in the PROXY protocol's header */
	BEHIND_PROXY_COUNT
};

enum steering_choice {
	STEERING_AUTO,	 /* the best that works */
	STEERING_KERNEL, /* by the BPF program */
	STEERING_USER,	 /* by dispatchers alone */
	STEERING_COUNT
};

enum proxy_keepalive {
	PROXY_KEEPALIVE_AUTO,  /* close for Node.js, else warn */
	PROXY_KEEPALIVE_CLOSE, /* each request of a proxy's connection is the last one on it */
	PROXY_KEEPALIVE_WARN,
	PROXY_KEEPALIVE_COUNT
};

enum proxy_header_choice { PROXY_HEADER_STRIP, PROXY_HEADER_KEEP, PROXY_HEADER_COUNT };

/* What a client gets whose worker is away. */
enum down_answer { DOWN_ANSWER_502, DOWN_ANSWER_503, DOWN_ANSWER_CLOSE, DOWN_ANSWER_COUNT };

enum reload_order { RELOAD_NEW_FIRST, RELOAD_OLD_FIRST, RELOAD_ORDER_COUNT };

/* At most `count` in any period_ms; count 0: no limit. */
struct rate {
	uint32_t count;
	uint32_t period_ms;
};

struct config {
	char *name;
	char *file;	 /* NULL: none */
	char *run_dir;	 /* NULL: the default, see rundir.h */
	char *state_dir; /* NULL: the default, see seed.h */
	struct string_list listen;
	uint32_t workers; /* 0: CPUs that we may use */
	uint32_t backlog;
	uint32_t v4_prefix;
	uint32_t v6_prefix;
	char *worker;	/* as config_worker_mode() reads it; NULL: auto */
	uint32_t ready; /* enum ready_mode */
	uint32_t min_uptime_ms;
	uint32_t ready_timeout_ms;
	uint32_t hard_shutdown_delay_ms;
	uint32_t term_after_ms; /* Node.js: after the disconnect; TERM_AFTER_DEFAULT: see below */
	uint32_t stop_signal;	/* enum stop_signal */
	uint32_t stop_delay_ms;
	uint32_t watchdog_ms; /* 0: off */
	struct rate restart_limit;
	uint32_t when_down; /* enum when_down */
	uint32_t max_retries;
	uint32_t retry_delay_ms;
	uint32_t down_answer;		    /* enum down_answer */
	uint32_t max_held;		    /* connections in our own hands */
	uint32_t steering;		    /* enum steering_choice */
	uint32_t log_level;		    /* enum sticky_log_level */
	uint32_t behind_proxy;		    /* enum behind_proxy */
	char *client_ip_header;		    /* NULL: X-Forwarded-For */
	struct string_list trusted_proxies; /* CIDR or @FILE; empty: loopback, private ranges */
	uint32_t proxy_keepalive;	    /* enum proxy_keepalive */
	uint32_t proxy_header;		    /* enum proxy_header_choice */
	char *slot_listen;    /* a private address for each slot, with {slot} in it; NULL: none */
	uint32_t dispatchers; /* 0: as many as we may use CPUs, at most 4 */
	uint32_t head_timeout_ms;
	uint32_t reload_parallel;
	uint32_t reload_order;	  /* enum reload_order */
	uint64_t max_rss_bytes;	  /* 0: off */
	uint32_t max_lifetime_ms; /* 0: off */
	char *chdir;		  /* NULL: the present directory */
	struct string_list env;	  /* NAME=VALUE */
	struct string_list env_files;
	char *user;	  /* USER[:GROUP]; NULL: who called sudo */
	char **arguments; /* how start was called, from "start" on, for upgrade. Borrowed */
	struct string_list file_command;
	char **command; /* NULL: the demo. Borrowed: main()'s argv, or file_command */
};

/* Half of the hard-shutdown delay. */
#define TERM_AFTER_DEFAULT UINT32_MAX

/* How workers get their sockets: auto is resolved. */
enum worker_mode config_worker_mode(const struct config *config);

/* What stands before sticky-cluster's messages. */
const char *config_worker_prefix(const struct config *config);

/* A value of --worker: its mode, WORKER_MODE_COUNT where it is none. Pure. */
enum worker_mode worker_mode_parse(const char *text);

/* The command is Node.js, and we are its cluster primary. */
bool config_is_node(const struct config *config);

/* Connections of proxies are answered with `Connection: close`. */
bool config_closes_keepalive(const struct config *config);

/* The polite stop, as a number of signal(7). */
int config_stop_signal(const struct config *config);

#define CONFIG_RESTART_LIMIT_MAX 63 /* deaths that are remembered */

void config_init(struct config *config);
void config_fini(struct config *config);

/*
 * A number that tells apart what workers are: command, directory, environment, user. Two
 * configurations with the same one (almost certainly) start the same workers.
 */
uint64_t config_id(const struct config *config, const char *directory);

#define CONFIG_ERROR_SIZE 512

/*
 * Set an option by its key.
 *
 * origin     where the value comes from, for the message: "--workers", "STICKYCTL_WORKERS"
 * ret_error  what is wrong and what would be right, CONFIG_ERROR_SIZE bytes
 *
 * Returns 0, -EINVAL or -ENOMEM.
 */
int config_set(struct config *config, int key, const char *value, const char *origin,
	       char *ret_error);

/*
 * What has been set so far comes from an earlier source than what follows: a repeated
 * option (listen, trusted-proxy) that is set again then begins anew. Variables for workers add up.
 */
void config_begin_source(struct config *config);

/*
 * Take over the options of a YAML file: a mapping of their names, with '_' for '-', to their
 * values; several values as a list; `env` as a mapping too; and `command`, a list of its words.
 *
 * ret_error  with file:line:column
 *
 * Returns 0, -EBADMSG (bad content), -ENOMEM, or another -errno where it can't be read.
 */
int config_set_from_file(struct config *config, const char *path, char *ret_error);

/*
 * Take over STICKYCTL_... from an environment. Several values of a repeated option are
 * separated by white space (listen, trusted-proxy) or line ends (env). A STICKYCTL_ variable that
 * is no option is an error: a typing mistake would otherwise be silent.
 */
int config_set_from_environment(struct config *config, char *const *environment, char *ret_error);

/*
 * Another configuration from now on, but for what can't change while it is in use.
 *
 * running    replaced in place: pointers to it stay good, what it points to does not
 * next       is empty afterwards
 * ret_names  the options whose values in `next` were not taken, with spaces between; "": none
 */
void config_replace(struct config *running, struct config *next, size_t size, char *ret_names);

#define CONFIG_FIXED_MAX 16

/* Numbers that stand for the values that a controller which takes over can't change either. */
void config_fixed_ids(const struct config *config, uint64_t ret_ids[CONFIG_FIXED_MAX]);

/* The options whose numbers differ, as config_replace() says them. */
void config_fixed_differences(const uint64_t a[CONFIG_FIXED_MAX],
			      const uint64_t b[CONFIG_FIXED_MAX], size_t size, char *ret_names);

#endif
