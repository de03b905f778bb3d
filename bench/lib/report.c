// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>

static void write_sample(FILE *file, const char *name, const struct sample *sample)
{
	unsigned int i;

	fprintf(file, ",\"%s\":[", name);
	for (i = 0; i < sample->count; i++)
		fprintf(file, "%s%.4f", i ? "," : "", sample->values[i]);
	fputc(']', file);
}

/*
 * Write the prefixes in bits. 0 stands for the default: an IPv4 address, or a /64 of IPv6, as in
 * sticky.h.
 */
static void write_options(FILE *file, const struct listening_options *options)
{
	fprintf(file, "\"v4_prefix\":%u,\"v6_prefix\":%u,\"trusted_proxies\":%s",
		options->v4_prefix ? options->v4_prefix : 32,
		options->v6_prefix ? options->v6_prefix : 64,
		options->has_proxies ? "true" : "false");
}

static void write_cost(FILE *file, const struct cost *cost, enum cost_drive drive)
{
	const struct cost_series *series = &cost->series[drive];

	fprintf(file, "{\"driven_by\":\"%s\",\"clients\":\"%s\",\"slots\":%u,",
		cost_drive_names[drive], client_family_names[cost->family], cost->slots);
	write_options(file, &cost->options);
	write_sample(file, "empty_ns", &series->empty);
	write_sample(file, "sticky_ns", &series->sticky);
	write_sample(file, "net_ns", &series->net);
	fputc('}', file);
}

int report_write(const struct cost *costs, uint32_t count, FILE *file)
{
	const struct program_stats *program = &costs[0].program;
	uint32_t i;
	int drive;

	fprintf(file,
		"{\"program\":{\"verified_instructions\":%u,\"xlated_bytes\":%u,"
		"\"jited_bytes\":%u},\n\"cost\":[\n",
		program->verified_instructions, program->xlated_bytes, program->jited_bytes);
	for (drive = 0; drive < DRIVE_COUNT; drive++)
		for (i = 0; i < count; i++) {
			fputs(drive || i ? ",\n" : "", file);
			write_cost(file, &costs[i], (enum cost_drive)drive);
		}
	fprintf(file, "]}\n");
	return fflush(file) || ferror(file) ? -EIO : 0;
}
