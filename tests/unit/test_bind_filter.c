// SPDX-License-Identifier: MIT
/*
 * The seccomp filter of workers that call bind() themselves, run by a small interpreter of classic
 * BPF.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "bind/bind_filter.h"

#define X86_BIND       49
#define X86_LISTEN     50
#define ARM_BIND       200
#define ARM_LISTEN     201
#define X32_BIT	       0x40000000
#define I386_SOCKETALL 102

static struct sock_filter program[BIND_FILTER_MAX];
static size_t count;

static uint32_t word(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;

	assert_true(offset + sizeof(value) <= sizeof(*data) && offset % 4 == 0);
	memcpy(&value, (const char *)data + offset, sizeof(value));
	return value;
}

static int holds(const struct sock_filter *step, uint32_t value)
{
	switch (BPF_OP(step->code)) {
	case BPF_JEQ:
		return value == step->k;
	case BPF_JGE:
		return value >= step->k;
	case BPF_JGT:
		return value > step->k;
	default:
		fail_msg("jump %x", step->code);
		return 0;
	}
}

/* Run the filter. Every path must end within the program, as all jumps go forward. */
static uint32_t run(const struct seccomp_data *data)
{
	uint32_t value = 0;
	size_t at = 0;

	while (at < count) {
		const struct sock_filter *step = &program[at++];

		switch (step->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			value = word(data, step->k);
			break;
		case BPF_RET | BPF_K:
			return step->k;
		default:
			assert_int_equal(BPF_CLASS(step->code), BPF_JMP);
			at += holds(step, value) ? step->jt : step->jf;
		}
	}
	fail_msg("it ends without a result");
	return 0;
}

static uint32_t call(uint32_t arch, int number, uint64_t third)
{
	const struct seccomp_data data = {
		.nr = number, .arch = arch, .args = {3, 0x7ffc00001000, third, 4, 5, 6}};

	return run(&data);
}

static int build(void **state)
{
	(void)state;
	count = bind_filter_build(program);
	return 0;
}

static void bind_and_listen_are_stopped(void **state)
{
	(void)state;
	assert_int_equal(call(AUDIT_ARCH_X86_64, X86_BIND, 16), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(call(AUDIT_ARCH_X86_64, X86_BIND, 28), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(call(AUDIT_ARCH_X86_64, X86_LISTEN, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(call(AUDIT_ARCH_AARCH64, ARM_BIND, 128), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(call(AUDIT_ARCH_AARCH64, ARM_LISTEN, 0), SECCOMP_RET_USER_NOTIF);
}

static void every_other_call_is_allowed(void **state)
{
	int number;

	(void)state;
	for (number = -1; number < 1000; number++) {
		if (number != X86_BIND && number != X86_LISTEN)
			assert_int_equal(call(AUDIT_ARCH_X86_64, number, 16), SECCOMP_RET_ALLOW);
		if (number != ARM_BIND && number != ARM_LISTEN)
			assert_int_equal(call(AUDIT_ARCH_AARCH64, number, 16), SECCOMP_RET_ALLOW);
	}
}

static void an_address_too_short_or_too_long_is_the_kernels(void **state)
{
	static const uint64_t lengths[] = {0, 2, 12, 15, 129, 0x7fffffff, 0xffffffff};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_int_equal(call(AUDIT_ARCH_X86_64, X86_BIND, lengths[i]), SECCOMP_RET_ALLOW);
		assert_int_equal(call(AUDIT_ARCH_AARCH64, ARM_BIND, lengths[i]), SECCOMP_RET_ALLOW);
	}
	/* The kernel reads the lower 32 bits as an int. The upper bits must not hide a bind(). */
	assert_int_equal(call(AUDIT_ARCH_X86_64, X86_BIND, 0xffffffff00000010),
			 SECCOMP_RET_USER_NOTIF);
}

static void other_interfaces_are_allowed(void **state)
{
	(void)state;
	assert_int_equal(call(AUDIT_ARCH_I386, X86_BIND, 16), SECCOMP_RET_ALLOW);
	assert_int_equal(call(AUDIT_ARCH_I386, I386_SOCKETALL, 16), SECCOMP_RET_ALLOW);
	assert_int_equal(call(AUDIT_ARCH_ARM, ARM_BIND, 16), SECCOMP_RET_ALLOW);
	assert_int_equal(call(AUDIT_ARCH_X86_64, X86_BIND | X32_BIT, 16), SECCOMP_RET_ALLOW);
	assert_int_equal(call(AUDIT_ARCH_X86_64, ARM_BIND, 16), SECCOMP_RET_ALLOW);
	assert_int_equal(call(AUDIT_ARCH_AARCH64, X86_BIND, 16), SECCOMP_RET_ALLOW);
}

#if defined(__x86_64__) || defined(__aarch64__)
static void the_numbers_are_those_of_this_machine(void **state)
{
#ifdef __x86_64__
	const uint32_t arch = AUDIT_ARCH_X86_64;
#else
	const uint32_t arch = AUDIT_ARCH_AARCH64;
#endif

	(void)state;
	assert_int_equal(call(arch, SYS_bind, 16), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(call(arch, SYS_listen, 0), SECCOMP_RET_USER_NOTIF);
}
#else
static void the_numbers_are_those_of_this_machine(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bind_and_listen_are_stopped),
		cmocka_unit_test(every_other_call_is_allowed),
		cmocka_unit_test(an_address_too_short_or_too_long_is_the_kernels),
		cmocka_unit_test(other_interfaces_are_allowed),
		cmocka_unit_test(the_numbers_are_those_of_this_machine),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
