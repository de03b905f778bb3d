// SPDX-License-Identifier: MIT
/*
 * Options: the values that each accepts, the message for other values, and which source overrides
 * which.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "common/log.h"
#include "config/config.h"
#include "config/options.h"
#include "config/problems.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct error_text complaint;

/* Returns the key of a long option, or 0 if there is none. */
static int key_of(const char *name)
{
	size_t i;

	for (i = 0; option_at(i); i++)
		if (!strcmp(option_at(i)->doc.name, name))
			return option_at(i)->doc.key;
	return 0;
}

static int set(struct config *config, const char *name, const char *value)
{
	char origin[64];

	assert_int_not_equal(key_of(name), 0);
	snprintf(origin, sizeof(origin), "--%s", name);
	return config_set(config, key_of(name), value, origin, &complaint);
}

#define NUMBER(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)

/* Options whose value is stored as a number. */
static const struct {
	const char *name, *value;
	size_t offset, size;
	uint64_t expected;
} numbers[] = {
	{"workers", "1", NUMBER(workers), 1},
	{"workers", "1024", NUMBER(workers), 1024},
	{"backlog", "1", NUMBER(backlog), 1},
	{"tcp-defer-accept", "3600", NUMBER(sockets.defer_accept_s), 3600},
	{"tcp-fastopen", "65535", NUMBER(sockets.fastopen), 65535},
	{"freebind", "yes", NUMBER(sockets.freebind), 1},
	{"mark", "4294967295", NUMBER(sockets.mark), UINT32_MAX},
	{"transparent", "yes", NUMBER(sockets.transparent), 1},
	{"backlog", "2147483647", NUMBER(backlog), INT32_MAX},
	{"v4-prefix", "1", NUMBER(v4_prefix), 1},
	{"v4-prefix", "24", NUMBER(v4_prefix), 24},
	{"v6-prefix", "128", NUMBER(v6_prefix), 128},
	{"ready", "notify", NUMBER(ready), READY_NOTIFY},
	{"ready", "started", NUMBER(ready), READY_STARTED},
	{"ready", "auto", NUMBER(ready), READY_AUTO},
	{"min-uptime", "0", NUMBER(timing.min_uptime_ms), 0},
	{"min-uptime", "5s", NUMBER(timing.min_uptime_ms), 5000},
	{"ready-timeout", "2m", NUMBER(timing.ready_timeout_ms), 120000},
	{"hard-shutdown-delay", "720h", NUMBER(timing.hard_shutdown_delay_ms), 2592000000},
	{"stop-delay", "250", NUMBER(timing.stop_delay_ms), 250},
	{"watchdog", "10s", NUMBER(timing.watchdog_ms), 10000},
	{"hang-timeout", "2500ms", NUMBER(timing.hang_timeout_ms), 2500},
	{"hang-timeout", "0", NUMBER(timing.hang_timeout_ms), 0},
	{"on-hang", "report", NUMBER(timing.on_hang), ON_HANG_REPORT},
	{"on-hang", "spill", NUMBER(timing.on_hang), ON_HANG_SPILL},
	{"on-hang", "restart", NUMBER(timing.on_hang), ON_HANG_RESTART},
	{"restart-limit", "5/1m", NUMBER(restart_limit.count), 5},
	{"restart-limit", "63/30s", NUMBER(restart_limit.period_ms), 30000},
	{"when-down", "spill", NUMBER(waiting.when_down), WHEN_DOWN_SPILL},
	{"when-down", "hold", NUMBER(waiting.when_down), WHEN_DOWN_HOLD},
	{"max-retries", "0", NUMBER(waiting.max_retries), 0},
	{"max-retries", "4000", NUMBER(waiting.max_retries), 4000},
	{"retry-delay", "75ms", NUMBER(waiting.retry_delay_ms), 75},
	{"reload-parallel", "1024", NUMBER(reload.parallel), 1024},
	{"max-draining", "1", NUMBER(reload.max_draining), 1},
	{"handshake-grace", "2s", NUMBER(reload.handshake_grace_ms), 2000},
	{"handshake-grace", "0", NUMBER(reload.handshake_grace_ms), 0},
	{"reload-order", "old-first", NUMBER(reload.order), RELOAD_OLD_FIRST},
	{"reload-order", "new-first", NUMBER(reload.order), RELOAD_NEW_FIRST},
	{"max-rss", "512M", NUMBER(reload.max_rss_bytes), 512 << 20},
	{"max-rss", "8G", NUMBER(reload.max_rss_bytes), 8ull << 30},
	{"max-lifetime", "24h", NUMBER(reload.max_lifetime_ms), 86400000},
	{"ready", "listening", NUMBER(ready), READY_LISTENING},
	{"ready", "message", NUMBER(ready), READY_MESSAGE},
	{"term-after", "5s", NUMBER(timing.term_after_ms), 5000},
	{"node-preload", "no", NUMBER(node_preload), NODE_PRELOAD_NO},
	{"node-preload", "auto", NUMBER(node_preload), NODE_PRELOAD_AUTO},
	{"serialization", "json", NUMBER(serialization), NODE_SERIALIZATION_JSON},
	{"serialization", "advanced", NUMBER(serialization), NODE_SERIALIZATION_ADVANCED},
	{"proxy-keepalive", "close", NUMBER(proxy.keepalive), PROXY_KEEPALIVE_CLOSE},
	{"proxy-keepalive", "warn", NUMBER(proxy.keepalive), PROXY_KEEPALIVE_WARN},
	{"down-answer", "503", NUMBER(waiting.down_answer), DOWN_ANSWER_503},
	{"down-answer", "close", NUMBER(waiting.down_answer), DOWN_ANSWER_CLOSE},
	{"behind-proxy", "xff", NUMBER(proxy.behind), BEHIND_PROXY_XFF},
	{"behind-proxy", "proxy", NUMBER(proxy.behind), BEHIND_PROXY_PROXY},
	{"proxy-header", "keep", NUMBER(proxy.header), PROXY_HEADER_KEEP},
	{"dispatchers", "16", NUMBER(dispatchers), 16},
	{"head-timeout", "250ms", NUMBER(proxy.head_timeout_ms), 250},
	{"max-held", "1", NUMBER(waiting.max_held), 1},
	{"steering", "user", NUMBER(steering), STEERING_USER},
	{"steering", "kernel", NUMBER(steering), STEERING_KERNEL},
	{"steering", "classic", NUMBER(steering), STEERING_CLASSIC},
	{"require-engine", "kernel", NUMBER(require_engine), REQUIRE_KERNEL},
	{"require-engine", "classic", NUMBER(require_engine), REQUIRE_CLASSIC},
	{"log-level", "error", NUMBER(log_level), STICKY_LOG_ERROR},
	{"log-level", "debug", NUMBER(log_level), STICKY_LOG_DEBUG},
	{"log-format", "json", NUMBER(log_format), LOG_FORMAT_JSON},
	{"worker-log", "auto", NUMBER(worker_log), WORKER_LOG_AUTO},
	{"worker-log", "prefix", NUMBER(worker_log), WORKER_LOG_PREFIX},
	{"worker-log", "raw", NUMBER(worker_log), WORKER_LOG_RAW},
	{"worker-log", "inherit", NUMBER(worker_log), WORKER_LOG_INHERIT},
	{"daemon", "yes", NUMBER(daemon), 1},
	{"daemon", "no", NUMBER(daemon), 0},
};

