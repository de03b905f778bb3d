// SPDX-License-Identifier: MIT
/*
 * A worker process that uses libsticky: the descriptors that it inherits, the connections that it
 * accepts, and the messages that it sends.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/channel.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FIRST	    3 /* SD_LISTEN_FDS_START */
#define SOCKETS_MAX 64
/*
 * the test's own descriptors; the high numbers keep them apart from those that the process inherits
 */
#define HIGH	200
#define CLIENTS 128

/* The controller's side, which the test takes. */
struct scene {
	uint32_t before;
	struct sockaddr_storage servers[2];
	int listening[2]; /* duplicates: the controller keeps the sockets open, too */
	int channel;
	int notify;
	uint32_t client_count;
	int clients[CLIENTS];
	struct sticky_process *process;
};

/* ---- Inherited descriptors -------------------------------------------------------------- */

static void set_number(const char *name, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	assert_int_equal(setenv(name, text, 1), 0);
}

static void clear_environment(void)
{
	static const char *const names[] = {"LISTEN_FDS",    "LISTEN_PID",  "STICKY_CHANNEL",
					    "NOTIFY_SOCKET", "STICKY_SLOT", "STICKY_GENERATION"};
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
}

static int move_to(int fd, int target)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, target);

	close(fd);
	assert_true(moved >= target);
	return moved;
}

/*
 * Give a descriptor to the process as exec() does: it has this number, is blocking, and is
 * inherited.
 */
static void give(int fd, int number)
{
	assert_int_equal(fcntl(number, F_GETFD), -1);
	assert_int_equal(dup2(fd, number), number);
	assert_int_equal(fcntl(number, F_SETFL, 0), 0);
}

static void give_channel(struct scene *scene, int number)
{
	int ends[2];

	assert_int_equal(channel_pair(ends), 0);
	scene->channel = move_to(ends[0], HIGH);
	ends[1] = move_to(ends[1], HIGH);
	give(ends[1], number);
	close(ends[1]);
	set_number("STICKY_CHANNEL", number);
}

static void prepare(struct scene *scene, uint32_t sockets, bool with_channel)
{
	uint32_t i;

	memset(scene, 0, sizeof(*scene));
	/* Descriptors that a failed test has left open must not be inherited. */
	close_range(FIRST, UINT32_MAX, 0);
	scene->before = descriptors_count();
	scene->channel = scene->notify = -1;
	scene->listening[0] = scene->listening[1] = -1;
	clear_environment();
	for (i = 0; i < sockets; i++) {
		scene->servers[i] = address_of("127.0.0.1", 0);
		scene->listening[i] = move_to(plain_listen(&scene->servers[i], 0), HIGH);
		give(scene->listening[i], FIRST + (int)i);
	}
	set_number("LISTEN_FDS", sockets);
	set_number("LISTEN_PID", getpid());
	if (with_channel)
		give_channel(scene, FIRST + (int)sockets);
}

static int hear(struct scene *scene, struct channel_message *ret_message)
{
	int fd = -1, result = channel_receive(scene->channel, ret_message, &fd);

	assert_int_equal(fd, -1);
	return result;
}

static void check_heard(struct scene *scene, enum channel_kind kind, uint32_t id)
{
	struct channel_message message;

	assert_int_equal(hear(scene, &message), 1);
	assert_int_equal(message.kind, kind);
	assert_int_equal(message.id, id);
}

static void check_silence(struct scene *scene)
{
	struct channel_message message;

	assert_int_equal(hear(scene, &message), -EAGAIN);
}

static void begin(struct scene *scene, uint32_t sockets, bool with_channel)
{
	prepare(scene, sockets, with_channel);
	assert_int_equal(sticky_process_open(&scene->process), 0);
	if (with_channel)
		check_heard(scene, CHANNEL_HELLO, 0);
}

static void close_given(void)
{
	int fd;

	for (fd = FIRST; fd < FIRST + SOCKETS_MAX + 2; fd++)
		close(fd);
}

static void end(struct scene *scene)
{
	sticky_process_close(scene->process);
	close_all(scene->clients, scene->client_count);
	close_all(scene->listening, 2);
	close_all(&scene->channel, 1);
	close_all(&scene->notify, 1);
	clear_environment();
	assert_int_equal(descriptors_count(), scene->before);
}

