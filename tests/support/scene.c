// SPDX-License-Identifier: MIT
#include "scene.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "groups.h"

struct scene scene_start(const char *address, sa_family_t family)
{
	struct scene scene = {.group = group_start(SCENE_SLOTS, address)};

	scene.server = group_server(scene.group, 0, family);
	return scene;
}

void scene_add(struct scene *scene, uint32_t count)
{
	waiting_add(&scene->line, scene->group, SCENE_SLOT, &scene->server, count);
}

struct sticky_worker *scene_worker(struct scene *scene)
{
	struct sticky_worker *worker;

	assert_int_equal(sticky_worker_open(scene->group, SCENE_SLOT, &worker), 0);
	return worker;
}

void scene_check(struct scene *scene, bool holding, uint32_t queue)
{
	assert_int_equal(group_wait_queue(scene->group, SCENE_SLOT, queue), 0);
	assert_int_equal(group_slot_info(scene->group, SCENE_SLOT).holding, holding);
}

void scene_end(struct scene *scene)
{
	struct sticky_counters counters = group_counters(scene->group);

	assert_int_equal(waiting_end(&scene->line), 0);
	assert_int_equal(counters.dropped, 0);
	assert_int_equal(counters.empty_slot, 0);
	sticky_group_close(scene->group);
}
