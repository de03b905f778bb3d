// SPDX-License-Identifier: MIT
#include "client/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "client/instances.h"
#include "client/leftovers.h"
#include "common/exit_code.h"
#include "state/rundir.h"

/* bytes; the status of 1,024 workers takes about half a megabyte */
#define ANSWER_MAX (16u << 20)
#define OTHERS_MAX 10 /* number of instances that tell_others() names */

/*
 * The wanted instance does not run. Name those that run, each with a command for it; if none runs,
 * say how to start one.
 */
static void tell_others(const struct config *config)
{
	struct found_instances found;
	char remedy[REMEDY_SIZE];
	size_t i;

	instances_find(config->run_dir, &found);
	if (found.count)
		fputs("these instances run:\n", stderr);
	else
		fputs("start it by 'stickyctl start', or name another one by -n or --run-dir\n",
		      stderr);
	for (i = 0; i < found.count && i < OTHERS_MAX; i++) {
		instances_remedy(&found.list[i], remedy);
		fprintf(stderr, "  %s%s\n", remedy,
			found.list[i].left_workers ? "   (its controller has died)" : "");
	}
	if (found.count > OTHERS_MAX)
		fprintf(stderr, "and %zu more: 'stickyctl list' shows all\n",
			found.count - OTHERS_MAX);
	instances_fini(&found);
}

