// SPDX-License-Identifier: MIT
#include "terminal/status_view.h"

#include <string.h>

#include "terminal/status_problems.h"
#include "common/json_fields.h"
#include "common/units.h"

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

#define DRAINING_LINES 10
#define STATE_WIDTH    8
#define BUCKETS	       65536

struct view {
	const json_t *status;
	FILE *out;
	bool colour;
	bool passes; /* connections are passed to workers: one more column */
};

/* ---- The instance ------------------------------------------------------------------------ */

static void show_frontend(const struct view *view)
{
	const json_t *counters = json_object_get(view->status, "counters");

	fprintf(view->out,
		"behind a proxy: %s; accepted %llu, passed on %llu\n"
		"wrong headers %llu, too long %llu, too slow %llu; silent now %llu\n",
		field_text(view->status, "behind_proxy"), field_number(counters, "dispatched"),
		field_number(counters, "handed"), field_number(counters, "bad_proxy_header"),
		field_number(counters, "head_too_long"), field_number(counters, "head_timeout"),
		field_number(counters, "pending_heads"));
}

static bool has_text(const json_t *list, const json_t *text)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), text))
			return true;
	return false;
}

static void show_listeners(const struct view *view)
{
	const json_t *listeners = json_object_get(view->status, "listeners");
	const json_t *closed = json_object_get(view->status, "closed_listeners");
	size_t i;

	fputs("listening on", view->out);
	for (i = 0; i < json_array_size(listeners); i++) {
		const json_t *listener = json_array_get(listeners, i);

		/* After a takeover the address of a listener without a socket is not known. */
		if (!strcmp(json_string_value(listener), "closed"))
			continue;
		fprintf(view->out, " %s%s", json_string_value(listener),
			has_text(closed, listener) ? " (closed)" : "");
	}
	if (!json_array_size(listeners))
		fputs(" nothing yet", view->out);
	putc('\n', view->out);
}

static bool counts_placements(const json_t *status)
{
	return json_is_true(json_object_get(status, "counts_placements"));
}

/* Show why the BPF program is not used, and what would help. */
static void show_engine(const struct view *view)
{
	const char *remedy = field_text(view->status, "steering_remedy");

	if (!strcmp(field_text(view->status, "steering"), "kernel"))
		return;
	fprintf(view->out, "steering by %s: %s\n", field_text(view->status, "steering"),
		field_text(view->status, "steering_reason"));
	if (remedy[0])
		fprintf(view->out, "for the kernel's: %s\n", remedy);
}

static void show_instance(const struct view *view)
{
	const json_t *counters = json_object_get(view->status, "counters");
	char uptime[DURATION_TEXT_SIZE];

	format_duration(field_number(view->status, "uptime_ms"), uptime);
	fprintf(view->out, "%s: %s, pid %llu, up %s, steering %s, seed id %s\n",
		field_text(view->status, "name"), field_text(view->status, "state"),
		field_number(view->status, "pid"), uptime, field_text(view->status, "steering"),
		field_text(view->status, "seed_id"));
	show_listeners(view);
	show_engine(view);
	if (counts_placements(view->status))
		fprintf(view->out, "placed %llu, moved %llu, empty slot %llu, refused %llu; ",
			field_number(counters, "steered"), field_number(counters, "migrated"),
			field_number(counters, "empty_slot"), field_number(counters, "dropped"));
	fprintf(view->out, "waiting now %llu\n", field_number(view->status, "held"));
	if (view->passes)
		show_frontend(view);
}

/* ---- The workers -------------------------------------------------------------------------- */

static const char *colour_of(const char *state)
{
	if (!strcmp(state, "ready"))
		return GREEN;
	return !strcmp(state, "failed") || !strcmp(state, "hung") ? RED : YELLOW;
}

/*
 * Show a state in its column. The sequences of the colours take no room, so printf() can't pad it.
 */
static void show_state(const struct view *view, const char *state)
{
	int padding = STATE_WIDTH - (int)strlen(state);

	fprintf(view->out, " %s%s%s%*s", view->colour ? colour_of(state) : "", state,
		view->colour ? PLAIN : "", padding > 0 ? padding : 0, "");
}

static void show_count(const struct view *view, int width, unsigned long long count)
{
	char text[DURATION_TEXT_SIZE];

	format_count(count, text);
	fprintf(view->out, " %*s", width, text);
}

