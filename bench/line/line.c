/*
 * A line with a delay, a rate and random loss: two TUN devices joined in user space, for kernels without netem.
 *
 *   line DEVICE DEVICE RTT_MS RATE_MBIT LOSS_PERCENT QUEUE_MS
 *
 * Both directions have the rate; a packet that would wait longer than QUEUE_MS for its turn is dropped.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 9100
#define QUEUED 131072
#define AT_ONCE 64

struct packet {
  uint64_t due;
  uint16_t length;
  unsigned char *bytes;
};

struct direction {
  struct packet *packets;
  unsigned head, tail;
  /* When the line is free again, in ns. */
  uint64_t free_at;
};

static uint64_t delay_ns, longest_wait_ns;
static double bytes_per_ns;
static unsigned loss_per_million;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int open_device(const char *name) {
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (device < 0 || ioctl(device, TUNSETIFF, &request) < 0) {
    perror(name);
    exit(1);
  }
  return device;
}

static void take(int device, struct direction *to) {
  unsigned char bytes[LONGEST];
  for (int i = 0; i < AT_ONCE; i++) {
    ssize_t length = read(device, bytes, sizeof bytes);
    if (length <= 0) return;
    if (loss_per_million && (unsigned)(rand() % 1000000) < loss_per_million) continue;
    uint64_t time = now();
    uint64_t start = to->free_at > time ? to->free_at : time;
    if (start - time > longest_wait_ns || to->tail - to->head >= QUEUED) continue;
    to->free_at = start + (uint64_t)(length / bytes_per_ns);
    struct packet *packet = &to->packets[to->tail++ % QUEUED];
    packet->due = to->free_at + delay_ns;
    packet->length = length;
    packet->bytes = malloc(length);
    memcpy(packet->bytes, bytes, length);
  }
}

/* Returns when the next packet is due; 0 when there is none. */
static uint64_t give(int device, struct direction *from) {
  uint64_t time = now();
  while (from->head != from->tail) {
    struct packet *packet = &from->packets[from->head % QUEUED];
    if (packet->due > time) return packet->due;
    if (write(device, packet->bytes, packet->length) < 0) perror("write");
    free(packet->bytes);
    from->head++;
  }
  return 0;
}

int main(int count, char **values) {
  if (count < 7) {
    fprintf(stderr, "usage: line DEVICE DEVICE RTT_MS RATE_MBIT LOSS_PERCENT QUEUE_MS\n");
    return 2;
  }
  int near = open_device(values[1]), far = open_device(values[2]);
  delay_ns = atof(values[3]) * 1e6 / 2;
  bytes_per_ns = atof(values[4]) * 1e6 / 8 / 1e9;
  loss_per_million = atof(values[5]) * 10000;
  longest_wait_ns = atof(values[6]) * 1e6;

  struct direction there = {calloc(QUEUED, sizeof(struct packet)), 0, 0, 0};
  struct direction back = {calloc(QUEUED, sizeof(struct packet)), 0, 0, 0};
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  for (;;) {
    uint64_t first = give(far, &there), second = give(near, &back);
    uint64_t next = first && second ? (first < second ? first : second) : first ? first : second;
    struct itimerspec wake = {{0, 0}, {next / 1000000000ull, next % 1000000000ull}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &wake, 0);
    struct pollfd polled[3] = {{near, POLLIN, 0}, {far, POLLIN, 0}, {timer, POLLIN, 0}};
    poll(polled, 3, -1);
    uint64_t expirations;
    if (polled[2].revents && read(timer, &expirations, sizeof expirations) < 0) continue;
    if (polled[0].revents) take(near, &there);
    if (polled[1].revents) take(far, &back);
  }
}
