#define _GNU_SOURCE
#include "audit.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "crc32.h"

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void send_answer(struct audit *a, int sock)
{
	size_t len = offsetof(struct answer, extents) + a->answer.count * sizeof(struct extent);
	uint32_t crc = crc32(&a->answer, len);

	memcpy((char *)&a->answer + len, &crc, sizeof crc);
	sendto(sock, &a->answer, len + sizeof crc, MSG_DONTWAIT, (struct sockaddr *)&a->asker, sizeof a->asker);
}

static void begin(struct audit *a, const struct datagram *request)
{
	struct disk *d = &a->disks[request->disk];

	memset(&a->answer, 0, sizeof a->answer);
	memcpy(a->answer.magic, DATAGRAM_MAGIC, sizeof a->answer.magic);
	memcpy(a->answer.name, d->name, NAME_LEN);
	a->answer.kind = KIND_ANSWER;
	a->answer.disks = (uint8_t)a->disk_count;
	a->answer.disk = request->disk;
	a->answer.run = a->run;
	a->answer.id = request->run;
	a->answer.first = request->seq;
	a->answer.slots = d->slots;
	a->next = request->seq;
	a->last = request->other;
	a->one_by_one = false;
	a->active = true;
}

void audit_receive(struct audit *a, int sock)
{
	struct datagram request;
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	ssize_t got = recvfrom(sock, &request, sizeof request, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (got != sizeof request || memcmp(request.magic, DATAGRAM_MAGIC, sizeof request.magic) != 0 ||
	    request.kind != KIND_REQUEST || request.crc != crc32(&request, offsetof(struct datagram, crc)) ||
	    request.disk >= a->disk_count || request.seq < 1 || request.other < request.seq || a->active)
		return; /* not for us, or busy: the asker repeats its request */
	a->asker = from;
	if (a->answer.id == request.run && a->answer.kind == KIND_ANSWER)
		send_answer(a, sock);
	else
		begin(a, &request);
}

/* Notes that numbers first..last were found, by run; false when the answer is full. */
static bool add(struct audit *a, uint64_t first, uint64_t last, uint64_t run)
{
	struct extent *e = a->answer.count ? &a->answer.extents[a->answer.count - 1] : NULL;

	if (run == RUN_NOT_FOUND)
		return true;
	if (e && e->run == run && e->last + 1 == first) {
		e->last = last;
		return true;
	}
	if (a->answer.count == EXTENTS_MAX)
		return false;
	a->answer.extents[a->answer.count++] = (struct extent){.first = first, .last = last, .run = run};
	return true;
}

static bool from_ledger(struct audit *a, const struct disk *d)
{
	if (a->next < d->ledger_from) {
		uint64_t last = min64(a->last, d->ledger_from - 1);
		if (!add(a, a->next, last, RUN_UNKNOWN))
			return false;
		a->next = last + 1;
	}
	for (uint32_t i = 0; i < d->ledger_count && a->next <= a->last; i++) {
		uint64_t last = min64(a->last, d->ledger[i].last);
		if (a->next > last)
			continue;
		if (!add(a, a->next, last, d->ledger[i].run))
			return false;
		a->next = last + 1;
	}
	return true;
}

static bool from_ring(struct audit *a, struct disk *d)
{
	const struct record *records;
	uint64_t slot = a->next % d->slots;
	uint64_t count = min64(min64(CHUNK_SLOTS, d->slots - slot), min64(a->last, d->newest) - a->next + 1);

	a->one_by_one = a->one_by_one && a->next <= a->one_by_one_to;
	if (a->one_by_one)
		count = 1;
	if (disk_read(d, a->next, count, &records)) {
		if (count > 1) {
			a->one_by_one = true;
			a->one_by_one_to = a->next + count - 1;
			return true;
		}
		if (!add(a, a->next, a->next, RUN_UNREADABLE))
			return false;
		a->next++;
		return true;
	}
	for (uint64_t i = 0; i < count; i++, a->next++) {
		bool found = records[i].seq == a->next && disk_record_good(d, &records[i], slot + i);
		if (found && !add(a, a->next, a->next, records[i].run))
			return false;
	}
	return true;
}

/* Looks at the next numbers: in the ledger when overwritten, else on the disk. Answers when done or when the answer is full. */
void audit_step(struct audit *a, int sock)
{
	struct disk *d = &a->disks[a->answer.disk];
	bool room = from_ledger(a, d);

	if (room && a->next <= min64(a->last, d->newest))
		room = from_ring(a, d);
	if (room && a->next <= min64(a->last, d->newest))
		return;
	a->answer.covered = room ? a->last : a->next - 1; /* what was never written is not there: that is spoken for */
	a->answer.holes = d->holes;
	a->active = false;
	send_answer(a, sock);
}
