// SPDX-License-Identifier: MIT
#include "api/survey.h"

#include <stdlib.h>

void survey_fini(struct survey *survey)
{
	free(survey->infos);
	free(survey->views);
	free(survey->usages);
	free(survey->draining);
	free(survey->draining_usages);
}

/* One measurement of all workers, which walks through /proc once. */
struct measuring {
	void **handles;
	struct run_usage **places; /* the place for the result of each handle */
	uint32_t count;
};

static void want(struct measuring *measuring, void *handle, struct run_usage *place)
{
	if (!handle)
		return;
	measuring->handles[measuring->count] = handle;
	measuring->places[measuring->count++] = place;
}

static void measure_wanted(const struct instance *instance, const struct measuring *measuring)
{
	struct run_usage *usages = calloc(measuring->count, sizeof(*usages));
	uint32_t i;

	if (!usages)
		return; /* the values stay 0, which stands for "unknown" */
	instance->backend.ops->measure(instance->backend.context, measuring->handles,
				       measuring->count, usages);
	for (i = 0; i < measuring->count; i++)
		*measuring->places[i] = usages[i];
	free(usages);
}

static int measure(const struct instance *instance, struct survey *survey)
{
	uint32_t most = survey->count + survey->draining_count, i;
	struct measuring measuring = {
		.handles = calloc(most, sizeof(*measuring.handles)),
		.places = calloc(most, sizeof(struct run_usage *)),
	};
	int error = measuring.handles && measuring.places ? 0 : -1;

	for (i = 0; !error && i < survey->count; i++)
		want(&measuring, survey->views[i].handle, &survey->usages[i]);
	for (i = 0; !error && i < survey->draining_count; i++)
		want(&measuring, survey->draining[i].handle, &survey->draining_usages[i]);
	if (measuring.count)
		measure_wanted(instance, &measuring);
	free(measuring.handles);
	free(measuring.places);
	return error;
}

int survey_init(const struct instance *instance, struct survey *survey)
{
	uint32_t count = sticky_group_slots(instance->group), slot;
	uint32_t draining = draining_count(instance->supervisor);

	*survey = (struct survey){
		.count = count,
		.infos = calloc(count, sizeof(*survey->infos)),
		.views = calloc(count, sizeof(*survey->views)),
		.usages = calloc(count, sizeof(*survey->usages)),
		.draining = calloc(draining + 1, sizeof(*survey->draining)),
		.draining_usages = calloc(draining + 1, sizeof(*survey->draining_usages)),
	};
	if (!survey->infos || !survey->views || !survey->usages || !survey->draining ||
	    !survey->draining_usages)
		return -1;
	survey->infos[0].size = sizeof(survey->infos[0]);
	if (sticky_group_slot_infos(instance->group, count, survey->infos))
		return -1;
	for (slot = 0; slot < count; slot++)
		slot_view_read(instance->supervisor, slot, &survey->views[slot]);
	survey->draining_count = draining_read(instance->supervisor, draining, survey->draining);
	return measure(instance, survey);
}
