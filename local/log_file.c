#include "local/log_file.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/sha256.h"

#define MAGIC       "slwlog1\n"
#define MAGIC_SIZE  8
#define HEAD_FIXED  (MAGIC_SIZE + 4 + 4 + 8 + 8)
#define NAME_LIMIT  4096
#define RECORD_HEAD (4 + 4 + 8 + 8)
#define RECORD_TAIL 4
/* Room for two records at least, so that a window turns over seldom. */
#define WINDOW_SIZE (2 * (LIMIT_LOG_EVENT + RECORD_HEAD + RECORD_TAIL))

char *log_file_path(const char *folder, const char *name, const char *suffix)
{
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	sha256_buf(name, strlen(name), hash);
	sha256_hex(hash, hex);
	return xstrfmt("%s/%s%s", folder, hex, suffix);
}

static void add_number(struct strbuf *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		strbuf_putc(out, (char)(value >> (8 * i) & 0xff));
}

static uint64_t get_number(const char *from, int bytes)
{
	uint64_t value = 0;

	for (int i = bytes - 1; i >= 0; i--)
		value = value << 8 | (uint8_t)from[i];
	return value;
}

/* FNV-1a, which finds what a power cut left of a record. */
static uint32_t check_of(const char *data, size_t len, uint32_t seed)
{
	uint32_t hash = 2166136261u ^ seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)data[i]) * 16777619u;
	return hash;
}

void log_head_release(struct log_head *h)
{
	free(h->group);
	free(h->stream);
	memset(h, 0, sizeof(*h));
}

void log_head_write(const struct log_head *h, struct strbuf *out)
{
	strbuf_add(out, MAGIC, MAGIC_SIZE);
	add_number(out, strlen(h->group), 4);
	add_number(out, strlen(h->stream), 4);
	add_number(out, (uint64_t)h->made_ms, 8);
	add_number(out, (uint64_t)h->base, 8);
	strbuf_puts(out, h->group);
	strbuf_puts(out, h->stream);
}

static bool read_at(int fd, void *to, size_t len, int64_t at)
{
	return pread(fd, to, len, (off_t)at) == (ssize_t)len;
}

int log_head_read(struct log_head *out, int fd, const char *path, struct error *err)
{
	char fixed[HEAD_FIXED], names[2 * NAME_LIMIT];
	size_t group, stream;

	if (!read_at(fd, fixed, sizeof(fixed), 0) || memcmp(fixed, MAGIC, MAGIC_SIZE) != 0)
		return error_set(err, ERROR_CORRUPT, "%s: not the file of a log stream", path);
	group = get_number(fixed + MAGIC_SIZE, 4);
	stream = get_number(fixed + MAGIC_SIZE + 4, 4);
	if (group > NAME_LIMIT || stream > NAME_LIMIT ||
	    !read_at(fd, names, group + stream, HEAD_FIXED))
		return error_set(err, ERROR_CORRUPT, "%s: the names of the log stream are damaged",
				 path);
	out->group = xstrndup(names, group);
	out->stream = xstrndup(names + group, stream);
	out->made_ms = (int64_t)get_number(fixed + MAGIC_SIZE + 8, 8);
	out->base = (int64_t)get_number(fixed + MAGIC_SIZE + 16, 8);
	out->size = (int64_t)(HEAD_FIXED + group + stream);
	return 0;
}

/* No letter is cut in two. */
static size_t cut(const char *text, size_t len)
{
	size_t end = LIMIT_LOG_EVENT;

	if (len <= end)
		return len;
	while (end > LIMIT_LOG_EVENT - 4 && ((uint8_t)text[end] & 0xc0) == 0x80)
		end--;
	return end;
}

size_t log_record_write(const struct log_event *e, struct strbuf *out)
{
	size_t len = cut(e->text, e->len), before = out->len, fields;

	add_number(out, len, 4);
	add_number(out, 0, 4);
	fields = out->len;
	add_number(out, (uint64_t)e->time_ms, 8);
	add_number(out, (uint64_t)e->came_ms, 8);
	strbuf_add(out, e->text, len);

	uint32_t check = check_of(out->buf + fields, out->len - fields, (uint32_t)len);

	for (int i = 0; i < 4; i++)
		out->buf[before + 4 + (size_t)i] = (char)(check >> (8 * i) & 0xff);
	add_number(out, len, 4);
	return out->len - before;
}

