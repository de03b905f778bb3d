// SPDX-License-Identifier: MIT
/*
 * Many clients in one thread: a bounded load generator that checks each answer.
 *
 * Every client has a source address of its own, from which it makes some connections.
 * The answer (tests/peers/worker.c) tells which slot served it: a client that sees two
 * slots is counted as unsticky. The last line of stdout is one JSON object in which every
 * outcome is counted; it ends by itself at the deadline. SIGTERM: no connection is begun
 * any more, and it ends when those that are open have.
 *
 * No port is used up: the worker closes first, and our close is a reset (SO_LINGER 0),
 * which also ends the worker's TIME_WAIT. So 65,536 connections leave nothing behind.
 *
 * Exit codes: 0 all were answered, and sticky; 1 not; 2 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_V4_SOURCE	  0x7f010001u /* 127.1.0.1: most of 127/8 is free to use */
#define V4_SOURCES_MAX	  0x00fe0000u
#define ANSWER_MAX	  512
#define EVENTS_MAX	  256
#define SLOTS_MAX	  1024
#define REPORTED_MAX	  3    /* errors that are told in words; the rest is counted */
#define SPARE_DESCRIPTORS 32   /* stdio, epoll, files */
#define BURST_MAX	  1024 /* connections begun in one turn, so that answers are read too */
#define NO_SLOT		  (-1)

#define SECOND_NS 1000000000LL

enum exit_code { EXIT_NOT_ALL = 1, EXIT_USAGE = 2 };

enum family { FAMILY_4, FAMILY_6, FAMILY_MAPPED, FAMILY_COUNT };

static const char *const family_names[FAMILY_COUNT] = {
	[FAMILY_4] = "4", [FAMILY_6] = "6", [FAMILY_MAPPED] = "mapped"};

/* How a connection ended; a name in the result for each. */
enum outcome {
	OUTCOME_ANSWERED,
	OUTCOME_REFUSED,
	OUTCOME_RESET,
	OUTCOME_TIMEOUT,
	OUTCOME_EMPTY, /* closed without a byte */
	OUTCOME_OTHER,
	OUTCOME_COUNT
};

static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_ANSWERED] = "answered", [OUTCOME_REFUSED] = "refused",
	[OUTCOME_RESET] = "reset",	 [OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_EMPTY] = "empty",	 [OUTCOME_OTHER] = "other_errors",
};

struct options {
	struct sockaddr_storage target;
	socklen_t target_length;
	enum family family;
	uint32_t sources;
	uint64_t connections; /* for each source; 0: until the duration is over */
	uint32_t concurrency;
	bool hold;
	bool banner;
	bool http;
	double rate; /* connections begun in a second; 0: as fast as they end */
	double duration_s;
	double deadline_s;
	const char *map_path;
	const char *expect_path;
};

/* One client: what it has learned from the answers. */
struct source {
	int slot;	     /* of its first answer, or NO_SLOT */
	uint32_t generation; /* the highest of its slot that it met */
};

struct connection {
	int fd; /* -1: free */
	uint32_t source;
	uint32_t known_generation; /* of the source, when this connection began */
	bool requested;
	int64_t begun_ns;
	size_t length;
	char answer[ANSWER_MAX];
};

struct run {
	struct options options;
	struct source *sources;
	struct connection *connections; /* `concurrency` places */
	uint32_t *free_places;
	uint32_t free_count;
	uint32_t connecting; /* open, and their request not sent yet */
	bool told_connected;
	int epoll;
	const char *request;

	int64_t start_ns, stop_ns, deadline_ns, end_ns;
	uint64_t wanted; /* UINT64_MAX: as many as fit in the duration */
	uint64_t begun;
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t unsticky, backward, mismatched;
	uint64_t per_slot[SLOTS_MAX];
	uint32_t *latencies_us; /* of the answered ones */
	size_t latencies_room;
	unsigned int reported;
};

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "clients: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	exit(EXIT_NOT_ALL);
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		fail("memory");
	return memory;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* ---- Addresses --------------------------------------------------------------------- */

