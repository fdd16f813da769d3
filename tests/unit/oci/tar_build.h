/*
 * Tar archives by hand (POSIX.1-1988 ustar header, POSIX.1-2001 pax records), so that tests hold readers and
 * writers against the format and not against our own writer.
 *
 *	tar_file(&sb, "a/b", "content");
 *	tar_add(&sb, (struct tar_header){.name = "d", .type = '5', .mode = 0755});
 *	tar_end(&sb);
 */
#pragma once

#include <string.h>

#include "base/strbuf.h"

#define TAR_BLOCK 512

struct tar_header {
	const char *name, *prefix, *link;
	char type; /* '0' when 0 */
	unsigned mode, uid, gid;
	long long size, mtime;
	unsigned major, minor;
	const char *size_text; /* 12 raw bytes instead of size */
	const char *magic;     /* 8 raw bytes instead of "ustar\0" "00" */
};

static inline void tar_pad(struct strbuf *sb)
{
	while (sb->len % TAR_BLOCK)
		strbuf_putc(sb, '\0');
}

static inline void tar_text(char *field, size_t size, const char *text)
{
	for (size_t i = 0; text && i < size && text[i]; i++)
		field[i] = text[i];
}

/* Octal digits with leading zeros, then a blank. */
static inline void tar_number(char *field, size_t digits, long long value)
{
	field[digits] = ' ';
	for (unsigned long long v = (unsigned long long)value; digits--; v /= 8)
		field[digits] = (char)('0' + v % 8);
}

/* Without content: tar_data() follows when size says so. */
static inline void tar_add(struct strbuf *sb, struct tar_header h)
{
	char block[TAR_BLOCK] = {0};
	unsigned sum = 0;

	tar_text(block, 100, h.name);
	tar_number(block + 100, 6, h.mode);
	tar_number(block + 108, 6, h.uid);
	tar_number(block + 116, 6, h.gid);
	tar_number(block + 124, 11, h.size);
	if (h.size_text)
		memcpy(block + 124, h.size_text, 12);
	tar_number(block + 136, 11, h.mtime);
	memset(block + 148, ' ', 8);
	block[156] = h.type ? h.type : '0';
	tar_text(block + 157, 100, h.link);
	memcpy(block + 257,
	       h.magic ? h.magic
		       : "ustar\0"
			 "00",
	       8);
	tar_number(block + 329, 6, h.major);
	tar_number(block + 337, 6, h.minor);
	tar_text(block + 345, 155, h.prefix);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)block[i];
	tar_number(block + 148, 6, sum);
	block[154] = '\0';
	block[155] = ' ';
	strbuf_add(sb, block, TAR_BLOCK);
}

static inline void tar_data(struct strbuf *sb, const void *data, size_t len)
{
	strbuf_add(sb, data, len);
	tar_pad(sb);
}

static inline void tar_file(struct strbuf *sb, const char *name, const char *content)
{
	tar_add(sb, (struct tar_header){
			    .name = name, .mode = 0644, .size = (long long)strlen(content)});
	tar_data(sb, content, strlen(content));
}

static inline void tar_dir(struct strbuf *sb, const char *name)
{
	tar_add(sb, (struct tar_header){.name = name, .type = '5', .mode = 0755});
}

static inline void tar_link(struct strbuf *sb, char type, const char *name, const char *target)
{
	tar_add(sb, (struct tar_header){.name = name, .link = target, .type = type, .mode = 0777});
}

/* One "LEN KEY=VALUE\n" record. */
static inline void tar_record(struct strbuf *records, const char *key, const void *value,
			      size_t len)
{
	size_t body = strlen(key) + len + 3, total = body;

	for (size_t digits = 1, limit = 10; digits < 10; digits++, limit *= 10) {
		total = body + digits;
		if (total < limit)
			break;
	}
	strbuf_printf(records, "%zu %s=", total, key);
	strbuf_add(records, value, len);
	strbuf_putc(records, '\n');
}

/* A pax header with these records, before the entry they belong to. */
static inline void tar_pax(struct strbuf *sb, struct tar_header h, const struct strbuf *records)
{
	h.type = h.type ? h.type : 'x';
	h.size = (long long)records->len;
	tar_add(sb, h);
	tar_data(sb, records->buf, records->len);
}

static inline void tar_end(struct strbuf *sb)
{
	for (size_t i = 0; i < 2 * TAR_BLOCK; i++)
		strbuf_putc(sb, '\0');
}
