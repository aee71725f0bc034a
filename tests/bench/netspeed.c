/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast a network is, for tools/bench-net: a client in the guest, a server on the host.
 *
 *   netspeed serve ADDRESS PORT           until it is killed
 *   netspeed measure ADDRESS PORT SECONDS
 *
 * A connection's first byte says what it is for: S, the client sends; R, it receives; P, a byte
 * goes to and fro.  The client prints a line for each: "NETSPEED send 123.4 MB/s".
 *
 * Threads: one; the server has a process per connection.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024 };

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int tcp_socket(const char *address, const char *port, struct sockaddr_in *ret)
{
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    if (fd < 0 || inet_pton(AF_INET, address, &ret->sin_addr) != 1) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Move bytes of kind @kind on @fd, from the client's side or the server's, for @seconds (0: until
 * the other ends); returns how many, and in *@ret_turns how often. */
static double move(int fd, char kind, bool client, double seconds, unsigned long *ret_turns)
{
    static uint8_t buffer[CHUNK];
    double total = 0, begun = now_s();
    ssize_t n = 1;

    *ret_turns = 0;
    while (n > 0 && (seconds <= 0 || now_s() - begun < seconds)) {
        bool writes = kind == 'P' ? client : (kind == 'S') == client;
        n = writes ? write(fd, buffer, kind == 'P' ? 1 : CHUNK)
                   : read(fd, buffer, kind == 'P' ? 1 : CHUNK);
        if (n > 0 && kind == 'P') {
            n = writes ? read(fd, buffer, 1) : write(fd, buffer, 1);
        }
        total += n > 0 ? (double)n : 0;
        ++*ret_turns;
    }
    return total;
}

static int serve(const char *address, const char *port)
{
    struct sockaddr_in where;
    int fd = tcp_socket(address, port, &where);

    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof(where)) || listen(fd, 8)) {
        perror("netspeed");
        return 1;
    }
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0 && fork() == 0) {
            char kind = 0;
            unsigned long turns;
            if (read(client, &kind, 1) == 1) {
                move(client, kind, false, 0, &turns);
            }
            _exit(0);
        }
        close(client);
    }
}

static int measure(const char *address, const char *port, double seconds)
{
    static const struct {
        char kind;
        const char *name;
    } parts[] = { { 'S', "send" }, { 'R', "receive" }, { 'P', "turn" } };

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct sockaddr_in where;
        unsigned long turns;
        int fd = tcp_socket(address, port, &where);
        if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof(where)) ||
            write(fd, &parts[i].kind, 1) != 1) {
            perror("netspeed");
            return 1;
        }
        double begun = now_s(), bytes = move(fd, parts[i].kind, true, seconds, &turns);
        double took = now_s() - begun;
        if (parts[i].kind == 'P') {
            printf("NETSPEED %s %.1f us\n", parts[i].name, took / (double)turns * 1e6);
        } else {
            printf("NETSPEED %s %.1f MB/s\n", parts[i].name, bytes / took / 1e6);
        }
        close(fd);
    }
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && !strcmp(argv[1], "serve")) {
        return serve(argv[2], argv[3]);
    }
    if (argc == 5 && !strcmp(argv[1], "measure")) {
        return measure(argv[2], argv[3], atof(argv[4]));
    }
    fprintf(stderr, "usage: netspeed serve ADDRESS PORT | measure ADDRESS PORT SECONDS\n");
    return 2;
}