static void map_v4(uint32_t address, uint16_t port, struct sockaddr_in6 *ret_address)
{
	*ret_address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
	ret_address->sin6_addr.s6_addr[10] = 0xff;
	ret_address->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&ret_address->sin6_addr.s6_addr[12], &address, sizeof(address));
}

/* The address of a client: 127.1.0.1 counted up, or 2001:db8:HHHH:LLLL::1, a /64 each. */
static socklen_t source_address(enum family family, uint32_t index,
				struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (void *)ret_address;
	struct sockaddr_in6 *v6 = (void *)ret_address;

	*ret_address = (struct sockaddr_storage){0};
	if (family == FAMILY_4) {
		v4->sin_family = AF_INET;
		v4->sin_addr.s_addr = htonl(FIRST_V4_SOURCE + index);
		return sizeof(*v4);
	}
	if (family == FAMILY_MAPPED) {
		map_v4(htonl(FIRST_V4_SOURCE + index), 0, v6);
		return sizeof(*v6);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_addr.s6_addr32[0] = htonl(0x20010db8);
	v6->sin6_addr.s6_addr32[1] = htonl(index);
	v6->sin6_addr.s6_addr32[3] = htonl(1);
	return sizeof(*v6);
}

/* A v4-mapped client is written as the IPv4 client that it is: maps can be compared. */
static void source_text(enum family family, uint32_t index, char text[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage address;

	source_address(family == FAMILY_MAPPED ? FAMILY_4 : family, index, &address);
	if (family == FAMILY_6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text,
			  INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text,
			  INET6_ADDRSTRLEN);
}

/* ---- Outcomes ---------------------------------------------------------------------- */

static void keep_latency(struct run *run, int64_t latency_ns)
{
	uint64_t index = run->outcomes[OUTCOME_ANSWERED];
	int64_t us = latency_ns / 1000;

	if (index == run->latencies_room) {
		run->latencies_room *= 2;
		run->latencies_us = realloc(run->latencies_us,
					    run->latencies_room * sizeof(run->latencies_us[0]));
		if (!run->latencies_us)
			fail("memory");
	}
	run->latencies_us[index] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* A field "name=123" of the answer. */
static bool answer_field(const char *answer, const char *name, unsigned long limit,
			 uint32_t *ret_value)
{
	const char *found = strstr(answer, name);
	unsigned long value;
	char *end;

	if (!found)
		return false;
	found += strlen(name);
	value = strtoul(found, &end, 10);
	if (end == found || (*end != ' ' && *end != '\n') || value > limit)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static void check_source(struct run *run, const struct connection *connection, uint32_t slot,
			 uint32_t generation)
{
	struct source *source = &run->sources[connection->source];

	if (source->slot == NO_SLOT)
		source->slot = (int)slot;
	if (source->slot != (int)slot) {
		run->unsticky++;
		return;
	}
	/* Met an older life of the slot, though it had met a newer one when it began. */
	if (generation < connection->known_generation)
		run->backward++;
	if (generation > source->generation)
		source->generation = generation;
}

static enum outcome judge_answer(struct run *run, struct connection *connection)
{
	uint32_t slot, generation = 0;

	connection->answer[connection->length] = '\0';
	if (!connection->length)
		return OUTCOME_EMPTY;
	if (!strchr(connection->answer, '\n') ||
	    !answer_field(connection->answer, "slot=", SLOTS_MAX - 1, &slot)) {
		if (run->reported++ < REPORTED_MAX)
			fprintf(stderr, "clients: unexpected answer \"%.*s\"\n",
				(int)strcspn(connection->answer, "\r\n"), connection->answer);
		return OUTCOME_OTHER;
	}
	answer_field(connection->answer, " gen=", UINT32_MAX, &generation);
	check_source(run, connection, slot, generation);
	run->per_slot[slot]++;
	keep_latency(run, now_ns() - connection->begun_ns);
	return OUTCOME_ANSWERED;
}

static enum outcome judge_error(struct run *run, int error, const char *where)
{
	switch (error) {
	case ECONNREFUSED:
		return OUTCOME_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return OUTCOME_RESET;
	case ETIMEDOUT:
		return OUTCOME_TIMEOUT;
	default:
		if (run->reported++ < REPORTED_MAX)
			fprintf(stderr, "clients: %s: %s\n", where, strerror(error));
		return OUTCOME_OTHER;
	}
}

static void finish(struct run *run, struct connection *connection, enum outcome outcome)
{
	run->outcomes[outcome]++;
	if (!connection->requested)
		run->connecting--;
	close(connection->fd);
	connection->fd = -1;
	run->free_places[run->free_count++] = (uint32_t)(connection - run->connections);
}

/* ---- A connection ------------------------------------------------------------------ */

static void set_option(int fd, int level, int name, const void *value, socklen_t length)
{
	if (setsockopt(fd, level, name, value, length))
		fail("setsockopt %d", name);
}

static int open_socket(const struct options *options)
{
	int domain = options->family == FAMILY_4 ? AF_INET : AF_INET6;
	int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int one = 1;

	if (fd < 0)
		fail("socket");
	set_option(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	/* The port is chosen at connect, by the whole 4-tuple: ip(7). */
	set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (options->family == FAMILY_6)
		set_option(fd, SOL_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	return fd;
}

static bool is_connected(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	return !getsockopt(fd, SOL_TCP, TCP_INFO, &info, &size) && info.tcpi_state != TCP_SYN_SENT;
}

/*
 * Over loopback the handshake is over when connect() returns, and the request can go at
 * once. A socket's error is told only once, here or to recv(). Returns whether the
 * connection is over.
 */
static bool send_request(struct run *run, struct connection *connection)
{
	size_t length = strlen(run->request);

	if (length && send(connection->fd, run->request, length, MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false; /* not connected yet */
		finish(run, connection, judge_error(run, errno, "send"));
		return true;
	}
	if (!length && !is_connected(connection->fd))
		return false;
	connection->requested = true;
	run->connecting--;
	return false;
}

/* Returns whether the connection is over. */
static bool receive(struct run *run, struct connection *connection)
{
	for (;;) {
		char *to = connection->answer + connection->length;
		ssize_t got = recv(connection->fd, to, ANSWER_MAX - 1 - connection->length, 0);

		if (got > 0) {
			connection->length += (size_t)got;
			continue;
		}
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		finish(run, connection,
		       got ? judge_error(run, errno, "recv") : judge_answer(run, connection));
		return true;
	}
}

/* Edge-triggered: both directions are told of once, and tried on every event. */
static void handle_event(struct run *run, struct connection *connection)
{
	if (!connection->requested && send_request(run, connection))
		return;
	receive(run, connection);
}

static void watch(struct run *run, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = connection};

	if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->fd, &event))
		fail("epoll_ctl");
}

/* `begun_ns`: when it should have begun, which in an open loop is not when it does. */
static void begin(struct run *run, int64_t begun_ns)
{
	struct connection *connection = &run->connections[run->free_places[--run->free_count]];
	const struct options *options = &run->options;
	struct sockaddr_storage address;
	socklen_t length;

	connection->source = (uint32_t)(run->begun++ % options->sources);
	connection->known_generation = run->sources[connection->source].generation;
	connection->requested = false;
	connection->begun_ns = begun_ns;
	connection->length = 0;
	connection->fd = open_socket(options);
	run->connecting++;

	length = source_address(options->family, connection->source, &address);
	if (bind(connection->fd, (struct sockaddr *)&address, length)) {
		finish(run, connection, judge_error(run, errno, "bind"));
		return;
	}
	if (connect(connection->fd, (const struct sockaddr *)&options->target,
		    options->target_length) &&
	    errno != EINPROGRESS) {
		finish(run, connection, judge_error(run, errno, "connect"));
		return;
	}
	if (!send_request(run, connection))
		watch(run, connection);
}

/* ---- The loop ---------------------------------------------------------------------- */

static bool all_begun(const struct run *run, int64_t now)
{
	return run->begun >= run->wanted || now >= run->stop_ns;
}

/* When the next connection is due. In a closed loop that is always: now. */
static int64_t next_due_ns(const struct run *run, int64_t now)
{
	if (run->options.rate <= 0)
		return now;
	return run->start_ns + (int64_t)((double)run->begun / run->options.rate * SECOND_NS);
}

static void begin_due(struct run *run)
{
	unsigned int burst;

	for (burst = 0; burst < BURST_MAX && run->free_count; burst++) {
		int64_t now = now_ns(), due = next_due_ns(run, now);

		if (due > now || all_begun(run, now))
			return;
		begin(run, due);
	}
}

static int timeout_ms(const struct run *run, int64_t now)
{
	int64_t until = run->deadline_ns;

	if (run->free_count && !all_begun(run, now)) {
		int64_t due = next_due_ns(run, now);

		until = due < until ? due : until;
	}
	return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

/* --hold: whoever waits for us to be queued is told when everybody is. */
static void tell_connected(struct run *run, int64_t now)
{
	if (!run->options.hold || run->told_connected || run->connecting || !all_begun(run, now))
		return;
	run->told_connected = true;
	printf("{\"event\":\"connected\",\"connections\":%llu}\n", (unsigned long long)run->begun);
	fflush(stdout);
}

static bool is_over(const struct run *run, int64_t now)
{
	bool idle = run->free_count == run->options.concurrency;

	return now >= run->deadline_ns || (idle && all_begun(run, now));
}

static volatile sig_atomic_t is_told_to_stop;

static void on_sigterm(int number)
{
	(void)number;
	is_told_to_stop = 1;
}

static void run_loop(struct run *run)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int64_t now;
		int count, i;

		begin_due(run);
		now = now_ns();
		if (is_told_to_stop && run->stop_ns > now)
			run->stop_ns = now;
		tell_connected(run, now);
		if (is_over(run, now))
			break;
		count = epoll_wait(run->epoll, events, EVENTS_MAX, timeout_ms(run, now));
		if (count < 0 && errno != EINTR)
			fail("epoll_wait");
		for (i = 0; i < count; i++)
			handle_event(run, events[i].data.ptr);
	}
	run->end_ns = now_ns();
}

static void time_out_the_rest(struct run *run)
{
	uint32_t place;

	for (place = 0; place < run->options.concurrency; place++)
		if (run->connections[place].fd >= 0)
			finish(run, &run->connections[place], OUTCOME_TIMEOUT);
}

/* ---- Maps of client to slot -------------------------------------------------------- */

static void write_map(const struct run *run)
{
	FILE *file = fopen(run->options.map_path, "we");
	char text[INET6_ADDRSTRLEN];
	uint32_t source;

	if (!file)
		fail("%s", run->options.map_path);
	for (source = 0; source < run->options.sources; source++) {
		if (run->sources[source].slot == NO_SLOT)
			continue;
		source_text(run->options.family, source, text);
		fprintf(file, "%s %d\n", text, run->sources[source].slot);
	}
	if (fclose(file))
		fail("%s", run->options.map_path);
}

/* The index of a source by its address: the reverse of source_address(). */
static uint32_t source_index(enum family family, const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (family == FAMILY_6)
		return inet_pton(AF_INET6, text, &v6) == 1 ? ntohl(v6.s6_addr32[1]) : UINT32_MAX;
	return inet_pton(AF_INET, text, &v4) == 1 ? ntohl(v4.s_addr) - FIRST_V4_SOURCE : UINT32_MAX;
}

static void read_expected(const struct run *run, int *expected)
{
	FILE *file = fopen(run->options.expect_path, "re");
	char text[INET6_ADDRSTRLEN];
	int slot;

	if (!file)
		fail("%s", run->options.expect_path);
	while (fscanf(file, "%45s %d", text, &slot) == 2) {
		uint32_t source = source_index(run->options.family, text);

		if (source < run->options.sources)
			expected[source] = slot;
	}
	fclose(file);
}

/* A client that was answered, and is not in the file, is a mismatch too. */
static void compare_map(struct run *run)
{
	int *expected = allocate(run->options.sources, sizeof(*expected));
	uint32_t source;

	for (source = 0; source < run->options.sources; source++)
		expected[source] = NO_SLOT;
	read_expected(run, expected);
	for (source = 0; source < run->options.sources; source++)
		if (run->sources[source].slot != NO_SLOT &&
		    run->sources[source].slot != expected[source])
			run->mismatched++;
	free(expected);
}

/* ---- The result -------------------------------------------------------------------- */

static int compare_latencies(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* The smallest latency that `share` of the answers did not exceed. */
static uint32_t percentile(const struct run *run, double share)
{
	uint64_t count = run->outcomes[OUTCOME_ANSWERED];
	uint64_t index = (uint64_t)((double)count * share);

	if (!count)
		return 0;
	return run->latencies_us[index < count ? index : count - 1];
}

static void print_latencies(struct run *run)
{
	qsort(run->latencies_us, run->outcomes[OUTCOME_ANSWERED], sizeof(run->latencies_us[0]),
	      compare_latencies);
	printf("\"latency_us\":{\"p50\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u},",
	       percentile(run, 0.5), percentile(run, 0.99), percentile(run, 0.999),
	       percentile(run, 1));
}

static void print_slots(const struct run *run)
{
	const char *separator = "";
	int slot;

	printf("\"per_slot\":{");
	for (slot = 0; slot < SLOTS_MAX; slot++)
		if (run->per_slot[slot]) {
			printf("%s\"%d\":%llu", separator, slot,
			       (unsigned long long)run->per_slot[slot]);
			separator = ",";
		}
	printf("}");
}

/* A run that its duration ended began all that it should. */
static uint64_t not_begun(const struct run *run)
{
	return run->options.duration_s > 0 ? 0 : run->wanted - run->begun;
}

static void print_result(struct run *run)
{
	double seconds = (double)(run->end_ns - run->start_ns) / SECOND_NS;
	int outcome;

	printf("{\"connections\":%llu,", (unsigned long long)run->begun);
	for (outcome = 0; outcome < OUTCOME_COUNT; outcome++)
		printf("\"%s\":%llu,", outcome_names[outcome],
		       (unsigned long long)run->outcomes[outcome]);
	printf("\"not_begun\":%llu,\"unsticky\":%llu,\"backward\":%llu,\"mismatched\":%llu,",
	       (unsigned long long)not_begun(run), (unsigned long long)run->unsticky,
	       (unsigned long long)run->backward, (unsigned long long)run->mismatched);
	printf("\"seconds\":%.6f,\"per_second\":%.1f,", seconds,
	       (double)run->outcomes[OUTCOME_ANSWERED] / seconds);
	print_latencies(run);
	print_slots(run);
	printf("}\n");
}

static bool all_well(const struct run *run)
{
	return run->begun && run->outcomes[OUTCOME_ANSWERED] == run->begun && !not_begun(run) &&
	       !run->unsticky && !run->backward && !run->mismatched;
}

/* ---- Options ----------------------------------------------------------------------- */

static void usage(FILE *out, int code) __attribute__((noreturn));

static void usage(FILE *out, int code)
{
	fputs("usage: clients --target ADDRESS:PORT [options]\n"
	      "  --family 4|6|mapped  4: from 127.1.0.1 up (default). mapped: the same, by IPv6\n"
	      "                       sockets. 6: from 2001:db8::1, one /64 each; the network\n"
	      "                       namespace must have the local route 2001:db8::/32\n"
	      "  --sources N          clients, each with its own address (1000)\n"
	      "  --connections M      connections of each (1; with --duration: no limit)\n"
	      "  --concurrency C      open at a time, at most (64; with --rate 4096)\n"
	      "  --duration SECONDS   begin connections for so long\n"
	      "  --rate R             open loop: begin R a second, whether answered or not;\n"
	      "                       latency counts from when a connection was due\n"
	      "  --deadline SECONDS   end of everything, from the start (30; at least the\n"
	      "                       duration and 10 more)\n"
	      "  --hold               all open at once; tells on stdout when all are connected,\n"
	      "                       and waits for the answers\n"
	      "  --banner             send nothing: the worker answers at accept\n"
	      "  --http               send a GET request\n"
	      "  --map FILE           write `address slot` of each client that was answered\n"
	      "  --expect FILE        compare with such a file\n",
	      out);
	exit(code);
}

static void bad_usage(const char *what, const char *value) __attribute__((noreturn));

static void bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "clients: %s: %s\n", what, value);
	exit(EXIT_USAGE);
}

static double option_seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0) || value > 1e6)
		bad_usage("not a positive number", text);
	return value;
}

