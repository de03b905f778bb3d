// SPDX-License-Identifier: MIT
#include "terminal/status_problems.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "common/json_fields.h"
#include "common/units.h"

#define LINES_MAX 5
/* A worker that has been restarted so often, and is so young, is said to die again and again. */
#define FLAPS_RESTARTS 3
#define FLAPS_AGE_MS   10000

struct problems {
	const char *begin, *end;
	FILE *out;
	unsigned int count;
};

static void say(struct problems *problems, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct problems *problems, const char *format, ...)
{
	va_list args;

	if (problems->count++ >= LINES_MAX)
		return;
	fputs(problems->begin, problems->out);
	va_start(args, format);
	vfprintf(problems->out, format, args);
	va_end(args);
	fprintf(problems->out, "%s\n", problems->end);
}

static void look_at_reload(struct problems *problems, const json_t *status)
{
	const json_t *reload = json_object_get(status, "reload");
	const json_t *slot = json_object_get(reload, "waits_for_slot");

	if (!strcmp(field_text(reload, "state"), "failed"))
		say(problems,
		    "the last reload stopped at %llu of %llu: %s\n  mend it, then 'stickyctl "
		    "reload'",
		    field_number(reload, "done"), field_number(reload, "of"),
		    field_text(reload, "error"));
	if (json_is_integer(slot))
		say(problems, "the reload waits: slot %d waits until a draining worker has ended",
		    (int)json_integer_value(slot));
}

static void look_at_upgrade(struct problems *problems, const json_t *status)
{
	const json_t *upgrade = json_object_get(status, "upgrade");

	if (!strcmp(field_text(upgrade, "state"), "failed"))
		say(problems,
		    "the last upgrade failed: %s\n  the controller goes on as before; 'stickyctl "
		    "upgrade' tries again",
		    field_text(upgrade, "error"));
}

static void look_at_steering(struct problems *problems, const json_t *status)
{
	const json_t *list = json_object_get(status, "foreign_listeners");
	unsigned long long restored = field_number(status, "steering_restored");
	size_t i;

	if (restored)
		say(problems, "steering was lost and restored %llu times: see 'stickyctl events'",
		    restored);
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *foreign = json_array_get(list, i);

		say(problems, "foreign listener at %s, pid %llu: %s",
		    field_text(foreign, "address"), field_number(foreign, "pid"),
		    field_text(foreign, "command"));
	}
}

static void look_at_output(struct problems *problems, const json_t *status)
{
	const json_t *lost = json_object_get(status, "output_lost");
	unsigned long long bytes = field_number(lost, "bytes");

	if (bytes)
		say(problems,
		    "%llu bytes of workers' output and the log were lost: what reads them is too "
		    "slow, or the disk is full",
		    bytes);
}

static bool flaps(const json_t *worker)
{
	return field_number(worker, "restarts") >= FLAPS_RESTARTS &&
	       (!json_is_integer(json_object_get(worker, "pid")) ||
		field_number(worker, "uptime_ms") < FLAPS_AGE_MS);
}

static void look_at_worker(struct problems *problems, const json_t *worker)
{
	const char *state = field_text(worker, "state");
	const char *how = field_text(json_object_get(worker, "last_exit"), "text");
	unsigned long long slot = field_number(worker, "slot");

	if (!strcmp(state, "failed"))
		say(problems, "slot %llu has failed, the last worker %s: 'stickyctl restart %llu'",
		    slot, how, slot);
	else if (!strcmp(state, "hung"))
		say(problems,
		    "slot %llu is hung: its worker accepts nothing; 'stickyctl restart %llu'", slot,
		    slot);
	else if (flaps(worker))
		say(problems, "slot %llu dies again and again, the last time it %s", slot, how);
	else if (!strcmp(state, "waiting"))
		say(problems, "slot %llu has no worker; the last one %s", slot,
		    *how ? how : "did not begin");
	else if (!strcmp(state, "drained"))
		say(problems, "slot %llu is drained: 'stickyctl ready %llu' brings it back", slot,
		    slot);
}

void status_problems(const json_t *status, const char *begin, const char *end, FILE *out)
{
	const json_t *workers = json_object_get(status, "workers");
	struct problems problems = {begin, end, out, 0};
	size_t i;

	look_at_reload(&problems, status);
	look_at_upgrade(&problems, status);
	look_at_steering(&problems, status);
	look_at_output(&problems, status);
	for (i = 0; i < json_array_size(workers); i++)
		look_at_worker(&problems, json_array_get(workers, i));
	if (problems.count > LINES_MAX)
		fprintf(out, "%sand %u more%s\n", begin, problems.count - LINES_MAX, end);
	if (problems.count)
		putc('\n', out);
}
