// SPDX-License-Identifier: MIT
#include "config/known_servers.h"

#include <ctype.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define APACHECTL                                                                                  \
	"its shell passes no signal on, and workers are killed after --hard-shutdown-delay: run "  \
	"httpd or apache2 -DFOREGROUND itself"
/* uWSGI's manual, "Signals for controlling uWSGI": TERM reloads, INT kills the entire stack. */
#define UWSGI                                                                                      \
	"uwsgi begins anew on TERM, and cuts its requests off on INT: --stop-signal=TERM with "    \
	"uwsgi's --hook-master-start 'unix_signal:15 gracefully_kill_them_all' finishes them"

/*
 * The signals come from the manuals: nginx "Controlling nginx", httpd "Stopping and Restarting",
 * php-fpm(8), ...
 */
static const struct known_server servers[] = {
	{"nginx", SIGQUIT, "nginx finishes its requests on QUIT, and cuts them off on TERM"},
	{"openresty", SIGQUIT, "nginx finishes its requests on QUIT, and cuts them off on TERM"},
	{"angie", SIGQUIT, "nginx finishes its requests on QUIT, and cuts them off on TERM"},
	{"apache2", SIGWINCH, "httpd finishes its requests on WINCH, and cuts them off on TERM"},
	{"httpd", SIGWINCH, "httpd finishes its requests on WINCH, and cuts them off on TERM"},
	{"httpd-foreground", SIGWINCH,
	 "httpd finishes its requests on WINCH, and cuts them off on TERM"},
	/*
	 * The shell of these scripts stays in front of httpd, and passes no signal on. It ends on
	 * TERM, and httpd is then killed. It ignores WINCH, which at least ends no request early.
	 */
	{"apachectl", SIGWINCH, APACHECTL},
	{"apache2ctl", SIGWINCH, APACHECTL},
	{"php-fpm", SIGQUIT, "php-fpm finishes its requests on QUIT, and cuts them off on TERM"},
	{"unicorn_rails", SIGQUIT,
	 "unicorn finishes its requests on QUIT, and cuts them off on TERM"},
	{"unicorn", SIGQUIT, "unicorn finishes its requests on QUIT, and cuts them off on TERM"},
	{"haproxy", SIGUSR1, "haproxy finishes its connections on USR1, and cuts them off on TERM"},
	{"lighttpd", SIGINT, "lighttpd finishes its requests on INT, and cuts them off on TERM"},
	{"uwsgi", SIGINT, UWSGI},
	{"uwsgi-core", SIGINT, UWSGI},
	{"uwsgi_python", SIGINT, UWSGI},
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Returns the word that names the program: env(1) and its assignments are skipped. */
static const char *program_of(char *const *command)
{
	if (strcmp(base_name(*command), "env"))
		return *command;
	for (command++; *command && strchr(*command, '='); command++)
		;
	return *command;
}

/*
 * Returns true for a name with or without a version: "php-fpm8.2" is php-fpm; "nginx-exporter" is
 * not nginx.
 */
static bool is_named(const char *program, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(program, name, length) &&
	       (!program[length] || isdigit((unsigned char)program[length]));
}

const struct known_server *known_server_find(char *const *command)
{
	const char *program = command && *command ? program_of(command) : NULL;
	size_t i;

	for (i = 0; program && i < sizeof(servers) / sizeof(servers[0]); i++)
		if (is_named(base_name(program), servers[i].name))
			return &servers[i];
	return NULL;
}

static bool is_any_of(const char *program, const char *const *names)
{
	while (*names && !is_named(program, *names))
		names++;
	return *names != NULL;
}

bool known_server_takes_sockets(char *const *command)
{
	static const char *const takers[] = {"gunicorn", "uvicorn", "hypercorn", "puma", NULL};
	const char *program = command && *command ? program_of(command) : NULL;

	return program && is_any_of(base_name(program), takers);
}

/*
 * Programs that serve only with a certain option. The option may be joined with its value
 * ("-mhttp.server"), or the value may be the next word.
 */
static const struct {
	const char *program, *option, *value; /* value "": any */
} binders[] = {
	{"java", NULL, NULL},	   {"redis-server", NULL, NULL},    {"valkey-server", NULL, NULL},
	{"php", "-S", ""},	   {"python", "-m", "http.server"}, {"ruby", "-r", "un"},
	{"ruby", "-r", "webrick"},
};

static bool has_option(char *const *words, const char *option, const char *value)
{
	size_t length = strlen(option);

	for (; *words; words++) {
		const char *given = *words + length;

		if (strncmp(*words, option, length))
			continue;
		if (!*given && words[1])
			given = words[1];
		if (!*value || !strcmp(given, value))
			return true;
	}
	return false;
}

bool known_server_binds(char *const *command)
{
	const char *program = command && *command ? program_of(command) : NULL;
	size_t i;

	for (i = 0; program && i < sizeof(binders) / sizeof(binders[0]); i++)
		if (is_named(base_name(program), binders[i].program) &&
		    (!binders[i].option ||
		     has_option(command, binders[i].option, binders[i].value)))
			return true;
	return false;
}