static uint32_t option_count(const char *text, unsigned long limit)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || value < 1 || value > limit)
		bad_usage("not a number in range", text);
	return (uint32_t)value;
}

static enum family option_family(const char *text)
{
	int family;

	for (family = 0; family < FAMILY_COUNT; family++)
		if (!strcmp(text, family_names[family]))
			return (enum family)family;
	bad_usage("not a family", text);
}

/* "HOST:PORT" or "[HOST]:PORT", numbers only; the family decides how it is read. */
static void option_target(struct options *options, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in6 *v6 = (void *)&options->target;
	struct sockaddr_in *v4 = (void *)&options->target;
	bool bracketed = text[0] == '[' && colon && colon > text + 1 && colon[-1] == ']';
	size_t length = colon ? (size_t)(colon - text) - (bracketed ? 2 : 0) : 0;
	uint16_t port;
	uint32_t v4_address;

	if (!length || length >= sizeof(host))
		bad_usage("not ADDRESS:PORT", text);
	memcpy(host, text + bracketed, length);
	port = htons((uint16_t)option_count(colon + 1, UINT16_MAX));
	options->target_length = sizeof(*v6);
	if (options->family == FAMILY_6) {
		*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
			bad_usage("not an IPv6 address", host);
		return;
	}
	if (inet_pton(AF_INET, host, &v4_address) != 1)
		bad_usage("not an IPv4 address", host);
	if (options->family == FAMILY_MAPPED) {
		map_v4(v4_address, port, v6);
		return;
	}
	*v4 = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = v4_address};
	options->target_length = sizeof(*v4);
}

