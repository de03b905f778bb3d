/* SPDX-License-Identifier: MIT */
/*
 * Workers that have their slot, and accept none of the connections that wait for them: stopped, in
 * an endless loop, or with a closed listening socket. While nothing waits, nothing is looked at but
 * every few seconds. From the first waiting connection on each worker's queues are looked at every
 * quarter of --hang-timeout, at most every half second, until all of them are empty.
 */
#ifndef STICKY_SUPERVISE_WORKER_HANG_H
#define STICKY_SUPERVISE_WORKER_HANG_H

struct hang;
struct supervisor;
struct worker;

/* Returns 0 or -errno. hang_close() frees it. */
int hang_open(struct supervisor *supervisor, struct hang **ret_hang);

/* NULL is allowed. */
void hang_close(struct hang *hang);

/* Watch a worker that has its slot. A failure is logged: then it is not watched. */
void hang_begin(struct hang *hang, struct worker *worker);

/*
 * Watch it no more. To be called before its sockets are closed. A slot whose clients went elsewhere
 * (--on-hang=spill) is back. A worker that is not watched is allowed.
 */
void hang_end(struct hang *hang, struct worker *worker);

#endif
