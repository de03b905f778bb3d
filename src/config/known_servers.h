/* SPDX-License-Identifier: MIT */
/*
 * Servers whose graceful stop is not SIGTERM: with TERM they would cut off what they serve, at
 * every reload. Pure.
 */
#ifndef STICKY_CONFIG_KNOWN_SERVERS_H
#define STICKY_CONFIG_KNOWN_SERVERS_H

struct known_server {
	const char *name; /* of the program's file; "php-fpm" also names "php-fpm8.2" */
	int stop_signal;
	const char *because; /* what the server's own manual says of it */
};

/*
 * Find the server that a command runs, by its first word, or the word behind `env NAME=VALUE ...`.
 *
 * command  words, NULL at the end; NULL: none
 *
 * Returns NULL where it is not known.
 */
const struct known_server *known_server_find(char *const *command);

#endif
