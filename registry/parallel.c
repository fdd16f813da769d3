#include "registry/parallel.h"

struct run {
	parallel_fn *fn;
	void *arg;
	size_t n;
	atomic_size_t next;
	atomic_bool stop;
	struct error first; /* written once, by whoever set stop; read after all have ended */
};

/* Takes items until none is left. Errors stay in run: those of items that were told to stop explain nothing. */
static int work(void *arg, struct error *unused)
{
	struct run *run = arg;

	(void)unused;
	for (;;) {
		AUTO(error) err = ERROR_INIT;
		size_t i = atomic_fetch_add(&run->next, 1);

		if (i >= run->n || atomic_load(&run->stop))
			return 0;
		if (run->fn(run->arg, i, &run->stop, &err) < 0 &&
		    !atomic_exchange(&run->stop, true))
			error_move(&run->first, &err);
	}
}

int parallel_run(struct pool *pool, size_t n, parallel_fn *fn, void *arg, struct error *err)
{
	struct run run = {.fn = fn, .arg = arg, .n = n, .first = ERROR_INIT};
	int rc = 0;

	if (pool && n > 1) {
		struct group group;

		group_init(&group, pool);
		for (size_t i = 0; i < n && i < PARALLEL_BLOBS; i++)
			group_run(&group, work, &run);
		rc = group_wait(&group, err);
	} else {
		work(&run, NULL);
	}
	if (rc == 0 && atomic_load(&run.stop))
		return error_move(err, &run.first);
	error_release(&run.first);
	return rc;
}
