// SPDX-License-Identifier: MIT
/*
 * The classic engine, as an ordinary user: each connection goes to the slot that
 * sticky_group_where() names, whatever changes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/caps.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS	5
#define CLIENTS 512
#define NOBODY	65534

#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif
#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

static struct sticky_group *open_group(uint32_t slots, const char *address)
{
	struct sticky_group_options options = group_options(slots);
	struct sticky_group *group;

	options.engine = STICKY_ENGINE_CLASSIC;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, address), 0);
	return group;
}

static void check_group(const char *address, sa_family_t family)
{
	struct sticky_group *group = open_group(SLOTS, address);
	struct sticky_worker *workers[SLOTS];

	workers_start(group, workers);
	assert_int_equal(group_count_moved(group, workers, 0, family, CLIENTS), 0);
	assert_int_equal(sticky_group_check(group), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void clients_keep_their_slot_v4(void **state)
{
	(void)state;
	check_group("127.0.0.1:0", AF_INET);
}

static void clients_keep_their_slot_v6(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_group("[::1]:0", AF_INET6);
}

static void clients_keep_their_slot_dual_stack(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_group(":0", AF_INET);
	check_group(":0", AF_INET6);
}

static void it_has_the_table_of_the_bpf_program(void **state)
{
	struct sticky_group_options options = group_options(31);
	struct sticky_group *user, *classic = open_group(31, "127.0.0.1:0");
	uint32_t i;

	(void)state;
	/* The engine without the kernel has the same table as the one with a BPF program. */
	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &user), 0);
	for (i = 0; i < 10000; i++) {
		struct sockaddr_storage v4 = client_address(AF_INET, i);
		struct sockaddr_storage v6 = client_address(AF_INET6, i);

		assert_int_equal(group_slot_of(user, &v4), group_slot_of(classic, &v4));
		assert_int_equal(group_slot_of(user, &v6), group_slot_of(classic, &v6));
	}
	sticky_group_close(user);
	sticky_group_close(classic);
}

static void it_says_what_it_can_do(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_dispatchers *dispatchers;
	struct sticky_prefix proxy = {.bits = 128};

	(void)state;
	assert_int_equal(sticky_group_abilities(group), STICKY_CAN_GIVE_SOCKETS);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), -EOPNOTSUPP);
	assert_int_equal(sticky_group_set_proxies(group, &proxy, 1, true), -EOPNOTSUPP);
	assert_int_equal(sticky_group_set_sample(group, 64), -EOPNOTSUPP);
	assert_int_equal(sticky_group_pin(group, "/tmp"), -EOPNOTSUPP);
	assert_int_equal(group_counters(group).steered, 0);
	sticky_group_close(group);
}

