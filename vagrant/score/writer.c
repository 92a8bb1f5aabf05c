/*
 * The whole payload of a score-keeping guest: writes numbered records to all its disks, announces each number once it is safe on all of them, and
 * answers audits. What is written and sent is described in format.h.
 *
 * One thread. Between two writes it reads the disks for an audit, a chunk at a time, so that an audit delays a write by one chunk at most.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "crc32.h"
#include "disk.h"
#include "format.h"

static const int64_t US_PER_S = 1000000;
static const uint64_t PAGE = 4096;

struct options {
	char name[NAME_LEN];
	const char *paths[DISKS_MAX];
	uint32_t path_count;
	struct sockaddr_in recorder;
	uint16_t audit_port;
	uint32_t interval_ms;
	uint64_t dirty_mib, dirty_mib_s;
	bool direct;
};

struct writer {
	struct options options;
	struct disk disks[DISKS_MAX];
	uint64_t run;
	uint64_t seq; /* the number being written: all before it are durable */
	int sock;
	struct audit audit;
	char *memory;
	uint64_t memory_at;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "writer: %s: %s\n", what, why);
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

/* Different at every boot, even where the kernel has no entropy yet: the clock of the machine goes in as well. */
static uint64_t new_run(void)
{
	struct timespec t;
	uint64_t run = 0;

	if (getrandom(&run, sizeof run, GRND_INSECURE) < 0)
		run = 0;
	clock_gettime(CLOCK_REALTIME, &t);
	run ^= (uint64_t)t.tv_sec << 20 ^ (uint64_t)t.tv_nsec;
	return run < RUN_FIRST_REAL ? run + RUN_FIRST_REAL : run;
}

static void announce(const struct writer *w, struct datagram d)
{
	const struct sockaddr_in *to = &w->options.recorder;

	memcpy(d.magic, DATAGRAM_MAGIC, sizeof d.magic);
	memcpy(d.name, w->options.name, NAME_LEN);
	d.disks = (uint8_t)w->options.path_count;
	d.run = w->run;
	d.crc = crc32(&d, offsetof(struct datagram, crc));
	sendto(w->sock, &d, sizeof d, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof *to);
}

static void open_socket(struct writer *w)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(w->options.audit_port)};

	w->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (w->sock < 0 || bind(w->sock, (struct sockaddr *)&here, sizeof here))
		die("audit port", strerror(errno));
}

/* Opens the disks and resumes after the last good record of any of them. */
static void boot(struct writer *w)
{
	struct options *o = &w->options;
	uint64_t newest = 0;
	int err;

	for (uint32_t i = 0; i < o->path_count; i++) {
		struct disk *d = &w->disks[i];
		if ((err = disk_open(d, o->paths[i], i, o->name, o->direct)) || (err = disk_scan(d)))
			die(o->paths[i], strerror(err));
		newest = d->newest > newest ? d->newest : newest;
	}
	w->seq = newest + 1;
	for (uint32_t i = 0; i < o->path_count; i++) {
		struct disk *d = &w->disks[i];
		disk_count_holes(d, newest);
		if ((err = disk_catch_up(d, w->seq)))
			die(o->paths[i], strerror(err));
		announce(w, (struct datagram){.kind = KIND_BOOT, .disk = (uint8_t)i, .seq = d->newest, .other = d->newest_run,
					      .holes = d->holes, .value = o->interval_ms});
	}
}

/* Tries to bring the current number to every disk where it is not yet, and announces it when it is on all. */
static void write_record(struct writer *w)
{
	uint32_t slowest_us = 0, holes = 0;

	for (uint32_t i = 0; i < w->options.path_count; i++) {
		struct disk *d = &w->disks[i];
		int64_t start = now_us();
		int err = d->retired ? 0 : disk_retire(d, w->seq + 1); /* one ahead: format.h, LEDGER */
		d->retired = !err;
		if (!err && !d->written)
			err = disk_write(d, w->seq, w->run);
		if (err) {
			announce(w, (struct datagram){.kind = KIND_ERROR, .disk = (uint8_t)i, .seq = w->seq, .value = (uint32_t)err});
			return;
		}
		d->written = true;
		uint32_t took_us = (uint32_t)(now_us() - start);
		slowest_us = took_us > slowest_us ? took_us : slowest_us;
		holes += d->holes;
	}
	announce(w, (struct datagram){.kind = KIND_DURABLE, .seq = w->seq, .holes = holes, .value = slowest_us});
	w->seq++;
	for (uint32_t i = 0; i < w->options.path_count; i++)
		w->disks[i].retired = w->disks[i].written = false;
}

