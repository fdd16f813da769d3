#include "local/log_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "local/log_stream.h"

struct group {
	char *name, *folder;
	struct log_stream **streams; /* sorted by name */
	size_t n, cap;
};

struct log_store {
	char *folder;
	pthread_mutex_t lock;
	struct group **groups;
	size_t n, cap;
};

static void group_free(struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		log_stream_free(g->streams[i]);
	free(g->streams);
	free(g->folder);
	free(g->name);
	free(g);
}

void log_store_free(struct log_store *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		group_free(l->groups[i]);
	free(l->groups);
	pthread_mutex_destroy(&l->lock);
	free(l->folder);
	free(l);
}

static struct group *find_group(const struct log_store *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->groups[i]->name, name) == 0)
			return l->groups[i];
	return NULL;
}

static struct group *need_group(struct log_store *l, const char *name)
{
	struct group *g = find_group(l, name);

	if (g)
		return g;
	g = xcalloc(1, sizeof(*g));
	g->name = xstrdup(name);
	g->folder = log_file_path(l->folder, name, "");
	GROW(l->groups, l->n + 1, l->cap);
	l->groups[l->n++] = g;
	return g;
}

/* Where the stream is among those of the group, or would be. */
static size_t place_of(const struct group *g, const char *name)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(g->streams[middle]->head.stream, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct log_stream *find_stream(const struct log_store *l, const char *group,
				      const char *name)
{
	const struct group *g = find_group(l, group);
	size_t at = g ? place_of(g, name) : 0;

	return g && at < g->n && strcmp(g->streams[at]->head.stream, name) == 0 ? g->streams[at]
										: NULL;
}

static void add_stream(struct group *g, struct log_stream *s)
{
	size_t at = place_of(g, s->head.stream);

	GROW(g->streams, g->n + 1, g->cap);
	memmove(&g->streams[at + 1], &g->streams[at], (g->n - at) * sizeof(*g->streams));
	g->streams[at] = s;
	g->n++;
}

static int read_stream(void *arg, int dirfd, const char *entry, const struct stat *st,
		       struct error *err)
{
	struct log_store *l = arg;
	struct log_stream *s;
	AUTO_FD int fd = -1;

	if (!S_ISREG(st->st_mode))
		return 0;
	/* What was being made when the process was killed. */
	if (str_starts(entry, FS_TEMP_PREFIX)) {
		unlinkat(dirfd, entry, 0);
		return 0;
	}
	if (!str_ends(entry, LOG_FILE_SUFFIX))
		return 0;
	fd = openat(dirfd, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, "open the log %s", entry);
	if (log_stream_open(&s, l->folder, entry, fd, st->st_size, err) < 0)
		return -1;
	add_stream(need_group(l, s->head.group), s);
	return 0;
}

static int read_group(void *arg, int dirfd, const char *entry, const struct stat *st,
		      struct error *err)
{
	struct log_store *l = arg;

	if (!S_ISDIR(st->st_mode) || fs_each_entry(dirfd, entry, read_stream, l, err) == 0)
		return 0;
	error_wrap(err, "read %s/%s", l->folder, entry);
	return error_hint(err, "move this file away: its log is lost");
}

int log_store_open(struct log_store **out, const char *folder, struct error *err)
{
	AUTO_PTR(log_store) l = xcalloc(1, sizeof(*l));

	l->folder = xstrdup(folder);
	pthread_mutex_init(&l->lock, NULL);
	if (fs_mkdir_p(folder, 0700, err) < 0 ||
	    fs_each_entry(AT_FDCWD, folder, read_group, l, err) < 0)
		return -1;
	*out = take_ptr(l);
	return 0;
}

static int make_stream(struct log_store *l, const char *group, const char *name,
		       struct log_stream **out, struct error *err)
{
	struct group *g = need_group(l, group);

	if (log_stream_make(out, g->folder, group, name, err) < 0)
		return error_wrap(err, "make the log stream \"%s\" of \"%s\"", name, group);
	add_stream(g, *out);
	return 0;
}

int log_store_make_stream(struct log_store *l, const char *group, const char *stream, bool *made,
			  struct error *err)
{
	struct log_stream *s;
	int result = 0;

	pthread_mutex_lock(&l->lock);
	*made = !find_stream(l, group, stream);
	if (*made)
		result = make_stream(l, group, stream, &s, err);
	pthread_mutex_unlock(&l->lock);
	return result;
}

int log_store_append(struct log_store *l, const char *group, const char *stream,
		     const struct log_event *events, size_t n, struct error *err)
{
	struct log_stream *s;
	int result = 0;

	pthread_mutex_lock(&l->lock);
	s = find_stream(l, group, stream);
	if (!s)
		result = make_stream(l, group, stream, &s, err);
	if (result == 0)
		result = log_stream_append(s, events, n, err);
	pthread_mutex_unlock(&l->lock);
	return result;
}

static int unknown_stream(const char *group, const char *stream, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "there is no log stream \"%s\" in \"%s\"", stream,
			 group);
}

