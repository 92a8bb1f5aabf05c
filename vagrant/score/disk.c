#define _GNU_SOURCE
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32.h"

static struct record *chunk; /* aligned for O_DIRECT, shared by all disks: the program has one thread */

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }

int disk_open(struct disk *d, const char *path, uint32_t index, const char *name, bool direct)
{
	if (!chunk && posix_memalign((void **)&chunk, 4096, CHUNK_SLOTS * SECTOR))
		return ENOMEM;
	memset(d, 0, sizeof *d);
	memcpy(d->name, name, NAME_LEN);
	d->path = path;
	d->index = index;
	d->ledger_from = 1;
	d->fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC | (direct ? O_DIRECT : 0));
	if (d->fd < 0)
		return errno;
	off_t size = lseek(d->fd, 0, SEEK_END);
	if (size < 0)
		return errno;
	d->slots = (uint64_t)size / SECTOR;
	return d->slots > 1 ? 0 : ENOSPC;
}

static int read_slots(struct disk *d, uint64_t slot, uint64_t count)
{
	size_t len = count * SECTOR;
	ssize_t got = pread(d->fd, chunk, len, (off_t)(slot * SECTOR));

	return got == (ssize_t)len ? 0 : got < 0 ? errno : EIO;
}

int disk_read(struct disk *d, uint64_t seq, uint64_t count, const struct record **records)
{
	*records = chunk;
	return read_slots(d, seq % d->slots, count);
}

bool disk_record_good(const struct disk *d, const struct record *r, uint64_t slot)
{
	return memcmp(r->magic, RECORD_MAGIC, sizeof r->magic) == 0 && r->slots == d->slots && r->disk == d->index &&
	       memcmp(r->name, d->name, NAME_LEN) == 0 && r->seq > 0 && r->seq % d->slots == slot &&
	       r->run >= RUN_FIRST_REAL && r->ledger_count <= LEDGER_MAX && r->crc == crc32(r, offsetof(struct record, crc));
}

static void keep_if_newest(struct disk *d, const struct record *r)
{
	if (r->seq <= d->newest)
		return;
	d->newest = r->seq;
	d->newest_run = r->run;
	d->ledger_from = r->ledger_from;
	d->ledger_count = r->ledger_count;
	memcpy(d->ledger, r->ledger, sizeof d->ledger);
}

int disk_scan(struct disk *d)
{
	d->seen = calloc(d->slots, sizeof *d->seen);
	if (!d->seen)
		return ENOMEM;
	for (uint64_t slot = 0; slot < d->slots; slot += CHUNK_SLOTS) {
		uint64_t count = min64(CHUNK_SLOTS, d->slots - slot);
		int err = read_slots(d, slot, count);
		if (err)
			return err;
		for (uint64_t i = 0; i < count; i++) {
			if (!disk_record_good(d, &chunk[i], slot + i))
				continue;
			d->seen[slot + i] = chunk[i].seq;
			keep_if_newest(d, &chunk[i]);
		}
	}
	return 0;
}

void disk_count_holes(struct disk *d, uint64_t newest_anywhere)
{
	uint64_t held = 0;

	for (uint64_t slot = 0; slot < d->slots; slot++)
		held += d->seen[slot] && d->seen[slot] + d->slots > newest_anywhere;
	d->holes = (uint32_t)(min64(newest_anywhere, d->slots) - held);
	free(d->seen);
	d->seen = NULL;
}

uint64_t ledger_end(const struct disk *d)
{
	return d->ledger_count ? d->ledger[d->ledger_count - 1].last : d->ledger_from - 1;
}

static void ledger_push(struct disk *d, uint64_t last, uint64_t run)
{
	if (d->ledger_count && d->ledger[d->ledger_count - 1].run == run) {
		d->ledger[d->ledger_count - 1].last = last;
		return;
	}
	if (d->ledger_count == LEDGER_MAX) {
		d->ledger_from = d->ledger[0].last + 1;
		memmove(&d->ledger[0], &d->ledger[1], (LEDGER_MAX - 1) * sizeof d->ledger[0]);
		d->ledger_count--;
	}
	d->ledger[d->ledger_count++] = (struct ledger_entry){.last = last, .run = run};
}

/* Reads back what record seq will overwrite and notes in the ledger whether it is there. */
int disk_retire(struct disk *d, uint64_t seq)
{
	if (seq <= d->slots || seq - d->slots <= ledger_end(d))
		return 0;
	uint64_t old = seq - d->slots, slot = seq % d->slots;
	int err = read_slots(d, slot, 1);
	if (err)
		return err;
	bool found = chunk->seq == old && disk_record_good(d, chunk, slot);
	if (old > ledger_end(d) + 1)
		ledger_push(d, old - 1, RUN_NOT_FOUND);
	ledger_push(d, old, found ? chunk->run : RUN_NOT_FOUND);
	d->holes += !found;
	return 0;
}

/*
 * This disk stopped at `newest`, the guest resumes at a higher number because another disk holds more. The slots skipped stay
 * holes, but what still lies in them was never lost: it is retired in the usual way.
 */
int disk_catch_up(struct disk *d, uint64_t resume_at)
{
	uint64_t end = min64(resume_at, d->newest + d->slots);

	for (uint64_t seq = ledger_end(d) + d->slots + 1; d->newest && seq <= end; seq++) {
		uint32_t holes = d->holes;
		int err = disk_retire(d, seq);
		if (err)
			return err;
		d->holes = holes; /* counted by the boot scan already */
	}
	return 0;
}

int disk_write(struct disk *d, uint64_t seq, uint64_t run)
{
	struct record *r = chunk;

	memset(r, 0, sizeof *r);
	memcpy(r->magic, RECORD_MAGIC, sizeof r->magic);
	memcpy(r->name, d->name, NAME_LEN);
	r->run = run;
	r->seq = seq;
	r->slots = d->slots;
	r->disk = d->index;
	r->ledger_from = d->ledger_from;
	r->ledger_count = d->ledger_count;
	memcpy(r->ledger, d->ledger, sizeof r->ledger);
	r->crc = crc32(r, offsetof(struct record, crc));
	ssize_t put = pwrite(d->fd, r, SECTOR, (off_t)(seq % d->slots * SECTOR));
	if (put != SECTOR)
		return put < 0 ? errno : EIO;
	d->newest = seq;
	return 0;
}
