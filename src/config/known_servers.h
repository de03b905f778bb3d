/* SPDX-License-Identifier: MIT */
/*
 * Servers that stop gracefully on another signal than SIGTERM: on SIGTERM they would cut off
 * running requests, at every reload. Pure.
 */
#ifndef STICKY_CONFIG_KNOWN_SERVERS_H
#define STICKY_CONFIG_KNOWN_SERVERS_H

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

#endif
