/* SPDX-License-Identifier: MIT */
/* Collects the state of the slots and their workers, before `status` writes it as JSON. */
#ifndef STICKY_API_SURVEY_H
#define STICKY_API_SURVEY_H

#include <stdint.h>

#include "api/instance.h"
#include "supervise/slot_view.h"

struct survey {
	uint32_t count; /* number of slots, and length of each of the next three arrays */
	struct sticky_slot_info *infos;
	struct slot_view *views;
	struct run_usage *usages; /* of the workers that the views show */
	uint32_t draining_count;
	struct draining_view *draining;
	struct run_usage *draining_usages;
};

/*
 * Collect the state. Returns 0, or -1 if there is no memory, or if the counters can't be read.
 * survey_fini() frees the survey.
 */
int survey_init(const struct instance *instance, struct survey *survey);

void survey_fini(struct survey *survey);

#endif
