// SPDX-License-Identifier: MIT
/* Chooses the engine, by which connections get to their slots, and opens a new group with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/exit_code.h"
#include "common/log.h"
#include "controller/controller_internal.h"

/* The state of the choice of an engine. */
struct choice {
	struct controller *controller;
	struct sticky_group_options *options;
	const struct config *config;
	int kernel_error; /* why the BPF program can't be used; 0: not tried, or not asked for */
	int classic_error;
};

static const char *name_of(uint32_t engine)
{
	static const char *const names[STICKY_ENGINE_COUNT] = {
		[STICKY_ENGINE_KERNEL] = "kernel",
		[STICKY_ENGINE_CLASSIC] = "classic",
		[STICKY_ENGINE_USER] = "user",
	};

	return names[engine];
}

void controller_set_engine(struct controller *controller, uint32_t engine, const char *reason)
{
	struct instance *instance = &controller->instance;

	instance->steering = name_of(engine);
	snprintf(instance->steering_reason, sizeof(instance->steering_reason), "%s", reason);
}

/* Returns true for the errors after which another engine may be possible. */
static bool is_refusal(int error)
{
	return error == -EPERM || error == -EOPNOTSUPP || error == -ENOEXEC;
}

/* Explain an error of the BPF program: the cause in `why`, the remedy as a text of its own. */
static void explain(int error, char why[STICKY_EXPLANATION_SIZE], const char **ret_remedy)
{
	char *end;

	sticky_explain(error, STICKY_EXPLANATION_SIZE, why);
	end = strchr(why, '\n');
	*ret_remedy = end ? end + 1 : "";
	if (end)
		*end = '\0';
}

/* Complain that fewer slots fit than are wanted. */
static void complain_of_slots(const struct choice *choice)
{
	int most = sticky_engine_slots_max(STICKY_ENGINE_CLASSIC);

	controller_complain("%u slots are too many for a classic BPF program: here %d fit "
			    "(net.core.optmem_max, 4096 instructions)\n"
			    "use -w %d or fewer, or the BPF program, which takes 1024: it needs "
			    "CAP_BPF, see 'stickyctl doctor'",
			    choice->options->slots, most, most);
}