static uint64_t number_at(const struct config *config, size_t offset, size_t size)
{
	uint64_t wide;
	uint32_t narrow;

	if (size == sizeof(wide)) {
		memcpy(&wide, (const char *)config + offset, sizeof(wide));
		return wide;
	}
	assert_int_equal(size, sizeof(narrow));
	memcpy(&narrow, (const char *)config + offset, sizeof(narrow));
	return narrow;
}

static void good_numbers_are_taken(void **state)
{
	struct config config;
	size_t i;

	(void)state;
	config_init(&config);
	for (i = 0; i < COUNT(numbers); i++) {
		assert_int_equal(set(&config, numbers[i].name, numbers[i].value), 0);
		if (number_at(&config, numbers[i].offset, numbers[i].size) != numbers[i].expected)
			fail_msg("--%s %s", numbers[i].name, numbers[i].value);
	}
	config_fini(&config);
}

static const struct {
	const char *name, *value;
	size_t offset;
} texts[] = {
	{"name", "web", offsetof(struct config, name)},
	{"name", "A.b_c-9", offsetof(struct config, name)},
	{"config", "/etc/x y.yaml", offsetof(struct config, file)},
	{"run-dir", "/run/x y", offsetof(struct config, run_dir)},
	{"state-dir", "state", offsetof(struct config, state_dir)},
	{"seed-file", "seed", offsetof(struct config, seed_file)},
	{"chdir", ".", offsetof(struct config, identity.chdir)},
	{"stop-message", "shutdown", offsetof(struct config, stop_message)},
	{"user", "www:www", offsetof(struct config, identity.user)},
	{"bind-device", "eth0", offsetof(struct config, sockets.bind_device)},
	{"slot-listen", "unix:/run/app/{slot}.sock", offsetof(struct config, slot_listen)},
	{"client-ip-header", "CF-Connecting-IP", offsetof(struct config, proxy.client_ip_header)},
};

