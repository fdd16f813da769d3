#include "local/log_stream.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/time.h"

void log_stream_free(struct log_stream *s)
{
	if (!s)
		return;
	log_head_release(&s->head);
	free(s->path);
	free(s);
}

int log_stream_open(struct log_stream **out, const char *folder, const char *entry, int fd,
		    int64_t size, struct error *err)
{
	AUTO_PTR(log_stream) s = xcalloc(1, sizeof(*s));
	AUTO_FREE char *group = NULL;

	if (log_head_read(&s->head, fd, entry, err) < 0)
		return -1;
	group = log_file_path(folder, s->head.group, "");
	s->path = path_join(group, entry);
	s->end = size;
	*out = take_ptr(s);
	return 0;
}

static void count(struct log_stream_facts *f, const struct log_event *e)
{
	if (!f->n_events || e->time_ms < f->first_ms)
		f->first_ms = e->time_ms;
	if (!f->n_events || e->time_ms > f->last_ms)
		f->last_ms = e->time_ms;
	f->came_ms = e->came_ms;
	f->n_events++;
}

int log_stream_scan(struct log_stream *s, struct error *err)
{
	AUTO_FD int fd = s->scanned ? -1 : open(s->path, O_RDWR | O_CLOEXEC);
	AUTO(log_reader) r = {0};
	AUTO(error) why = ERROR_INIT;
	struct log_event e;
	int got;

	if (s->scanned)
		return 0;
	if (fd < 0)
		return error_errno(err, "open the log %s", s->path);
	log_reader_init(&r, fd, s->path, &s->head, s->end);
	s->facts = (struct log_stream_facts){.name = s->head.stream, .made_ms = s->head.made_ms};
	while ((got = log_reader_next(&r, &e, &why)) > 0)
		count(&s->facts, &e);
	if (got < 0 && why.kind != ERROR_CORRUPT)
		return error_move(err, &why);
	if (got < 0 && ftruncate(fd, (off_t)r.at) < 0)
		return error_errno(err, "cut off the damaged end of the log %s", s->path);
	s->end = r.at;
	s->facts.bytes = s->end - s->head.size;
	s->scanned = true;
	return 0;
}

int log_stream_make(struct log_stream **out, const char *folder, const char *group,
		    const char *name, struct error *err)
{
	AUTO_PTR(log_stream) s = xcalloc(1, sizeof(*s));
	AUTO(strbuf) text = STRBUF_INIT;

	s->path = log_file_path(folder, name, LOG_FILE_SUFFIX);
	s->head.group = xstrdup(group);
	s->head.stream = xstrdup(name);
	s->head.made_ms = time_now_ns() / 1000000;
	log_head_write(&s->head, &text);
	s->head.size = s->end = (int64_t)text.len;
	if (fs_mkdir_p(folder, 0700, err) < 0 ||
	    fs_write_file_atomic(s->path, text.buf, text.len, 0600, err) < 0)
		return -1;
	*out = take_ptr(s);
	return 0;
}

int log_stream_append(struct log_stream *s, const struct log_event *events, size_t n,
		      struct error *err)
{
	AUTO_FD int fd = -1;
	AUTO(strbuf) text = STRBUF_INIT;
	ssize_t wrote;

	if (log_stream_scan(s, err) < 0)
		return -1;
	fd = open(s->path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open the log %s", s->path);
	for (size_t i = 0; i < n; i++)
		log_record_write(&events[i], &text);
	for (size_t at = 0; at < text.len; at += (size_t)wrote) {
		wrote = pwrite(fd, text.buf + at, text.len - at, (off_t)(s->end + (int64_t)at));
		if (wrote < 0) {
			error_errno(err, "write the log %s", s->path);
			/* Else the next scan does it. */
			s->scanned = ftruncate(fd, (off_t)s->end) == 0;
			return -1;
		}
	}
	s->end += (int64_t)text.len;
	s->facts.bytes += (int64_t)text.len;
	for (size_t i = 0; i < n; i++)
		count(&s->facts, &events[i]);
	return 0;
}

int log_stream_reader(struct log_stream *s, struct log_reader *out, int *fd, struct error *err)
{
	if (log_stream_scan(s, err) < 0)
		return -1;
	*fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return error_errno(err, "open the log %s", s->path);
	log_reader_init(out, *fd, s->path, &s->head, s->end);
	return 0;
}

/* Where the first event stands that is not older; *old: there are some before it. */
static int find_kept(struct log_stream *s, int fd, int64_t before_ms, struct log_event *kept,
		     bool *old, struct error *err)
{
	AUTO(log_reader) r = {0};
	int got;

	*old = false;
	log_reader_init(&r, fd, s->path, &s->head, s->end);
	while ((got = log_reader_next(&r, kept, err)) > 0 && kept->time_ms < before_ms)
		*old = true;
	if (got == 0)
		kept->position = s->head.base + (s->end - s->head.size);
	return got < 0 ? -1 : 0;
}

static int write_rest(struct log_stream *s, int in, int out, const struct log_head *head,
		      int64_t from, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	log_head_write(head, &text);
	if (lseek(in, (off_t)from, SEEK_SET) < 0)
		return error_errno(err, "read the log %s", s->path);
	if (fs_write_all(out, text.buf, text.len, s->path, err) < 0 ||
	    fs_copy_fd(in, out, s->end - from, s->path, err) < 0)
		return -1;
	return fsync(out) < 0 ? error_errno(err, "write the log %s", s->path) : 0;
}

/* A new file without the first events, in place of the old one. */
static int rewrite(struct log_stream *s, int fd, int64_t position, struct error *err)
{
	AUTO_FREE char *folder = path_dir(s->path);
	AUTO_FD int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct log_head head = s->head;
	char temp[FS_TEMP_NAME];
	int64_t from = s->head.size + (position - s->head.base);
	AUTO_FD int new = dirfd < 0 ? -1 : fs_create_temp(dirfd, 0600, temp);
	int result;

	if (new < 0)
		return error_errno(err, "make a file in %s", folder);
	head.base = position;
	result = write_rest(s, fd, new, &head, from, err);
	if (result == 0 && renameat(dirfd, temp, AT_FDCWD, s->path) < 0)
		result = error_errno(err, "put the log %s in place", s->path);
	if (result < 0) {
		unlinkat(dirfd, temp, 0);
		return -1;
	}
	s->end -= position - s->head.base;
	s->head.base = position;
	s->scanned = false;
	return fs_fsync_dir(AT_FDCWD, folder, err);
}

int log_stream_expire(struct log_stream *s, int64_t before_ms, struct error *err)
{
	AUTO_FD int fd = -1;
	struct log_event kept;
	bool old;

	if (log_stream_scan(s, err) < 0)
		return -1;
	if (!s->facts.n_events || s->facts.first_ms >= before_ms)
		return 0;
	fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open the log %s", s->path);
	if (find_kept(s, fd, before_ms, &kept, &old, err) < 0)
		return -1;
	return old ? rewrite(s, fd, kept.position, err) : 0;
}
