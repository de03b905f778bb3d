// SPDX-License-Identifier: MIT
/* The common part of engines: an operation that fails changes no setting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/engine.h"

static int result;

static int write_settings(struct engine *engine)
{
	(void)engine;
	return result;
}

static int set_proxies(struct engine *engine, const struct sticky_prefix *proxies, size_t count)
{
	(void)proxies;
	(void)count;
	return write_settings(engine);
}

/* As the kernel's engine does it: the settings are changed, then written. */
static int set_check(struct engine *engine, const struct sockaddr *source)
{
	memset(engine->settings.check_address, 1, sizeof(engine->settings.check_address));
	engine->settings.check_port = ((const struct sockaddr_in *)source)->sin_port;
	return write_settings(engine);
}

static const struct engine_ops ops = {
	.write_settings = write_settings, .set_proxies = set_proxies, .set_check = set_check};

static int change_all(struct engine *engine)
{
	const struct sockaddr_in source = {.sin_family = AF_INET, .sin_port = 77};
	int error = engine_set_proxies(engine, NULL, 0, true);

	assert_int_equal(engine_set_dispatchers(engine, 3), error);
	assert_int_equal(engine_set_sample(engine, 256), error);
	assert_int_equal(engine_set_check(engine, (const void *)&source), error);
	return error;
}

static void a_failed_operation_changes_no_setting(void **state)
{
	struct engine engine = {.ops = &ops, .settings = {.dispatchers = 1, .check_port = 5}};
	const struct sticky_settings before = engine.settings;

	(void)state;
	result = -EPERM;
	assert_int_equal(change_all(&engine), -EPERM);
	assert_memory_equal(&engine.settings, &before, sizeof(before));
	result = 0;
	assert_int_equal(change_all(&engine), 0);
	assert_int_equal(engine.settings.proxies_may_go_direct, 1);
	assert_int_equal(engine.settings.dispatchers, 3);
	assert_int_equal(engine.settings.sample_mask, 255);
	assert_int_equal(engine.settings.check_port, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_operation_changes_no_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