static void good_texts_are_taken_and_replaced(void **state)
{
	struct config config;
	size_t i;

	(void)state;
	config_init(&config);
	for (i = 0; i < COUNT(texts); i++) {
		char *const *member = (void *)((char *)&config + texts[i].offset);

		assert_int_equal(set(&config, texts[i].name, "former"), 0);
		assert_int_equal(set(&config, texts[i].name, texts[i].value), 0);
		assert_string_equal(*member, texts[i].value);
		assert_true(*member != texts[i].value); /* a copy */
	}
	config_fini(&config);
}

static void admin_addresses_are_taken(void **state)
{
	static const char *const values[] = {
		"127.0.0.1:9180",	    "[::1]:1", ":9180", "localhost:9180",
		"unix:/run/app/admin.sock", "off"};
	struct config config;
	size_t i;

	(void)state;
	config_init(&config);
	for (i = 0; i < COUNT(values); i++) {
		assert_int_equal(set(&config, "admin", values[i]), 0);
		assert_string_equal(config.admin, values[i]);
	}
	config_fini(&config);
}

static const struct {
	const char *value, *command;
	enum worker_mode mode;
	const char *prefix;
} workers[] = {
	{NULL, "node", WORKER_NODE, "sticky-cluster:"},
	{NULL, "/usr/bin/nodejs", WORKER_NODE, "sticky-cluster:"},
	{"auto", "/opt/node/server", WORKER_BIND, "sticky-cluster:"},
	{"auto", "nodemon", WORKER_BIND, "sticky-cluster:"},
	{"bind", "node", WORKER_BIND, "sticky-cluster:"},
	{"activation", "node", WORKER_ACTIVATION, "sticky-cluster:"},
	{"node", "./mine", WORKER_NODE, "sticky-cluster:"},
	{"node:sticky-listen", "node", WORKER_STICKY_LISTEN, "sticky-cluster:"},
	{"node:sticky-cluster", "node", WORKER_STICKY_CLUSTER, "sticky-cluster:"},
	{"node:sticky-cluster,prefix=a,b:", "node", WORKER_STICKY_CLUSTER, "a,b:"},
};

static void the_way_of_workers_is_read(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(workers); i++) {
		char *command[] = {(char *)workers[i].command, NULL};
		struct config config;

		config_init(&config);
		config.command = command;
		if (workers[i].value)
			assert_int_equal(set(&config, "worker", workers[i].value), 0);
		assert_int_equal(config_worker_mode(&config), workers[i].mode);
		assert_string_equal(config_worker_prefix(&config), workers[i].prefix);
		assert_int_equal(config_is_node(&config), workers[i].mode >= WORKER_NODE);
		config.command = NULL;
		assert_false(config_is_node(&config));
		config_fini(&config);
	}
}