static int connect_to(const struct config *config, bool quietly, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char directory[RUNDIR_PATH_SIZE], path[RUNDIR_PATH_SIZE];
	int fd, error;

	if (rundir_locate(config->run_dir, config->name, directory) ||
	    rundir_file(directory, "control.sock", sizeof(path), path)) {
		fprintf(stderr, "stickyctl: the run directory's name is too long for a socket: "
				"choose a shorter "
				"--run-dir\n");
		return EXIT_USAGE;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const void *)&address, sizeof(address)) == 0) {
		*ret_fd = fd;
		return EXIT_DONE;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	if (quietly)
		return EXIT_NOT_RUNNING;
	if ((error == ENOENT || error == ECONNREFUSED) && leftovers_tell(config))
		return EXIT_NOT_RUNNING;
	if (error == ENOENT || error == ECONNREFUSED) {
		fprintf(stderr, "stickyctl: no instance named '%s' is running (no %s)\n",
			config->name, path);
		tell_others(config);
		return EXIT_NOT_RUNNING;
	}
	fprintf(stderr, "stickyctl: cannot connect to %s: %s\n", path, strerror(error));
	return error == EACCES || error == EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int send_request(int fd, const char *method, const char *target)
{
	char request[1024];
	/* With HTTP/1.0 the server closes the connection after its answer: no length is needed. */
	int length = snprintf(request, sizeof(request),
			      "%s %s HTTP/1.0\r\nHost: stickyctl\r\nContent-Length: 0\r\n\r\n",
			      method, target);

	if (length < 0 || (size_t)length >= sizeof(request))
		return -EINVAL;
	return send(fd, request, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -errno;
}

/*
 * Read the whole answer, up to the end of the connection.
 *
 * ret_answer  freed by the caller
 *
 * Returns the answer's length in bytes, or -errno.
 */
static ssize_t read_answer(int fd, char **ret_answer)
{
	size_t room = 65536, length = 0;
	char *answer = malloc(room + 1), *larger;
	ssize_t part = 0;

	while (answer && (part = read(fd, answer + length, room - length)) > 0) {
		length += (size_t)part;
		if (length < room)
			continue;
		larger = room < ANSWER_MAX ? realloc(answer, 2 * room + 1) : NULL;
		if (!larger)
			break;
		answer = larger;
		room *= 2;
	}
	if (!answer || part != 0) {
		int error = part < 0 ? -errno : -ENOMEM;

		free(answer);
		return error;
	}
	answer[length] = '\0';
	*ret_answer = answer;
	return (ssize_t)length;
}

static int exit_code_of(int http_code)
{
	switch (http_code) {
	case 400:
		return EXIT_USAGE;
	case 403:
		return EXIT_NOT_PERMITTED;
	case HTTP_BAD_CONFIG:
		return EXIT_BAD_CONFIG;
	default:
		return EXIT_FAILED;
	}
}

static int judge(char *answer, json_t **ret_json)
{
	char *body = strstr(answer, "\r\n\r\n");
	json_t *json;
	const char *text;
	int code = 0;

	if (!body || sscanf(answer, "HTTP/1.%*d %d", &code) != 1) {
		fprintf(stderr, "stickyctl: the controller ended without an answer\n");
		return EXIT_FAILED;
	}
	json = json_loads(body + 4, 0, NULL);
	if (code == 200 && json) {
		*ret_json = json;
		return EXIT_DONE;
	}
	text = json_string_value(json_object_get(json, "error"));
	fprintf(stderr, "stickyctl: %s\n", text ? text : "the controller could not answer");
	json_decref(json);
	return exit_code_of(code);
}

int client_ask(const struct config *config, const char *method, const char *target,
	       unsigned int timeout_s, json_t **ret_json, pid_t *ret_pid)
{
	struct timeval limit = {.tv_sec = timeout_s};
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char *answer = NULL;
	ssize_t length;
	int fd = -1, result = connect_to(config, false, &fd);

	if (result)
		return result;
	if (ret_pid && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		*ret_pid = peer.pid;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	length = send_request(fd, method, target);
	if (!length)
		length = read_answer(fd, &answer);
	close(fd);
	if (length >= 0 && !answer)
		length = -EIO;
	if (length == -EAGAIN) {
		fprintf(stderr, "stickyctl: the controller did not answer within %u s\n",
			timeout_s);
		return EXIT_PARTLY;
	}
	if (length < 0) {
		fprintf(stderr, "stickyctl: cannot talk to the controller: %s\n",
			strerror((int)-length));
		return EXIT_FAILED;
	}
	result = judge(answer, ret_json);
	free(answer);
	return result;
}

int client_request_quietly(const struct config *config, const char *method, const char *target,
			   unsigned int timeout_s, json_t **ret_json)
{
	struct timeval limit = {.tv_sec = timeout_s};
	char *answer = NULL, *body;
	ssize_t length;
	int fd = -1, result = connect_to(config, true, &fd);

	if (result)
		return result;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	length = send_request(fd, method, target);
	if (!length)
		length = read_answer(fd, &answer);
	close(fd);
	body = length > 0 && answer ? strstr(answer, "\r\n\r\n") : NULL;
	*ret_json = body ? json_loads(body + 4, 0, NULL) : NULL;
	free(answer);
	return *ret_json ? EXIT_DONE : EXIT_FAILED;
}

int client_ask_quietly(const struct config *config, const char *target, unsigned int timeout_s,
		       json_t **ret_json)
{
	return client_request_quietly(config, "GET", target, timeout_s, ret_json);
}

/* ---- Streams ----------------------------------------------------------------------- */

/* Read an answer's status line and headers. Returns its HTTP status code, or -1. */
static int read_head(FILE *stream)
{
	char line[1024];
	int code = -1;

	if (!fgets(line, sizeof(line), stream) || sscanf(line, "HTTP/1.%*d %d", &code) != 1)
		return -1;
	while (fgets(line, sizeof(line), stream))
		if (!strcmp(line, "\r\n"))
			return code;
	return -1;
}

static int read_events(FILE *stream, client_event_fn *fn, void *context, int ended)
{
	char *line = NULL;
	size_t size = 0;
	int result = -1;

	while (result < 0 && getline(&line, &size, stream) > 0) {
		json_t *event = json_loads(line, JSON_ALLOW_NUL, NULL);

		if (event)
			result = fn(context, event);
		json_decref(event);
	}
	free(line);
	return result < 0 ? ended : result;
}

/*
 * Show the error of an answer that is not a stream of events: {"error": ...}. Returns an exit code.
 */
static int read_refusal(FILE *stream, int code)
{
	json_t *json = json_loadf(stream, 0, NULL);
	const char *text = json_string_value(json_object_get(json, "error"));

	fprintf(stderr, "stickyctl: %s\n", text ? text : "the controller ended without an answer");
	json_decref(json);
	return exit_code_of(code);
}

int client_follow(const struct config *config, const char *method, const char *target,
		  client_event_fn *fn, void *context, int ended)
{
	FILE *stream;
	int fd = -1, code, result = connect_to(config, false, &fd);

	if (result)
		return result;
	if (send_request(fd, method, target) || !(stream = fdopen(fd, "r"))) {
		fprintf(stderr, "stickyctl: cannot talk to the controller: %s\n", strerror(errno));
		close(fd);
		return EXIT_FAILED;
	}
	code = read_head(stream);
	result = code == 200 ? read_events(stream, fn, context, ended) : read_refusal(stream, code);
	fclose(stream);
	return result;
}

/* ---- Text -------------------------------------------------------------------------- */

static int copy_body(FILE *from, FILE *to)
{
	char part[8192];
	size_t length;

	while ((length = fread(part, 1, sizeof(part), from)) > 0)
		if (fwrite(part, 1, length, to) != length)
			break;
	if (fflush(to) || ferror(to)) {
		fprintf(stderr, "stickyctl: cannot write: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	if (!ferror(from))
		return EXIT_DONE;
	fprintf(stderr, "stickyctl: the controller's answer is not complete: %s\n",
		strerror(errno));
	return EXIT_FAILED;
}

int client_copy(const struct config *config, const char *target, unsigned int timeout_s, FILE *to)
{
	struct timeval limit = {.tv_sec = timeout_s};
	FILE *stream;
	int fd = -1, code, result = connect_to(config, false, &fd);

	if (result)
		return result;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (send_request(fd, "GET", target) || !(stream = fdopen(fd, "r"))) {
		fprintf(stderr, "stickyctl: cannot talk to the controller: %s\n", strerror(errno));
		close(fd);
		return EXIT_FAILED;
	}
	code = read_head(stream);
	result = code == 200 ? copy_body(stream, to) : read_refusal(stream, code);
	fclose(stream);
	return result;
}
