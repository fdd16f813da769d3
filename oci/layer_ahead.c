#include "oci/layer_ahead.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/pool.h"

#define BLOCK_BYTES ((size_t)256 << 10)
#define N_BLOCKS    4

struct ahead {
	struct source *from;
	struct pool *pool; /* of the one thread */
	struct group group;
	pthread_t owner;
	bool threaded, running;
	uint8_t *blocks[N_BLOCKS];
	int64_t lengths[N_BLOCKS];

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t moved;
	uint64_t filled, taken; /* blocks so far; the one before taken is in the caller's hands */
	bool stop;
	struct error err;
};

/* Until the source ends or fails, or nobody wants more. */
static int fill(void *arg, struct error *unused)
{
	struct ahead *a = arg;
	bool more = true;

	(void)unused;
	/* No thread can be made: the pool calls back at once, and waiting for ourselves would last. */
	if (pthread_equal(pthread_self(), a->owner)) {
		a->threaded = false;
		return 0;
	}
	while (more) {
		AUTO(error) err = ERROR_INIT;
		size_t i;
		int64_t got;

		pthread_mutex_lock(&a->lock);
		while (!a->stop && a->filled - a->taken >= N_BLOCKS - 1)
			pthread_cond_wait(&a->moved, &a->lock);
		more = !a->stop;
		i = a->filled % N_BLOCKS;
		pthread_mutex_unlock(&a->lock);
		if (!more)
			break;
		got = source_read(a->from, a->blocks[i], BLOCK_BYTES, &err);
		more = got > 0;
		pthread_mutex_lock(&a->lock);
		a->lengths[i] = got;
		a->filled++;
		if (got < 0)
			error_move(&a->err, &err);
		pthread_cond_broadcast(&a->moved);
		pthread_mutex_unlock(&a->lock);
	}
	return 0;
}

struct ahead *ahead_new(struct source *from, bool threaded)
{
	struct ahead *a = xcalloc(1, sizeof(*a));

	a->from = from;
	a->threaded = threaded;
	a->owner = pthread_self();
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	for (size_t i = 0; i < (threaded ? N_BLOCKS : 1); i++)
		a->blocks[i] = xmalloc(BLOCK_BYTES);
	if (threaded) {
		a->pool = pool_new(1);
		group_init(&a->group, a->pool);
		a->running = true;
		group_run(&a->group, fill, a);
	}
	return a;
}

int64_t ahead_next(struct ahead *a, const void **data, struct error *err)
{
	int64_t got;
	size_t i;

	*data = a->blocks[0];
	if (!a->threaded)
		return source_read(a->from, a->blocks[0], BLOCK_BYTES, err);
	pthread_mutex_lock(&a->lock);
	while (a->filled == a->taken)
		pthread_cond_wait(&a->moved, &a->lock);
	i = a->taken % N_BLOCKS;
	got = a->lengths[i];
	*data = a->blocks[i];
	if (got > 0)
		a->taken++;
	else if (got < 0) {
		error_set(err, a->err.kind, "%s", a->err.message);
		if (err)
			err->number = a->err.number;
	}
	pthread_cond_broadcast(&a->moved);
	pthread_mutex_unlock(&a->lock);
	return got;
}

void ahead_stop(struct ahead *a)
{
	if (!a->running)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->moved);
	pthread_mutex_unlock(&a->lock);
	group_wait(&a->group, NULL);
	a->running = false;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	ahead_stop(a);
	pool_free(a->pool);
	for (size_t i = 0; i < N_BLOCKS; i++)
		free(a->blocks[i]);
	error_release(&a->err);
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