void log_reader_init(struct log_reader *r, int fd, const char *path, const struct log_head *h,
		     int64_t end)
{
	*r = (struct log_reader){
		.fd = fd,
		.path = xstrdup(path),
		.base = h->base,
		.first = h->size,
		.end = end,
		.at = h->size,
	};
}

void log_reader_release(struct log_reader *r)
{
	free(r->window);
	free(r->path);
	r->window = r->path = NULL;
}

void log_reader_seek(struct log_reader *r, int64_t position)
{
	int64_t offset = position - r->base;

	if (offset < 0)
		offset = 0;
	r->at = offset > r->end - r->first ? r->end : r->first + offset;
}

static int no_record(const struct log_reader *r, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: at byte %lld there is no log event", r->path,
			 (long long)r->at);
}

/* The bytes [at, at + len) of the file, which lie between first and end; the window is filled from begin on when it lacks them. */
static const char *look(struct log_reader *r, int64_t at, size_t len, int64_t begin,
			struct error *err)
{
	if (!r->window)
		r->window = xmalloc(WINDOW_SIZE);
	if (at < r->window_at || at + (int64_t)len > r->window_at + (int64_t)r->window_len) {
		int64_t room = r->end - begin;
		ssize_t got = pread(r->fd, r->window,
				    room < WINDOW_SIZE ? (size_t)room : WINDOW_SIZE, (off_t)begin);

		r->window_at = begin;
		r->window_len = got > 0 ? (size_t)got : 0;
		if (got < 0) {
			error_errno(err, "read %s", r->path);
			return NULL;
		}
		if (at + (int64_t)len > begin + (int64_t)r->window_len) {
			no_record(r, err);
			return NULL;
		}
	}
	return r->window + (at - r->window_at);
}

static int64_t record_size(size_t len)
{
	return (int64_t)(RECORD_HEAD + len + RECORD_TAIL);
}

/* The record of len bytes of text at the offset. */
static int take(struct log_reader *r, int64_t at, size_t len, int64_t begin, struct log_event *e,
		struct error *err)
{
	const char *record = look(r, at, (size_t)record_size(len), begin, err);

	if (!record)
		return -1;
	if (get_number(record, 4) != len || get_number(record + RECORD_HEAD + len, 4) != len ||
	    get_number(record + 4, 4) != check_of(record + 8, 16 + len, (uint32_t)len))
		return no_record(r, err);
	e->time_ms = (int64_t)get_number(record + 8, 8);
	e->came_ms = (int64_t)get_number(record + 16, 8);
	e->position = r->base + (at - r->first);
	e->next = e->position + record_size(len);
	e->text = record + RECORD_HEAD;
	e->len = len;
	return 1;
}

int log_reader_next(struct log_reader *r, struct log_event *e, struct error *err)
{
	const char *head;
	size_t len;

	if (r->at >= r->end)
		return 0;
	if (r->end - r->at < record_size(0))
		return no_record(r, err);
	head = look(r, r->at, RECORD_HEAD, r->at, err);
	if (!head)
		return -1;
	len = get_number(head, 4);
	if (len > LIMIT_LOG_EVENT || r->end - r->at < record_size(len))
		return no_record(r, err);
	if (take(r, r->at, len, r->at, e, err) < 0)
		return -1;
	r->at += record_size(len);
	return 1;
}

int log_reader_previous(struct log_reader *r, struct log_event *e, struct error *err)
{
	int64_t begin = r->at - WINDOW_SIZE;
	const char *tail;
	size_t len;

	if (begin < r->first)
		begin = r->first;
	if (r->at <= r->first)
		return 0;
	if (r->at - r->first < record_size(0))
		return no_record(r, err);
	tail = look(r, r->at - RECORD_TAIL, RECORD_TAIL, begin, err);
	if (!tail)
		return -1;
	len = get_number(tail, 4);
	if (len > LIMIT_LOG_EVENT || r->at - r->first < record_size(len))
		return no_record(r, err);
	if (take(r, r->at - record_size(len), len, begin, e, err) < 0)
		return -1;
	r->at -= record_size(len);
	return 1;
}
