// SPDX-License-Identifier: MIT
/*
 * The engine of a classic BPF program, which any user may attach (classic_program.h).
 *
 * The program returns an index into the kernel's array of the group's sockets. An index beyond the
 * array would make the kernel use its own hash. No socket may therefore leave the group while a
 * program names it: a slot keeps one socket for each listener, which its workers share, until the
 * group is closed.
 *
 * Each listener has one more socket, the spare one, in the same group. The program sends the
 * connections there that belong to no slot: every connection while the group refuses, and the test
 * connection of check.c. The engine resets them. As the spare socket is given to no worker, it has
 * no SO_LOCK_FILTER, and each new program is attached through it.
 *
 * Whenever a slot changes hands, a program is generated. Mostly it is the same as the attached one,
 * and is dropped. That costs less than 0.1 ms for each listener. The alternative, a record of what
 * has changed, could be wrong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/classic_attach.h"
#include "engine/classic_listener.h"
#include "engine/classic_program.h"
#include "engine/engine.h"

struct classic_engine {
	struct engine engine; /* the first member */
	struct classic_listener listeners[STICKY_LISTENERS_LIMIT];
	int epoll; /* the host's epoll instance; -1: none yet */
};

static struct classic_engine *of(struct engine *engine)
{
	return (struct classic_engine *)engine;
}

static void classic_close(struct engine *engine)
{
	struct classic_engine *classic = of(engine);
	uint32_t i;

	for (i = 0; i < engine->listener_count; i++)
		classic_listener_fini(&classic->listeners[i]);
	free(classic);
}

/* ---- Programs ----------------------------------------------------------------------- */

static struct classic_program *make_program(const struct classic_engine *classic, uint32_t listener,
					    const uint16_t *slots, uint32_t count)
{
	return classic_listener_program(&classic->listeners[listener], &classic->engine.settings,
					slots, count);
}

/*
 * Attach the program of the table in force to one listener. If the listener has the same program
 * already, this is done only with `anew`.
 */
static int commit(struct classic_engine *classic, uint32_t listener, bool anew)
{
	struct classic_listener *what = &classic->listeners[listener];
	struct classic_program *program;

	if (what->spare < 0)
		return 0; /* the listener is not complete: classic_finish_listener() follows */
	program = make_program(classic, listener, classic->engine.table.present.slots,
			       classic->engine.settings.slots);
	return program ? classic_listener_attach(what, program, anew) : -ENOMEM;
}

static int classic_commit(struct engine *engine, uint32_t listener)
{
	return commit(of(engine), listener, false);
}

/*
 * Attach the programs of a new table to all listeners, up to the first error. Each program that was
 * attached or has failed is NULL in `programs` afterwards. Returns the number of attached programs.
 */
static uint32_t attach_all(struct classic_engine *classic, struct classic_program **programs,
			   int *ret_error)
{
	uint32_t i;

	*ret_error = 0;
	for (i = 0; i < classic->engine.listener_count && !*ret_error; i++) {
		*ret_error = classic_listener_attach(&classic->listeners[i], programs[i], false);
		programs[i] = NULL;
	}
	return *ret_error ? i - 1 : i;
}

/*
 * Put a table in force. All programs are generated before the first one is attached. Attaching may
 * still fail (net.core.optmem_max): the programs that were attached are then replaced by the
 * previous ones.
 */
static int classic_install(struct engine *engine, const struct sticky_table *table, uint32_t slots,
			   uint32_t moved)
{
	struct classic_engine *classic = of(engine);
	struct classic_program *programs[STICKY_LISTENERS_LIMIT] = {NULL};
	uint32_t i, attached = 0;
	int error = 0;

	(void)moved;
	/* A listener of both families, which may be added later, has the longest program. */
	if (slots > engine->settings.slots)
		error = classic_attach_try(slots);
	for (i = 0; i < engine->listener_count && !error; i++) {
		programs[i] = make_program(classic, i, table->slots, slots);
		error = programs[i] ? programs[i]->error : -ENOMEM;
	}
	if (!error)
		attached = attach_all(classic, programs, &error);
	for (i = 0; error && i < attached; i++)
		commit(classic, i, false);
	for (i = 0; i < engine->listener_count; i++)
		free(programs[i]);
	return error;
}

/* ---- Listeners and slots -------------------------------------------------------------- */

