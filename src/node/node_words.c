// SPDX-License-Identifier: MIT
#include "node/node_words.h"

#include <string.h>

/* The options whose value may be the next word. V8's own options take it behind a '=' alone. */
static const char *const with_value[] = {
	"-r",
	"-C",
	"-e",
	"-p",
	"-pe",
	"--allow-fs-read",
	"--allow-fs-write",
	"--build-snapshot-config",
	"--conditions",
	"--cpu-prof-dir",
	"--cpu-prof-interval",
	"--cpu-prof-name",
	"--debug-port",
	"--diagnostic-dir",
	"--disable-proto",
	"--disable-warning",
	"--dns-result-order",
	"--env-file",
	"--env-file-if-exists",
	"--eval",
	"--experimental-config-file",
	"--experimental-default-type",
	"--experimental-loader",
	"--experimental-policy",
	"--experimental-sea-config",
	"--heap-prof-dir",
	"--heap-prof-interval",
	"--heap-prof-name",
	"--heapsnapshot-near-heap-limit",
	"--heapsnapshot-signal",
	"--icu-data-dir",
	"--import",
	"--input-type",
	"--inspect-port",
	"--inspect-publish-uid",
	"--loader",
	"--localstorage-file",
	"--max-http-header-size",
	"--network-family-autoselection-attempt-timeout",
	"--openssl-config",
	"--policy-integrity",
	"--print",
	"--redirect-warnings",
	"--report-dir",
	"--report-directory",
	"--report-filename",
	"--report-signal",
	"--require",
	"--run",
	"--secure-heap",
	"--secure-heap-min",
	"--snapshot-blob",
	"--test-concurrency",
	"--test-name-pattern",
	"--test-reporter",
	"--test-reporter-destination",
	"--test-shard",
	"--test-timeout",
	"--title",
	"--tls-cipher-list",
	"--tls-keylog",
	"--trace-event-categories",
	"--trace-event-file-pattern",
	"--trace-require-module",
	"--unhandled-rejections",
	"--use-largepages",
	"--v8-pool-size",
	"--watch-kill-signal",
	"--watch-path",
	NULL,
};

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words))
		words++;
	return *words != NULL;
}

int node_words_of_option(const char *option)
{
	return is_one_of(option, with_value) ? 2 : 1;
}

static bool is_option(const char *word)
{
	/* "-" is stdin, and "--" ends the options. */
	return word[0] == '-' && word[1] && strcmp(word, "--") != 0;
}

/* Go to the next option, or behind the last one. */
static char *const *skip(char *const *word)
{
	return word + (node_words_of_option(word[0]) == 2 && word[1] ? 2 : 1);
}

bool node_words_is_watch(const char *option)
{
	return !strncmp(option, "--watch", strlen("--watch"));
}

char *const *node_words_script(char *const *word)
{
	while (*word && is_option(*word))
		word = skip(word);
	if (*word && !strcmp(*word, "--"))
		word++;
	return *word ? word : NULL;
}

bool node_words_are_watched(char *const *word)
{
	while (*word && is_option(*word) && !node_words_is_watch(*word))
		word = skip(word);
	return *word && node_words_is_watch(*word);
}

/* These show something and end, or run files that they find themselves. */
static bool needs_no_file(const char *option)
{
	static const char *const options[] = {"-h",	   "-v",	   "--help",
					      "--version", "--v8-options", "--completion-bash",
					      "--run",	   "--test",	   NULL};

	return is_one_of(option, options) || !strncmp(option, "--run=", strlen("--run="));
}

bool node_words_lack_file(char *const *word)
{
	for (; *word && is_option(*word); word = skip(word))
		if (needs_no_file(*word))
			return false;
	return !node_words_script(word) || !strcmp(*word, "-");
}

const char *node_words_run(char *const *word)
{
	static const char run[] = "--run";
	size_t length = strlen(run);

	for (; *word && is_option(*word); word = skip(word))
		if (!strcmp(*word, run))
			return word[1];
		else if (!strncmp(*word, run, length) && (*word)[length] == '=')
			return *word + length + 1;
	return NULL;
}

static bool ends_with(const char *word, const char *end)
{
	size_t length = strlen(word), end_length = strlen(end);

	return length >= end_length && !strcmp(word + length - end_length, end);
}

bool node_words_is_script_name(const char *word)
{
	static const char *const ends[] = {".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"};
	size_t i;

	/* This file is for pm2, and not the application. */
	if (strstr(word, ".config."))
		return false;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(word, ends[i]))
			return true;
	return false;
}
