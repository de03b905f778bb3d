// SPDX-License-Identifier: MIT
#include "engine/bpf_program.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "sticky.skel.h"
#include "engine/bpf_pin.h"
#include "engine/refusal.h"

/*
 * How many of the verifier's last lines are reported. They contain the refused instruction and the
 * reason.
 */
#define VERIFIER_LINES 12

struct loaded_program {
	struct sticky_bpf *skeleton;
};

static const char *const map_names[PROGRAM_MAP_COUNT] = {
	[MAP_SETTINGS] = "settings",   [MAP_TABLE] = "table",	  [MAP_ENTRIES] = "entries",
	[MAP_LISTENERS] = "listeners", [MAP_PROXIES] = "proxies", [MAP_COUNTERS] = "counters",
};

static struct bpf_map *find_map(const struct sticky_bpf *skeleton, enum program_map map)
{
	struct bpf_map *const maps[PROGRAM_MAP_COUNT] = {
		[MAP_SETTINGS] = skeleton->maps.settings,
		[MAP_TABLE] = skeleton->maps.table,
		[MAP_ENTRIES] = skeleton->maps.entries,
		[MAP_LISTENERS] = skeleton->maps.listeners,
		[MAP_PROXIES] = skeleton->maps.proxies,
		[MAP_COUNTERS] = skeleton->maps.counters,
	};

	return maps[map];
}

/* ---- What libbpf and the verifier say ----------------------------------------------- */

/*
 * The state of one loading of a program. libbpf's print callback has no context argument; the state
 * is therefore a variable of the calling thread.
 */
struct loading {
	const struct log *log;
	bool verifier_spoke;
};

static _Thread_local struct loading *current;

/* Returns the beginning of the last `lines` lines of a text. */
static const char *find_tail(const char *text, size_t length, int lines)
{
	const char *at = text + length;

	while (at > text && (at[-1] != '\n' || lines-- > 0))
		at--;
	return at;
}

static void report_lines(const char *text, size_t length)
{
	const char *line = find_tail(text, length, VERIFIER_LINES);
	const char *end = text + length;

	while (line < end) {
		size_t size = strcspn(line, "\n");

		if (size)
			log_event(current->log, STICKY_LOG_DEBUG, "libbpf", "%.*s", (int)size,
				  line);
		line += size + (line + size < end);
	}
}

/*
 * Log a message of libbpf. A refused program is reported by one message, which contains the
 * verifier's whole log.
 */
static int __attribute__((format(printf, 2, 0)))
take_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text = NULL;
	int length;

	if (level == LIBBPF_DEBUG || !current)
		return 0;
	length = vasprintf(&text, format, args);
	if (length < 0)
		return 0;
	current->verifier_spoke |= strstr(text, "BEGIN PROG LOAD LOG") != NULL;
	report_lines(text, (size_t)length);
	free(text);
	return 0;
}

/*
 * This copy of libbpf belongs to the library alone (PRIVATE_BPF in the Makefile). Its print
 * callback is set once, before anything can use it.
 */
static void __attribute__((constructor(101))) set_print_callback(void)
{
	libbpf_set_print(take_message);
}

/*
 * The Makefile puts this in the place of stderr in libbpf. It is never used, as libbpf has a print
 * callback.
 */
FILE *bpf_program_no_stream;

/* ---- Loading ------------------------------------------------------------------------ */

static int reuse_pins(const char *directory, struct sticky_bpf *skeleton)
{
	enum program_map map;
	int error = 0;

	for (map = 0; !error && map < PROGRAM_MAP_COUNT; map++)
		error = bpf_pin_reuse(directory, map_names[map], find_map(skeleton, map));
	return error;
}

static int open_and_load(const char *directory, struct sticky_bpf **ret_skeleton)
{
	struct sticky_bpf *skeleton = sticky_bpf__open();
	int error = skeleton ? 0 : -errno;

	if (!error && directory)
		error = reuse_pins(directory, skeleton);
	if (!error)
		error = sticky_bpf__load(skeleton);
	if (error) {
		sticky_bpf__destroy(skeleton);
		return error;
	}
	*ret_skeleton = skeleton;
	return 0;
}

static int classify(int error, const struct loading *loading)
{
	struct utsname name;

	if (uname(&name) == 0 && refusal_is_kernel_too_old(name.release))
		return -EOPNOTSUPP;
	return refusal_classify(error, loading->verifier_spoke);
}

int program_load(const struct bpf_access *access, const struct log *log, const char *directory,
		 struct loaded_program **ret_program)
{
	struct loaded_program *program = calloc(1, sizeof(*program));
	struct loading loading = {.log = log};
	unsigned int previous;
	int error;

	if (!program)
		return -ENOMEM;
	previous = bpf_access_begin(access);
	current = &loading;
	error = open_and_load(directory, &program->skeleton);
	current = NULL;
	bpf_access_end(access, previous);
	if (error) {
		free(program);
		return classify(error, &loading);
	}
	*ret_program = program;
	return 0;
}

void program_unload(struct loaded_program *program)
{
	if (!program)
		return;
	sticky_bpf__destroy(program->skeleton);
	free(program);
}

int program_fd(const struct loaded_program *program)
{
	return bpf_program__fd(program->skeleton->progs.sticky_select);
}

int program_map(const struct loaded_program *program, enum program_map map)
{
	return bpf_map__fd(find_map(program->skeleton, map));
}

/* ---- Pins --------------------------------------------------------------------------- */

int program_pin(const struct loaded_program *program, const struct bpf_access *access,
		const char *directory)
{
	unsigned int previous = bpf_access_begin(access);
	enum program_map made = 0;
	int error = 0;

	while (!error && made < PROGRAM_MAP_COUNT) {
		error = bpf_pin_make(directory, map_names[made], find_map(program->skeleton, made));
		made += !error;
	}
	bpf_access_end(access, previous);
	/* Other pins that are there may be those of another group. */
	while (error && made > 0)
		bpf_pin_remove(directory, map_names[--made]);
	return error;
}

void program_unpin(const char *directory)
{
	enum program_map map;

	for (map = 0; map < PROGRAM_MAP_COUNT; map++)
		bpf_pin_remove(directory, map_names[map]);
}
