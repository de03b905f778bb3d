/* SPDX-License-Identifier: MIT */
/*
 * What is known about servers by their commands: how they stop, and how they get their listening
 * sockets. Pure.
 */
#ifndef STICKY_CONFIG_KNOWN_SERVERS_H
#define STICKY_CONFIG_KNOWN_SERVERS_H

#include <stdbool.h>

/*
 * A server whose graceful stop is not SIGTERM: with TERM it would cut off what it serves, at every
 * reload.
 */
struct known_server {
	const char *name; /* name of the program's file; "php-fpm" also names "php-fpm8.2" */
	int stop_signal;
	const char *because; /* what the server's own manual says about the signal */
};

/*
 * Find the server that a command runs, by its first word, or the word behind `env NAME=VALUE ...`.
 *
 * command  words, NULL at the end; NULL: none
 *
 * Returns NULL if the server is not known.
 */
const struct known_server *known_server_find(char *const *command);

/*
 * Does the command run a server that takes its sockets from LISTEN_FDS whenever it is given some?
 * The command's first word is looked at, or the word behind `env NAME=VALUE ...`. nginx and HAProxy
 * are not among them: they do not read LISTEN_FDS, and bind what their configuration names unless
 * it names a descriptor.
 */
bool known_server_takes_sockets(char *const *command);

/*
 * Does the command run a server that always binds its address itself: `java`, `redis-server`,
 * `php -S`, `python3 -m http.server`, `ruby -run`?
 */
bool known_server_binds(char *const *command);

#endif
