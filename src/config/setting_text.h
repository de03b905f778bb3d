/* SPDX-License-Identifier: MIT */
/* Writes the value of an option as a user would. The opposite of setting.h. Pure. */
#ifndef STICKY_CONFIG_SETTING_TEXT_H
#define STICKY_CONFIG_SETTING_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/options.h"

/*
 * Write the value of an option that is no list: "4", "150ms", "512M", "5/1m", "hold".
 *
 * Returns false if the configuration has no value of its own, and stickyctl chooses one.
 */
bool setting_text(const struct config *config, const struct config_option *option, size_t size,
		  char *ret_text);

/* Returns the list of an option that is one: see option_is_list(). */
const struct string_list *setting_list(const struct config *config,
				       const struct config_option *option);

/*
 * Write what the help text says about the default, in its last brackets; "" if it has no brackets.
 */
void setting_default(const struct config_option *option, size_t size, char *ret_text);

#endif
