// SPDX-License-Identifier: MIT
/* The metrics of a status document, in both formats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/metrics.h"
#include "api/metrics_text.h"

static const char document[] =
	"{'version': '0.1.0', 'steering': 'kernel', 'state': 'running', 'uptime_ms': 61005,"
	" 'started_at': '2026-11-29T10:00:00.123456Z', 'slots': 2, 'held': 3,"
	" 'steering_restored': 1, 'foreign_listeners': [{}, {}], 'counts_placements': true,"
	" 'reload': {'state': 'failed'},"
	" 'counters': {'steered': 100, 'empty_slot': 7, 'dropped': 2, 'to_dispatchers': 20,"
	"  'migrated': 4, 'dispatched': 19, 'handed': 11, 'answered_502': 5, 'client_gone': 1,"
	"  'bad_proxy_header': 1, 'head_timeout': 1, 'retried': 9, 'proxy_keepalive': 6, "
	"'head_too_long': 8,"
	"  'accepted_from_holding': 5, 'closed_by_stop': 1, 'no_memory': 2, 'controller_ended': 3},"
	" 'workers': ["
	"  {'slot': 0, 'state': 'ready', 'steered': 60, 'handed': 11, 'queue': 1,"
	"   'connections': 8, 'overflows': 0, 'buckets': 32768, 'generation': 3, 'restarts': 2,"
	"   'killed': 1, 'draining': 1, 'uptime_ms': 1500, 'hung_ms': 0, 'rss_bytes': 1048576,"
	"   'cpu_ms': 2750},"
	"  {'slot': 1, 'state': 'failed', 'steered': 40, 'hung_ms': null}]}";

static char *render(const char *text, enum metrics_format format, const struct histogram *waits)
{
	static const struct reload_totals reloads = {
		.succeeded = 2, .failed = 1, .durations = {.counts = {1, 0, 2}, .sum_ms = 1234}};
	struct metrics_input input = {.reloads = &reloads, .waits = waits, .on_the_way = 1};
	char *json = strdup(text), *quote, *rendered;

	for (quote = json; (quote = strchr(quote, '\'')); quote++)
		*quote = '"';
	input.status = json_loads(json, 0, NULL);
	assert_non_null(input.status);
	rendered = metrics_render(&input, format);
	assert_non_null(rendered);
	json_decref((json_t *)input.status);
	free(json);
	return rendered;
}

/* Is this one of the lines of the text? */
static bool has_line(const char *text, const char *line)
{
	char with_ends[512];

	snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
	return strstr(text, with_ends) || !strncmp(text, with_ends + 1, strlen(with_ends + 1));
}

static void check_lines(const char *text, const char *const *lines)
{
	for (; *lines; lines++)
		if (!has_line(text, *lines))
			fail_msg("%s is missing in:\n%s", *lines, text);
}

static void values_are_written(void **state)
{
	static const char *const lines[] = {
		"# HELP stickyctl_build_info Version of stickyctl, and the engine in use.",
		"# TYPE stickyctl_build_info gauge",
		"stickyctl_build_info{version=\"0.1.0\",steering=\"kernel\"} 1",
		"stickyctl_start_time_seconds 1795946400",
		"stickyctl_uptime_seconds 61.005",
		"stickyctl_instance_state{state=\"running\"} 1",
		"stickyctl_slots 2",
		"stickyctl_waiting_connections 3",
		"# TYPE stickyctl_steering_restored_total counter",
		"stickyctl_steering_restored_total 1",
		"stickyctl_foreign_listeners 2",
		"stickyctl_placements_total{result=\"own_slot\"} 100",
		"stickyctl_placements_total{result=\"other_slot\"} 7",
		"stickyctl_placements_total{result=\"dispatcher\"} 20",
		"stickyctl_placements_total{result=\"refused\"} 2",
		"stickyctl_head_too_long_connections_total 8",
		"stickyctl_controller_connections_total{exit=\"worker\"} 11",
		"stickyctl_controller_connections_total{exit=\"stop\"} 1",
		"stickyctl_controller_connections_total{exit=\"no_memory\"} 2",
		"stickyctl_controller_connections_total{exit=\"controller_ended\"} 3",
		"stickyctl_controller_accepted_connections_total{source=\"dispatcher\"} 19",
		"stickyctl_controller_accepted_connections_total{source=\"holding_socket\"} 5",
		"stickyctl_controller_present_connections{waits_for=\"acceptance\"} 1",
		"stickyctl_reload_state{state=\"failed\"} 1",
		"stickyctl_reloads_total{result=\"failed\"} 1",
		"stickyctl_slot_state{slot=\"0\",state=\"ready\"} 1",
		"stickyctl_slot_state{slot=\"1\",state=\"failed\"} 1",
		"stickyctl_slot_placements_total{slot=\"1\"} 40",
		"stickyctl_slot_handed_connections_total{slot=\"0\"} 11",
		"stickyctl_worker_uptime_seconds{slot=\"0\"} 1.500",
		"stickyctl_worker_cpu_seconds_total{slot=\"0\"} 2.750",
		"stickyctl_worker_resident_memory_bytes{slot=\"0\"} 1048576",
		"stickyctl_worker_hung_seconds{slot=\"0\"} 0.000",
		NULL,
	};
	char *text = render(document, METRICS_PROMETHEUS, NULL);

	(void)state;
	check_lines(text, lines);
	free(text);
}