/* Whoever is named an address by -l has it as LISTEN_FDS, and may bind it, too. */
static void who_may_bind_by_itself(void **state)
{
	static const struct {
		const char *value, *command, *key, *setting;
		enum worker_mode mode;
		bool is_helped;
	} cases[] = {
		{NULL, "java", "listen", ":80", WORKER_ACTIVATION, true},
		{"auto", "java", "listen", ":80", WORKER_ACTIVATION, true},
		{NULL, "java", NULL, NULL, WORKER_BIND, false},
		{"bind", "java", "listen", ":80", WORKER_BIND, false},
		{"activation", "java", "listen", ":80", WORKER_ACTIVATION, false},
		{NULL, "/usr/bin/gunicorn", "listen", ":80", WORKER_ACTIVATION, false},
		{NULL, "nginx", "listen", ":80", WORKER_ACTIVATION, false},
		{NULL, "node", "listen", ":80", WORKER_NODE, false},
		/* What can't be combined with it. */
		{NULL, "java", "behind-proxy", "xff", WORKER_ACTIVATION, false},
		{NULL, "java", "steering", "user", WORKER_ACTIVATION, false},
		{NULL, "java", "slot-listen", "127.0.0.1:90{slot}", WORKER_ACTIVATION, false},
		{NULL, "java", "ready", "message", WORKER_ACTIVATION, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		char *command[] = {(char *)cases[i].command, NULL};
		struct config config;

		config_init(&config);
		config.command = command;
		if (cases[i].value)
			assert_int_equal(set(&config, "worker", cases[i].value), 0);
		if (cases[i].key)
			assert_int_equal(set(&config, cases[i].key, cases[i].setting), 0);
		assert_int_equal(config_worker_mode(&config), cases[i].mode);
		assert_int_equal(config_helps_with_bind(&config), cases[i].is_helped);
		config.command = NULL;
		assert_false(config_helps_with_bind(&config));
		config_fini(&config);
	}
}

/* What the program's file says counts where --worker leaves it open. */
static void a_program_that_was_found_to_be_node(void **state)
{
	char *command[] = {"./bin/www", NULL};
	struct config config;

	(void)state;
	config_init(&config);
	config.command = command;
	config.runs_node = true;
	assert_int_equal(config_worker_mode(&config), WORKER_NODE);
	assert_int_equal(set(&config, "worker", "activation"), 0);
	assert_int_equal(config_worker_mode(&config), WORKER_ACTIVATION);
	config_fini(&config);
}

static void stop_signals_are_in_their_order(void **state)
{
	static const struct {
		const char *word;
		int number;
	} signals[] = {{"TERM", SIGTERM},   {"INT", SIGINT},	  {"QUIT", SIGQUIT},
		       {"HUP", SIGHUP},	    {"USR1", SIGUSR1},	  {"USR2", SIGUSR2},
		       {"WINCH", SIGWINCH}, {"SIGTERM", SIGTERM}, {"SIGUSR1", SIGUSR1},
		       {"auto", SIGTERM}};
	struct config config;
	size_t i;

	(void)state;
	config_init(&config);
	assert_int_equal(config_stop_signal(&config), SIGTERM);
	for (i = 0; i < COUNT(signals); i++) {
		assert_int_equal(set(&config, "stop-signal", signals[i].word), 0);
		assert_int_equal(config_stop_signal(&config), signals[i].number);
	}
	config_fini(&config);
}

static const struct {
	const char *name, *value;
	const char *hint; /* the values that would be right */
} bad[] = {
	{"name", "", "1 to 64"},
	{"name", ".hidden", "not beginning"},
	{"name", "-n", "not beginning"},
	{"name", "a/b", "letters"},
	{"name", "..", "letters"},
	{"name", "a b", "letters"},
	{"name", "caf\xc3\xa9", "letters"},
	{"config", "", "FILE"},
	{"slot-listen", "", "ADDRESS"},
	{"admin", "", "unix:/PATH or off"},
	{"admin", "9180", "write :PORT"},
	{"admin", "localhost", "unix:/PATH or off"},
	{"admin", "127.0.0.1:65536", "a port from 0 to 65535"},
	{"admin", "127.0.0.1:0", "a port from 1 on"},
	{"admin", "unix:admin.sock", "an absolute path"},
	{"admin", "unix:/", "an absolute path"},
	{"worker", "", "auto activation bind node"},
	{"worker", "nod", "auto activation bind node"},
	{"worker", "node:sticky", "auto activation bind node"},
	{"worker", "node,prefix=a", "auto activation bind node"},
	{"worker", "node:sticky-cluster,pre=a", "auto activation bind node"},
	{"term-after", "soon", "a time"},
	{"stop-signal", "SIGKILL", "TERM INT"},
	{"stop-signal", "SIG", "TERM INT"},
	{"stop-signal", "KILL", "TERM INT"},
	{"node-preload", "yes", "auto no"},
	{"serialization", "v8", "json advanced"},
	{"proxy-keepalive", "no", "auto close warn"},
	{"down-answer", "504", "502 503 close"},
	{"freebind", "maybe", "no yes"},
	{"mark", "4294967296", "from 0 to 4294967295"},
	{"transparent", "1", "no yes"},
	{"behind-proxy", "yes", "no xff proxy"},
	{"client-ip-header", "", "header's name"},
	{"client-ip-header", "X Forwarded", "header's name"},
	{"client-ip-header", "X-Forwarded-For:", "header's name"},
	{"trusted-proxy", "", "203.0.113.0/24"},
	{"trusted-proxy", "10.0.0.0/33", "203.0.113.0/24"},
	{"trusted-proxy", "localhost", "203.0.113.0/24"},
	{"trusted-proxy", "@", "@FILE"},
	{"proxy-header", "drop", "strip keep"},
	{"dispatchers", "0", "1 to 16"},
	{"dispatchers", "17", "1 to 16"},
	{"head-timeout", "long", "a time"},
	{"max-held", "0", "1 to 1048576"},
	{"steering", "bpf", "auto kernel user classic"},
	{"require-engine", "user", "any kernel classic"},
	{"log-level", "loud", "error warn info debug"},
	{"log-format", "xml", "text json"},
	{"log-file", "", "FILE"},
	{"worker-log", "none", "auto prefix raw inherit"},
	{"daemon", "maybe", "no yes"},
	{"run-dir", "", "DIR"},
	{"state-dir", "", "DIR"},
	{"seed-file", "", "FILE"},
	{"chdir", "", "DIR"},
	{"stop-message", "", "TEXT"},
	{"bind-device", "", "NAME"},
	{"user", "", "USER"},
	{"workers", "0", "from 1 to 1024"},
	{"workers", "1025", "from 1 to 1024"},
	{"workers", "4294967297", "from 1 to 1024"},
	{"workers", "many", "whole number"},
	{"workers", "-1", "whole number"},
	{"tcp-defer-accept", "3601", "from 0 to 3600"},
	{"tcp-fastopen", "65536", "from 0 to 65535"},
	{"backlog", "0", "from 1 to 2147483647"},
	{"backlog", "2147483648", "from 1 to 2147483647"},
	{"v4-prefix", "0", "from 1 to 32"},
	{"v4-prefix", "33", "from 1 to 32"},
	{"v6-prefix", "0", "from 1 to 128"},
	{"v6-prefix", "129", "from 1 to 128"},
	{"ready", "", "auto notify"},
	{"ready", "noti", "auto notify"},
	{"ready", "auto notify", "auto notify"},
	{"ready", "NOTIFY", "auto notify"},
	{"min-uptime", "1.5s", "150ms"},
	{"ready-timeout", "", "150ms"},
	{"hard-shutdown-delay", "721h", "30 days"},
	{"stop-delay", "-1", "150ms"},
	{"watchdog", "off", "150ms"},
	{"hang-timeout", "long", "150ms"},
	{"on-hang", "kill", "report spill restart"},
	{"restart-limit", "5", "5/1m"},
	{"restart-limit", "64/1m", "at most 63"},
	{"restart-limit", "5/", "5/1m"},
	{"when-down", "wait", "hold spill"},
	{"max-retries", "4001", "from 0 to 4000"},
	{"max-retries", "-1", "whole number"},
	{"retry-delay", "soon", "150ms"},
	{"reload-parallel", "0", "from 1 to 1024"},
	{"reload-parallel", "1025", "from 1 to 1024"},
	{"handshake-grace", "soon", "a time"},
	{"max-draining", "0", "from 1 to 1000"},
	{"max-draining", "1001", "from 1 to 1000"},
	{"reload-order", "first", "new-first old-first"},
	{"max-rss", "1.5G", "512M"},
	{"max-rss", "lots", "512M"},
	{"max-lifetime", "1d", "150ms"},
	{"env", "NAME", "NAME=VALUE"},
	{"env", "=value", "NAME=VALUE"},
	{"env", "1A=value", "NAME=VALUE"},
	{"env", "A B=value", "NAME=VALUE"},
	{"env", "", "NAME=VALUE"},
	{"env-file", "", "file"},
};

/* The message names the source, the value, and the values that would be right. */
static void check_message(size_t i)
{
	char origin[64], value[64];

	snprintf(origin, sizeof(origin), "--%s: ", bad[i].name);
	snprintf(value, sizeof(value), "'%s' is not ", bad[i].value);
	if (strncmp(complaint.text, origin, strlen(origin)) || !strstr(complaint.text, value) ||
	    !strstr(strstr(complaint.text, value), bad[i].hint))
		fail_msg("--%s '%s': %s", bad[i].name, bad[i].value, complaint.text);
}

static void bad_values_are_refused_and_change_nothing(void **state)
{
	struct config config, before;
	size_t i;

	(void)state;
	config_init(&config);
	for (i = 0; i < COUNT(bad); i++) {
		before = config;
		complaint.text[0] = '\0';
		if (set(&config, bad[i].name, bad[i].value) != -EINVAL)
			fail_msg("--%s '%s' was taken", bad[i].name, bad[i].value);
		check_message(i);
		assert_memory_equal(&config, &before, sizeof(config));
	}
	config_fini(&config);
}

static bool is_among_the_bad(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		if (!strcmp(bad[i].name, name))
			return true;
	return false;
}

/* A new option must be added to the tables above. */
static void no_option_is_without_a_test(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; option_at(i); i++) {
		const struct option_doc *option = &option_at(i)->doc;

		if (!is_among_the_bad(option->name) && strcmp(option->name, "listen"))
			fail_msg("--%s has no bad value here", option->name);
		assert_true(option->arg ? *option->arg != '\0' : option_at(i)->kind == KIND_FLAG);
		assert_true(*option->doc);
		for (j = 0; j < i; j++) {
			assert_string_not_equal(option_at(j)->doc.name, option->name);
			assert_int_not_equal(option_at(j)->doc.key, option->key);
		}
	}
	assert_null(option_at(i + 1));
	assert_int_equal(key_of("name"), 'n');
	assert_int_equal(key_of("listen"), 'l');
	assert_int_equal(key_of("workers"), 'w');
}