enum option_id {
	OPTION_TARGET = 1,
	OPTION_FAMILY,
	OPTION_SOURCES,
	OPTION_CONNECTIONS,
	OPTION_CONCURRENCY,
	OPTION_DURATION,
	OPTION_RATE,
	OPTION_DEADLINE,
	OPTION_HOLD,
	OPTION_BANNER,
	OPTION_HTTP,
	OPTION_MAP,
	OPTION_EXPECT,
	OPTION_HELP
};

static const struct option long_options[] = {
	{"target", required_argument, NULL, OPTION_TARGET},
	{"family", required_argument, NULL, OPTION_FAMILY},
	{"sources", required_argument, NULL, OPTION_SOURCES},
	{"connections", required_argument, NULL, OPTION_CONNECTIONS},
	{"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
	{"duration", required_argument, NULL, OPTION_DURATION},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"deadline", required_argument, NULL, OPTION_DEADLINE},
	{"hold", no_argument, NULL, OPTION_HOLD},
	{"banner", no_argument, NULL, OPTION_BANNER},
	{"http", no_argument, NULL, OPTION_HTTP},
	{"map", required_argument, NULL, OPTION_MAP},
	{"expect", required_argument, NULL, OPTION_EXPECT},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static void take_option(struct options *options, int id, const char *value)
{
	switch (id) {
	case OPTION_FAMILY:
		options->family = option_family(value);
		break;
	case OPTION_SOURCES:
		options->sources = option_count(value, V4_SOURCES_MAX);
		break;
	case OPTION_CONNECTIONS:
		options->connections = option_count(value, UINT32_MAX);
		break;
	case OPTION_CONCURRENCY:
		options->concurrency = option_count(value, INT_MAX);
		break;
	case OPTION_DURATION:
		options->duration_s = option_seconds(value);
		break;
	case OPTION_RATE:
		options->rate = option_seconds(value);
		break;
	case OPTION_DEADLINE:
		options->deadline_s = option_seconds(value);
		break;
	case OPTION_HOLD:
		options->hold = true;
		break;
	case OPTION_BANNER:
		options->banner = true;
		break;
	case OPTION_HTTP:
		options->http = true;
		break;
	case OPTION_MAP:
		options->map_path = value;
		break;
	case OPTION_EXPECT:
		options->expect_path = value;
		break;
	case OPTION_HELP:
		usage(stdout, 0);
	default:
		usage(stderr, EXIT_USAGE);
	}
}

static uint32_t descriptors_for_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
	return limit.rlim_max > INT_MAX ? INT_MAX : (uint32_t)limit.rlim_max - SPARE_DESCRIPTORS;
}

