// SPDX-License-Identifier: MIT
#include "state/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error_text.h"
#include "rights/private_dir.h"

/* The first line of the file. The seed in hex and a line end follow it. */
#define HEADER	      "sticky-seed 1\n"
#define HEADER_LENGTH (sizeof(HEADER) - 1)
#define FILE_LENGTH   (HEADER_LENGTH + 2 * STICKY_SEED_SIZE + 1)

int seed_locate(const char *state_dir, const char *name, char ret_dir[PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int length;

	if (state_dir)
		length = snprintf(ret_dir, PATH_MAX, "%s/%s", state_dir, name);
	else if (geteuid() == 0)
		length = snprintf(ret_dir, PATH_MAX, "/var/lib/sticky/%s", name);
	else if (state && state[0] == '/')
		length = snprintf(ret_dir, PATH_MAX, "%s/sticky/%s", state, name);
	else if (home && home[0] == '/')
		length = snprintf(ret_dir, PATH_MAX, "%s/.local/state/sticky/%s", home, name);
	else
		return -ENOENT;
	/* There must be room for the file's name. */
	return length < 0 || length > PATH_MAX - 32 ? -ENAMETOOLONG : 0;
}

static int read_hex(const char *text, uint8_t seed[STICKY_SEED_SIZE])
{
	int i;

	for (i = 0; i < STICKY_SEED_SIZE; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
		char *end;

		if (strspn(pair, "0123456789abcdef") != 2)
			return -EINVAL;
		seed[i] = (uint8_t)strtoul(pair, &end, 16);
	}
	return 0;
}

static int parse(const char *content, size_t length, uint8_t seed[STICKY_SEED_SIZE])
{
	if (length != FILE_LENGTH || memcmp(content, HEADER, HEADER_LENGTH) ||
	    content[FILE_LENGTH - 1] != '\n')
		return -EINVAL;
	return read_hex(content + HEADER_LENGTH, seed);
}

/* Returns what is wrong with a content that is not a seed. */
static const char *judge(const char *content, size_t length)
{
	size_t word = strcspn(HEADER, " ") + 1;

	if (length >= HEADER_LENGTH && !memcmp(content, HEADER, HEADER_LENGTH))
		return length < FILE_LENGTH ? "truncated" : "damaged";
	if (length >= word && !memcmp(content, HEADER, word))
		return length < HEADER_LENGTH ? "truncated" : "of another version";
	return length == 0 ? "empty" : "not a seed";
}

/* The permissions that a seed file must have, and what the user can do if it has others. */
struct keeping {
	mode_t closed; /* bits of the mode that must be 0 */
	const char *foreign, *open, *bad;
};

static const struct keeping own = {
	.closed = 077,
	.foreign = "Remove it, or name another --state-dir",
	.open = "Remove it, and a new one is drawn (clients then move once); or chmod 600 it",
	.bad = "put back a copy, or remove it, and a new one is drawn (clients then move once)",
};

/* For --seed-file. A secret of a container may be readable by a group: mode 0440, owned by root. */
static const struct keeping shared = {
	.closed = 037,
	.foreign = "Let it be root's, or the user's who starts stickyctl",
	.open = "chmod 600 it",
	.bad = "copy the seed of another host, <state-dir>/<name>/seed",
};

static int check_owner(int fd, const char *path, const struct keeping *keeping,
		       struct error_text *ret_error)
{
	struct stat info;
	int error;

	if (fstat(fd, &info)) {
		error = -errno;
		error_text_set(ret_error, "cannot read %s: %s", path, strerror(-error));
		return error;
	}
	if (!S_ISREG(info.st_mode)) {
		error_text_set(ret_error, "%s is not a regular file: remove it", path);
		return -EINVAL;
	}
	if (info.st_uid != geteuid() && info.st_uid != 0) {
		error_text_set(ret_error,
			       "%s belongs to uid %u: a client that knows the seed can choose a "
			       "worker. %s",
			       path, info.st_uid, keeping->foreign);
		return -EPERM;
	}
	if (info.st_mode & keeping->closed) {
		error_text_set(ret_error,
			       "%s is open to others (mode %04o): a client that knows the seed can "
			       "choose a worker. %s",
			       path, info.st_mode & 07777, keeping->open);
		return -EPERM;
	}
	return 0;
}

static int read_file(int fd, const char *path, const struct keeping *keeping,
		     uint8_t seed[STICKY_SEED_SIZE], struct error_text *ret_error)
{
	char content[FILE_LENGTH + 1];
	int error = check_owner(fd, path, keeping, ret_error);
	ssize_t length;

	if (error)
		return error;
	length = read(fd, content, sizeof(content));
	if (length < 0) {
		error = -errno;
		error_text_set(ret_error, "cannot read %s: %s", path, strerror(-error));
		return error;
	}
	error = parse(content, (size_t)length, seed);
	if (error)
		error_text_set(ret_error, "%s is %s: %s", path, judge(content, (size_t)length),
			       keeping->bad);
	return error;
}

static int write_content(int fd, const uint8_t seed[STICKY_SEED_SIZE])
{
	char content[FILE_LENGTH + 1] = HEADER;
	ssize_t written;
	int i;

	for (i = 0; i < STICKY_SEED_SIZE; i++)
		sprintf(content + HEADER_LENGTH + 2 * i, "%02x", seed[i]);
	content[FILE_LENGTH - 1] = '\n';
	written = write(fd, content, FILE_LENGTH);
	if (written != (ssize_t)FILE_LENGTH)
		return written < 0 ? -errno : -EIO;
	return fsync(fd) ? -errno : 0;
}

static int sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) ? -errno : 0;
	close(fd);
	return error;
}

