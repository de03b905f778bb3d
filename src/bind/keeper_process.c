// SPDX-License-Identifier: MIT
#include "bind/keeper_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bind/bind_notify.h"
#include "bind/keeper_wire.h"
#include "common/exit_code.h"
#include "rights/privilege.h"
#include "wire/fd_passing.h"

/* The descriptor of one worker's filter. */
struct kept {
	int fd;
	pid_t pid;
	bool is_led;	   /* the controller answers its calls, while there is one */
	uint64_t received; /* the last call that the controller has received; 0: none */
};

#define FIRST_KEPT 2 /* in `polled`, behind the listener and the leader */

struct keeper {
	int leader; /* -1: there is no controller */
	struct kept *kept;
	struct pollfd *polled;
	size_t count, room;
};

/* ---- What is kept ------------------------------------------------------------------- */

static bool make_room(struct keeper *keeper)
{
	size_t room = keeper->room ? 2 * keeper->room : 64;
	struct kept *kept = realloc(keeper->kept, room * sizeof(*kept));
	struct pollfd *polled;

	if (!kept)
		return false;
	keeper->kept = kept;
	polled = realloc(keeper->polled, (room + FIRST_KEPT) * sizeof(*polled));
	if (!polled)
		return false;
	keeper->polled = polled;
	keeper->room = room;
	return true;
}

static void forget(struct keeper *keeper, size_t i)
{
	close(keeper->kept[i].fd);
	keeper->kept[i] = keeper->kept[--keeper->count];
}

/*
 * Find the newest entry with this pid. A pid can come again, for another process. The older process
 * has then ended, or is about to.
 */
static struct kept *find(const struct keeper *keeper, pid_t pid)
{
	size_t i = keeper->count;

	while (i)
		if (keeper->kept[--i].pid == pid)
			return &keeper->kept[i];
	return NULL;
}

/*
 * Keep a descriptor. If memory is short the descriptor is closed, and only the controller has it.
 */
static void keep(struct keeper *keeper, pid_t pid, int fd)
{
	if (keeper->count == keeper->room && !make_room(keeper)) {
		close(fd);
		return;
	}
	keeper->kept[keeper->count++] = (struct kept){.fd = fd, .pid = pid, .is_led = true};
}

/* ---- The controller ----------------------------------------------------------------- */

/*
 * Let the kernel do the call that the controller has received. If the controller has already
 * answered the call, the kernel ignores this.
 */
static void continue_received(struct kept *kept)
{
	if (kept->received)
		bind_notify_continue(kept->fd, &(struct bind_call){.id = kept->received});
	kept->received = 0;
}

static void lose_leader(struct keeper *keeper)
{
	size_t i;

	close(keeper->leader);
	keeper->leader = -1;
	for (i = 0; i < keeper->count; i++)
		continue_received(&keeper->kept[i]);
}

static void answer_claim(struct keeper *keeper, pid_t pid)
{
	struct kept *kept = find(keeper, pid);
	struct keeper_message message = {.word = kept ? KEEPER_HAS : KEEPER_LACKS, .pid = pid};

	if (fd_passing_send(keeper->leader, &message, sizeof(message), kept ? kept->fd : -1) < 0)
		lose_leader(keeper);
	else if (kept)
		kept->is_led = true;
}