/*
 * The state file stores a hash of each of these options by its number, and programs of other
 * versions read it. A new one is added at the end, here and in the table.
 */
static void options_that_only_a_start_changes_keep_their_numbers(void **state)
{
	static const char *const names[] = {
		"listen",	"worker",      "behind-proxy", "dispatchers",	 "steering",
		"slot-listen",	"state-dir",   "v4-prefix",    "v6-prefix",	 "tcp-defer-accept",
		"tcp-fastopen", "freebind",    "bind-device",  "require-engine", "seed-file",
		"mark",		"transparent",
	};
	size_t i, count = 0;

	(void)state;
	for (i = 0; option_at(i); i++) {
		if (option_at(i)->change != CHANGES_AT_START || option_at(i)->doc.every_command)
			continue;
		assert_in_range(count, 0, sizeof(names) / sizeof(names[0]) - 1);
		assert_string_equal(option_at(i)->doc.name, names[count++]);
	}
	assert_int_equal(count, sizeof(names) / sizeof(names[0]));
	assert_in_range(count, 1, CONFIG_FIXED_MAX);
}

static void defaults_are_those_of_the_interface(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config.workers, 0);
	assert_int_equal(config.backlog, 4096);
	assert_int_equal(config.v4_prefix, 32);
	assert_int_equal(config.v6_prefix, 64);
	assert_int_equal(config.ready, READY_AUTO);
	assert_int_equal(config.timing.min_uptime_ms, 1000);
	assert_int_equal(config.timing.ready_timeout_ms, 30000);
	assert_int_equal(config.timing.hard_shutdown_delay_ms, 60000);
	assert_int_equal(config.timing.stop_delay_ms, 0);
	assert_int_equal(config.timing.watchdog_ms, 0);
	assert_int_equal(config.timing.hang_timeout_ms, 10000);
	assert_int_equal(config.timing.on_hang, ON_HANG_REPORT);
	assert_int_equal(config.restart_limit.count, 0);
	assert_int_equal(config.waiting.when_down, WHEN_DOWN_HOLD);
	assert_int_equal(config.waiting.max_retries, 20);
	assert_int_equal(config.waiting.retry_delay_ms, 150);
	assert_int_equal(config.reload.parallel, 1);
	assert_int_equal(config.reload.max_draining, 8);
	assert_int_equal(config.reload.handshake_grace_ms, 1500);
	assert_int_equal(config.reload.order, RELOAD_NEW_FIRST);
	assert_int_equal(config.reload.max_rss_bytes, 0);
	assert_int_equal(config.reload.max_lifetime_ms, 0);
	config_fini(&config);
}

