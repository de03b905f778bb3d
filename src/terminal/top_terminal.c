// SPDX-License-Identifier: MIT
#include "terminal/top_terminal.h"

#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <term.h> /* defines `lines`, `columns` and many other words: hence a file of its own */
#include <unistd.h>

static bool can_place_cursor(void)
{
	char name[] = "cup";

	return tigetstr(name) != NULL;
}

/*
 * Returns true if TERM names a usable terminal. Otherwise newterm() of ncurses would end the
 * program.
 */
static bool is_known(const char *name)
{
	int found;
	bool is_usable = setupterm(name, STDOUT_FILENO, &found) == OK && can_place_cursor();

	if (cur_term)
		del_curterm(cur_term);
	return is_usable;
}

static const char xterm[] =
#include "terminal/xterm.terminfo.h"
	;

/* Returns true for the name of a terminal that understands what xterm understands, as most do. */
static bool is_like_xterm(const char *name)
{
	static const char *const families[] = {"xterm", "screen",    "tmux", "rxvt",  "linux",
					       "vte",	"alacritty", "foot", "kitty", "gnome"};
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (!strncmp(name, families[i], strlen(families[i])))
			return true;
	return false;
}

/* Use the terminfo entry that stickyctl contains: small images of containers have none. */
static bool use_own(const char *name)
{
	return is_like_xterm(name) && !setenv("TERMINFO", xterm, 1) &&
	       !setenv("TERM", "xterm", 1) && is_known("xterm");
}

int top_terminal_check(struct error_text *ret_error)
{
	const char *name = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		error_text_set(ret_error, "top: stdin or stdout is no terminal\n"
					  "use 'stickyctl status --watch' instead");
		return -ENOTTY;
	}
	if (name && name[0] && (is_known(name) || use_own(name)))
		return 0;
	error_text_set(ret_error,
		       "top: the terminal '%.64s' (TERM) is not known here, or can't place its "
		       "cursor\nset TERM=xterm, or use 'stickyctl status --watch' instead",
		       name ? name : "");
	return -ENODEV;
}
