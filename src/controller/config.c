// SPDX-License-Identifier: MIT
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "environment.h"
#include "pool.h"
#include "sticky.h"
#include "units.h"

#define VARIABLE_PREFIX "STICKYCTL_"

enum kind {
	KIND_TEXT,
	KIND_NAME, /* an instance's name */
	KIND_LIST,
	KIND_FILES,	  /* a list of file names that adds up */
	KIND_ASSIGNMENTS, /* a list of NAME=VALUE */
	KIND_NUMBER,
	KIND_TIME,
	KIND_SIZE,
	KIND_RATE,
	KIND_CHOICE
};

struct option {
	struct option_doc doc;
	enum kind kind;
	size_t offset; /* in struct config */
	uint64_t min, max;
	const char *choices; /* "auto notify started", in the order of the enum */
};

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
	KEY_MAX_LIFETIME
};

#define AT(member) .offset = offsetof(struct config, member)

static const struct option options[] = {
	{{"name", 'n', "NAME", "The instance (default)", true}, KIND_NAME, AT(name)},
	{{"run-dir", KEY_RUN_DIR, "DIR",
	  "Where the control socket is, in DIR/NAME (root: /run/sticky; else "
	  "$XDG_RUNTIME_DIR/sticky, /run/user/UID/sticky or /tmp/sticky-UID)",
	  true},
	 KIND_TEXT,
	 AT(run_dir)},
	{{"listen", 'l', "ADDRESS",
	  "HOST:PORT, [V6]:PORT, or :PORT for every address; may be repeated (the demo: :8080)",
	  false},
	 KIND_LIST,
	 AT(listen)},
	{{"workers", 'w', "N", "Slots, 1 to 1024 (the CPUs that we may use)", false},
	 KIND_NUMBER,
	 AT(workers),
	 1,
	 STICKY_SLOTS_LIMIT},
	{{"ready", KEY_READY, "HOW",
	  "When a worker is ready: notify (it sends READY=1), started (at once), auto: notify "
	  "where it speaks it, else after --min-uptime (auto)",
	  false},
	 KIND_CHOICE,
	 AT(ready),
	 .choices = "auto notify started"},
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
	 .max = POOL_DEATHS_MAX - 1},
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
	 AT(user)},
	{{"state-dir", KEY_STATE_DIR, "DIR",
	  "Where the hash seed is kept, in DIR/NAME (root: /var/lib/sticky; else "
	  "$XDG_STATE_HOME/sticky or ~/.local/state/sticky)",
	  false},
	 KIND_TEXT,
	 AT(state_dir)},
	{{"backlog", KEY_BACKLOG, "N", "Of each listening socket, in connections (4096)", false},
	 KIND_NUMBER,
	 AT(backlog),
	 1,
	 INT32_MAX},
	{{"v4-prefix", KEY_V4_PREFIX, "N", "Bits of an IPv4 address that tell clients apart (32)",
	  false},
	 KIND_NUMBER,
	 AT(v4_prefix),
	 1,
	 32},
	{{"v6-prefix", KEY_V6_PREFIX, "N", "Bits of an IPv6 address that tell clients apart (64)",
	  false},
	 KIND_NUMBER,
	 AT(v6_prefix),
	 1,
	 128},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

const struct option_doc *config_option(size_t index)
{
	return index < OPTION_COUNT ? &options[index].doc : NULL;
}

void config_init(struct config *config)
{
	*config = (struct config){
		.backlog = 4096,
		.v4_prefix = 32,
		.v6_prefix = 64,
		.min_uptime_ms = 1000,
		.ready_timeout_ms = 30000,
		.hard_shutdown_delay_ms = 60000,
		.max_retries = 20,
		.retry_delay_ms = 150,
		.reload_parallel = 1,
	};
}

static void list_fini(struct string_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}

void config_fini(struct config *config)
{
	list_fini(&config->listen);
	list_fini(&config->env);
	list_fini(&config->env_files);
	free(config->name);
	free(config->run_dir);
	free(config->state_dir);
	free(config->chdir);
	free(config->user);
	config_init(config);
}

