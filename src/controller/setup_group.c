// SPDX-License-Identifier: MIT
/* Opens the group: a new one, or that of a previous controller that has died. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "rights/privilege.h"
#include "controller/controller_internal.h"
#include "procfs/cpu_count.h"
#include "listen/listeners.h"
#include "supervise/worker_adopt.h"

uint32_t controller_wanted_slots(const struct config *config)
{
	return config->workers ? config->workers : cpus_usable();
}

/* Callbacks by which the library raises CAP_BPF around its calls: see sticky_raise_fn. */
static unsigned int raise_bpf(void *context)
{
	(void)context;
	return privilege_raise(PRIVILEGE_BPF);
}

static void restore_bpf(void *context, unsigned int previous)
{
	(void)context;
	privilege_restore(previous);
}

static struct sticky_group_options group_options(const struct controller *controller)
{
	struct config *config = controller->instance.config;

	return (struct sticky_group_options){
		.size = sizeof(struct sticky_group_options),
		.slots = controller_wanted_slots(config),
		.backlog = config->backlog,
		.v4_prefix = config->v4_prefix,
		.v6_prefix = config->v6_prefix,
		.seed = controller->seed,
		.log = report_from_library,
		.raise_bpf = raise_bpf,
		.restore_bpf = restore_bpf,
		.prepare = controller_prepare_socket,
		.prepare_context = config,
	};
}

/*
 * Remove the pins of a previous controller that has died together with its workers: no process
 * needs its maps any more.
 */
static void remove_stale_pins(const struct controller *controller, const char *path)
{
	struct state_file_content *content;
	char pins[PINS_PATH_SIZE];

	if (state_file_read(path, &content))
		return;
	pins_locate(controller->instance.config->name, content->pins_id, pins);
	if (content->pins_id)
		pins_remove(pins);
	free(content);
}

/* Look for workers that a previous controller of the same name left. */
int controller_find_takeover(struct controller *controller)
{
	char path[RUNDIR_PATH_SIZE];
	int error;

	if (!controller->instance.config->command ||
	    rundir_file(controller->rundir.path, "slots", sizeof(path), path))
		return EXIT_DONE;
	/*
	 * This is checked before anything is taken over: until then the workers serve without a
	 * controller, and can wait.
	 */
	error = state_file_check_space(path);
	if (error) {
		controller->leaves_files = true;
		controller_complain("cannot make %s: %s; make room there, or choose another "
				    "--run-dir",
				    path, strerror(-error));
		return EXIT_FAILED;
	}
	controller->takes_over = takeover_find(path, &controller->takeover) == 0;
	controller->leaves_files = controller->takes_over;
	if (!controller->takes_over)
		remove_stale_pins(controller, path);
	return EXIT_DONE;
}

static int adopt_listeners(struct controller *controller)
{
	uint32_t i;
	int result = 0;

	for (i = 0; i < controller->takeover.content->listeners && result >= 0; i++)
		result = sticky_group_adopt_listener(controller->instance.group,
						     takeover_socket(&controller->takeover, i));
	return result < 0 ? result : 0;
}

/*
 * Continue with the maps of the previous controller. If this fails, its workers can't be
 * supervised: they are killed, and the instance starts anew.
 */
static void adopt_group(struct controller *controller)
{
	struct sticky_group_options options = group_options(controller);
	int error;

	pins_locate(controller->instance.config->name, controller->takeover.content->pins_id,
		    controller->pins);
	error = sticky_group_adopt(&options, controller->pins, &controller->instance.group);
	if (!error)
		error = adopt_listeners(controller);
	if (!error)
		return;
	report(STICKY_LOG_ERROR, "takeover_failed",
	       "error=\"%s\" so=\"the previous controller's workers are ended\"%s",
	       strerror(-error),
	       error == -ENOENT
		       ? " hint=\"its maps are not in this BPF file system, /sys/fs/bpf: they "
			 "were removed, or it ran in a mount namespace with another one, as "
			 "'ip netns exec' makes one each time\""
		       : "");
	sticky_group_close(controller->instance.group);
	pins_remove(controller->pins);
	controller->pins[0] = '\0';
	controller->instance.group = NULL;
	takeover_kill(&controller->takeover);
	takeover_fini(&controller->takeover);
	controller->takes_over = false;
	controller->leaves_files = false;
}

