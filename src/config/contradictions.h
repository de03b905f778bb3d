/* SPDX-License-Identifier: MIT */
/* Options whose values do not go together. Pure. */
#ifndef STICKY_CONFIG_CONTRADICTIONS_H
#define STICKY_CONFIG_CONTRADICTIONS_H

#include "config/config.h"
#include "config/origins.h"
#include "config/problems.h"

/*
 * Look for options that contradict each other.
 *
 * config    as sources_read() has read it
 * origins   where its values come from: a rule holds only for an option that was given
 * mistakes  gets the contradictions that `start` would refuse, with the place of the option
 * notes     gets the options that have no effect
 */
void contradictions_find(const struct config *config, const struct origins *origins,
			 struct problems *mistakes, struct problems *notes);

#endif
