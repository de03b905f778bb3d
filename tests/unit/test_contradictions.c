// SPDX-License-Identifier: MIT
/* Options that do not go together, where their values come from, and values as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config/contradictions.h"
#include "config/setting_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A configuration from a command line alone. */
struct example {
	struct config config;
	struct config_sources sources;
	struct file_report report;
	struct origins origins;
	struct problems mistakes, notes;
};

static char *no_environment[] = {NULL};

static void give(struct example *example, const char *name, const char *value)
{
	const struct config_option *option = option_by_name(name);
	struct error_text error;

	assert_non_null(option);
	assert_int_equal(config_set(&example->config, option->doc.key, value, name, &error), 0);
	assert_int_equal(sources_add(&example->sources, option->doc.key, value), 0);
}

static void begin(struct example *example)
{
	*example = (struct example){.sources = {.environment = no_environment}};
	example->origins = (struct origins){&example->sources, &example->report, "web.yaml"};
	config_init(&example->config);
}

static void end(struct example *example)
{
	problems_fini(&example->mistakes);
	problems_fini(&example->notes);
	sources_fini(&example->sources);
	config_fini(&example->config);
}

/* Up to three options, each with its value, and the one that is named. */
static const struct {
	const char *given[6];
	const char *mistake, *note;
} examples[] = {
	{{"require-engine", "kernel", "steering", "user"}, "--require-engine: ", NULL},
	{{"require-engine", "kernel", "steering", "classic"}, "--require-engine: ", NULL},
	{{"require-engine", "classic", "steering", "user"}, "--require-engine: ", NULL},
	{{"require-engine", "classic", "steering", "classic"}, NULL, NULL},
	{{"require-engine", "kernel", "steering", "auto"}, NULL, NULL},
	{{"steering", "classic", "behind-proxy", "xff"}, "--steering: ", NULL},
	{{"steering", "kernel", "behind-proxy", "xff"}, NULL, NULL},
	{{"worker", "bind", "steering", "user"}, "--worker: --steering=user", NULL},
	{{"worker", "bind", "behind-proxy", "xff"}, "--worker: --behind-proxy", NULL},
	{{"worker", "bind", "ready", "message"}, "--worker: --ready=message", NULL},
	{{"worker", "bind"}, NULL, NULL},
	{{"worker", "activation"}, "--worker: workers that take", NULL},
	{{"worker", "activation", "listen", ":80"}, NULL, NULL},
	{{"slot-listen", "unix:/run/app.sock"}, "--slot-listen: each slot", NULL},
	{{"slot-listen", "unix:/run/{slot}.sock"}, NULL, NULL},
	{{"client-ip-header", "X-A", "behind-proxy", "proxy"}, NULL, "--client-ip-header: "},
	{{"client-ip-header", "X-A", "behind-proxy", "xff"}, NULL, NULL},
	{{"proxy-header", "keep", "behind-proxy", "xff"}, NULL, "--proxy-header: "},
	{{"proxy-header", "keep", "behind-proxy", "proxy"}, NULL, NULL},
	{{"trusted-proxy", "10.0.0.0/8"}, NULL, "--trusted-proxy: "},
	{{"proxy-keepalive", "warn"}, NULL, "--proxy-keepalive: "},
	{{"head-timeout", "1s"}, NULL, "--head-timeout: "},
	{{"head-timeout", "1s", "behind-proxy", "xff"}, NULL, NULL},
	{{"serialization", "json", "worker", "bind"}, NULL, "--serialization: "},
	{{"node-preload", "no", "worker", "node"}, NULL, NULL},
	{{"term-after", "10s", "worker", "bind"}, NULL, "--term-after: it has no effect"},
	{{"stop-message", "shutdown"}, NULL, NULL},
	{{"stop-message", "shutdown", "worker", "bind"}, NULL, "--stop-message: it has no effect"},
	{{"stop-message", "shutdown", "node-preload", "no"},
	 NULL,
	 "--stop-message: it has no effect"},
	{{"term-after", "60s"}, NULL, "--term-after: SIGKILL"},
	{{"term-after", "10s"}, NULL, NULL},
	{{"on-hang", "spill", "hang-timeout", "0"}, NULL, "--on-hang: "},
	{{"on-hang", "spill"}, NULL, NULL},
	{{"retry-delay", "1s", "max-retries", "0"}, NULL, "--retry-delay: "},
	{{"ready-timeout", "1s", "min-uptime", "2s"}, NULL, "--ready-timeout: "},
	{{"ready-timeout", "1s", "min-uptime", "2s", "ready", "notify"}, NULL, NULL},
	/* The one of the two that was not given is no mistake of the user's. */
	{{"max-retries", "0"}, NULL, NULL},
	{{NULL}, NULL, NULL},
};

