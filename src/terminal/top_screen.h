/* SPDX-License-Identifier: MIT */
/* The terminal of `top`. No other file uses ncurses' screen. */
#ifndef STICKY_TERMINAL_TOP_SCREEN_H
#define STICKY_TERMINAL_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error_text.h"
#include "terminal/styled_text.h"
#include "terminal/top_model.h"

struct top_screen;

/*
 * Take over the terminal at stdin and stdout.
 *
 * wants_colour  use colours if the terminal has them
 * ret_error     what is wrong, and what the user can do
 *
 * Returns 0, an error of top_terminal_check(), or -ENOMEM.
 */
int top_screen_open(bool wants_colour, struct top_screen **ret_screen,
		    struct error_text *ret_error);

/* Give the terminal back as it was. NULL is allowed. */
void top_screen_close(struct top_screen *screen);

/* Returns how many lines of text there is room for, at least 1. */
size_t top_screen_room(const struct top_screen *screen);

/*
 * Draw lines of text from model->first on, the prompt, and the keys. Text that does not fit is cut
 * off.
 */
void top_screen_draw(struct top_screen *screen, const struct text_lines *lines,
		     const struct top_model *model);

#define TOP_NO_KEY	(-1) /* no key waits */
#define TOP_RESIZED	(-2) /* the terminal has another size */
#define TOP_UNKNOWN_KEY (-3)

/*
 * Read a key that was typed, without waiting for one. Returns a key for top_model_key(), or one of
 * the values above.
 */
int top_screen_read(struct top_screen *screen);

#endif
