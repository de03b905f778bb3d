/* SPDX-License-Identifier: MIT */
/* The instances that run on this machine, as far as this user can see them. */
#ifndef STICKY_CLIENT_INSTANCES_H
#define STICKY_CLIENT_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INSTANCES_MAX 1024

struct found_instance {
	char *name;
	char *run_dir;	     /* the directory that contains the instance's directory */
	uid_t uid;	     /* the user of the run directory */
	bool is_default_dir; /* commands find the instance without --run-dir */
	/* number of workers that live on after their controller has died, see leftovers.h; 0: the
	 * instance has a controller */
	uint32_t left_workers;
};

struct found_instances {
	struct found_instance *list;
	size_t count;
};

/*
 * Find the instances that run: in the run directory of this user, in /run/sticky, and in those of
 * other users, /run/user/UID/sticky and /tmp/sticky-UID. An instance in a directory that can't be
 * read is found by its listening socket, if the socket is in this network namespace. An instance
 * whose controller has died is found in directories of this user, while workers of it live on.
 *
 * run_dir  search only this directory; NULL: all of them
 *
 * Returns 0, or -ENOMEM: the list has the instances that were found before.
 */
int instances_find(const char *run_dir, struct found_instances *ret_instances);

#define REMEDY_SIZE 512

/*
 * Write the command that shows an instance: "sudo -u alice stickyctl status -n web".
 */
void instances_remedy(const struct found_instance *instance, char ret_command[REMEDY_SIZE]);

/* Write the name of a user, or the number of one that has no name. */
void instances_user(uid_t uid, size_t size, char *ret_name);

/* Free the list. */
void instances_fini(struct found_instances *instances);

#endif
