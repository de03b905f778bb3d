// SPDX-License-Identifier: MIT
#include "terminal/top_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	char key;
	bool is_of_slot;
} orders[TOP_ORDER_COUNT] = {
	[TOP_RELOAD] = {"reload", 'r', false},
	[TOP_DRAIN] = {"drain", 'd', true},
	[TOP_READY] = {"ready", 'e', true},
	[TOP_RESTART] = {"restart", 'x', true},
};

const char *top_order_name(enum top_order order)
{
	return orders[order].name;
}

const char *top_keys(void)
{
	return " q quit  ? help  r reload  d drain  e ready  x restart";
}

const char *top_help(void)
{
	return "The state of the instance, as 'stickyctl status' shows it, anew each second.\n"
	       "\n"
	       "  r          reload: new workers, one slot after the other\n"
	       "  d          drain a slot: its worker ends, and no other begins\n"
	       "  e          ready: bring a drained or failed slot back\n"
	       "  x          restart: replace a slot's worker\n"
	       "\n"
	       "  up, down, page up, page down, home, end: the lines that are shown\n"
	       "  space      look again now\n"
	       "  q          quit\n"
	       "\n"
	       "Each order is asked back. Escape leaves a question without an answer.\n"
	       "Any key goes back.\n";
}

/* ---- Lines -------------------------------------------------------------------------- */

void top_model_fit(struct top_model *model, size_t lines, size_t room)
{
	size_t last = lines > room ? lines - room : 0;

	if (model->first > last)
		model->first = last;
}

/* Scroll, if the key does this. Returns false for another key. */
static bool scroll(struct top_model *model, int key, size_t lines, size_t room)
{
	size_t first = model->first;

	switch (key) {
	case TOP_KEY_UP:
		model->first -= first > 0;
		break;
	case TOP_KEY_DOWN:
		model->first++;
		break;
	case TOP_KEY_PAGE_UP:
		model->first = first > room ? first - room : 0;
		break;
	case TOP_KEY_PAGE_DOWN:
		model->first = first + room;
		break;
	case TOP_KEY_HOME:
		model->first = 0;
		break;
	case TOP_KEY_END:
		model->first = lines;
		break;
	default:
		return false;
	}
	top_model_fit(model, lines, room);
	return true;
}

/* ---- Questions ---------------------------------------------------------------------- */

static void begin_order(struct top_model *model, enum top_order order)
{
	model->order = order;
	model->digits[0] = '\0';
	model->mode = orders[order].is_of_slot ? TOP_ASKS_SLOT : TOP_ASKS_CONSENT;
}

static void take_slot(struct top_model *model)
{
	model->slot = (uint32_t)strtoul(model->digits, NULL, 10);
	if (!model->digits[0]) {
		model->mode = TOP_SHOWS_STATUS;
	} else if (model->slot >= model->slots) {
		model->mode = TOP_SHOWS_STATUS;
		snprintf(model->message, sizeof(model->message),
			 "there is no slot %s; the slots are 0 to %u", model->digits,
			 model->slots ? model->slots - 1 : 0);
	} else {
		model->mode = TOP_ASKS_CONSENT;
	}
}

static void type_slot(struct top_model *model, int key)
{
	size_t length = strlen(model->digits);

	if (key == TOP_KEY_ESCAPE)
		model->mode = TOP_SHOWS_STATUS;
	else if (key == '\n' || key == '\r')
		take_slot(model);
	else if ((key == TOP_KEY_BACKSPACE || key == '\b') && length)
		model->digits[length - 1] = '\0';
	else if (key >= '0' && key <= '9' && length < TOP_DIGITS) {
		model->digits[length] = (char)key;
		model->digits[length + 1] = '\0';
	}
}

static enum top_result answer(struct top_model *model, int key)
{
	model->mode = TOP_SHOWS_STATUS;
	return key == 'y' || key == 'Y' ? TOP_ACT : TOP_GO_ON;
}

/* ---- Keys --------------------------------------------------------------------------- */

static enum top_result command(struct top_model *model, int key)
{
	int order;

	if (key == 'q' || key == 'Q')
		return TOP_QUIT;
	if (key == ' ')
		return TOP_REFRESH;
	if (key == '?' || key == 'h')
		model->mode = TOP_SHOWS_HELP;
	for (order = 0; order < TOP_ORDER_COUNT; order++)
		if (key == orders[order].key)
			begin_order(model, (enum top_order)order);
	return TOP_GO_ON;
}

enum top_result top_model_key(struct top_model *model, int key, size_t lines, size_t room)
{
	model->message[0] = '\0';
	switch (model->mode) {
	case TOP_ASKS_SLOT:
		type_slot(model, key);
		return TOP_GO_ON;
	case TOP_ASKS_CONSENT:
		return answer(model, key);
	case TOP_SHOWS_HELP:
		model->mode = TOP_SHOWS_STATUS;
		return TOP_GO_ON;
	default:
		return scroll(model, key, lines, room) ? TOP_GO_ON : command(model, key);
	}
}

void top_model_prompt(const struct top_model *model, char ret_text[TOP_MESSAGE_SIZE])
{
	const char *name = orders[model->order].name;

	if (model->mode == TOP_ASKS_SLOT)
		snprintf(ret_text, TOP_MESSAGE_SIZE, "%s which slot? %s_", name, model->digits);
	else if (model->mode == TOP_ASKS_CONSENT && orders[model->order].is_of_slot)
		snprintf(ret_text, TOP_MESSAGE_SIZE, "%s slot %u? y: yes, other keys: no", name,
			 model->slot);
	else if (model->mode == TOP_ASKS_CONSENT)
		snprintf(ret_text, TOP_MESSAGE_SIZE, "%s all slots? y: yes, other keys: no", name);
	else
		snprintf(ret_text, TOP_MESSAGE_SIZE, "%s", model->message);
}

void top_model_target(const struct top_model *model, char ret_target[64])
{
	const char *name = orders[model->order].name;

	if (orders[model->order].is_of_slot)
		snprintf(ret_target, 64, "/v1/%s?slot=%u", name, model->slot);
	else
		snprintf(ret_target, 64, "/v1/%s", name);
}
