// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const side_names[SIDE_COUNT] = {
	[SIDE_PLAIN] = "plain", [SIDE_STICKY] = "sticky"};

static void print_program(const struct cost *cost)
{
	printf("Program: %u instructions verified, %u bytes of BPF, %u bytes of machine code%s\n\n",
	       cost->program.verified_instructions, cost->program.xlated_bytes,
	       cost->program.jited_bytes, cost->program.jited_bytes ? "" : " (the JIT is off!)");
}

static void print_cost(const struct cost *cost, enum cost_drive drive)
{
	struct summary empty = sample_summarize(&cost->series[drive].empty);
	struct summary sticky = sample_summarize(&cost->series[drive].sticky);
	struct summary net = sample_summarize(&cost->series[drive].net);

	printf("  %-11s %-10s %5u   %6.1f   %6.1f   %6.1f   %6.1f - %.1f\n",
	       cost_drive_names[drive], client_family_names[cost->family], cost->slots,
	       empty.median, sticky.median, net.median, net.low, net.high);
}

static void print_costs(const struct report *report)
{
	uint32_t i;
	int drive;

	printf("Nanoseconds a run, median of %u rounds of %u; net: less an empty program's.\n"
	       "connections: between two runs a whole connection; packets: back to back.\n"
	       "  %-11s %-10s %5s   %6s   %6s   %6s   %s\n",
	       report->costs[0].series[0].net.count, report->cost_runs, "driven by", "clients",
	       "slots", "empty", "sticky", "net", "quartiles of net");
	for (drive = 0; drive < DRIVE_COUNT; drive++)
		for (i = 0; i < report->cost_count; i++)
			print_cost(&report->costs[i], (enum cost_drive)drive);
	printf("\n");
}

static void print_side(const struct throughput *result, enum throughput_side side)
{
	struct summary rate = sample_summarize(&result->per_second[side]);
	struct summary cpu = sample_summarize(&result->cpu_us[side]);

	printf("  %-10s %10.0f   %7.0f - %-7.0f   %7.2f   %5.2f - %.2f\n", side_names[side],
	       rate.median, rate.low, rate.high, cpu.median, cpu.low, cpu.high);
}

static void print_throughput(const struct report *report)
{
	const struct throughput *result = report->throughput;
	struct summary rate = sample_summarize(&result->ratio);
	struct summary cpu = sample_summarize(&result->cpu_ratio);

	printf("Connections per second, %u workers, %u at a time, median of %u pairs of %u\n"
	       "  %-10s %10s   %-17s   %7s   %s\n",
	       report->options->workers, report->options->concurrency, result->ratio.count,
	       report->options->connections, "sockets", "a second", "quartiles", "CPU us",
	       "quartiles");
	print_side(result, SIDE_PLAIN);
	print_side(result, SIDE_STICKY);
	printf("  %-10s %10.3f   %7.3f - %-7.3f   %7.3f   %5.3f - %.3f\n", "ratio", rate.median,
	       rate.low, rate.high, cpu.median, cpu.low, cpu.high);
}

void report_print(const struct report *report)
{
	if (report->cost_count) {
		print_program(&report->costs[0]);
		print_costs(report);
	}
	if (report->throughput->ratio.count)
		print_throughput(report);
}

static void write_sample(FILE *file, const char *name, const struct sample *sample)
{
	struct summary summary = sample_summarize(sample);
	unsigned int i;

	fprintf(file, "\"%s\":{\"median\":%.4f,\"low\":%.4f,\"high\":%.4f,\"values\":[", name,
		summary.median, summary.low, summary.high);
	for (i = 0; i < sample->count; i++)
		fprintf(file, "%s%.4f", i ? "," : "", sample->values[i]);
	fprintf(file, "]}");
}

static void write_cost(FILE *file, const struct cost *cost, enum cost_drive drive)
{
	const struct cost_series *series = &cost->series[drive];

	fprintf(file, "{\"driven_by\":\"%s\",\"clients\":\"%s\",\"slots\":%u,",
		cost_drive_names[drive], client_family_names[cost->family], cost->slots);
	write_sample(file, "empty_ns", &series->empty);
	fputc(',', file);
	write_sample(file, "sticky_ns", &series->sticky);
	fputc(',', file);
	write_sample(file, "net_ns", &series->net);
	fprintf(file, "}");
}

static void write_costs(FILE *file, const struct report *report)
{
	const struct program_stats *program = &report->costs[0].program;
	uint32_t i;
	int drive;

	fprintf(file,
		"\"program\":{\"verified_instructions\":%u,\"xlated_bytes\":%u,"
		"\"jited_bytes\":%u},\n\"cost_runs\":%u,\n\"cost\":[\n",
		program->verified_instructions, program->xlated_bytes, program->jited_bytes,
		report->cost_runs);
	for (drive = 0; drive < DRIVE_COUNT; drive++)
		for (i = 0; i < report->cost_count; i++) {
			fprintf(file, drive || i ? ",\n" : "");
			write_cost(file, &report->costs[i], (enum cost_drive)drive);
		}
	fprintf(file, "],\n");
}

static void write_throughput(FILE *file, const struct report *report)
{
	const struct throughput *result = report->throughput;
	int side;

	fprintf(file, "\"throughput\":{\"workers\":%u,\"concurrency\":%u,\"connections\":%u,\n",
		report->options->workers, report->options->concurrency,
		report->options->connections);
	for (side = 0; side < SIDE_COUNT; side++) {
		fprintf(file, "\"%s\":{", side_names[side]);
		write_sample(file, "per_second", &result->per_second[side]);
		fputc(',', file);
		write_sample(file, "cpu_us", &result->cpu_us[side]);
		fprintf(file, "},\n");
	}
	write_sample(file, "ratio", &result->ratio);
	fprintf(file, ",\n");
	write_sample(file, "cpu_ratio", &result->cpu_ratio);
	fprintf(file, "},\n");
}

int report_write_json(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "we");
	struct utsname system = {0};

	if (!file)
		return -errno;
	uname(&system);
	fprintf(file, "{");
	if (report->cost_count)
		write_costs(file, report);
	if (report->throughput->ratio.count)
		write_throughput(file, report);
	fprintf(file, "\"kernel\":\"%s\",\"machine\":\"%s\",\"cpus\":%ld}\n", system.release,
		system.machine, sysconf(_SC_NPROCESSORS_ONLN));
	return fclose(file) ? -errno : 0;
}
