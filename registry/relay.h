/*
 * A blob that is read while it is still coming: one thread fetches it into the file of an ingest, another reads that file as far as
 * it has grown. The side that fetches may begin again, in the same file or in another: what the reader has read by then may be
 * wrong, so it verifies the whole.
 *
 *	relay_init(&r);
 *	relay_open(&r, fd, have);  relay_grown(&r, have);  ..  relay_end(&r, result, &err);       one thread
 *	relay_poll(&r, false, &err);  relay_read(&r, at, buffer, room, &err);  ..                the other
 *	relay_release(&r);                                                                       when both have ended
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "oci/ingest.h"

struct relay {
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	int fd;       /* -1: nothing was opened yet */
	int64_t have; /* bytes of the file that may be read */
	bool ended, failed;
	struct error err; /* why; written once */
	struct ingest *
		ingest; /* whose file it is, when it is not to stay; of the fetching side until it has ended */
};

void relay_init(struct relay *r);
void relay_release(struct relay *r);

/* From here on another file, of which have bytes are there; takes fd. */
void relay_open(struct relay *r, int fd, int64_t have);
/* The file has so many bytes. To be said before it is made shorter, after it has become longer. */
void relay_grown(struct relay *r, int64_t have);
int64_t relay_have(struct relay *r);
/* All is there and right (result 0), or never will be (-1; *why is moved). */
void relay_end(struct relay *r, int result, struct error *why);

/*
 * Up to room bytes from byte at on; 0 when none has come in a tenth of a second. -1 as soon as it is known that not all will come, with
 * the reason of the other side.
 */
int64_t relay_read(struct relay *r, int64_t at, void *buffer, size_t room, struct error *err);
/* Is the first byte there, or (whole) has the other side ended well? 0: not in a tenth of a second. -1 as above. */
int relay_poll(struct relay *r, bool whole, struct error *err);
bool relay_has_failed(struct relay *r);
/* The file of all bytes again, when they are there; the caller closes it. */
int relay_dup(struct relay *r, int *fd, struct error *err);
