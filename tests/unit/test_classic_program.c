// SPDX-License-Identifier: MIT
/* The classic program gives each client the slot that bpf/select.h gives it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "../support/classic_interpreter.h"
#include "bpf/select.h"
#include "engine/address.h"
#include "engine/classic_program.h"
#include "engine/table.h"

#define CLIENTS 3000
#define OTHER	7777 /* the index of the socket for everything else */

/* A table with its program. The order of the indices differs from that of the slots. */
struct program {
	struct sticky_settings settings;
	uint16_t slots[STICKY_BUCKETS];
	uint16_t index[STICKY_SLOTS_MAX];
	struct classic_spec spec;
	struct sock_filter code[CLASSIC_PROGRAM_MAX];
	uint32_t length;
};

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void set_up(struct program *program, uint32_t slots, uint32_t v4_prefix, uint32_t v6_prefix)
{
	uint32_t slot;

	memset(program, 0, sizeof(*program));
	program->settings =
		(struct sticky_settings){.slots = slots, .hash_seed = {0x03020100, 0xf7e6d5c4}};
	prefix_fill_mask(v4_prefix, 1, &program->settings.v4_mask);
	prefix_fill_mask(v6_prefix, 4, program->settings.v6_mask);
	table_fill(slots, program->slots);
	for (slot = 0; slot < slots; slot++)
		program->index[slot] = (uint16_t)(slots - slot);
	program->spec = (struct classic_spec){.settings = &program->settings,
					      .slots = program->slots,
					      .index = program->index,
					      .other = OTHER};
}

static struct program *program_new(uint32_t slots, uint32_t v4_prefix, uint32_t v6_prefix)
{
	struct program *program = malloc(sizeof(*program));

	assert_non_null(program);
	set_up(program, slots, v4_prefix, v6_prefix);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	return program;
}

static struct classic_packet packet_v4(uint32_t address, uint16_t port)
{
	struct classic_packet packet = {.protocol = ETH_P_IP, .size = 40};
	uint16_t wire = htons(port);

	memcpy(packet.bytes + 12, &address, sizeof(address));
	memcpy(packet.bytes + 20, &wire, sizeof(wire));
	return packet;
}

static struct classic_packet packet_v6(const uint32_t address[4], uint16_t port)
{
	struct classic_packet packet = {.protocol = ETH_P_IPV6, .size = 60};
	uint16_t wire = htons(port);

	memcpy(packet.bytes + 8, address, 16);
	memcpy(packet.bytes + 40, &wire, sizeof(wire));
	return packet;
}

static uint32_t expected(const struct program *program, const struct sticky_key *key)
{
	uint32_t hash = sticky_key_hash(&program->settings, key);

	return program->index[program->slots[sticky_hash_bucket(hash)]];
}

static uint32_t run(const struct program *program, const struct classic_packet *packet)
{
	return classic_run(program->code, program->length, packet);
}

static void check_v4(const struct program *program)
{
	uint32_t random = 0x2545f491, i;

	for (i = 0; i < CLIENTS; i++) {
		uint32_t address = next_random(&random);
		struct classic_packet packet = packet_v4(address, 40000);
		struct sticky_key key;

		sticky_key_v4(&program->settings, address, &key);
		assert_int_equal(run(program, &packet), expected(program, &key));
	}
}

static void check_v6(const struct program *program)
{
	uint32_t random = 0x9e3779b9, i, word;

	for (i = 0; i < CLIENTS; i++) {
		uint32_t address[4];
		struct classic_packet packet;
		struct sticky_key key;

		for (word = 0; word < 4; word++)
			address[word] = next_random(&random);
		/*
		 * One address in three is v4-mapped, and one differs from a v4-mapped one in a
		 * single bit.
		 */
		if (i % 3) {
			address[0] = 0;
			address[1] = i % 3 == 2 && i % 2 ? htonl(1) : 0;
			address[2] = i % 3 == 2 && !(i % 2) ? htonl(0x1ffff) : htonl(0xffff);
		}
		packet = packet_v6(address, 40000);
		sticky_key_v6(&program->settings, address, &key);
		assert_int_equal(run(program, &packet), expected(program, &key));
	}
}

static void every_client_has_the_slot_of_the_bpf_program(void **state)
{
	static const uint32_t prefixes[][2] = {{32, 64}, {24, 56}, {1, 1}, {17, 128}, {31, 127}};
	static const uint32_t counts[] = {1, 2, 3, 8, 31, 50};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (j = 0; j < sizeof(prefixes) / sizeof(prefixes[0]); j++) {
			struct program *program =
				program_new(counts[i], prefixes[j][0], prefixes[j][1]);

			check_v4(program);
			check_v6(program);
			free(program);
		}
}

static void slots_that_are_away_are_left_out(void **state)
{
	struct program *program = malloc(sizeof(*program));
	bool is_away[8] = {[2] = true, [5] = true};
	uint32_t random = 1, i;

	(void)state;
	assert_non_null(program);
	set_up(program, 8, 32, 64);
	table_spill(8, is_away, program->slots);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	check_v4(program);
	check_v6(program);
	for (i = 0; i < CLIENTS; i++) {
		struct classic_packet packet = packet_v4(next_random(&random), 1);
		uint32_t index = run(program, &packet);

		assert_int_not_equal(index, program->index[2]);
		assert_int_not_equal(index, program->index[5]);
	}
	free(program);
}