/* Check that the call fails with this error, and that its output is untouched. */
static void check_open(int expected)
{
	struct sticky_process *untouched = (void *)&expected, *process = untouched;

	assert_int_equal(sticky_process_open(&process), expected);
	assert_ptr_equal(process, untouched);
}

/* ---- Clients ----------------------------------------------------------------------------- */

static int add_client(struct scene *scene, uint32_t listener)
{
	int fd = client_connect(NULL, &scene->servers[listener]);

	assert_true(scene->client_count < CLIENTS && fd >= 0);
	scene->clients[scene->client_count++] = fd;
	return fd;
}

/* Pass a connection whose other end is one of the scene's clients. */
static void pass(struct scene *scene, uint32_t id, const struct sockaddr_storage *client)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .kind = CHANNEL_CONNECTION, .id = id};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	if (client)
		channel_set_client(&message, (const void *)client);
	assert_int_equal(channel_send(scene->channel, &message, pair[0]), 0);
	close(pair[0]);
	scene->clients[scene->client_count++] = pair[1];
}

static int take(struct scene *scene, struct sockaddr_storage *ret_client, int flags)
{
	return sticky_process_accept(scene->process, ret_client, flags);
}

static void take_one(struct scene *scene)
{
	int fd = take(scene, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
}

/* Check that there is no connection, and that poll() does not report one. */
static void check_nobody(struct scene *scene, int expected)
{
	assert_int_equal(take(scene, NULL, 0), expected);
	assert_true(nothing_waits(sticky_process_fd(scene->process)));
}

static bool has_ended(int client)
{
	char byte;

	return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

/* ---- The environment --------------------------------------------------------------------- */

static void who_was_given_nothing_is_told_so(void **state)
{
	static const char *const counts[] = {"",    "0",  "-1", "x", "1x",
					     "0x1", "1 ", "1.", " ", "99999999999999999999"};
	struct scene scene;
	size_t i;

	(void)state;
	prepare(&scene, 1, false);
	for (i = 0; i < COUNT(counts); i++) {
		setenv("LISTEN_FDS", counts[i], 1);
		check_open(-ENOENT);
	}
	unsetenv("LISTEN_FDS");
	check_open(-ENOENT);
	/* A descriptor that is not named stays as it was. */
	assert_int_equal(fcntl(FIRST, F_GETFD), 0);
	assert_int_equal(fcntl(FIRST, F_GETFL) & O_NONBLOCK, 0);
	close_given();
	end(&scene);
}

static void what_was_given_to_another_process_is_not_ours(void **state)
{
	static const char *const pids[] = {"", "0", "-1", "x", "1"};
	struct scene scene;
	size_t i;

	(void)state;
	prepare(&scene, 1, true);
	for (i = 0; i < COUNT(pids); i++) {
		setenv("LISTEN_PID", pids[i], 1);
		check_open(-ENOENT);
	}
	set_number("LISTEN_PID", getppid());
	check_open(-ENOENT);
	unsetenv("LISTEN_PID");
	check_open(-ENOENT);
	assert_int_equal(fcntl(FIRST, F_GETFD), 0);
	assert_int_equal(fcntl(FIRST + 1, F_GETFD), 0);
	check_silence(&scene);
	close_given();
	end(&scene);
}

static void a_child_that_inherited_the_variables_has_nothing(void **state)
{
	struct scene scene;
	int status;
	pid_t child;

	(void)state;
	begin(&scene, 1, true);
	child = fork();
	if (child == 0) {
		struct sticky_process *process;

		_exit(sticky_process_open(&process) == -ENOENT ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	check_silence(&scene);
	end(&scene);
}

static void what_is_named_must_be_there(void **state)
{
	struct scene scene;

	(void)state;
	prepare(&scene, 1, false);
	set_number("LISTEN_FDS", 2);
	check_open(-EBADF);
	close_given();
	end(&scene);

	prepare(&scene, 1, false);
	set_number("STICKY_CHANNEL", 77);
	check_open(-EBADF);
	close_given();
	end(&scene);
}

static void junk_for_a_channel_is_none(void **state)
{
	static const char *const numbers[] = {"",   "x",	  "-1",
					      "4x", "4294967300", "99999999999999999999"};
	struct scene scene;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(numbers); i++) {
		prepare(&scene, 1, true);
		setenv("STICKY_CHANNEL", numbers[i], 1);
		assert_int_equal(sticky_process_open(&scene.process), 0);
		check_silence(&scene);
		close(FIRST + 1);
		end(&scene);
	}
}

static void a_channel_that_is_no_socket_is_refused(void **state)
{
	struct sticky_process *process;
	struct scene scene;
	int file;

	(void)state;
	prepare(&scene, 1, false);
	file = move_to(open("/dev/null", O_RDWR | O_CLOEXEC), HIGH);
	give(file, FIRST + 1);
	set_number("STICKY_CHANNEL", FIRST + 1);
	assert_true(sticky_process_open(&process) < 0);
	close_given();
	close(file);
	end(&scene);
}

static void there_may_be_so_many_sockets(void **state)
{
	struct scene scene;
	int i;

	(void)state;
	prepare(&scene, 1, false);
	set_number("LISTEN_FDS", SOCKETS_MAX + 1);
	check_open(-EMFILE);
	set_number("LISTEN_FDS", INT64_MAX);
	check_open(-EMFILE);
	for (i = 1; i < SOCKETS_MAX; i++)
		give(scene.listening[0], FIRST + i);
	set_number("LISTEN_FDS", SOCKETS_MAX);
	assert_int_equal(sticky_process_open(&scene.process), 0);
	add_client(&scene, 0);
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	end(&scene);
}

static void what_is_taken_over_never_blocks_and_ends_with_exec(void **state)
{
	struct scene scene;
	int fd;

	(void)state;
	begin(&scene, 2, true);
	for (fd = FIRST; fd < FIRST + 3; fd++) {
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	}
	assert_int_equal(fcntl(sticky_process_fd(scene.process), F_GETFD), FD_CLOEXEC);
	assert_string_equal(getenv("LISTEN_FDS"), "2"); /* the variables stay */
	check_nobody(&scene, -EAGAIN);
	end(&scene);
	sticky_process_close(NULL);
}

static void the_slot_and_the_generation_are_told(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene, 1, false);
	assert_int_equal(sticky_process_slot(scene.process), 0);
	assert_int_equal(sticky_process_generation(scene.process), 0);
	setenv("STICKY_SLOT", "7", 1);
	setenv("STICKY_GENERATION", "5000000000", 1);
	assert_int_equal(sticky_process_slot(scene.process), 7);
	assert_true(sticky_process_generation(scene.process) == 5000000000);
	setenv("STICKY_SLOT", "-7", 1);
	setenv("STICKY_GENERATION", "7th", 1);
	assert_int_equal(sticky_process_slot(scene.process), 0);
	assert_int_equal(sticky_process_generation(scene.process), 0);
	end(&scene);
}

/* The controller has died. Connections of the listening sockets can still be served. */
static void a_channel_whose_other_end_is_gone_leaves_the_sockets(void **state)
{
	struct scene scene;

	(void)state;
	prepare(&scene, 1, true);
	close_all(&scene.channel, 1);
	assert_int_equal(sticky_process_open(&scene.process), 0);
	add_client(&scene, 0);
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	end(&scene);
}

/* ---- Accepting ----------------------------------------------------------------------------- */

static void either_kind_alone_will_do(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene, 1, false);
	add_client(&scene, 0);
	assert_int_equal(wait_readable(sticky_process_fd(scene.process)), 0);
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	end(&scene);

	begin(&scene, 0, true);
	check_nobody(&scene, -EAGAIN);
	pass(&scene, 1, NULL);
	assert_int_equal(wait_readable(sticky_process_fd(scene.process)), 0);
	take_one(&scene);
	check_heard(&scene, CHANNEL_ACCEPTED, 1);
	check_nobody(&scene, -EAGAIN);
	end(&scene);
}

/* Returns the index of the source that a connection came from. The channel is the last one. */
static uint32_t source_of(const struct scene *scene, int fd)
{
	struct sockaddr_storage own = {0};
	socklen_t length = sizeof(own);

	assert_int_equal(getsockname(fd, (void *)&own, &length), 0);
	if (own.ss_family == AF_UNIX)
		return 2;
	return memcmp(&own, &scene->servers[0], sizeof(own)) ? 1 : 0;
}

/* No source has to wait until another one is empty: each of three gets every third turn. */
static void the_sources_take_turns(void **state)
{
	struct scene scene;
	uint32_t i, source, counts[3] = {0};

	(void)state;
	begin(&scene, 2, true);
	for (i = 0; i < 20; i++) {
		add_client(&scene, 0);
		add_client(&scene, 1);
		pass(&scene, i, NULL);
	}
	for (i = 0; i < 60; i++) {
		int fd = take(&scene, NULL, SOCK_CLOEXEC);

		assert_true(fd >= 0);
		counts[source_of(&scene, fd)]++;
		close(fd);
		for (source = 0; i % 3 == 2 && source < 3; source++)
			assert_int_equal(counts[source], (i + 1) / 3);
	}
	for (i = 0; i < 20; i++)
		check_heard(&scene, CHANNEL_ACCEPTED, i);
	check_nobody(&scene, -EAGAIN);
	end(&scene);
}

static void add_from(struct scene *scene, uint32_t source)
{
	if (source == 2)
		pass(scene, 1, NULL);
	else
		add_client(scene, source);
}

/* A source that is never empty does not keep others from being served. */
static void a_busy_source_starves_nobody(void **state)
{
	struct scene scene;
	uint32_t busy, i, others;

	(void)state;
	for (busy = 0; busy < 3; busy++) {
		begin(&scene, 2, true);
		for (i = 0; i < 10; i++)
			add_from(&scene, busy);
		add_from(&scene, (busy + 1) % 3);
		for (i = others = 0; i < 3; i++) {
			int fd = take(&scene, NULL, SOCK_CLOEXEC);

			assert_true(fd >= 0);
			others += source_of(&scene, fd) != busy;
			close(fd);
		}
		assert_int_equal(others, 1);
		end(&scene);
	}
}

static void a_passed_client_is_who_we_are_told(void **state)
{
	struct sockaddr_storage v4 = address_of("203.0.113.9", 4711);
	struct sockaddr_storage v6 = address_of("2001:db8::9", 4712);
	const struct sockaddr_storage *clients[] = {&v4, &v6};
	struct sockaddr_storage got, nobody = {0};
	struct scene scene;
	size_t i;
	int fd;

	(void)state;
	begin(&scene, 0, true);
	for (i = 0; i < COUNT(clients); i++) {
		memset(&got, 0xff, sizeof(got));
		pass(&scene, 1, clients[i]);
		fd = take(&scene, &got, SOCK_CLOEXEC);
		assert_true(fd >= 0);
		assert_memory_equal(&got, clients[i], sizeof(got));
		close(fd);
	}
	memset(&got, 0xff, sizeof(got));
	pass(&scene, 2, NULL);
	fd = take(&scene, &got, SOCK_CLOEXEC);
	assert_memory_equal(&got, &nobody, sizeof(got));
	close(fd);
	end(&scene);
}

static void another_client_is_the_peer(void **state)
{
	struct sockaddr_storage source = client_address(AF_INET, 77), got, own = {0};
	socklen_t length = sizeof(own);
	struct scene scene;
	int fd;

	(void)state;
	begin(&scene, 1, true);
	scene.clients[scene.client_count++] = client_connect(&source, &scene.servers[0]);
	assert_int_equal(getsockname(scene.clients[0], (void *)&own, &length), 0);
	fd = take(&scene, &got, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_memory_equal(&got, &own, sizeof(struct sockaddr_in));
	assert_true(is_peer(fd, scene.clients[0]));
	close(fd);
	end(&scene);
}

static void the_flags_are_those_of_accept4(void **state)
{
	static const int flags[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK};
	struct scene scene;
	size_t i;
	int kind;

	(void)state;
	begin(&scene, 1, true);
	for (i = 0; i < COUNT(flags); i++)
		for (kind = 0; kind < 2; kind++) {
			int fd;

			kind ? pass(&scene, 1, NULL) : (void)add_client(&scene, 0);
			fd = take(&scene, NULL, flags[i]);
			assert_true(fd >= 0);
			assert_int_equal(!!(fcntl(fd, F_GETFD) & FD_CLOEXEC),
					 !!(flags[i] & SOCK_CLOEXEC));
			assert_int_equal(!!(fcntl(fd, F_GETFL) & O_NONBLOCK),
					 !!(flags[i] & SOCK_NONBLOCK));
			close(fd);
		}
	end(&scene);
}

static void the_connection_is_the_one_that_was_passed(void **state)
{
	struct scene scene;
	uint32_t number;
	int fd;

	(void)state;
	begin(&scene, 1, true);
	pass(&scene, 5, NULL);
	assert_int_equal(number_send(scene.clients[0], 4711), 0);
	check_silence(&scene); /* the report is not sent before the connection is accepted */
	fd = take(&scene, NULL, SOCK_CLOEXEC);
	assert_int_equal(number_receive(fd, &number), 0);
	assert_int_equal(number, 4711);
	check_heard(&scene, CHANNEL_ACCEPTED, 5);
	/* Accepted connections stay open when the process object is closed. */
	sticky_process_close(scene.process);
	scene.process = NULL;
	assert_int_equal(number_send(fd, 4712), 0);
	assert_int_equal(number_receive(scene.clients[0], &number), 0);
	assert_int_equal(number, 4712);
	close(fd);
	end(&scene);
}

/* ---- No descriptor left ------------------------------------------------------------------ */

static void a_passed_one_without_room_goes_back(void **state)
{
	struct scene scene;
	uint32_t before;

	(void)state;
	begin(&scene, 0, true);
	pass(&scene, 1, NULL);
	pass(&scene, 2, NULL);
	before = descriptors_count();
	descriptors_limit(0);
	assert_int_equal(take(&scene, NULL, 0), -EMFILE);
	descriptors_unlimit();
	check_heard(&scene, CHANNEL_REFUSED, 1);
	check_silence(&scene);
	assert_int_equal(descriptors_count(), before);
	assert_true(has_ended(scene.clients[0])); /* the test does not keep the other end open */
	take_one(&scene);
	check_heard(&scene, CHANNEL_ACCEPTED, 2);
	end(&scene);
}

static void a_queued_one_without_room_waits(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene, 1, true);
	add_client(&scene, 0);
	descriptors_limit(0);
	assert_int_equal(take(&scene, NULL, 0), -EMFILE);
	descriptors_unlimit();
	assert_int_equal(wait_readable(sticky_process_fd(scene.process)), 0);
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	end(&scene);
}

static void opening_without_room_leaves_nothing(void **state)
{
	struct scene scene;

	(void)state;
	prepare(&scene, 2, true);
	descriptors_limit(0);
	check_open(-EMFILE);
	descriptors_unlimit();
	close_given();
	end(&scene);
}

/* ---- The controller's end is closed ------------------------------------------------------ */

static void the_controllers_end_is_not_ours(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene, 1, true);
	pass(&scene, 1, NULL);
	close_all(&scene.channel, 1);
	/* A message that was sent before the end is still valid. */
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	add_client(&scene, 0);
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	assert_int_equal(sticky_process_stopping(scene.process), 0);
	end(&scene);
}