static void names_of_64_letters_are_the_longest(void **state)
{
	struct config config;
	char name[66];

	(void)state;
	config_init(&config);
	memset(name, 'n', sizeof(name));
	name[65] = '\0';
	assert_int_equal(set(&config, "name", name), -EINVAL);
	name[64] = '\0';
	assert_int_equal(set(&config, "name", name), 0);
	assert_string_equal(config.name, name);
	config_fini(&config);
}

static void an_unknown_key_is_an_error(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set(&config, 'Z', "1", "-Z", &complaint), -EINVAL);
	assert_non_null(strstr(complaint.text, "-Z"));
	config_fini(&config);
}

static void long_values_do_not_overflow_the_message(void **state)
{
	static char value[4096];
	struct config config;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	config_init(&config);
	assert_int_equal(set(&config, "workers", value), -EINVAL);
	assert_true(strlen(complaint.text) < 400);
	assert_non_null(strstr(complaint.text, "from 1 to 1024"));
	config_fini(&config);
}

/* ---- Lists ---------------------------------------------------------------------- */

static void check_list(const struct string_list *list, const char *expected)
{
	char text[256] = "";
	size_t i;

	for (i = 0; i < list->count; i++) {
		strcat(text, list->items[i]);
		strcat(text, "|");
	}
	assert_string_equal(text, expected);
	if (list->items)
		assert_null(list->items[list->count]);
}

