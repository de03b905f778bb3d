// SPDX-License-Identifier: MIT
/*
 * The engine without the kernel's help: dispatchers in the host accept all connections, and the
 * host passes each one to the slot of its client. There is a table, and nothing else.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/engine.h"

static void user_close(struct engine *engine)
{
	free(engine);
}

static const struct engine_ops user_ops = {
	.abilities = STICKY_CAN_DISPATCH,
	.close = user_close,
};

int engine_open_user(const struct sticky_settings *settings, struct engine **ret_engine)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int error;

	if (!engine)
		return -ENOMEM;
	engine->ops = &user_ops;
	engine->settings = *settings;
	error = engine_begin_table(engine);
	if (error) {
		engine_close(engine);
		return error;
	}
	*ret_engine = engine;
	return 0;
}