static int check_maps(struct controller *controller, const struct state_file_content *content)
{
	struct sticky_group_options options = group_options(controller);
	struct sticky_group *group;
	char pins[PINS_PATH_SIZE];
	char why[STICKY_EXPLANATION_SIZE];
	int error;

	pins_locate(controller->instance.config->name, content->pins_id, pins);
	error = sticky_group_adopt(&options, pins, &group);
	if (!error) {
		sticky_group_close(group); /* the pins stay, as the adoption was not finished */
		return EXIT_DONE;
	}
	if (error == -EPROTO)
		snprintf(why, sizeof(why), "they are of another version");
	else
		sticky_explain(error, sizeof(why), why);
	controller_complain("it can't use the maps of the controller that runs: %s", why);
	return error == -EPERM || error == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

int controller_check_group(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct state_file_content *content;
	char directory[RUNDIR_PATH_SIZE], path[RUNDIR_PATH_SIZE] = "its run directory";
	int error = rundir_locate(config->run_dir, config->name, directory), result;

	if (!error)
		error = rundir_file(directory, "slots", sizeof(path), path);
	if (!error)
		error = state_file_read(path, &content);
	if (error) {
		controller_complain(
			"it can't read the state of the controller that runs: %s: %s", path,
			error == -EPROTO ? "it is of another version" : strerror(-error));
		return EXIT_FAILED;
	}
	result = check_maps(controller, content);
	free(content);
	return result;
}

bool controller_can(const struct controller *controller, enum sticky_ability ability)
{
	return (sticky_group_abilities(controller->instance.group) & ability) != 0;
}

int controller_open_group(struct controller *controller)
{
	struct sticky_group_options options = group_options(controller);

	/*
	 * A takeover keeps the kernel's steering, also if the configuration now says otherwise: the
	 * running workers depend on the kernel's maps.
	 */
	if (controller->takes_over)
		adopt_group(controller);
	if (!controller->takes_over)
		return controller_open_new_group(controller, &options);
	controller_set_engine(controller, STICKY_ENGINE_KERNEL,
			      "the maps of the previous controller: the kernel places each "
			      "connection");
	return EXIT_DONE;
}

/*
 * Returns true if the application says which address it wants, by Node.js's listen() or by bind().
 */
static bool says_address(const struct config *config)
{
	enum worker_mode mode = config_worker_mode(config);

	return mode == WORKER_NODE || mode == WORKER_BIND;
}

int controller_open_listeners(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct error_text error;
	size_t i;
	int result = 0;

	if (controller->takes_over)
		return EXIT_DONE;
	/* The application will name its address. */
	if (!config->listen.count && config->command && says_address(config))
		return EXIT_DONE;
	if (!config->listen.count && config->command) {
		controller_complain("no address to listen on: name one by -l, e.g. -l "
				    "127.0.0.1:3000, or let the server bind its own by "
				    "--worker=bind");
		return EXIT_USAGE;
	}
	if (!config->listen.count)
		result = listen_on(controller->instance.group, controller->threads->listen, &error);
	for (i = 0; i < config->listen.count && result >= 0; i++)
		result = listen_on(controller->instance.group, config->listen.items[i], &error);
	if (result >= 0)
		return EXIT_DONE;
	controller_complain("%s", error.text);
	return result == -EACCES		       ? EXIT_NOT_PERMITTED
	       : result == -EINVAL || result == -E2BIG ? EXIT_USAGE
						       : EXIT_FAILED;
}

/* Pin the maps, so that another controller can take over if this one dies. */
static void pin_group(struct controller *controller)
{
	struct error_text why = {
		"with this engine, the group's sockets are closed when the controller ends"};
	int error = -EOPNOTSUPP;

	if (controller_can(controller, STICKY_CAN_SURVIVE))
		error = pins_make(controller->instance.config->name,
				  &controller->state_file.content->pins_id, controller->pins, &why);
	if (!error) {
		error = sticky_group_pin(controller->instance.group, controller->pins);
		if (error) {
			error_text_set(&why, "%s: %s", controller->pins, strerror(-error));
			pins_remove(controller->pins);
		}
	}
	if (!error && pins_are_private())
		report(STICKY_LOG_WARN, "takeover_limited",
		       "why=\"this process has a BPF file system of its own, as 'ip netns exec' "
		       "makes one\" so=\"if this controller dies, its workers can be taken over "
		       "only from that mount namespace\"");
	if (!error)
		return;
	controller->state_file.content->pins_id = 0;
	report(STICKY_LOG_WARN, "takeover_unavailable",
	       "why=\"%s\" so=\"if this controller dies its workers can't be taken over\"",
	       why.text);
	controller->pins[0] = '\0';
}

/* Create the state file, from which another controller can take over. */
int controller_open_state_file(struct controller *controller)
{
	struct config *config = controller->instance.config;
	struct state_file_content *content;
	uint64_t fixed_ids[CONFIG_FIXED_MAX];
	char path[RUNDIR_PATH_SIZE];
	int error;

	if (!config->command)
		return EXIT_DONE;
	error = rundir_file(controller->rundir.path, "slots", sizeof(path), path);
	if (!error)
		error = state_file_create(path, &controller->state_file);
	if (error) {
		controller_complain("cannot make %s: %s", path, strerror(-error));
		return EXIT_FAILED;
	}
	content = controller->state_file.content;
	controller->instance.traffic = &content->traffic;
	controller->instance.heads = &content->heads;
	controller->instance.exits = &content->exits;
	content->slots = sticky_group_slots(controller->instance.group);
	content->listeners = sticky_group_listener_count(controller->instance.group);
	content->configured_slots = controller_wanted_slots(config);
	content->config_id = config_id(config, controller->directory);
	content->hard_shutdown_delay_ms = config->timing.hard_shutdown_delay_ms;
	config_fixed_ids(config, fixed_ids);
	state_file_note_fixed(content, fixed_ids);
	if (controller->takes_over) {
		/*
		 * These are kept at a takeover: workers that were started without a channel can't
		 * take passed connections.
		 */
		config->proxy.behind = controller->takeover.content->behind_proxy;
		content->workers_speak = controller->takeover.content->workers_speak;
		content->workers_send_alive = controller->takeover.content->workers_send_alive;
		content->traffic = controller->takeover.content->traffic;
		content->heads = controller->takeover.content->heads;
		content->exits = controller->takeover.content->exits;
		exits_balance(&content->traffic, controller->legacy.carried.count, &content->exits);
		content->pins_id = controller->takeover.content->pins_id;
	} else {
		pin_group(controller);
	}
	content->behind_proxy = config->proxy.behind;
	return EXIT_DONE;
}

/* Continue with the workers that the previous controller left. */
static void adopt_workers(struct controller *controller)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	struct takeover *takeover = &controller->takeover;
	uint32_t i;

	/*
	 * If the previous controller was killed during a scaling, the numbers of slots differ by
	 * one.
	 */
	for (i = 0; i < takeover->content->slots && i < supervisor_slots(supervisor); i++)
		supervised_slot_adopt(supervisor, i, &takeover->content->slot[i]);
	for (i = 0; i < takeover->count; i++) {
		struct adopted_worker *adopted = &takeover->workers[i];
		int error = worker_adopt(supervisor, adopted);

		if (error)
			report(STICKY_LOG_ERROR, "adopt_failed", "slot=%u pid=%d error=\"%s\"",
			       adopted->record.slot, adopted->record.pid, strerror(-error));
	}
	for (i = 0; i < STATE_FILE_WORKERS; i++)
		if (takeover_has_ended(takeover, &takeover->content->worker[i]))
			worker_adopt_dead(supervisor, &takeover->content->worker[i]);
}

/* Put the complete state file in the place of the previous controller's. */
static int install_notes(struct controller *controller)
{
	char path[RUNDIR_PATH_SIZE];
	int error = rundir_file(controller->rundir.path, "slots", sizeof(path), path);

	if (!error && controller->state_file.content)
		error = state_file_install(path);
	if (error)
		controller_complain("cannot make %s: %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

int controller_take_over(struct controller *controller)
{
	int error;

	if (!controller->takes_over)
		return install_notes(controller);
	adopt_workers(controller);
	frontend_end_takeover(controller->instance.frontend);
	error = sticky_group_finish_adoption(controller->instance.group);
	if (error) {
		controller_complain("cannot take over the previous controller's slots: %s",
				    strerror(-error));
		return EXIT_FAILED;
	}
	controller->leaves_files = false;
	return install_notes(controller);
}
