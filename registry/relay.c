#include "registry/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

#define NAP_NS   100000000ll
#define NS_PER_S 1000000000ll

void relay_init(struct relay *r)
{
	pthread_condattr_t steady;

	*r = (struct relay){.fd = -1};
	pthread_mutex_init(&r->lock, NULL);
	/* A clock that is set does not make a nap an hour. */
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &steady);
	pthread_condattr_destroy(&steady);
}

void relay_release(struct relay *r)
{
	if (r->fd >= 0)
		close(r->fd);
	error_release(&r->err);
	ingest_free(r->ingest);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
}

/* ---- the side that fetches ----------------------------------------------- */

void relay_open(struct relay *r, int fd, int64_t have)
{
	pthread_mutex_lock(&r->lock);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->have = have;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void relay_grown(struct relay *r, int64_t have)
{
	pthread_mutex_lock(&r->lock);
	r->have = have;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

int64_t relay_have(struct relay *r)
{
	int64_t have;

	pthread_mutex_lock(&r->lock);
	have = r->have;
	pthread_mutex_unlock(&r->lock);
	return have;
}

void relay_end(struct relay *r, int result, struct error *why)
{
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	r->failed = result < 0;
	if (r->failed)
		error_move(&r->err, why);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

/* ---- the side that reads ------------------------------------------------- */

/* With the lock held. The reason stays: more than one call may ask for it. */
static int failure(const struct relay *r, struct error *err)
{
	error_set(err, r->err.kind, "%s", r->err.message);
	if (err) {
		err->number = r->err.number;
		err->status = r->err.status;
		err->hint_at = r->err.hint_at;
	}
	return -1;
}

static struct timespec nap_end(void)
{
	int64_t end = time_monotonic_ns() + NAP_NS;

	return (struct timespec){.tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S};
}

int64_t relay_read(struct relay *r, int64_t at, void *buffer, size_t room, struct error *err)
{
	const struct timespec until = nap_end();
	ssize_t n = 0;
	int waited = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->ended && r->have <= at && waited == 0)
		waited = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	if (r->failed) {
		n = failure(r, err);
	} else if (r->have > at) {
		/* Under the lock: the file is not made shorter meanwhile. */
		if ((int64_t)room > r->have - at)
			room = (size_t)(r->have - at);
		do {
			n = pread(r->fd, buffer, room, at);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			error_errno(err, "read what was fetched");
		else if (n == 0)
			n = error_set(err, ERROR_CORRUPT, "what was fetched is no longer there");
	} else if (r->ended) {
		n = error_set(err, ERROR_CORRUPT, "what was fetched ends after %lld bytes",
			      (long long)r->have);
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

int relay_poll(struct relay *r, bool whole, struct error *err)
{
	const struct timespec until = nap_end();
	int rc, waited = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->ended && (whole || r->have == 0) && waited == 0)
		waited = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	rc = r->failed ? failure(r, err) : r->ended || (!whole && r->have > 0);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

bool relay_has_failed(struct relay *r)
{
	bool failed;

	pthread_mutex_lock(&r->lock);
	failed = r->failed;
	pthread_mutex_unlock(&r->lock);
	return failed;
}

int relay_dup(struct relay *r, int *fd, struct error *err)
{
	pthread_mutex_lock(&r->lock);
	*fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	if (*fd < 0)
		error_errno(err, "read what was fetched");
	pthread_mutex_unlock(&r->lock);
	return *fd < 0 ? -1 : 0;
}