static int list_add(struct string_list *list, const char *value)
{
	char **items = realloc(list->items, (list->count + 2) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = strdup(value);
	if (!items[list->count])
		return -ENOMEM;
	items[++list->count] = NULL;
	return 0;
}

static int list_override(struct string_list *list, const char *value)
{
	if (list->overridable)
		list_fini(list);
	return list_add(list, value);
}

void config_begin_source(struct config *config)
{
	config->listen.overridable = true;
}

static int set_text(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

/* A name becomes a directory: no separator, no hidden file, no surprise in a shell. */
static bool is_instance_name(const char *text)
{
	size_t length = strlen(text);

	return length >= 1 && length <= 64 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

/* The index of a word in a list of words, or -1. */
static int find_choice(const char *choices, const char *value)
{
	size_t length = strlen(value);
	int index;

	for (index = 0; *choices; index++) {
		size_t word = strcspn(choices, " ");

		if (word == length && !memcmp(choices, value, word))
			return index;
		choices += word + (choices[word] == ' ');
	}
	return -1;
}

static int complain(char *ret_error, const char *origin, const char *value, const char *what)
{
	snprintf(ret_error, CONFIG_ERROR_SIZE, "%s: '%.200s' is not %s", origin, value, what);
	return -EINVAL;
}

static int set_number(const struct option *option, uint32_t *member, const char *value,
		      const char *origin, char *ret_error)
{
	char range[64];
	uint64_t number;

	if (parse_number(value, option->min, option->max, &number)) {
		snprintf(range, sizeof(range), "a whole number from %" PRIu64 " to %" PRIu64,
			 option->min, option->max);
		return complain(ret_error, origin, value, range);
	}
	*member = (uint32_t)number;
	return 0;
}

static int set_time(uint32_t *member, const char *value, const char *origin, char *ret_error)
{
	uint64_t ms;

	if (parse_time_ms(value, &ms))
		return complain(ret_error, origin, value,
				"a time like 150ms, 30s, 5m or 2h (at most 30 days)");
	*member = (uint32_t)ms;
	return 0;
}

static int set_size(uint64_t *member, const char *value, const char *origin, char *ret_error)
{
	if (parse_size(value, member))
		return complain(ret_error, origin, value, "a size like 64K, 512M or 2G");
	return 0;
}

static int set_rate(const struct option *option, struct rate *member, const char *value,
		    const char *origin, char *ret_error)
{
	char form[96];
	uint64_t count, period_ms;

	if (parse_rate(value, option->max, &count, &period_ms)) {
		snprintf(form, sizeof(form),
			 "a number and a time, like 5/1m, at most %" PRIu64 " in any time",
			 option->max);
		return complain(ret_error, origin, value, form);
	}
	*member = (struct rate){.count = (uint32_t)count, .period_ms = (uint32_t)period_ms};
	return 0;
}

static int set_choice(const struct option *option, uint32_t *member, const char *value,
		      const char *origin, char *ret_error)
{
	char words[128];
	int index = find_choice(option->choices, value);

	if (index < 0) {
		snprintf(words, sizeof(words), "one of: %s", option->choices);
		return complain(ret_error, origin, value, words);
	}
	*member = (uint32_t)index;
	return 0;
}

static int set_option(struct config *config, const struct option *option, const char *value,
		      const char *origin, char *ret_error)
{
	void *member = (char *)config + option->offset;

	switch (option->kind) {
	case KIND_NAME:
		if (!is_instance_name(value))
			return complain(ret_error, origin, value,
					"an instance's name: 1 to 64 letters, digits, '.', '_' or "
					"'-', not beginning with '.' or '-'");
		return set_text(member, value);
	case KIND_TEXT:
		if (!*value)
			return complain(ret_error, origin, value, option->doc.arg);
		return set_text(member, value);
	case KIND_ASSIGNMENTS:
		if (!environment_is_assignment(value))
			return complain(ret_error, origin, value, "NAME=VALUE");
		return list_add(member, value);
	case KIND_FILES:
		return *value ? list_add(member, value)
			      : complain(ret_error, origin, value, "a file");
	case KIND_LIST:
		return list_override(member, value);
	case KIND_NUMBER:
		return set_number(option, member, value, origin, ret_error);
	case KIND_TIME:
		return set_time(member, value, origin, ret_error);
	case KIND_SIZE:
		return set_size(member, value, origin, ret_error);
	case KIND_RATE:
		return set_rate(option, member, value, origin, ret_error);
	case KIND_CHOICE:
		return set_choice(option, member, value, origin, ret_error);
	}
	return -EINVAL;
}

int config_set(struct config *config, int key, const char *value, const char *origin,
	       char *ret_error)
{
	size_t i;
	int error;

	for (i = 0; i < OPTION_COUNT; i++) {
		if (options[i].doc.key != key)
			continue;
		error = set_option(config, &options[i], value, origin, ret_error);
		if (error == -ENOMEM)
			snprintf(ret_error, CONFIG_ERROR_SIZE, "out of memory");
		return error;
	}
	snprintf(ret_error, CONFIG_ERROR_SIZE, "%s: no such option", origin);
	return -EINVAL;
}

/* STICKYCTL_MIN_UPTIME is the variable of --min-uptime. */
static bool is_variable_of(const char *variable, size_t length, const char *option)
{
	size_t i;

	if (strlen(option) != length)
		return false;
	for (i = 0; i < length; i++) {
		char c = option[i] == '-' ? '_' : (char)toupper((unsigned char)option[i]);

		if (variable[i] != c)
			return false;
	}
	return true;
}

static const struct option *find_variable(const char *variable, size_t length)
{
	size_t i;

	for (i = 0; i < OPTION_COUNT; i++)
		if (is_variable_of(variable, length, options[i].doc.name))
			return &options[i];
	return NULL;
}

/* Each word of a repeated option's variable; the whole text of another's. */
static int set_from_variable(struct config *config, const struct option *option, const char *value,
			     const char *origin, char *ret_error)
{
	const char *separators = option->kind == KIND_LIST	    ? " \t\n"
				 : option->kind == KIND_ASSIGNMENTS ? "\n"
								    : NULL;
	char *copy, *word, *rest;
	int error = 0;

	if (!separators)
		return set_option(config, option, value, origin, ret_error);
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	for (word = strtok_r(copy, separators, &rest); word && !error;
	     word = strtok_r(NULL, separators, &rest))
		error = set_option(config, option, word, origin, ret_error);
	free(copy);
	return error;
}

int config_set_from_environment(struct config *config, char *const *environment, char *ret_error)
{
	size_t prefix = strlen(VARIABLE_PREFIX);
	char origin[128];
	int error;

	for (; *environment; environment++) {
		const char *equals = strchr(*environment, '=');
		const struct option *option;
		size_t length;

		if (strncmp(*environment, VARIABLE_PREFIX, prefix) || !equals)
			continue;
		length = (size_t)(equals - *environment) - prefix;
		snprintf(origin, sizeof(origin), "environment %.*s", (int)(equals - *environment),
			 *environment);
		option = find_variable(*environment + prefix, length);
		if (!option) {
			snprintf(ret_error, CONFIG_ERROR_SIZE,
				 "%s: no such option; see stickyctl start --help", origin);
			return -EINVAL;
		}
		error = set_from_variable(config, option, equals + 1, origin, ret_error);
		if (error)
			return error;
	}
	return 0;
}

/* FNV-1a, with the end of each text: it tells mistakes apart, not enemies. */
static uint64_t add_text(uint64_t id, const char *text)
{
	do
		id = (id ^ (unsigned char)(text ? *text : 0xff)) * 0x100000001b3ull;
	while (text && *text++);
	return id;
}

static uint64_t add_list(uint64_t id, const struct string_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		id = add_text(id, list->items[i]);
	return add_text(id, NULL);
}

uint64_t config_id(const struct config *config, const char *directory)
{
	uint64_t id = 0xcbf29ce484222325ull;
	char **word;

	for (word = config->command; word && *word; word++)
		id = add_text(id, *word);
	id = add_text(id, directory);
	id = add_text(id, config->user);
	id = add_list(id, &config->env);
	return add_list(id, &config->env_files);
}
