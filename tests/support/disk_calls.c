/* Preloaded into a process (LD_PRELOAD), this writes down what it does to the files below a directory, and has one of
 * these calls, or all from one on, fail with an errno, or end the process. See disk_calls.py, which compiles it.
 *
 * KVASS_DISK_DIRECTORY  the directory: an absolute path without symlinks; files are opened by such paths
 * KVASS_DISK_CONTROL    a file with a `struct control`, shared by all processes and with the test
 * KVASS_DISK_LOG        where records are appended; nothing is written down without it
 *
 * What is mapped into memory is not seen: SQLite writes no file but the index of its log (-shm) so, which no power cut
 * outlives. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN_READ = 1, OPEN_WRITE = 2, WRITE = 4, SYNC = 8, NAME = 16, READ = 32, MEMORY = 64 };
enum operation { OPENED = 1, WROTE = 2, TRUNCATED = 3, SYNCED = 4, UNLINKED = 5, RENAMED = 6, LINKED = 7, EXTENDED = 8 };

struct control {
    int64_t kinds;  /* of calls that are counted */
    int64_t seen;   /* calls that were counted */
    int64_t at;     /* the first of them that fails, from 1 on; 0: none */
    int64_t failing; /* how many fail from there on */
    int64_t error;  /* the errno of them; 0: the process is killed instead */
    int64_t struck; /* how many have failed */
};

struct record {
    uint32_t operation;
    uint32_t pid;
    uint64_t file;  /* its inode */
    int64_t offset; /* of what was written; the new size; whether opening emptied it, or fsync was called */
    uint64_t begun; /* bytes in the log when the call began */
    uint64_t size;  /* of what follows: the bytes, or names that end in a NUL */
};

#define DESCRIPTORS 65536
static uint64_t files[DESCRIPTORS]; /* the inode of each descriptor below the directory, else 0 */
static char unlogged[DESCRIPTORS];  /* those of -shm */
static const char *directory, *log_path;
static size_t directory_length;
static struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))find(#name))
static void *find(const char *name) { return dlsym(RTLD_NEXT, name); }
#define CALL(name, ...) ({ static __typeof__(&name) real; if (!real) real = REAL(name); real(__VA_ARGS__); })

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("KVASS_DISK_CONTROL");
    directory = getenv("KVASS_DISK_DIRECTORY");
    log_path = getenv("KVASS_DISK_LOG");
    if (directory == NULL || path == NULL)
        return;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (found != MAP_FAILED) {
        directory_length = strlen(directory);
        control = found;
    }
}

/* Count a call; return whether it is to fail, with errno set. */
static int fails(enum kind kind)
{
    if (control == NULL || !(__atomic_load_n(&control->kinds, __ATOMIC_RELAXED) & kind))
        return 0;
    int64_t number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (control->at == 0 || number < control->at || number - control->at >= control->failing)
        return 0;
    __atomic_add_fetch(&control->struck, 1, __ATOMIC_SEQ_CST);
    if (control->error == 0)
        kill(getpid(), SIGKILL);
    errno = control->error;
    return 1;
}

static int is_ours(const char *path)
{
    return control != NULL && path != NULL && strncmp(path, directory, directory_length) == 0 &&
           (path[directory_length] == '/' || path[directory_length] == 0);
}

static uint64_t file_of(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS ? files[descriptor] : 0;
}

static int is_index(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, "-shm") == 0;
}

static uint64_t log_size(void)
{
    struct stat status;
    return log_path != NULL && stat(log_path, &status) == 0 ? status.st_size : 0;
}

static void note(enum operation operation, uint64_t file, int64_t offset, uint64_t begun, const void *data, size_t size)
{
    if (log_path == NULL)
        return;
    int saved = errno;
    struct record record = { operation, getpid(), file, offset, begun, size };
    struct iovec parts[] = { { &record, sizeof record }, { (void *)data, size } };
    int log = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (log < 0 || writev(log, parts, 2) != (ssize_t)(sizeof record + size))
        abort();
    syscall(SYS_close, log);
    errno = saved;
}

static void note_names(enum operation operation, const char *one, const char *other)
{
    char names[8192];
    size_t first = strlen(one) + 1, second = other ? strlen(other) + 1 : 0;
    if (first + second > sizeof names)
        abort();
    memcpy(names, one, first);
    if (other)
        memcpy(names + first, other, second);
    note(operation, 0, 0, 0, names, first + second);
}