static int read_events(struct log_store *l, const char *group, const char *stream, int64_t position,
		       int (*step)(struct log_reader *r, struct log_event *e, struct error *err),
		       log_event_fn *fn, void *arg, struct error *err)
{
	AUTO(log_reader) r = {0};
	AUTO_FD int fd = -1;
	struct log_stream *s;
	struct log_event e;
	int result;

	pthread_mutex_lock(&l->lock);
	s = find_stream(l, group, stream);
	result = s ? log_stream_reader(s, &r, &fd, err) : unknown_stream(group, stream, err);
	pthread_mutex_unlock(&l->lock);
	if (result < 0)
		return -1;
	log_reader_seek(&r, position);
	while (result == 0) {
		int got = step(&r, &e, err);

		if (got <= 0)
			return got;
		result = fn(arg, &e, err);
	}
	return result;
}

int log_store_read(struct log_store *l, const char *group, const char *stream, int64_t position,
		   log_event_fn *fn, void *arg, struct error *err)
{
	return read_events(l, group, stream, position, log_reader_next, fn, arg, err);
}

int log_store_read_back(struct log_store *l, const char *group, const char *stream,
			int64_t position, log_event_fn *fn, void *arg, struct error *err)
{
	return read_events(l, group, stream, position, log_reader_previous, fn, arg, err);
}

bool log_store_has(struct log_store *l, const char *group, const char *stream)
{
	bool has;

	pthread_mutex_lock(&l->lock);
	has = find_stream(l, group, stream) != NULL;
	pthread_mutex_unlock(&l->lock);
	return has;
}

static int add_name(void *arg, const struct log_stream_facts *f, struct error *err)
{
	(void)err;
	strlist_add(arg, f->name);
	return 0;
}

int log_store_streams(struct log_store *l, const char *group, struct strlist *out,
		      struct error *err)
{
	return log_store_each_stream(l, group, add_name, out, err);
}

int log_store_each_stream(struct log_store *l, const char *group,
			  int (*fn)(void *arg, const struct log_stream_facts *f, struct error *err),
			  void *arg, struct error *err)
{
	const struct group *g;
	int result = 0;

	pthread_mutex_lock(&l->lock);
	g = find_group(l, group);
	for (size_t i = 0; g && result == 0 && i < g->n; i++) {
		result = log_stream_scan(g->streams[i], err);
		if (result == 0)
			result = fn(arg, &g->streams[i]->facts, err);
	}
	pthread_mutex_unlock(&l->lock);
	return result;
}

int64_t log_store_group_bytes(struct log_store *l, const char *group)
{
	const struct group *g;
	int64_t bytes = 0;

	pthread_mutex_lock(&l->lock);
	g = find_group(l, group);
	for (size_t i = 0; g && i < g->n; i++)
		bytes += g->streams[i]->end - g->streams[i]->head.size;
	pthread_mutex_unlock(&l->lock);
	return bytes;
}

static int remove_group(struct log_store *l, const char *group, struct error *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct group *g = l->groups[i];

		if (strcmp(g->name, group) != 0)
			continue;
		if (fs_remove_tree(AT_FDCWD, g->folder, err) < 0)
			return error_wrap(err, "remove the log group \"%s\"", group);
		group_free(g);
		l->n--;
		memmove(&l->groups[i], &l->groups[i + 1], (l->n - i) * sizeof(struct group *));
		return 0;
	}
	return 0;
}

int log_store_remove_group(struct log_store *l, const char *group, struct error *err)
{
	int result;

	pthread_mutex_lock(&l->lock);
	result = remove_group(l, group, err);
	pthread_mutex_unlock(&l->lock);
	return result;
}

static int remove_stream(struct log_store *l, const char *group, const char *stream,
			 struct error *err)
{
	struct log_stream *s = find_stream(l, group, stream);
	struct group *g = find_group(l, group);
	size_t at;

	if (!s)
		return unknown_stream(group, stream, err);
	at = place_of(g, stream);
	if (unlink(s->path) < 0)
		return error_errno(err, "remove the log %s", s->path);
	g->n--;
	memmove(&g->streams[at], &g->streams[at + 1], (g->n - at) * sizeof(*g->streams));
	log_stream_free(s);
	return fs_fsync_dir(AT_FDCWD, g->folder, err);
}

int log_store_remove_stream(struct log_store *l, const char *group, const char *stream,
			    struct error *err)
{
	int result;

	pthread_mutex_lock(&l->lock);
	result = remove_stream(l, group, stream, err);
	pthread_mutex_unlock(&l->lock);
	return result;
}

int log_store_expire(struct log_store *l, const char *group, int64_t before_ms, struct error *err)
{
	const struct group *g;
	int result = 0;

	pthread_mutex_lock(&l->lock);
	g = find_group(l, group);
	for (size_t i = 0; g && result == 0 && i < g->n; i++)
		result = log_stream_expire(g->streams[i], before_ms, err);
	pthread_mutex_unlock(&l->lock);
	return result;
}