/* Show what does not fit into the columns, below the worker's line. */
static void show_notes(const struct view *view, const json_t *worker)
{
	const char *words = field_text(worker, "status");
	const char *how = field_text(json_object_get(worker, "last_exit"), "text");
	unsigned long long restarts = field_number(worker, "restarts");
	unsigned long long killed = field_number(worker, "killed");

	if (*words)
		fprintf(view->out, "       %s\n", words);
	if (!*how && !restarts)
		return;
	fputs("      ", view->out);
	if (restarts)
		fprintf(view->out, " restarted %llu time%s%s", restarts, restarts == 1 ? "" : "s",
			*how ? ";" : "");
	if (*how)
		fprintf(view->out, " its last worker %s", how);
	if (killed)
		fprintf(view->out, "; %llu killed while draining", killed);
	putc('\n', view->out);
}

static void show_worker(const struct view *view, const json_t *worker)
{
	bool runs = json_is_integer(json_object_get(worker, "pid"));
	char uptime[DURATION_TEXT_SIZE] = "-", rss[DURATION_TEXT_SIZE] = "-", pid[24] = "-";

	if (runs)
		snprintf(pid, sizeof(pid), "%llu", field_number(worker, "pid"));
	/* A slot without a worker shows the time until its next worker starts. */
	if (runs || field_number(worker, "restart_in_ms"))
		format_duration(field_number(worker, runs ? "uptime_ms" : "restart_in_ms"), uptime);
	/* 0 means that the memory could not be measured. */
	if (runs && field_number(worker, "rss_bytes"))
		format_bytes(field_number(worker, "rss_bytes"), rss);
	fprintf(view->out, "%4llu %8s", field_number(worker, "slot"), pid);
	show_state(view, field_text(worker, "state"));
	fprintf(view->out, " %5llu %8s %6.2f%%", field_number(worker, "generation"), uptime,
		100.0 * (double)field_number(worker, "buckets") / BUCKETS);
	if (counts_placements(view->status))
		show_count(view, 6, field_number(worker, "steered"));
	else
		fprintf(view->out, " %6s", "-");
	if (view->passes)
		show_count(view, 6, field_number(worker, "handed"));
	show_count(view, 5, field_number(worker, "queue"));
	show_count(view, 5, field_number(worker, "connections"));
	fprintf(view->out, " %6s\n", rss);
	show_notes(view, worker);
}

static void show_draining_worker(const struct view *view, const json_t *worker)
{
	char rss[DURATION_TEXT_SIZE], left[DURATION_TEXT_SIZE];
	unsigned long long kill_in_ms = field_number(worker, "kill_in_ms");

	format_bytes(field_number(worker, "rss_bytes"), rss);
	fprintf(view->out, "  slot %llu, pid %llu, generation %llu, %s: %llu open, %s",
		field_number(worker, "slot"), field_number(worker, "pid"),
		field_number(worker, "generation"), field_text(worker, "state"),
		field_number(worker, "connections"), rss);
	if (kill_in_ms) {
		format_duration(kill_in_ms, left);
		fprintf(view->out, ", killed in %s", left);
	}
	putc('\n', view->out);
}

/* Show the workers that finish their last connections. */
static void show_draining(const struct view *view)
{
	const json_t *draining = json_object_get(view->status, "draining");
	size_t count = json_array_size(draining), i;

	if (!count)
		return;
	fprintf(view->out, "draining, %zu:\n", count);
	for (i = 0; i < count && i < DRAINING_LINES; i++)
		show_draining_worker(view, json_array_get(draining, i));
	if (count > DRAINING_LINES)
		fprintf(view->out, "  and %zu more: status --json\n", count - DRAINING_LINES);
}

static bool passes_connections(const json_t *status)
{
	return json_is_true(json_object_get(status, "passes_connections"));
}

void status_view(const json_t *status, bool colour, FILE *out)
{
	const json_t *workers = json_object_get(status, "workers");
	struct view view = {status, out, colour, passes_connections(status)};
	size_t i;

	status_problems(status, colour ? RED : "", colour ? PLAIN : "", out);
	show_instance(&view);
	fprintf(out,
		"\nSLOT      PID STATE      GEN   UPTIME  SHARE  PLACED%s QUEUE  OPEN MEMORY\n",
		view.passes ? " PASSED" : "");
	for (i = 0; i < json_array_size(workers); i++)
		show_worker(&view, json_array_get(workers, i));
	show_draining(&view);
}

bool status_is_ready(const json_t *status)
{
	const json_t *workers = json_object_get(status, "workers");
	size_t i;

	if (strcmp(field_text(status, "state"), "running") != 0)
		return false;
	for (i = 0; i < json_array_size(workers); i++) {
		const char *state = field_text(json_array_get(workers, i), "state");

		if (strcmp(state, "ready") && strcmp(state, "drained"))
			return false;
	}
	return true;
}
