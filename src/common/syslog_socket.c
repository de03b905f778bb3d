// SPDX-License-Identifier: MIT
#include "common/syslog_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/priority_mark.h"

struct syslog_socket {
	struct sockaddr_un address;
	int fd; /* -1: the daemon could not be reached again */
};

static int connect_to(struct syslog_socket *syslog)
{
	int error;

	syslog->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (syslog->fd < 0)
		return -errno;
	if (connect(syslog->fd, (const void *)&syslog->address, sizeof(syslog->address)) == 0)
		return 0;
	error = -errno;
	close(syslog->fd);
	syslog->fd = -1;
	return error;
}

int syslog_socket_open(const char *path, struct syslog_socket **ret_socket)
{
	struct syslog_socket *syslog = calloc(1, sizeof(*syslog));
	int error;

	if (!syslog)
		return -ENOMEM;
	syslog->address.sun_family = AF_UNIX;
	snprintf(syslog->address.sun_path, sizeof(syslog->address.sun_path), "%s", path);
	error = connect_to(syslog);
	if (error)
		free(syslog);
	else
		*ret_socket = syslog;
	return error;
}

void syslog_socket_close(struct syslog_socket *syslog)
{
	if (!syslog)
		return;
	if (syslog->fd >= 0)
		close(syslog->fd);
	free(syslog);
}

int syslog_socket_fd(const struct syslog_socket *syslog)
{
	return syslog->fd;
}

/*
 * Write the header of a message as in RFC 3164, with local time and the English name of the month.
 * Returns its length.
 */
static size_t format_header(int priority, size_t size, char *header)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	return (size_t)snprintf(header, size, "<%d>%.3s %2d %02d:%02d:%02d stickyctl[%d]: ",
				LOG_DAEMON | priority, months + local.tm_mon * 3, local.tm_mday,
				local.tm_hour, local.tm_min, local.tm_sec, getpid());
}

static int send_once(const struct syslog_socket *syslog, const char *line, size_t length)
{
	char header[64];
	size_t mark = priority_mark_length(line, length);
	int priority = mark ? line[1] - '0' : LOG_INFO;
	size_t rest = length - mark < SYSLOG_LINE_MAX ? length - mark : SYSLOG_LINE_MAX;
	struct iovec pieces[] = {
		{.iov_base = header, .iov_len = format_header(priority, sizeof(header), header)},
		{.iov_base = (char *)line + mark, .iov_len = rest},
	};
	const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};

	return sendmsg(syslog->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Returns true if the daemon has been restarted, so that its socket is another one. */
static bool is_gone(const struct syslog_socket *syslog, int error)
{
	return syslog->fd < 0 || error == -ECONNREFUSED || error == -ENOTCONN ||
	       error == -ECONNRESET;
}

int syslog_socket_send(struct syslog_socket *syslog, const char *line, size_t length)
{
	int error = syslog->fd < 0 ? -ENOTCONN : send_once(syslog, line, length);

	if (!error || !is_gone(syslog, error))
		return error;
	if (syslog->fd >= 0)
		close(syslog->fd);
	error = connect_to(syslog);
	return error ? error : send_once(syslog, line, length);
}
