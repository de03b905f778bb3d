/* SPDX-License-Identifier: MIT */
/*
 * The common part of the tests of src/handoff/delivery.h: a delivery with its group and event loop,
 * clients whose connections are submitted to it, and fake workers that record the connections that
 * they get. The functions fail the test on an error. They must therefore be called from the main
 * thread.
 */
#ifndef TESTS_SUPPORT_DELIVERY_FIXTURE_H
#define TESTS_SUPPORT_DELIVERY_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "handoff/exits.h"
#include "sticky.h"
#include "wait.h"

#define SLOTS	4
#define SLOT	2 /* the slot that most tests use */
#define OTHER	1
#define CLIENTS 600
/* how late a loaded machine under a sanitizer may be */
#define SLACK_MS ((uint32_t)wait_scaled_ms(1000))
/*
 * how early a timer may expire: libevent counts from when the loop woke, a little before the timer
 * is set
 */
#define EARLY_MS ((uint32_t)wait_scaled_ms(5))

struct delivery_fixture {
	uint32_t before; /* number of descriptors that were open at the beginning */
	struct event_base *base;
	struct sticky_group *group;
	struct delivery_counters counters;
	struct exit_counters exits;
	struct delivery *delivery;
	int listening;
	struct sockaddr_storage server;
	uint32_t count; /* clients */
	uint32_t next;	/* number of the next client: see client_address() */
	int clients[CLIENTS];
};

/* Limits with a wait that is longer than any test, and an answer of 502. */
struct delivery_limits limits_patient(void);

/* Limits with an answer of 503 after retries * delay_ms. */
struct delivery_limits limits_of_budget(uint32_t retries, uint32_t delay_ms);

void fixture_begin(struct delivery_fixture *fixture, struct delivery_limits limits);

/*
 * Close everything, wait for error responses that are being sent, and check that no descriptor is
 * left.
 */
void fixture_end(struct delivery_fixture *fixture);

/* Handle the events that are due now. */
void fixture_turn(struct delivery_fixture *fixture);

/* Handle events for this time. Tests use it to check that nothing happens. */
void fixture_run_for(struct delivery_fixture *fixture, uint64_t ms);

/*
 * Connect a new client that belongs to a slot. The port of its address is its index in `clients`,
 * which is also its place in the functions below.
 */
struct delivery_item fixture_connect(struct delivery_fixture *fixture, uint32_t slot);

/* Connect and submit this many clients of a slot. */
void fixture_submit(struct delivery_fixture *fixture, uint32_t slot, uint32_t count);

void fixture_check_waiting(struct delivery_fixture *fixture, uint32_t slot, uint32_t count);

/* Wait until one of the fixture's counters has this value. A larger value fails the test. */
void fixture_wait_counted(struct delivery_fixture *fixture, const uint64_t *counter,
			  uint64_t value);

/* Did the client at this place get an answer that begins with this text? */
bool fixture_client_got(struct delivery_fixture *fixture, uint32_t place, const char *beginning);

/* Has the client at this place got nothing so far, and is its connection open? */
bool fixture_client_waits(struct delivery_fixture *fixture, uint32_t place);

/* Wait until the client at this place has got something. Returns false if it gets nothing. */
bool fixture_client_is_answered(struct delivery_fixture *fixture, uint32_t place);

/* Wait until the connection of the client at this place is closed. Returns false if it is not. */
bool fixture_client_ended(struct delivery_fixture *fixture, uint32_t place);

/* Let the client at this place reset its connection. */
void fixture_client_reset(struct delivery_fixture *fixture, uint32_t place);

/* ---- Workers ---------------------------------------------------------------------------- */

struct fake_worker {
	struct delivery_fixture *fixture;
	struct worker_endpoint *endpoint;
	int result; /* the result of sending to it; other than 0: the connection is not recorded */
	uint32_t tries;
	bool keeps; /* keep the connections open: a real worker has descriptors of its own */
	int kept[CLIENTS];
	uint32_t count;
	uint32_t ids[CLIENTS];
	/* for each connection, in the order of arrival: the index of its client in the fixture */
	uint32_t places[CLIENTS];
};

/*
 * Open a fake worker.
 *
 * limit  number of connections that may be on the way to it
 */
void fake_worker_open(struct delivery_fixture *fixture, uint32_t slot, uint32_t limit,
		      struct fake_worker *fake);

/* Open a fake worker, and let it take the slot. */
void fake_worker_start(struct delivery_fixture *fixture, uint32_t slot, uint32_t limit,
		       struct fake_worker *fake);

/*
 * Check that the fake worker got `count` clients after `from`, one place after the other, and no
 * more.
 */
void fake_worker_check_got(const struct fake_worker *fake, uint32_t from, uint32_t place,
			   uint32_t count);

/* Let the fake worker accept all connections that it was sent, except for the first `from`. */
void fake_worker_accept_all(struct fake_worker *fake, uint32_t from);

/* For wait_until(): was the fake worker sent anything? Handles events. */
bool fake_worker_was_sent(void *fake);

#endif
