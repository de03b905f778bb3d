// SPDX-License-Identifier: MIT
#include "program_stats.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int program_stats_enable(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME);
}

static int read_info(int program, struct bpf_prog_info *ret_info)
{
	uint32_t length = sizeof(*ret_info);

	memset(ret_info, 0, sizeof(*ret_info));
	return bpf_obj_get_info_by_fd(program, ret_info, &length);
}

static void add(const struct bpf_prog_info *info, struct program_stats *stats)
{
	stats->run_time_ns += info->run_time_ns;
	stats->run_count += info->run_cnt;
	stats->verified_instructions = info->verified_insns;
	stats->xlated_bytes = info->xlated_prog_len;
	stats->jited_bytes = info->jited_prog_len;
}

int program_stats_read(int program, struct program_stats *ret_stats)
{
	struct bpf_prog_info info;
	int error = read_info(program, &info);

	if (error)
		return error;
	*ret_stats = (struct program_stats){0};
	add(&info, ret_stats);
	return 0;
}

static bool is_program(const char *fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%.20s", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       !strcmp(target, "anon_inode:bpf-prog");
}

int program_stats_read_own(const char *name, struct program_stats *ret_stats)
{
	DIR *directory = opendir("/proc/self/fd");
	struct program_stats sum = {0};
	struct bpf_prog_info info;
	struct dirent *entry;
	bool found = false;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory)))
		if (is_program(entry->d_name) && !read_info(atoi(entry->d_name), &info) &&
		    !strcmp(info.name, name)) {
			add(&info, &sum);
			found = true;
		}
	closedir(directory);
	if (!found)
		return -ENOENT;
	*ret_stats = sum;
	return 0;
}

int program_load_empty(void)
{
	const struct bpf_insn instructions[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = SK_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = BPF_SK_REUSEPORT_SELECT_OR_MIGRATE);

	return bpf_prog_load(BPF_PROG_TYPE_SK_REUSEPORT, "bench_empty", "Dual MIT/GPL",
			     instructions, sizeof(instructions) / sizeof(instructions[0]),
			     &options);
}
