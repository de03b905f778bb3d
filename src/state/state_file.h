/* SPDX-License-Identifier: MIT */
/*
 * The state file tells a controller that takes over about the previous one. It is a shared mapping
 * of the file `slots` in the run directory. Its content stays even if the process is killed. Each
 * change of a worker's state costs a few stores.
 */
#ifndef STICKY_STATE_STATE_FILE_H
#define STICKY_STATE_STATE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "handoff/exits.h"
#include "handoff/traffic.h"
#include "sticky.h"

#define STATE_FILE_VERSION     6
#define STATE_FILE_WORKERS     (4 * STICKY_SLOTS_LIMIT)
#define STATE_FILE_FIXED_FIRST 16 /* hashes of fixed options in the file's first part */

/* One worker. `used` is written last, when all other members are set. */
struct worker_record {
	uint32_t used;
	uint32_t slot;
	uint64_t generation;
	int32_t pid;		 /* process id, also of its process group; 0: not forked yet */
	uint32_t stop_requested; /* whether it has been asked to stop */
	uint32_t state;		 /* enum worker_state */
	uint32_t watchdog_ms;	 /* as in its environment; 0: none */
	/*
	 * When its process started, in clock ticks since boot. This tells the process from a later
	 * one with the same pid. 0: not noted yet.
	 */
	uint64_t process_start;
	uint16_t takes_passed; /* it has announced that it takes passed connections */
	/*
	 * enum node_serialization, as in its environment; 0 also if an older version did not note
	 * it
	 */
	uint16_t serialization;
	/* The signal that asks it to stop; 0: an older version did not note it. */
	uint32_t stop_signal;
	/* SO_COOKIE of the socket at the slot's own address (--slot-listen); 0: none */
	uint64_t private_cookie;
	/* SO_COOKIE of each listening socket that its process has; 0: none */
	uint64_t cookies[STICKY_LISTENERS_LIMIT];
};

struct slot_record {
	uint64_t generation; /* that of the slot's last worker */
	uint64_t restarts;
	uint64_t killed; /* workers that outlived the hard-shutdown delay */
	uint32_t mode;	 /* enum slot_mode */
	uint32_t unused;
};

struct state_file_content {
	uint32_t version;
	uint32_t slots;
	uint32_t listeners;
	uint32_t workers_speak; /* whether a worker has announced that it was ready */
	uint64_t config_id;	/* config_id() of the configuration that the workers run with */
	struct traffic traffic;
	uint32_t behind_proxy; /* enum behind_proxy, as it was when the workers were started */
	uint32_t pins_id;      /* number of the pins' directory, see pin_dir.h; 0: not pinned */
	uint32_t hard_shutdown_delay_ms;
	uint64_t configured_slots; /* number that the user asked for, at the start or a reload */
	uint64_t fixed_ids[STATE_FILE_FIXED_FIRST]; /* see state_file_note_fixed() */
	struct slot_record slot[STICKY_SLOTS_LIMIT];
	struct worker_record worker[STATE_FILE_WORKERS];
	/*
	 * The members from here on were added to this version later. An older program reads the
	 * file up to here. If an older program has written the file, they are all zero.
	 */
	struct exit_counters exits;
	uint64_t more_fixed_ids[CONFIG_FIXED_MAX - STATE_FILE_FIXED_FIRST];
	uint32_t workers_send_alive; /* whether a worker has sent WATCHDOG=1 */
	struct head_counters heads;
};

struct state_file {
	struct state_file_content *content; /* NULL: not open */
	uint32_t next;			    /* index at which the search for a free record begins */
};

/*
 * Make a new file beside the one at `path`, which stays as it is until state_file_install(). If the
 * process is killed in between, a complete file is still there.
 *
 * Returns 0 or -errno.
 */
int state_file_create(const char *path, struct state_file *ret_file);

/* Note the hashes of config_fixed_ids(), of which the file has a part in each of two places. */
void state_file_note_fixed(struct state_file_content *content,
			   const uint64_t ids[CONFIG_FIXED_MAX]);

/* Read them again. Those that an older program did not note are 0. */
void state_file_read_fixed(const struct state_file_content *content,
			   uint64_t ret_ids[CONFIG_FIXED_MAX]);

/*
 * Check that there is room for a new file beside the one at `path`. Returns 0 or -errno: -ENOSPC,
 * or another error of that directory.
 */
int state_file_check_space(const char *path);

/* Put the new file in the place of the one at `path`. Returns 0 or -errno. */
int state_file_install(const char *path);

/*
 * Read the file that another controller left.
 *
 * ret_content  to be freed by free(); untouched on an error
 *
 * Returns 0, -ENOENT, -EPROTO (the file is of another version, or damaged), or another -errno.
 */
int state_file_read(const char *path, struct state_file_content **ret_content);

/* Unmap the file, which stays on disk. A state_file that is not open is allowed. */
void state_file_close(struct state_file *file);

/*
 * Returns a record for a worker, all zero and not `used` yet. Returns NULL if all records are in
 * use, or if the file is not open.
 */
struct worker_record *state_file_add(struct state_file *file);

/* Mark a record as used, when all its other members have been set. */
void state_file_publish(struct worker_record *record);

/* Free a record: its worker has ended. NULL is allowed. */
void state_file_remove(struct worker_record *record);

/*
 * Returns when a process was started, in clock ticks since boot: proc_pid_stat(5), field 22.
 * Returns 0 if there is no such process.
 */
uint64_t state_file_process_start(int32_t pid);

#endif
