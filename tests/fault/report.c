/* See report.h. */
#include "fault/report.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/content.h"
#include "support/folder.h"

enum { MOST_ROWS = 64 };

/* More than what a campaign leaves there, or one whose trials begin anew each time. */
#define ROOM        (UINT64_C(1) << 30)
#define LITTLE_ROOM (UINT64_C(64) << 20)

/* Sanitizers take several times as long, beside other tests that share the processors: how late a
 * call is does not say there how long the library waited. */
#ifdef __SANITIZE_ADDRESS__
static const bool is_timed = false;
#else
static const bool is_timed = true;
#endif

typedef struct row {
    char fault[128];
    long trials;
    uint64_t seed;
    checker_findings findings;
} row;

/* Rows of parts that run side by side, added up where they have one name. */
typedef struct row_table {
    pthread_mutex_t lock;
    int count;
    row rows[MOST_ROWS];
} row_table;

static row_table *together;

static _Noreturn void usage(const char *program)
{
    fprintf(stderr, "usage: %s [--tier quick|short|long] [--trials N] [--seed S]\n", program);
    exit(2);
}

static uint64_t read_number(const char *program, const char *text)
{
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0') usage(program);
    return value;
}

static campaign_tier read_tier(const char *program, const char *word)
{
    static const char *const words[] = {"quick", "short", "long"};
    for (int i = 0; i < 3; i++)
        if (strcmp(word, words[i]) == 0) return (campaign_tier)i;
    usage(program);
}

static const char *choose_place(campaign_tier tier, bool in_memory)
{
    if (in_memory) return folder_for_files(LITTLE_ROOM);
    return tier == CAMPAIGN_LONG ? "/tmp" : folder_for_files(ROOM);
}

static campaign begin(int argc, char **argv, const long trials[3], bool in_memory)
{
    campaign self = {.shares = 1};
    uint32_t seed = 1;
    if (getrandom(&seed, sizeof seed, 0) < 0) perror("getrandom");
    self.seed = seed;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) usage(argv[0]);
        if (strcmp(argv[i], "--tier") == 0)
            self.tier = read_tier(argv[0], argv[i + 1]);
        else if (strcmp(argv[i], "--trials") == 0)
            self.trials = (long)read_number(argv[0], argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            self.seed = read_number(argv[0], argv[i + 1]);
        else
            usage(argv[0]);
    }
    if (self.trials == 0) self.trials = trials[self.tier];
    self.random = self.seed;
    snprintf(self.folder, sizeof self.folder, "%s/conversation-fault-XXXXXX",
             choose_place(self.tier, in_memory));
    if (mkdtemp(self.folder) == NULL) {
        perror(self.folder);
        exit(99);
    }
    snprintf(self.lines, sizeof self.lines, "%s/witness", self.folder);
    snprintf(self.journal, sizeof self.journal, "%s/journal.db", self.folder);
    return self;
}

campaign campaign_begin(int argc, char **argv, const long trials[3])
{
    return begin(argc, argv, trials, false);
}

campaign campaign_begin_in_memory(int argc, char **argv, const long trials[3])
{
    return begin(argc, argv, trials, true);
}

static long print_row(const row *one)
{
    const checker_findings *findings = &one->findings;
    printf("%s | %ld | %ld | %ld | %ld | %ld | %" PRIu64 "\n", one->fault, one->trials,
           findings->lost, findings->doubled, findings->half, findings->late, one->seed);
    printf("  %ld calls, %ld acknowledged (%ld by the journal, %ld exchanges of these), %ld "
           "stored, %ld waiting, %ld dead, "
           "%ld other violations\n",
           findings->calls, findings->acknowledged, findings->journaled,
           findings->journaled_exchanges, findings->stored, findings->waiting, findings->dead,
           findings->wrong);
    fflush(stdout);
    long found = checker_count_violations(findings) - (is_timed ? 0 : findings->late);
    if (found > 0) fprintf(stderr, "violation: %ld in \"%s\"\n", found, one->fault);
    return found + (one->trials == 0 || findings->calls == 0);
}

static void add_row(const row *one)
{
    pthread_mutex_lock(&together->lock);
    int i = 0;
    while (i < together->count && strcmp(together->rows[i].fault, one->fault) != 0)
        i++;
    if (i == MOST_ROWS) {
        pthread_mutex_unlock(&together->lock);
        exit(99);
    }
    row *sum = &together->rows[i];
    if (i == together->count) {
        *sum = (row){.seed = one->seed};
        memcpy(sum->fault, one->fault, sizeof sum->fault);
        together->count++;
    }
    sum->trials += one->trials;
    checker_add(&sum->findings, &one->findings);
    pthread_mutex_unlock(&together->lock);
}

void campaign_report(campaign *self, const char *fault, long trials,
                     const checker_findings *findings)
{
    row one = {.trials = trials, .seed = self->seed, .findings = *findings};
    snprintf(one.fault, sizeof one.fault, "%s", fault);
    if (together != NULL)
        add_row(&one);
    else
        self->violations += print_row(&one);
}

long campaign_each(const campaign *self, long rarer)
{
    return self->tier == CAMPAIGN_LONG ? self->trials : self->trials * rarer;
}

const char *campaign_ordinal(long number)
{
    static const char *const ends[] = {"th", "st", "nd", "rd"};
    bool is_teen = number % 100 / 10 == 1;
    return is_teen || number % 10 > 3 ? "th" : ends[number % 10];
}

void campaign_report_some(campaign *self, const char *fault, long each, const char *what,
                          long trials, const checker_findings *findings)
{
    char name[sizeof(row){0}.fault];
    int size = snprintf(name, sizeof name, "%s", fault);
    if (each > 1 && size < (int)sizeof name)
        snprintf(name + size, sizeof name - (size_t)size, ", each %ld%s %s", each,
                 campaign_ordinal(each), what);
    campaign_report(self, name, trials, findings);
}

void *campaign_share(size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made != MAP_FAILED) return made;
    perror("sharing memory");
    exit(99);
}

void campaign_clear(campaign *self)
{
    char prefix[sizeof self->folder + 1];
    snprintf(prefix, sizeof prefix, "%s/", self->folder);
    files_remove(prefix);
}

int campaign_end(campaign *self)
{
    campaign_clear(self);
    rmdir(self->folder);
    return self->violations == 0 ? 0 : 1;
}

static void share_rows(void)
{
    pthread_mutexattr_t shared;
    together = campaign_share(sizeof *together);
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&together->lock, &shared);
}

/* Waits for one of them. */
static bool has_succeeded(void)
{
    int status = 0;
    return wait(&status) > 0 && status == 0;
}

int campaign_run_parts(int argc, char **argv, int count, int waiting,
                       int (*part)(int argc, char **argv, int i))
{
    long most = (sysconf(_SC_NPROCESSORS_ONLN) + 1) / 2 + waiting;
    long running = 0;
    long failed = 0;
    share_rows();
    for (int i = 0; i < count; i++) {
        if (running == most) {
            failed += !has_succeeded();
            running--;
        }
        pid_t child = fork();
        if (child == 0) exit(part(argc, argv, i));
        if (child < 0)
            failed++;
        else
            running++;
    }
    for (; running > 0; running--)
        failed += !has_succeeded();
    for (int i = 0; i < together->count; i++)
        failed += print_row(&together->rows[i]);
    return failed == 0 && together->count > 0 ? 0 : 1;
}
