// SPDX-License-Identifier: MIT
/* Functions that glibc has, or has under this version, only since it is newer than
 * packaging/npm/floor says. The program for npm is linked with these in their place, so that it
 * also runs with an older glibc than the one that it was linked on. All are hidden: libc's own
 * libraries never see them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __aarch64__
#define FIRST_GLIBC   "GLIBC_2.17"
#define SETNAME_GLIBC FIRST_GLIBC
#else
#define FIRST_GLIBC   "GLIBC_2.2.5"
#define SETNAME_GLIBC "GLIBC_2.12"
#endif
#define HIDDEN __attribute__((visibility("hidden")))

/* old_NAME is the NAME that glibc has had from the beginning, or since that version. */
#define OLD(name, version) __asm__(".symver old_" #name "," #name "@" version)

/* ---- stat(): until 2.33 they were inline functions --------------------------------- */
HIDDEN int fstatat(int directory, const char *path, struct stat *ret_stat, int flags)
{
	return (int)syscall(SYS_newfstatat, directory, path, ret_stat, flags);
}

HIDDEN int stat(const char *path, struct stat *ret_stat)
{
	return fstatat(AT_FDCWD, path, ret_stat, 0);
}

HIDDEN int lstat(const char *path, struct stat *ret_stat)
{
	return fstatat(AT_FDCWD, path, ret_stat, AT_SYMLINK_NOFOLLOW);
}

HIDDEN int fstat(int fd, struct stat *ret_stat)
{
	return (int)syscall(SYS_fstat, fd, ret_stat);
}

/* ---- fcntl64(): 2.28. Where a pointer has 64 bits, it is fcntl() ------------------------ */
int old_fcntl(int fd, int command, ...);
OLD(fcntl, FIRST_GLIBC);
int fcntl64(int fd, int command, ...) HIDDEN;
int fcntl64(int fd, int command, ...)
{
	va_list values;

	va_start(values, command);
	void *value = va_arg(values, void *);

	va_end(values);
	return old_fcntl(fd, command, value);
}

/* ---- Threads: a library of their own until 2.34 ------------------------------------ */
int old_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
		       void *(*run)(void *), void *argument);
int old_pthread_join(pthread_t thread, void **ret_result);
int old_pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_former);
int old_pthread_setname_np(pthread_t thread, const char *name);
int old_pthread_getcpuclockid(pthread_t thread, clockid_t *ret_clock);
OLD(pthread_create, FIRST_GLIBC);
OLD(pthread_join, FIRST_GLIBC);
OLD(pthread_sigmask, FIRST_GLIBC);
OLD(pthread_setname_np, SETNAME_GLIBC);
OLD(pthread_getcpuclockid, FIRST_GLIBC);

HIDDEN int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
			  void *(*run)(void *), void *argument)
{
	return old_pthread_create(ret_thread, attributes, run, argument);
}

HIDDEN int pthread_join(pthread_t thread, void **ret_result)
{
	return old_pthread_join(thread, ret_result);
}

HIDDEN int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_former)
{
	return old_pthread_sigmask(how, set, ret_former);
}

HIDDEN int pthread_setname_np(pthread_t thread, const char *name)
{
	return old_pthread_setname_np(thread, name);
}

HIDDEN int pthread_getcpuclockid(pthread_t thread, clockid_t *ret_clock)
{
	return old_pthread_getcpuclockid(thread, ret_clock);
}

HIDDEN pid_t gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* ---- sigabbrev_np(): 2.32 ---------------------------------------------------------- */
#define NAME(signal) [SIG##signal] = #signal
static const char *const signal_names[] = {
	NAME(HUP),  NAME(INT),	 NAME(QUIT),   NAME(ILL),  NAME(TRAP), NAME(ABRT), NAME(BUS),
	NAME(FPE),  NAME(KILL),	 NAME(USR1),   NAME(SEGV), NAME(USR2), NAME(PIPE), NAME(ALRM),
	NAME(TERM), NAME(CHLD),	 NAME(STKFLT), NAME(CONT), NAME(STOP), NAME(TSTP), NAME(TTIN),
	NAME(TTOU), NAME(URG),	 NAME(XCPU),   NAME(XFSZ), NAME(PROF), NAME(POLL), NAME(PWR),
	NAME(SYS),  NAME(WINCH), NAME(VTALRM),
};

