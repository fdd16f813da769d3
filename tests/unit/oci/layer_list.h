/* Archives of tests as text, one line an entry, and the pax records that need more than a line to make. */
#pragma once

#include "oci/layer_reader.h"
#include "tests/unit/oci/memory_source.h"
#include "tests/unit/oci/tar_build.h"

/* One line an entry: letter, path, and what matters of its kind. */
static inline void show(struct strbuf *out, const struct entry *e, const char *content)
{
	static const char letters[] = "fdlhcbpwo";

	strbuf_printf(out, "%c %s", letters[e->type], e->path);
	if (e->link)
		strbuf_printf(out, " -> %s", e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK)
		strbuf_printf(out, " %u:%u", e->dev_major, e->dev_minor);
	if (e->type == ENTRY_FILE)
		strbuf_printf(out, " =%s", content);
	for (size_t i = 0; i < e->n_xattrs; i++)
		strbuf_printf(out, " %s(%zu)", e->xattrs[i].name, e->xattrs[i].len);
	strbuf_putc(out, '\n');
}

static inline int list_reader(struct strbuf *out, struct layer_reader *r, struct error *err)
{
	const struct entry *e;
	int more;

	while ((more = layer_reader_next(r, &e, err)) > 0) {
		char content[64] = "", rest[512];
		int64_t got = 0;

		if (e->type == ENTRY_FILE)
			got = layer_reader_read(r, content, sizeof(content) - 1, err);
		while (got > 0)
			got = layer_reader_read(r, rest, sizeof(rest), err);
		if (got < 0)
			return -1;
		show(out, e, content);
	}
	return more;
}

static inline int list_tar(struct strbuf *out, const struct strbuf *tar, bool whiteouts,
			   size_t step, struct error *err)
{
	struct memory_source m = memory_source(tar->buf, tar->len);
	AUTO_PTR(layer_reader) r = NULL;

	m.step = step;
	if (layer_reader_open_source(&r, &m.source, "test.tar", whiteouts, err) < 0)
		return -1;
	return list_reader(out, r, err);
}

static inline void pax_path(struct strbuf *tar, const char *key, const char *value, size_t len)
{
	AUTO(strbuf) records = STRBUF_INIT;

	tar_record(&records, key, value, len);
	tar_pax(tar, (struct tar_header){.name = "pax"}, &records);
}

/* GNU tar's sparse format 1.0 (tar manual, "PAX 1"): the map stands before the data. */
static inline void sparse(struct strbuf *tar, const char *realsize, const char *map)
{
	AUTO(strbuf) records = STRBUF_INIT;
	char block[512] = {0};

	tar_record(&records, "GNU.sparse.major", "1", 1);
	tar_record(&records, "GNU.sparse.minor", "0", 1);
	tar_record(&records, "GNU.sparse.name", "holes", 5);
	tar_record(&records, "GNU.sparse.realsize", realsize, strlen(realsize));
	tar_pax(tar, (struct tar_header){.name = "pax"}, &records);
	tar_add(tar, (struct tar_header){.name = "GNUSparseFile.0/holes", .size = 512 + 3});
	memcpy(block, map, strlen(map));
	tar_data(tar, block, sizeof(block));
	tar_data(tar, "abc", 3);
}
