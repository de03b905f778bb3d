// SPDX-License-Identifier: MIT
/* Which servers are asked to stop by another signal than TERM. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "config/config.h"
#include "config/known_servers.h"

#define WORDS_MAX 6

static const struct {
	const char *words[WORDS_MAX];
	int signal; /* SIGTERM: the server is not known */
} commands[] = {
	{{"nginx"}, SIGQUIT},
	{{"/usr/sbin/nginx", "-g", "daemon off;"}, SIGQUIT},
	{{"./openresty"}, SIGQUIT},
	{{"apache2", "-DFOREGROUND"}, SIGWINCH},
	{{"httpd"}, SIGWINCH},
	{{"httpd-foreground"}, SIGWINCH},
	{{"/usr/sbin/apache2ctl", "-DFOREGROUND"}, SIGWINCH},
	{{"apachectl", "-DFOREGROUND"}, SIGWINCH},
	{{"unicorn"}, SIGQUIT},
	{{"unicorn_rails"}, SIGQUIT},
	{{"unicorn_reporter"}, SIGTERM},
	{{"uwsgi", "app.ini"}, SIGINT},
	{{"uwsgi-core"}, SIGINT},
	{{"uwsgi_python3"}, SIGINT},
	{{"uwsgi_python311"}, SIGINT},
	{{"uwsgitop"}, SIGTERM},
	{{"php-fpm"}, SIGQUIT},
	{{"/usr/sbin/php-fpm8.2", "-F"}, SIGQUIT},
	{{"haproxy", "-f", "haproxy.cfg"}, SIGUSR1},
	{{"lighttpd", "-D"}, SIGINT},
	{{"env", "A=1", "B=2", "nginx"}, SIGQUIT},
	{{"/usr/bin/env", "nginx"}, SIGQUIT},
	{{"env"}, SIGTERM},
	{{"env", "A=1"}, SIGTERM},
	{{"nginx-exporter"}, SIGTERM},
	{{"gunicorn", "app"}, SIGTERM},
	{{"sh", "-c", "nginx"}, SIGTERM},
	{{"/nginx/server"}, SIGTERM},
	{{""}, SIGTERM},
};

static void each_server_has_its_signal(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char *const *command = (char *const *)commands[i].words;
		const struct known_server *server = known_server_find(command);
		struct config config;

		if (commands[i].signal == SIGTERM)
			assert_null(server);
		else
			assert_int_equal(server->stop_signal, commands[i].signal);
		config_init(&config);
		config.command = (char **)command;
		assert_int_equal(config_stop_signal(&config), commands[i].signal);
		config.stop_signal = 1; /* TERM, as it is given */
		assert_int_equal(config_stop_signal(&config), SIGTERM);
		assert_null(config_known_server(&config));
		config.command = NULL;
		config_fini(&config);
	}
}

static void no_command_is_known(void **state)
{
	(void)state;
	assert_null(known_server_find(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_server_has_its_signal),
		cmocka_unit_test(no_command_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
