/* SPDX-License-Identifier: MIT */
/*
 * The journal is the sequence of events of this instance. The last events are kept for `stickyctl
 * events`, and followers get each new event at once.
 */
#ifndef STICKY_COMMON_JOURNAL_H
#define STICKY_COMMON_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

#define JOURNAL_KEPT 1024

struct journal;

/* Make an empty journal. Returns 0 or -ENOMEM. */
int journal_open(struct journal **ret_journal);

/* Free the journal and its followers. NULL is allowed. */
void journal_close(struct journal *journal);

/*
 * Add an event, {"seq": .., "time": "..", "event": "..", ...}, give it to the followers, and log
 * it.
 *
 * level   of the log line, enum sticky_log_level
 * event   the event's name, one word
 * fields  an object with the event's other fields, of which the journal takes ownership; NULL: none
 */
void journal_add(struct journal *journal, int level, const char *event, json_t *fields);

/* Called with each event as it happens. The event belongs to the journal. */
typedef void journal_fn(void *context, const json_t *event);

/*
 * Call `fn` with each event from now on. Returns a handle for journal_unfollow(), or NULL if out of
 * memory.
 */
struct journal_follower *journal_follow(struct journal *journal, journal_fn *fn, void *context);

/* Stop following, and free the handle. A follower's own function may call this. */
void journal_unfollow(struct journal *journal, struct journal_follower *follower);

/* Call `fn` with each event that is kept, the oldest first. */
void journal_replay(const struct journal *journal, journal_fn *fn, void *context);

#endif
