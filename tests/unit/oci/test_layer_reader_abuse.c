#include "oci/layer_reader.h"

#include <stdlib.h>

#include "base/limits.h"
#include "tests/unit/oci/layer_list.h"
#include "tests/unit/oci/store_fixture.h"

/* Abuse: the rows 1, 5, 7 and 12 of the threat model, and what else is no name, link or size. */
static void bad_dotdot(struct strbuf *t)
{
	tar_file(t, "../../x", "");
}
static void bad_middle(struct strbuf *t)
{
	tar_file(t, "a/../../x", "");
}
static void bad_last(struct strbuf *t)
{
	tar_dir(t, "a/..");
}
static void bad_absolute_dotdot(struct strbuf *t)
{
	tar_file(t, "/../x", "");
}
static void bad_pax_dotdot(struct strbuf *t)
{
	pax_path(t, "path", "a/../../b", 9);
	tar_file(t, "fine", "");
}
static void bad_hardlink(struct strbuf *t)
{
	tar_link(t, '1', "l", "../../etc/shadow");
}
static void bad_hardlink_root(struct strbuf *t)
{
	tar_link(t, '1', "l", "/");
}
static void bad_root(struct strbuf *t)
{
	tar_link(t, '2', "./", "/etc");
}
static void bad_symlink_empty(struct strbuf *t)
{
	tar_link(t, '2', "l", "");
}
static void bad_whiteout_dotdot(struct strbuf *t)
{
	tar_file(t, ".wh...", "");
}
static void bad_whiteout_dot(struct strbuf *t)
{
	tar_file(t, ".wh..", "");
}
static void bad_whiteout_empty(struct strbuf *t)
{
	tar_file(t, ".wh.", "");
}
static void bad_whiteout_below(struct strbuf *t)
{
	tar_file(t, ".wh./x", "");
}
static void bad_whiteout_sub(struct strbuf *t)
{
	tar_file(t, "sub/.wh...", "");
}
static void bad_whiteout_folder(struct strbuf *t)
{
	tar_dir(t, ".wh.x");
}
static void bad_whiteout_kind(struct strbuf *t)
{
	tar_file(t, ".wh..wh.other", "");
}
static void bad_size_huge(struct strbuf *t)
{
	pax_path(t, "size", "9223372036854775808", 19);
	tar_file(t, "f", "");
}
static void bad_size_negative(struct strbuf *t)
{
	pax_path(t, "size", "-1", 2);
	tar_file(t, "f", "");
}
static void bad_size_binary(struct strbuf *t)
{
	tar_add(t, (struct tar_header){
			   .name = "f",
			   .size_text = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"});
}
static void bad_size_beyond(struct strbuf *t)
{
	tar_add(t, (struct tar_header){.name = "f", .size_text = "\x80\0\0\0\x7f\0\0\0\0\0\0\0"});
}
static void bad_owner(struct strbuf *t)
{
	pax_path(t, "uid", "4294967296", 10);
	tar_file(t, "f", "");
}
static void bad_owner_negative(struct strbuf *t)
{
	pax_path(t, "gid", "-5", 2);
	tar_file(t, "f", "");
}
static void bad_pax_huge(struct strbuf *t)
{
	tar_add(t, (struct tar_header){.name = "pax", .type = 'x', .size = 1ll << 30});
	tar_data(t, "30 comment=", 11);
}
static void bad_pax_length(struct strbuf *t)
{
	AUTO(strbuf) records = STRBUF_INIT;

	strbuf_puts(&records, "99 path=short\n");
	tar_pax(t, (struct tar_header){.name = "pax"}, &records);
	tar_file(t, "f", "");
}
static void bad_sparse_overlap(struct strbuf *t)
{
	sparse(t, "1000", "2\n500\n2\n0\n1\n");
}
static void bad_sparse_huge(struct strbuf *t)
{
	sparse(t, "9223372036854775807", "1\n0\n3\n");
}
static void bad_cut(struct strbuf *t)
{
	tar_file(t, "f", "content");
	strbuf_truncate(t, t->len - 510);
}
static void bad_checksum(struct strbuf *t)
{
	tar_file(t, "f", "content");
	t->buf[0] = 'g';
}
static void bad_format(struct strbuf *t)
{
	for (int i = 0; i < 2000; i++)
		strbuf_puts(t, "no tar ");
}

static const struct {
	void (*make)(struct strbuf *tar);
	const char *why;
	bool no_end;
} bad[] = {
	{bad_dotdot, "unsafe path", false},
	{bad_middle, "unsafe path", false},
	{bad_last, "unsafe path", false},
	{bad_absolute_dotdot, "unsafe path", false},
	{bad_pax_dotdot, "unsafe path", false},
	{bad_hardlink, "unsafe path", false},
	{bad_hardlink_root, "hard link to the root", false},
	{bad_root, "in the place of the root folder", false},
	{bad_symlink_empty, "symbolic link with an empty", false},
	{bad_whiteout_dotdot, "a whiteout of nothing", false},
	{bad_whiteout_dot, "a whiteout of nothing", false},
	{bad_whiteout_empty, "a whiteout of nothing", false},
	{bad_whiteout_below, "below a whiteout", false},
	{bad_whiteout_sub, "a whiteout of nothing", false},
	{bad_whiteout_folder, "whiteout that is a folder", false},
	{bad_whiteout_kind, "whiteout of a kind", false},
	{bad_size_huge, "size", false},
	{bad_size_negative, "size", false},
	{bad_size_binary, "size", false},
	{bad_size_beyond, "size", false},
	{bad_owner, "owner", false},
	{bad_owner_negative, "owner", false},
	{bad_pax_huge, "not a valid tar archive", false},
	{bad_pax_length, "not a valid tar archive", false},
	{bad_sparse_overlap, "not a valid tar archive", false},
	{bad_sparse_huge, "size", false},
	{bad_cut, "not a valid tar archive", true},
	{bad_checksum, "not a valid tar archive", false},
	{bad_format, "not a valid tar archive", true},
};

static void test_bad_archives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(strbuf) tar = STRBUF_INIT;
		AUTO(strbuf) got = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;

		bad[i].make(&tar);
		if (!bad[i].no_end)
			tar_end(&tar);
		if (list_tar(&got, &tar, true, 0, &err) == 0)
			fail_msg("row %zu (%s) was read: %s", i, bad[i].why, got.buf);
		assert_int_equal(err.kind, ERROR_CORRUPT);
		if (!strstr(err.message, bad[i].why))
			fail_msg("row %zu: \"%s\" in \"%s\"?", i, bad[i].why, err.message);
	}
}