/* A child of the worker may have inherited the worker's end of the channel. */
static void an_end_that_somebody_else_has_too_is_not_polled_for_ever(void **state)
{
	struct scene scene;
	int duplicate;

	(void)state;
	begin(&scene, 1, true);
	duplicate = fcntl(FIRST + 1, F_DUPFD_CLOEXEC, HIGH);
	close_all(&scene.channel, 1);
	check_nobody(&scene, -EAGAIN);
	close(duplicate);
	end(&scene);
}

/*
 * Check that invalid messages are ignored. They come from a controller of another version, or from
 * an unknown sender.
 */
static void check_junk(const void *bytes, size_t length)
{
	struct scene scene;
	char byte;

	begin(&scene, 1, true);
	assert_int_equal(send(scene.channel, bytes, length, 0), length);
	check_nobody(&scene, -EAGAIN);
	add_client(&scene, 0);
	take_one(&scene);
	check_nobody(&scene, -EAGAIN);
	/*
	 * The controller sees that the worker has closed its end: no connection that it passes is
	 * lost.
	 */
	assert_int_equal(recv(scene.channel, &byte, 1, 0), 0);
	end(&scene);
}

static void junk_ends_the_channel(void **state)
{
	struct channel_message other = {.version = CHANNEL_VERSION + 1, .kind = CHANNEL_CONNECTION};
	struct channel_message kind = {.version = CHANNEL_VERSION, .kind = CHANNEL_KIND_END};
	char junk[4096];

	(void)state;
	memset(junk, 0x5a, sizeof(junk));
	check_junk(junk, 1);
	check_junk(junk, sizeof(struct channel_message));
	check_junk(junk, sizeof(junk));
	check_junk(&other, sizeof(other));
	check_junk(&kind, sizeof(kind));
	check_junk(&other, sizeof(other) - 1);
}