static void what_is_unknown_has_no_line(void **state)
{
	char *text = render(document, METRICS_PROMETHEUS, NULL);

	(void)state;
	assert_null(strstr(text, "stickyctl_worker_hung_seconds{slot=\"1\"}"));
	assert_null(strstr(text, "stickyctl_wait_duration_seconds"));
	free(text);
	text = render("{'counts_placements': false, 'counters': {'steered': 0}}",
		      METRICS_PROMETHEUS, NULL);
	assert_null(strstr(text, "placements"));
	free(text);
}

static void histograms_add_up(void **state)
{
	static const char *const lines[] = {
		"# TYPE stickyctl_reload_duration_seconds histogram",
		"stickyctl_reload_duration_seconds_bucket{le=\"0.005\"} 1",
		"stickyctl_reload_duration_seconds_bucket{le=\"0.01\"} 1",
		"stickyctl_reload_duration_seconds_bucket{le=\"0.025\"} 3",
		"stickyctl_reload_duration_seconds_bucket{le=\"600.0\"} 3",
		"stickyctl_reload_duration_seconds_bucket{le=\"+Inf\"} 3",
		"stickyctl_reload_duration_seconds_sum 1.234",
		"stickyctl_reload_duration_seconds_count 3",
		"stickyctl_wait_duration_seconds_bucket{le=\"600.0\"} 0",
		"stickyctl_wait_duration_seconds_bucket{le=\"+Inf\"} 5",
		"stickyctl_wait_duration_seconds_count 5",
		NULL,
	};
	const struct histogram waits = {.counts = {[HISTOGRAM_BOUNDS] = 5}, .sum_ms = 1};
	char *text = render(document, METRICS_PROMETHEUS, &waits);

	(void)state;
	check_lines(text, lines);
	free(text);
}

static void openmetrics_differs(void **state)
{
	static const char *const lines[] = {
		"# TYPE stickyctl_worker_cpu_seconds counter",
		"# UNIT stickyctl_worker_cpu_seconds seconds",
		"stickyctl_worker_cpu_seconds_total{slot=\"0\"} 2.750",
		NULL,
	};
	char *text = render(document, METRICS_OPENMETRICS, NULL);

	(void)state;
	check_lines(text, lines);
	assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
	free(text);
	text = render(document, METRICS_PROMETHEUS, NULL);
	assert_null(strstr(text, "# EOF"));
	assert_null(strstr(text, "# UNIT"));
	free(text);
}

static void label_values_are_escaped(void **state)
{
	char *text = render("{'version': 'a\\\\b\\n\\u0022}c', 'steering': ''}", METRICS_PROMETHEUS,
			    NULL);

	(void)state;
	assert_true(has_line(text,
			     "stickyctl_build_info{version=\"a\\\\b\\n\\\"}c\",steering=\"\"} 1"));
	free(text);
}

static void the_client_chooses_the_format(void **state)
{
	(void)state;
	assert_int_equal(metrics_choose_format(NULL), METRICS_PROMETHEUS);
	assert_int_equal(metrics_choose_format("*/*"), METRICS_PROMETHEUS);
	assert_int_equal(metrics_choose_format(
				 "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
			 METRICS_OPENMETRICS);
	assert_non_null(strstr(metrics_content_type(METRICS_PROMETHEUS), "version=0.0.4"));
	assert_non_null(strstr(metrics_content_type(METRICS_OPENMETRICS), "version=1.0.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_written),
		cmocka_unit_test(what_is_unknown_has_no_line),
		cmocka_unit_test(histograms_add_up),
		cmocka_unit_test(openmetrics_differs),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(the_client_chooses_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