static void on_message(struct keeper *keeper, const struct keeper_message *message, int fd)
{
	struct kept *kept;

	switch (message->word) {
	case KEEPER_KEEP:
		if (fd >= 0)
			keep(keeper, message->pid, fd);
		return;
	case KEEPER_CLAIM:
		answer_claim(keeper, message->pid);
		break;
	case KEEPER_LET_GO:
		kept = find(keeper, message->pid);
		if (kept) {
			kept->is_led = false;
			continue_received(kept);
		}
		break;
	case KEEPER_RECEIVED:
		kept = find(keeper, message->pid);
		if (kept)
			kept->received = message->id;
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void hear_leader(struct keeper *keeper)
{
	struct keeper_message message;
	int fd = -1;
	ssize_t length = fd_passing_receive(keeper->leader, &message, sizeof(message), &fd);

	if (length == sizeof(message))
		on_message(keeper, &message, fd);
	else if (length != -EAGAIN && length != -EINTR)
		lose_leader(keeper);
}

/*
 * May this client be the next controller? It must run as the same user as this process, or as root.
 */
static bool may_lead(int channel)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/*
 * Accept the next controller. It then claims the descriptors whose calls it answers. Until then the
 * keeper answers them.
 */
static void accept_leader(struct keeper *keeper)
{
	int channel = accept4(KEEPER_LISTENER, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (channel < 0)
		return;
	if (!may_lead(channel)) {
		close(channel);
		return;
	}
	keeper->leader = channel;
	for (i = 0; i < keeper->count; i++)
		keeper->kept[i].is_led = false;
}

/* ---- Calls that the kernel is to do --------------------------------------------------- */

static bool is_ours(const struct keeper *keeper, const struct kept *kept)
{
	return keeper->leader < 0 || !kept->is_led;
}

/* Let the kernel do the next call. Returns false if no process is left that could call. */
static bool serve(int fd)
{
	struct bind_call call;
	int error = bind_notify_receive(fd, &call);

	if (!error)
		bind_notify_continue(fd, &call);
	return !error || error == -EAGAIN;
}

/*
 * Serve the descriptors from the last to the first, as forget() moves the last one to the free
 * place.
 */
static void serve_all(struct keeper *keeper)
{
	size_t i = keeper->count;

	while (i) {
		const struct pollfd *polled = &keeper->polled[FIRST_KEPT + --i];
		bool goes_on = !(polled->revents & (POLLHUP | POLLERR | POLLNVAL));

		if (goes_on && polled->revents & POLLIN && is_ours(keeper, &keeper->kept[i]))
			goes_on = serve(keeper->kept[i].fd);
		if (!goes_on)
			forget(keeper, i);
	}
}

/* ---- The loop -------------------------------------------------------------------------- */

static int wait_for_events(struct keeper *keeper)
{
	size_t i;

	keeper->polled[0] = (struct pollfd){keeper->leader < 0 ? KEEPER_LISTENER : -1, POLLIN, 0};
	keeper->polled[1] = (struct pollfd){keeper->leader, POLLIN, 0};
	for (i = 0; i < keeper->count; i++)
		keeper->polled[FIRST_KEPT + i] = (struct pollfd){
			keeper->kept[i].fd, is_ours(keeper, &keeper->kept[i]) ? POLLIN : 0, 0};
	return poll(keeper->polled, keeper->count + FIRST_KEPT, -1);
}

/*
 * Handle one turn's events. The end of one controller is handled before the next one is accepted,
 * as there is only one at a time.
 */
static void turn(struct keeper *keeper)
{
	short leader, listener;

	if (wait_for_events(keeper) < 0)
		return;
	listener = keeper->polled[0].revents;
	leader = keeper->polled[1].revents;
	serve_all(keeper);
	if (leader)
		hear_leader(keeper);
	else if (listener)
		accept_leader(keeper);
}

/*
 * Ignore the signals to the terminal's group, and those by which a service is stopped: they are not
 * for the keeper.
 */
static void set_apart(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
	size_t i;

	setsid();
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "sticky-keeper");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	privilege_drop();
}

int keeper_run(void)
{
	struct keeper keeper = {.leader = KEEPER_LEADER};

	bool is_set_up;

	set_apart();
	is_set_up = !chdir("/") && make_room(&keeper);
	while (is_set_up && (keeper.leader >= 0 || keeper.count))
		turn(&keeper);
	free(keeper.kept);
	free(keeper.polled);
	return is_set_up ? EXIT_DONE : EXIT_FAILED;
}
