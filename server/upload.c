#include "server/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/time.h"
#include "oci/store.h"

/* Kept open, and how long without a request. */
#define MAX_PARKED  64
#define PARK_NS     (600ll * 1000000000)
#define SESSION_AGE (24 * 3600)
#define SWEEP_NS    PARK_NS
#define TAKE_TRIES  20
#define TAKE_NAP_NS 25000000
#define FILE_PREFIX "upload-"

struct uploads {
	struct store *store;
	pthread_mutex_t lock;
	struct upload *parked[MAX_PARKED];
	size_t n_parked;
	size_t most;
	int64_t swept_ns;  /* of time_monotonic_ns() */
	size_t n_sessions; /* about: other processes on the store are counted when we look */
};

static void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	ingest_free(upload->ingest);
	free(upload->name);
	free(upload);
}

struct sweeping {
	int64_t before; /* sessions not written to since then go */
	size_t kept;
};

static int sweep_one(void *arg, int dirfd, const char *entry, const struct stat *st,
		     struct error *err)
{
	struct sweeping *sweep = arg;

	(void)err;
	if (!str_starts(entry, FILE_PREFIX) || !S_ISREG(st->st_mode))
		return 0;
	AUTO_FD int fd = st->st_mtime < sweep->before
				 ? openat(dirfd, entry, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
				 : -1;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dirfd, entry, 0) == 0)
		return 0;
	sweep->kept++;
	return 0;
}

/* Sessions that nobody went on with for a day. */
static int sweep(struct uploads *u, int64_t now, struct error *err)
{
	struct sweeping s = {.before = now - SESSION_AGE};

	if (fs_each_entry(store_dirfd(u->store), "ingest", sweep_one, &s, err) < 0)
		return -1;
	u->n_sessions = s.kept;
	return 0;
}

int uploads_new(struct uploads **out, struct store *s, size_t most, struct error *err)
{
	AUTO_PTR(uploads) u = xcalloc(1, sizeof(*u));

	u->store = s;
	u->most = most;
	u->swept_ns = time_monotonic_ns();
	pthread_mutex_init(&u->lock, NULL);
	if (sweep(u, time_now(), err) < 0)
		return -1;
	*out = take_ptr(u);
	return 0;
}

void uploads_free(struct uploads *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n_parked; i++)
		upload_free(u->parked[i]);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

static char *file_name(const char *repository, const char *id)
{
	struct digest d = digest_of(repository, strlen(repository));

	return xstrfmt("%s-%.16s", id, digest_hex(&d));
}

static int draw_id(char id[UPLOAD_ID_SIZE], struct error *err)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_errno(err, "draw random bytes");
	snprintf(id, UPLOAD_ID_SIZE, "%016llx%016llx", (unsigned long long)random[0],
		 (unsigned long long)random[1]);
	return 0;
}

static struct upload *upload_new(const char *repository, const char *id)
{
	struct upload *upload = xcalloc(1, sizeof(*upload));

	snprintf(upload->id, sizeof(upload->id), "%s", id);
	upload->name = file_name(repository, id);
	return upload;
}

static int make_place(struct uploads *u, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&u->lock);
	if (u->n_sessions >= u->most)
		result = sweep(u, time_now(), err);
	if (result == 0 && u->n_sessions >= u->most)
		result = error_set(err, ERROR_UNSUPPORTED, "%zu uploads are open already", u->most);
	if (result == 0)
		u->n_sessions++;
	pthread_mutex_unlock(&u->lock);
	return result;
}

static void give_place(struct uploads *u)
{
	pthread_mutex_lock(&u->lock);
	u->n_sessions -= u->n_sessions > 0;
	pthread_mutex_unlock(&u->lock);
}

int uploads_begin(struct uploads *u, const char *repository, struct upload **out, struct error *err)
{
	char id[UPLOAD_ID_SIZE];

	if (draw_id(id, err) < 0 || make_place(u, err) < 0)
		return -1;
	struct upload *upload = upload_new(repository, id);

	if (ingest_upload(&upload->ingest, u->store, upload->name, true, err) < 0) {
		upload_free(upload);
		give_place(u);
		return -1;
	}
	*out = upload;
	return 0;
}

