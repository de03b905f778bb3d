// SPDX-License-Identifier: MIT
#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "failure.h"
#include "heap.h"

#define EVENTS_MAX   256
#define REPORTED_MAX 3 /* number of errors that are printed; the others are only counted */

void crowd_init(struct crowd *crowd, const struct options *options, struct result *result,
		struct trace *trace)
{
	uint32_t i;

	*crowd = (struct crowd){.options = options,
				.result = result,
				.trace = trace,
				.free_count = options->concurrency};
	crowd->clients = heap_allocate(options->sources, sizeof(*crowd->clients));
	for (i = 0; i < options->sources; i++)
		crowd->clients[i].slot = NO_SLOT;
	crowd->connections = heap_allocate(options->concurrency, sizeof(*crowd->connections));
	crowd->free_places = heap_allocate(options->concurrency, sizeof(*crowd->free_places));
	for (i = 0; i < options->concurrency; i++) {
		crowd->connections[i].fd = -1;
		crowd->free_places[i] = options->concurrency - 1 - i;
	}
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (crowd->epoll < 0)
		failure_exit("epoll_create1");
}

void crowd_fini(struct crowd *crowd)
{
	free(crowd->clients);
	free(crowd->connections);
	free(crowd->free_places);
	close(crowd->epoll);
}

static enum outcome judge_error(struct crowd *crowd, const struct connection *connection)
{
	enum outcome outcome = outcome_of_error(connection->error);

	if (outcome == OUTCOME_OTHER && crowd->reported++ < REPORTED_MAX)
		fprintf(stderr, "clients: %s: %s\n", connection->failed_call,
			strerror(connection->error));
	return outcome;
}

static enum outcome judge_answer(struct crowd *crowd, const struct connection *connection)
{
	struct client *client = &crowd->clients[connection->source];
	struct answer answer;

	if (!connection->length)
		return OUTCOME_EMPTY;
	if (!answers_parse(connection->answer, &answer)) {
		if (crowd->reported++ < REPORTED_MAX)
			fprintf(stderr, "clients: unexpected answer \"%.*s\"\n",
				(int)strcspn(connection->answer, "\r\n"), connection->answer);
		return OUTCOME_OTHER;
	}
	result_count_answer(crowd->result, answer.slot,
			    answers_check(client, connection->known_generation, &answer));
	return OUTCOME_ANSWERED;
}

static void end(struct crowd *crowd, struct connection *connection, enum outcome outcome)
{
	int64_t latency_ns = clock_now_ns() - connection->due_ns;

	result_count(crowd->result, outcome, latency_ns);
	trace_write(crowd->trace, connection->due_ns, latency_ns, outcome);
	if (!connection->requested)
		crowd->connecting--;
	connection_end(connection);
	crowd->free_places[crowd->free_count++] = (uint32_t)(connection - crowd->connections);
}

/* Count a connection that is over. */
static void judge(struct crowd *crowd, struct connection *connection)
{
	end(crowd, connection,
	    connection->error ? judge_error(crowd, connection) : judge_answer(crowd, connection));
}

/* Send the request if that is possible now. Returns whether the connection is over. */
static bool send_request(struct crowd *crowd, struct connection *connection)
{
	if (connection_send(connection)) {
		judge(crowd, connection);
		return true;
	}
	if (connection->requested)
		crowd->connecting--;
	return false;
}

static void watch(struct crowd *crowd, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = connection};

	if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, connection->fd, &event))
		failure_exit("epoll_ctl");
}

void crowd_begin(struct crowd *crowd, int64_t due_ns)
{
	struct connection *connection =
		&crowd->connections[crowd->free_places[--crowd->free_count]];

	connection->source = (uint32_t)(crowd->begun++ % crowd->options->sources);
	connection->known_generation = crowd->clients[connection->source].generation;
	connection->due_ns = due_ns;
	crowd->connecting++;
	if (connection_begin(connection, crowd->options))
		judge(crowd, connection);
	else if (!send_request(crowd, connection))
		watch(crowd, connection);
}

/*
 * Handle an event of a connection. The events are edge-triggered: each direction is reported only
 * once. So every event leads to an attempt in both directions.
 */
static void handle_event(struct crowd *crowd, struct connection *connection)
{
	if (!connection->requested && send_request(crowd, connection))
		return;
	if (connection_receive(connection))
		judge(crowd, connection);
}

/*
 * Wait for events. The timeout is in nanoseconds: if it were rounded to milliseconds, latencies at
 * fixed rates would be too long. On kernels before Linux 5.11, which have no epoll_pwait2(), it is
 * rounded.
 */
static int wait_for_events(int epoll, struct epoll_event events[EVENTS_MAX], int64_t timeout_ns)
{
	struct timespec timeout = {.tv_sec = timeout_ns / SECOND_NS,
				   .tv_nsec = timeout_ns % SECOND_NS};
	int count = epoll_pwait2(epoll, events, EVENTS_MAX, &timeout, NULL);

	if (count < 0 && errno == ENOSYS)
		count = epoll_wait(epoll, events, EVENTS_MAX,
				   (int)(timeout_ns / (SECOND_NS / 1000) + 1));
	return count;
}

void crowd_wait(struct crowd *crowd, int64_t timeout_ns)
{
	struct epoll_event events[EVENTS_MAX];
	int count = wait_for_events(crowd->epoll, events, timeout_ns);
	int i;

	if (count < 0 && errno != EINTR)
		failure_exit("epoll_pwait2");
	for (i = 0; i < count; i++)
		handle_event(crowd, events[i].data.ptr);
}

void crowd_time_out(struct crowd *crowd)
{
	uint32_t place;

	for (place = 0; place < crowd->options->concurrency; place++)
		if (crowd->connections[place].fd >= 0)
			end(crowd, &crowd->connections[place], OUTCOME_TIMEOUT);
}

bool crowd_is_idle(const struct crowd *crowd)
{
	return crowd->free_count == crowd->options->concurrency;
}