/* Touches as many pages as are due after this much time, so that a live migration has memory to chase. */
static void dirty_memory(struct writer *w, int64_t elapsed_us)
{
	uint64_t size = w->options.dirty_mib << 20;
	uint64_t pages = (w->options.dirty_mib_s << 20) / PAGE * (uint64_t)(elapsed_us < US_PER_S ? elapsed_us : US_PER_S) / (uint64_t)US_PER_S;

	for (; w->memory && pages; pages--) {
		w->memory[w->memory_at]++;
		w->memory_at = (w->memory_at + PAGE) % size;
	}
}

static void run(struct writer *w)
{
	const int64_t interval = (int64_t)w->options.interval_ms * 1000;
	int64_t next = now_us(), last_tick = next, step_cost = 0;

	for (;;) {
		struct pollfd poll_for = {.fd = w->sock, .events = POLLIN};
		int64_t now = now_us();
		if (now >= next) {
			write_record(w);
			dirty_memory(w, now - last_tick);
			last_tick = now;
			next = next + interval > now ? next + interval : now;
			if (w->audit.active) /* however slow the disks are, an audit ends */
				audit_step(&w->audit, w->sock);
		} else if (w->audit.active && now + step_cost < next) {
			audit_step(&w->audit, w->sock);
			step_cost = now_us() - now;
		}
		int64_t idle_us = w->audit.active ? 0 : next - now_us();
		struct timespec idle = {.tv_sec = idle_us / US_PER_S, .tv_nsec = idle_us % US_PER_S * 1000};
		if (idle_us < 0)
			idle = (struct timespec){0};
		if (ppoll(&poll_for, 1, &idle, NULL) > 0)
			audit_receive(&w->audit, w->sock);
	}
}

static uint64_t number(const char *text, uint64_t most)
{
	char *end;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);

	if (errno || *end || end == text || *text == '-' || value > most)
		die(text, "not a number, or too large");
	return value;
}

static struct sockaddr_in address(char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char *colon = strchr(text, ':');

	if (!colon)
		die(text, "want ADDRESS:PORT");
	*colon = 0;
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		die(text, "not an IPv4 address");
	a.sin_port = htons((uint16_t)number(colon + 1, 65535));
	return a;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"name", required_argument, NULL, 'n'},        {"disk", required_argument, NULL, 'd'},
		{"recorder", required_argument, NULL, 'r'},    {"audit-port", required_argument, NULL, 'p'},
		{"interval-ms", required_argument, NULL, 'i'}, {"dirty-mib", required_argument, NULL, 'm'},
		{"dirty-mib-s", required_argument, NULL, 's'}, {"buffered", no_argument, NULL, 'b'},
		{0},
	};
	struct options o = {.audit_port = 7101, .interval_ms = 50, .dirty_mib = 16, .direct = true};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n': memcpy(o.name, optarg, strnlen(optarg, NAME_LEN - 1)); break;
		case 'r': o.recorder = address(optarg); break;
		case 'p': o.audit_port = (uint16_t)number(optarg, 65535); break;
		case 'i': o.interval_ms = (uint32_t)number(optarg, 60000); break;
		case 'm': o.dirty_mib = number(optarg, 1 << 20); break;
		case 's': o.dirty_mib_s = number(optarg, 1 << 20); break;
		case 'b': o.direct = false; break; /* for file systems that refuse O_DIRECT: tests only */
		case 'd':
			if (o.path_count == DISKS_MAX)
				die(optarg, "too many disks");
			o.paths[o.path_count++] = optarg;
			break;
		default: die("usage", "--name N --recorder IP:PORT --disk PATH... [--interval-ms N] [--audit-port N] "
				      "[--dirty-mib-s N [--dirty-mib N]] [--buffered]");
		}
	}
	if (!o.name[0] || !o.path_count || !o.recorder.sin_port || !o.interval_ms)
		die("options", "--name, --recorder, at least one --disk and an interval are needed");
	return o;
}

int main(int argc, char **argv)
{
	static struct writer w;

	w.options = parse(argc, argv);
	crc32_init();
	w.run = new_run();
	open_socket(&w);
	if (w.options.dirty_mib_s && w.options.dirty_mib)
		w.memory = calloc(w.options.dirty_mib, 1 << 20);
	boot(&w);
	w.audit.disks = w.disks;
	w.audit.disk_count = w.options.path_count;
	w.audit.run = w.run;
	run(&w);
}
