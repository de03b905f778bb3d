// SPDX-License-Identifier: MIT
/* Opens the API, and passes its requests on to the controller. */
#include <string.h>

#include "api/api.h"
#include "api/reload_times.h"
#include "common/clock.h"
#include "common/error_text.h"
#include "common/exit_code.h"
#include "controller/controller_internal.h"
#include "state/rundir.h"

static void on_stop_request(void *context, bool now)
{
	controller_stop(context, now, "request");
}

static int on_reload_request(void *context, struct error_text *ret_text)
{
	return controller_reload(context, ret_text);
}

static int on_may_upgrade(void *context, struct error_text *ret_error)
{
	return controller_may_upgrade(context, ret_error);
}

static void on_upgrade(void *context)
{
	controller_upgrade(context);
}

static void on_answered(void *context)
{
	controller_leave_loop(context, NULL);
}

int controller_open_api(struct controller *controller)
{
	const struct api_orders orders = {
		.stop = on_stop_request,
		.reload = on_reload_request,
		.may_upgrade = on_may_upgrade,
		.upgrade = on_upgrade,
		.answered = on_answered,
		.context = controller,
	};
	char path[RUNDIR_PATH_SIZE];
	int error = rundir_file(controller->rundir.path, "control.sock", sizeof(path), path);

	if (!error)
		error = reload_times_open(controller->instance.journal,
					  &controller->instance.reload_times);
	controller->instance.started_ms = clock_ms();
	clock_utc(6, controller->instance.started_at);
	if (!error)
		error = api_open(controller->base, path, &controller->instance, &orders,
				 &controller->api);
	if (error)
		controller_complain("cannot make %s: %s", path, strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}
