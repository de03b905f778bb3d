// SPDX-License-Identifier: MIT
#include "terminal/status_problems.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "common/json_fields.h"
#include "common/sanitize.h"
#include "common/units.h"

#define LINES_MAX 5
/* A worker with so many restarts that is younger than this is said to die again and again. */
#define FLAPS_RESTARTS 3
#define FLAPS_AGE_MS   10000
#define SLOW_START_MS  10000 /* a worker that has been starting for this long is a problem */

#define DETAIL_SIZE   800
#define INSTANCE_SIZE 128

struct problems {
	const char *begin, *end;
	FILE *out;
	unsigned int count;
	char instance[INSTANCE_SIZE]; /* " -n NAME", as commands need it; "": the default one */
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
		    "reload%s'",
		    field_number(reload, "done"), field_number(reload, "of"),
		    field_text(reload, "error"), problems->instance);
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
		    "upgrade%s' tries again",
		    field_text(upgrade, "error"), problems->instance);
}

static void look_at_steering(struct problems *problems, const json_t *status)
{
	const json_t *list = json_object_get(status, "foreign_listeners");
	unsigned long long restored = field_number(status, "steering_restored");
	size_t i;

	if (restored)
		say(problems, "steering was lost and restored %llu times: see 'stickyctl events%s'",
		    restored, problems->instance);
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

/* ---- A worker --------------------------------------------------------------------------- */

/* A slot's worker and the exit of its previous one, in the words of the messages. */
struct slot_facts {
	unsigned long long slot;
	const char *state;
	const char *how; /* how the last worker ended; "": none has ended */
	unsigned long long uptime_ms;
	bool is_young; /* there is no worker, or it has not run for long */
	char detail[DETAIL_SIZE];
};

static void add_detail(struct slot_facts *facts, const char *before, const char *words)
{
	size_t length = strlen(facts->detail);
	char line[DETAIL_SIZE / 2];

	if (!*words)
		return;
	snprintf(line, sizeof(line), "%s", words);
	text_clean_line(line);
	snprintf(facts->detail + length, sizeof(facts->detail) - length, "\n  %s%s", before, line);
}

static struct slot_facts facts_of(const json_t *worker)
{
	const json_t *last_exit = json_object_get(worker, "last_exit");
	struct slot_facts facts = {
		.slot = field_number(worker, "slot"),
		.state = field_text(worker, "state"),
		.how = field_text(last_exit, "text"),
		.uptime_ms = field_number(worker, "uptime_ms"),
	};

	facts.is_young =
		!json_is_integer(json_object_get(worker, "pid")) || facts.uptime_ms < FLAPS_AGE_MS;
	/* The worker's last output line, and a hint on its exit, are lines below the message. */
	add_detail(&facts, "it printed: ", field_text(last_exit, "last_line"));
	add_detail(&facts, "", field_text(last_exit, "hint"));
	return facts;
}

static bool grows(const struct slot_facts *facts, const json_t *worker)
{
	return field_number(worker, "recycles") >= FLAPS_RESTARTS && facts->is_young &&
	       !strcmp(field_text(worker, "recycle_why"), "--max-rss");
}

/* Report a worker that has been starting for long, and what it waits for if that is known. */
static void look_at_start(struct problems *problems, const struct slot_facts *facts,
			  const json_t *worker)
{
	const json_t *not_ready = json_object_get(worker, "not_ready");
	struct slot_facts why = {.slot = facts->slot};
	char age[DURATION_TEXT_SIZE];

	add_detail(&why, "", field_text(not_ready, "why"));
	add_detail(&why, "", field_text(not_ready, "hint"));
	format_duration(facts->uptime_ms, age);
	say(problems,
	    "slot %llu has been starting for %s, and is not ready: 'stickyctl logs %llu%s'%s",
	    facts->slot, age, facts->slot, problems->instance,
	    why.detail[0] ? why.detail : "\n  see --ready: it may wait for READY=1");
}

/*
 * Report a slot that has had no ready worker for a while, though no command has taken it out of
 * service.
 */
static void look_at_away(struct problems *problems, const struct slot_facts *facts,
			 const json_t *worker)
{
	unsigned long long slot = facts->slot;

	if (field_number(worker, "restarts") >= FLAPS_RESTARTS && facts->is_young) {
		say(problems,
		    "slot %llu dies again and again, the last time it %s: "
		    "'stickyctl logs %llu%s'%s",
		    slot, facts->how, slot, problems->instance, facts->detail);
	} else if (grows(facts, worker)) {
		say(problems,
		    "slot %llu is replaced again and again, as its workers exceed "
		    "--max-rss: raise it, or see 'stickyctl logs %llu%s'",
		    slot, slot, problems->instance);
	} else if (!strcmp(facts->state, "waiting")) {
		say(problems, "slot %llu has no worker; the last one %s: 'stickyctl logs %llu%s'%s",
		    slot, *facts->how ? facts->how : "did not begin", slot, problems->instance,
		    facts->detail);
	} else if (!strcmp(facts->state, "starting") && facts->uptime_ms >= SLOW_START_MS) {
		look_at_start(problems, facts, worker);
	}
}

static void look_at_worker(struct problems *problems, const json_t *worker)
{
	struct slot_facts facts = facts_of(worker);

	if (!strcmp(facts.state, "failed"))
		say(problems,
		    "slot %llu has failed, the last worker %s: 'stickyctl restart %llu%s'%s",
		    facts.slot, facts.how, facts.slot, problems->instance, facts.detail);
	else if (!strcmp(facts.state, "hung"))
		say(problems,
		    "slot %llu is hung: its worker accepts nothing; 'stickyctl restart %llu%s'",
		    facts.slot, facts.slot, problems->instance);
	else if (!strcmp(facts.state, "drained"))
		say(problems, "slot %llu is drained: 'stickyctl ready %llu%s' brings it back",
		    facts.slot, facts.slot, problems->instance);
	else
		look_at_away(problems, &facts, worker);
}

void status_problems(const json_t *status, const char *begin, const char *end, FILE *out)
{
	const json_t *workers = json_object_get(status, "workers");
	struct problems problems = {.begin = begin, .end = end, .out = out};
	const char *name = field_text(status, "name");
	size_t i;

	if (*name && strcmp(name, "default") != 0)
		snprintf(problems.instance, sizeof(problems.instance), " -n %s", name);

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
