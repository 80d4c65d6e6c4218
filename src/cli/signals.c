/* Catching the signals that ask the program to stop. The handler calls nothing but what a
 * handler may. */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static volatile sig_atomic_t empty_input = -1;

static conv_client *_Atomic ending;
static atomic_bool interrupt_ends;

static void remember(int signal_number)
{
    int before = errno;
    caught = signal_number;
    if (signal_number == SIGTERM || atomic_load(&interrupt_ends))
        conv_client_hurry(atomic_load(&ending), CLI_END_MS);
    if (empty_input >= 0) (void)dup2(empty_input, STDIN_FILENO);
    errno = before;
}

void cli_signals_end_input(void)
{
    empty_input = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void cli_signals_hurry(conv_client *client, bool interrupt)
{
    atomic_store(&interrupt_ends, interrupt);
    atomic_store(&ending, client);
}

/* SA_RESETHAND: whoever asks twice means it. No SA_RESTART: a read of the terminal must end. */
static void handle_with(void (*handler)(int signal_number))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_signals_catch(void)
{
    caught = 0;
    handle_with(remember);
}

/* The default action would do, but the first process of a container has none. */
static void end(int signal_number)
{
    _exit(128 + signal_number);
}

void cli_signals_end_at_once(void)
{
    handle_with(end);
}

int cli_signals_caught(void)
{
    return caught;
}

static void change_mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(how, &set, NULL);
}

bool cli_signals_await_input(void)
{
    sigset_t open_to;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    pthread_sigmask(SIG_BLOCK, NULL, &open_to);
    sigdelset(&open_to, SIGINT);
    sigdelset(&open_to, SIGTERM);
    return ppoll(&input, 1, NULL, &open_to) > 0 || caught == 0;
}

void cli_signals_hold(void)
{
    change_mask(SIG_BLOCK);
}

void cli_signals_admit(void)
{
    change_mask(SIG_UNBLOCK);
}