static void assert_is(const struct problems *problems, const char *expected, size_t index)
{
	const char *found = problems->texts.count ? problems->texts.items[0] : NULL;

	if (problems_count(problems) != (expected != NULL) ||
	    (expected && strncmp(found, expected, strlen(expected)) != 0))
		fail_msg("example %zu: '%s', not '%s'", index, found ? found : "nothing",
			 expected ? expected : "nothing");
}

static void each_contradiction_is_named(void **state)
{
	struct example example;
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(examples); i++) {
		begin(&example);
		for (j = 0; j < 6 && examples[i].given[j]; j += 2)
			give(&example, examples[i].given[j], examples[i].given[j + 1]);
		contradictions_find(&example.config, &example.origins, &example.mistakes,
				    &example.notes);
		assert_is(&example.mistakes, examples[i].mistake, i);
		assert_is(&example.notes, examples[i].note, i);
		end(&example);
	}
}

static void the_last_source_wins(void **state)
{
	char *environment[] = {(char[]){"STICKYCTL_WORKERSX=1"}, (char[]){"STICKYCTL_WORKERS=2"},
			       (char[]){"STICKYCTL_ENV=A=1"}, NULL};
	const struct config_option *workers = option_by_name("workers");
	const struct config_option *env = option_by_name("env");
	struct example example;
	char text[ORIGIN_TEXT_SIZE];

	(void)state;
	begin(&example);
	assert_int_equal(origin_of(&example.origins, workers), ORIGIN_DEFAULT);
	origin_describe(&example.origins, workers, text);
	assert_string_equal(text, "default");
	origin_place(&example.origins, workers, text);
	assert_string_equal(text, "--workers");

	example.report.places[option_index(workers)] = (struct file_place){3, 10};
	example.report.places[option_index(env)] = (struct file_place){4, 6};
	origin_describe(&example.origins, workers, text);
	assert_string_equal(text, "web.yaml:3");
	origin_place(&example.origins, workers, text);
	assert_string_equal(text, "web.yaml:3:10: workers");

	example.sources.environment = environment;
	origin_describe(&example.origins, workers, text);
	assert_string_equal(text, "STICKYCTL_WORKERS");
	origin_place(&example.origins, workers, text);
	assert_string_equal(text, "environment STICKYCTL_WORKERS");
	/* Each source adds to this one. */
	origin_describe(&example.origins, env, text);
	assert_string_equal(text, "web.yaml:4, STICKYCTL_ENV");

	give(&example, "workers", "5");
	origin_describe(&example.origins, workers, text);
	assert_string_equal(text, "command line");
	end(&example);
}

static const struct {
	const char *option, *given, *text; /* text NULL: stickyctl chooses */
} values[] = {
	{"workers", NULL, NULL},
	{"workers", "12", "12"},
	{"max-retries", "0", "0"},
	{"min-uptime", "0", "0"},
	{"min-uptime", "1500ms", "1500ms"},
	{"min-uptime", "90s", "90s"},
	{"min-uptime", "120m", "2h"},
	{"term-after", NULL, NULL},
	{"term-after", "1", "1ms"},
	{"max-rss", "1536M", "1536M"},
	{"max-rss", "2048M", "2G"},
	{"max-rss", "1048577", "1048577"},
	{"restart-limit", NULL, NULL},
	{"restart-limit", "5/60s", "5/1m"},
	{"stop-signal", "SIGQUIT", "QUIT"},
	{"when-down", NULL, "hold"},
	{"steering", "classic", "classic"},
	{"worker", NULL, NULL},
	{"worker", "node:sticky-cluster,prefix=x", "node:sticky-cluster,prefix=x"},
};

static void values_are_written_as_users_write_them(void **state)
{
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(values); i++) {
		const struct config_option *option = option_by_name(values[i].option);
		struct example example;
		bool has_value;

		begin(&example);
		if (values[i].given)
			give(&example, values[i].option, values[i].given);
		has_value = setting_text(&example.config, option, sizeof(text), text);
		assert_int_equal(has_value, values[i].text != NULL);
		if (has_value)
			assert_string_equal(text, values[i].text);
		end(&example);
	}
}

static void the_default_is_in_the_last_brackets(void **state)
{
	char text[128];

	(void)state;
	setting_default(option_by_name("ready-timeout"), sizeof(text), text);
	assert_string_equal(text, "30s");
	setting_default(option_by_name("on-hang"), sizeof(text), text);
	assert_string_equal(text, "report");
	setting_default(option_by_name("env"), sizeof(text), text);
	assert_string_equal(text, "");
	setting_default(option_by_name("ready-timeout"), 3, text);
	assert_string_equal(text, "30");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_contradiction_is_named),
		cmocka_unit_test(the_last_source_wins),
		cmocka_unit_test(values_are_written_as_users_write_them),
		cmocka_unit_test(the_default_is_in_the_last_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