/*
 * Write the file whole or not at all: a temporary file is written, synced, then renamed. No other
 * process writes the file, as this instance has locked the name.
 */
static int write_file(const char *dir, const char *path, const uint8_t seed[STICKY_SEED_SIZE])
{
	char temporary[PATH_MAX + 32];
	int fd, error;

	snprintf(temporary, sizeof(temporary), "%s/.seed-XXXXXX", dir);
	fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	error = write_content(fd, seed);
	close(fd);
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	else
		error = sync_directory(dir);
	return error;
}

static int draw(uint8_t seed[STICKY_SEED_SIZE], struct error_text *ret_error)
{
	if (getrandom(seed, STICKY_SEED_SIZE, 0) == STICKY_SEED_SIZE)
		return 0;
	error_text_set(ret_error, "getrandom: %s", strerror(errno));
	return -EIO;
}

int seed_read(const char *path, uint8_t ret_seed[STICKY_SEED_SIZE], struct error_text *ret_error)
{
	/* Symbolic links are followed, as a secret of Kubernetes is one. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error = fd < 0 ? -errno : read_file(fd, path, &shared, ret_seed, ret_error);

	if (fd < 0)
		error_text_set(ret_error, "--seed-file: cannot read %s: %s", path,
			       strerror(-error));
	else
		close(fd);
	return error;
}

int seed_obtain(const char *state_dir, const char *name, uint8_t ret_seed[STICKY_SEED_SIZE],
		struct error_text *ret_error)
{
	char dir[PATH_MAX], path[PATH_MAX + 32];
	int error, fd;

	error = seed_locate(state_dir, name, dir);
	if (error) {
		error_text_set(ret_error, "no state directory: %s. Name one by --state-dir",
			       strerror(-error));
		error = draw(ret_seed, ret_error);
		return error ? error : 1;
	}
	snprintf(path, sizeof(path), "%s/seed", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0) {
		error = read_file(fd, path, &own, ret_seed, ret_error);
		close(fd);
		return error;
	}
	if (errno != ENOENT && errno != ENOTDIR) {
		error = -errno;
		error_text_set(ret_error, "cannot read %s: %s", path, strerror(-error));
		return error;
	}
	error = draw(ret_seed, ret_error);
	if (error)
		return error;
	if (directory_make(dir, 0700, false, ret_error))
		return 1;
	error = write_file(dir, path, ret_seed);
	if (error) {
		error_text_set(ret_error, "cannot write %s: %s", path, strerror(-error));
		return 1;
	}
	return 0;
}
