// SPDX-License-Identifier: MIT
#include "bind/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bind/keeper_process.h"
#include "bind/keeper_wire.h"
#include "common/descriptor_range.h"
#include "common/log.h"
#include "wire/fd_passing.h"

#define WAIT_MS 1000 /* time to wait for a keeper that does not answer */

struct keeper_link {
	struct event_base *base;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int channel; /* -1: there is no keeper */
	int begun;   /* hung up when the keeper's program runs; -1: it is known to run */
	struct event *readable;
	void (*lost)(void *context);
	void *context;
};

/* ---- Starting it ----------------------------------------------------------------------- */

static struct sockaddr_un address_of(const struct keeper_link *link)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, link->path, sizeof(address.sun_path));
	return address;
}

/* Make the keeper's listening socket. Returns it, or -errno. */
static int listen_at(const struct keeper_link *link)
{
	const struct sockaddr_un address = address_of(link);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), error;
	mode_t mask;

	if (fd < 0)
		return -errno;
	unlink(link->path); /* the file of a keeper that has ended */
	mask = umask(077);
	error = bind(fd, (const void *)&address, sizeof(address)) || listen(fd, 4) ? -errno : 0;
	umask(mask);
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* Execute the keeper. Runs in the child: only async-signal-safe calls, as other threads may run. */
static void __attribute__((noreturn)) run_keeper(int listener, int channel, int begun)
{
	char program[] = "stickyctl", word[] = "bind-keeper";
	char *arguments[] = {program, word, NULL};
	int above = KEEPER_LEADER + 2, null = open("/dev/null", O_RDWR), i;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* All are copied first, as each may have the number that another one is to get. */
	listener = fcntl(listener, F_DUPFD, above);
	channel = fcntl(channel, F_DUPFD, above);
	begun = fcntl(begun, F_DUPFD, above);
	for (i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(null, i);
	if (dup2(listener, KEEPER_LISTENER) < 0 || dup2(channel, KEEPER_LEADER) < 0 ||
	    dup3(begun, KEEPER_LEADER + 1, O_CLOEXEC) < 0 || descriptors_close_from(above))
		_exit(127);
	execve("/proc/self/exe", arguments, environ);
	_exit(127);
}

/* Fork the keeper. Returns the controller's end of the channel, or -errno. */
static int fork_keeper(struct keeper_link *link, int listener, const int begun[2])
{
	int ends[2], error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	error = -errno;
	if (pid == 0)
		run_keeper(listener, ends[1], begun[1]);
	close(ends[1]);
	if (pid > 0) {
		link->begun = begun[0];
		return ends[0];
	}
	close(ends[0]);
	return error;
}

/* Start a keeper. Returns the controller's end of the channel, or -errno. */
static int start(struct keeper_link *link)
{
	int begun[2], channel, listener = listen_at(link);

	if (listener < 0)
		return listener;
	if (pipe2(begun, O_CLOEXEC)) {
		channel = -errno;
		close(listener);
		return channel;
	}
	channel = fork_keeper(link, listener, begun);
	if (channel < 0)
		close(begun[0]);
	close(begun[1]);
	close(listener);
	return channel;
}

/*
 * Connect to the keeper that a previous controller left. Returns the channel, or -errno: there is
 * none.
 */
static int join(const struct keeper_link *link)
{
	const struct sockaddr_un address = address_of(link);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const void *)&address, sizeof(address)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* ---- The link ---------------------------------------------------------------------------- */

/*
 * Wait until a keeper that has just been forked executes its program. Until then it has a copy of
 * every descriptor of the controller. After a stop, its copies of the listening sockets would keep
 * the addresses.
 */
static void wait_for_program(struct keeper_link *link)
{
	struct pollfd poller = {.fd = link->begun};

	if (link->begun < 0)
		return;
	poll(&poller, 1, WAIT_MS);
	close(link->begun);
	link->begun = -1;
}

static void disconnect(struct keeper_link *link)
{
	wait_for_program(link);
	if (link->readable)
		event_free(link->readable);
	link->readable = NULL;
	if (link->channel >= 0)
		close(link->channel);
	link->channel = -1;
}

/*
 * Drop the answer to a claim that was given up, as it came too late. The keeper then goes on
 * answering the calls itself.
 */
static void drop_late(struct keeper_link *link, const struct keeper_message *message, int fd)
{
	if (fd >= 0)
		close(fd);
	if (message->word == KEEPER_HAS)
		keeper_let_go(link, message->pid);
}

/*
 * Handle the end of the keeper, or a late answer. The keeper sends nothing unasked, and
 * keeper_claim() itself receives the answers that come in time.
 */
static void on_readable(evutil_socket_t channel, short what, void *context)
{
	struct keeper_link *link = context;
	struct keeper_message message;
	int fd = -1;
	ssize_t length = fd_passing_receive(channel, &message, sizeof(message), &fd);

	(void)what;
	if (length == sizeof(message)) {
		drop_late(link, &message, fd);
		return;
	}
	if (length == -EAGAIN)
		return;
	if (length > 0 && fd >= 0)
		close(fd);
	disconnect(link);
	link->lost(link->context);
}

static int connect_to(struct keeper_link *link, int channel)
{
	if (channel < 0)
		return channel;
	link->channel = channel;
	link->readable = event_new(link->base, channel, EV_READ | EV_PERSIST, on_readable, link);
	return link->readable && !event_add(link->readable, NULL) ? 0 : -ENOMEM;
}

int keeper_restart(struct keeper_link *link)
{
	disconnect(link);
	return connect_to(link, start(link));
}

int keeper_open(struct event_base *base, const char *path, void (*lost)(void *context),
		void *context, struct keeper_link **ret_link)
{
	struct keeper_link *link = calloc(1, sizeof(*link));
	int channel, error;

	if (!link)
		return -ENOMEM;
	link->base = base;
	link->lost = lost;
	link->context = context;
	link->channel = -1;
	link->begun = -1;
	strncpy(link->path, path, sizeof(link->path) - 1);
	channel = join(link);
	error = connect_to(link, channel < 0 ? start(link) : channel);
	if (error) {
		keeper_close(link);
		return error;
	}
	*ret_link = link;
	return 0;
}

void keeper_close(struct keeper_link *link)
{
	if (!link)
		return;
	disconnect(link);
	free(link);
}

/* ---- Messages ------------------------------------------------------------------------------ */

static int wait_for(const struct keeper_link *link, short events)
{
	struct pollfd poller = {.fd = link->channel, .events = events};

	return poll(&poller, 1, WAIT_MS) == 1 ? 0 : -ETIMEDOUT;
}

static int send_message(const struct keeper_link *link, const struct keeper_message *message,
			int fd)
{
	ssize_t sent;

	if (link->channel < 0)
		return -ENOTCONN;
	sent = fd_passing_send(link->channel, message, sizeof(*message), fd);
	if (sent == -EAGAIN && !wait_for(link, POLLOUT))
		sent = fd_passing_send(link->channel, message, sizeof(*message), fd);
	return sent < 0 ? (int)sent : 0;
}

static int tell(const struct keeper_link *link, enum keeper_word word, pid_t pid, int fd)
{
	return send_message(link, &(struct keeper_message){.word = word, .pid = pid}, fd);
}

int keeper_keep(struct keeper_link *link, pid_t pid, int fd)
{
	return tell(link, KEEPER_KEEP, pid, fd);
}

/* Receive an answer of the keeper. Returns 0 or -errno. */
static int receive_answer(const struct keeper_link *link, struct keeper_message *ret_message,
			  int *ret_fd)
{
	int error = wait_for(link, POLLIN);
	ssize_t length;

	if (error)
		return error;
	length = fd_passing_receive(link->channel, ret_message, sizeof(*ret_message), ret_fd);
	if (length == sizeof(*ret_message))
		return 0;
	if (length > 0 && *ret_fd >= 0)
		close(*ret_fd);
	return length < 0 ? (int)length : -ENOENT;
}

int keeper_claim(struct keeper_link *link, pid_t pid)
{
	struct keeper_message message;
	int fd, error = tell(link, KEEPER_CLAIM, pid, -1);

	while (!error) {
		error = receive_answer(link, &message, &fd);
		if (error || message.pid == pid)
			break;
		drop_late(link, &message, fd);
	}
	if (error)
		return error;
	if (message.word == KEEPER_HAS && fd >= 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -ENOENT;
}

static void note_untold(pid_t pid, int error)
{
	if (error)
		report(STICKY_LOG_DEBUG, "keeper_not_told", "pid=%d error=\"%s\"", pid,
		       strerror(-error));
}

void keeper_note_call(struct keeper_link *link, pid_t pid, uint64_t id)
{
	const struct keeper_message message = {.word = KEEPER_RECEIVED, .pid = pid, .id = id};

	note_untold(pid, send_message(link, &message, -1));
}

void keeper_let_go(struct keeper_link *link, pid_t pid)
{
	/*
	 * Without a keeper, this process has the last descriptor: after its close, the calls fail,
	 * and do not wait.
	 */
	note_untold(pid, tell(link, KEEPER_LET_GO, pid, -1));
}