HIDDEN const char *sigabbrev_np(int number)
{
	const int count = sizeof(signal_names) / sizeof(signal_names[0]);

	return number > 0 && number < count ? signal_names[number] : NULL;
}

/* ---- arc4random(): 2.36. Like glibc's, it has no failure to report ------------------ */
HIDDEN void arc4random_buf(void *buffer, size_t size)
{
	for (uint8_t *at = buffer, *end = at + size; at < end;) {
		ssize_t got = getrandom(at, (size_t)(end - at), 0);

		if (got > 0)
			at += got;
		else if (got < 0 && errno != EINTR)
			abort();
	}
}

HIDDEN uint32_t arc4random(void)
{
	uint32_t number;

	arc4random_buf(&number, sizeof(number));
	return number;
}

/* ---- Numbers as C23 writes them, 0b1: 2.38 ------------------------------------------ */
#define NUMBER_READER(type, name)                                                                  \
	type old_##name(const char *text, char **ret_end, int base) __asm__(#name);                \
	type __isoc23_##name(const char *text, char **ret_end, int base);                          \
	HIDDEN type __isoc23_##name(const char *text, char **ret_end, int base)                    \
	{                                                                                          \
		return old_##name(text, ret_end, base);                                            \
	}
NUMBER_READER(long, strtol)
NUMBER_READER(unsigned long, strtoul)
NUMBER_READER(long long, strtoll)
NUMBER_READER(unsigned long long, strtoull)

/* In both, the first parameter is where it reads from. */
#define FIELD_READER(type, name)                                                                   \
	int __isoc99_v##name(type from, const char *format, va_list values);                       \
	int __isoc23_##name(type from, const char *format, ...);                                   \
	HIDDEN int __isoc23_##name(type from, const char *format, ...)                             \
	{                                                                                          \
		va_list values;                                                                    \
                                                                                                   \
		va_start(values, format);                                                          \
		int count = __isoc99_v##name(from, format, values);                                \
                                                                                                   \
		va_end(values);                                                                    \
		return count;                                                                      \
	}
FIELD_READER(const char *, sscanf)
FIELD_READER(FILE *, fscanf)

/* ---- strlcpy(), strlcat(): 2.38 ----------------------------------------------------- */
size_t strlcpy(char *ret_text, const char *from, size_t size);
size_t strlcat(char *ret_text, const char *from, size_t size);
HIDDEN size_t strlcpy(char *ret_text, const char *from, size_t size)
{
	size_t length = strlen(from);

	if (size > 0) {
		size_t kept = length < size ? length : size - 1;

		memcpy(ret_text, from, kept);
		ret_text[kept] = '\0';
	}
	return length;
}

HIDDEN size_t strlcat(char *ret_text, const char *from, size_t size)
{
	size_t length = strnlen(ret_text, size);

	return length + strlcpy(ret_text + length, from, size - length);
}

/* ---- The start of the program: from 2.34 on, glibc itself runs the constructors ------- */
typedef void constructor(int argc, char **argv, char **environment);
typedef int entry(int argc, char **argv, char **environment);

int old_libc_start_main(entry *run, int argc, char **argv, constructor *construct,
			void (*destroy)(void), void (*end_linker)(void), void *stack_end);
int __libc_start_main(entry *run, int argc, char **argv, constructor *construct,
		      void (*destroy)(void), void (*end_linker)(void), void *stack_end);
__asm__(".symver old_libc_start_main,__libc_start_main@" FIRST_GLIBC);
extern constructor *__init_array_start[] HIDDEN, *__init_array_end[] HIDDEN;
void _init(void) HIDDEN;

static void run_constructors(int argc, char **argv, char **environment)
{
	_init();
	for (constructor **at = __init_array_start; at < __init_array_end; at++)
		(*at)(argc, argv, environment);
}

/* crt1.o of an older glibc gives constructors, that of a newer one NULL. */
HIDDEN int __libc_start_main(entry *run, int argc, char **argv, constructor *construct,
			     void (*destroy)(void), void (*end_linker)(void), void *stack_end)
{
	return old_libc_start_main(run, argc, argv, construct ? construct : run_constructors,
				   destroy, end_linker, stack_end);
}
