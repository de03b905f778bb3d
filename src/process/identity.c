// SPDX-License-Identifier: MIT
#include "process/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error_text.h"
#include "rights/privilege.h"
#include "common/units.h"

/* Returns the passwd entry of a name or number; NULL: there is no such user. */
static const struct passwd *find_user(const char *text)
{
	const struct passwd *entry = getpwnam(text);
	uint64_t number;

	if (!entry && parse_number(text, 0, UINT32_MAX - 1, &number) == 0)
		entry = getpwuid((uid_t)number);
	return entry;
}

static int find_group(const char *text, gid_t *ret_gid)
{
	const struct group *entry = getgrnam(text);
	uint64_t number;

	if (entry) {
		*ret_gid = entry->gr_gid;
		return 0;
	}
	if (parse_number(text, 0, UINT32_MAX - 1, &number))
		return -ENOENT;
	*ret_gid = (gid_t)number;
	return 0;
}

/* Read the user's supplementary groups. */
static int find_groups(struct identity *identity)
{
	int count = 64;

	for (;;) {
		gid_t *groups = realloc(identity->groups, (size_t)count * sizeof(*groups));
		int room = count;

		if (!groups)
			return -ENOMEM;
		identity->groups = groups;
		if (getgrouplist(identity->name, identity->gid, groups, &count) >= 0) {
			identity->group_count = (size_t)count;
			return 0;
		}
		if (count <= room || count > NGROUPS_MAX)
			return -ENOMEM;
	}
}

static int fill(struct identity *identity, const struct passwd *entry)
{
	identity->uid = entry->pw_uid;
	identity->gid = entry->pw_gid;
	identity->name = strdup(entry->pw_name);
	identity->home = strdup(entry->pw_dir);
	identity->shell = strdup(entry->pw_shell && *entry->pw_shell ? entry->pw_shell : "/bin/sh");
	return identity->name && identity->home && identity->shell ? 0 : -ENOMEM;
}

static int look_up(char *user, const char *origin, struct identity *identity,
		   struct error_text *ret_error)
{
	char *group = strchr(user, ':');
	const struct passwd *entry;
	int error;

	if (group)
		*group++ = '\0';
	entry = find_user(user);
	if (!entry) {
		error_text_set(ret_error, "%s: no such user: %s", origin, user);
		return -ENOENT;
	}
	error = fill(identity, entry);
	if (!error && group && find_group(group, &identity->gid)) {
		error_text_set(ret_error, "%s: no such group: %s", origin, group);
		return -ENOENT;
	}
	if (!error)
		error = find_groups(identity);
	if (error)
		error_text_set(ret_error, "%s: %s", origin, strerror(-error));
	return error;
}

int identity_find(const char *user, struct identity *ret_identity, struct error_text *ret_error)
{
	struct identity identity = {0};
	const char *origin = "--user";
	char *copy;
	int error;

	if (!user && geteuid() == 0) {
		user = getenv("SUDO_USER");
		origin = "SUDO_USER (name another user by --user)";
	}
	if (!user || !*user) {
		*ret_identity = identity;
		return 0;
	}
	copy = strdup(user);
	if (!copy) {
		error_text_set(ret_error, "%s: %s", origin, strerror(ENOMEM));
		return -ENOMEM;
	}
	error = look_up(copy, origin, &identity, ret_error);
	free(copy);
	identity.change = identity.uid != geteuid() || identity.gid != getegid();
	if (!error && identity.change && geteuid() != 0) {
		error_text_set(
			ret_error,
			"--user: only root can run workers as another user; start it by sudo");
		error = -EPERM;
	}
	if (error) {
		identity_fini(&identity);
		return error;
	}
	*ret_identity = identity;
	return 0;
}

int identity_become(const struct identity *identity)
{
	if (!identity->change)
		return 0;
	if (setgroups(identity->group_count, identity->groups) ||
	    setresgid(identity->gid, identity->gid, identity->gid) ||
	    setresuid(identity->uid, identity->uid, identity->uid))
		return -1;
	return 0;
}

/*
 * Has this user namespace such ids? This changes the ids of the process: call it in a child. The
 * kernel checks that an id exists before it checks the right to change to it.
 */
static bool has_ids(const struct identity *identity)
{
	const uid_t same = (uid_t)-1;

	return !(setresuid(identity->uid, same, same) && errno == EINVAL) &&
	       !(setresgid(identity->gid, same, same) && errno == EINVAL);
}

static int become_in_child(const struct identity *identity)
{
	unsigned int previous = privilege_raise(PRIVILEGE_SETUID | PRIVILEGE_SETGID);
	pid_t pid = fork();
	int status, error = errno;

	if (pid == 0)
		_exit(!has_ids(identity) ? EINVAL : identity_become(identity) ? errno : 0);
	privilege_restore(previous);
	if (pid < 0)
		return -error;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}

int identity_try(const struct identity *identity, struct error_text *ret_error)
{
	int error = identity->change ? become_in_child(identity) : 0;

	if (error == -EPERM)
		error_text_set(
			ret_error,
			"workers cannot run as %s: this process may not change to another "
			"user\nit needs CAP_SETUID, CAP_SETGID, CAP_CHOWN and CAP_KILL (in a "
			"container: --cap-add); or leave --user out: they run as stickyctl does",
			identity->name);
	else if (error == -EINVAL)
		error_text_set(
			ret_error,
			"workers cannot run as %s: this user namespace has no uid %u, or no gid "
			"%u (see /proc/self/uid_map, gid_map)\nleave --user out: they run as "
			"stickyctl does; or map more ids (/etc/subuid and /etc/subgid)",
			identity->name, identity->uid, identity->gid);
	else if (error)
		error_text_set(ret_error, "workers cannot run as %s: %s", identity->name,
			       strerror(-error));
	return error;
}

struct user_rights identity_rights(const struct identity *identity)
{
	return (struct user_rights){
		.change = identity->change,
		.uid = identity->uid,
		.gid = identity->gid,
		.groups = identity->groups,
		.group_count = identity->group_count,
	};
}

bool identity_may_read(const struct identity *identity, const char *path)
{
	const struct user_rights rights = identity_rights(identity);
	struct user_rights_region region;
	int fd;

	if (user_rights_begin(identity->change ? &rights : NULL, &region))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	user_rights_end(&region);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void identity_fini(struct identity *identity)
{
	free(identity->groups);
	free(identity->name);
	free(identity->home);
	free(identity->shell);
	*identity = (struct identity){0};
}
