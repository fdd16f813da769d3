/*
 * Where the bytes of an upload come from: the store, or, where it lacks them, a repository that is known to have them. Those follow
 * the download as it comes in (relay.h), by a thread of its own.
 */
#include <stdatomic.h>

#include "base/alloc.h"
#include "registry/relay.h"
#include "registry/upload.h"

struct incoming {
	struct blob_job job;
	struct relay relay;
	struct group group;
	atomic_bool stop;
	bool again; /* what came first was wrong, and has been sent in vain */
};

/* Of what did not come through the relay: another process has fetched it, or it lay there. */
static int take_stored(struct incoming *in, struct error *err)
{
	const struct descriptor *blob = in->job.blob;
	int64_t size;
	int fd;

	if (relay_have(&in->relay) == blob->size)
		return 0;
	if (store_open_blob(in->job.store, &blob->digest, blob->size, &fd, &size, err) < 0)
		return -1;
	relay_open(&in->relay, fd, size);
	return 0;
}

static int fetch(void *arg, struct error *unused)
{
	struct incoming *in = arg;
	AUTO(error) why = ERROR_INIT;
	int result = blob_fetch_known(&in->job, &why);

	(void)unused;
	if (result == 0)
		result = take_stored(in, &why);
	relay_end(&in->relay, result, &why);
	return 0;
}

static void start_fetch(struct upload *u)
{
	struct incoming *in = xcalloc(1, sizeof(*in));

	in->job = *u->job;
	in->job.stop = &in->stop;
	in->job.relay = &in->relay;
	relay_init(&in->relay);
	group_init(&in->group, client_fetchers(u->job->client));
	u->incoming = in;
	group_run(&in->group, fetch, in);
}

/* For the first byte, or for all; unless the user or another transfer ends the work. */
static int wait_for(const struct upload *u, bool whole, struct error *err)
{
	int there;

	while ((there = relay_poll(&u->incoming->relay, whole, err)) == 0)
		if (blob_check_stop(u->job, err) < 0)
			return -1;
	return there < 0 ? -1 : 0;
}

int upload_source_open(struct upload *u, struct error *err)
{
	const struct blob_job *job = u->job;
	int64_t size;

	if (store_has(job->store, &job->blob->digest, job->blob->size)) {
		if (store_open_blob(job->store, &job->blob->digest, job->blob->size, &u->fd, &size,
				    err) < 0)
			return error_wrap(err, "%s", u->what);
		return 0;
	}
	start_fetch(u);
	/* A source that refuses leaves no session behind. */
	if (wait_for(u, false, err) < 0)
		return error_wrap(err, "%s", u->what);
	return 0;
}

void upload_source_close(struct upload *u)
{
	struct incoming *in = u->incoming;

	if (!in)
		return;
	/* What has come whole may still be on its way into the store. */
	if (relay_have(&in->relay) < in->job.blob->size)
		atomic_store(&in->stop, true);
	group_wait(&in->group, NULL);
	if (u->sent)
		ingest_discard(take_ptr(in->relay.ingest));
	relay_release(&in->relay);
	free(take_ptr(u->incoming));
}

int64_t upload_source_read(void *upload, int64_t at, void *buffer, size_t room, struct error *err)
{
	const struct upload *u = upload;

	if (blob_check_stop(u->job, err) < 0)
		return -1;
	return relay_read(&u->incoming->relay, at, buffer, room, err);
}

int upload_source_whole(struct upload *u, struct error *err)
{
	const struct blob_job *job = u->job;

	if (!u->incoming) {
		if (store_verify_blob(job->store, &job->blob->digest, job->blob->size, err) < 0)
			return error_wrap(err, "%s: damaged in the store, not sent", u->what);
		return 0;
	}
	if (wait_for(u, true, err) < 0 ||
	    (u->fd < 0 && relay_dup(&u->incoming->relay, &u->fd, err) < 0))
		return error_wrap(err, "%s", u->what);
	return 0;
}

int upload_source_judge(struct upload *u, struct error *err)
{
	struct incoming *in = u->incoming;

	if (!in || (!u->corrupt && !relay_has_failed(&in->relay)))
		return 0;
	/* The other side has noticed too, and fetches it once more. */
	if (wait_for(u, true, err) < 0)
		return error_wrap(err, "%s", u->what);
	if (in->again)
		return 0;
	in->again = true;
	u->corrupt = false;
	return 1;
}
