/* SPDX-License-Identifier: MIT */
/*
 * Decides what `top` does at each key, without a terminal: which lines it shows, what it asks and
 * what it orders. Pure.
 */
#ifndef STICKY_TERMINAL_TOP_MODEL_H
#define STICKY_TERMINAL_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key: a character, or one of these. */
enum top_key {
	TOP_KEY_ESCAPE = 27,
	TOP_KEY_BACKSPACE = 127,
	TOP_KEY_UP = 1000,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
};

enum top_mode {
	TOP_SHOWS_STATUS,
	TOP_SHOWS_HELP,
	TOP_ASKS_SLOT,	  /* the user types the number of a slot */
	TOP_ASKS_CONSENT, /* the user confirms the order */
};

enum top_order { TOP_RELOAD, TOP_DRAIN, TOP_READY, TOP_RESTART, TOP_ORDER_COUNT };

/* The result of a key: what the caller is to do. It draws the screen anew after each key. */
enum top_result {
	TOP_GO_ON,
	TOP_REFRESH, /* look at the instance again, now */
	TOP_ACT,     /* send the order: top_model_target() */
	TOP_QUIT,
};

#define TOP_DIGITS	 4
#define TOP_MESSAGE_SIZE 256

/* The state of `top`. At the start all is zero except for `slots`. */
struct top_model {
	enum top_mode mode;
	enum top_order order; /* the order that is asked about, or was sent last */
	char digits[TOP_DIGITS + 1];
	uint32_t slot;
	uint32_t slots;			/* number of the instance's slots; written by the caller */
	size_t first;			/* index of the first line that is shown */
	char message[TOP_MESSAGE_SIZE]; /* shown until the next key; "": none */
};

/*
 * Handle a key.
 *
 * lines  number of lines of the text that is shown
 * room   number of lines that the screen has for it, at least 1
 */
enum top_result top_model_key(struct top_model *model, int key, size_t lines, size_t room);

/*
 * Scroll back if lines behind the end would be shown. To be called when the text or the screen has
 * changed.
 */
void top_model_fit(struct top_model *model, size_t lines, size_t room);

/* Write the line of the prompt, or the message; "": there is neither. */
void top_model_prompt(const struct top_model *model, char ret_text[TOP_MESSAGE_SIZE]);

/* Write the request for the order, which is a POST: "/v1/drain?slot=1". */
void top_model_target(const struct top_model *model, char ret_target[64]);

/* Returns the name of the order's command: "drain". */
const char *top_order_name(enum top_order order);

/* Returns the text of the help, several lines. */
const char *top_help(void);

/* Returns the line with the keys. */
const char *top_keys(void);

#endif
