/* SPDX-License-Identifier: MIT */
/*
 * The slots file: what a controller that takes over needs to know of the one that died. It is
 * a shared mapping of a file in the run directory: what is written there stays whatever
 * becomes of the process, and costs a few stores at each change of a worker's state.
 */
#ifndef STICKY_STATE_STATE_FILE_H
#define STICKY_STATE_STATE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "handoff/traffic.h"
#include "sticky.h"

#define STATE_FILE_VERSION 5
#define STATE_FILE_WORKERS (4 * STICKY_SLOTS_LIMIT)

/* One life. Everything of it is written before `used` says so. */
struct worker_record {
	uint32_t used;
	uint32_t slot;
	uint64_t generation;
	int32_t pid;		 /* and process group; 0: it was not forked yet */
	uint32_t stop_requested; /* to stop, politely */
	uint32_t state;		 /* enum worker_state */
	uint32_t watchdog_ms;	 /* as it was told; 0: none */
	/* In clock ticks since boot: tells its process from a later one. 0: not noted yet. */
	uint64_t process_start;
	uint32_t takes_passed; /* it has said so: see lib/channel.h */
	uint32_t unused;
	uint64_t private_cookie;		  /* of its slot's own socket; 0: none */
	uint64_t cookies[STICKY_LISTENERS_LIMIT]; /* of its listening sockets; 0 beyond them */
};

struct slot_record {
	uint64_t generation; /* of the slot's last life */
	uint64_t restarts;
	uint64_t killed; /* lives that outlived the hard-shutdown delay */
	uint32_t mode;	 /* enum slot_mode */
	uint32_t unused;
};

struct state_file_content {
	uint32_t version;
	uint32_t slots;
	uint32_t listeners;
	uint32_t workers_speak; /* they send READY=1 */
	uint64_t config_id;	/* of the command, directory, environment, user: see config.h */
	struct traffic traffic;
	uint32_t behind_proxy; /* enum behind_proxy: as the workers were begun */
	uint32_t unused;
	uint64_t configured_slots; /* the number that was asked for, at the start or a reload */
	uint64_t fixed_ids[CONFIG_FIXED_MAX];
	struct slot_record slot[STICKY_SLOTS_LIMIT];
	struct worker_record worker[STATE_FILE_WORKERS];
};

struct state_file {
	struct state_file_content *content; /* NULL: not open */
	uint32_t next;			    /* where the search for a free record begins */
};

/*
 * Make a new one beside the one that is there, which stays what it is until state_file_install():
 * whoever is killed in between leaves notes that are complete. Returns 0 or -errno.
 */
int state_file_create(const char *path, struct state_file *ret_file);

/* From now on the new one counts. Returns 0 or -errno. */
int state_file_install(const char *path);

/*
 * Read one that another controller left; freed by free().
 * Returns 0, -ENOENT, -EPROTO (of another version, or damaged), or another -errno.
 */
int state_file_read(const char *path, struct state_file_content **ret_content);

void state_file_close(struct state_file *file);

/* A record for a life; NULL: all are in use, or the file is not open. Not `used` yet. */
struct worker_record *state_file_add(struct state_file *file);

/* The record is complete. */
void state_file_publish(struct worker_record *record);

/* The life is gone. NULL is allowed. */
void state_file_remove(struct worker_record *record);

/*
 * When a process began, in clock ticks since boot: proc_pid_stat(5), field 22. 0: there is no
 * such process.
 */
uint64_t state_file_process_start(int32_t pid);

#endif