static int complain(const struct choice *choice)
{
	char why[STICKY_EXPLANATION_SIZE];
	int error = choice->kernel_error;

	if (choice->classic_error == -E2BIG) {
		complain_of_slots(choice);
		return EXIT_FAILED;
	}
	if (choice->classic_error && choice->config->steering == STEERING_CLASSIC) {
		controller_complain("a classic BPF program cannot be used: %s\n"
				    "(or --steering=user, for workers that take passed "
				    "connections)",
				    strerror(-choice->classic_error));
		return EXIT_FAILED;
	}
	sticky_explain(error, sizeof(why), why);
	controller_complain("the kernel cannot place connections: %s\n"
			    "(or --steering=classic, or --steering=user for workers that take "
			    "passed connections)",
			    why);
	return error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int open_engine(const struct choice *choice, uint32_t engine)
{
	choice->options->engine = engine;
	return sticky_group_open(choice->options, &choice->controller->instance.group);
}

/* ---- Which engines are allowed ------------------------------------------------------- */

/* Returns why the controller must accept every connection; NULL: it need not. */
static const char *user_reason(const struct config *config)
{
	if (config->steering == STEERING_USER)
		return "--steering=user";
	if (config->command && config_worker_mode(config) > WORKER_NODE)
		return "the workers' module takes passed connections, not listening sockets";
	return NULL;
}

/*
 * Returns true if the controller may accept every connection without being asked to. Behind a proxy
 * it accepts most of them anyway, and workers of Node.js always take passed connections.
 */
static bool may_use_user(const struct config *config)
{
	return config->steering == STEERING_AUTO &&
	       (config->proxy.behind != BEHIND_NO_PROXY || config_is_node(config));
}

/*
 * Returns true if the classic engine may be used: not behind a proxy by itself, as a classic
 * program can't tell a proxy's connections from others.
 */
static bool may_use_classic(const struct config *config)
{
	return config->steering == STEERING_CLASSIC ||
	       (config->steering == STEERING_AUTO && config->proxy.behind == BEHIND_NO_PROXY);
}

/*
 * Returns true if it is better that the controller accepts every connection. This is so if the
 * kernel is known to have a fault that a classic program can meet.
 */
static bool is_user_better(const struct config *config)
{
	return sticky_engine_caveat(STICKY_ENGINE_CLASSIC) && may_use_user(config) &&
	       config->require_engine == REQUIRE_ANY;
}

static bool is_required(const struct config *config, uint32_t engine)
{
	if (config->require_engine == REQUIRE_KERNEL)
		return engine == STICKY_ENGINE_KERNEL;
	if (config->require_engine == REQUIRE_CLASSIC)
		return engine == STICKY_ENGINE_KERNEL || engine == STICKY_ENGINE_CLASSIC;
	return true;
}

static int complain_of_requirement(const struct config *config, const char *reason)
{
	controller_complain("--require-engine=%s, and connections would be accepted by stickyctl "
			    "and passed on: %s",
			    config->require_engine == REQUIRE_KERNEL ? "kernel" : "classic",
			    reason);
	return EXIT_FAILED;
}

static int check_usage(const struct config *config)
{
	if (config->steering == STEERING_CLASSIC && config->proxy.behind != BEHIND_NO_PROXY) {
		controller_complain("--steering=classic cannot send a proxy's connections to the "
				    "threads that read their heads\n"
				    "leave --steering out, or leave --behind-proxy out");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* ---- The choice -------------------------------------------------------------------------- */

static int open_user(const struct choice *choice, const char *reason)
{
	int error;

	if (!is_required(choice->config, STICKY_ENGINE_USER))
		return complain_of_requirement(choice->config, reason);
	error = open_engine(choice, STICKY_ENGINE_USER);
	if (error) {
		controller_complain("%s", strerror(-error));
		return EXIT_FAILED;
	}
	controller_set_engine(choice->controller, STICKY_ENGINE_USER, reason);
	return EXIT_DONE;
}

/* Log and note why the BPF program can't be used here, and what would help. */
static void note_fallback(const struct choice *choice, uint32_t engine, const char *why,
			  const char *remedy)
{
	struct instance *instance = &choice->controller->instance;

	snprintf(instance->steering_remedy, sizeof(instance->steering_remedy), "%s", remedy);
	report(engine == STICKY_ENGINE_CLASSIC ? STICKY_LOG_INFO : STICKY_LOG_WARN,
	       engine == STICKY_ENGINE_CLASSIC ? "steering_by_classic" : "steering_by_user",
	       "why=\"%s\" hint=\"%s\"", why, remedy);
}

static void warn_of_kernel(void)
{
	const char *caveat = sticky_engine_caveat(STICKY_ENGINE_CLASSIC);

	if (caveat)
		report(STICKY_LOG_WARN, "kernel_fault",
		       "what=\"%s\" hint=\"update the kernel, or use --steering=kernel, or "
		       "--steering=user\"",
		       caveat);
}

/* Try the engines that need no privilege, after the BPF program could not be used. */
static int fall_back(struct choice *choice)
{
	const struct config *config = choice->config;
	char why[STICKY_EXPLANATION_SIZE];
	const char *remedy;

	explain(choice->kernel_error, why, &remedy);
	if (may_use_classic(config) && is_required(config, STICKY_ENGINE_CLASSIC) &&
	    !is_user_better(config)) {
		choice->classic_error = open_engine(choice, STICKY_ENGINE_CLASSIC);
		if (!choice->classic_error) {
			warn_of_kernel();
			controller_set_engine(choice->controller, STICKY_ENGINE_CLASSIC, why);
			note_fallback(choice, STICKY_ENGINE_CLASSIC, why, remedy);
			return EXIT_DONE;
		}
	}
	if (!may_use_user(config) || !is_required(config, STICKY_ENGINE_USER))
		return complain(choice);
	note_fallback(choice, STICKY_ENGINE_USER, why, remedy);
	return open_user(choice, why);
}

static int open_classic(struct choice *choice)
{
	if (!is_required(choice->config, STICKY_ENGINE_CLASSIC)) {
		controller_complain("--require-engine=kernel and --steering=classic contradict "
				    "each other");
		return EXIT_USAGE;
	}
	choice->classic_error = open_engine(choice, STICKY_ENGINE_CLASSIC);
	if (choice->classic_error)
		return complain(choice);
	warn_of_kernel();
	controller_set_engine(choice->controller, STICKY_ENGINE_CLASSIC, "--steering=classic");
	return EXIT_DONE;
}

int controller_open_new_group(struct controller *controller, struct sticky_group_options *options)
{
	struct choice choice = {.controller = controller,
				.options = options,
				.config = controller->instance.config};
	const char *reason = user_reason(choice.config);
	int error = check_usage(choice.config);

	if (error)
		return error;
	if (reason)
		return open_user(&choice, reason);
	if (choice.config->steering == STEERING_CLASSIC)
		return open_classic(&choice);
	choice.kernel_error = open_engine(&choice, STICKY_ENGINE_KERNEL);
	if (!choice.kernel_error) {
		controller_set_engine(
			controller, STICKY_ENGINE_KERNEL,
			"CAP_BPF and Linux 5.14 or later: the kernel places each connection");
		return EXIT_DONE;
	}
	return is_refusal(choice.kernel_error) ? fall_back(&choice) : complain(&choice);
}