static void fill_in_options(struct options *options)
{
	uint32_t limit = descriptors_for_connections();
	uint64_t total;

	if (!options->connections && options->duration_s <= 0)
		options->connections = 1;
	total = options->connections * options->sources;
	if (options->hold) {
		if (!total || total > limit)
			bad_usage("--hold", "more connections than descriptors");
		options->concurrency = (uint32_t)total;
	}
	if (!options->concurrency)
		options->concurrency = options->rate > 0 ? 4096 : 64;
	if (options->concurrency > limit)
		bad_usage("--concurrency", "more than descriptors");
	if (options->deadline_s <= 0)
		options->deadline_s = options->duration_s > 20 ? options->duration_s + 10 : 30;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	const char *target = NULL;
	int id;

	options->sources = 1000;
	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (id == OPTION_TARGET)
			target = optarg; /* read when the family is known */
		else
			take_option(options, id, optarg);
	if (optind != argc || !target)
		usage(stderr, EXIT_USAGE);
	option_target(options, target);
	fill_in_options(options);
}

static void run_init(struct run *run)
{
	const struct options *options = &run->options;
	uint32_t i;

	run->request = options->banner ? ""
		       : options->http ? "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
				       : "\n";
	run->sources = allocate(options->sources, sizeof(*run->sources));
	for (i = 0; i < options->sources; i++)
		run->sources[i].slot = NO_SLOT;
	run->connections = allocate(options->concurrency, sizeof(*run->connections));
	run->free_places = allocate(options->concurrency, sizeof(*run->free_places));
	run->free_count = options->concurrency;
	for (i = 0; i < options->concurrency; i++) {
		run->connections[i].fd = -1;
		run->free_places[i] = options->concurrency - 1 - i;
	}
	run->latencies_room = 65536;
	run->latencies_us = allocate(run->latencies_room, sizeof(run->latencies_us[0]));
	run->wanted = options->connections ? options->connections * options->sources : UINT64_MAX;
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll < 0)
		fail("epoll_create1");
	run->start_ns = now_ns();
	run->stop_ns = options->duration_s > 0
			       ? run->start_ns + (int64_t)(options->duration_s * SECOND_NS)
			       : INT64_MAX;
	run->deadline_ns = run->start_ns + (int64_t)(options->deadline_s * SECOND_NS);
}

static void run_fini(struct run *run)
{
	free(run->sources);
	free(run->connections);
	free(run->free_places);
	free(run->latencies_us);
	close(run->epoll);
}

int main(int argc, char **argv)
{
	struct run run = {0};
	bool well;

	parse_options(argc, argv, &run.options);
	signal(SIGTERM, on_sigterm);
	run_init(&run);
	run_loop(&run);
	time_out_the_rest(&run);
	if (run.options.map_path)
		write_map(&run);
	if (run.options.expect_path)
		compare_map(&run);
	print_result(&run);
	well = all_well(&run);
	run_fini(&run);
	return well ? 0 : EXIT_NOT_ALL;
}
