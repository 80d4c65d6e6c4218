/* A page that the system empties in a forked child. It must not register fork handlers: those are
 * for the application. */
#include "core/process.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct page {
    _Atomic uint64_t number;
    _Atomic int64_t id;
} page;

static page *own;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return;
    if (madvise(made, size, MADV_WIPEONFORK) == 0)
        own = made;
    else
        munmap(made, size);
}

pid_t conv__process_id(void)
{
    pthread_once(&prepared, prepare);
    if (own == NULL) return getpid();
    int64_t id = atomic_load_explicit(&own->id, memory_order_relaxed);
    if (id != 0) return (pid_t)id;
    id = getpid();
    atomic_store_explicit(&own->id, id, memory_order_relaxed);
    return (pid_t)id;
}

_Atomic uint64_t *conv__process_number(void)
{
    pthread_once(&prepared, prepare);
    return own == NULL ? NULL : &own->number;
}
