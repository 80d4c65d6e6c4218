/* See loopback.h. */
#include "support/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "support/test.h"

int loopback_bind(char port[LOOPBACK_PORT_SIZE])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(taken >= 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    snprintf(port, LOOPBACK_PORT_SIZE, "%d", ntohs(address.sin_port));
    return taken;
}

int loopback_listen(char port[LOOPBACK_PORT_SIZE])
{
    int listener = loopback_bind(port);
    assert_int_equal(listen(listener, 8), 0);
    return listener;
}