static void lists_grow_in_their_order(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	set(&config, "listen", ":80");
	set(&config, "listen", "[::1]:81");
	set(&config, "env", "A=1");
	set(&config, "env", "B=");
	set(&config, "env", "A=a=b c");
	set(&config, "env-file", "one");
	set(&config, "env-file", "two");
	check_list(&config.listen, ":80|[::1]:81|");
	check_list(&config.identity.env, "A=1|B=|A=a=b c|");
	check_list(&config.identity.env_files, "one|two|");
	config_fini(&config);
	check_list(&config.listen, "");
}

static void a_later_source_replaces_what_is_listened_on(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	set(&config, "listen", ":1");
	set(&config, "listen", ":2");
	set(&config, "env", "A=1");
	set(&config, "env-file", "one");
	config_begin_source(&config);
	check_list(&config.listen, ":1|:2|");
	set(&config, "listen", ":3");
	set(&config, "listen", ":4");
	set(&config, "env", "B=2");
	set(&config, "env-file", "two");
	check_list(&config.listen, ":3|:4|");
	check_list(&config.identity.env, "A=1|B=2|");
	check_list(&config.identity.env_files, "one|two|");
	config_begin_source(&config);
	set(&config, "listen", ":5");
	check_list(&config.listen, ":5|");
	config_fini(&config);
}

static void a_first_source_that_says_nothing_replaces_nothing(void **state)
{
	struct config config;

	(void)state;
	config_init(&config);
	config_begin_source(&config);
	set(&config, "listen", ":3");
	set(&config, "listen", ":4");
	check_list(&config.listen, ":3|:4|");
	config_fini(&config);
}

/* ---- The environment ------------------------------------------------------------ */

/* The first mistake is in `complaint` then. */
static int read_environment(struct config *config, char *const *environment)
{
	struct problems problems = {0};
	int error = config_set_from_environment(config, environment, &problems);

	problems_sum_up(&problems, NULL, &complaint);
	problems_fini(&problems);
	return error;
}

static void variables_are_options(void **state)
{
	char *const environment[] = {"HOME=/root",
				     "STICKYCTL_WORKERS=4",
				     "STICKY_SLOT=9",
				     "STICKYCTL_MIN_UPTIME=2s",
				     "STICKYCTL_HARD_SHUTDOWN_DELAY=1m",
				     "STICKYCTL_NAME=web",
				     "STICKYCTL_LISTEN= :80\t:81  :82\n",
				     "STICKYCTL_ENV=A=1 2\nB=3\n",
				     "STICKYCTL_ENV_FILE=a file",
				     "XSTICKYCTL_WORKERS=5",
				     "STICKYCTL",
				     NULL};
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(read_environment(&config, environment), 0);
	assert_int_equal(config.workers, 4);
	assert_int_equal(config.timing.min_uptime_ms, 2000);
	assert_int_equal(config.timing.hard_shutdown_delay_ms, 60000);
	assert_string_equal(config.name, "web");
	check_list(&config.listen, ":80|:81|:82|");
	check_list(&config.identity.env, "A=1 2|B=3|");
	check_list(&config.identity.env_files, "a file|");
	config_fini(&config);
}

/* Write "STICKYCTL_", the option in capitals, and the value. */
static void spell_variable(const char *option, const char *value, size_t size, char *ret_text)
{
	size_t i, length = (size_t)snprintf(ret_text, size, "STICKYCTL_%s=%s", option, value);

	assert_true(length < size);
	for (i = 0; ret_text[i] != '='; i++)
		ret_text[i] = ret_text[i] == '-' ? '_' : (char)toupper(ret_text[i]);
}

