// SPDX-License-Identifier: MIT
/* Opens the socket of --admin. */
#include <errno.h>
#include <string.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "controller/controller_internal.h"

/*
 * Report an error. After a takeover the start goes on: running workers need a controller more than
 * a page.
 */
static int refuse(struct controller *controller, int error, struct error_text *text)
{
	if (controller->takes_over) {
		error_text_join_lines(text);
		report(STICKY_LOG_ERROR, "admin_failed", "why=\"%s\"", text->text);
		return EXIT_DONE;
	}
	controller_complain("%s", text->text);
	return error == -EACCES || error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

int controller_open_admin(struct controller *controller)
{
	const char *address = controller->instance.config->admin;
	struct error_text text;
	int error;

	if (!address || !strcmp(address, "off"))
		return EXIT_DONE;
	error = admin_open(controller->base, address, &controller->rights, &controller->instance,
			   &controller->admin, &text);
	if (error)
		return refuse(controller, error, &text);
	controller->instance.has_admin = true;
	report(STICKY_LOG_INFO, "admin_listening", "address=%s", address);
	return EXIT_DONE;
}