static void listeners_agree(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	struct sockaddr_storage server;
	uint32_t i;

	(void)state;
	workers_start(group, workers);
	/* Workers that are open get the sockets of a late listener, too. */
	assert_int_equal(sticky_group_listen(group, "127.0.0.2:0"), 1);
	server = address_of("127.0.0.2", group_port(group, 1));
	for (i = 0; i < CLIENTS; i++) {
		struct sockaddr_storage source = client_address(AF_INET, i);

		assert_int_equal(workers_slot_of_arrival(workers, SLOTS, 1, &source, &server),
				 group_slot_of(group, &source));
	}
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	assert_int_equal(sticky_group_check(group), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* ---- Change of hands ------------------------------------------------------------------ */

static void a_slot_keeps_its_queue_when_its_worker_ends(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *workers[SLOTS];
	uint32_t client = group_client_of_slot(group, AF_INET, 2, 0), number = 0;
	struct sockaddr_storage source = client_address(AF_INET, client);
	int ends[2];

	(void)state;
	workers_start(group, workers);
	ends[0] = client_connect(&source, &server);
	assert_int_equal(number_send(ends[0], 4711), 0);
	assert_int_equal(group_wait_queue(group, 2, 1), 0);
	assert_int_equal(sticky_worker_close(workers[2]), 0);
	assert_true(group_slot_info(group, 2).holding);
	assert_int_equal(group_slot_info(group, 2).queue, 1);
	workers[2] = worker_start(group, 2);
	assert_int_equal(sticky_worker_generation(workers[2]), 2);
	ends[1] = client_accept(sticky_worker_fd(workers[2], 0));
	assert_int_equal(number_receive(ends[1], &number), 0);
	assert_int_equal(number, 4711);
	close_all(ends, 2);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static int flags_of(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void the_next_worker_gets_blocking_sockets(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker, *beside;
	int fd = sticky_slot_holding_fd(group, 1, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(flags_of(fd), O_NONBLOCK);
	worker = worker_start(group, 1);
	assert_int_equal(flags_of(sticky_worker_fd(worker, 0)), 0);
	assert_int_equal(sticky_slot_holding_fd(group, 1, 0), -ENOENT);
	/* What a worker has set is left alone while it may rely on it. */
	assert_int_equal(fcntl(sticky_worker_fd(worker, 0), F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(sticky_worker_open(group, 1, &beside), 0);
	assert_int_equal(flags_of(sticky_worker_fd(worker, 0)), O_NONBLOCK);
	assert_int_equal(sticky_worker_close(beside), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

struct load {
	struct sockaddr_storage server;
	atomic_bool ends;
	atomic_uint count, lost;
};

static void *connect_all_the_time(void *context)
{
	struct load *load = context;
	uint32_t number;

	for (; !load->ends; load->count++) {
		struct sockaddr_storage source = client_address(AF_INET, load->count % CLIENTS);
		int fd = client_connect(&source, &load->server);

		/* The worker sends its slot. */
		load->lost +=
			fd < 0 || number_receive(fd, &number) || number != load->count % CLIENTS;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* Accept what is there; answer by the number of the client, if it belongs to the worker's slot. */
static void serve_some(struct sticky_group *group, struct sticky_worker *const *workers)
{
	struct sockaddr_storage first = client_address(AF_INET, 0), peer;
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++) {
		socklen_t length = sizeof(peer);
		int listening = sticky_worker_fd(workers[slot], 0), fd;
		uint32_t number;

		if (nothing_waits(listening))
			continue;
		fd = accept4(listening, (void *)&peer, &length, SOCK_CLOEXEC);
		assert_true(fd >= 0);
		number = ntohl(((struct sockaddr_in *)&peer)->sin_addr.s_addr) -
			 ntohl(((struct sockaddr_in *)&first)->sin_addr.s_addr);
		if (group_slot_of(group, &peer) == slot)
			number_send(fd, number);
		close(fd);
	}
}

static void slots_change_hands_without_a_gap(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS], *successor;
	struct load load = {.server = group_server(group, 0, AF_INET)};
	pthread_t thread;
	uint32_t round;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(pthread_create(&thread, NULL, connect_all_the_time, &load), 0);
	/* On a busy machine clients come so slowly that more rounds are needed. */
	for (round = 0; round < 400 || (load.count <= 50 && round < 40000); round++) {
		uint32_t slot = round % SLOTS;

		assert_int_equal(sticky_worker_open(group, slot, &successor), 0);
		assert_int_equal(sticky_worker_ready(successor), 0);
		assert_int_equal(sticky_worker_close(workers[slot]), 0);
		workers[slot] = successor;
		serve_some(group, workers);
	}
	load.ends = true;
	while (pthread_tryjoin_np(thread, NULL) == EBUSY)
		serve_some(group, workers);
	assert_true(load.count > 50);
	assert_int_equal(load.lost, 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* ---- The table --------------------------------------------------------------------------- */

static void clients_of_a_slot_that_is_away_go_to_others(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	uint32_t i;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(sticky_slot_set_away(group, 3, true), 0);
	assert_true(sticky_group_apply(group) > 0);
	for (i = 0; i < CLIENTS; i++) {
		struct sockaddr_storage client = client_address(AF_INET, i);

		assert_int_not_equal(group_slot_of(group, &client), 3);
	}
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	assert_int_equal(sticky_slot_set_away(group, 3, false), 0);
	assert_true(sticky_group_apply(group) > 0);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void slots_are_added_and_removed(void **state)
{
	struct sticky_group *group = open_group(2, "127.0.0.1:0");
	static const uint32_t counts[] = {5, 3, 4, 1, 5, 2};
	struct sticky_worker *workers[SLOTS];
	uint32_t slot, previous = 2;
	size_t i;

	(void)state;
	workers_start(group, workers);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_true(sticky_group_set_slots(group, counts[i]) > 0);
		for (slot = previous; slot < counts[i]; slot++)
			workers[slot] = worker_start(group, slot);
		assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
		for (slot = counts[i]; slot < previous; slot++)
			assert_int_equal(sticky_worker_close(workers[slot]), 0);
		assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
		previous = counts[i];
	}
	assert_int_equal(sticky_group_check(group), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_removed_slot_can_be_emptied_by_the_host(void **state)
{
	struct sticky_group *group = open_group(2, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sockaddr_storage source =
		client_address(AF_INET, group_client_of_slot(group, AF_INET, 1, 0));
	int ends[2];

	(void)state;
	ends[0] = client_connect(&source, &server);
	assert_int_equal(group_wait_queue(group, 1, 1), 0);
	assert_true(sticky_group_set_slots(group, 1) > 0);
	ends[1] = client_accept(sticky_slot_holding_fd(group, 1, 0));
	assert_true(is_peer(ends[1], ends[0]));
	close_all(ends, 2);
	sticky_group_close(group);
}

static void a_worker_need_not_serve_every_listener(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *workers[SLOTS];
	uint32_t i;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(sticky_worker_serve(workers[1], 0, 0), 0);
	assert_int_equal(sticky_worker_fd(workers[1], 0), -EINVAL);
	for (i = 0; i < CLIENTS; i++) {
		struct sockaddr_storage source = client_address(AF_INET, i);
		uint32_t owner = group_slot_of(group, &source);
		uint32_t slot = workers_slot_of_arrival(workers, SLOTS, 0, &source, &server);

		assert_int_not_equal(slot, 1);
		assert_true(owner == 1 || slot == owner);
	}
	assert_int_equal(sticky_worker_serve(workers[1], 0, 1), 0);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void too_many_slots_are_refused_with_the_number_that_fits(void **state)
{
	struct sticky_group_options options = group_options(0);
	struct sticky_group *group;
	int most = sticky_engine_slots_max(STICKY_ENGINE_CLASSIC);

	(void)state;
	assert_in_range(most, 20, 127);
	assert_int_equal(sticky_engine_slots_max(STICKY_ENGINE_KERNEL), STICKY_SLOTS_LIMIT);
	assert_int_equal(sticky_engine_slots_max(STICKY_ENGINE_COUNT), -EINVAL);
	options.engine = STICKY_ENGINE_CLASSIC;
	options.slots = (uint32_t)most + 1;
	assert_int_equal(sticky_group_open(&options, &group), -E2BIG);
	options.slots = (uint32_t)most;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	/* The group is as it was. */
	assert_int_equal(sticky_group_set_slots(group, (uint32_t)most + 1), -E2BIG);
	assert_int_equal(sticky_group_slots(group), most);
	assert_int_equal(sticky_group_check(group), 0);
	sticky_group_close(group);
}

/* ---- The end, and other programs ------------------------------------------------------- */

static void a_group_that_refuses_resets(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *workers[SLOTS];
	int fd, client, slot;
	char byte;

	(void)state;
	workers_start(group, workers);
	fd = sticky_group_fd(group);
	assert_true(fd >= 0);
	assert_int_equal(sticky_group_refuse(group), 0);
	client = client_connect(NULL, &server);
	assert_true(client >= 0);
	assert_int_equal(wait_readable(fd), 0);
	sticky_group_run(group);
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	for (slot = 0; slot < SLOTS; slot++)
		assert_true(nothing_waits(sticky_worker_fd(workers[slot], 0)));
	assert_int_equal(sticky_worker_ready(workers[0]), 0); /* it has the slot */
	workers_close(group, workers);
	sticky_group_close(group);
}

static void expect_noticed(struct sticky_group *group, struct sticky_worker *const *workers)
{
	assert_int_equal(sticky_group_check(group), 1);
	workers_drain(workers, SLOTS);
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
}

/*
 * Returns the number of clients that do not arrive at their worker, but at another one or at the
 * spare socket.
 */
static uint32_t count_scattered(struct sticky_group *group, struct sticky_worker *const *workers)
{
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	uint32_t scattered = 0, i;

	for (i = 0; i < CLIENTS; i++) {
		struct sockaddr_storage source = client_address(AF_INET, i);
		int fd = client_connect(&source, &server);

		assert_int_equal(client_settle(fd), 0);
		scattered +=
			nothing_waits(sticky_worker_fd(workers[group_slot_of(group, &source)], 0));
		workers_drain(workers, SLOTS);
		close(fd);
	}
	return scattered;
}

static void a_detached_program_is_attached_again(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	int none = 0;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(setsockopt(sticky_worker_fd(workers[1], 0), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
	/* Shows the fault: without a check, the clients stay scattered. */
	assert_true(count_scattered(group, workers) > CLIENTS / 4);
	expect_noticed(group, workers);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* Some kernels must not replace programs often: kernel_version.h. */
static void a_change_of_hands_attaches_nothing(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS], *successor;
	int none = 0;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(setsockopt(sticky_worker_fd(workers[1], 0), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
	assert_int_equal(sticky_worker_open(group, 0, &successor), 0);
	assert_int_equal(sticky_worker_ready(successor), 0);
	assert_int_equal(sticky_worker_close(workers[0]), 0);
	workers[0] = successor;
	/* An attach would have ended this. */
	assert_true(count_scattered(group, workers) > CLIENTS / 4);
	expect_noticed(group, workers);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_foreign_program_is_replaced(void **state)
{
	struct sock_filter code[] = {{.code = BPF_RET | BPF_K, .k = 1}};
	struct sock_fprog program = {.len = 1, .filter = code};
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *workers[SLOTS];
	int foreign;

	(void)state;
	workers_start(group, workers);
	foreign = plain_listen(&server, SO_REUSEPORT);
	assert_true(foreign >= 0);
	/* The sockets of workers are locked, so that it takes a socket of one's own. */
	assert_int_equal(setsockopt(sticky_worker_fd(workers[1], 0), SOL_SOCKET,
				    SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)),
			 -1);
	assert_int_equal(setsockopt(foreign, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
				    sizeof(program)),
			 0);
	close(foreign);
	assert_true(group_count_moved(group, workers, 0, AF_INET, CLIENTS) > CLIENTS / 4);
	expect_noticed(group, workers);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_socket_that_was_shut_down_is_replaced(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];

	(void)state;
	workers_start(group, workers);
	assert_int_equal(sticky_group_repair(group), 0);
	assert_int_equal(shutdown(sticky_worker_fd(workers[1], 0), SHUT_RD), 0);
	assert_int_equal(sticky_group_repair(group), 1);
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(sticky_worker_close(workers[1]), 0);
	workers[1] = worker_start(group, 1);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	/* Without a repair in between. */
	assert_int_equal(shutdown(sticky_worker_fd(workers[4], 0), SHUT_RD), 0);
	assert_int_equal(sticky_worker_close(workers[4]), 0);
	workers[4] = worker_start(group, 4);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* Slots that were not added leave no sockets, and the order of the others in the kernel stays. */
static void a_growth_that_fails_leaves_nothing(void **state)
{
	struct sticky_group *group = open_group(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS + 3];
	uint32_t before, more;

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	before = descriptors_count();
	for (more = 0; more < 6; more++) {
		descriptors_limit(more);
		assert_int_equal(sticky_group_set_slots(group, SLOTS + 3), -EMFILE);
		descriptors_unlimit();
		assert_int_equal(descriptors_count(), before);
		assert_int_equal(sticky_group_slots(group), SLOTS);
	}
	assert_true(sticky_group_set_slots(group, SLOTS + 3) > 0);
	/* A slot that is removed keeps its sockets, also if it cannot be added again. */
	assert_true(sticky_group_set_slots(group, SLOTS) > 0);
	before = descriptors_count();
	assert_int_equal(sticky_group_set_slots(group, STICKY_SLOTS_LIMIT), -E2BIG);
	assert_int_equal(descriptors_count(), before);
	assert_true(sticky_group_set_slots(group, SLOTS + 3) > 0);
	workers_start(group, workers);
	assert_int_equal(group_count_moved(group, workers, 0, AF_INET, CLIENTS), 0);
	assert_int_equal(group_count_moved(group, workers, 1, AF_INET, CLIENTS), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static int become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return caps_read().permitted ? -EPERM : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_keep_their_slot_v4),
		cmocka_unit_test(clients_keep_their_slot_v6),
		cmocka_unit_test(clients_keep_their_slot_dual_stack),
		cmocka_unit_test(it_has_the_table_of_the_bpf_program),
		cmocka_unit_test(it_says_what_it_can_do),
		cmocka_unit_test(listeners_agree),
		cmocka_unit_test(a_slot_keeps_its_queue_when_its_worker_ends),
		cmocka_unit_test(the_next_worker_gets_blocking_sockets),
		cmocka_unit_test(slots_change_hands_without_a_gap),
		cmocka_unit_test(clients_of_a_slot_that_is_away_go_to_others),
		cmocka_unit_test(slots_are_added_and_removed),
		cmocka_unit_test(a_removed_slot_can_be_emptied_by_the_host),
		cmocka_unit_test(a_worker_need_not_serve_every_listener),
		cmocka_unit_test(too_many_slots_are_refused_with_the_number_that_fits),
		cmocka_unit_test(a_group_that_refuses_resets),
		cmocka_unit_test(a_detached_program_is_attached_again),
		cmocka_unit_test(a_change_of_hands_attaches_nothing),
		cmocka_unit_test(a_foreign_program_is_replaced),
		cmocka_unit_test(a_socket_that_was_shut_down_is_replaced),
		cmocka_unit_test(a_growth_that_fails_leaves_nothing),
	};
	const char *reason = netns_enter_without_bpf();

	if (reason)
		return netns_skip(reason);
	if (become_nobody())
		return netns_skip("can't become another user");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