static void every_option_has_its_variable(void **state)
{
	char variable[128];
	char *const environment[] = {variable, NULL};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(numbers); i++) {
		struct config config;

		config_init(&config);
		spell_variable(numbers[i].name, numbers[i].value, sizeof(variable), variable);
		assert_int_equal(read_environment(&config, environment), 0);
		assert_true(number_at(&config, numbers[i].offset, numbers[i].size) ==
			    numbers[i].expected);
		config_fini(&config);
	}
}

static void a_bad_variable_is_named(void **state)
{
	static const struct {
		char *variable;
		const char *hint;
	} wrong[] = {
		{"STICKYCTL_WORKERS=no", "'no' is not a whole number"},
		{"STICKYCTL_WORKERS=", "'' is not a whole number"},
		{"STICKYCTL_ENV=A=1\nB\n", "'B' is not NAME=VALUE"},
		{"STICKYCTL_WORKR=4", "no such option"},
		{"STICKYCTL_WORKERSS=4", "no such option"},
		{"STICKYCTL_workers=4", "no such option"},
		{"STICKYCTL_MIN-UPTIME=4", "no such option"},
		{"STICKYCTL_=4", "no such option"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(wrong); i++) {
		char *const environment[] = {"STICKYCTL_BACKLOG=7", wrong[i].variable, NULL};
		size_t length = strcspn(wrong[i].variable, "=");
		struct config config;
		char *name = strndup(wrong[i].variable, length);

		config_init(&config);
		assert_int_equal(read_environment(&config, environment), -EINVAL);
		if (!strstr(complaint.text, name) || !strstr(complaint.text, wrong[i].hint))
			fail_msg("%s: %s", wrong[i].variable, complaint.text);
		free(name);
		config_fini(&config);
	}
}

static void all_bad_variables_are_named(void **state)
{
	char *const environment[] = {"STICKYCTL_WORKERS=no", "STICKYCTL_ENV=A\nB=1\nC",
				     "STICKYCTL_BACKLOG=7", "STICKYCTL_X=1", NULL};
	struct problems problems = {0};
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set_from_environment(&config, environment, &problems), -EINVAL);
	assert_int_equal(problems_count(&problems), 4);
	assert_int_equal(config.backlog, 7);
	check_list(&config.identity.env, "B=1|");
	problems_fini(&problems);
	config_fini(&config);
}

static void the_command_line_wins_over_the_environment(void **state)
{
	char *const environment[] = {"STICKYCTL_LISTEN=:1 :2", "STICKYCTL_WORKERS=4", NULL};
	struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(read_environment(&config, environment), 0);
	config_begin_source(&config);
	set(&config, "listen", ":3");
	set(&config, "workers", "2");
	check_list(&config.listen, ":3|");
	assert_int_equal(config.workers, 2);
	config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_numbers_are_taken),
		cmocka_unit_test(the_way_of_workers_is_read),
		cmocka_unit_test(who_may_bind_by_itself),
		cmocka_unit_test(a_program_that_was_found_to_be_node),
		cmocka_unit_test(stop_signals_are_in_their_order),
		cmocka_unit_test(good_texts_are_taken_and_replaced),
		cmocka_unit_test(admin_addresses_are_taken),
		cmocka_unit_test(bad_values_are_refused_and_change_nothing),
		cmocka_unit_test(no_option_is_without_a_test),
		cmocka_unit_test(options_that_only_a_start_changes_keep_their_numbers),
		cmocka_unit_test(defaults_are_those_of_the_interface),
		cmocka_unit_test(names_of_64_letters_are_the_longest),
		cmocka_unit_test(an_unknown_key_is_an_error),
		cmocka_unit_test(long_values_do_not_overflow_the_message),
		cmocka_unit_test(lists_grow_in_their_order),
		cmocka_unit_test(a_later_source_replaces_what_is_listened_on),
		cmocka_unit_test(a_first_source_that_says_nothing_replaces_nothing),
		cmocka_unit_test(variables_are_options),
		cmocka_unit_test(every_option_has_its_variable),
		cmocka_unit_test(a_bad_variable_is_named),
		cmocka_unit_test(all_bad_variables_are_named),
		cmocka_unit_test(the_command_line_wins_over_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