static void test_limits(void **state)
{
	AUTO(strbuf) deep = STRBUF_INIT;
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(strbuf) got = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 3000; i++)
		strbuf_puts(&deep, "a/");
	pax_path(&tar, "path", deep.buf, deep.len);
	tar_file(&tar, "x", "");
	tar_end(&tar);
	assert_int_equal(list_tar(&got, &tar, true, 0, &err), -1);
	assert_non_null(strstr(err.message, "longer than 4096 bytes"));
}

/* A source that never ends: the same entry again and again. */
struct endless {
	struct source source;
	char block[512 * 512];
	int64_t given;
};

static int64_t endless_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct endless *e = (struct endless *)s;
	size_t n = len < sizeof(e->block) ? len : sizeof(e->block);

	(void)err;
	n -= n % 512;
	memcpy(data, e->block, n);
	e->given += (int64_t)n;
	return (int64_t)n;
}

static void test_too_many_entries(void **state)
{
	struct endless *source = xcalloc(1, sizeof(*source));
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(layer_reader) r = NULL;
	const struct entry *e;
	int more;

	(void)state;
	source->source.read = endless_read;
	tar_file(&tar, "x", "");
	for (size_t at = 0; at < sizeof(source->block); at += 512)
		memcpy(source->block + at, tar.buf, 512);
	assert_int_equal(layer_reader_open_source(&r, &source->source, "t", true, &err), 0);
	while ((more = layer_reader_next(r, &e, &err)) > 0)
		;
	assert_int_equal(more, -1);
	assert_non_null(strstr(err.message, "more than 5000000 entries"));
	free(source);
}

/* A file of 1 TiB less a byte, nearly all hole, in a few hundred bytes. */
static void test_sparse_bomb(void **state)
{
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(layer_reader) r = NULL;
	AUTO_FREE char *buf = xmalloc(1 << 20);
	const struct entry *e;
	struct memory_source m;
	int64_t got, total = 0;

	(void)state;
	sparse(&tar, "1099511627775", "1\n1099511627772\n3\n");
	tar_end(&tar);
	m = memory_source(tar.buf, tar.len);
	assert_int_equal(layer_reader_open_source(&r, &m.source, "t", true, &err), 0);
	assert_int_equal(layer_reader_next(r, &e, &err), 1);
	while ((got = layer_reader_read(r, buf, 1 << 20, &err)) > 0)
		total += got;
	assert_int_equal(got, -1);
	assert_non_null(strstr(err.message, "bomb"));
	assert_true(total < LIMIT_LAYER_RATIO_AFTER + (4 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_archives),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_too_many_entries),
		cmocka_unit_test(test_sparse_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