static int classic_add_listener(struct engine *engine, int first_socket)
{
	struct classic_listener *listener = &of(engine)->listeners[engine->listener_count];
	int error = classic_listener_init(listener, first_socket);

	return error ? error : (int)engine->listener_count++;
}

static int classic_finish_listener(struct engine *engine, uint32_t listener,
				   const struct listener *address)
{
	struct classic_engine *classic = of(engine);
	struct classic_listener *what = &classic->listeners[listener];
	int error = classic_listener_open_spare(what, address);

	if (!error && classic->epoll >= 0)
		error = classic_listener_watch(what, classic->epoll);
	return error ? error : commit(classic, listener, false);
}

static void classic_remove_last_listener(struct engine *engine)
{
	classic_listener_fini(&of(engine)->listeners[--engine->listener_count]);
}

static int classic_restore(struct engine *engine, uint32_t listener, const struct listener *address)
{
	(void)address;
	return commit(of(engine), listener, true);
}

static int classic_put(struct engine *engine, uint32_t listener, uint32_t slot, int socket)
{
	return classic_listener_put(&of(engine)->listeners[listener], slot, socket);
}

static int classic_empty(struct engine *engine, uint32_t listener, uint32_t slot)
{
	of(engine)->listeners[listener].serves[slot] = false;
	return 0;
}

static int classic_lose(struct engine *engine, uint32_t listener, uint32_t slot)
{
	classic_listener_lose(&of(engine)->listeners[listener], slot);
	return 0;
}

/* ---- The spare sockets ------------------------------------------------------------------ */

static int classic_check_source(struct engine *engine, uint32_t listener, uint32_t number,
				struct sockaddr_storage *source)
{
	struct classic_engine *classic = of(engine);
	int error = 0;

	/* The address of a device has changed. */
	if (classic_listener_source(&classic->listeners[listener], number, source))
		error = commit(classic, listener, false);
	return error ? error : number + 1 < CLASSIC_CHECK_PORTS;
}

static int classic_judge_check(struct engine *engine, uint32_t listener, bool was_refused)
{
	return classic_listener_judge(&of(engine)->listeners[listener], was_refused);
}

static int classic_watch(struct engine *engine, int epoll)
{
	struct classic_engine *classic = of(engine);
	uint32_t i;
	int error = 0;

	classic->epoll = epoll;
	for (i = 0; i < engine->listener_count && !error; i++)
		error = classic_listener_watch(&classic->listeners[i], epoll);
	return error;
}

static void classic_run(struct engine *engine)
{
	uint32_t i;

	for (i = 0; i < engine->listener_count; i++)
		classic_listener_reset(&of(engine)->listeners[i]);
}

/* ---- Opening ---------------------------------------------------------------------------- */

static const struct engine_ops classic_ops = {
	.abilities = STICKY_CAN_GIVE_SOCKETS,
	.close = classic_close,
	.install = classic_install,
	.add_listener = classic_add_listener,
	.finish_listener = classic_finish_listener,
	.remove_last_listener = classic_remove_last_listener,
	.restore = classic_restore,
	.put = classic_put,
	.empty = classic_empty,
	.lose = classic_lose,
	.commit = classic_commit,
	.check_source = classic_check_source,
	.judge_check = classic_judge_check,
	.watch = classic_watch,
	.run = classic_run,
};

int engine_open_classic(const struct sticky_settings *settings, struct engine **ret_engine)
{
	struct classic_engine *classic;
	int error = classic_attach_try(settings->slots);

	if (error)
		return error;
	classic = calloc(1, sizeof(*classic));
	if (!classic)
		return -ENOMEM;
	classic->engine.ops = &classic_ops;
	classic->engine.settings = *settings;
	classic->epoll = -1;
	error = engine_begin_table(&classic->engine);
	if (error) {
		classic_close(&classic->engine);
		return error;
	}
	*ret_engine = &classic->engine;
	return 0;
}

int engine_classic_slots_max(void)
{
	uint32_t fits = 0, too_many = STICKY_SLOTS_LIMIT + 1;

	while (too_many - fits > 1) {
		uint32_t slots = fits + (too_many - fits) / 2;
		int error = classic_attach_try(slots);

		if (error && error != -E2BIG)
			return error;
		if (error)
			too_many = slots;
		else
			fits = slots;
	}
	return (int)fits;
}