/* Opening and closing */

static int note_opened(int descriptor, const char *path, int flags)
{
    struct stat status;
    if (descriptor < 0 || descriptor >= DESCRIPTORS || fstat(descriptor, &status) != 0)
        return descriptor;
    files[descriptor] = status.st_ino;
    unlogged[descriptor] = is_index(path);
    if (!unlogged[descriptor])
        note(OPENED, status.st_ino, flags & O_TRUNC, 0, path, strlen(path) + 1);
    return descriptor;
}

#define OPEN(name)                                                                         \
    int name(const char *path, int flags, ...)                                             \
    {                                                                                      \
        va_list rest;                                                                      \
        va_start(rest, flags);                                                             \
        mode_t mode = va_arg(rest, mode_t);                                                \
        va_end(rest);                                                                      \
        if (!is_ours(path))                                                                \
            return CALL(name, path, flags, mode);                                          \
        if (fails(flags & (O_WRONLY | O_RDWR | O_CREAT) ? OPEN_WRITE : OPEN_READ))         \
            return -1;                                                                     \
        pthread_mutex_lock(&lock);                                                         \
        int descriptor = note_opened(CALL(name, path, flags, mode), path, flags);          \
        pthread_mutex_unlock(&lock);                                                       \
        return descriptor;                                                                 \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                       \
    int name(int at, const char *path, int flags, ...)                                     \
    {                                                                                      \
        va_list rest;                                                                      \
        va_start(rest, flags);                                                             \
        mode_t mode = va_arg(rest, mode_t);                                                \
        va_end(rest);                                                                      \
        return is_ours(path) ? open64(path, flags, mode) : CALL(name, at, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int descriptor)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS)
        files[descriptor] = 0;
    return CALL(close, descriptor);
}

/* Bytes */

static ssize_t note_written(uint64_t file, int descriptor, const void *data, ssize_t done, int64_t offset)
{
    if (done > 0 && !unlogged[descriptor])
        note(WROTE, file, offset, 0, data, done);
    return done;
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    uint64_t file = file_of(descriptor);
    if (file == 0)
        return CALL(write, descriptor, data, size);
    if (fails(WRITE))
        return -1;
    pthread_mutex_lock(&lock);
    ssize_t done = CALL(write, descriptor, data, size);
    note_written(file, descriptor, data, done, lseek(descriptor, 0, SEEK_CUR) - done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITE(name, offset_type)                                                          \
    ssize_t name(int descriptor, const void *data, size_t size, offset_type offset)        \
    {                                                                                      \
        uint64_t file = file_of(descriptor);                                               \
        if (file == 0)                                                                     \
            return CALL(name, descriptor, data, size, offset);                             \
        if (fails(WRITE))                                                                  \
            return -1;                                                                     \
        pthread_mutex_lock(&lock);                                                         \
        ssize_t done = CALL(name, descriptor, data, size, offset);                         \
        note_written(file, descriptor, data, done, offset);                                \
        pthread_mutex_unlock(&lock);                                                       \
        return done;                                                                       \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, offset_type)                                                       \
    int name(int descriptor, offset_type size)                                             \
    {                                                                                      \
        uint64_t file = file_of(descriptor);                                               \
        if (file == 0)                                                                     \
            return CALL(name, descriptor, size);                                           \
        if (fails(WRITE))                                                                  \
            return -1;                                                                     \
        pthread_mutex_lock(&lock);                                                         \
        int result = CALL(name, descriptor, size);                                         \
        if (result == 0 && !unlogged[descriptor])                                          \
            note(TRUNCATED, file, size, 0, NULL, 0);                                       \
        pthread_mutex_unlock(&lock);                                                       \
        return result;                                                                     \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define TRUNCATE(name, offset_type)                                                        \
    int name(const char *path, offset_type size)                                           \
    {                                                                                      \
        if (!is_ours(path))                                                                \
            return CALL(name, path, size);                                                 \
        if (fails(WRITE))                                                                  \
            return -1;                                                                     \
        pthread_mutex_lock(&lock);                                                         \
        struct stat status;                                                                \
        int result = CALL(name, path, size);                                               \
        if (result == 0 && stat(path, &status) == 0) {                                     \
            note(OPENED, status.st_ino, 0, 0, path, strlen(path) + 1);                     \
            note(TRUNCATED, status.st_ino, size, 0, NULL, 0);                              \
        }                                                                                  \
        pthread_mutex_unlock(&lock);                                                       \
        return result;                                                                     \
    }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)

#define ALLOCATE(name, offset_type)                                                        \
    int name(int descriptor, offset_type offset, offset_type size)                         \
    {                                                                                      \
        uint64_t file = file_of(descriptor);                                               \
        if (file == 0)                                                                     \
            return CALL(name, descriptor, offset, size);                                   \
        if (fails(WRITE))                                                                  \
            return errno;                                                                  \
        pthread_mutex_lock(&lock);                                                         \
        int result = CALL(name, descriptor, offset, size);                                 \
        if (result == 0)                                                                   \
            note(EXTENDED, file, offset + size, 0, NULL, 0);                               \
        pthread_mutex_unlock(&lock);                                                       \
        return result;                                                                     \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

/* What would move bytes past this; whoever calls it copies by hand then. */
#define REFUSE(name, out, offset_type, ...)                                                \
    if (file_of(out) != 0) {                                                               \
        errno = EINVAL;                                                                    \
        return -1;                                                                         \
    }                                                                                      \
    return CALL(name, __VA_ARGS__)
ssize_t sendfile(int out, int in, off_t *offset, size_t size);
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size);
ssize_t sendfile(int out, int in, off_t *offset, size_t size) { REFUSE(sendfile, out, off_t, out, in, offset, size); }
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) { REFUSE(sendfile64, out, off64_t, out, in, offset, size); }
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags)
{
    REFUSE(copy_file_range, out, off64_t, in, from, out, to, size, flags);
}

