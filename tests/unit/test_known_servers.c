// SPDX-License-Identifier: MIT
/* Servers that are asked to stop by another signal than TERM. */
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
		config.stop_signal = 1; /* the number of TERM, as if the user had set it */
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

/* Commands, and whether their servers bind by themselves. */
static const struct {
	const char *words[WORDS_MAX];
	bool binds;
} bound[] = {
	{{"java", "-jar", "app.jar"}, true},
	{{"/opt/jdk/bin/java17", "Server"}, true},
	{{"javac", "Server.java"}, false},
	{{"php", "-S", "127.0.0.1:80"}, true},
	{{"php8.2", "-S127.0.0.1:80"}, true},
	{{"php", "server.php"}, false},
	{{"redis-server", "--port", "1"}, true},
	{{"python3", "-m", "http.server", "80"}, true},
	{{"python3.11", "-u", "-m", "http.server"}, true},
	{{"python3", "-mhttp.server"}, true},
	{{"env", "A=1", "python3", "-m", "http.server"}, true},
	{{"python3", "-m", "app"}, false},
	{{"python3", "-m"}, false},
	{{"python3", "http.server"}, false},
	{{"ruby", "-run", "-e", "httpd"}, true},
	{{"ruby", "-r", "webrick", "-e", "1"}, true},
	{{"ruby", "server.rb"}, false},
	{{"./server"}, false},
	{{"env"}, false},
};

static void who_binds_is_known(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
		assert_int_equal(known_server_binds((char *const *)bound[i].words), bound[i].binds);
	assert_false(known_server_binds(NULL));
}

static void who_takes_sockets_is_known(void **state)
{
	char *gunicorn[] = {"/usr/bin/gunicorn", "app", NULL};
	char *nginx[] = {"env", "A=1", "nginx", NULL};
	char *haproxy[] = {"haproxy", NULL};

	(void)state;
	assert_true(known_server_takes_sockets(gunicorn));
	assert_false(known_server_takes_sockets(nginx));
	assert_false(known_server_takes_sockets(haproxy));
	assert_false(known_server_takes_sockets(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_server_has_its_signal),
		cmocka_unit_test(no_command_is_known),
		cmocka_unit_test(who_binds_is_known),
		cmocka_unit_test(who_takes_sockets_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
