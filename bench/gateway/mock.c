// A backend that answers at once: what is measured in front of it is the gateway.
//
//   mock PORT [EVENTS [TTFT_US [GAP_US]]]
//
// POST: a fixed chat completion, or with "stream":true EVENTS server-sent events of some 230 bytes, each with its
// send time ("@" and 19 digits, CLOCK_MONOTONIC in ns), then [DONE]. "max_tokens":201 paces the events: the first after
// TTFT_US, then one every GAP_US; otherwise one per turn of the loop. GET: an empty list of one model. One thread.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 65536, HEAD = 65536 };

struct connection {
    char *in;           // request so far
    size_t have, room;
    int events_left;    // of the stream that runs; 0: none
    int paced, writable;
    long long due;      // next event
    char *out;          // what the socket did not take
    size_t out_from, out_to;
};

static struct connection *connections[MOST];
static int epoll, events = 200, ttft_us = 20000, gap_us = 10000, highest;

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void drop(int fd) {
    struct connection *c = connections[fd];
    if (c) { free(c->in); free(c->out); free(c); connections[fd] = NULL; }
    close(fd);
}

static void watch(int fd, int writing) {
    struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.fd = fd};
    if (connections[fd]->writable != writing) { connections[fd]->writable = writing; epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e); }
}

static int put(int fd, const char *data, size_t length) {
    struct connection *c = connections[fd];
    if (c->out_to == c->out_from) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) { drop(fd); return -1; }
        if (sent < 0) sent = 0;
        data += sent;
        length -= sent;
        if (!length) return 0;
        c->out_from = c->out_to = 0;
    }
    c->out = realloc(c->out, c->out_to + length);
    memcpy(c->out + c->out_to, data, length);
    c->out_to += length;
    watch(fd, 1);
    return 0;
}

static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static const char ANSWER[] =
    "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"mock\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"Ten words that say nothing much about anything at all here.\",\"refusal\":null},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":12,\"total_tokens\":62,"
    "\"prompt_tokens_details\":{\"cached_tokens\":0}},\"system_fingerprint\":\"fp_mock\"}";
static const char MODELS[] = "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":1,\"owned_by\":\"mock\"}]}";

static int plain(int fd, const char *body) {
    char text[1024];
    int length = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", strlen(body), body);
    return put(fd, text, length);
}

static int event(int fd) {
    struct connection *c = connections[fd];
    char text[512], framed[600];
    int last = c->events_left == 1;
    int length = snprintf(text, sizeof text,
        "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"mock\","
        "\"system_fingerprint\":\"fp_mock\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@%019lld\"},\"logprobs\":null,\"finish_reason\":%s}]}\n\n%s",
        now_ns(), last ? "\"stop\"" : "null", last ? "data: [DONE]\n\n" : "");
    int total = snprintf(framed, sizeof framed, "%x\r\n%s\r\n%s", length, text, last ? "0\r\n\r\n" : "");
    c->events_left--;
    c->due += gap_us * 1000LL;
    return put(fd, framed, total);
}

// Answers one whole request at the front of `in`, if there is one.
static int serve(int fd) {
    struct connection *c = connections[fd];
    if (c->events_left || !c->have) return 0;
    char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = end + 4 - c->in, body = 0;
    *end = 0;
    char *said = strcasestr(c->in, "content-length:");
    if (said) body = strtoul(said + 15, NULL, 10);
    *end = '\r';
    if (c->have < head + body) return 0;
    int post = c->in[0] == 'P', failed;
    int streams = post && (memmem(c->in + head, body, "\"stream\":true", 13) || memmem(c->in + head, body, "\"stream\": true", 14));
    c->paced = post && (memmem(c->in + head, body, "\"max_tokens\":201", 16) || memmem(c->in + head, body, "\"max_tokens\": 201", 17));
    c->have -= head + body;
    memmove(c->in, c->in + head + body, c->have);
    if (streams) {
        c->events_left = events;
        c->due = now_ns() + ttft_us * 1000LL;
        failed = put(fd, STREAM_HEAD, sizeof STREAM_HEAD - 1);
        if (!failed && !c->paced) watch(fd, 1);
        return failed;
    }
    return plain(fd, post ? ANSWER : MODELS) || (connections[fd] && serve(fd));
}

static int readable(int fd) {
    struct connection *c = connections[fd];
    for (;;) {
        if (c->room - c->have < HEAD) c->in = realloc(c->in, c->room = c->room * 2 + HEAD);
        ssize_t got = recv(fd, c->in + c->have, c->room - c->have, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) { drop(fd); return -1; }
        if (got < 0) return 0;
        c->have += got;
        if (serve(fd)) return -1;
    }
}

static int writable(int fd) {
    struct connection *c = connections[fd];
    if (c->out_to > c->out_from) {
        ssize_t sent = send(fd, c->out + c->out_from, c->out_to - c->out_from, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) { drop(fd); return -1; }
        if (sent > 0) c->out_from += sent;
        if (c->out_to > c->out_from) return 0;
    }
    if (c->events_left && !c->paced) {
        if (event(fd)) return -1;
        if (c->events_left || c->out_to > c->out_from) return 0;
        watch(fd, 0);
        return serve(fd);
    }
    watch(fd, 0);
    return 0;
}

int main(int argc, char **argv) {
    int port = atoi(argv[1]), one = 1;
    if (argc > 2) events = atoi(argv[2]);
    if (argc > 3) ttft_us = atoi(argv[3]);
    if (argc > 4) gap_us = atoi(argv[4]);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) { perror("mock"); return 1; }
    socklen_t size = sizeof at;
    getsockname(listener, (struct sockaddr *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    epoll = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, ready[512];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int paced = 0;
        for (int fd = 0; fd <= highest; fd++) paced |= connections[fd] && connections[fd]->events_left && connections[fd]->paced;
        int n = epoll_wait(epoll, ready, 512, paced ? 1 : -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                int made = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (made < 0) continue;
                if (made >= MOST) { close(made); continue; }
                setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                connections[made] = calloc(1, sizeof(struct connection));
                if (made > highest) highest = made;
                e = (struct epoll_event){.events = EPOLLIN, .data.fd = made};
                epoll_ctl(epoll, EPOLL_CTL_ADD, made, &e);
                continue;
            }
            if (!connections[fd]) continue;
            if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && readable(fd)) continue;
            if (ready[i].events & EPOLLOUT) writable(fd);
        }
        if (!paced) continue;
        long long now = now_ns();
        for (int fd = 0; fd <= highest; fd++) {
            struct connection *c = connections[fd];
            if (!c || !c->paced || !c->events_left || c->due > now) continue;
            if (!event(fd) && !c->events_left) serve(fd);
        }
    }
}