#define READ(name, parameters, ...)                                                        \
    ssize_t name parameters                                                                \
    {                                                                                      \
        return file_of(descriptor) != 0 && fails(READ) ? -1 : CALL(name, __VA_ARGS__);     \
    }
READ(read, (int descriptor, void *data, size_t size), descriptor, data, size)
READ(pread, (int descriptor, void *data, size_t size, off_t offset), descriptor, data, size, offset)
READ(pread64, (int descriptor, void *data, size_t size, off64_t offset), descriptor, data, size, offset)

#define SYNCHRONISE(name)                                                                  \
    int name(int descriptor)                                                               \
    {                                                                                      \
        uint64_t file = file_of(descriptor);                                               \
        if (file == 0)                                                                     \
            return CALL(name, descriptor);                                                 \
        if (fails(SYNC))                                                                   \
            return -1;                                                                     \
        pthread_mutex_lock(&lock);                                                         \
        uint64_t begun = log_size();                                                       \
        pthread_mutex_unlock(&lock);                                                       \
        if (log_path == NULL) /* no test that has calls fail waits for a disk */           \
            return 0;                                                                      \
        if (!unlogged[descriptor])                                                         \
            note(SYNCED, file, strcmp(#name, "fsync") == 0, begun, NULL, 0);                                         \
        return 0;                                                                          \
    }
SYNCHRONISE(fsync)
SYNCHRONISE(fdatasync)

/* Names */

int unlink(const char *path)
{
    if (!is_ours(path))
        return CALL(unlink, path);
    if (fails(NAME))
        return -1;
    pthread_mutex_lock(&lock);
    int result = CALL(unlink, path);
    if (result == 0 && !is_index(path))
        note_names(UNLINKED, path, NULL);
    pthread_mutex_unlock(&lock);
    return result;
}

#define TWO_NAMES(name, operation)                                                         \
    int name(const char *old, const char *new)                                             \
    {                                                                                      \
        if (!is_ours(new))                                                                 \
            return CALL(name, old, new);                                                   \
        if (fails(NAME))                                                                   \
            return -1;                                                                     \
        pthread_mutex_lock(&lock);                                                         \
        int result = CALL(name, old, new);                                                 \
        if (result == 0)                                                                   \
            note_names(operation, old, new);                                               \
        pthread_mutex_unlock(&lock);                                                       \
        return result;                                                                     \
    }
TWO_NAMES(rename, RENAMED)
TWO_NAMES(link, LINKED)

/* Memory: that of SQLite, and of Python beyond its small objects */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t size) { return fails(MEMORY) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails(MEMORY) ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return fails(MEMORY) ? NULL : __libc_realloc(old, size); }
