#include "base/sink.h"

#include <errno.h>
#include <unistd.h>

#include "base/fs.h"

static int refuse(const struct sink *s, struct error *err)
{
	error_set(err, s->failed, "cannot write more: an earlier write failed");
	if (err)
		err->number = s->failed_number;
	return -1;
}

int sink_write(struct sink *s, const void *data, size_t len, struct error *err)
{
	AUTO(error) first = ERROR_INIT;

	if (s->failed)
		return refuse(s, err);
	if (!len || s->write(s, data, len, &first) == 0)
		return 0;
	s->failed = first.kind ? first.kind : ERROR_SYSTEM;
	s->failed_number = first.number;
	return error_move(err, &first);
}

int sink_close(struct sink *s, struct error *err)
{
	if (s->close && s->close(s, err) < 0)
		return -1;
	return s->failed ? refuse(s, err) : 0;
}

static int fd_sink_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
	struct fd_sink *s = (struct fd_sink *)sink;

	if (fs_write_all(s->fd, data, len, s->name, err) < 0)
		return -1;
	s->bytes += len;
	return 0;
}

void fd_sink_init(struct fd_sink *s, int fd, const char *name)
{
	*s = (struct fd_sink){.sink.write = fd_sink_write, .fd = fd, .name = name};
}

static int strbuf_sink_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
	struct strbuf *buf = ((struct strbuf_sink *)sink)->buf;

	strbuf_add(buf, data, len);
	if (buf->overflow)
		return error_set(err, ERROR_CORRUPT, "more than the %zu bytes allowed here",
				 buf->limit);
	return 0;
}

void strbuf_sink_init(struct strbuf_sink *s, struct strbuf *buf)
{
	*s = (struct strbuf_sink){.sink.write = strbuf_sink_write, .buf = buf};
}

static int hash_sink_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
	struct hash_sink *s = (struct hash_sink *)sink;

	sha256_update(&s->hash, data, len);
	s->bytes += len;
	return s->next ? sink_write(s->next, data, len, err) : 0;
}

static int hash_sink_close(struct sink *sink, struct error *err)
{
	struct hash_sink *s = (struct hash_sink *)sink;

	return s->next ? sink_close(s->next, err) : 0;
}

void hash_sink_init(struct hash_sink *s, struct sink *next)
{
	*s = (struct hash_sink){
		.sink = {.write = hash_sink_write, .close = hash_sink_close},
		.next = next,
	};
}

void hash_sink_release(struct hash_sink *s)
{
	if (s)
		sha256_release(&s->hash);
}

int64_t source_read(struct source *s, void *data, size_t len, struct error *err)
{
	return s->read(s, data, len, err);
}

static int64_t fd_source_read(struct source *source, void *data, size_t len, struct error *err)
{
	struct fd_source *s = (struct fd_source *)source;
	ssize_t n;

	do
		n = read(s->fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(err, "read %s", s->name) : n;
}

void fd_source_init(struct fd_source *s, int fd, const char *name)
{
	*s = (struct fd_source){.source.read = fd_source_read, .fd = fd, .name = name};
}
