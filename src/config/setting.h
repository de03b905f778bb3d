/* SPDX-License-Identifier: MIT */
/* Sets the member of struct config that belongs to an option, from the value as text. */
#ifndef STICKY_CONFIG_SETTING_H
#define STICKY_CONFIG_SETTING_H

#include "common/error_text.h"
#include "config/config.h"
#include "config/options.h"

/*
 * Check the value of an option, and set it.
 *
 * origin     where the value comes from, for the message: "--workers", "web.yaml:3:10: workers"
 * ret_error  what is wrong, and which values are right
 *
 * Returns 0, -EINVAL or -ENOMEM.
 */
int setting_apply(struct config *config, const struct config_option *option, const char *value,
		  const char *origin, struct error_text *ret_error);

/* Returns true if the text is a valid name for an instance. The name becomes a directory. Pure. */
bool is_instance_name(const char *text);

#endif