static void other_packets_go_to_the_other_socket(void **state)
{
	struct program *program = program_new(4, 32, 64);
	struct classic_packet packet = packet_v4(htonl(0x7f000001), 1);

	(void)state;
	packet.protocol = ETH_P_ARP;
	assert_int_equal(run(program, &packet), OTHER);
	program->spec.refuses = true;
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	packet.protocol = ETH_P_IP;
	assert_int_equal(run(program, &packet), OTHER);
	free(program);
}

static void set_ports(struct classic_check *check)
{
	uint16_t i;

	for (i = 0; i < CLASSIC_CHECK_PORTS; i++)
		check->ports[i] = htons((uint16_t)(4711 + 10 * i));
}

static void the_check_of_a_v4_listener_goes_to_the_other_socket(void **state)
{
	struct program *program = program_new(4, 32, 64);
	uint32_t address = htonl(0x7f000005);
	uint16_t i;

	(void)state;
	program->spec.check = (struct classic_check){.has_v4 = true, .v4 = address};
	set_ports(&program->spec.check);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	for (i = 0; i < CLASSIC_CHECK_PORTS; i++) {
		uint16_t port = (uint16_t)(4711 + 10 * i);
		struct classic_packet hit = packet_v4(address, port),
				      near = packet_v4(address, port + 1),
				      far = packet_v4(htonl(0x7f000006), port);

		assert_int_equal(run(program, &hit), OTHER);
		assert_int_not_equal(run(program, &near), OTHER);
		assert_int_not_equal(run(program, &far), OTHER);
	}
	check_v4(program);
	check_v6(program);
	free(program);
}

static void the_check_of_a_v6_listener_goes_to_the_other_socket(void **state)
{
	struct program *program = program_new(4, 32, 64);
	uint32_t address[4] = {htonl(0x20010db8), 0, htonl(5), htonl(1)}, word;
	struct classic_packet packet;
	uint16_t i;

	(void)state;
	program->spec.check = (struct classic_check){.has_v6 = true};
	memcpy(program->spec.check.v6, address, sizeof(address));
	set_ports(&program->spec.check);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	for (i = 0; i < CLASSIC_CHECK_PORTS; i++) {
		packet = packet_v6(address, (uint16_t)(4711 + 10 * i));
		assert_int_equal(run(program, &packet), OTHER);
		packet = packet_v6(address, (uint16_t)(4712 + 10 * i));
		assert_int_not_equal(run(program, &packet), OTHER);
	}
	for (word = 0; word < 4; word++) {
		uint32_t changed[4];

		memcpy(changed, address, sizeof(address));
		changed[word] ^= htonl(0x100);
		packet = packet_v6(changed, 4711);
		assert_int_not_equal(run(program, &packet), OTHER);
	}
	check_v4(program);
	check_v6(program);
	free(program);
}

/* The clients of a dual-stack listener are of both families. */
static void the_check_of_a_dual_stack_listener_goes_to_the_other_socket(void **state)
{
	struct program *program = program_new(4, 32, 64);
	struct classic_check *check = &program->spec.check;
	struct classic_packet v4 = packet_v4(htonl(0x7f000001), 4711), v6;

	(void)state;
	*check = (struct classic_check){
		.has_v4 = true, .has_v6 = true, .v4 = htonl(0x7f000001), .v6 = {[3] = htonl(1)}};
	set_ports(check);
	v6 = packet_v6(check->v6, 4711);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	assert_int_equal(run(program, &v4), OTHER);
	assert_int_equal(run(program, &v6), OTHER);
	check_v4(program);
	check_v6(program);
	free(program);
}

/* A read beyond the packet ends a classic program with the result 0. */
static void a_short_packet_is_no_other_index(void **state)
{
	struct program *program = program_new(4, 32, 64);
	struct classic_packet packet = packet_v4(htonl(0x7f000001), 1);

	(void)state;
	packet.size = 14;
	assert_int_equal(run(program, &packet), 0);
	free(program);
}

static void too_many_slots_are_refused(void **state)
{
	struct program *program = malloc(sizeof(*program));
	uint32_t slots = 1, fitting = 0;

	(void)state;
	assert_non_null(program);
	for (slots = 32; slots <= 128; slots++) {
		int error;

		set_up(program, slots, 32, 64);
		error = classic_program_make(&program->spec, program->code, &program->length);
		if (!error)
			fitting = slots;
		else
			assert_int_equal(error, -E2BIG);
	}
	/* docs/containers.md names this range. */
	assert_in_range(fitting, 50, 127);
	set_up(program, STICKY_SLOTS_MAX, 32, 64);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length),
			 -E2BIG);
	set_up(program, fitting, 32, 64);
	assert_int_equal(classic_program_make(&program->spec, program->code, &program->length), 0);
	assert_true(program->length <= CLASSIC_PROGRAM_MAX);
	check_v4(program);
	check_v6(program);
	free(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_client_has_the_slot_of_the_bpf_program),
		cmocka_unit_test(slots_that_are_away_are_left_out),
		cmocka_unit_test(other_packets_go_to_the_other_socket),
		cmocka_unit_test(the_check_of_a_v4_listener_goes_to_the_other_socket),
		cmocka_unit_test(the_check_of_a_v6_listener_goes_to_the_other_socket),
		cmocka_unit_test(the_check_of_a_dual_stack_listener_goes_to_the_other_socket),
		cmocka_unit_test(a_short_packet_is_no_other_index),
		cmocka_unit_test(too_many_slots_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
