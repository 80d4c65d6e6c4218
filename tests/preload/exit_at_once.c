/* For the tests' own PostgreSQL servers, by LD_PRELOAD: a backend has run what PostgreSQL wants run
 * at the end before it calls exit(), which then tears down libraries whose memory is the
 * postmaster's, and so first copies it page by page: nearly half of what a connection costs on a
 * virtual machine. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void exit(int status)
{
    fflush(NULL);
    _exit(status);
}
