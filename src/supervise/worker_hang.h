/* SPDX-License-Identifier: MIT */
/*
 * Notices workers that have their slot, and accept none of the connections that wait for them: they
 * are stopped, in an endless loop, or have closed their listening socket. While nothing waits,
 * there is a look only every few seconds. From the first waiting connection on, each worker's
 * queues are looked at until all of them are empty. The time between two looks is a quarter of
 * --hang-timeout, at most half a second.
 */
#ifndef STICKY_SUPERVISE_WORKER_HANG_H
#define STICKY_SUPERVISE_WORKER_HANG_H

struct hang;
struct supervisor;
struct worker;

/* Make the object. Returns 0 or -errno. hang_close() frees it. */
int hang_open(struct supervisor *supervisor, struct hang **ret_hang);

/* Free the object. NULL is allowed. */
void hang_close(struct hang *hang);

/*
 * Watch a worker that has its slot, or go on after hang_pause(). If this fails, it is logged, and
 * the worker is not watched.
 */
void hang_begin(struct hang *hang, struct worker *worker);

/*
 * Take a worker's sockets out of the watch, as some of them are about to be opened or closed. What
 * is known about the worker and its other sockets stays: one that is hung is still hung after
 * hang_begin(), and is not reported again. A worker that is not watched is allowed.
 */
void hang_pause(struct hang *hang, struct worker *worker);

/*
 * Stop watching a worker, and note whether it is hung (was_hung). To be called before its sockets
 * are closed. If its slot's clients went to other slots (--on-hang=spill), they come back. A worker
 * that is not watched is allowed.
 */
void hang_end(struct hang *hang, struct worker *worker);

#endif
