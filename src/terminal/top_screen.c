// SPDX-License-Identifier: MIT
#include "terminal/top_screen.h"

#define NCURSES_WIDECHAR 1

#include <errno.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terminal/top_terminal.h"

#define FOOTER_LINES 2 /* the prompt, and the keys */
/* The time that an escape key waits for the rest of an arrow key's sequence, over a slow line. */
#define ESCAPE_MS 100

struct top_screen {
	SCREEN *terminal;
	bool has_colour;
};

/* ---- The terminal ------------------------------------------------------------------- */

static void prepare_colours(struct top_screen *screen)
{
	static const short colours[TEXT_COLOUR_COUNT] = {
		[TEXT_RED] = COLOR_RED,
		[TEXT_GREEN] = COLOR_GREEN,
		[TEXT_YELLOW] = COLOR_YELLOW,
	};
	int i;

	screen->has_colour = start_color() == OK;
	if (!screen->has_colour)
		return;
	use_default_colors();
	for (i = TEXT_PLAIN + 1; i < TEXT_COLOUR_COUNT; i++)
		init_pair((short)i, colours[i], -1);
}

static void prepare(struct top_screen *screen, bool wants_colour)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	if (wants_colour && has_colors())
		prepare_colours(screen);
}

int top_screen_open(bool wants_colour, struct top_screen **ret_screen, struct error_text *ret_error)
{
	struct top_screen *screen;
	int error = top_terminal_check(ret_error);

	if (error)
		return error;
	screen = calloc(1, sizeof(*screen));
	if (screen)
		screen->terminal = newterm(NULL, stdout, stdin);
	if (!screen || !screen->terminal) {
		free(screen);
		error_text_set(ret_error, "top: no memory for the screen");
		return -ENOMEM;
	}
	prepare(screen, wants_colour);
	*ret_screen = screen;
	return 0;
}

void top_screen_close(struct top_screen *screen)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen->terminal);
	free(screen);
}

size_t top_screen_room(const struct top_screen *screen)
{
	(void)screen;
	return LINES > FOOTER_LINES ? (size_t)(LINES - FOOTER_LINES) : 1;
}

/* ---- Drawing ------------------------------------------------------------------------ */

static void draw_run(const struct top_screen *screen, const struct text_run *run, int *column)
{
	int used;
	size_t length = text_fit(run->text, run->length, COLS - *column, &used);
	attr_t colour = screen->has_colour ? (attr_t)COLOR_PAIR(run->colour) : A_NORMAL;

	attron(colour);
	addnstr(run->text, (int)length);
	attroff(colour);
	*column += used;
}

static void draw_line(const struct top_screen *screen, int row, const char *line)
{
	struct text_cursor cursor = {.rest = line};
	struct text_run run;
	int column = 0;

	move(row, 0);
	while (column < COLS && text_run_next(&cursor, &run))
		draw_run(screen, &run, &column);
}

/*
 * Draw a line at the bottom. The last column stays free, as a terminal may scroll when its last
 * cell is written.
 */
static void draw_footer(int row, attr_t how, const char *text)
{
	int used;

	if (row < 0)
		return;
	move(row, 0);
	attron(how);
	addnstr(text, (int)text_fit(text, strlen(text), COLS - 1, &used));
	for (; used < COLS - 1; used++)
		addch(' ');
	attroff(how);
}

/* Write the line above the keys. */
static void describe(const struct text_lines *lines, const struct top_model *model, size_t room,
		     char ret_text[TOP_MESSAGE_SIZE])
{
	top_model_prompt(model, ret_text);
	if (!ret_text[0] && lines->count > room && LINES > FOOTER_LINES)
		snprintf(ret_text, TOP_MESSAGE_SIZE, "lines %zu to %zu of %zu", model->first + 1,
			 model->first + room, lines->count);
}

void top_screen_draw(struct top_screen *screen, const struct text_lines *lines,
		     const struct top_model *model)
{
	size_t room = top_screen_room(screen), i;
	char prompt[TOP_MESSAGE_SIZE];

	erase();
	for (i = 0; i < room && model->first + i < lines->count; i++)
		draw_line(screen, (int)i, lines->lines[model->first + i]);
	describe(lines, model, room, prompt);
	if (prompt[0])
		draw_footer(LINES - 2, A_BOLD, prompt);
	if (LINES > 1)
		draw_footer(LINES - 1, A_REVERSE, top_keys());
	refresh();
}

/* ---- Keys --------------------------------------------------------------------------- */

int top_screen_read(struct top_screen *screen)
{
	static const struct {
		int code, key;
	} known[] = {
		{ERR, TOP_NO_KEY},
		{KEY_RESIZE, TOP_RESIZED},
		{KEY_UP, TOP_KEY_UP},
		{KEY_DOWN, TOP_KEY_DOWN},
		{KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		{KEY_HOME, TOP_KEY_HOME},
		{KEY_END, TOP_KEY_END},
		{KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		{KEY_ENTER, '\n'},
	};
	int code = getch();
	size_t i;

	(void)screen;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == code)
			return known[i].key;
	return code < KEY_MIN ? code : TOP_UNKNOWN_KEY;
}