static void words_that_are_not_for_us_are_passed_over(void **state)
{
	struct channel_message message = {.version = CHANNEL_VERSION, .id = 9};
	struct scene scene;
	uint32_t before;
	int file;

	(void)state;
	begin(&scene, 0, true);
	file = move_to(open("/dev/null", O_RDONLY | O_CLOEXEC), HIGH);
	before = descriptors_count();
	for (message.kind = CHANNEL_HELLO; message.kind < CHANNEL_KIND_END; message.kind++)
		assert_int_equal(channel_send(scene.channel, &message, -1), 0);
	check_nobody(&scene, -EAGAIN);
	check_silence(&scene);
	message.kind = CHANNEL_ACCEPTED; /* it carries a descriptor, which must be closed */
	assert_int_equal(channel_send(scene.channel, &message, file), 0);
	check_nobody(&scene, -EAGAIN);
	assert_int_equal(descriptors_count(), before);
	check_heard(&scene, CHANNEL_REFUSED, 9);
	pass(&scene, 10, NULL);
	take_one(&scene);
	check_heard(&scene, CHANNEL_ACCEPTED, 10);
	close(file);
	end(&scene);
}

/* ---- Messages to the controller --------------------------------------------------------- */

static void open_notify(struct scene *scene, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	scene->notify = move_to(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), HIGH);
	assert_int_equal(bind(scene->notify, (void *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
			 0);
	setenv("NOTIFY_SOCKET", path, 1);
}

static void check_told(struct scene *scene, const char *expected)
{
	char text[128] = "";
	ssize_t length = recv(scene->notify, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (!expected) {
		assert_int_equal(length, -1);
		return;
	}
	assert_int_equal(length, strlen(expected));
	assert_string_equal(text, expected);
}

static void check_notify(const char *path)
{
	struct scene scene;

	prepare(&scene, 1, true);
	open_notify(&scene, path);
	assert_int_equal(sticky_process_open(&scene.process), 0);
	check_told(&scene, NULL);
	assert_int_equal(sticky_process_ready(scene.process), 0);
	check_told(&scene, "READY=1");
	assert_int_equal(sticky_process_stopping(scene.process), 0);
	check_told(&scene, "STOPPING=1");
	assert_int_equal(sticky_process_stopping(scene.process), 0);
	check_told(&scene, NULL);
	end(&scene);
}

static void the_controller_is_told_at_a_path_or_a_name(void **state)
{
	char directory[] = "/tmp/test_process.XXXXXX", path[128];
	char longest[sizeof(((struct sockaddr_un *)0)->sun_path)];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/notify", directory);
	check_notify(path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	check_notify("@sticky/test_process");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '@';
	longest[sizeof(longest) - 1] = '\0';
	check_notify(longest);
}

static void who_can_not_be_told_is_an_error(void **state)
{
	char too_long[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct scene scene;

	(void)state;
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	begin(&scene, 1, false);
	assert_int_equal(sticky_process_ready(scene.process), 0); /* there is no NOTIFY_SOCKET */
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(sticky_process_ready(scene.process), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(sticky_process_ready(scene.process), -EINVAL);
	setenv("NOTIFY_SOCKET", too_long, 1);
	assert_int_equal(sticky_process_ready(scene.process), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nobody/is/there", 1);
	assert_int_equal(sticky_process_ready(scene.process), -ENOENT);
	setenv("NOTIFY_SOCKET", "@nobody", 1);
	assert_int_equal(sticky_process_ready(scene.process), -ECONNREFUSED);
	/* The process stops accepting nevertheless. */
	assert_int_equal(sticky_process_stopping(scene.process), -ECONNREFUSED);
	check_nobody(&scene, -ESHUTDOWN);
	end(&scene);
}

/* ---- Stopping ---------------------------------------------------------------------------- */

static void check_no_more(const struct scene *scene)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .kind = CHANNEL_CONNECTION, .id = 6};

	assert_int_equal(channel_send(scene->channel, &message, -1), -EPIPE);
}

static void what_was_not_accepted_goes_back(void **state)
{
	struct channel_message message;
	struct scene scene;
	uint32_t id;

	(void)state;
	begin(&scene, 2, true);
	for (id = 1; id <= 5; id++)
		pass(&scene, id, NULL);
	take_one(&scene);
	check_heard(&scene, CHANNEL_ACCEPTED, 1);
	assert_int_equal(sticky_process_stopping(scene.process), 0);
	for (id = 2; id <= 5; id++)
		check_heard(&scene, CHANNEL_REFUSED, id);
	assert_int_equal(hear(&scene, &message), 0);
	assert_int_equal(fcntl(FIRST, F_GETFD), -1);
	assert_int_equal(fcntl(FIRST + 1, F_GETFD), -1);
	check_nobody(&scene, -ESHUTDOWN);
	/*
	 * The closed channel tells the controller that the worker takes no more connections: none
	 * is left behind in it.
	 */
	check_no_more(&scene);
	end(&scene);
}

/*
 * Other processes keep the listening socket open, but the process's descriptor does not report its
 * queue any more.
 */
static void whoever_polls_is_not_told_of_what_is_no_longer_ours(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene, 1, true);
	assert_int_equal(sticky_process_stopping(scene.process), 0);
	add_client(&scene, 0);
	assert_int_equal(wait_readable(scene.listening[0]), 0);
	check_nobody(&scene, -ESHUTDOWN);
	end(&scene);
}

/* No descriptor is free, and there is no listening socket whose close would free one. */
static void without_room_all_go_back_too(void **state)
{
	struct scene scene;
	uint32_t id;

	(void)state;
	begin(&scene, 0, true);
	for (id = 1; id <= 5; id++)
		pass(&scene, id, NULL);
	descriptors_limit(0);
	assert_int_equal(sticky_process_stopping(scene.process), 0);
	descriptors_unlimit();
	for (id = 1; id <= 5; id++)
		check_heard(&scene, CHANNEL_REFUSED, id);
	check_nobody(&scene, -ESHUTDOWN);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_was_given_nothing_is_told_so),
		cmocka_unit_test(what_was_given_to_another_process_is_not_ours),
		cmocka_unit_test(a_child_that_inherited_the_variables_has_nothing),
		cmocka_unit_test(what_is_named_must_be_there),
		cmocka_unit_test(junk_for_a_channel_is_none),
		cmocka_unit_test(a_channel_that_is_no_socket_is_refused),
		cmocka_unit_test(there_may_be_so_many_sockets),
		cmocka_unit_test(what_is_taken_over_never_blocks_and_ends_with_exec),
		cmocka_unit_test(the_slot_and_the_generation_are_told),
		cmocka_unit_test(a_channel_whose_other_end_is_gone_leaves_the_sockets),
		cmocka_unit_test(either_kind_alone_will_do),
		cmocka_unit_test(the_sources_take_turns),
		cmocka_unit_test(a_busy_source_starves_nobody),
		cmocka_unit_test(a_passed_client_is_who_we_are_told),
		cmocka_unit_test(another_client_is_the_peer),
		cmocka_unit_test(the_flags_are_those_of_accept4),
		cmocka_unit_test(the_connection_is_the_one_that_was_passed),
		cmocka_unit_test(a_passed_one_without_room_goes_back),
		cmocka_unit_test(a_queued_one_without_room_waits),
		cmocka_unit_test(opening_without_room_leaves_nothing),
		cmocka_unit_test(the_controllers_end_is_not_ours),
		cmocka_unit_test(an_end_that_somebody_else_has_too_is_not_polled_for_ever),
		cmocka_unit_test(junk_ends_the_channel),
		cmocka_unit_test(words_that_are_not_for_us_are_passed_over),
		cmocka_unit_test(the_controller_is_told_at_a_path_or_a_name),
		cmocka_unit_test(who_can_not_be_told_is_an_error),
		cmocka_unit_test(what_was_not_accepted_goes_back),
		cmocka_unit_test(whoever_polls_is_not_told_of_what_is_no_longer_ours),
		cmocka_unit_test(without_room_all_go_back_too),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
