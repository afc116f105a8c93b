/* Makes a process see a bad disk. Concerns only files of the database. Loaded by LD_PRELOAD; whoever uses it builds it
 * with the compiler that builds SQLite. What is not set does not happen:
 *
 *   FAULT_SYNC=FILE          while FILE exists, fsync and fdatasync fail with EIO
 *   FAULT_SYNC_AFTER=N       they fail with EIO from the N-th on
 *   FAULT_SYNC_LIE=1         they say that they are done, and do nothing
 *   FAULT_SYNC_SLOW=FILE     while FILE exists, each takes as many milliseconds longer as it says
 *   FAULT_SYNC_DIE=N         the process dies in the N-th: before the disk is synced if N is odd, after it if N is even
 *   FAULT_TORN=SUFFIX:N:P    the N-th write to a file whose name ends so stores P percent of its bytes and kills the
 *                            process */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long syncs, writes;

/* The name of an open file of the database; NULL if it is another one. */
static const char *database(int fd, char path[4096])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 4095);
    if (length < 0)
        return NULL;
    path[length] = 0;
    return strstr(path, "hongyan.db") ? path : NULL;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void be_slow(void)
{
    const char *name = getenv("FAULT_SYNC_SLOW");
    FILE *file = name ? fopen(name, "r") : NULL;
    if (!file)
        return;
    long ms = 0;
    if (fscanf(file, "%ld", &ms) != 1)
        ms = 0;
    fclose(file);
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int fails(long number)
{
    const char *trigger = getenv("FAULT_SYNC"), *after = getenv("FAULT_SYNC_AFTER");
    return (trigger && access(trigger, F_OK) == 0) || (after && number >= atol(after));
}

static int sync_by(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    char path[4096];
    if (!database(fd, path))
        return real(fd);
    long number = __atomic_add_fetch(&syncs, 1, __ATOMIC_RELAXED);
    const char *last = getenv("FAULT_SYNC_DIE");
    if (last && number == atol(last) && number % 2 == 1)
        die();
    be_slow();
    if (fails(number)) {
        errno = EIO;
        return -1;
    }
    int result = getenv("FAULT_SYNC_LIE") ? 0 : real(fd);
    if (last && number == atol(last))
        die();
    return result;
}

int fsync(int fd) { return sync_by("fsync", fd); }
int fdatasync(int fd) { return sync_by("fdatasync", fd); }

/* How many bytes of this write are stored before the process dies; -1 if it is not the one. */
static ssize_t torn(int fd, size_t length)
{
    const char *torn = getenv("FAULT_TORN");
    char suffix[32], path[4096];
    long number, percent;
    if (!torn || sscanf(torn, "%31[^:]:%ld:%ld", suffix, &number, &percent) != 3 || !database(fd, path))
        return -1;
    size_t name = strlen(path), end = strlen(suffix);
    if (name < end || strcmp(path + name - end, suffix) != 0)
        return -1;
    return __atomic_add_fetch(&writes, 1, __ATOMIC_RELAXED) == number ? (ssize_t)(length * percent / 100) : -1;
}

static ssize_t write_by(const char *name, int fd, const void *bytes, size_t length, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    ssize_t part = torn(fd, length);
    if (part < 0)
        return real(fd, bytes, length, at);
    if (part > 0)
        real(fd, bytes, part, at);
    die();
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return write_by("pwrite", fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
    return write_by("pwrite64", fd, bytes, length, at);
}
