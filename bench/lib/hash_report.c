// SPDX-License-Identifier: MIT
#include "hash_report.h"

#include <math.h>

static void write_number(FILE *file, double value)
{
	if (isnan(value))
		fputs("null", file);
	else
		fprintf(file, "%.6g", value);
}

static void write_sample(FILE *file, const char *name, const struct sample *sample)
{
	unsigned int i;

	fprintf(file, "\"%s\":[", name);
	for (i = 0; i < sample->count; i++) {
		fputs(i ? "," : "", file);
		write_number(file, sample->values[i]);
	}
	fputc(']', file);
}

static void write_times(FILE *file, const struct hash_results *results)
{
	int kind;

	fputs("\"inputs\":{", file);
	for (kind = 0; kind < HASH_COUNT; kind++)
		fprintf(file, "%s\"%s\":\"%s\"", kind ? "," : "", hash_names[kind],
			hash_inputs[kind]);
	fputs("},\n\"ms\":{", file);
	for (kind = 0; kind < HASH_COUNT; kind++) {
		fputs(kind ? ",\n" : "\n", file);
		write_sample(file, hash_names[kind], &results->ms[kind]);
	}
	fputs("},\n", file);
}

static void write_scatter(FILE *file, const struct hash_scatter *scatter, uint32_t workers)
{
	uint32_t i;

	fputs("{\"counts\":[", file);
	for (i = 0; i < workers; i++)
		fprintf(file, "%s%u", i ? "," : "", scatter->counts[i]);
	fputs("],\n ", file);
	write_sample(file, "chi_square", &scatter->chi_square);
	fputs(",\n ", file);
	write_sample(file, "max_min", &scatter->max_min);
	fputc('}', file);
}

static void write_set(FILE *file, const struct hash_results *results, int set)
{
	int kind;

	fprintf(file, "\"%s\":{\"addresses\":%u,\"degrees_of_freedom\":%u,\"hashes\":{",
		address_set_names[set], results->set_sizes[set], results->workers - 1);
	for (kind = 0; kind < HASH_COUNT; kind++) {
		fprintf(file, "%s\n\"%s\":", kind ? "," : "", hash_names[kind]);
		write_scatter(file, &results->scatter[set][kind], results->workers);
	}
	fputs("}}", file);
}

static void write_moves(FILE *file, const struct moves *moves)
{
	int kind;

	fprintf(file, "{\"of\":%u,\"ideal\":%.6g,\"table_buckets\":%.6g", moves->of,
		1.0 / (moves->of + 1), moves->buckets);
	for (kind = 0; kind < PLACING_COUNT; kind++) {
		fprintf(file, ",\n\"%s\":{", placing_names[kind]);
		write_sample(file, "moved", &moves->moved[kind]);
		fputs(",\n ", file);
		write_sample(file, "max_min", &moves->max_min[kind]);
		fputc('}', file);
	}
	fputc('}', file);
}

void hash_report_write(FILE *file, const struct hash_results *results)
{
	uint32_t i;
	int set;

	fprintf(file, "{\"addresses\":%u,\"workers\":%u,\"rounds\":%u,\"cpu\":%d,\n",
		results->addresses, results->workers, results->rounds, results->cpu);
	write_times(file, results);
	fputs("\"scatter\":{", file);
	for (set = 0; set < SET_COUNT; set++) {
		fputs(set ? ",\n" : "\n", file);
		write_set(file, results, set);
	}
	fputs("},\n\"moved\":[", file);
	for (i = 0; i < results->move_count; i++) {
		fputs(i ? ",\n" : "\n", file);
		write_moves(file, &results->moves[i]);
	}
	fputs("]}\n", file);
}
