/* SPDX-License-Identifier: MIT */
/* The texts of the messages of sd_notify(3) that the supervisor of this process gets. Pure. */
#ifndef STICKY_SERVICE_SERVICE_TEXT_H
#define STICKY_SERVICE_SERVICE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* The room for a message, in bytes with the final NUL. Characters that do not fit are cut off. */
#define SERVICE_TEXT_SIZE   768
#define SERVICE_STATUS_SIZE 384

/* The states of slots, named as in `status`, in the order in which the line lists them. */
enum service_slot_state {
	SERVICE_SLOT_READY,
	SERVICE_SLOT_STARTING,
	SERVICE_SLOT_HUNG,
	SERVICE_SLOT_LEAVING,
	SERVICE_SLOT_DRAINING,
	SERVICE_SLOT_WAITING,
	SERVICE_SLOT_DRAINED,
	SERVICE_SLOT_FAILED,
	SERVICE_SLOT_STATE_COUNT
};

/* The state of the instance at one moment. */
struct service_view {
	const char *state; /* "starting", "running" or "stopping" */
	const char *steering;
	uint32_t slots;
	uint32_t count[SERVICE_SLOT_STATE_COUNT]; /* number of slots in each state */
	uint32_t draining;			  /* number of workers that leave or drain */
	bool is_reloading;
	uint32_t reload_done, reload_of;
	const char *problem; /* what is wrong with the last reload; "": nothing */
};

/* Find the state for a name that slot_view_state() returns. An unknown name counts as waiting. */
enum service_slot_state service_slot_state_of(const char *name);

/*
 * Returns true if no slot is still on its way to its first ready worker. A slot that is drained or
 * has failed counts as settled, as it stays so until an operator brings it back. Returns false if
 * no slot is ready and one has failed.
 */
bool service_view_is_settled(const struct service_view *view);

/* Write the view as one line of text, the value of STATUS=. */
void service_status_line(const struct service_view *view, char ret_line[SERVICE_STATUS_SIZE]);

/* The event that a message announces. */
enum service_news {
	SERVICE_STATUS,	   /* nothing but the status */
	SERVICE_READY,	   /* the start, or a reload, is over */
	SERVICE_RELOADING, /* a reload begins */
	SERVICE_STOPPING,
	SERVICE_NEWS_COUNT
};

/*
 * Write a message.
 *
 * line          of service_status_line(); NULL: the message has no status
 * monotonic_us  the time by CLOCK_MONOTONIC, which only SERVICE_RELOADING contains
 * extend_us     microseconds from now on that the supervisor is asked to wait at least; 0: not
 *               asked
 */
void service_message(enum service_news news, const char *line, uint64_t monotonic_us,
		     uint64_t extend_us, char ret_text[SERVICE_TEXT_SIZE]);

#endif
