// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "common/exit_code.h"
#include "common/units.h"
#include "client/client.h"
#include "cli/command.h"
#include "config/options.h"
#include "sticky.h"

/* Returns true if the next word is the value of this one, as in "--run-dir -2". */
static bool wants_value(const char *word)
{
	const struct config_option *option = NULL;

	if (!strncmp(word, "--", 2))
		option = option_by_name(word + 2);
	else if (word[0] == '-' && word[1] && !word[2])
		option = option_by_key(word[1]);
	return option && option->doc.every_command && option->doc.arg;
}

/*
 * Take a number such as "-2" out of the arguments, as argp would take it for an option. Returns the
 * number's text, or NULL.
 */
static const char *take_negative(int *argc, char **argv)
{
	const char *found = NULL;
	int i;

	for (i = 1; i < *argc; i++) {
		if (argv[i][0] != '-' || argv[i][1] < '0' || argv[i][1] > '9' ||
		    wants_value(argv[i - 1]))
			continue;
		found = argv[i];
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof(argv[0]));
		--*argc;
		break;
	}
	return found;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **slots = state->input;

	if (key == ARGP_KEY_ARG && !*slots) {
		*slots = arg;
		return 0;
	}
	if (key == ARGP_KEY_END && !*slots)
		argp_error(state, "how many? write N, +N or -N");
	return command_parse_nothing(key, arg, state);
}

int command_scale(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "N|+N|-N",
		.doc = "Change the number of slots. Only the clients of added or removed slots "
		       "move to another worker; the command says how many clients that is.",
	};
	const char *slots = take_negative(&argc, argv);
	struct config config;
	json_t *answer = NULL;
	uint64_t number;
	char target[64];
	int count, result;

	command_parse(&argp, argc, argv, &slots, &config);
	if (parse_number(slots + (slots[0] == '+' || slots[0] == '-'), 0, STICKY_SLOTS_LIMIT,
			 &number)) {
		fprintf(stderr, "stickyctl: '%.50s' is not N, +N or -N, up to %d\n", slots,
			STICKY_SLOTS_LIMIT);
		config_fini(&config);
		return EXIT_USAGE;
	}
	snprintf(target, sizeof(target), "/v1/scale?slots=%s%u",
		 slots[0] == '+'   ? "%2B"
		 : slots[0] == '-' ? "-"
				   : "",
		 (unsigned int)number);
	result = client_ask(&config, "POST", target, 30, &answer, NULL);
	config_fini(&config);
	if (result)
		return result;
	count = (int)json_integer_value(json_object_get(answer, "slots"));
	printf("%d slot%s, before %d: %d of %d buckets moved, %.2f%% of the clients\n", count,
	       count == 1 ? "" : "s", (int)json_integer_value(json_object_get(answer, "from")),
	       (int)json_integer_value(json_object_get(answer, "moved_buckets")),
	       STICKY_BUCKET_COUNT, json_real_value(json_object_get(answer, "percent")));
	json_decref(answer);
	return EXIT_DONE;
}
