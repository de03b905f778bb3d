// SPDX-License-Identifier: MIT
#include "state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int name_new(const char *path, char new_path[PATH_MAX])
{
	return snprintf(new_path, PATH_MAX, "%s.new", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int state_file_install(const char *path)
{
	char new_path[PATH_MAX];

	if (name_new(path, new_path))
		return -ENAMETOOLONG;
	return rename(new_path, path) ? -errno : 0;
}

int state_file_check_space(const char *path)
{
	struct state_file file = {.content = NULL};
	char new_path[PATH_MAX];
	int error = state_file_create(path, &file);

	if (error)
		return error;
	state_file_close(&file);
	return name_new(path, new_path) || unlink(new_path) ? -errno : 0;
}

int state_file_create(const char *path, struct state_file *ret_file)
{
	struct state_file_content *content;
	char new_path[PATH_MAX];
	int fd, error = 0;

	if (name_new(path, new_path))
		return -ENAMETOOLONG;
	unlink(new_path);
	fd = open(new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/*
	 * All blocks are allocated at once. If the file had holes and the disk were full, a write
	 * to the mapping would raise SIGBUS.
	 */
	error = -posix_fallocate(fd, 0, sizeof(*content));
	content = error ? MAP_FAILED
			: mmap(NULL, sizeof(*content), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!error && content == MAP_FAILED)
		error = -errno;
	close(fd);
	if (error) {
		unlink(new_path);
		return error;
	}
	content->version = STATE_FILE_VERSION;
	*ret_file = (struct state_file){.content = content};
	return 0;
}

/* Read a file. The members that were added to this version later may be missing at its end. */
static int read_whole(int fd, struct state_file_content *content)
{
	char *to = (char *)content;
	size_t done = 0;
	ssize_t length = 1;

	while (length && done < sizeof(*content)) {
		length = read(fd, to + done, sizeof(*content) - done);
		if (length < 0)
			return -errno;
		done += (size_t)length;
	}
	return done < offsetof(struct state_file_content, exits) ? -EPROTO : 0;
}

int state_file_read(const char *path, struct state_file_content **ret_content)
{
	struct state_file_content *content;
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), error = 0;

	if (fd < 0)
		return -errno;
	content = calloc(1, sizeof(*content));
	if (!content || fstat(fd, &info))
		error = content ? -errno : -ENOMEM;
	else if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || info.st_mode & 077)
		error = -EPROTO;
	else
		error = read_whole(fd, content);
	close(fd);
	if (!error && (content->version != STATE_FILE_VERSION || content->slots < 1 ||
		       content->slots > STICKY_SLOTS_LIMIT || content->listeners < 1 ||
		       content->listeners > STICKY_LISTENERS_LIMIT))
		error = -EPROTO;
	if (error) {
		free(content);
		return error;
	}
	*ret_content = content;
	return 0;
}

void state_file_note_fixed(struct state_file_content *content, const uint64_t ids[CONFIG_FIXED_MAX])
{
	memcpy(content->fixed_ids, ids, sizeof(content->fixed_ids));
	memcpy(content->more_fixed_ids, ids + STATE_FILE_FIXED_FIRST,
	       sizeof(content->more_fixed_ids));
}

void state_file_read_fixed(const struct state_file_content *content,
			   uint64_t ret_ids[CONFIG_FIXED_MAX])
{
	memcpy(ret_ids, content->fixed_ids, sizeof(content->fixed_ids));
	memcpy(ret_ids + STATE_FILE_FIXED_FIRST, content->more_fixed_ids,
	       sizeof(content->more_fixed_ids));
}

void state_file_close(struct state_file *file)
{
	if (file->content)
		munmap(file->content, sizeof(*file->content));
	file->content = NULL;
}

struct worker_record *state_file_add(struct state_file *file)
{
	uint32_t tries;

	for (tries = 0; file->content && tries < STATE_FILE_WORKERS; tries++) {
		struct worker_record *record =
			&file->content->worker[(file->next + tries) % STATE_FILE_WORKERS];

		if (record->used)
			continue;
		file->next += tries + 1;
		memset(record, 0, sizeof(*record));
		return record;
	}
	return NULL;
}

void state_file_publish(struct worker_record *record)
{
	/* A SIGKILL may come between any two stores, and readers rely on their order. */
	atomic_signal_fence(memory_order_release);
	*(volatile uint32_t *)&record->used = 1;
}

void state_file_remove(struct worker_record *record)
{
	if (record)
		*(volatile uint32_t *)&record->used = 0;
}

uint64_t state_file_process_start(int32_t pid)
{
	char path[64], text[1024];
	const char *end;
	uint64_t start = 0;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			   "%*d %*d %" SCNu64,
			   &start) != 1)
		return 0;
	return start;
}
