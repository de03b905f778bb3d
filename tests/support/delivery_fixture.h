/* SPDX-License-Identifier: MIT */
/*
 * What the tests of src/handoff/delivery.h share: a delivery with its group and event loop, clients
 * whose connections are submitted to it, and workers that remember what they were sent. Main thread
 * only: the functions fail the test.
 */
#ifndef TESTS_SUPPORT_DELIVERY_FIXTURE_H
#define TESTS_SUPPORT_DELIVERY_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "handoff/delivery.h"
#include "sticky.h"
#include "wait.h"

#define SLOTS	4
#define SLOT	2 /* the one that most tests look at */
#define OTHER	1
#define CLIENTS 600
/* Of a loaded machine under a sanitizer: what comes earlier than it should is the fault. */
#define SLACK_MS ((uint32_t)wait_scaled_ms(1000))

struct delivery_fixture {
	uint32_t before; /* descriptors that were open at the beginning */
	struct event_base *base;
	struct sticky_group *group;
	struct delivery_counters counters;
	struct delivery *delivery;
	int listening;
	struct sockaddr_storage server;
	uint32_t count; /* clients */
	uint32_t next;	/* see client_address() */
	int clients[CLIENTS];
};

/* Limits with an answer of 502 that comes later than any test ends. */
struct delivery_limits limits_patient(void);

/* Limits with an answer of 503 after retries * delay_ms. */
struct delivery_limits limits_of_budget(uint32_t retries, uint32_t delay_ms);

void fixture_begin(struct delivery_fixture *fixture, struct delivery_limits limits);

/* Close what is left, wait for answers under way, and check that no descriptor is left. */
void fixture_end(struct delivery_fixture *fixture);

/* Handle the events that are due. */
void fixture_turn(struct delivery_fixture *fixture);

/* Handle events for so long, for tests in which nothing is to happen. */
void fixture_run_for(struct delivery_fixture *fixture, uint64_t ms);

/* A new client's connection, of a slot. The port of its address is the client's place, from 0. */
struct delivery_item fixture_connect(struct delivery_fixture *fixture, uint32_t slot);

/* Connect and submit so many. */
void fixture_submit(struct delivery_fixture *fixture, uint32_t slot, uint32_t count);

void fixture_check_waiting(struct delivery_fixture *fixture, uint32_t slot, uint32_t count);

/* Wait until one of the fixture's counters has this value, and not more. */
void fixture_wait_counted(struct delivery_fixture *fixture, const uint64_t *counter,
			  uint64_t value);

/* Did the client at a place get an answer that begins so? */
bool fixture_client_got(struct delivery_fixture *fixture, uint32_t place, const char *beginning);

/* Did it get nothing so far, and is its connection open? */
bool fixture_client_waits(struct delivery_fixture *fixture, uint32_t place);

/* Was its connection closed? Waits for that. */
bool fixture_client_ended(struct delivery_fixture *fixture, uint32_t place);

/* Let it go away by a reset. */
void fixture_client_reset(struct delivery_fixture *fixture, uint32_t place);

/* ---- Workers ---------------------------------------------------------------------------- */

struct fake_worker {
	struct delivery_fixture *fixture;
	struct worker_endpoint *outlet;
	int result; /* of sending to it */
	uint32_t tries;
	bool keeps; /* as a worker does: the connection lives on when ours is closed */
	int kept[CLIENTS];
	uint32_t count;
	uint32_t ids[CLIENTS];
	uint32_t places[CLIENTS]; /* of the clients */
};

/* limit  connections that may be on the way to it */
void fake_worker_open(struct delivery_fixture *fixture, uint32_t slot, uint32_t limit,
		      struct fake_worker *fake);

/* Open it and let it take the slot. */
void fake_worker_start(struct delivery_fixture *fixture, uint32_t slot, uint32_t limit,
		       struct fake_worker *fake);

/* Check that after `from` it got `count` clients, one place after the other, and no more. */
void fake_worker_check_got(const struct fake_worker *fake, uint32_t from, uint32_t place,
			   uint32_t count);

/* Let it accept all that it was sent, but for the first `from`. */
void fake_worker_accept_all(struct fake_worker *fake, uint32_t from);

/* For wait_until(): was it sent anything? Handles events. */
bool fake_worker_was_sent(void *fake);

#endif