/* Takes entry i out of the list, whose order is that of use. */
static struct upload *unpark(struct uploads *u, size_t i)
{
	struct upload *upload = u->parked[i];

	u->n_parked--;
	memmove(&u->parked[i], &u->parked[i + 1], (u->n_parked - i) * sizeof(u->parked[0]));
	return upload;
}

static int take_once(struct uploads *u, const char *repository, const char *id, struct upload **out,
		     struct error *err)
{
	struct upload *upload = upload_new(repository, id), *found = NULL;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; !found && i < u->n_parked; i++)
		if (strcmp(u->parked[i]->name, upload->name) == 0)
			found = unpark(u, i);
	pthread_mutex_unlock(&u->lock);
	if (!found && ingest_upload(&upload->ingest, u->store, upload->name, false, err) < 0) {
		upload_free(upload);
		return -1;
	}
	if (found)
		upload_free(upload);
	*out = found ? found : upload;
	return 0;
}

/* A client whose connection broke comes back at once, perhaps before we have seen the old one end. */
int uploads_take(struct uploads *u, const char *repository, const char *id, struct upload **out,
		 struct error *err)
{
	AUTO(error) busy = ERROR_INIT;

	for (int tries = 0; take_once(u, repository, id, out, &busy) < 0; tries++) {
		if (busy.number != EWOULDBLOCK || tries == TAKE_TRIES)
			return error_move(err, &busy);
		error_clear(&busy);
		cancel_sleep(NULL, TAKE_NAP_NS, NULL);
	}
	return 0;
}

int64_t uploads_size(struct uploads *u, const char *repository, const char *id)
{
	AUTO_FREE char *name = file_name(repository, id);

	return ingest_upload_size(u->store, name);
}

/* Those not used since before_ns, or from so many on, out of the list; with the lock held. They are only to be closed: their files stay. */
static size_t unpark_old(struct uploads *u, int64_t before_ns, size_t most,
			 struct upload *old[MAX_PARKED])
{
	size_t n = 0;

	while (u->n_parked && (u->n_parked > most || u->parked[0]->used_ns < before_ns))
		old[n++] = unpark(u, 0);
	return n;
}

static void close_all(struct upload *list[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		upload_free(list[i]);
}

void uploads_look(struct uploads *u, int64_t now_ns, int64_t now)
{
	struct upload *old[MAX_PARKED];
	size_t n_old;

	pthread_mutex_lock(&u->lock);
	n_old = unpark_old(u, now_ns - PARK_NS, MAX_PARKED, old);
	pthread_mutex_unlock(&u->lock);
	close_all(old, n_old);
	if (now_ns - u->swept_ns < SWEEP_NS)
		return;
	u->swept_ns = now_ns;
	pthread_mutex_lock(&u->lock);
	sweep(u, now, NULL);
	pthread_mutex_unlock(&u->lock);
}

void uploads_park(struct uploads *u, struct upload *upload)
{
	struct upload *old[MAX_PARKED];
	size_t n_old;

	if (!upload)
		return;
	/* The disk may have space again when the client comes back: what lies there is then looked at anew. */
	if (ingest_has_failed(upload->ingest)) {
		upload_free(upload);
		return;
	}
	upload->used_ns = time_monotonic_ns();
	pthread_mutex_lock(&u->lock);
	n_old = unpark_old(u, upload->used_ns - PARK_NS, MAX_PARKED - 1, old);
	u->parked[u->n_parked++] = upload;
	pthread_mutex_unlock(&u->lock);
	close_all(old, n_old);
}

void uploads_end(struct uploads *u, struct upload *upload)
{
	if (!upload)
		return;
	ingest_discard(upload->ingest);
	upload->ingest = NULL;
	upload_free(upload);
	give_place(u);
}
